"""Loading a chunk: compare by key, version and hash, then send only what changed.

The comparison comes first, on three short columns, because most chunks hold little that is new. What is new is copied
straight into its table; what changed goes through a temporary table, so that columns that people added keep their
values. A lock per table makes compare-then-write exact: without it two loaders could mix the lines of two versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.schema import CreateTable, DropTable

from crosswalk.connectors.database_dialect import Dialect
from crosswalk.connectors.database_layout import HASH, LOADED, PARENT, VERSION, Table
from crosswalk.connectors.database_rows import newest, rows
from crosswalk.connectors.database_schema import days, removed_table, target, temporary
from crosswalk.errors import Transient
from crosswalk.frames.frame import Frame

UNCHANGED, CREATED, UPDATED, STALE, TOUCHED = range(5)
NAMES = ("unchanged", "created", "updated", "stale", "unchanged")
TOMBSTONE_DAYS = 90  # A source that lags longer than this is broken otherwise.

Codes = np.ndarray[tuple[int], np.dtype[np.int8]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows, one a key, with their versions and hashes."""

    frame: Frame
    versions: pa.Array
    hashes: pa.Array

    @property
    def keys(self) -> pa.Array:
        return self.frame[self.frame.record.key]

    @property
    def heads(self) -> dict[str, pa.Array]:
        """What is compared: the number, key, version and hash of every row."""
        numbers = pa.array(np.arange(len(self.frame)))
        return {"n": numbers, "key": self.keys, "version": self.versions, "hash": self.hashes}


@contextmanager
def staged(connection: sa.Connection, dialect: Dialect, name: str, columns: dict[str, pa.Array]) -> Iterator[sa.Table]:
    """A temporary table with these rows, for as long as the block lasts."""
    table = temporary(name, dialect, {column: values.type for column, values in columns.items()})
    connection.execute(CreateTable(table))
    dialect.append(connection, name, pa.table(columns))
    yield table
    connection.execute(DropTable(table))


def compare(connection: sa.Connection, dialect: Dialect, table: Table, heads: sa.Table, count: int) -> Codes:
    """What is to be done with each of ``count`` rows, whose numbers, keys, versions and hashes ``heads`` holds.

    TOUCHED: the content stands there already, under an older version. The newer one must be noted, or a version in
    between that arrives late would pass for news.
    """
    there, gone, key = target(table, dialect), removed_table(dialect), table.key[0]
    fate = sa.case(
        (sa.and_(there.c[key].is_(None), gone.c.version > heads.c.version), STALE),
        (there.c[key].is_(None), CREATED),
        (there.c[VERSION] > heads.c.version, STALE),
        (there.c[HASH].is_distinct_from(heads.c.hash), UPDATED),
        (there.c[VERSION].is_distinct_from(heads.c.version), TOUCHED),
        else_=UNCHANGED,
    ).label("fate")
    joined = heads.outerjoin(there, there.c[key] == heads.c.key).outerjoin(
        gone, sa.and_(gone.c.table == table.name, gone.c.key == sa.cast(heads.c.key, sa.Text))
    )
    known = sa.select(heads.c.n, fate).select_from(joined).subquery()
    if dialect.name == "postgresql":
        # One text with a digit a row: a row of an answer costs more than comparing it did.
        ordered: sa.ColumnElement[str] = aggregate_order_by(sa.literal_column("''"), known.c.n)
        digits = sa.select(sa.func.string_agg(sa.cast(known.c.fate, sa.Text), ordered))
        told = connection.execute(digits).scalar_one() or ""
        codes = np.frombuffer(told.encode(), dtype=np.int8) - np.int8(ord("0"))
        _exactly(len(codes), count, table)
        return codes
    found = connection.execute(sa.select(known.c.n, known.c.fate).where(known.c.fate != UNCHANGED)).all()
    codes = np.full(count, UNCHANGED, dtype=np.int8)
    if found:
        numbers, fates = zip(*found, strict=True)
        codes[list(numbers)] = fates
    return codes


