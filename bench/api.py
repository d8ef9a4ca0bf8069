"""The part of the benchmark whose target is an API: contacts in the practice Xero, which keeps a ledger of effects."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import bench.practice  # noqa: F401 - the system is found by its name
from bench.api_run import TOML
from bench.measure import ROOT, Failed, python

PHASES = ("full", "incremental", "unchanged")
MINUTE = 0.25


def measure(rows: int, serving: Any) -> str:
    """Write so many records, one in a hundred again, then none; a table of what each cost in CPU and requests."""
    import houses

    from crosswalk.runs.wiring import House
    from crosswalk.sandbox import control
    from crosswalk.settings import load

    lines = [
        f"\n{rows:,} records into an API with a ledger, batches of 50",
        f"{'':14}{'written':>9}{'unchanged':>11}{'requests':>10}{'client CPU':>12}{'a record':>12}{'peak':>9}",
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-bench-")))
        address = stack.enter_context(serving(rows))
        started = stack.enter_context(control.start(orders=1, minute=MINUTE))
        ready = started.ready
        told = {"xero": ready["addresses"]["xero"], "tenant": ready["credentials"]["xero"]["tenant_id"]}
        (folder / "crosswalk.toml").write_text(TOML.format(source=address, minute=MINUTE, **told))
        with closing(House(load(folder, "sandbox"))) as house:
            houses.consent(house, started)
        for phase in PHASES:
            if phase == "incremental":
                urllib.request.urlopen(urllib.request.Request(f"{address}/changed", method="POST")).close()
            found = _run(folder)
            written = found["created"] + found["updated"]
            expected = {"full": rows, "incremental": rows // 100, "unchanged": 0}[phase]
            if written != expected or (phase == "unchanged" and found["requests"]):
                raise Failed(f"{phase}: {found}")
            each = found["work_s"] / max(found["read"], 1) * 1000
            lines.append(
                f"{phase:14}{written:>9,}{found['unchanged']:>11,}{found['requests']:>10,}"
                f"{found['work_s']:>10.2f} s{each:>9.2f} ms{found['peak_mb']:>6.0f} MB"
            )
    return "\n".join(lines)


def _run(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [python(), "-m", "bench.api_run", str(folder)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
