"""The receiver, an ASGI application: one route for each connection. Verify, keep, answer; nothing else.

POST /hooks/CONNECTION              a vendor's delivery, or an event of an own application
GET  /hooks/CONNECTION/events/ID    what became of an own application's event
GET  /health, /openapi.json
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from crosswalk.clock import Clock
from crosswalk.errors import CrosswalkError
from crosswalk.store import inbox_look
from crosswalk.store.inbox import Arrival, Kept
from crosswalk.webhooks import deliveries
from crosswalk.webhooks.deliveries import Refused
from crosswalk.webhooks.doors import Door
from crosswalk.webhooks.writer import Writer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 10.0
HEARD_OUT = 8_000_000
"""Bytes up to which a body that is too large is read and thrown away: whoever is cut off hears no answer."""
READING = 4
ID = re.compile(r"[0-9a-f]{32}")
RETRY = (b"retry-after", b"5")


@dataclass(frozen=True)
class _Answer:
    status: int
    body: Any = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _TooLarge(Exception):
    """The body is larger than this door takes."""


class _Gone(Exception):
    """The sender hung up."""


@dataclass
class Receiver:
    """The application. doors: by connection name."""

    doors: Mapping[str, Door]
    writer: Writer
    clock: Clock
    _looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READING))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        try:
            answer = await self._answer(scope, receive)
        except _Gone:
            return
        await _send(answer, send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        path, method = scope["path"], scope["method"]
        if path in ("/health", "/openapi.json"):
            return _only(method, "GET", "HEAD") or await self._about(path)
        door, rest = self._door(path)
        if door is None:
            return _Answer(404, {"error": "there is no such route"})
        if rest == "":
            return _only(method, "POST") or await self._post(door, scope, receive)
        return _only(method, "GET", "HEAD") or await self._fate(door, rest)

    def _door(self, path: str) -> tuple[Door | None, str]:
        head, _, rest = path.removeprefix("/hooks/").partition("/")
        door = self.doors.get(head) if path.startswith("/hooks/") else None
        if door is None or rest == "":
            return (door if door is None or path == door.path else None), ""
        events, _, id = rest.partition("/")
        return (door, id) if door.own and events == "events" and ID.fullmatch(id) else (None, "")

    async def _about(self, path: str) -> _Answer:
        if path == "/health":
            return _Answer(200, {"doors": sorted(self.doors), "waiting": self.writer.waiting})
        from crosswalk.webhooks.openapi import document

        return _Answer(200, document(self.doors.values()))

    async def _post(self, door: Door, scope: Scope, receive: Receive) -> _Answer:
        headers = {name.lower(): value for name, value in scope["headers"]}
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(headers, receive, door.max_bytes)
        except _TooLarge:
            return self._refused(door, Refused(413, "too large", f"more than {door.max_bytes} bytes"))
        except TimeoutError:
            return self._refused(door, Refused(408, "too slow", f"the body took more than {BODY_SECONDS:g} s"))
        read = deliveries.read(door, headers, body, self.clock.now())
        if isinstance(read, Refused):
            return self._refused(door, read)
        kept = await self._keep(read)
        if not isinstance(kept, list):
            # Not acknowledged: whoever sent it sends it again.
            return _Answer(503, {"error": "it could not be kept; send it again"}, (RETRY,))
        self._counted(door, read, kept)
        if not door.own:
            return _Answer(200)
        id = kept[0].id
        return _Answer(202, {"id": id, "again": kept[0].again, "fate": f"{door.path}/events/{id}"})

    async def _keep(self, arrivals: list[Arrival]) -> list[Kept] | CrosswalkError | None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Kept] | CrosswalkError] = loop.create_future()

        def answer(kept: list[Kept] | CrosswalkError) -> None:
            loop.call_soon_threadsafe(_settle, done, kept)

        if not arrivals:
            return []  # Xero's intent to receive carries no events
        if not self.writer.keep(arrivals, answer):
            return None
        return await done

    def _counted(self, door: Door, read: list[Arrival], kept: list[Kept]) -> None:
        for one, what in zip(read, kept, strict=True):
            kind = "again" if what.again else "kept" if one.record else "unknown"
            self.writer.count(door.account, kind, one.topic)

    def _refused(self, door: Door, refused: Refused) -> _Answer:
        self.writer.count(door.account, refused.kind, refused.reason)
        # A vendor wants an empty body; an application's author wants the reason.
        body = {"error": refused.reason} if door.own else None
        close = ((b"connection", b"close"),) if refused.status in (408, 413) else ()
        return _Answer(refused.status, body, close)

    async def _fate(self, door: Door, id: str) -> _Answer:
        async with self._looking:
            try:
                fate = await asyncio.to_thread(inbox_look.fate, self.writer.store, id, door.account)
            except CrosswalkError:
                return _Answer(503, {"error": "the store cannot be asked now"}, (RETRY,))
        if fate is None:
            return _Answer(404, {"error": "there is no such event"})
        return _Answer(200, fate.public())


def _settle(done: asyncio.Future[list[Kept] | CrosswalkError], kept: list[Kept] | CrosswalkError) -> None:
    if not done.done():
        done.set_result(kept)


def _only(method: str, *allowed: str) -> _Answer | None:
    if method in allowed:
        return None
    return _Answer(405, {"error": f"only {', '.join(allowed)}"}, ((b"allow", ", ".join(allowed).encode()),))


async def _body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:20]) > HEARD_OUT:
        raise _TooLarge
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > HEARD_OUT:
            raise _TooLarge
        if size <= most:
            chunks.append(chunk)
        if not message.get("more_body", False):
            if size > most:
                raise _TooLarge
            return b"".join(chunks)


async def _send(answer: _Answer, send: Send, *, head: bool) -> None:
    body = b"" if answer.body is None else msgspec.json.encode(answer.body)
    headers = [(b"content-length", str(len(body)).encode()), *answer.headers]
    if body:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
