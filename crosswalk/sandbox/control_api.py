"""The control API of the practice systems: what a demo or a test turns and reads, on a port of its own.

Everything is JSON below ``/_control``; `crosswalk.sandbox.control` is its client and says what each call does. Amounts
and days are text in answers. A mistake in a request is 400 with ``{"error": …}``.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from json import dumps, loads
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crosswalk.clock import SharedClock
from crosswalk.sandbox.faults import Faults, Rule, default_rules
from crosswalk.sandbox.practice import Practice

Body = dict[str, Any]
Act = Callable[[Body, dict[str, str]], Any]


def create(practice: Practice, about: Callable[[], Body]) -> Starlette:
    """The ASGI application. ``about`` gives addresses and the like for ``GET /_control/``."""
    acts = _Acts(practice, about)
    table: list[tuple[str, str, Act]] = [
        ("GET", "/", acts.about),
        ("GET", "/clock", acts.clock),
        ("POST", "/clock", acts.move),
        ("GET", "/faults/{system}", acts.faults),
        ("PUT", "/faults/{system}", acts.use_faults),
        ("POST", "/faults/{system}", acts.add_fault),
        ("GET", "/counts", acts.counts),
        ("GET", "/requests/{system}", acts.requests),
        ("DELETE", "/requests", acts.forget),
        ("GET", "/effects", acts.effects),
        ("GET", "/expected", acts.expected),
        ("GET", "/verdict", acts.verdict),
        ("POST", "/connect", acts.connect),
        ("POST", "/changes", acts.changes),
        ("GET", "/nodes/{collection}", acts.ids),
        ("GET", "/node", acts.node),
        ("PUT", "/node", acts.put),
        ("PATCH", "/node", acts.edit),
        ("DELETE", "/node", acts.delete),
        ("POST", "/call", acts.call),
        ("PUT", "/setting", acts.set),
        ("GET", "/messages", acts.messages),
        ("DELETE", "/messages", acts.clear_messages),
        ("POST", "/snapshots/{name}", acts.snapshot),
        ("POST", "/restore/{name}", acts.restore),
        ("POST", "/reset", acts.reset),
    ]
    return Starlette(routes=[Route("/_control" + path, _endpoint(act), methods=[verb]) for verb, path, act in table])


def _endpoint(act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = loads(raw) if raw else {}
            answer = act(body, {**request.query_params, **request.path_params})
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as problem:
            return _answer({"error": f"{type(problem).__name__}: {problem}"}, 400)
        return _answer(answer, 200)

    return endpoint


def _answer(value: Any, status: int) -> Response:
    return Response(dumps(value, default=_plain), status, media_type="application/json")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class _Acts:
    """One method for each call: (body, parameters) → answer."""

    def __init__(self, practice: Practice, about: Callable[[], Body]) -> None:
        self.practice, self._about = practice, about

    def about(self, body: Body, at: dict[str, str]) -> Any:
        business = self.practice.business
        return {
            **self._about(), "settings": self.practice.settings, "now": self.practice.clock.now(),
            "orders": len(business.sales), "lines": sum(len(s.lines) for s in business.sales),
            "customers": len(business.people),
        }  # fmt: skip

    def clock(self, body: Body, at: dict[str, str]) -> Any:
        return {"now": self.practice.clock.now()}

    def move(self, body: Body, at: dict[str, str]) -> Any:
        clock = self.practice.clock
        if not isinstance(clock, SharedClock):
            raise ValueError("the practice systems run by the machine's clock; start them with --clock FILE to move it")
        seconds = body["advance"] if "advance" in body else _seconds_to(clock, body["now"])
        clock.advance(float(seconds))
        return {"now": clock.now()}

    def _front(self, at: dict[str, str]) -> Faults:
        return self.practice.fronts[at["system"]]

    def faults(self, body: Body, at: dict[str, str]) -> Any:
        return self._front(at).state()

    def use_faults(self, body: Body, at: dict[str, str]) -> Any:
        rules = default_rules(at["system"]) if body.get("default") else [Rule.read(r) for r in body.get("rules", [])]
        self._front(at).use(rules)
        return self._front(at).state()

    def add_fault(self, body: Body, at: dict[str, str]) -> Any:
        self._front(at).add(Rule.read(body))
        return self._front(at).state()

    def counts(self, body: Body, at: dict[str, str]) -> Any:
        return {
            name: {"total": front.total, "paths": {f"{m} {p}": n for (m, p), n in sorted(front.counts.items())}}
            for name, front in self.practice.fronts.items()
        }

    def requests(self, body: Body, at: dict[str, str]) -> Any:
        since = int(at.get("since", 0))
        return [asdict(arrived) for arrived in self._front(at).log if arrived.number > since]

    def forget(self, body: Body, at: dict[str, str]) -> Any:
        for front in self.practice.fronts.values():
            front.forget()
        return {}

    def effects(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.org.effects()

    def expected(self, body: Body, at: dict[str, str]) -> Any:
        expected = self.practice.expected()
        kinds = ("contacts", "invoices", "credit_notes", "payments", "refund_payments", "allocations")
        return {
            "counts": {name: len(getattr(expected, name)) for name in kinds}, "totals": expected.totals(),
            "held": expected.held, "waits": expected.waits, "skipped": expected.skipped, "database": expected.database,
        }  # fmt: skip

    def verdict(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.verdict(at["prefix"])

    def connect(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.connect()

    def changes(self, body: Body, at: dict[str, str]) -> Any:
        instant = datetime.fromisoformat(body["at"]) if body.get("at") else None
        made = self.practice.change(
            float(body.get("share", 0.01)), int(body.get("seed", 1)), instant, body.get("kinds") or ()
        )
        return [
            {"case": c.case, "at": c.at, "order": str(c.sale.id) if c.sale else None, "name": c.sale and c.sale.name,
             "customer": str(c.person.id) if c.person else None}
            for c in made
        ]  # fmt: skip

    def ids(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.shop.ids(at["collection"])

    def node(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.shop.get(at["collection"], at["id"])

    def put(self, body: Body, at: dict[str, str]) -> Any:
        return {"id": self.practice.shop.put(at["collection"], body)}

    def edit(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.shop.edit(at["collection"], at["id"], body)

    def delete(self, body: Body, at: dict[str, str]) -> Any:
        self.practice.shop.delete(at["collection"], at["id"])
        return {}

    def call(self, body: Body, at: dict[str, str]) -> Any:
        owner, _, name = str(body["name"]).rpartition(".")
        if not owner or name.startswith("_"):
            raise KeyError(body["name"])
        return getattr(self.practice.part(owner), name)(*body.get("args", []), **body.get("kwargs", {}))

    def set(self, body: Body, at: dict[str, str]) -> Any:
        owner, _, name = str(body["name"]).rpartition(".")
        part = self.practice.part(owner)
        if name.startswith("_") or not hasattr(part, name):
            raise KeyError(body["name"])
        setattr(part, name, body["value"])
        return {"name": body["name"], "value": getattr(part, name)}

    def messages(self, body: Body, at: dict[str, str]) -> Any:
        return self.practice.sink.plain()

    def clear_messages(self, body: Body, at: dict[str, str]) -> Any:
        self.practice.sink.clear()
        return {}

    def snapshot(self, body: Body, at: dict[str, str]) -> Any:
        self.practice.snapshot(at["name"])
        return {}

    def restore(self, body: Body, at: dict[str, str]) -> Any:
        self.practice.restore(at["name"])
        return {}

    def reset(self, body: Body, at: dict[str, str]) -> Any:
        if body.get("cases") is not None:
            body["cases"] = tuple(body["cases"])
        self.practice.reset(**body)
        return self.about({}, {}) | {"credentials": self.practice.connect()}


def _seconds_to(clock: SharedClock, now: str) -> float:
    return (datetime.fromisoformat(now) - clock.now()).total_seconds()
