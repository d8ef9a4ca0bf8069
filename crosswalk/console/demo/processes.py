"""The processes of the demo: each under a guard that ends it when the demo ends, however that happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
PATIENCE = 15.0
TAIL = 15


class DemoError(Exception):
    """Something that the demo needs did not come up, or did what it must not."""


class Process:
    """A command that runs under a guard. log: where its output goes."""

    def __init__(self, name: str, folder: Path, guard: subprocess.Popen[bytes]) -> None:
        self.name, self.log, self.guard = name, folder / f"{name}.log", guard

    @property
    def running(self) -> bool:
        return self.guard.poll() is None

    def check(self) -> None:
        """Raises DemoError with the end of the log when the command has ended."""
        if not self.running:
            raise DemoError(f"{self.name} ended with exit code {self.guard.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL:])


class Processes:
    """Everything that the demo started. folder: where logs and locks lie."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.all: list[Process] = []

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Process:
        """Start a command; it outlives this process only after ``keep``."""
        arguments = [sys.executable, "-S", str(GUARD), f"{self.folder / name}.pid", *command]
        # Nothing of ours goes down to it: whoever reads our output to its end would wait for what is kept.
        with (self.folder / f"{name}.log").open("ab") as log:
            guard = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=log, stderr=log, env=dict(env), cwd=cwd, start_new_session=True
            )
        process = Process(name, self.folder, guard)
        self.all.append(process)
        return process

    def keep(self) -> None:
        """Let everything outlive this process."""
        for process in self.all:
            with contextlib.suppress(OSError):
                _lifeline(process).write(b"keep\n")
                _lifeline(process).flush()

    def stop(self) -> None:
        """End everything and wait until it is gone."""
        for process in reversed(self.all):
            with contextlib.suppress(OSError):
                _lifeline(process).close()
        for process in self.all:
            try:
                process.guard.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.guard.terminate()
                process.guard.wait()


def _lifeline(process: Process) -> IO[bytes]:
    assert process.guard.stdin is not None
    return process.guard.stdin


def stop_kept(folder: Path) -> list[str]:
    """End what an earlier demo left running in this folder; returns the names of what was ended."""
    held = [(file, pid) for file in sorted(folder.glob("*.pid")) if (pid := holder(file)) is not None]
    for _, pid in held:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(holder(file) is not None for file, _ in held):
        time.sleep(0.05)
    return [file.stem for file, _ in held]


def holder(file: Path) -> int | None:
    """The process that holds the lock on this file, or None when nobody does."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 20, 0).decode()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. Raises DemoError when another demo runs there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder.with_name(folder.name + ".lock")
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demo is running in {folder}; wait for it or end it") from None
        yield
    finally:
        os.close(descriptor)


def free_port(wanted: int = 0) -> int:
    """This port of the loopback interface if it is free, any free one otherwise."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise DemoError("no port is free on 127.0.0.1")
