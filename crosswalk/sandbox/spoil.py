"""Breaks chosen records on their way out of the practice shop, past its schema: what a vendor's bad day looks like.

The shop itself stays whole; only the JSON that leaves it is changed, wherever the record stands in the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from crosswalk.sandbox.faults import App, Message, Receive, Scope, Send

Node = dict[str, Any]


def _first_line(change: dict[str, Any]) -> Callable[[Node], None]:
    def apply(node: Node) -> None:
        for line in _rows(node.get("lineItems"))[:1]:
            line.update({name: value for name, value in change.items() if name in line})

    return apply


def _set(**change: Any) -> Callable[[Node], None]:
    def apply(node: Node) -> None:
        node.update({name: value for name, value in change.items() if name in node})

    return apply


def _bad_money(node: Node) -> None:
    if "totalPriceSet" in node:
        node["totalPriceSet"]["shopMoney"]["amount"] = "12,50"


def _number_as_id(node: Node) -> None:
    if "legacyResourceId" in node:
        node["legacyResourceId"] = int(node["legacyResourceId"])


def _null_line(node: Node) -> None:
    lines = node.get("lineItems") or {}
    if lines.get("nodes"):
        lines["nodes"][0] = None
    if lines.get("edges"):
        lines["edges"][0]["node"] = None


# "bad_null" is not among them: the record itself is replaced.
SPOILS: dict[str, Callable[[Node], None]] = {
    "bad_no_date": _set(processedAt=None),
    "bad_date": _set(processedAt="yesterday"),
    "bad_money": _bad_money,
    "bad_money_null": _set(totalPriceSet=None),
    "bad_quantity_text": _first_line({"quantity": "two"}),
    "bad_quantity_negative": _first_line({"quantity": -1, "currentQuantity": -1}),
    "bad_id_number": _number_as_id,
    "bad_line_null": _null_line,
    "bad_surrogate": _set(name="#\ud83d"),
    "number_as_name": _set(displayName=12),
}


class Spoil:
    """ASGI middleware. ``rows``: gid → kind of damage."""

    def __init__(self, app: App, rows: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.rows: dict[str, str] = dict(rows or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.rows:
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self.app(scope, receive, keep)
        answer = self.spoil(bytes(body))
        headers = [(n, v) for n, v in start["headers"] if n.lower() != b"content-length"]
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def spoil(self, body: bytes) -> bytes:
        """The answer with every chosen record in it broken."""
        if not any(row.encode() in body for row in self.rows):
            return body
        return json.dumps(self._walk(json.loads(body)), separators=(",", ":")).encode()

    def _walk(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        node = {name: self._walk(item) for name, item in value.items()}
        kind = self.rows.get(str(node.get("id")))
        # A mere reference ({"id": …}) is left alone.
        if kind is None or len(node) == 1:
            return node
        if kind == "bad_null":
            return None
        SPOILS[kind](node)
        return node


def _rows(connection: Any) -> list[Node]:
    if not isinstance(connection, dict):
        return []
    nodes = connection.get("nodes") or [edge["node"] for edge in connection.get("edges") or []]
    return [node for node in nodes if node]
