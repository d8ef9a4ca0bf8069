"""Whether two tools have left the same: counts and sums everywhere, every row of engine and floor."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

ORDERS = (
    "id", "number", "created_at", "updated_at", "processed_at", "closed_at", "cancelled_at", "fulfilment",
    "currency", "subtotal", "discount", "shipping", "tax", "total", "gateway", "channel", "locale", "note",
    "test", "item_count", "weight_grams", "tags", "order_date", "status", "customer_id", "customer_name",
    "customer_email", "customer_country",
)  # fmt: skip
LINES = ("_parent", "_position", "id", "sku", "title", "quantity", "price", "amount")
# Where each tool keeps the two tables.
PLACES = {"dlt_rest_api": ("dlt.orders", "dlt.orders__lines"), "dlt_arrow": ("dlt.orders", "dlt.orders_lines")}
PLAIN = ("orders", "orders_lines")
SUMS = (("count(*)", "count(DISTINCT id)", "sum(total)", "sum(tax)", "sum(item_count)", "sum(length(fulfilment))"),
        ("count(*)", "count(DISTINCT id)", "sum(quantity)", "sum(price)", "sum(length(title))"))  # fmt: skip


def sums(tool: str, url: str) -> dict[str, Decimal]:
    """Counts and sums of both tables, to the cent."""
    engine = sa.create_engine(url)
    found: dict[str, Decimal] = {}
    with engine.connect() as connection:
        for table, wanted, name in zip(PLACES.get(tool, PLAIN), SUMS, PLAIN, strict=True):
            _attach(connection, url, table)
            row = connection.execute(sa.text(f"SELECT {', '.join(wanted)} FROM {table}")).one()
            found |= {f"{what} of {name}": round(Decimal(str(v)), 2) for what, v in zip(wanted, row, strict=True)}
    engine.dispose()
    return found


def _attach(connection: sa.Connection, url: str, table: str) -> None:
    """dlt keeps a data set of SQLite in a file beside the one that is named."""
    if "." in table and url.startswith("sqlite"):
        names = [row[1] for row in connection.execute(sa.text("PRAGMA database_list"))]
        if "dlt" not in names:
            folder, _, file = url.removeprefix("sqlite:///").rpartition("/")
            stem = file.removesuffix(".db")
            connection.execute(sa.text("ATTACH :file AS dlt"), {"file": f"{folder}/{stem}__dlt.db"})


def digest(url: str) -> str:
    """A digest of every value of both tables, as engine and floor keep them."""
    engine = sa.create_engine(url)
    found = hashlib.sha256()
    with engine.connect().execution_options(stream_results=True) as connection:
        for table, columns, order in (("orders", ORDERS, "id"), ("orders_lines", LINES, "_parent, _position")):
            listed = ", ".join(f'"{name}"' for name in columns)
            for row in connection.execute(sa.text(f'SELECT {listed} FROM "{table}" ORDER BY {order}')):
                found.update(repr([_plain(value) for value in row]).encode())
    engine.dispose()
    return found.hexdigest()


def _plain(value: Any) -> Any:
    """SQLite keeps truth as 0 and 1 whatever it was given."""
    return int(value) if isinstance(value, bool) else value