def load(connection: sa.Connection, dialect: Dialect, table: Table, chunk: Chunk, now: datetime) -> Codes:
    """Write a chunk in the transaction of ``connection``; what was done with each row."""
    dialect.lock(connection, table.name)
    with staged(connection, dialect, "cw_heads", chunk.heads) as stage:
        codes = compare(connection, dialect, table, stage, len(chunk.frame))
        if (codes == TOUCHED).any():
            _touch(connection, dialect, table, stage, int((codes == TOUCHED).sum()))
        changed = np.flatnonzero((codes == CREATED) | (codes == UPDATED))
        if len(changed):
            _write(connection, dialect, table, chunk, codes, changed, now)
        _prove(connection, dialect, table, stage, len(chunk.frame))
    return codes


def plan(connection: sa.Connection, dialect: Dialect, table: Table, chunk: Chunk) -> Codes:
    """What ``load`` would do with each row. Tables that are still to be made hold nothing."""
    if not dialect.standing(connection, table.name):
        return np.full(len(chunk.frame), CREATED, dtype=np.int8)
    with staged(connection, dialect, "cw_heads", chunk.heads) as stage:
        return compare(connection, dialect, table, stage, len(chunk.frame))


def _touch(connection: sa.Connection, dialect: Dialect, table: Table, heads: sa.Table, expected: int) -> None:
    there = target(table, dialect)
    same = sa.and_(
        there.c[table.key[0]] == heads.c.key,
        there.c[HASH] == heads.c.hash,
        sa.or_(there.c[VERSION] < heads.c.version, there.c[VERSION].is_(None)),
    )
    done = connection.execute(sa.update(there).values({VERSION: heads.c.version}).where(same))
    _exactly(done.rowcount, expected, table)


def _write(
    connection: sa.Connection,
    dialect: Dialect,
    table: Table,
    chunk: Chunk,
    codes: Codes,
    changed: np.ndarray[tuple[int], np.dtype[np.int64]],
    now: datetime,
) -> None:
    """The rows ``changed`` and their lines."""
    take = pa.array(changed)
    frame = chunk.frame if len(changed) == len(chunk.frame) else chunk.frame.take(take)
    tables = {one.name: data for one, data in rows(frame, table)}
    root = tables.pop(table.name)
    root = root.append_column(VERSION, chunk.versions.take(take)).append_column(HASH, chunk.hashes.take(take))
    root = root.append_column(LOADED, pa.repeat(pa.scalar(now, pa.timestamp("us", tz="UTC")), len(root)))
    heads = {"key": chunk.keys.take(take)}
    with staged(connection, dialect, "cw_keys", heads) as keys:
        _clear(connection, dialect, table, keys)
        created = pa.array(codes[changed] == CREATED)
        dialect.append(connection, table.name, root.filter(created))
        _update(connection, dialect, table, root.filter(pa.array(codes[changed] == UPDATED)))
        for name, data in tables.items():
            dialect.append(connection, name, data)
        for name, below in table.lists.items():
            _prove_lines(connection, dialect, below, keys, frame.lines[name])


def _prove(connection: sa.Connection, dialect: Dialect, table: Table, heads: sa.Table, count: int) -> None:
    """Count what stands there now, before the commit: a row that got lost on the way must not be called loaded.

    Each of the ``count`` rows stands there with its content, or the database knows a newer version of it.
    """
    there, gone, key = target(table, dialect), removed_table(dialect), table.key[0]
    known = sa.or_(
        there.c[HASH] == heads.c.hash,
        there.c[VERSION] > heads.c.version,
        sa.and_(there.c[key].is_(None), gone.c.version > heads.c.version),
    )
    joined = heads.outerjoin(there, there.c[key] == heads.c.key).outerjoin(
        gone, sa.and_(gone.c.table == table.name, gone.c.key == sa.cast(heads.c.key, sa.Text))
    )
    found = connection.execute(sa.select(sa.func.count()).select_from(joined).where(known)).scalar_one()
    _exactly(found, count, table)


def _prove_lines(connection: sa.Connection, dialect: Dialect, table: Table, keys: sa.Table, lines: Frame) -> None:
    there = target(table, dialect)
    chosen = sa.select(sa.func.count()).select_from(there).where(there.c[PARENT].in_(sa.select(keys.c.key)))
    _exactly(connection.execute(chosen).scalar_one(), len(lines), table)
    for name, below in table.lists.items():
        _prove_lines(connection, dialect, below, keys, lines.lines[name])


