"""GraphQL over HTTP in general: documents made from a record's schema, errors that arrive with 200, prices of queries.

A record's wire paths are the selection: ``lineItems.nodes`` is a connection that is paged, a list with ``whole_below``
is asked for with that limit, every other list comes whole. So a field is declared once, in the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from crosswalk.errors import AccessDenied, BrokenPage, Incomplete, Invalid, Refused, ServerFault, Throttled, VendorError
from crosswalk.http.answer import Answer
from crosswalk.http.protocols import Told
from crosswalk.schemas.base import Field, Lines

PAGE_INFO = "pageInfo { hasNextPage endCursor }"
MORE = re.compile(rb'"hasNextPage"\s*:\s*true')


class _Envelope(msgspec.Struct):
    """What stands beside the data."""

    errors: Any = None
    extensions: Any = None


_envelope = msgspec.json.Decoder(_Envelope)


def envelope(body: bytes) -> tuple[Any, dict[str, Any]]:
    """The errors and the extensions of an answer; (None, {}) of what is no GraphQL answer."""
    try:
        found = _envelope.decode(body)
        errors, extensions = found.errors, found.extensions
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            loose = json.loads(body.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            return None, {}
        if not isinstance(loose, dict):
            return None, {}
        errors, extensions = loose.get("errors"), loose.get("extensions")
    return errors, extensions if isinstance(extensions, dict) else {}


@dataclass(frozen=True, slots=True)
class Cost:
    """Points. requested: taken when the query starts; actual: what it came to; None while throttled."""

    requested: float
    actual: float | None
    available: float
    maximum: float
    restore: float

    @property
    def wait(self) -> float:
        """Seconds until the bucket holds what was requested."""
        return max(0.0, (self.requested - self.available) / self.restore) if self.restore > 0 else 1.0


def cost(extensions: Mapping[str, Any]) -> Cost | None:
    """The price of a query, as ``extensions.cost`` tells it."""
    told = extensions.get("cost")
    if not isinstance(told, dict) or not isinstance(told.get("throttleStatus"), dict):
        return None
    status, actual = told["throttleStatus"], told.get("actualQueryCost")
    try:
        return Cost(
            requested=float(told.get("requestedQueryCost") or 0),
            actual=None if actual is None else float(actual),
            available=float(status["currentlyAvailable"]),
            maximum=float(status["maximumAvailable"]),
            restore=float(status["restoreRate"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def tell(answer: Answer) -> Told | None:
    """What an answer says about the bucket."""
    _, extensions = envelope(answer.body)
    found = cost(extensions)
    if found is None:
        return None
    return Told(
        wait=None if found.actual is not None else found.wait,
        available=found.available,
        maximum=found.maximum,
        restore=found.restore,
        spent=0.0 if found.actual is None else found.actual,
    )


def failure(system: str, answer: Answer) -> VendorError | None:
    """The error of an answer with status 200, also when data came with it: half an answer is none."""
    if b'"errors"' not in answer.body:
        return None
    errors, extensions = envelope(answer.body)
    if not errors:
        return None
    listed = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    said = "; ".join(_said(e) for e in listed[:3]) or str(errors)[:300]
    if len(listed) > 3:
        said += f" and {len(listed) - 3} more"
    codes = [str((e.get("extensions") or {}).get("code", "")) for e in listed]
    code = next((c for c in _GRAVEST if c in codes), codes[0] if codes else "")
    text = answer.text()
    if code == "THROTTLED":
        price = cost(extensions)
        if price is not None and price.requested > price.maximum > 0:
            return Invalid(f"{system}: the query asks for more points than the bucket holds", code="MAX_COST_EXCEEDED")
        return Throttled(f"{system}: {said}", wait=price.wait if price else 1.0, status=200, code=code, body=text)
    if code == "ACCESS_DENIED":
        needs = {str((e.get("extensions") or {}).get("requiredAccess", "")) for e in listed} - {""}
        wanted = f"; needed: {'; '.join(sorted(needs))}" if needs else ""
        return AccessDenied(f"{system} withholds what was asked for: {said}{wanted}", status=200, code=code, body=text)
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
        return ServerFault(f"{system}: {said}", status=200, code=code, body=text)
    if code == "SHOP_INACTIVE":
        return Refused(f"{system}: {said}", status=200, code=code, body=text)
    return Invalid(f"{system} does not accept the query: {said}", status=200, code=code, body=text)


_GRAVEST = ("THROTTLED", "MAX_COST_EXCEEDED", "ACCESS_DENIED", "SHOP_INACTIVE", "INTERNAL_SERVER_ERROR", "TIMEOUT")


def _said(error: Mapping[str, Any]) -> str:
    path = ".".join(str(step) for step in error.get("path") or ())
    return f"{error.get('message', 'an error without a message')}" + (f" (at {path})" if path else "")


def warnings(extensions: Mapping[str, Any]) -> list[str]:
    """What the vendor did not understand of a search: it has left that out and answered all the same."""
    found = []
    for search in extensions.get("search") or ():
        for warning in search.get("warnings") or () if isinstance(search, dict) else ():
            found.append(f"{warning.get('field', '?')}: {warning.get('message', warning.get('code', '?'))}")
    return found


# ---- documents


class _Tree(dict[str, "_Tree"]):
    """A selection: names and what is selected of them."""

    arguments: str = ""


def selection(fields: tuple[Field | Lines, ...], sizes: Mapping[str, int], shrink: int = 1, prefix: str = "") -> str:
    """What to select for these fields.

    sizes: page size of every nested connection by its dotted name, such as ``refunds.refundLineItems``; ``shrink``
    divides them where a query is too dear.
    """
    tree = _Tree()
    for f in fields:
        _plant(tree, f, sizes, shrink, prefix)
    return _printed(tree)


def _plant(tree: _Tree, f: Field | Lines, sizes: Mapping[str, int], shrink: int, prefix: str) -> None:
    steps = f.at.split(".")
    if isinstance(f, Field):
        for step in steps:
            tree = tree.setdefault(step, _Tree())
        return
    name = prefix + f.name
    inner = selection(f.fields, sizes, shrink, name + ".")
    for step in steps[:-1] if steps[-1] == "nodes" else steps:
        tree = tree.setdefault(step, _Tree())
    if steps[-1] == "nodes":
        tree.arguments = f"(first: {max(1, sizes[name] // shrink)})"
        tree[PAGE_INFO] = _Tree()
        tree[f"nodes {{ {inner} }}"] = _Tree()
    else:
        tree.arguments = f"(first: {f.whole_below})" if f.whole_below else ""
        tree[inner] = _Tree()


def _printed(tree: _Tree) -> str:
    return " ".join(
        f"{name}{below.arguments} {{ {_printed(below)} }}" if below else name for name, below in tree.items()
    )


def onward(info: Any, followed: set[str | None], name: str) -> str | None:
    """The cursor to a listing's next page, None at its end. followed: those that were used, and from now on this one.

    Raises BrokenPage when the answer does not say whether there is more, which would pass for the end; Incomplete when
    a cursor leads back.
    """
    more = info.get("hasNextPage") if isinstance(info, dict) else None
    if not isinstance(more, bool):
        raise BrokenPage(f"{name} do not say whether they go on", safe="nothing of this page was used")
    if not more:
        return None
    cursor = info.get("endCursor")
    if not cursor or cursor in followed:
        raise Incomplete(
            f"{name} say that there is a next page and give no new cursor to it",
            safe="nothing of this page was used; the next run reads again from the last whole chunk",
            next_command="run again; ask the vendor when it stays",
        )
    followed.add(str(cursor))
    return str(cursor)


# ---- nested connections


@dataclass(frozen=True, slots=True)
class Cut:
    """A nested connection of one record that goes on: the object it belongs to, its name, its place in the record."""

    owner: dict[str, Any]
    owner_path: tuple[str, ...]
    name: str
    lines: Lines

    @property
    def connection(self) -> dict[str, Any]:
        found: dict[str, Any] = self.owner[self.name]
        return found


def cut_off(value: Any, fields: tuple[Field | Lines, ...], path: tuple[str, ...] = ()) -> Iterator[Cut]:
    """Every nested connection of a record that has a next page, those inside lists included."""
    if not isinstance(value, dict):
        return
    for f in fields:
        if not isinstance(f, Lines):
            continue
        name, _, nodes = f.at.partition(".")
        held = value.get(name)
        if nodes == "nodes" and isinstance(held, dict):
            if (held.get("pageInfo") or {}).get("hasNextPage") is True:
                yield Cut(value, path, name, f)
            held = held.get("nodes")
        for element in held if isinstance(held, list) else ():
            yield from cut_off(element, f.fields, (*path, f.name))


def loads(raw: bytes) -> Any:
    """A record that is going to be put together again: decimals exact."""
    return json.loads(raw, parse_float=Decimal)
