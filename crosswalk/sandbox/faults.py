"""Faults on demand in front of a practice system, and a count of every request that arrives there.

Put it outermost, directly under the server: it drops TCP connections through the server's own transport.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import socket
import struct
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from crosswalk.clock import Clock

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Kind = Literal["status", "delay", "reset", "truncate", "malformed", "lost_answer"]
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"(?<=/)[A-Za-z]{0,12}-?\d[\w-]*(?=/|$)")
_KEPT = 200_000


@dataclass(frozen=True)
class Rule:
    """When something goes wrong, and how.

    Which requests: method, path and contains (a piece of the body, for GraphQL) must fit; method and path take * and ?.
    When, of those: nth (1 is the first), each (the first time that very request is seen: method, path, query and body),
    rate (this share, by the seed); all of them if none is given; never more than times.

    How: status (answer this status, retry_after in seconds or, with retry_date, as a date; the system never sees the
    request); delay (seconds, then as usual); reset (the connection is reset, the system never sees the request);
    truncate (the system does its work, half the body goes out, then the connection closes); malformed (it does its
    work, a whole answer goes out that is cut-off JSON); lost_answer (it does its work, the connection closes at once).
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    contains: str = ""
    nth: int | None = None
    each: bool = False
    rate: float | None = None
    times: int | None = None
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    retry_after: float | None = None
    retry_date: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no fault is called {self.kind}; there are {', '.join(get_args(Kind))}")

    @classmethod
    def read(cls, values: dict[str, Any]) -> Rule:
        """From plain JSON; ValueError names a setting that does not exist."""
        unknown = values.keys() - {f.name for f in fields(cls)}
        if unknown or "kind" not in values:
            raise ValueError(
                f"a fault has a kind and no setting called {', '.join(sorted(unknown)) or 'anything else'}"
            )
        return cls(**values)


@dataclass
class Arrived:
    """A request as it came in, and what it got. status: what the system answered, None if it never saw the request.

    fault: the kind of fault, or "". delivered: whether a whole, unspoilt answer was sent. key: Idempotency-Key.
    """

    number: int
    at: str
    system: str
    method: str
    path: str
    template: str
    query: str
    key: str | None
    size: int
    status: int | None = None
    fault: str = ""
    delivered: bool = False