def _clear(connection: sa.Connection, dialect: Dialect, table: Table, keys: sa.Table) -> None:
    """Take away the lines of these keys and the note that a key was removed."""
    for below in list(table.walk())[1:]:
        lines = target(below, dialect)
        connection.execute(sa.delete(lines).where(lines.c[PARENT].in_(sa.select(keys.c.key))))
    gone = removed_table(dialect)
    named = gone.c.key.in_(sa.select(sa.cast(keys.c.key, sa.Text)))
    connection.execute(sa.delete(gone).where(gone.c.table == table.name, named))


def _update(connection: sa.Connection, dialect: Dialect, table: Table, root: pa.Table) -> None:
    if not len(root):
        return
    there, key = target(table, dialect), table.key[0]
    columns = {name: root.column(name).combine_chunks() for name in root.column_names}
    with staged(connection, dialect, "cw_rows", columns) as stage:
        newer = sa.or_(there.c[VERSION] <= stage.c[VERSION], there.c[VERSION].is_(None))
        values = {name: stage.c[name] for name in columns if name != key}
        done = connection.execute(sa.update(there).values(values).where(there.c[key] == stage.c[key], newer))
    _exactly(done.rowcount, len(root), table)


def _exactly(done: int, expected: int, table: Table) -> None:
    if done != expected:
        raise Transient(
            f"table {table.name}: {done} rows where {expected} were expected; somebody else may be writing to it",
            safe="nothing of this chunk was written",
            next_command="run again",
        )


def remove(
    connection: sa.Connection, dialect: Dialect, table: Table, keys: pa.Array, versions: pa.Array, now: datetime
) -> tuple[int, int, int]:
    """Take rows away with their lines and note their versions; how many were removed, absent, stale.

    versions: null where the removal has none, then the row's own counts.
    """
    dialect.lock(connection, table.name)
    kept = newest(keys, versions)
    keys, versions = keys.take(kept), versions.take(kept)
    heads = {"n": pa.array(np.arange(len(keys))), "key": keys, "version": versions}
    with staged(connection, dialect, "cw_heads", heads) as stage:
        found = _standing(connection, dialect, table, stage)
    given = versions.to_pylist()
    doomed = [n for n, (there, version, _) in found.items() if there and not (given[n] and (version or "") > given[n])]
    absent = [n for n, (there, _, _) in found.items() if not there]
    notes = {n: given[n] or found[n][1] or "" for n in [*doomed, *(n for n in absent if given[n])]}
    notes = {n: max(version, found[n][2] or "") for n, version in notes.items()}
    noted = keys.take(pa.array(list(notes), pa.int64()))
    with staged(connection, dialect, "cw_keys", {"key": noted}) as stage:
        _clear(connection, dialect, table, stage)
        there = target(table, dialect)
        done = connection.execute(sa.delete(there).where(there.c[table.key[0]].in_(sa.select(stage.c.key))))
    _exactly(done.rowcount, len(doomed), table)
    _note(connection, dialect, table, noted, list(notes.values()), now)
    return len(doomed), len(absent), len(found) - len(doomed) - len(absent)


def _standing(
    connection: sa.Connection, dialect: Dialect, table: Table, heads: sa.Table
) -> dict[int, tuple[bool, str | None, str | None]]:
    """Number → (the row stands there, its version, the version of an earlier removal)."""
    there, gone, key = target(table, dialect), removed_table(dialect), table.key[0]
    joined = heads.outerjoin(there, there.c[key] == heads.c.key).outerjoin(
        gone, sa.and_(gone.c.table == table.name, gone.c.key == sa.cast(heads.c.key, sa.Text))
    )
    chosen = sa.select(heads.c.n, there.c[key], there.c[VERSION], gone.c.version).select_from(joined)
    found = connection.execute(chosen).all()
    return {n: (its_key is not None, version, removed) for n, its_key, version, removed in found}


def _note(
    connection: sa.Connection, dialect: Dialect, table: Table, keys: pa.Array, versions: list[str], now: datetime
) -> None:
    gone = removed_table(dialect)
    notes = {
        "table": pa.repeat(table.name, len(keys)),
        "key": keys.cast(pa.string()),
        "version": pa.array(versions, pa.string()),
        "removed_on": pa.repeat(pa.scalar(now.date(), pa.date32()), len(keys)),
    }
    dialect.append(connection, gone.name, pa.table(notes))
    oldest = days((now - timedelta(days=TOMBSTONE_DAYS)).date())
    connection.execute(sa.delete(gone).where(gone.c.removed_on < oldest))
