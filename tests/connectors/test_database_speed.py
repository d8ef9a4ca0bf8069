"""Floors, as ratios to the plain way in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from database_cases import ORDERS, frame, orders, versions

from crosswalk.clock import SharedClock
from crosswalk.connectors.database import Database
from crosswalk.connectors.database_layout import layout
from crosswalk.connectors.database_rows import hashes, rows
from crosswalk.frames.frame import Frame

COUNT = 4000


def _best(work: Callable[[], Any], database: Database) -> float:
    """Seconds of the best of three; of the processor where the database works inside this process."""
    now = time.process_time if database.dialect.name == "sqlite" else time.perf_counter
    times = []
    for _ in range(3):
        begun = now()
        work()
        times.append(now() - begun)
    return min(times)


def _plain_way(database: Database, chunk: Frame) -> None:
    """The same rows by upserts with executemany, without hash, version and comparison."""
    sqlite = database.dialect.name == "sqlite"
    with database.transaction() as connection:
        for table, data in rows(chunk, layout(ORDERS)):
            names = ", ".join(f'"{name}"' for name in table.columns)
            others = [name for name in table.columns if name not in table.key]
            sets = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
            marks = ", ".join(["?" if sqlite else "%s"] * len(table.columns))
            statement = f'INSERT INTO "plain_{table.name}" ({names}) VALUES ({marks})'
            statement += f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {sets}"
            columns = [data.column(name) for name in table.columns]
            if sqlite:
                columns = [c if c.type in (pa.int64(), pa.bool_()) else c.cast(pa.string()) for c in columns]
            values = list(zip(*(column.to_pylist() for column in columns), strict=True))
            connection.exec_driver_sql(statement, values)


def test_loading_in_bulk_has_a_floor(database: Database, clock: SharedClock) -> None:
    """New rows load at least twice as fast as by executemany on PostgreSQL. SQLite has nothing faster than that, and
    ours also hashes, compares and clears: it keeps two fifths of the pace."""
    chunk = frame(ORDERS, orders(COUNT))
    database.prepare(ORDERS, schema_prefix="plain_")
    plain_seconds = _best(lambda: (_empty(database, "plain_"), _plain_way(database, chunk)), database)
    database.prepare(ORDERS)
    ours = _best(lambda: (_empty(database, ""), database.load(chunk, versions(COUNT))), database)
    ratio = plain_seconds / ours
    print(f"{database.dialect.name}: {COUNT / ours:,.0f} rows/s, {ratio:.2f} times executemany")
    assert ratio > (2 if database.dialect.name == "postgresql" else 0.4)


def test_hashing_is_a_small_part(database: Database) -> None:
    """The hashes of a chunk with its lines cost less than a quarter of loading it."""
    chunk = frame(ORDERS, orders(COUNT))
    database.prepare(ORDERS)
    loading = _best(lambda: (_empty(database, ""), database.load(chunk, versions(COUNT))), database)
    hashing = _best(lambda: hashes(chunk), database)
    print(f"{database.dialect.name}: hashing is {hashing / loading:.0%} of loading")
    assert hashing < 0.25 * loading


def test_an_unchanged_chunk_is_cheap(database: Database) -> None:
    """A chunk that stands there already costs less than two thirds of loading it."""
    chunk = frame(ORDERS, orders(COUNT))
    database.prepare(ORDERS)
    loading = _best(lambda: (_empty(database, ""), database.load(chunk, versions(COUNT))), database)
    again = _best(lambda: database.load(chunk, versions(COUNT)), database)
    print(f"{database.dialect.name}: unchanged costs {again / loading:.0%}")
    assert again < 0.67 * loading


def _empty(database: Database, prefix: str) -> None:
    with database.transaction() as connection:
        for table in layout(ORDERS, prefix).walk():
            connection.exec_driver_sql(f'DELETE FROM "{table.name}"')


@pytest.mark.postgres
def test_the_cost_of_a_chunk_does_not_grow_with_the_table(postgres_url: str, clock: SharedClock) -> None:
    """The thirtieth chunk of new rows costs no more than four times the second."""
    database = Database(postgres_url, clock)
    database.prepare(ORDERS)
    base = orders(500)
    seconds = []
    for number in range(30):
        chunk = frame(ORDERS, [{**row, "id": f"{number}-{row['id']}"} for row in base])
        begun = time.perf_counter()
        database.load(chunk, versions(500))
        seconds.append(time.perf_counter() - begun)
    assert min(seconds[-5:]) < 4 * min(seconds[1:6])
    database.close()
