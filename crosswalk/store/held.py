"""The quarantine: rows that a person has to look at, each with rule, field, reason and the sealed raw record."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from crosswalk.store.engine import Store
from crosswalk.store.ledger import Name, chunked, clean
from crosswalk.store.tables import HELD, RECORD


@dataclass(frozen=True)
class Hold:
    """Why one part of one record is held.

    step: parse, validate, transform, load.  because: the digest of the rules that decided, so that a change of rules
    tries again; empty when only a person or a newer version can.
    """

    key: str
    part: str
    step: str
    rule: str
    field: str
    reason: str
    excerpt: str = ""
    by_person: bool = False
    raw: bytes = b""
    because: str = ""
    version: str = ""

    def id(self, scope: str) -> str:
        """One row per part, rule and field: the same trouble again is counted, not repeated."""
        text = "\x1f".join((scope, self.key, self.part, self.rule, self.field))
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def put(connection: Connection, store: Store, scope: str, run: str, holds: Sequence[Hold], at: datetime) -> None:
    """Write holds; what is open already is counted once more."""
    by_id = {hold.id(scope): hold for hold in holds}
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [
        {
            "id": name, "scope": scope, "key": hold.key, "part": hold.part, "step": hold.step, "rule": hold.rule,
            "field": hold.field, "reason": clean(hold.reason, 2000), "excerpt": clean(hold.excerpt, 200),
            "by_person": hold.by_person, "raw": store.vault.seal(hold.raw) if hold.raw else b"",
            "because": hold.because, "version": hold.version, "times": 1, "first_run": run, "last_run": run,
            "first_at": at, "last_at": at, "open": True,
        }
        for name, hold in by_id.items()
    ]  # fmt: skip
    if rows:
        statement = make(HELD)
        fresh = {c: statement.excluded[c] for c in ("reason", "excerpt", "raw", "because", "version", "last_run")}
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={
                    **fresh,
                    "last_at": at,
                    "times": HELD.c.times + 1,
                    "open": True,
                    # A row that was released and is held again is a new one to whoever is warned.
                    "first_run": case((HELD.c.open, HELD.c.first_run), else_=statement.excluded.first_run),
                },
            ),
            rows,
        )


def new(connection: Connection, scope: str, run: str, holds: Sequence[Hold] = ()) -> int:
    """How many source records this run has newly held, at whatever step, with those that ``holds`` would add.

    What was open before, and what is a person's decision, does not count.
    """
    mine = (HELD.c.scope == scope, HELD.c.first_run == run, HELD.c.by_person.is_(False))
    keys = set(connection.execute(select(HELD.c.key).where(*mine)).scalars())
    by_id = {hold.id(scope): hold.key for hold in holds if not hold.by_person}
    for some in chunked(sorted(by_id)):
        for known in connection.execute(select(HELD.c.id).where(HELD.c.id.in_(some), HELD.c.open.is_(True))).scalars():
            del by_id[known]
    return len(keys | set(by_id.values()))


def close(connection: Connection, scope: str, names: Sequence[tuple[str, str]], keep: Collection[str] = ()) -> None:
    """These parts are no longer held, but for the rows with the ids in ``keep``."""
    for some in chunked(list(names), 400):
        mine = and_(HELD.c.scope == scope, HELD.c.open.is_(True), tuple_(HELD.c.key, HELD.c.part).in_(list(some)))
        ids = set(connection.execute(select(HELD.c.id).where(mine)).scalars()) - set(keep)
        for few in chunked(sorted(ids)):
            connection.execute(update(HELD).where(HELD.c.id.in_(few)).values(open=False))


def named(connection: Connection, scope: str, rule: str) -> list[Name]:
    """The parts that a rule holds."""
    query = select(HELD.c.key, HELD.c.part).where(HELD.c.scope == scope, HELD.c.rule == rule, HELD.c.open.is_(True))
    return [Name(*row) for row in connection.execute(query.order_by(HELD.c.key, HELD.c.part))]


def listing(store: Store, scope: str | None = None, *, closed: bool = False, limit: int = 500) -> list[Row[Any]]:
    """Held rows, newest first."""
    query = select(HELD).order_by(HELD.c.last_at.desc(), HELD.c.id).limit(limit)
    if scope is not None:
        query = query.where(HELD.c.scope == scope)
    if not closed:
        query = query.where(HELD.c.open.is_(True))
    with store.reading() as connection:
        return list(connection.execute(query))


def reasons(store: Store, scope: str, run: str | None = None) -> list[tuple[str, str, int, str]]:
    """Open held rows by rule: rule, one reason and how many others there are, how many rows, one key."""
    kinds = func.count(HELD.c.reason.distinct())
    query = (
        select(HELD.c.rule, func.min(HELD.c.reason), func.count(), func.min(HELD.c.key), kinds)
        .where(HELD.c.scope == scope, HELD.c.open.is_(True))
        .group_by(HELD.c.rule)
        .order_by(func.count().desc(), HELD.c.rule)
    )
    if run is not None:
        query = query.where(HELD.c.last_run == run)
    with store.reading() as connection:
        return [(r[0], one_of(r[1], int(r[4])), int(r[2]), r[3]) for r in connection.execute(query)]


def one_of(reason: str, kinds: int) -> str:
    """A reason that stands for so many: rows of one rule need not be held for one cause."""
    others = kinds - 1
    return reason if others < 1 else f"{reason} ({others} other reason{'s' if others > 1 else ''} beside it)"


def missing(connection: Connection, scope: str, holds: Sequence[Hold]) -> list[str]:
    """Keys of ``holds`` that are not open in the quarantine. After they were put there are none."""
    by_id = {hold.id(scope): hold.key for hold in holds}
    for some in chunked(sorted(by_id)):
        for known in connection.execute(select(HELD.c.id).where(HELD.c.id.in_(some), HELD.c.open.is_(True))).scalars():
            del by_id[known]
    return sorted(by_id.values())


def unlisted(store: Store, scope: str) -> list[str]:
    """Keys of records that are held and that no list of held rows shows. There are none."""
    shown = and_(HELD.c.scope == RECORD.c.scope, HELD.c.key == RECORD.c.key, HELD.c.part == RECORD.c.part)
    there = select(HELD.c.id).where(shown, HELD.c.open.is_(True)).exists()
    query = select(RECORD.c.key).distinct().where(RECORD.c.scope == scope, RECORD.c.held != "", ~there)
    with store.reading() as connection:
        return list(connection.execute(query.limit(100)).scalars())


def raw(store: Store, row: Row[Any]) -> bytes:
    """The raw record of a held row, opened. Raises KeyTrouble."""
    return store.vault.open(row.raw) if row.raw else b""