class Faults:
    """ASGI middleware. ``rules`` may be replaced at any time; the first that applies wins. Adds Date from the clock."""

    def __init__(self, app: App, clock: Clock, seed: int = 0, system: str = "", rules: Iterable[Rule] = ()) -> None:
        self.app, self.clock, self.seed, self.system = app, clock, seed, system
        self.log: deque[Arrived] = deque(maxlen=_KEPT)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.total = 0
        self.use(rules)

    def use(self, rules: Iterable[Rule]) -> None:
        """Replace the rules; their counting starts anew."""
        self.rules = list(rules)
        self._matched = [0] * len(self.rules)
        self._applied = [0] * len(self.rules)
        self._seen: list[set[bytes]] = [set() for _ in self.rules]

    def add(self, rule: Rule) -> None:
        """One more rule, after the others."""
        self.rules.append(rule)
        self._matched.append(0)
        self._applied.append(0)
        self._seen.append(set())

    def state(self) -> list[dict[str, Any]]:
        """The rules with how often each matched and was applied."""
        return [
            {**asdict(rule), "matched": matched, "applied": applied}
            for rule, matched, applied in zip(self.rules, self._matched, self._applied, strict=True)
        ]

    def forget(self) -> None:
        """Start counting and logging at nothing."""
        self.log.clear()
        self.counts.clear()
        self.total = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, whole = await _read(receive)
        arrived = self._note(scope, body)
        rule = self._choose(arrived, body) if whole else None
        arrived.fault = rule.kind if rule else ""
        if rule and rule.kind == "delay":
            await asyncio.sleep(rule.seconds)
        if rule and rule.kind == "reset":
            await _drop(send, reset=True)
        elif rule and rule.kind == "status":
            await self._refuse(rule, arrived, send)
        else:
            await self._run(scope, _again(body, receive), send, arrived, rule)

    def _note(self, scope: Scope, body: bytes) -> Arrived:
        headers = {name.lower(): value for name, value in scope["headers"]}
        key = headers.get(b"idempotency-key")
        self.total += 1
        path = scope["path"]
        arrived = Arrived(
            self.total,
            self.clock.now().isoformat(),
            self.system,
            scope["method"],
            path,
            template(path),
            scope["query_string"].decode("latin-1"),
            key.decode("latin-1") if key is not None else None,
            len(body),
        )
        self.counts[arrived.method, arrived.template] += 1
        self.log.append(arrived)
        return arrived

    def _choose(self, arrived: Arrived, body: bytes) -> Rule | None:
        chosen: Rule | None = None
        for index, rule in enumerate(self.rules):
            fits = fnmatchcase(arrived.method, rule.method) and fnmatchcase(arrived.path, rule.path)
            if not fits or (rule.contains and rule.contains.encode() not in body):
                continue
            self._matched[index] += 1
            if chosen is None and self._due(index, rule, arrived, body):
                self._applied[index] += 1
                chosen = rule
        return chosen

    def _due(self, index: int, rule: Rule, arrived: Arrived, body: bytes) -> bool:
        if rule.times is not None and self._applied[index] >= rule.times:
            return False
        if rule.nth is not None:
            return self._matched[index] == rule.nth
        if rule.each:
            text = f"{arrived.method} {arrived.path}?{arrived.query}\n".encode()
            digest = hashlib.sha256(text + body).digest()
            first = digest not in self._seen[index]
            self._seen[index].add(digest)
            return first
        if rule.rate is not None:
            return random.Random(f"{self.seed}:{self.system}:{index}:{self._matched[index]}").random() < rule.rate
        return True

    def _date(self) -> bytes:
        return format_datetime(self.clock.now().replace(microsecond=0), usegmt=True).encode()

    async def _refuse(self, rule: Rule, arrived: Arrived, send: Send) -> None:
        headers = {"content-type": "text/plain", **{name.lower(): value for name, value in rule.headers.items()}}
        if rule.retry_after is not None:
            until = self.clock.now().replace(microsecond=0) + timedelta(seconds=rule.retry_after)
            dated = format_datetime(until, usegmt=True)
            headers["retry-after"] = dated if rule.retry_date else f"{rule.retry_after:g}"
        body = rule.body.encode()
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw += [(b"content-length", str(len(body)).encode()), (b"date", self._date())]
        arrived.status = rule.status
        await send({"type": "http.response.start", "status": rule.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})
        arrived.delivered = True

    async def _run(self, scope: Scope, receive: Receive, send: Send, arrived: Arrived, rule: Rule | None) -> None:
        """Let the system work, take its answer down whole, then send it, or what the rule leaves of it."""
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        try:
            await self.app(scope, receive, keep)
        except Exception:
            arrived.status = 500
            raise
        arrived.status = start["status"]
        spoilt = rule.kind if rule and rule.kind != "delay" else ""
        if spoilt == "lost_answer" or (spoilt == "truncate" and not body):
            await _drop(send)
            return
        sent = bytes(body[: len(body) // 2]) if spoilt else bytes(body)
        length = len(sent) if spoilt == "malformed" else len(body)
        headers = [(n, v) for n, v in start["headers"] if n.lower() not in (b"content-length", b"date")]
        headers.append((b"date", self._date()))
        if start["status"] not in (204, 304):
            headers.append((b"content-length", str(length).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": sent, "more_body": spoilt == "truncate"})
        if spoilt == "truncate":
            await _drop(send)
        arrived.delivered = not spoilt


def template(path: str) -> str:
    """The path with ids and numbers as ``{id}``: API versions such as ``2.0`` and ``2026-10`` stay."""
    kept = re.sub(r"/(api\.xro/2\.0|admin/api/\d{4}-\d\d)(?=/|$)", lambda m: m.group(0).replace("/", "\0"), path)
    return _NUMBER.sub("{id}", _UUID.sub("{id}", kept)).replace("\0", "/")


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """The request's body, and whether all of it came."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body), False
        body.extend(message.get("body", b""))
        if not message.get("more_body", False):
            return bytes(body), True


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once more, then waits for what comes next."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def _drop(send: Send, *, reset: bool = False) -> None:
    """End the TCP connection: by a reset, or by closing it once what was written is out."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("the answer was lost on purpose")
    if reset:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    # The server notices on the loop's next turn; returning earlier would make it answer 500 on a closed connection.
    for _ in range(200):
        if getattr(cycle, "disconnected", True):
            return
        await asyncio.sleep(0.005)


def default_rules(system: str) -> list[Rule]:
    """A seeded share of everything, and one of each kind early enough that a short run meets it."""
    if system == "xero":
        limits = json.dumps({"Type": None, "Title": "Too Many Requests", "Status": 429})
        return [
            Rule("lost_answer", method="PUT", path="*/Invoices", nth=2),
            Rule("lost_answer", method="PUT", path="*/Payments", nth=3),
            Rule("lost_answer", method="PUT", path="*/Contacts", nth=1),
            Rule("truncate", method="PUT", path="*/Invoices", nth=5),
            Rule("status", method="PUT", nth=7, status=503, body="The Xero API is currently offline for maintenance"),
            Rule("malformed", method="PUT", path="*/CreditNotes", nth=1),
            Rule(
                "status", method="PUT", nth=11, status=429, retry_after=1, body=limits,
                headers={"X-Rate-Limit-Problem": "minute"},
            ),
            Rule("reset", method="PUT", nth=14),
            Rule("status", path="/api.xro/*", rate=0.02, status=500, body="An internal error occurred"),
            Rule("lost_answer", method="PUT", path="/api.xro/*", rate=0.03),
        ]  # fmt: skip
    if system == "shopify":
        return [
            Rule("truncate", path="*/graphql.json", nth=2),
            Rule("status", path="*/graphql.json", nth=4, status=429, retry_after=1, retry_date=True),
            Rule("malformed", path="*/graphql.json", nth=6),
            Rule("reset", path="*/graphql.json", nth=8),
            Rule("status", path="*/graphql.json", rate=0.03, status=502, body="<html>Bad gateway</html>"),
            Rule("delay", path="*/graphql.json", rate=0.05, seconds=0.3),
        ]
    return [Rule("status", path="/services/*", nth=1, status=429, retry_after=1)] if system == "sink" else []
