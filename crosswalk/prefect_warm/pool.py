"""Zygotes of this process: one for each folder, renewed when its code changed, asked for a process for each run."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import select
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from crosswalk.errors import CrosswalkError

START_SECONDS = 300.0
FORK_SECONDS = 60.0
KEPT = 4

# Both libraries start a thread when they are imported, unless told not to.
NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}  # fmt: skip
CODE, TABLES = (".py", ".so"), (".csv",)
SETTINGS = ("pyproject.toml", "prefect.toml", ".env")
LOST = -9
GONE_SECONDS = 0.2

log = logging.getLogger("crosswalk.warm")


class WarmError(CrosswalkError):
    """No process could be had."""


class Process:
    """A forked process. ended: its exit code once it has ended; negative for the signal that killed it, and ``LOST``
    when its zygote ended first and nobody knows."""

    def __init__(self) -> None:
        self.pid = 0
        self.started: Future[int] = Future()
        self.ended: Future[int] = Future()
        self.ended.set_running_or_notify_cancel()  # how a process ends cannot be called off

    @property
    def returncode(self) -> int | None:
        return self.ended.result() if self.ended.done() else None


class Zygote:
    """A started zygote. pid: its process. failed: what could not be imported, with the reason.

    Raises WarmError when it does not come up.
    """

    def __init__(self, folder: Path | None, environment: Mapping[str, str], seen: object = None) -> None:
        self.seen = seen
        self._lock, self._numbers, self._closed = threading.Lock(), itertools.count(1), False
        self._asked: dict[str, Process] = {}
        self._ready: Future[dict[str, Any]] = Future()
        ours, theirs = socket.socketpair()
        self._line = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crosswalk.prefect_warm.zygote", str(theirs.fileno()), str(folder or "")],
                env={**environment, **NO_THREADS}, cwd=folder or os.sep, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        threading.Thread(target=self._read, name=f"zygote-{self.pid}", daemon=True).start()
        self.failed = self._wait()

    def _wait(self) -> list[str]:
        try:
            about = self._ready.result(START_SECONDS)
        except BaseException as error:
            self.stop()
            self._process.kill()
            raise WarmError(
                f"the process that runs are forked from did not come up: {error or type(error).__name__}",
                safe="nothing was run", next_command="look at what the worker printed before this",
            ) from error  # fmt: skip
        if about["threads"] > 1:
            log.warning("%d threads run where runs are forked from; what imports them?", about["threads"])
        return list(about["failed"])

    @property
    def alive(self) -> bool:
        return not self._closed and self._process.poll() is None

    def fork(self, request: Mapping[str, Any]) -> Process:
        """A process that does what is asked (see ``child.live``). Raises WarmError."""
        process = Process()
        with self._lock:
            if self._closed:
                raise WarmError("the process that runs are forked from has ended", safe="nothing was run")
            id = str(next(self._numbers))
            self._asked[id] = process
            with contextlib.suppress(OSError):  # whoever reads the line says what became of it
                self._line.sendall(json.dumps({**request, "id": id}).encode() + b"\n")
        process.pid = process.started.result(FORK_SECONDS)
        return process

    def stop(self) -> None:
        """Ask for nothing more; the zygote ends when its last process has."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        with self._line.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._heard(json.loads(line))
        code = self._process.wait()
        with self._lock:
            self._closed = True
            self._line.close()
        gone = WarmError(f"the process that runs are forked from ended with code {code}")
        if not self._ready.done():
            self._ready.set_exception(gone)
        for process in self._asked.values():
            if process.started.done():
                threading.Thread(target=_outlive, args=[process], daemon=True).start()
            else:
                process.started.set_exception(gone)

    def _heard(self, said: dict[str, Any]) -> None:
        if "ready" in said:
            self._ready.set_result(said)
        elif "pid" in said:
            self._asked[said["id"]].started.set_result(said["pid"])
        elif "error" in said:
            self._asked.pop(said["id"]).started.set_exception(WarmError(said["error"]))
        else:
            self._asked.pop(said["id"]).ended.set_result(said["code"])


