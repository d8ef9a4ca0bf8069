"""Erasing what the store holds of a person, and keeping what keeps a record from being written twice.

Keys, hashes, versions and links stay: they hold no data of a person, and by them the next run knows what was delivered.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import Connection, Row, String, Table, Text, and_, delete, select, update

from crosswalk.errors import Busy
from crosswalk.store.engine import Store
from crosswalk.store.leases import gone
from crosswalk.store.ledger import STATE, chunked
from crosswalk.store.tables import HELD, LEASE, MEMBER, METADATA, RECORD
from crosswalk.store.tables_corrections import CORRECTION
from crosswalk.store.tables_inbox import INBOX

GONE = "[forgotten]"
LEFT = {"meta", "cursor", "lease", "link", "token", "batch", "member"}
"""Tables without text about people, or whose text is what was and will be sent for other records."""
PAYLOADS = {"wanted_payload", "wanted_extra", "applied_payload"}
SHORT_TEXTS = {"excerpt", "note", "error", "why"}


class Words:
    """What a person is known by, found in any text however it is quoted.

    names: e-mail addresses, full names, numbers, and the record's own id; single short words would be found everywhere.
    """

    def __init__(self, names: Iterable[str]) -> None:
        forms = {form for name in names if len(name) >= 3 for form in _forms(name)}
        longest_first = sorted(forms, key=len, reverse=True)
        either = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE) if forms else None

    def within(self, text: str) -> bool:
        return self._pattern is not None and self._pattern.search(text) is not None

    def without(self, text: str) -> str:
        """The text, with each of them replaced."""
        return self._pattern.sub(GONE, text) if self._pattern is not None else text


def _forms(name: str) -> set[str]:
    """How it may stand in JSON, in an address, on a page."""
    forms = {name, quote(name), quote(name, safe=""), quote_plus(name), html.escape(name)}
    return forms | {json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}


def records(store: Store, scopes: Sequence[str], resource: str, id: str) -> list[Row[Any]]:
    """The ledger's rows of a source record, whose id may be given without what stands before its last slash."""
    mine = (RECORD.c.scope.in_(scopes), RECORD.c.source_resource.in_((resource, "")))
    named = (RECORD.c.key == id) | RECORD.c.key.endswith(f"/{id}", autoescape=True)
    with store.reading() as connection:
        return list(connection.execute(select(RECORD, STATE.label("state")).where(*mine, named)))


def held_rows(store: Store, scopes: Sequence[str], id: str) -> list[Row[Any]]:
    """What was ever held of it and is still kept."""
    named = (HELD.c.key == id) | HELD.c.key.endswith(f"/{id}", autoescape=True)
    with store.reading() as connection:
        return list(connection.execute(select(HELD).where(HELD.c.scope.in_(scopes), named)))


def payloads(store: Store, rows: Sequence[Row[Any]]) -> list[tuple[str, str]]:
    """(target resource, JSON) of everything that was made of these records."""
    found = [(r.resource, text) for r in rows for text in (r.wanted_payload, r.applied_payload) if text]
    with store.reading() as connection:
        for row in rows:
            query = select(MEMBER.c.payload).where(*_members(row))
            found += [(row.resource, text) for text in connection.execute(query).scalars() if text]
    return found


def _members(row: Row[Any]) -> tuple[Any, ...]:
    return MEMBER.c.scope == row.scope, MEMBER.c.key == row.key, MEMBER.c.part == row.part


def may(store: Store, scopes: Sequence[str], rows: Sequence[Row[Any]]) -> None:
    """Raises Busy while a binding runs, and while something of the record is on its way to a target."""
    with store.reading() as connection:
        leases = list(connection.execute(select(LEASE).where(LEASE.c.scope.in_(scopes), LEASE.c.holder != "")))
    for lease in leases:
        if lease.expires_at > store.clock.now() and not gone(lease.host, lease.boot_id, lease.pid):
            raise Busy(
                f"pid {lease.pid} on {lease.host} is running {lease.scope} and may hold the record in its memory",
                safe="nothing was erased",
                next_command="wait for the run to end, then forget again",
            )
    for row in rows:
        if row.state in ("in doubt", "pending"):
            raise Busy(
                f"a change of it is {row.state}: what would be erased is still to be sent",
                record=f"{row.key} {row.part}".strip(),
                safe="nothing was erased",
                next_command=f"crosswalk run {row.scope.split('/')[1]}, then forget again",
            )


