"""A database as a target: tables from a record's schema, chunks loaded as sets, each in one transaction.

There is no ledger beside the rows: a row carries its key, the version of the source record and a hash of its content,
and so a chunk that is loaded twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from crosswalk.clock import Clock
from crosswalk.connectors import database_load as loading
from crosswalk.connectors.database_dialect import Dialect
from crosswalk.connectors.database_fence import pass_fence
from crosswalk.connectors.database_layout import VERSION, Table, layout
from crosswalk.connectors.database_postgresql import PostgreSQL
from crosswalk.connectors.database_read import read
from crosswalk.connectors.database_rows import Unfit, hashes, newest, text, unloadable
from crosswalk.connectors.database_schema import stand, target
from crosswalk.connectors.database_sqlite import SQLite, same_file
from crosswalk.errors import Drift, Incomplete, Invalid, SettingsError
from crosswalk.frames.frame import Frame
from crosswalk.points import point
from crosswalk.schemas.base import Record

__all__ = ["Database", "Loaded", "Removed", "Unfit", "unloadable"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the rows of a chunk, each in exactly one number.

    stale: the database holds a newer version, or the record was removed after this one. duplicate: a newer row of the
    same key stood in the same chunk. unchanged: not rewritten, except for its version where that is newer. deleted:
    rows that stood there and were to go; absent: rows that were to go and did not stand there.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    duplicate: int = 0
    deleted: int = 0
    absent: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def total(self) -> int:
        return sum(getattr(self, one.name) for one in fields(self))


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of the distinct keys that were to be removed. absent: no such row. stale: the row is newer."""

    removed: int = 0
    absent: int = 0
    stale: int = 0


