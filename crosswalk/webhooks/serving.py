"""Serving the receiver with uvicorn, on one socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence

import uvicorn

from crosswalk.errors import SettingsError
from crosswalk.store.engine import Store
from crosswalk.webhooks.doors import Door
from crosswalk.webhooks.receiver import Receiver
from crosswalk.webhooks.writer import Writer

BACKLOG, KEEP_ALIVE, GRACE = 512, 30, 10


def listen(
    doors: Mapping[str, Door], store: Store, host: str, port: int, *, say: Callable[[str], object],
    beside: Sequence[str] | None = None,
) -> int:  # fmt: skip
    """Serve these doors; returns when SIGTERM or SIGINT came and what was handed in is kept. beside: a command to keep
    running meanwhile. Raises SettingsError when the address cannot be taken."""
    sock = _socket(host, port)
    writer = Writer(store).start()
    helper = subprocess.Popen(beside) if beside else None
    try:
        say(f"receiving on http://{host}:{sock.getsockname()[1]}: {', '.join(d.path for d in doors.values())}")
        asyncio.run(_serve(Receiver(doors, writer, store.clock), sock))
    finally:
        writer.stop()
        if helper is not None and helper.poll() is None:
            helper.send_signal(signal.SIGTERM)
            helper.wait(30)
    return 0


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
