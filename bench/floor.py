"""The fastest way known, written by hand for this one job: ``python -m bench.floor ADDRESS DATABASE STATE``.

Streaming HTTP with aiohttp, pyarrow.json with an explicit schema, columns by pyarrow.compute, CSV by COPY into a
temporary table, INSERT ... ON CONFLICT ... WHERE IS DISTINCT FROM; three threads. It keeps nothing of what the engine
promises: no journal, no checks, no held rows, no versions, no fence.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import queue
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from bench.peak import report

PAGES = 40
INSTANT, MONEY = pa.timestamp("us", tz="UTC"), pa.decimal128(19, 4)
WIRE = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "number")),
        *((name, INSTANT) for name in ("created_at", "updated_at", "processed_at", "closed_at", "cancelled_at")),
        *((name, pa.string()) for name in ("status", "fulfilment", "currency")),
        *((name, MONEY) for name in ("subtotal", "discount", "shipping", "tax", "total")),
        *((name, pa.string()) for name in ("gateway", "channel", "locale", "note")),
        ("test", pa.bool_()), ("item_count", pa.int64()), ("weight_grams", pa.int64()), ("tags", pa.string()),
        ("customer", pa.struct([(n, pa.string()) for n in ("id", "first_name", "last_name", "email", "country")])),
        ("lines", pa.list_(pa.struct([("id", pa.string()), ("sku", pa.string()), ("title", pa.string()),
                                      ("quantity", pa.int64()), ("price", MONEY)]))),
    ]
)  # fmt: skip
STATUS = pa.array(["paid", "pending", "partially_paid", "refunded"]), pa.array(["PAID", "OPEN", "PART", "BACK"])
PLAIN = [name for name in WIRE.names if name not in ("status", "customer", "lines")]

ORDERS = {
    **{name: WIRE.field(name).type for name in PLAIN},
    "order_date": pa.date32(), "status": pa.string(), "customer_id": pa.string(), "customer_name": pa.string(),
    "customer_email": pa.string(), "customer_country": pa.string(),
}  # fmt: skip
LINES = {
    "_parent": pa.string(), "_position": pa.int64(), "id": pa.string(), "sku": pa.string(), "title": pa.string(),
    "quantity": pa.int64(), "price": MONEY, "amount": MONEY,
}  # fmt: skip
TABLES = {"orders": (ORDERS, ("id",)), "orders_lines": (LINES, ("_parent", "_position"))}
SPELLED = {
    pa.string(): "text", pa.int64(): "bigint", pa.bool_(): "boolean", INSTANT: "timestamptz", pa.date32(): "date",
    MONEY: "numeric(19,4)",
}  # fmt: skip

FEWER = (
    "DELETE FROM orders_lines l USING (SELECT _parent, max(_position) AS last FROM cw_orders_lines GROUP BY 1) n"
    " WHERE l._parent = n._parent AND l._position > n.last"
)


def columns(body: bytes) -> dict[str, pa.Table]:
    """A chunk of objects as the rows of both tables."""
    options = pyarrow.json.ParseOptions(explicit_schema=WIRE, unexpected_field_behavior="ignore")
    reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(body) + 64)
    read = pyarrow.json.read_json(io.BytesIO(body), read_options=reading, parse_options=options).combine_chunks()
    customer = read.column("customer").combine_chunks()
    part = {name: pc.struct_field(customer, [name]) for name in ("id", "first_name", "last_name", "email", "country")}
    local = pc.local_timestamp(read.column("created_at").cast(pa.timestamp("us", tz="Europe/Amsterdam")))
    orders = {name: read.column(name) for name in PLAIN} | {
        "order_date": local.cast(pa.date32()),
        "status": STATUS[1].take(pc.index_in(read.column("status"), value_set=STATUS[0])),
        "customer_id": part["id"],
        "customer_name": pc.binary_join_element_wise(part["first_name"], part["last_name"], " "),
        "customer_email": part["email"],
        "customer_country": part["country"],
    }
    lists = read.column("lines").combine_chunks()
    elements, parents = pc.list_flatten(lists), pc.list_parent_indices(lists)
    starts = lists.offsets.slice(0, len(lists)).take(parents)
    positions = pc.add(pc.subtract(pa.array(range(len(parents)), pa.int64()), starts.cast(pa.int64())), 1)
    value = {name: pc.struct_field(elements, [name]) for name in ("id", "sku", "title", "quantity", "price")}
    amount = pc.multiply(value["price"], value["quantity"].cast(pa.decimal128(19, 0)).cast(pa.decimal128(10, 0)))
    lines = {
        "_parent": read.column("id").take(parents), "_position": positions, "id": value["id"], "sku": value["sku"],
        "title": value["title"], "quantity": value["quantity"], "price": value["price"],
        "amount": amount.cast(MONEY),
    }  # fmt: skip
    return {"orders": pa.table(orders), "orders_lines": pa.table(lines)}


async def pages(address: str, since: str, put: Callable[[bytes], None]) -> None:
    """Every page of the listing, raw; only the cursor is looked at."""
    import aiohttp

    asked = {"limit": "250"} | ({"updated_since": since} if since else {})
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{address}/orders", params=asked) as answer:
                body = await answer.read()
            rows, _, cursor = body.rpartition(b'],"next_cursor":')
            put(rows[len(b'{"orders":[') :])
            if cursor == b"null}":
                return
            asked["cursor"] = cursor[1:-2].decode()


def chunks(received: queue.Queue[bytes | None]) -> Iterator[bytes]:
    """Pages joined as Arrow reads them."""
    while True:
        gathered: list[bytes] = []
        while len(gathered) < PAGES and (page := received.get()) is not None:
            gathered.append(page)
        if any(gathered):
            yield b"\n".join(page.replace(b"]},{", b"]}\n{") for page in gathered if page)
        if len(gathered) < PAGES:
            return


class PostgreSQL:
    """COPY and ON CONFLICT."""

    def __init__(self, address: str) -> None:
        import psycopg

        self._connection = psycopg.connect(address.replace("+psycopg", ""))
        self._connection.execute("SET TIME ZONE 'UTC'")
        for name, (kinds, key) in TABLES.items():
            spelled = ", ".join(f'"{column}" {SPELLED[kind]}' for column, kind in kinds.items())
            named = ", ".join(key)
            self._connection.execute(f'CREATE TABLE IF NOT EXISTS "{name}" ({spelled}, PRIMARY KEY ({named}))')
        self._connection.commit()

    def load(self, tables: dict[str, pa.Table]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for name, data in tables.items():
                self._table(cursor, name, data)
            cursor.execute(FEWER)
            for name in tables:
                cursor.execute(f"DROP TABLE cw_{name}".encode())

    def _table(self, cursor: Any, name: str, data: pa.Table) -> None:
        kinds, key = TABLES[name]
        sink = io.BytesIO()
        plain = [_zoned(data.column(column)) for column in kinds]
        pyarrow.csv.write_csv(pa.table(plain, list(kinds)), sink, pyarrow.csv.WriteOptions(include_header=False))
        cursor.execute(f"CREATE TEMP TABLE cw_{name} (LIKE {name})")
        listed = ", ".join(f'"{column}"' for column in kinds)
        with cursor.copy(f"COPY cw_{name} ({listed}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(sink.getbuffer())
        others = [column for column in kinds if column not in key]
        sets = ", ".join(f'"{column}" = excluded."{column}"' for column in others)
        mine, new = (", ".join(f'{side}."{column}"' for column in others) for side in (name, "excluded"))
        cursor.execute(
            f"INSERT INTO {name} ({listed}) SELECT {listed} FROM cw_{name} ON CONFLICT ({', '.join(key)})"
            f" DO UPDATE SET {sets} WHERE ({mine}) IS DISTINCT FROM ({new})"
        )

    def close(self) -> None:
        self._connection.close()


def _zoned(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """An instant without its zone is written thirty times faster, and the session is in UTC."""
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column


class SQLite:
    """Upserts with executemany in one transaction a chunk; decimals, dates and instants as text."""

    def __init__(self, address: str) -> None:
        self._connection = sqlite3.connect(address.removeprefix("sqlite:///"), check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        for name, (kinds, key) in TABLES.items():
            spelled = ", ".join(
                f'"{c}" {"bigint" if k in (pa.int64(), pa.bool_()) else "text"}' for c, k in kinds.items()
            )
            named = ", ".join(key)
            self._connection.execute(f'CREATE TABLE IF NOT EXISTS "{name}" ({spelled}, PRIMARY KEY ({named}))')

    def load(self, tables: dict[str, pa.Table]) -> None:
        with self._connection:
            for name, data in tables.items():
                kinds, key = TABLES[name]
                values = [_plain(data.column(column)).to_pylist() for column in kinds]
                listed = ", ".join(f'"{column}"' for column in kinds)
                others = [column for column in kinds if column not in key]
                sets = ", ".join(f'"{column}" = excluded."{column}"' for column in others)
                differs = " OR ".join(f'"{name}"."{column}" IS NOT excluded."{column}"' for column in others)
                self._connection.executemany(
                    f"INSERT INTO {name} ({listed}) VALUES ({', '.join('?' * len(kinds))})"
                    f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets} WHERE {differs}",
                    zip(*values, strict=True),
                )
            counts = data.group_by("_parent").aggregate([("_position", "max")])
            pairs = zip(counts.column("_parent").to_pylist(), counts.column("_position_max").to_pylist(), strict=True)
            self._connection.executemany("DELETE FROM orders_lines WHERE _parent = ? AND _position > ?", pairs)

    def close(self) -> None:
        self._connection.close()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return pc.binary_join_element_wise(column.cast(pa.timestamp("us")).cast(pa.string()), "Z", "")
    exact = pa.types.is_decimal(column.type) or pa.types.is_date(column.type)
    return column.cast(pa.string()) if exact else column


def _or_end(work: Callable[[], None]) -> None:
    """Nobody waits for a thread that has failed."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def main(address: str, database: str, state: Path) -> None:
    """Read what changed since the last time and load it; the newest change is kept in ``state``."""
    since = state.read_text() if state.exists() else ""
    received: queue.Queue[bytes | None] = queue.Queue(2 * PAGES)
    made: queue.Queue[dict[str, pa.Table] | None] = queue.Queue(1)

    def fetch() -> None:
        asyncio.run(pages(address, since, received.put))
        received.put(None)

    def transform() -> None:
        for body in chunks(received):
            made.put(columns(body))
        made.put(None)

    for work in (fetch, transform):
        threading.Thread(target=_or_end, args=[work]).start()
    target = PostgreSQL(database) if database.startswith("postgresql") else SQLite(database)
    newest, count = since, 0
    while (tables := made.get()) is not None:
        target.load(tables)
        count += len(tables["orders"])
        newest = max(newest, pc.max(tables["orders"].column("updated_at")).as_py().isoformat())
    target.close()
    state.write_text(newest)
    print(json.dumps({"read": count, **report()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