class Database:
    """One database that is written to, PostgreSQL or SQLite by its URL."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Opens nothing yet. Raises SettingsError for what is no address of either."""
        self.clock = clock
        try:
            self._url = sa.make_url(url)
        except ArgumentError as error:
            raise SettingsError("the address of the database is no URL") from error
        kind = self._url.get_backend_name()
        if kind not in ("postgresql", "sqlite"):
            raise SettingsError(f"a database target is PostgreSQL or SQLite, not {kind}")
        self.dialect: Dialect = PostgreSQL() if kind == "postgresql" else SQLite()
        self.engine = self.dialect.engine(self._url)
        self._tables: dict[str, Table] = {}

    @property
    def where(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def same_database(self, other_url: str) -> bool:
        """The other URL surely names this database, so that one transaction can hold both; False when in doubt."""
        other = sa.make_url(other_url)
        if other.get_backend_name() != self.dialect.name:
            return False
        if self.dialect.name == "sqlite":
            return same_file(self._url, other)
        return _place(self._url) == _place(other)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Everything or nothing, for ``load`` and ``remove`` together with statements of the caller's own.

        Raises Unreachable, Transient, AccessDenied, Invalid, ... for the database's errors, and AnswerLost when the
        connection broke during the commit: then all is in or nothing, and loading again does no harm.
        """
        committing = False
        try:
            with self.engine.connect() as connection, connection.begin() as transaction:
                yield connection
                committing = True
                transaction.commit()
        except self.dialect.errors as error:
            raise self.dialect.trouble(error, self.where, committing) from error
        point("database:commit")

    def prepare(
        self,
        record: Record,
        schema_prefix: str = "",
        allow_new_columns: bool = True,
        owner: str = "",
        dry_run: bool = False,
    ) -> list[str]:
        """Make the tables of ``record``, or check those that stand; what was changed, in words.

        schema_prefix stands before every table name. owner: whose records they hold (a source connection); tables of
        another owner are refused. dry_run: only say it. Raises Drift when a column has another type, may not be added,
        or the table is not ours; SettingsError for another owner; MappingError for a record that cannot be a table.
        """
        table = layout(record, schema_prefix)
        with self.transaction() as connection:
            changes = stand(connection, self.dialect, table, allow_new_columns, owner, write=not dry_run)
        self._tables[record.name] = table
        return changes

    def fence(self, connection: sa.Connection, scope: str, number: int, epoch: str) -> None:
        """Raise Fenced when a later holder of the lease on ``scope`` has passed here; else keep it out of the way until
        this transaction ends. For a target that is not the store's own database, in the transaction of ``load``.

        number: the lease's fence, which grows with every holder of an epoch. A new epoch begins anew.
        """
        with self._within(connection):
            pass_fence(connection, self.dialect, scope, number, epoch)

    def load(self, frame: Frame, versions: pa.Array, connection: sa.Connection | None = None) -> Loaded:
        """Insert and update rows as a set, their lines with them; an older version never overwrites a newer one.

        frame: rows of a prepared record, in any order, at most a chunk. versions: string, one a row, that sorts by its
        bytes. With ``connection`` (of ``transaction``, or of another engine on the same database that began as a
        writer) it is a part of that transaction, without it a transaction of its own.
        Raises Invalid for rows that ``unloadable`` names, Drift for a frame of other columns, and as ``transaction``.
        """
        table = self._prepared(frame.record)
        chunk, duplicates = self._chunk(frame, versions)
        with self._within(connection) as own:
            codes = loading.load(own, self.dialect, table, chunk, self.clock.now())
        counts = [int(count) for count in np.bincount(codes, minlength=5)]
        return Loaded(
            created=counts[loading.CREATED],
            updated=counts[loading.UPDATED],
            unchanged=counts[loading.UNCHANGED] + counts[loading.TOUCHED],
            stale=counts[loading.STALE],
            duplicate=duplicates,
        )

    def plan(self, frame: Frame, versions: pa.Array) -> pa.Array:
        """What ``load`` would do, writing nothing: string, one a row of ``frame``, the names of Loaded's numbers."""
        table = self._prepared(frame.record)
        chunk, _ = self._chunk(frame, versions)
        with self.transaction() as connection:
            codes = loading.plan(connection, self.dialect, table, chunk)
        fates = np.full(len(frame), "duplicate", dtype=object)
        fates[newest(frame[frame.record.key], versions).to_numpy()] = [loading.NAMES[code] for code in codes]
        return pa.array(fates, pa.string())

    def standing(self, record: Record) -> bool:
        """Whether the table of a prepared record has been made."""
        with self.transaction() as connection:
            return bool(self.dialect.standing(connection, self._prepared(record).name))

    def read(self, record: Record, keys: Sequence[str | int] | None = None) -> Frame:
        """The rows of a prepared record as they stand, lines included, ordered by key; all of them without ``keys``.

        Keys that are not there are left out.
        """
        table = self._prepared(record)
        with self.transaction() as connection:
            return read(connection, self.dialect, record, table, keys)

    def between(self, record: Record, column: str, low: Any, high: Any) -> dict[str | int, str]:
        """The version of every row of a prepared record whose column lies from ``low`` to before ``high``, by key.

        column: of the record, or none for the version itself.
        """
        table = self._prepared(record)
        ends = pa.array([low, high], table.columns[column] if column else pa.string())
        low, high = (text(ends) if self.dialect.name == "sqlite" else ends).to_pylist()
        with self.transaction() as connection:
            there = target(table, self.dialect)
            by = there.c[column or VERSION]
            chosen = sa.select(there.c[table.key[0]], there.c[VERSION]).where(by >= low, by < high)
            return {row[0]: row[1] for row in connection.execute(chosen)}

    def remove(
        self,
        record: Record,
        keys: Sequence[str | int] | pa.Array,
        versions: pa.Array | None = None,
        connection: sa.Connection | None = None,
    ) -> Removed:
        """Take these rows away with their lines. A record read before its removal does not come back; one that is
        restored at the source, under a version not older, does.

        versions: string, the version at which each was removed; without it the version that stands in the row.
        """
        table = self._prepared(record)
        keys = keys if isinstance(keys, pa.Array) else pa.array(keys, table.columns[table.key[0]])
        given = pa.nulls(len(keys), pa.string()) if versions is None else versions
        with self._within(connection) as own:
            return Removed(*loading.remove(own, self.dialect, table, keys, given, self.clock.now()))

    @contextmanager
    def _within(self, connection: sa.Connection | None) -> Iterator[sa.Connection]:
        if connection is None:
            with self.transaction() as own:
                yield own
            return
        try:
            yield connection
        except self.dialect.errors as error:
            raise self.dialect.trouble(error, self.where, committing=False) from error

    def _prepared(self, record: Record) -> Table:
        if record.name not in self._tables:
            raise LookupError(f"prepare {record.name} before it is used")
        return self._tables[record.name]

    def _chunk(self, frame: Frame, versions: pa.Array) -> tuple[loading.Chunk, int]:
        """The newest row of every key with its hash, and how many were older ones of the same key."""
        _declared(frame)
        if len(versions) != len(frame) or versions.null_count or not pa.types.is_string(versions.type):
            raise ValueError(f"{frame.record.name}: {len(frame)} rows need as many versions, text and never null")
        mask, unfit = unloadable(frame)
        if unfit:
            first = unfit[0]
            raise Invalid(
                f"{pc.sum(mask).as_py()} rows of {frame.record.name} cannot be loaded: {first.field}: {first.reason}",
                record=str(frame[frame.record.key][first.row].as_py()),
                safe="nothing of this chunk was written",
            )
        kept = newest(frame[frame.record.key], versions)
        if len(kept) == len(frame):
            return loading.Chunk(frame, versions, hashes(frame)), 0
        keys = frame[frame.record.key]
        if pc.count_distinct(keys.take(kept)) != pc.count_distinct(keys):
            raise Incomplete(f"{frame.record.name}: rows were taken for older ones of a key that has no newer row")
        fewer = frame.take(kept)
        return loading.Chunk(fewer, versions.take(kept), hashes(fewer)), len(frame) - len(kept)


def _declared(frame: Frame) -> None:
    """The columns are the record's, in name and type, and so are the lines; anything else is an error in a program."""
    present = {name: frame.table.schema.field(name).type for name in frame.table.column_names}
    for field in frame.record.scalars:
        if present.get(field.name) != field.type.arrow:
            raise Drift(f"{frame.record.name}.{field.name} is {present.get(field.name)}, not {field.type.arrow}")
    for line in frame.record.lists:
        if line.name not in frame.lines:
            raise Drift(f"{frame.record.name}: the lines {line.name} are missing")
        _declared(frame.lines[line.name])


def _place(url: sa.URL) -> tuple[object, ...]:
    """Where a PostgreSQL database is; a schema in the search path is a place of its own."""
    return url.host, url.port or 5432, url.database, tuple(sorted(url.query.items(), key=str))
