"""A user's folder for tests of flows, and waiting for what a server does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import houses

from crosswalk.clock import SystemClock
from crosswalk.runs.wiring import House
from crosswalk.sandbox.control import Control, Started

ORDERS = 24


@dataclass
class Folder:
    """A user's folder with flows, mappings, settings and a login at the practice systems."""

    path: Path
    started: Started

    @property
    def control(self) -> Control:
        return self.started.control

    def house(self) -> House:
        return houses.house(self.path, self.started, SystemClock())

    def change(self, old: str, new: str) -> None:
        """Edit crosswalk.toml."""
        file = self.path / "crosswalk.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text, old
        file.write_text(text.replace(old, new), encoding="utf-8")

    def asked(self, system: str = "xero", verbs: tuple[str, ...] = ("PUT", "POST")) -> dict[str, int]:
        """How often each writing path of a system was asked so far, token calls left out."""
        paths = self.control.counts()[system]["paths"]
        return {p: n for p, n in paths.items() if p.startswith(verbs) and "token" not in p}


@dataclass
class Worker:
    """A running worker. kills: the file that names the points at which its flows die (see ``killing``)."""

    log: Path
    kills: Path

    def reported_a_crash(self) -> bool:
        """Whether the worker itself, not only its child, has said that a flow's process was killed."""
        return "prefect.flow_runs.worker - Check whether" in self.log.read_text(encoding="utf-8")


def until(found: Callable[[], Any], what: str, seconds: float = 90.0) -> Any:
    """Wait for something to be true; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {seconds:g} s")
