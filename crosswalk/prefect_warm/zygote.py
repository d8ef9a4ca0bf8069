"""The process that imports once and forks: ``python -m crosswalk.prefect_warm.zygote SOCKET FOLDER``.

It stays what can be forked safely: one thread, no connection, no event loop. It reads requests, one JSON object a line,
and says when a process started and how it ended. When nobody listens any more it waits for the processes that still
run and ends; they end as they would have.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from crosswalk.prefect_warm import child, preload

READ = 1 << 16


class Zygote:
    """Forks a process for each request that arrives on ``line``."""

    def __init__(self, line: socket.socket) -> None:
        self._line: socket.socket | None = line
        self._rest = b""
        self._running: dict[int, str] = {}  # process → request
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)

    def serve(self, about: dict[str, Any]) -> None:
        """Say ``about``, then fork until the line closes and the last process has ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._say(about)
        self._selector.register(self._wake, selectors.EVENT_READ)
        if self._line is not None:
            self._selector.register(self._line, selectors.EVENT_READ)
        while self._line is not None or self._running:
            for key, _ in self._selector.select():
                if key.fileobj == self._wake:
                    self._reap()
                else:
                    self._listen()

    def _listen(self) -> None:
        assert self._line is not None
        try:
            received = self._line.recv(READ)
        except ConnectionError:
            received = b""
        if not received:
            self._selector.unregister(self._line)
            self._line.close()
            self._line = None
            return
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            self._fork(json.loads(line))

    def _fork(self, request: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._say({"id": request["id"], "error": f"no process could be forked: {error}"})
            return
        if pid == 0:
            self._forget()
            child.live(request)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here as well as there, so that the group exists before anybody is told of it
        self._running[pid] = request["id"]
        self._say({"id": request["id"], "pid": pid})

    def _forget(self) -> None:
        """In the child: a group of its own, and nothing left of the zygote but what it imported."""
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        for end in (self._wake, self._woken):
            os.close(end)
        if self._line is not None:
            self._line.close()

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, READ)
        while self._running:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # what a run started ends with it
            self._say({"id": self._running.pop(pid), "code": os.waitstatus_to_exitcode(status)})

    def _say(self, what: dict[str, Any]) -> None:
        if self._line is not None:
            with contextlib.suppress(ConnectionError):
                self._line.sendall(json.dumps(what).encode() + b"\n")


def main(arguments: list[str]) -> None:
    """Import, then serve on the inherited socket. FOLDER: the user's, or empty for the libraries alone."""
    line = socket.socket(fileno=int(arguments[0]))
    line.set_inheritable(False)
    failed = preload.libraries()
    if arguments[1]:
        failed += preload.flows(Path(arguments[1]))
    sys.modules.pop("prefect.engine", None)  # every child runs it as its program
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page of what it shares
    Zygote(line).serve({"ready": True, "failed": failed, "threads": _threads()})


def _threads() -> int:
    """How many there are, those of C libraries included where the system tells."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()


if __name__ == "__main__":
    main(sys.argv[1:])
