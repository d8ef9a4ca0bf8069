"""What a process cost: its own seconds of CPU, those of the database server, its peak of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """client, database: seconds of CPU. wall: seconds. peak: MB. read: rows that the tool says it has read."""

    client: float
    database: float
    wall: float
    peak: float
    read: int

    @property
    def cpu(self) -> float:
        return self.client + self.database


class Failed(Exception):
    """A tool did not end well, so that no figure of it counts."""


def run(command: list[str], server: int | None, environment: dict[str, str] | None = None) -> Cost:
    """Run one tool to its end. server: the process id of the database server."""
    before = _server_seconds(server)
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **(environment or {})},
    )  # fmt: skip
    with process:
        said, errors = _both(process)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode:
        raise Failed(f"{' '.join(command[1:4])} ended with {process.returncode}: {errors[-3000:]}")
    # A backend's seconds reach the server's own account when it has ended.
    time.sleep(0.3)
    told = json.loads(said.strip().splitlines()[-1])
    seconds = used.ru_utime + used.ru_stime
    return Cost(seconds, _server_seconds(server) - before, wall, float(told["peak_mb"]), int(told["read"]))


def _both(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Both streams to their ends, side by side, so that neither blocks the other."""
    assert process.stdout is not None and process.stderr is not None
    errors: list[bytes] = []
    reading = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    reading.start()
    said = process.stdout.read()
    reading.join()
    return said.decode(), b"".join(errors).decode("utf-8", "replace")


def _server_seconds(server: int | None) -> float:
    """CPU seconds of the server, of all that it has started and of all of those that have ended."""
    if server is None:
        return 0.0
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        own, parent = int(path.parent.name) == server, int(fields[1]) == server
        if own or parent:
            ticks += int(fields[11]) + int(fields[12])
        if own:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / TICK


def python() -> str:
    """The engine's interpreter."""
    return sys.executable
