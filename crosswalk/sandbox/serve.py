"""``python -m crosswalk.sandbox.serve``: every practice system and the message sink in one process, on loopback.

Prints one line of JSON on standard output when all of them answer: addresses, credentials, settings, pid. Ends on
SIGTERM and SIGINT, and with ``--die-with-parent`` when the process that started it is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from crosswalk.clock import Clock, SharedClock, SystemClock
from crosswalk.sandbox import control_api
from crosswalk.sandbox.faults import Rule
from crosswalk.sandbox.practice import SYSTEMS, Practice, Settings

_PARENT_CHECK = 0.5


class _Server(uvicorn.Server):
    """Leaves signals to us: there are several in one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve until told to stop."""
    options = _parser().parse_args(arguments)
    clock: Clock = SharedClock(options.clock) if options.clock else SystemClock()
    cases = tuple(options.cases.split(",")) if options.cases else None
    settings = Settings(options.seed, options.orders, cases, options.minute, options.faults == "default")
    practice = Practice(clock, settings)
    if options.faults not in ("none", "default"):
        for system, rules in json.loads(Path(options.faults).read_text(encoding="utf-8")).items():
            practice.use_faults(system, [Rule.read(rule) for rule in rules])
    asyncio.run(serve(practice, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crosswalk.sandbox.serve", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the practice business and all chance come from it")
    parser.add_argument("--orders", type=int, default=1000, help="how many; 0 is an empty shop")
    parser.add_argument("--cases", default="", help="only these named cases, with commas; the rest is ordinary")
    parser.add_argument("--minute", type=float, default=60.0, help="seconds that the vendors' minute lasts")
    parser.add_argument("--faults", default="none", help="none, default, or a JSON file: system to list of rules")
    parser.add_argument("--clock", type=Path, help="a shared clock's file; without it the machine's clock")
    parser.add_argument("--ready", type=Path, help="also write the line of JSON to this file, whole or not at all")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent process is gone")
    for name in (*SYSTEMS, "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 takes a free one")
    return parser


async def serve(practice: Practice, options: argparse.Namespace) -> None:
    """Serve all applications, say so, and stop gracefully."""
    parent = os.getppid()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sockets = {name: _listen(getattr(options, f"{name}_port")) for name in (*SYSTEMS, "control")}
    addresses = {name: f"http://127.0.0.1:{sock.getsockname()[1]}" for name, sock in sockets.items()}
    about: dict[str, Any] = {"pid": os.getpid(), "addresses": addresses}
    apps: dict[str, Any] = {**practice.fronts, "control": control_api.create(practice, lambda: about)}
    servers = {name: _Server(_config(app)) for name, app in apps.items()}
    running = [asyncio.create_task(server.serve([sockets[name]])) for name, server in servers.items()]
    while not all(server.started for server in servers.values()):
        await asyncio.sleep(0.005)
    _tell({**about, "credentials": practice.connect(), "seed": options.seed, "minute": options.minute}, options.ready)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PARENT_CHECK)
        if options.die_with_parent and os.getppid() != parent:
            stop.set()
    for server in servers.values():
        server.should_exit = True
    await asyncio.gather(*running)


@contextlib.contextmanager
def in_thread(app: Any) -> Generator[str, None, None]:
    """Serve one application from a thread of this process, as the practice systems are served; gives its address."""
    server, sock = _Server(_config(app)), _listen(0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def _config(app: Any) -> uvicorn.Config:
    """The plainest server there is: its own Date header off, since the clock's stands there already."""
    return uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", access_log=False, log_level="error", date_header=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=1, timeout_keep_alive=75,
    )  # fmt: skip


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _tell(ready: dict[str, Any], file: Path | None) -> None:
    line = json.dumps(ready)
    if file is not None:
        half = file.with_name(file.name + ".part")
        half.write_text(line + "\n", encoding="utf-8")
        half.replace(file)
    print(line, flush=True)  # the one line that a starter waits for


if __name__ == "__main__":
    main(sys.argv[1:])
