"""Copying the store away and back. A restored store has a new epoch: it may be older than the world."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Connection, DateTime, LargeBinary, delete, func, insert, select, text

from crosswalk.errors import StoreError, StoreVersion
from crosswalk.store.engine import Store
from crosswalk.store.tables import METADATA, TOKEN

FORMAT = "crosswalk store 1"


def backup(store: Store, file: Path) -> dict[str, int]:
    """Write every table into one compressed file, consistent as of one moment; rows by table.

    Sealed columns stay sealed: the key is needed again to read them. Raises StoreError; an older file of that name
    is only replaced by a whole one.
    """
    part = file.with_suffix(file.suffix + ".part")
    try:
        counts = _write(store, part)
        part.replace(file)
    except OSError as error:
        raise StoreError(
            f"the backup cannot be written to {file}: {error}",
            safe="the store is as it was, and so is an older backup of that name",
            next_command="free some space or name another place, then back up again",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return counts


def _write(store: Store, part: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with store.reading() as connection, gzip.open(part, "wt", encoding="utf-8") as out:
        if store.dialect == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        out.write(json.dumps({"format": FORMAT, "revision": store.revision()}) + "\n")
        for table in METADATA.sorted_tables:
            counts[table.name] = 0
            for row in connection.execute(select(table)):
                values = {k: _out(v) for k, v in row._mapping.items()}
                out.write(json.dumps([table.name, values]) + "\n")
                counts[table.name] += 1
        out.write(json.dumps({"end": counts}) + "\n")
    return counts


def restore(store: Store, file: Path) -> dict[str, int]:
    """Replace everything in the store by a backup, in one transaction, and begin a new epoch.

    Raises StoreError for a file that is cut or no backup, StoreVersion for one of another release, KeyTrouble for one
    that was written with another key.
    """
    by_table, counts = _checked(store, file)
    with store.transaction("restore") as connection:
        newer = _newer_tokens(connection, by_table.get("token", []))
        for table in reversed(METADATA.sorted_tables):
            connection.execute(delete(table))
        for table in METADATA.sorted_tables:
            rows = [{k: _in(table.c[k], v) for k, v in values.items()} for values in by_table.get(table.name, [])]
            for start in range(0, len(rows), 1000):
                connection.execute(insert(table), rows[start : start + 1000])
        for token in newer:
            connection.execute(delete(TOKEN).where(TOKEN.c.connection == token["connection"]))
            connection.execute(insert(TOKEN).values(**token))
        if store.dialect == "postgresql":
            _serial(connection)
        store.new_epoch(connection)
    store.open()
    return counts


def _checked(store: Store, file: Path) -> tuple[dict[str, list[dict[str, Any]]], dict[str, int]]:
    """The rows of a backup by table, and how many there are; everything that can be wrong is found here."""
    lines = _lines(file)
    head, end = (lines[0], lines[-1]) if lines else (None, None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise StoreError(f"{file} is no backup of a Crosswalk store", safe="the store is as it was")
    if not _older(str(head["revision"]), str(store.revision())):
        raise StoreVersion(
            f"{file} stands at migration {head['revision']}, the store at {store.revision()}",
            safe="the store is as it was",
            next_command="restore with the release that wrote it, then migrate",
        )
    if not isinstance(end, dict) or "end" not in end:
        raise StoreError(f"{file} is cut: its last line is missing", safe="the store is as it was")
    by_table: dict[str, list[dict[str, Any]]] = {}
    for name, values in lines[1:-1]:
        by_table.setdefault(name, []).append(values)
    counts = {name: len(rows) for name, rows in by_table.items()}
    if counts != {name: count for name, count in end["end"].items() if count}:
        raise StoreError(f"{file} is damaged: it holds other rows than it says", safe="the store is as it was")
    sealed = [row["value"] for row in by_table.get("meta", []) if row["name"] == "sealed"]
    for value in sealed:
        store.vault.open(value.encode())  # a backup under another key could never be read
    return by_table, dict(end["end"])


def _older(written: str, here: str) -> bool:
    """Whether rows of that release fit into this store: migrations only add, and what is missing has a default."""
    from crosswalk.store.migrate import known

    return written <= here and written in known()


def _newer_tokens(connection: Connection, kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tokens rotate, and one that was used up is good for nothing: of each connection the newest stays."""
    versions = {row["connection"]: row["version"] for row in kept}
    rows = connection.execute(select(TOKEN).where(TOKEN.c.version > 0))
    return [dict(row._mapping) for row in rows if row.version > versions.get(row.connection, 0)]


def _serial(connection: Any) -> None:
    link = METADATA.tables["link"]
    highest = connection.execute(select(func.max(link.c.id))).scalar()
    if highest:
        connection.execute(text("SELECT setval(pg_get_serial_sequence('link', 'id'), :id)"), {"id": highest})


def _lines(file: Path) -> list[Any]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except FileNotFoundError as error:
        raise StoreError(f"there is no file {file}", safe="the store is as it was") from error
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"{file} is cut or damaged: {error}", safe="the store is as it was") from error


def _out(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def _in(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, LargeBinary):
        return b64decode(value)
    kind = getattr(column.type, "impl", column.type)
    if isinstance(kind, DateTime) or isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    return bool(value) if isinstance(column.type, Boolean) else value
