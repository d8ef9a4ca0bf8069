"""A server of bare sockets that answers, stalls, cuts and resets as a test says; it notes what arrives and when."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from crosswalk.clock import Clock, SharedClock
from crosswalk.http.auth import Auth
from crosswalk.http.client import Client
from crosswalk.http.limits import NoLimit
from crosswalk.http.protocols import Account


@dataclass(frozen=True)
class Arrived:
    """A request as the server saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True)
class Reply:
    """What the server does. cut: bytes of the whole answer after which it closes. reset: RST instead of an answer.

    silent: reads and never answers. date: seconds that the vendor's clock is ahead.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    silent: bool = False
    date: float = 0.0


def reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    named = {name.replace("_", "-"): content for name, content in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class Server:
    """Listens on a free loopback port until it is closed."""

    def __init__(self, behave: Callable[[Arrived], Reply], clock: Clock) -> None:
        self._behave, self._clock = behave, clock
        self.arrived: list[Arrived] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._over = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            while (request := self._read(reader)) is not None:
                self.arrived.append(request)
                if not self._answer(connection, self._behave(request)):
                    return

    def _read(self, reader: Any) -> Arrived | None:
        try:
            line = reader.readline().decode()
            if not line:
                return None
            method, path, _ = line.split(" ", 2)
            headers = {}
            while (line := reader.readline().decode().rstrip("\r\n")) != "":
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            body = reader.read(int(headers.get("content-length", "0")))
        except (OSError, ValueError):
            return None
        return Arrived(method, path, headers, body, self._clock.now())

    def _answer(self, connection: socket.socket, what: Reply) -> bool:
        if what.silent:
            self._over.wait(30)
            return False
        if what.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        now = self._clock.now().timestamp() + what.date
        headers = {
            "Date": format_datetime(datetime.fromtimestamp(int(now), self._clock.now().tzinfo), usegmt=True),
            "Content-Length": str(len(what.body)),
            **what.headers,
        }
        head = f"HTTP/1.1 {what.status} x\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = head.encode() + b"\r\n" + what.body
        connection.sendall(whole if what.cut is None else whole[: what.cut])
        return what.cut is None


class Memory:
    """A journal in memory, for counting."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.ended: dict[int, Any] = {}

    def open(self, sent: Any) -> int:
        self.sent.append(sent)
        return len(self.sent) - 1

    def close(self, entry: int, ended: Any) -> None:
        self.ended[entry] = ended


def client(url: str, clock: Clock, *, auth: Auth | None = None, **other: Any) -> Client:
    """A client without limits whose journal is in memory, unless told otherwise."""
    settings = {"limiter": NoLimit(), "account": Account("test"), "journal": Memory(), "timeout": 0.5, **other}
    return Client(connection="test", base_url=url, auth=auth, clock=clock, **settings)


class InTurn:
    """Gives these replies in turn, the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)

    def __call__(self, _: Arrived) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


__all__ = ["Arrived", "InTurn", "Memory", "Reply", "Server", "SharedClock", "client", "reply"]
