"""``make fuzz``: schemathesis against the receiver's own OpenAPI document, in an environment of its own.

Its pins would clash with ours, so it is installed apart, below .fuzz. CASES bounds how many requests an operation gets.
Fails on a 5xx, and when anything that nobody signed was kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "webhooks")]

import houses  # noqa: E402
import webhook_kit as kit  # noqa: E402
from receiver import CLOCK, free, running  # noqa: E402

from crosswalk.sandbox import control  # noqa: E402
from crosswalk.store import inbox_look  # noqa: E402

TOOL = HERE.parents[1] / ".fuzz" / "bin" / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"


def main() -> int:
    cases = str(int(os.environ.get("CASES", "100")))
    with tempfile.TemporaryDirectory(prefix="cw-fuzz-") as folder, control.start(orders=0) as started:
        home, port = kit.home(Path(folder), started), free()
        serve = [sys.executable, "-m", "crosswalk.console.main", "receive", "--port", str(port)]
        with running(serve, home, port, {}):
            attack = [str(TOOL), "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", CHECKS]
            code = subprocess.run(
                [*attack, "-n", cases, "--generation-deterministic"], cwd=folder, check=False
            ).returncode
        house = houses.house(home, started, CLOCK)
        kept = len(inbox_look.events(house.store))
        house.close()
    print(f"kept without a signature: {kept}")
    return 1 if code or kept else 0


if __name__ == "__main__":
    sys.exit(main())
