"""R22: the Prefect server goes away in the middle of a run and comes back; the store alone knows what was sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import houses
from scenario import Result
from servers.prefect import REPOSITORY, serve

from crosswalk import prefect_server
from crosswalk.clock import SystemClock
from crosswalk.sandbox import control

TITLE = "the Prefect server away in the middle of a run"
ORDERS = 24
LONGEST = 400.0


def run(folder: Path, whole: bool) -> Result:
    """Away for two minutes in the whole size, for a few seconds in the short one, while orders are written."""
    result, away = Result(faults=1), 120.0 if whole else 4.0
    with control.start(orders=ORDERS, minute=2) as practice, serve() as server:
        home = _home(folder, practice)
        environment = {**os.environ, **server.environment, "PYTHONPATH": str(REPOSITORY)}
        first = _run(home, environment, "customers")
        result.must(first.wait(LONGEST) == 0, f"the contacts ended with {first.returncode}")
        practice.control.add_fault("xero", "delay", seconds=0.25)
        began = _run(home, environment, "orders")
        _until_writing(practice, began)
        server.stop()
        time.sleep(away)
        port = int(server.environment["PREFECT_SERVER_API_PORT"])
        with prefect_server.start(Path(server.environment["PREFECT_HOME"]), port=port):
            code = _end(began, result)
            practice.control.clear_faults()
            again = _run(home, environment, "orders")
            result.must(again.wait(LONGEST) == 0, f"the run after it ended with {again.returncode}: {_said(home)}")
        verdict = [line for line in practice.control.verdict("S1") if "guests" not in line]
    result.lost = sum(1 for line in verdict if line.endswith("missing"))
    result.doubled = sum(1 for line in verdict if "there twice" in line or "should not be there" in line)
    result.wrong += verdict
    result.notes.append(f"away for {away:.0f} s; the run that lost its server ended with {code}")
    return result


def _home(folder: Path, practice: control.Started) -> Path:
    home = houses.write(folder / "home", practice)
    for name in ("flows", "tasks", "mappings", "prefect.yaml"):
        (home / name).symlink_to(REPOSITORY / name)
    houses.house(home, practice, SystemClock()).close()
    return home


def _run(home: Path, environment: dict[str, str], binding: str) -> subprocess.Popen[bytes]:
    """``crosswalk run``, as a person types it, in a process group of its own."""
    command = [sys.executable, "-m", "crosswalk.console.main", "run", binding]
    with (home / "said").open("ab") as said:
        return subprocess.Popen(
            command, cwd=home, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )


def _until_writing(practice: control.Started, process: subprocess.Popen[bytes]) -> None:
    """Wait until some, not all, of the orders' writes have arrived."""
    deadline = time.monotonic() + LONGEST
    while process.poll() is None and time.monotonic() < deadline:
        paths: dict[str, Any] = practice.control.counts()["xero"]["paths"]
        if any(path.startswith("PUT") and "Invoices" in path for path in paths):
            return
        time.sleep(0.1)
    raise RuntimeError("the run ended, or wrote nothing, before the server could be stopped")


def _end(process: subprocess.Popen[bytes], result: Result) -> int:
    """How the run ended; one that does not is a finding, and is killed."""
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        result.wrong.append(f"the run hung for {LONGEST:.0f} s after its server had gone")
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _said(home: Path) -> str:
    return (home / "said").read_text(errors="replace")[-800:]
