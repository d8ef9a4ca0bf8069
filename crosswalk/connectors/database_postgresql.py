"""PostgreSQL as a target: COPY in CSV, real types, advisory locks."""

from __future__ import annotations

import io
import zlib

import psycopg
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from crosswalk.connectors.database_dialect import Kinds, Standing, first_line, kind_of
from crosswalk.connectors.database_rows import text
from crosswalk.errors import (
    AccessDenied,
    AnswerLost,
    BadCredentials,
    NotFound,
    ServerFault,
    Transient,
    Unreachable,
    VendorError,
)

LOCKS = 0x43574C4B  # One space of advisory locks for Crosswalk.
CONNECT_SECONDS = 10
IDLE = "2min"  # A process that is stopped inside a transaction loses it, and does not hold the others up for ever.
WAIT = "5min"

_STANDING = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0),
       NOT a.attnotnull OR a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

# By the beginning of the SQLSTATE, the longest first.
_ERRORS: Kinds = {
    "53100": (ServerFault, "the disk of the database is full"),
    "53": (ServerFault, "the database has no room for another connection or no memory"),
    "57014": (Transient, "the database cancelled the statement"),
    "57": (ServerFault, "the database is shutting down or starting"),
    "58": (ServerFault, "the database cannot read or write its files"),
    "55P03": (Transient, "a lock was not to be had in time"),
    "25P": (Transient, "the database ended a transaction that stood still"),
    "40": (Transient, "the database gave way to another transaction"),
    "08": (Unreachable, "the connection to the database broke"),
    "28": (BadCredentials, "the database does not accept the user or password"),
    "42501": (AccessDenied, "the user may not do this in the database"),
    "3D000": (NotFound, "there is no such database"),
    "3F000": (NotFound, "there is no such schema"),
    "42P01": (NotFound, "a table is gone"),
}

# While connecting there is no SQLSTATE, only the server's words; in another language all of it is "cannot be reached".
_SAID = {
    "password authentication failed": "28",
    "no pg_hba.conf entry": "28",
    'FATAL:  role "': "28",
    'FATAL:  database "': "3D000",
    "too many clients": "53",
    "connection slots": "53",
    "the database system is": "57",
}


class PostgreSQL:
    """PostgreSQL 12 or later through psycopg."""

    name = "postgresql"
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, psycopg.Error)

    def engine(self, url: sa.URL) -> sa.Engine:
        # Prepared statements break when a column is added under them.
        options = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=options)
        event.listen(engine, "connect", _settings)
        return engine

    def spelling(self, kind: pa.DataType) -> str:
        if pa.types.is_decimal(kind):
            return f"numeric({kind.precision},{kind.scale})"
        return {
            pa.string(): "text",
            pa.int64(): "bigint",
            pa.bool_(): "boolean",
            pa.date32(): "date",
            pa.timestamp("us", tz="UTC"): "timestamp with time zone",
        }[kind]

    def version_type(self) -> str:
        return 'text COLLATE "C"'

    def standing(self, connection: sa.Connection, table: str) -> dict[str, Standing]:
        found = connection.exec_driver_sql(_STANDING, (f'"{table}"',))
        return {name: Standing(kind, key, filled) for name, kind, key, filled in found}

    def lock(self, connection: sa.Connection, name: str) -> None:
        # Our temporary tables have no statistics: without the other two settings the planner reads whole tables.
        number = zlib.crc32(name.encode()) - 2**31
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(%s::int, %s::int), set_config('jit', 'off', true),"
            " set_config('random_page_cost', '1.1', true)",
            (LOCKS, number),
        )

    def append(self, connection: sa.Connection, table: str, rows: pa.Table) -> None:
        columns = [rows.column(name).combine_chunks() for name in rows.column_names]
        plain = [text(column) if pa.types.is_timestamp(column.type) else column for column in columns]
        sink = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(pa.table(plain, rows.column_names), sink, options)
        names = ", ".join(f'"{name}"' for name in rows.column_names)
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor:
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT csv)'.encode()) as copy:
                copy.write(sink.getbuffer())
            if cursor.rowcount != len(rows):
                raise ServerFault(f"COPY into {table} took {cursor.rowcount} of {len(rows)} rows")

    def trouble(self, error: Exception, where: str, committing: bool) -> VendorError:
        driver = getattr(error, "orig", None) or error
        state = getattr(driver, "sqlstate", None) or ""
        said = first_line(error)
        lost = isinstance(driver, psycopg.OperationalError) and state in ("", "57P01", "57P02")
        if committing and (lost or state.startswith("08")):
            return AnswerLost(
                f"the connection broke during the commit ({where}): {said}",
                safe="the chunk is in the database whole or not at all; loading it again does no harm",
                next_command="run again",
            )
        state = state or next((code for words, code in _SAID.items() if lost and words in said), "")
        kind, what = kind_of(_ERRORS, state)
        if lost and not state:
            kind, what = Unreachable, "the database cannot be reached"
        return kind(
            f"{what} ({where}): {said}",
            code=state,
            body=said,
            safe="what was committed before stands; nothing of this chunk was written",
        )


def _settings(connection: psycopg.Connection, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE}'".encode())
        cursor.execute(f"SET lock_timeout = '{WAIT}'".encode())
    connection.commit()
