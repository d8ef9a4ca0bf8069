"""Serving the receiver with uvicorn, on one socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import uvicorn

from crosswalk.errors import SettingsError
from crosswalk.store.engine import Store
from crosswalk.webhooks.doors import Door
from crosswalk.webhooks.receiver import Receiver
from crosswalk.webhooks.writer import Writer

BACKLOG, KEEP_ALIVE, GRACE = 512, 30, 10
AGAIN = 5.0


def listen(
    doors: Mapping[str, Door], store: Store, host: str, port: int, *, say: Callable[[str], object],
    beside: Sequence[str] | None = None,
) -> int:  # fmt: skip
    """Serve these doors; returns when SIGTERM or SIGINT came and what was handed in is kept. beside: a command to keep
    running meanwhile. Raises SettingsError when the address cannot be taken."""
    sock = _socket(host, port)
    writer = Writer(store).start()
    helper = Beside(beside, say).start() if beside else None
    try:
        say(f"receiving on http://{host}:{sock.getsockname()[1]}: {', '.join(d.path for d in doors.values())}")
        asyncio.run(_serve(Receiver(doors, writer, store.clock), sock))
    finally:
        writer.stop()
        if helper is not None:
            helper.stop()
    return 0


@dataclass
class Beside:
    """Keeps a command running: one that ends by itself is started again after a while, and said so."""

    command: Sequence[str]
    say: Callable[[str], object]
    _ending: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _thread: threading.Thread | None = None

    def start(self) -> Beside:
        self._process = subprocess.Popen(self.command)
        self._thread = threading.Thread(target=self._keep, name="beside", daemon=True)
        self._thread.start()
        return self

    def _keep(self) -> None:
        while self._process is not None:
            code = self._process.wait()
            if self._ending.wait(AGAIN):
                return
            self.say(f"what works the events ended with {code} and is started again")
            self._process = subprocess.Popen(self.command)

    def stop(self) -> None:
        """End it gently, and wait for it."""
        self._ending.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)


async def _serve(app: Receiver, sock: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app, http="h11", ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False,
            proxy_headers=False, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=GRACE, backlog=BACKLOG,
        )
    )  # fmt: skip
    await server.serve([sock])


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise SettingsError(
            f"the receiver cannot listen on {host}:{port}: {error.strerror}",
            next_command="end what listens there, or give another --port",
        ) from error
    return sock