def _outlive(process: Process) -> None:
    """Wait for the end of a process that has no parent any more."""
    pid = process.started.result()
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "pidfd_open"):
            end = os.pidfd_open(pid)
            select.select([end], [], [])
            os.close(end)
        else:
            pause = threading.Event()
            while not pause.wait(GONE_SECONDS):
                os.kill(pid, 0)
    process.ended.set_result(LOST)


class Warm:
    """The zygotes of a process, by folder; safe to use from any thread.

    environment: of the zygotes, this process's by default. Requests carry their own; one with the same settings of
    Prefect starts sooner.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._lock, self._zygotes = threading.Lock(), dict[Path | None, Zygote]()

    def zygote(self, folder: Path | None) -> Zygote:
        """The zygote of a user's folder, or of no folder; a new one when there is none or its code has changed."""
        with self._lock:
            seen, found = look(folder), self._zygotes.pop(folder, None)
            if found is not None and not (found.alive and found.seen == seen):
                log.info("%s: what is imported is imported anew", folder or "libraries")
                found.stop()
                found = None
            if found is None:
                found = Zygote(folder, self._environment, seen)
                for line in found.failed:
                    log.warning("not imported beforehand: %s", line)
            self._zygotes[folder] = found
            while len(self._zygotes) > KEPT:
                self._zygotes.pop(next(iter(self._zygotes))).stop()
            return found

    def fork(self, folder: Path | None, request: Mapping[str, Any]) -> Process:
        """A process of the folder's zygote. Raises WarmError, OSError."""
        return self.zygote(folder).fork(request)

    def submit(self, binding: str, *, ids: Sequence[str] = (), home: Path) -> Process:
        """Run a binding once in a process of its own, as ``crosswalk run`` does; exit code 0 when it completed."""
        home = home.resolve()
        request = {"kind": "binding", "binding": binding, "ids": list(ids), "cwd": str(home), "env": self._environment}
        return self.fork(home, request)

    def stop(self) -> None:
        """Let all zygotes go; their processes end as they would have."""
        with self._lock:
            for zygote in self._zygotes.values():
                zygote.stop()
            self._zygotes.clear()


def look(folder: Path | None) -> object:
    """What the code looks like that a zygote of this folder imports: two looks are equal while nothing changed.

    Every Python file beneath the folder, the value tables beneath its mappings, the files of Prefect's settings, the
    engine, and what is installed.
    """
    installed = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    seen = [(str(path), *_stamp(path.stat())) for path in installed]
    for place in ("crosswalk", "flows", "tasks", "mappings"):  # as they are installed
        seen += _files(str(Path(__file__).parents[2] / place), CODE, set())
    if folder is not None:
        files = [folder / name for name in SETTINGS] + [_profiles()]
        seen += [(str(file), *_stamp(file.stat())) for file in files if file.is_file()]
        seen += _files(str(folder), CODE, set()) + _files(str(folder / "mappings"), TABLES, set())
    return seen


def _profiles() -> Path:
    """Where Prefect keeps the settings of ``prefect config set``."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    return Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")


def _files(place: str, endings: tuple[str, ...], been: set[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Files beneath a folder in their order; hidden folders and environments are none of the user's."""
    found: list[tuple[str, int, int]] = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith(".") or entry.name in ("__pycache__", "node_modules"):
                continue
            if entry.is_dir():
                about = entry.stat()
                if (about.st_dev, about.st_ino) not in been and not Path(entry.path, "pyvenv.cfg").exists():
                    been.add((about.st_dev, about.st_ino))
                    found += _files(entry.path, endings, been)
            elif entry.name.endswith(endings):
                found.append((entry.path, *_stamp(entry.stat())))
    return found


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size
