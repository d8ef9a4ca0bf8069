"""The vendor's search syntax: ``updated_at:>='2026-11-23T08:00:00Z' -tag:test (status:open OR status:closed)``.

A filter that is not known is reported as a warning and left out: the answer is then the whole list.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Matches = Callable[[Row], bool]

ORDERS = {
    "created_at": "time",
    "updated_at": "time",
    "processed_at": "time",
    "id": "id",
    "customer_id": "id",
    "name": "name",
    "tag": "set",
    "sku": "set",
    "email": "text",
    "status": "status",
    "financial_status": "text",
    "fulfillment_status": "text",
    "test": "flag",
    "source_name": "text",
    "po_number": "text",
}
# The vendor says of these customers' dates that they match a whole day, and knows no created_at.
CUSTOMERS = {
    "updated_at": "day",
    "customer_date": "day",
    "id": "id",
    "email": "text",
    "phone": "text",
    "first_name": "text",
    "last_name": "text",
    "country": "text",
    "state": "text",
    "tag": "set",
}
PRODUCTS = {
    "created_at": "time",
    "updated_at": "time",
    "id": "id",
    "title": "text",
    "handle": "text",
    "vendor": "text",
    "product_type": "text",
    "status": "text",
    "tag": "set",
    "sku": "set",
}
VARIANTS = {"updated_at": "time", "id": "id", "product_id": "id", "sku": "text", "barcode": "text", "title": "text"}
FILTERS = {"orders": ORDERS, "customers": CUSTOMERS, "products": PRODUCTS, "variants": VARIANTS}


class Query(NamedTuple):
    """matches: the test of a row, None when nothing is asked. warnings, parsed: as in ``extensions.search``."""

    matches: Matches | None
    warnings: list[dict[str, str]]
    parsed: dict[str, Any]


class _Term(NamedTuple):
    field: str
    operator: str
    value: str


def parse(text: str, filters: dict[str, str], zone: str) -> Query:
    """Read a search; never fails, as the vendor's does not."""
    parser = _Parser(_tokens(text), filters, ZoneInfo(zone))
    matches = parser.either()
    terms = parser.parsed
    return Query(matches, parser.warnings, terms[0] if len(terms) == 1 else {"and": terms})


def _tokens(text: str) -> list[str | _Term]:
    out: list[str | _Term] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign.isspace() or sign == ":":
            at += 1
        elif sign in "()":
            out.append(sign)
            at += 1
        elif sign == "-":
            out.append("NOT")
            at += 1
        else:
            term, at = _term(text, at)
            out.append(term.value if term.field == "" and term.value in ("AND", "OR", "NOT") else term)
    return out


def _term(text: str, at: int) -> tuple[_Term, int]:
    word, after = _word(text, at)
    if text[at] in "'\"" or after >= len(text) or text[after] != ":":
        return _Term("", "", word), after
    at = after + 1
    operator = next((sign for sign in (">=", "<=", ">", "<", "=") if text.startswith(sign, at)), "")
    at += len(operator)
    value, at = _word(text, at) if at < len(text) else ("", at)
    return _Term(word, operator, value), at


def _word(text: str, at: int) -> tuple[str, int]:
    # A word without quotes ends at a colon: an unquoted time of day falls apart, as it does at the vendor.
    if text[at] in "'\"":
        quote, out, at = text[at], [], at + 1
        while at < len(text) and text[at] != quote:
            at += text[at] == "\\" and at + 1 < len(text)
            out.append(text[at])
            at += 1
        return "".join(out), at + 1
    start = at
    while at < len(text) and not text[at].isspace() and text[at] not in "():":
        at += 1
    return text[start:at], at


