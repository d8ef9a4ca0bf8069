"""Connections: pages of sorted listings by key, pages of a record's own lists by place, and their cursors."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from graphql import GraphQLError

from crosswalk.sandbox.shopify.index import Position
from crosswalk.sandbox.shopify.shape import Node

MOST = 250


class Asked:
    """How much of a listing is asked for, and from where. Raises GraphQLError where the vendor refuses."""

    def __init__(self, first: int | None, after: str | None, last: int | None, before: str | None, sort: str) -> None:
        if first is None and last is None:
            raise refused("you must provide one of first or last")
        if first is not None and last is not None:
            raise refused("providing both first and last is not supported")
        self.size = first if first is not None else last or 0
        if self.size < 0:
            raise refused("first and last must not be negative")
        if self.size > MOST:
            raise refused(f"Argument of {self.size} exceeds the maximum page size of {MOST}.", "MAX_PAGE_SIZE_EXCEEDED")
        self.forward = first is not None
        self.sort = sort
        self.after = self._open(after)
        self.before = self._open(before)

    def _open(self, cursor: str | None) -> dict[str, Any] | None:
        if cursor is None:
            return None
        try:
            opened: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(cursor))
        except (ValueError, msgspec.DecodeError):
            raise refused("Invalid cursor for current pagination sort.") from None
        # A cursor is of its sort and its search; with another it would point somewhere else.
        if opened.get("sort") != self.sort:
            raise refused("Invalid cursor for current pagination sort.")
        return opened


def refused(message: str, code: str = "BAD_REQUEST") -> GraphQLError:
    """An argument the vendor does not take."""
    return GraphQLError(message, extensions={"code": code})


def _cursor(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()


def sort_name(*parts: object) -> str:
    """A short name of what a cursor belongs to."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def listing_page(
    positions: Sequence[Position], asked: Asked, reverse: bool, deepest: int, node: Callable[[int], Node | None]
) -> Node:
    """A page of a listing. ``positions`` ascend; ``node`` finds the record, None when it is gone by now."""
    total = len(positions)
    start, end, behind = 0, total, 0
    if asked.after is not None:
        behind = asked.after["n"]
        key = (asked.after["last_value"], asked.after["last_id"])
        start = total - bisect_left(positions, key) if reverse else bisect_right(positions, key)
    if asked.before is not None:
        key = (asked.before["last_value"], asked.before["last_id"])
        end = total - bisect_right(positions, key) if reverse else bisect_left(positions, key)
    # A sorted listing ends after so many objects, whatever there is beyond.
    end = min(end, start + deepest - behind)
    low, high = (start, min(end, start + asked.size)) if asked.forward else (max(start, end - asked.size), end)
    chosen = [positions[total - 1 - at] if reverse else positions[at] for at in range(low, max(low, high))]
    found = [(node(id_), value, id_, behind + at - start + 1) for at, (value, id_) in enumerate(chosen, low)]
    entries = [
        (record, {"last_id": id_, "last_value": value, "n": place, "sort": asked.sort})
        for record, value, id_, place in found
        if record is not None
    ]
    return _connection(entries, more=high < end, earlier=low > 0)


def nested_page(items: Sequence[Node], asked: Asked) -> Node:
    """A page of a list that belongs to a record."""
    start = asked.after["offset"] + 1 if asked.after is not None else 0
    end = asked.before["offset"] if asked.before is not None else len(items)
    low, high = (start, min(end, start + asked.size)) if asked.forward else (max(start, end - asked.size), end)
    entries = [(items[at], {"offset": at, "sort": asked.sort}) for at in range(low, max(low, high))]
    return _connection(entries, more=high < len(items), earlier=low > 0)


def _connection(entries: list[tuple[Node, dict[str, Any]]], *, more: bool, earlier: bool) -> Node:
    return {
        "nodes": [record for record, _ in entries],
        # Made only when asked for.
        "edges": lambda: [{"node": record, "cursor": _cursor(place)} for record, place in entries],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": earlier,
            "startCursor": _cursor(entries[0][1]) if entries else None,
            "endCursor": _cursor(entries[-1][1]) if entries else None,
        },
    }
