"""The inbox: what arrived at the receiver, kept once, and the errands it makes: records to be read afresh.

A delivery is acknowledged only after ``keep`` has committed it. ``gather`` turns events into errands, one for each
binding and record. An errand is served in the transaction that writes what its record yields, never before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from crosswalk.store.engine import Store
from crosswalk.store.ledger import chunked, clean
from crosswalk.store.tables_inbox import ERRAND, INBOX, TALLY

GATHER = 2_000
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0
LASTING_TRIES, PASSING_TRIES = 8, 300
"""Tries after which an errand is left to a person: for errors that stay, and for those that may pass (three days)."""

OPEN = ERRAND.c.asked > ERRAND.c.served


@dataclass(frozen=True)
class Arrival:
    """A verified delivery. connection: a Connection's key.  content: empty where equal content is another event.

    topic, resource, record: what it is about; empty where that is unknown.  body: plain, sealed when it is kept.
    """

    connection: str
    delivery: str
    content: str
    topic: str
    resource: str
    record: str
    received_at: datetime
    happened_at: datetime | None = None
    body: bytes = b""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Kept:
    """What became of an arrival: the id under which it is known; again: it had been kept before."""

    id: str
    again: bool


@dataclass(frozen=True)
class Count:
    """Deliveries to be counted, kept or not."""

    connection: str
    kind: str
    number: int
    note: str = ""


def keep(store: Store, arrivals: Sequence[Arrival], counts: Sequence[Count] = ()) -> list[Kept]:
    """Keep these in one transaction, each once; the answers in the same order. Raises StoreError, and keeps none."""
    now = store.clock.now()
    with store.transaction("inbox") as connection:
        if store.dialect == "postgresql":
            # Numbers are committed in their order, so that what is served up to a number leaves no earlier one behind.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('crosswalk inbox'))"))
        known = _known(connection, arrivals)
        answers, new, again = [], [], []
        for one in arrivals:
            found = known.get((one.connection, "delivery", one.delivery))
            if found is None and one.content:
                found = known.get((one.connection, "content", one.content))
            if found is None:
                found = one.id
                new.append(one)
                known[(one.connection, "delivery", one.delivery)] = found
                if one.content:
                    known[(one.connection, "content", one.content)] = found
                answers.append(Kept(found, False))
            else:
                again.append({"known": found, "at": one.received_at})
                answers.append(Kept(found, True))
        if new:
            connection.execute(insert(INBOX), [_row(store, one) for one in new])
        if again:
            same = update(INBOX).where(INBOX.c.id == bindparam("known"))
            connection.execute(same.values(times=INBOX.c.times + 1, last_at=bindparam("at")), again)
        tally(connection, counts, now)
    return answers


def _known(connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str, str], str]:
    """The ids of those of these deliveries and contents that are kept already."""
    found: dict[tuple[str, str, str], str] = {}
    for account in sorted({a.connection for a in arrivals}):
        mine = [a for a in arrivals if a.connection == account]
        for name, values in (("delivery", {a.delivery for a in mine}), ("content", {a.content for a in mine} - {""})):
            column = INBOX.c[name]
            for some in chunked(sorted(values)):
                query = select(column, INBOX.c.id).where(INBOX.c.connection == account, column.in_(some))
                for value, id in connection.execute(query):
                    found[(account, name, value)] = id
    return found


def _row(store: Store, one: Arrival) -> dict[str, Any]:
    return {
        "id": one.id, "connection": one.connection, "delivery": one.delivery, "content": one.content,
        "topic": one.topic, "resource": one.resource, "record": one.record, "happened_at": one.happened_at,
        "received_at": one.received_at, "last_at": one.received_at, "times": 1,
        "body": store.vault.seal(one.body) if one.body else b"", "state": "new" if one.record else "unknown",
    }  # fmt: skip


def tally(connection: Connection, counts: Iterable[Count], now: datetime) -> None:
    """Count deliveries by connection and kind."""
    rows = [
        {"connection": c.connection, "kind": c.kind, "count": c.number, "first_at": now, "last_at": now,
         "note": clean(c.note, 200)}
        for c in counts if c.number
    ]  # fmt: skip
    if not rows:
        return
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(TALLY)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["connection", "kind"],
        set_={"count": TALLY.c.count + new["count"], "last_at": new.last_at, "note": new.note},
    )
    connection.execute(statement, sorted(rows, key=lambda r: (r["connection"], r["kind"])))


# --- from events to errands


def gather(store: Store, readers: Callable[[str, str], Sequence[str]]) -> int:
    """Make errands of new events; the number of events. readers: (connection, resource) → scopes that read it.

    Doing it twice does no harm.
    """
    with store.reading() as connection:
        waiting = connection.execute(select(INBOX.c.number).where(INBOX.c.state == "new").limit(1)).one_or_none()
    if waiting is None:
        return 0
    with store.transaction("gather") as connection:
        query = select(INBOX.c.number, INBOX.c.connection, INBOX.c.resource, INBOX.c.record, INBOX.c.received_at)
        rows = list(connection.execute(query.where(INBOX.c.state == "new").order_by(INBOX.c.number).limit(GATHER)))
        asked: dict[tuple[str, str, str], dict[str, Any]] = {}
        states: dict[str, list[int]] = {"gathered": [], "unused": []}
        for row in rows:
            scopes = readers(row.connection, row.resource)
            states["gathered" if scopes else "unused"].append(row.number)
            for scope in scopes:
                _ask(asked, scope, row)
        _upsert(connection, [asked[name] for name in sorted(asked)])
        for state, numbers in states.items():
            for some in chunked(numbers):
                connection.execute(update(INBOX).where(INBOX.c.number.in_(some)).values(state=state))
    return len(rows)


def _ask(asked: dict[tuple[str, str, str], dict[str, Any]], scope: str, row: Row[Any]) -> None:
    name = (scope, row.resource, row.record)
    fresh = {
        "scope": scope, "resource": row.resource, "key": row.record, "asked": row.number, "served": 0,
        "first_at": row.received_at, "asked_at": row.received_at, "served_at": None, "tries": 0, "next_try_at": None,
        "last_error": "", "dead": False, "outcome": "", "run": "",
    }  # fmt: skip
    one = asked.setdefault(name, fresh)
    one["asked"], one["asked_at"] = row.number, row.received_at


def _upsert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(ERRAND)
    new, old = statement.excluded, ERRAND.c
    begins = or_(old.asked <= old.served, old.dead.is_(True))
    statement = statement.on_conflict_do_update(
        index_elements=["scope", "resource", "key"],
        set_={
            "asked": case((new.asked > old.asked, new.asked), else_=old.asked),
            "asked_at": new.asked_at,
            "first_at": case((begins, new.first_at), else_=old.first_at),
            "tries": case((begins, 0), else_=old.tries),
            "next_try_at": case((begins, None), else_=old.next_try_at),
            "dead": False,
        },
    )
    connection.execute(statement, list(rows))


# --- working them


def due(store: Store, scope: str, now: datetime, limit: int, debounce: float = 0.0) -> list[Row[Any]]:
    """Errands of a binding that may be run now, oldest first; those that failed come apart from the fresh ones."""
    settled = now - timedelta(seconds=debounce)
    mine = and_(ERRAND.c.scope == scope, OPEN, ERRAND.c.dead.is_(False), ERRAND.c.first_at <= settled)
    free = or_(ERRAND.c.next_try_at.is_(None), ERRAND.c.next_try_at <= now)
    with store.reading() as connection:
        query = select(ERRAND).where(mine, free).order_by(ERRAND.c.tries, ERRAND.c.first_at, ERRAND.c.key).limit(limit)
        rows = list(connection.execute(query))
    if not rows or not rows[0].tries:
        return [r for r in rows if not r.tries]
    # What failed together is tried in ever smaller parties, so that one bad record does not keep the others.
    return rows[: max(1, limit >> (2 * rows[0].tries))]


def open_scopes(store: Store) -> list[str]:
    """The scopes that have errands to run, some of them perhaps later."""
    with store.reading() as connection:
        query = select(ERRAND.c.scope).distinct().where(OPEN, ERRAND.c.dead.is_(False))
        return sorted(connection.execute(query).scalars())


def asked(store: Store, scope: str, resource: str, keys: Sequence[str]) -> dict[str, int]:
    """Of these source keys those with open errands, each with the number that a fetch from now on serves."""
    found: dict[str, int] = {}
    with store.reading() as connection:
        for some in chunked(sorted(set(keys))):
            mine = and_(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key.in_(some), OPEN)
            found.update((r.key, r.asked) for r in connection.execute(select(ERRAND.c.key, ERRAND.c.asked).where(mine)))
    return found


def serve(
    connection: Connection, scope: str, resource: str, numbers: Mapping[str, int], run: str, now: datetime,
    outcome: str = "worked",
) -> None:  # fmt: skip
    """Note inside the transaction that writes their effect that these errands are served, up to these numbers."""
    if not numbers:
        return
    statement = (
        update(ERRAND)
        .where(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key == bindparam("of"))
        .where(ERRAND.c.served < bindparam("upto"))
        .values(
            served=bindparam("upto"), served_at=now, tries=0, next_try_at=None, last_error="", dead=False,
            outcome=outcome, run=run, first_at=ERRAND.c.asked_at,
        )
    )  # fmt: skip
    connection.execute(statement, [{"of": key, "upto": numbers[key]} for key in sorted(numbers)])


def failed(
    store: Store, scope: str, resource: str, keys: Sequence[str], error: str, now: datetime, *, lasting: bool
) -> int:
    """Let these wait before they are tried again, longer each time; the number that is now left to a person.

    lasting: the error will not pass by itself.
    """
    most = LASTING_TRIES if lasting else PASSING_TRIES
    with store.transaction("errand-failed") as connection:
        for some in chunked(sorted(set(keys))):
            mine = and_(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key.in_(some), OPEN)
            rows = list(connection.execute(select(ERRAND.c.key, ERRAND.c.tries).where(mine)))
            for tries in sorted({r.tries for r in rows}):
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 20))
                here = [r.key for r in rows if r.tries == tries]
                connection.execute(
                    update(ERRAND)
                    .where(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key.in_(here))
                    .values(
                        tries=tries + 1, next_try_at=now + timedelta(seconds=wait), last_error=clean(error),
                        dead=tries + 1 >= most,
                    )
                )  # fmt: skip
        dead = select(func.count()).where(ERRAND.c.scope == scope, ERRAND.c.dead.is_(True), OPEN)
        return int(connection.execute(dead).scalar_one())


def later(store: Store, scope: str, resource: str, keys: Sequence[str], until: datetime, why: str) -> None:
    """Put these off without counting it as a failure: a limit, or another process that works on them."""
    with store.transaction("errand-later") as connection:
        for some in chunked(sorted(set(keys))):
            mine = and_(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key.in_(some), OPEN)
            connection.execute(update(ERRAND).where(mine).values(next_try_at=until, last_error=clean(why)))


def retry(store: Store, scope: str | None = None, keys: Sequence[str] = ()) -> int:
    """Let open errands be tried again now, dead ones included: all, those of a binding, those of these records."""
    with store.transaction("errand-retry") as connection:
        statement = update(ERRAND).where(OPEN, or_(ERRAND.c.tries > 0, ERRAND.c.next_try_at.is_not(None)))
        if scope is not None:
            statement = statement.where(ERRAND.c.scope == scope)
        if keys:
            statement = statement.where(ERRAND.c.key.in_(list(keys)))
        return connection.execute(statement.values(tries=0, next_try_at=None, dead=False)).rowcount


def unserved(store: Store, scope: str, resource: str, numbers: Mapping[str, int]) -> list[str]:
    """Of these errands those that are not served up to these numbers."""
    found: list[str] = []
    with store.reading() as connection:
        for some in chunked(sorted(numbers)):
            mine = and_(ERRAND.c.scope == scope, ERRAND.c.resource == resource, ERRAND.c.key.in_(some))
            rows = connection.execute(select(ERRAND.c.key, ERRAND.c.served).where(mine))
            found += [row.key for row in rows if row.served < numbers[row.key]]
    return found
