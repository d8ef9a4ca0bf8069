"""A small shop's orders for the tests of the database target."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from crosswalk.frames.frame import PARENT, Frame
from crosswalk.schemas.base import BOOLEAN, DATE, ID, INSTANT, INTEGER, MONEY, RATE, TEXT, Field, Lines, Record

ORDERS = Record(
    "database.orders",
    key="id",
    version="updated_at",
    fields=(
        Field("id", ID, required=True),
        Field("name", TEXT),
        Field("note", TEXT),
        Field("total", MONEY),
        Field("rate", RATE),
        Field("count", INTEGER),
        Field("paid", BOOLEAN),
        Field("day", DATE),
        Field("updated_at", INSTANT),
        Lines(
            "lines",
            (
                Field("sku", TEXT),
                Field("price", MONEY),
                Lines("taxes", (Field("title", TEXT), Field("amount", MONEY))),
            ),
        ),
        Lines("refunds", (Field("id", ID), Field("amount", MONEY))),
    ),
)

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def frame(record: Record, rows: Sequence[Mapping[str, Any]], parents: Sequence[int] | None = None) -> Frame:
    """Rows as plain dicts, lists as lists of dicts; what is missing is null, or no lines."""
    columns: dict[str, Any] = {} if parents is None else {PARENT: pa.array(parents, pa.int64())}
    for field in record.scalars:
        columns[field.name] = pa.array([row.get(field.name) for row in rows], field.type.arrow)
    lines = {}
    for line in record.lists:
        below = [(n, element) for n, row in enumerate(rows) for element in row.get(line.name, ())]
        lines[line.name] = frame(line.record, [element for _, element in below], [n for n, _ in below])
    return Frame(record, pa.table(columns), lines)


def plain(found: Frame) -> list[dict[str, Any]]:
    """A frame as nested dicts, nulls included."""
    rows = found.table.select(found.record.arrow.names).to_pylist()
    for name, lines in found.lines.items():
        for row in rows:
            row[name] = []
        for parent, element in zip(lines.parent.to_pylist(), plain(lines), strict=True):
            rows[parent][name].append(element)
    return rows


def orders(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Orders with one to four lines, each with up to two taxes, and now and then a refund."""
    rng = random.Random(seed)
    return [_order(n, rng) for n in range(count)]


def _order(n: int, rng: random.Random) -> dict[str, Any]:
    lines = [
        {
            "sku": f"sku-{rng.randrange(500):05}",
            "price": cents(rng),
            "taxes": [{"title": "BTW", "amount": cents(rng)} for _ in range(rng.randrange(3))],
        }
        for _ in range(rng.randrange(1, 5))
    ]
    return {
        "id": f"gid://shopify/Order/{n}",
        "name": f"#{n}",
        "note": rng.choice([None, "", "leave at the door", "Zoë, 2e verdieping"]),
        "total": cents(rng),
        "rate": Decimal(rng.randrange(10**6)).scaleb(-8),
        "count": rng.randrange(100),
        "paid": rng.random() < 0.5,
        "day": date(2026, 1, 1) + timedelta(days=rng.randrange(300)),
        "updated_at": START + timedelta(microseconds=rng.randrange(10**12)),
        "lines": lines,
        "refunds": [{"id": f"r{n}", "amount": cents(rng)}] if rng.random() < 0.2 else [],
    }


def cents(rng: random.Random) -> Decimal:
    return Decimal(rng.randrange(1, 10**6)).scaleb(-2)


def versions(count: int, version: int = 1) -> pa.Array:
    """The same version for every row."""
    return pa.array([f"2026-11-23T09:00:{version:02}.000000Z"] * count, pa.string())
