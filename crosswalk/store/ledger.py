"""The ledger: what every target record should hold, what it is known to hold, and the derived state of each.

Nothing here makes a request. Callers bring the transaction, so that a chunk's outcomes and its cursor stand together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from crosswalk.store import overtaking
from crosswalk.store.engine import Store
from crosswalk.store.tables import BATCH, RECORD

IN = 900
STUBBORN = 2
"""Tries that came to nothing after which a record comes last, alone, and is tried once at a time: the target may fail
on it and on nothing else."""

STATE = case(
    (RECORD.c.batch != "", "in doubt"),
    (RECORD.c.held != "", "held"),
    (RECORD.c.needs != "", "parked"),
    (and_(RECORD.c.wanted_hash != "", RECORD.c.wanted_hash != RECORD.c.applied_hash), "pending"),
    (RECORD.c.skipped != "", "skipped"),
    (and_(RECORD.c.wanted_remove, RECORD.c.applied_hash != ""), "removed"),
    else_="applied",
)
FOUND = "found"
"""In place of an applied hash: the target's record carries our reference, and it does not show what is wanted."""
PARENT = "parent"
"""Why a record is held that waited too long for its parent; the parent's coming releases it."""

PENDING = and_(
    RECORD.c.wanted_hash != RECORD.c.applied_hash,
    RECORD.c.wanted_hash != "",
    RECORD.c.batch == "",
    RECORD.c.held == "",
    RECORD.c.needs == "",
    RECORD.c.skipped == "",
)


@dataclass(frozen=True)
class Name:
    """What names a ledger row inside a scope."""

    key: str
    part: str


@dataclass
class Wanted:
    """The newest version of one target record, as the mapping made it.

    payload: JSON text.  links: target field → (resource that is linked to, resource linked from, id there).
    alternatives: values to use when the first are taken.  expects: values that the target's own answer must show.
    match: target field and value by which an existing record is recognised on first contact; none when empty.
    """

    name: Name
    resource: str
    rank: int
    source_resource: str
    source_id: str
    marker: str
    version: str
    hash: str
    payload: str
    digest: str
    remove: bool = False
    links: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    alternatives: dict[str, Any] = field(default_factory=dict)
    expects: dict[str, Any] = field(default_factory=dict)
    create_only: tuple[str, ...] = ()
    match: tuple[str, str] | None = None
    rule: str = ""

    @property
    def hangs(self) -> bool:
        """Whether it refers to another part of the same source record."""
        return any(
            of == self.source_resource and id.partition("#")[0] == self.name.key for _, of, id in self.links.values()
        )

    @property
    def extra(self) -> str:
        """What the payload needs besides, as JSON text."""
        return dump(
            {
                "links": self.links,
                "alternatives": self.alternatives,
                "expects": self.expects,
                "create_only": list(self.create_only),
            }
            | ({"match": self.match} if self.match else {})
        )


def dump(value: Any) -> str:
    """JSON text with exact numbers; decimals are written as strings that ``load`` leaves as text."""
    return json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True)


def load(text: str) -> Any:
    """JSON with numbers that have a fraction as Decimal, never as float."""
    return json.loads(text, parse_float=Decimal) if text else {}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def clean(text: str, most: int = 500) -> str:
    """Text that every database takes: cut, without NUL characters and halves of surrogate pairs."""
    return text[:most].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def chunked(values: Sequence[Any], size: int = IN) -> Iterator[Sequence[Any]]:
    """``values`` in pieces that one statement can carry."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def existing(connection: Connection, scope: str, keys: Iterable[str]) -> dict[Name, Row[Any]]:
    """The rows of these source keys, every part."""
    found: dict[Name, Row[Any]] = {}
    for some in chunked(sorted(set(keys))):
        for row in connection.execute(select(RECORD).where(RECORD.c.scope == scope, RECORD.c.key.in_(some))):
            found[Name(row.key, row.part)] = row
    return found


def upsert(connection: Connection, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Insert rows, or set ``columns`` of those that exist. Every row has the same keys."""
    if not rows:
        return
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(RECORD)
    statement = statement.on_conflict_do_update(
        index_elements=["scope", "key", "part"], set_={c: statement.excluded[c] for c in columns}
    )
    connection.execute(statement, list(rows))


def named(scope: str, names: Sequence[Name]) -> Any:
    """The rows of these names, for a WHERE."""
    return and_(RECORD.c.scope == scope, tuple_(RECORD.c.key, RECORD.c.part).in_([(n.key, n.part) for n in names]))


