"""SQLite as a target: one writer, exact values.

SQLite has no decimal, no instant and no date: a number would become a float. They are kept as text, decimals with all
their digits, instants as ``2026-11-23 09:00:00.000000Z``, both of which sort and which SQLite's own functions read.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from crosswalk.connectors.database_dialect import Kinds, Standing, first_line, kind_of
from crosswalk.connectors.database_rows import text
from crosswalk.errors import AccessDenied, Invalid, NotFound, ServerFault, Transient, Unreachable, VendorError

WAIT_SECONDS = 60

_ERRORS: Kinds = {
    "SQLITE_FULL": (ServerFault, "the disk of the database is full"),
    "SQLITE_IOERR": (ServerFault, "the file of the database cannot be read or written"),
    "SQLITE_BUSY": (Transient, "another process holds the database"),
    "SQLITE_LOCKED": (Transient, "another process holds the database"),
    "SQLITE_READONLY": (AccessDenied, "the file of the database may not be written"),
    "SQLITE_PERM": (AccessDenied, "the file of the database may not be opened"),
    "SQLITE_CANTOPEN": (Unreachable, "the file of the database cannot be opened"),
    "SQLITE_NOTADB": (Invalid, "the file is no SQLite database"),
    "SQLITE_CORRUPT": (Invalid, "the file of the database is damaged"),
}


class SQLite:
    """SQLite in WAL mode."""

    name = "sqlite"
    errors: tuple[type[Exception], ...] = (SQLAlchemyError,)

    def engine(self, url: sa.URL) -> sa.Engine:
        engine = sa.create_engine(url, connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _settings)
        event.listen(engine, "begin", _begin)
        return engine

    def spelling(self, kind: pa.DataType) -> str:
        if pa.types.is_decimal(kind):
            return f"decimal_text({kind.precision},{kind.scale})"
        return {
            pa.string(): "text",
            pa.int64(): "bigint",
            pa.bool_(): "boolean",
            pa.date32(): "date_text",
            pa.timestamp("us", tz="UTC"): "timestamp_text",
        }[kind]

    def version_type(self) -> str:
        return "text"

    def standing(self, connection: sa.Connection, table: str) -> dict[str, Standing]:
        found = connection.exec_driver_sql(f'PRAGMA table_info("{table}")')
        return {
            name: Standing(kind.lower(), key, not required or default is not None)
            for _, name, kind, required, default, key in found
        }

    def lock(self, connection: sa.Connection, name: str) -> None:
        """The transaction began as a writer, and there is only one."""

    def append(self, connection: sa.Connection, table: str, rows: pa.Table) -> None:
        if not len(rows):
            return
        columns = [_plain(rows.column(name).combine_chunks()).to_pylist() for name in rows.column_names]
        into = sa.table(table, *(sa.column(name) for name in rows.column_names))
        statement = str(sa.insert(into).compile(dialect=connection.dialect))
        done = connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))
        if done.rowcount != len(rows):
            raise ServerFault(f"{table} took {done.rowcount} of {len(rows)} rows")

    def trouble(self, error: Exception, where: str, committing: bool) -> VendorError:
        said = first_line(error)
        code = str(getattr(getattr(error, "orig", None), "sqlite_errorname", ""))
        kind, what = kind_of(_ERRORS, code)
        if said.startswith("no such table"):
            kind, what = NotFound, "a table is gone"
        return kind(
            f"{what} ({where}): {said}",
            code=code,
            body=said,
            safe="what was committed before stands; nothing of this chunk was written",
        )


def same_file(one: sa.URL, other: sa.URL) -> bool:
    """Both are the same file; a database in memory is nobody else's."""
    if not one.database or not other.database or ":memory:" in (one.database, other.database):
        return False
    return Path(one.database).resolve() == Path(other.database).resolve()


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    exact = pa.types.is_decimal(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return text(column) if exact else column


def _settings(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # The rows are the ledger: the last commit must survive a power cut.
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
