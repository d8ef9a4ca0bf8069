"""What a list needs of an SQLite store, read without the store's machinery: that takes longer to load than to ask."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import crosswalk.store

LAST = """
SELECT state, coalesce(ended_at, started_at) FROM run WHERE scope = ? AND dry_run = 0
ORDER BY started_at DESC, id LIMIT 1
"""


def last_runs(store: str, scopes: list[str]) -> dict[str, tuple[str, datetime]] | None:
    """How and when the last run of each scope ended, or began where it has not.

    None where this way does not fit, and the store is to be opened as always: another database, another release, a file
    that cannot be read.
    """
    kind, _, path = store.partition(":///")
    if kind != "sqlite":
        return None
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if revision != _head():
                return None
            found = {scope: connection.execute(LAST, (scope,)).fetchone() for scope in scopes}
    except (sqlite3.Error, TypeError, ValueError):
        return None
    return {
        scope: (str(row[0]), datetime.fromisoformat(row[1]).replace(tzinfo=UTC)) for scope, row in found.items() if row
    }


def _head() -> str:
    versions = Path(crosswalk.store.__path__[0]) / "migrations" / "versions"
    return max(file.name[:4] for file in versions.glob("[0-9]*.py"))
