"""Makes the copy of a store that later releases must be able to open: ``python tests/store/make_store.py FILE.gz``.

Made once by every release that changes the schema, and kept. Customers and orders of the practice business are run,
and the answers to the payments are lost, so that there are applied, held, parked and skipped records and an attempt.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from practising import Ground

from crosswalk.store.backup import backup

CASES = (
    "guest", "part_paid", "refund_mixed", "pending", "locked", "gateway_unknown", "long_name_order", "test_order",
    "bad_date", "status_expired",
)  # fmt: skip


def work(ground: Ground) -> None:
    """What the store of the copy had done."""
    ground.run("customers")
    ground.control.use_faults("xero", [{"kind": "lost_answer", "method": "PUT", "path": "*/Payments"}])
    ground.run("orders")


def make(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder) / "home", f"sqlite:///{folder}/store.db").fresh(*CASES)
        work(ground)
        print(ground.states("customers"), ground.states("orders"))
        print(backup(ground.store, file))
        ground.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