class _Parser:
    def __init__(self, tokens: list[str | _Term], filters: dict[str, str], zone: ZoneInfo) -> None:
        self.tokens, self.filters, self.zone = tokens, filters, zone
        self.at = 0
        self.warnings: list[dict[str, str]] = []
        self.parsed: list[dict[str, Any]] = []

    def next(self) -> str | _Term | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def either(self) -> Matches | None:
        parts = [self.all()]
        while self.next() == "OR":
            self.at += 1
            parts.append(self.all())
        kept = [part for part in parts if part is not None]
        return kept[0] if len(kept) == 1 else (lambda row: any(part(row) for part in kept)) if kept else None

    def all(self) -> Matches | None:
        parts = []
        while (term := self.next()) is not None and term not in ("OR", ")"):
            if term == "AND":
                self.at += 1
                continue
            parts.append(self.one())
        kept = [part for part in parts if part is not None]
        return kept[0] if len(kept) == 1 else (lambda row: all(part(row) for part in kept)) if kept else None

    def one(self) -> Matches | None:
        term = self.next()
        self.at += 1
        if term == "NOT":
            inner = self.one() if self.next() is not None else None
            return (lambda row: not inner(row)) if inner else None
        if term == "(":
            group = self.either()
            self.at += self.next() == ")"
            return group
        return self.filter(term) if isinstance(term, _Term) else None

    def filter(self, term: _Term) -> Matches | None:
        if not term.field:
            needle = term.value.casefold()
            return lambda row: needle in row["text"]
        kind = self.filters.get(term.field)
        self.parsed.append({"field": term.field, _NAMES[term.operator]: term.value})
        if kind is None:
            self.warn(term.field, "Invalid search field for this query.", "invalid_field")
            return None
        matches = _test(kind, term, self.zone)
        if matches is None:
            self.warn(term.field, f"Input `{term.value}` is not an accepted value.", "invalid_value")
        return matches

    def warn(self, field: str, message: str, code: str) -> None:
        self.warnings.append({"field": field, "message": message, "code": code})


_NAMES = {"": "match_all", "=": "match_all", ">=": "range_gte", ">": "range_gt", "<=": "range_lte", "<": "range_lt"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
    "": lambda a, b: a == b,
}


def _test(kind: str, term: _Term, zone: ZoneInfo) -> Matches | None:
    """The test a term stands for, or None when its value does not fit."""
    key, compare = term.field, _COMPARE[term.operator]
    if kind in ("time", "day"):
        return _time_test(kind, term, zone)
    if kind == "id":
        if not term.value.rsplit("/", 1)[-1].isdigit():
            return None
        wanted = int(term.value.rsplit("/", 1)[-1])
        return lambda row: row[key] is not None and compare(row[key], wanted)
    if kind == "flag":
        return (lambda row: row[key] is (term.value == "true")) if term.value in ("true", "false") else None
    value = term.value.casefold()
    if kind == "status":
        return _status_test(value)
    if kind == "set":
        return lambda row: value in row[key]
    if kind == "name":
        return lambda row: str(row[key]) in (value, value.lstrip("#"))
    if value == "*":
        return lambda row: bool(row[key])
    if value.endswith("*"):
        return lambda row: str(row[key]).startswith(value[:-1])
    return lambda row: bool(row[key] == value)


def _status_test(value: str) -> Matches | None:
    if value == "any":
        return lambda row: True
    if value == "not_closed":
        return lambda row: row["status"] != "closed"
    return (lambda row: bool(row["status"] == value)) if value in ("open", "closed", "cancelled") else None


def _time_test(kind: str, term: _Term, zone: ZoneInfo) -> Matches | None:
    try:
        at = datetime.fromisoformat(term.value)
    except ValueError:
        return None
    key, whole_day = term.field, kind == "day" or len(term.value) == 10
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    compare = _COMPARE[term.operator]
    if kind == "day":
        # Whatever the bound's time of day, its whole day belongs to the answer.
        at = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        start, end = at.timestamp(), (at + timedelta(days=1)).timestamp()
        if term.operator in (">=", ">"):
            return lambda row: row[key] >= start
        if term.operator in ("<=", "<"):
            return lambda row: row[key] < end
    if whole_day and term.operator in ("", "="):
        start, end = at.timestamp(), (at + timedelta(days=1)).timestamp()
        return lambda row: start <= row[key] < end
    wanted = at.astimezone(UTC).timestamp()
    return lambda row: compare(row[key], wanted)
