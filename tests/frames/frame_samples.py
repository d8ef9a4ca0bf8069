"""A record with every type and its rows at the wire, for the tests of frames."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from crosswalk.schemas.base import (
    BOOLEAN,
    DATE,
    ID,
    INSTANT,
    INTEGER,
    MONEY,
    QUANTITY,
    RATE,
    TEXT,
    Field,
    Lines,
    Must,
    Record,
)

Sale = Record(
    "test.sales",
    key="id",
    version="changedAt",
    fields=(
        Field("id", ID, required=True),
        Field("number", INTEGER),
        Field("counted", INTEGER, wire="string"),
        Field("total.amount", MONEY, required=True),
        Field("total.currency", TEXT, values=("EUR", "GBP")),
        Field("weight", QUANTITY, wire="number"),
        Field("changedAt", INSTANT, required=True),
        Field("shippedAt", INSTANT, zone="Europe/Amsterdam"),
        Field("bookedAt", INSTANT, format="xero"),
        Field("day", DATE),
        Field("bookedOn", DATE, format="xero"),
        Field("paid", BOOLEAN),
        Field("title", TEXT),
        Field("buyer.name", TEXT, personal=True, max_length=20),
        Lines(
            "lines",
            (
                Field("sku", TEXT, required=True),
                Field("quantity", INTEGER, required=True),
                Field("price", MONEY),
                Lines("taxes", (Field("rate", RATE, wire="number"), Field("title", TEXT)), whole_below=3),
            ),
            path="lines.nodes",
            key="sku",
            required=True,
            at_least=1,
        ),
        Lines("notes", (Field("text", TEXT),)),
    ),
    checks=(
        Must(
            "paid",
            "is said of every sale in pounds",
            lambda paid, currency: _said(paid, currency),
            of=("paid", "total.currency"),
        ),
    ),
)


def _said(paid: Any, currency: Any) -> Any:
    import pyarrow.compute as pc

    return pc.or_(pc.is_valid(paid), pc.fill_null(pc.not_equal(currency, "GBP"), True))


def sale(n: int = 1, **changes: Any) -> dict[str, Any]:
    """A good sale as it comes over the wire."""
    return {
        "id": f"sale-{n:06d}",
        "number": n,
        "counted": str(2**60 + n),
        "total": {"amount": f"{n}.10", "currency": "EUR"},
        "weight": 1.25,
        "changedAt": "2026-11-23T18:15:09Z",
        "shippedAt": "2026-11-23T10:00:00",
        "bookedAt": "/Date(1795450001000+0000)/",
        "day": "2026-11-23",
        "bookedOn": "/Date(1795132800000+0000)/",
        "paid": True,
        "title": "Müller & Söhne 🎈",
        "buyer": {"name": "Anna"},
        "lines": {"nodes": [{"sku": "A", "quantity": 2, "price": "5.05", "taxes": [{"rate": 0.21, "title": "BTW"}]}]},
        "notes": [],
    } | changes


SALE_1 = {
    "id": "sale-000001",
    "number": 1,
    "counted": 2**60 + 1,
    "total": {"amount": Decimal("1.10"), "currency": "EUR"},
    "weight": Decimal("1.25"),
    "changedAt": datetime(2026, 11, 23, 18, 15, 9, tzinfo=UTC),
    "shippedAt": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    "bookedAt": datetime(2026, 11, 23, 16, 6, 41, tzinfo=UTC),
    "day": date(2026, 11, 23),
    "bookedOn": date(2026, 11, 20),
    "paid": True,
    "title": "Müller & Söhne 🎈",
    "buyer": {"name": "Anna"},
    "lines": {
        "nodes": [
            {
                "sku": "A",
                "quantity": 2,
                "price": Decimal("5.05"),
                "taxes": [{"rate": Decimal("0.21"), "title": "BTW"}],
            }
        ]
    },
}


def raw(row: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """The bytes of a sale."""
    return json.dumps(row if row is not None else sale(**changes), ensure_ascii=False).encode("utf-8", "surrogatepass")
