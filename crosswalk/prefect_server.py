"""A Prefect server and its workers as child processes, for the demonstration, for tests, and for one machine alone."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

START_SECONDS = 240.0
ATTEMPTS = 3
STOP_SECONDS = 15.0

# Ends a process group when the pipe to its parent closes, however the parent ended.
KEEPER = """
cat >/dev/null
kill -TERM -- "-$1" 2>/dev/null
tries=0
while kill -0 -- "-$1" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL -- "-$1" 2>/dev/null
"""


@dataclass
class Child:
    """A process with all that it started. environment: what a client of the same server needs."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    keeper: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the whole group, gently first."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.keeper is not None:
            self.keeper.kill()
            self.keeper.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass
class Server(Child):
    """A running server. api: for clients; ui: for a browser."""

    api: str = ""
    ui: str = ""


def start(home: Path, *, port: int = 0, log: Path | None = None, keep: bool = False) -> Server:
    """Start a server whose database and blocks lie in ``home`` and wait until it answers.

    port: 0 takes a free one.  keep: let it outlive this process.  Raises RuntimeError when it does not come up.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = log or home / "server.log"
    for _ in range(1 if port else ATTEMPTS):
        server = _serve(home, port or free_port(), log, keep)
        try:
            if _answers(server, home):
                return server
        except BaseException:
            server.stop()
            raise
        server.stop()
    raise RuntimeError(f"the Prefect server did not come up: {log.read_text(errors='replace')[-2000:]}")


def _serve(home: Path, port: int, log: Path, keep: bool) -> Server:
    ui = f"http://127.0.0.1:{port}"
    environment = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"{ui}/api",
        # Without these the pages call the default port, and links in alerts are empty.
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_URL": ui,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    child = _start(command, environment, log, keep)
    return Server(child.process, environment, child.keeper, api=f"{ui}/api", ui=ui)


def start_worker(
    server: Mapping[str, str], *, pool: str = "crosswalk", log: Path, once: bool = False, keep: bool = False,
    folder: Path | None = None, type: str = "process", limit: int | None = None,
) -> Child:  # fmt: skip
    """Start a worker of a pool. server: the environment of ``Server``.  once: take what is due now, then end."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", type]
    command += ["--limit", str(limit)] if limit else []
    return _start([*command, "--run-once"] if once else command, dict(server), log, keep, folder)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment.

    Not one of those that the system gives to connections: the server takes its port only when it has imported itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _start(command: list[str], environment: dict[str, str], log: Path, keep: bool, folder: Path | None = None) -> Child:
    with log.open("ab") as file:
        process = _group(command, {**os.environ, **environment}, file, folder)
    keeper = None
    if not keep:
        keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "sh", str(process.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return Child(process, environment, keeper)


def _group(
    command: list[str], environment: dict[str, str], log: IO[bytes], folder: Path | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder,
        start_new_session=True,
    )  # fmt: skip


def _answers(server: Server, home: Path) -> bool:
    """Wait until the server answers; False when it ended or another program has its port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.api}/admin/settings", timeout=5) as answer:
                return str(json.load(answer).get("home")) == str(home)
        except (urllib.error.URLError, OSError, ValueError):
            time.sleep(0.2)
    return False
