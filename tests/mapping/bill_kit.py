"""A small target, and a mapping of things to bills that is right, from which wrong ones are made."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mapping_kit import CONTEXT, THING, frame_of

from crosswalk.mapping import (
    Const,
    Constant,
    Context,
    Copy,
    Equals,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Outcome,
    Rule,
    Skip,
)
from crosswalk.schemas.base import DATE, ID, MONEY, QUANTITY, TEXT, Field, Record
from crosswalk.schemas.base import Lines as RecordLines

BILL = Record(
    "test.bills",
    key="BillID",
    version="",
    fields=(
        Field("BillID", ID, required=True, read_only=True),
        Field("Number", TEXT, required=True, max_length=12),
        Field("Customer.ID", ID, required="write"),
        Field("Status", TEXT, values=("OPEN", "PAID")),
        Field("Date", DATE, required="write"),
        Field("Note", TEXT, max_length=5),
        Field("Person", TEXT, personal=True, max_length=3),
        Field("Total", MONEY, required=True, read_only=True),
        RecordLines(
            "Lines",
            (
                Field("Text", TEXT, required="write", max_length=6),
                Field("Quantity", QUANTITY),
                Field("Amount", MONEY),
                RecordLines("Tags", (Field("Name", TEXT, required=True), Field("Value", MONEY))),
            ),
            at_least=1,
        ),
        RecordLines("Payments", (Field("Amount", MONEY),), read_only=True),
    ),
)

NUMBER = Rule("Number", Marker("id"), why="ours")
CUSTOMER = Rule("Customer.ID", Link("other.name", to="test.people", of="test.customers"), why="people come first")
DATE_RULE = Rule("Date", LocalDate("at"), why="the account's own day")
LINES = Lines("Lines", each="lines", rules=[Rule("Text", Copy("title")), Rule("Amount", Copy("amount"))])
RULES: tuple[Any, ...] = (NUMBER, CUSTOMER, DATE_RULE, LINES)
TEST_SKIP = Skip("tests", Equals("flag", True), why="tests are no sales")
STATUS = Constant("Status", "OPEN", why="always open")


def bills(*more: Any, rules: Sequence[Any] = RULES, tables: Path | None = None, **named: Any) -> Mapping:
    """A right mapping with more declarations, or others."""
    given = {"title": "Things become bills", "source": THING, "target": BILL, "key": "id", "marker": "Number"} | named
    return Mapping(rules=[*rules, *more], tables=tables, **given)


def thing(number: str, **more: Any) -> dict[str, Any]:
    """A thing from which a bill can be made."""
    from datetime import UTC, datetime

    base = {
        "id": number,
        "changed": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "other.name": f"c{number}",
        "flag": False,
        "at": datetime(2026, 6, 30, 22, 30, tzinfo=UTC),
        "amount": Decimal("10"),
        "lines": [{"id": "l", "title": "Book", "amount": Decimal("10")}],
    }
    return base | more


def applied(mapping: Mapping, *rows: dict[str, Any], context: Context = CONTEXT) -> Outcome:
    """The outcome for these things."""
    return mapping.apply(frame_of(mapping.source, list(rows)), context)


CONSTANT_OPEN = Rule("Status", Const("OPEN"), why="always open")
