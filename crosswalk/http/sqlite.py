"""A small SQLite file shared by threads and processes, for what does not belong in the store's own database."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crosswalk.errors import StoreError


class File:
    """One connection a thread and process; a statement commits by itself, except in a transaction.

    synchronous: NORMAL survives a kill, OFF too, but a power cut may then damage the file: only for what can be lost.
    """

    def __init__(self, path: Path, schema: str, *, what: str, synchronous: str = "NORMAL", busy: float = 30) -> None:
        self._path, self._schema, self._what = path, schema, what
        self._synchronous, self._busy = synchronous, busy
        self._local = threading.local()
        self.run("SELECT 1")

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute one statement; StoreError when the file cannot be used."""
        try:
            return list(self._connection().execute(statement, values))
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._what} {self._path} cannot be used: {error}",
                safe="the request that needed it was not sent",
                next_command="crosswalk store check",
            ) from None

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """As ``run``; gives the id of the row that was inserted."""
        try:
            return int(self._connection().execute(statement, values).lastrowid or 0)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._what} {self._path} cannot be written: {error}",
                safe="the request that needed it was not sent",
                next_command="crosswalk store check",
            ) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is run inside one transaction that writes; undone by an exception."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        kept: tuple[int, sqlite3.Connection] | None = getattr(self._local, "kept", None)
        if kept is not None and kept[0] == os.getpid():
            return kept[1]
        self._local.inherited = kept  # a forked child leaves its parent's connection alone, unclosed
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=self._busy, isolation_level=None)
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(self._schema)
        self._local.kept = (os.getpid(), connection)
        return connection