def erase(store: Store, rows: Sequence[Row[Any]], holds: Sequence[Row[Any]], words: Words) -> Counter[str]:
    """Erase in one transaction what is stored of these records, and the person's words wherever else they stand.

    Returns how many of what. What was not delivered yet is left out from now on, unless the source shows it again.
    """
    done: Counter[str] = Counter()
    with store.transaction("forget") as connection:
        if store.dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        for row in rows:
            _record(connection, row, done)
        for some in chunked([h.id for h in holds]):
            blank = {"reason": GONE, "excerpt": "", "raw": b""}
            done["held rows"] += connection.execute(update(HELD).where(HELD.c.id.in_(some)).values(**blank)).rowcount
        mine = CORRECTION.c.scope.in_({r.scope for r in (*rows, *holds)})
        for some in chunked(sorted({r.key for r in (*rows, *holds)})):
            going = delete(CORRECTION).where(mine, CORRECTION.c.key.in_(some), CORRECTION.c.field != "")
            done["corrections"] += connection.execute(going).rowcount
        _sealed(connection, store, words, done)
        for name, table in METADATA.tables.items():
            if name not in LEFT:
                _texts(connection, table, words, done)
    return done


def _record(connection: Connection, row: Row[Any], done: Counter[str]) -> None:
    mine = and_(RECORD.c.scope == row.scope, RECORD.c.key == row.key, RECORD.c.part == row.part)
    values: dict[str, Any] = {
        "wanted_payload": "", "wanted_extra": "", "applied_payload": "", "last_error": "",
        "held": GONE if row.held else "", "needs": "", "parked_at": None, "wanted_hash": row.applied_hash,
    }  # fmt: skip
    if not row.applied_hash:
        values["wanted_version"] = ""
        if not row.held and not row.skipped:
            values["skipped"] = "forgotten"
            done["parts that were not delivered and will not be"] += 1
    elif row.wanted_hash != row.applied_hash:
        values["wanted_version"] = row.applied_version
    connection.execute(update(RECORD).where(mine).values(**values))
    done["records"] += 1
    blank = update(MEMBER).where(*_members(row), MEMBER.c.outcome != "").values(payload="", expects="{}")
    done["payloads of requests"] += connection.execute(blank).rowcount


def _sealed(connection: Connection, store: Store, words: Words, done: Counter[str]) -> None:
    """Sealed records of others that speak of the person: an order that is held, an event that was kept."""
    for table, column, what in ((HELD, HELD.c.raw, "held rows of others"), (INBOX, INBOX.c.body, "events")):
        (key,) = [c for c in table.columns if c.name == "id"]
        for name, sealed in list(connection.execute(select(key, column).where(column != b""))):
            if words.within(store.vault.open(sealed).decode("utf-8", "replace")):
                connection.execute(update(table).where(key == name).values({column: b""}))
                done[what] += 1


def _texts(connection: Connection, table: Table, words: Words, done: Counter[str]) -> None:
    texts = [c for c in table.columns if _tells(c) and c.name not in PAYLOADS]
    keys = list(table.primary_key.columns)
    if not texts:
        return
    for row in list(connection.execute(select(*keys, *texts))):
        new = {c: words.without(row[len(keys) + n]) for n, c in enumerate(texts) if row[len(keys) + n]}
        changed = {c: text for n, c in enumerate(texts) if (text := new.get(c)) not in (None, row[len(keys) + n])}
        if changed:
            mine = and_(*(key == row[n] for n, key in enumerate(keys)))
            connection.execute(update(table).where(mine).values(changed))
            done[f"texts of {table.name}"] += 1


def _tells(column: Any) -> bool:
    """Whether a column holds sentences, and not names and keys."""
    kind = getattr(column.type, "impl", column.type)
    long = isinstance(kind, Text) or isinstance(column.type, Text)
    return long or (isinstance(kind, String) and column.name in SHORT_TEXTS)


def compact(store: Store) -> bool:
    """Have SQLite give up the pages that still hold what was erased; False when somebody else is using the file.

    A PostgreSQL server does so by itself, when it next vacuums.
    """
    if store.dialect != "sqlite":
        return True
    raw = store.engine.raw_connection()
    try:
        own: Any = raw.driver_connection
        own.execute("VACUUM")
        busy = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy
    except sqlite3.OperationalError:
        return False
    finally:
        raw.close()


def leaves(value: Any, wanted: Collection[str], at: str = "") -> Iterable[str]:
    """The texts in nested JSON that stand under these dotted names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, wanted, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, wanted, at)
    elif at in wanted and value not in (None, ""):
        yield str(value)