def pending(
    connection: Connection, scope: str, now: datetime, limit: int, skip: Sequence[str] = (), only: Collection[str] = ()
) -> list[Row[Any]]:
    """What may be sent now, lowest rank first, then oldest; rows of one resource, lone ones apart, stubborn ones last.

    only: of these source keys alone.
    """
    due = or_(RECORD.c.next_try_at.is_(None), RECORD.c.next_try_at <= now)
    wanted = and_(RECORD.c.scope == scope, PENDING, due, RECORD.c.resource.not_in(skip))
    if only:
        wanted = and_(wanted, RECORD.c.key.in_(sorted(only)))
    order = (
        RECORD.c.tries >= STUBBORN,
        RECORD.c.rank,
        RECORD.c.alone,
        RECORD.c.resource,
        RECORD.c.first_seen_at,
        RECORD.c.key,
        RECORD.c.part,
    )
    return list(connection.execute(select(RECORD).where(wanted).order_by(*order).limit(limit)))


def states(store: Store, scope: str) -> dict[str, int]:
    """How many records are in each derived state."""
    with store.reading() as connection:
        rows = connection.execute(select(STATE, func.count()).where(RECORD.c.scope == scope).group_by(STATE))
        return {str(state): int(count) for state, count in rows}


@dataclass(frozen=True)
class Queue:
    """What waits to be sent, or to be known to have been sent. since: when the oldest of it began to wait."""

    count: int
    since: datetime | None


def queue(store: Store, scope: str) -> Queue:
    """The queue of a binding."""
    with store.reading() as connection:
        sent_later = connection.execute(
            select(func.count(), func.min(RECORD.c.changed_at)).where(RECORD.c.scope == scope, PENDING)
        ).one()
        in_doubt = connection.execute(
            select(func.count(), func.min(RECORD.c.changed_at)).where(RECORD.c.scope == scope, RECORD.c.batch != "")
        ).one()
    known = [row[1] for row in (sent_later, in_doubt) if row[1] is not None]
    return Queue(int(sent_later[0]) + int(in_doubt[0]), min(known, default=None))


def waiting(store: Store, scope: str, before: datetime) -> list[str]:
    """Keys of records that have waited since before then to be sent, or to be known to have been sent."""
    late = (RECORD.c.scope == scope, RECORD.c.changed_at < before, STATE.in_(("pending", "in doubt")))
    with store.reading() as connection:
        return list(connection.execute(select(RECORD.c.key).distinct().where(*late).limit(100)).scalars())


def adrift(store: Store, scope: str) -> list[str]:
    """Keys of records that name an attempt which is not open: nothing would ever resolve them. There are none."""
    attempt = select(BATCH.c.id).where(BATCH.c.id == RECORD.c.batch, BATCH.c.open.is_(True)).exists()
    lost = (RECORD.c.scope == scope, RECORD.c.batch != "", ~attempt)
    with store.reading() as connection:
        return list(connection.execute(select(RECORD.c.key).distinct().where(*lost).limit(100)).scalars())


def fates(store: Store, scope: str, run: str) -> dict[str, int]:
    """What became of the parts that a run saw, as decided where it was decided."""
    with store.reading() as connection:
        rows = connection.execute(
            select(RECORD.c.fate, func.count())
            .where(RECORD.c.scope == scope, RECORD.c.seen_run == run)
            .group_by(RECORD.c.fate)
        )
        counts = Counter({str(fate): int(count) for fate, count in rows})
        return dict(counts + Counter(overtaking.fates(connection, run)))


def skipped_rules(store: Store, scope: str, run: str) -> dict[str, int]:
    """How many parts of a run were skipped, by rule."""
    with store.reading() as connection:
        rows = connection.execute(
            select(RECORD.c.skipped, func.count())
            .where(RECORD.c.scope == scope, RECORD.c.seen_run == run, RECORD.c.fate == "skipped")
            .group_by(RECORD.c.skipped)
        )
        counts = Counter({str(rule) or "stale": int(count) for rule, count in rows})
        return dict(counts + Counter(overtaking.rules(connection, run)))


def backlog(store: Store, scope: str) -> int:
    """How many records wait to be sent: the outbox."""
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).where(RECORD.c.scope == scope, PENDING)).scalar_one())


def mark(connection: Connection, scope: str, names: Sequence[Name], **values: Any) -> int:
    """Set columns of these rows; the number of rows that were there."""
    done = 0
    for some in chunked(names, 400):
        done += connection.execute(update(RECORD).where(named(scope, some)).values(**values)).rowcount
    return done


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that are known to be new."""
    if rows:
        connection.execute(insert(RECORD), list(rows))
