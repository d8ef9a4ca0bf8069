"""What the demo starts beside itself: the practice systems, a Prefect server, a worker."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crosswalk.console.demo.home import READY, ROOT, Home
from crosswalk.console.demo.processes import DemoError, Process, Processes
from crosswalk.sandbox.control import Control

SLOWEST = 240.0
TICK = 0.1


class Services:
    """The three of them. ready: what the practice systems said when they came up."""

    def __init__(self, home: Home, processes: Processes) -> None:
        self.home, self.processes = home, processes
        self.ready: dict[str, Any] = {}
        self._practice: Process | None = None
        self._server: Process | None = None

    @property
    def control(self) -> Control:
        """The practice systems' control API."""
        return Control(self.ready["addresses"]["control"])

    def begin(self) -> None:
        """Start practice systems and server side by side; nothing is waited for."""
        options = self.home.options
        self._practice = self._start(
            "practice", "-m", "crosswalk.sandbox.serve", "--seed", options.seed, "--orders", options.orders,
            "--minute", f"{options.minute:g}", "--faults", "default", "--ready", self._ready,
        )  # fmt: skip
        self._server = self._start("prefect-server", "-m", "prefect", "server", "start", "--port", self.home.port)

    def start_worker(self) -> Process:
        """Start a worker of the pool that the deployments name; the pool is made if it is not there."""
        return self._start(
            "prefect-worker", "-m", "prefect", "worker", "start", "--pool", "crosswalk", "--type", "process"
        )

    def wait_for_practice(self) -> None:
        """Until the practice systems answer. Raises DemoError."""
        assert self._practice is not None
        _wait(self._practice, self._ready.exists)
        self.ready = json.loads(self._ready.read_text(encoding="utf-8"))

    def wait_for_server(self) -> None:
        """Until the Prefect server answers. Raises DemoError."""
        assert self._server is not None
        _wait(self._server, lambda: _answers(f"{self.home.ui}/api/health"))

    @property
    def _ready(self) -> Path:
        return self.home.folder / READY

    def _start(self, name: str, *arguments: object) -> Process:
        command = [sys.executable, *map(str, arguments)]
        return self.processes.start(name, command, self.home.environment(), self.home.folder)


def _wait(process: Process, there: Callable[[], bool]) -> None:
    until = time.monotonic() + SLOWEST
    while not there():
        process.check()
        if time.monotonic() > until:
            raise DemoError(f"{process.name} did not answer within {SLOWEST:g} s:\n{process.tail()}")
        time.sleep(TICK)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def crosswalk(*arguments: str) -> list[str]:
    """The command line of ``crosswalk`` in this installation."""
    return [sys.executable, "-m", "crosswalk.console.main", *arguments]


def shown(folder: Path) -> str:
    """A path as short as it can be typed from the project's folder."""
    return str(folder.relative_to(ROOT)) if folder.is_relative_to(ROOT) else str(folder)


def command(folder: Path) -> str:
    """How ``crosswalk`` is called from a folder."""
    installed = Path(sys.executable).with_name("crosswalk")
    return os.path.relpath(installed, folder) if folder.is_relative_to(ROOT) else str(installed)
