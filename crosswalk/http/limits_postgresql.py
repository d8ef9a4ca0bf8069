"""The limits of several machines, in the PostgreSQL database of their store, in a schema of their own.

Transactions are short, hold a lock on one account and need not survive a power cut. Places among concurrent requests
are advisory locks of a connection that each process keeps: the server drops them when the process ends, however that
comes about.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crosswalk.errors import StoreError, Throttled
from crosswalk.http.answer import LONGEST_WAIT
from crosswalk.http.limits import SCHEMA
from crosswalk.http.protocols import Account

if TYPE_CHECKING:
    import psycopg

PREFIX = "crosswalk_limits."
ROUNDS = 4_800  # of 25 ms


class PostgresShelf:
    """See ``Shelf``. address: as libpq takes it (``postgresql://...``)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._local = threading.local()
        self._made: list[tuple[int, psycopg.Connection[Any]]] = []
        self._make()

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        import psycopg

        query: Any = statement.format(PREFIX).replace("?", "%s")
        try:
            cursor = self._connection().execute(query, tuple(values))
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise _trouble(error) from None

    @contextmanager
    def transaction(self, key: str) -> Iterator[None]:
        import psycopg

        connection = self._connection()
        try:
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = off")
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('crosswalk limits'), hashtext(%s))", (key,))
                yield
        except psycopg.Error as error:
            raise _trouble(error) from None

    def close(self) -> None:
        """Let go of this process's connections."""
        for pid, connection in self._made:
            if pid == os.getpid():
                connection.close()
        self._made.clear()

    def _connection(self) -> psycopg.Connection[Any]:
        kept = getattr(self._local, "kept", None)
        if kept is None or kept[0] != os.getpid() or kept[1].closed:
            self._local.inherited = kept if kept and kept[0] != os.getpid() else None  # a fork leaves it alone
            kept = self._local.kept = (os.getpid(), _connect(self._address))
            self._made.append(kept)
        found: psycopg.Connection[Any] = kept[1]
        return found

    def _make(self) -> None:
        import psycopg

        try:
            with _connect(self._address) as connection, connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('crosswalk limits'), 0)")
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {PREFIX.rstrip('.')}")
                for table in SCHEMA:
                    connection.execute(table.format(PREFIX).encode())
        except psycopg.Error as error:
            raise _trouble(error) from None


class PostgresRoom:
    """See ``Room``: places over all machines."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._kept: tuple[int, psycopg.Connection[Any]] | None = None
        self._taken: dict[str, tuple[int, int]] = {}
        self._inherited: list[Any] = []

    def enter(self, account: Account) -> str:
        for _ in range(ROUNDS):
            ticket = self._try(account)
            if ticket:
                return ticket
            select.select([], [], [], 0.025)
        raise Throttled(f"{account.key}: no place among its concurrent requests", wait=LONGEST_WAIT, scope="concurrent")

    def leave(self, ticket: str) -> None:
        import psycopg

        with self._lock:
            place = self._taken.pop(ticket, None)
            if place is None or place[0] != os.getpid() or self._kept is None or self._kept[1].closed:
                return
            account, number = ticket.rsplit("|", 1)
            try:
                self._kept[1].execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", (account, int(number)))
            except psycopg.Error:
                self._kept[1].close()  # what a connection held is free when it is gone

    def close(self) -> None:
        """Let go of this process's connection, and of every place it holds."""
        with self._lock:
            if self._kept is not None and self._kept[0] == os.getpid():
                self._kept[1].close()

    def _try(self, account: Account) -> str:
        import psycopg

        with self._lock:
            try:
                connection = self._connection()
                for number in range(account.quota.concurrent):
                    ticket = f"{account.key}|{number}"
                    if ticket in self._taken:
                        continue  # a lock of this very connection would be given a second time
                    query = "SELECT pg_try_advisory_lock(hashtext(%s), %s)"
                    row = connection.execute(query, (account.key, number)).fetchone()
                    if row and row[0]:
                        self._taken[ticket] = (os.getpid(), number)
                        return ticket
            except psycopg.Error as error:
                raise _trouble(error) from None
        return ""

    def _connection(self) -> psycopg.Connection[Any]:
        kept = self._kept
        if kept is None or kept[0] != os.getpid() or kept[1].closed:
            if kept is not None and kept[0] != os.getpid():
                self._inherited.append(kept)  # a forked child leaves its parent's connection alone
            self._taken.clear()
            kept = self._kept = (os.getpid(), _connect(self._address))
        return kept[1]


def _connect(address: str) -> psycopg.Connection[Any]:
    import psycopg

    try:
        return psycopg.connect(address, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise _trouble(error) from None


def _trouble(error: BaseException) -> StoreError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StoreError(
        f"the limits in the store's PostgreSQL cannot be used: {text}",
        safe="the request that needed them was not sent",
        next_command="check CROSSWALK_STORE and that the database runs",
    )
