"""Looking into the inbox: what became of an event, what waits, how regular a webhook is, what none announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, select

from crosswalk.store.engine import Store
from crosswalk.store.inbox import OPEN
from crosswalk.store.ledger import STATE, chunked
from crosswalk.store.tables import RECORD
from crosswalk.store.tables_inbox import ERRAND, INBOX, TALLY

EARLY = 300.0
"""Seconds by which an event may have come before the instant that its record shows as its last change."""


@dataclass(frozen=True)
class Part:
    """One target record that the event's record yields. state: as in the ledger."""

    part: str
    resource: str
    state: str
    target_id: str
    reason: str


@dataclass(frozen=True)
class Fate:
    """What became of an event. bindings: scope → the errand and the parts of its record."""

    event: Row[Any]
    state: str
    errands: Mapping[str, Row[Any]] = field(default_factory=dict)
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """For whoever knows the event's id: states alone, and nothing of the record itself."""
        return {
            "id": self.event.id,
            "state": self.state,
            "received_at": self.event.received_at.isoformat(),
            "bindings": {
                scope.split("/")[1]: {
                    "served": row.served >= self.event.number,
                    "records": [{"resource": p.resource, "state": p.state} for p in self.parts.get(scope, ())],
                }
                for scope, row in self.errands.items()
            },
        }


def fate(store: Store, id: str, account: str | None = None) -> Fate | None:
    """The fate of an event, of this connection if one is named; None for an unknown one."""
    with store.reading() as connection:
        query = select(INBOX).where(INBOX.c.id == id)
        if account is not None:
            query = query.where(INBOX.c.connection == account)
        event = connection.execute(query).one_or_none()
        if event is None:
            return None
        mine = and_(ERRAND.c.resource == event.resource, ERRAND.c.key == event.record, event.record != "")
        # A scope names its source as connection:account.
        _, name, of = event.connection.split("/", 2)
        errands = {
            row.scope: row for row in connection.execute(select(ERRAND).where(mine)) if f"/{name}:{of}/" in row.scope
        }
        parts: dict[str, list[Part]] = {}
        query = select(RECORD, STATE.label("state")).where(RECORD.c.key == event.record)
        for row in connection.execute(query.where(RECORD.c.scope.in_(list(errands)))):
            found = Part(row.part, row.resource, row.state, row.target_id, row.held or row.skipped or row.last_error)
            parts.setdefault(row.scope, []).append(found)
    return Fate(event, _state(event, errands), errands, parts)


def _state(event: Row[Any], errands: Mapping[str, Row[Any]]) -> str:
    if event.state in ("unused", "unknown"):
        return str(event.state)
    left = [e for e in errands.values() if e.served < event.number]
    if event.state == "new" or not errands:
        return "waiting"
    if not left:
        return "worked"
    if any(e.dead for e in left):
        return "left to a person"
    return "failing" if any(e.tries for e in left) else "waiting"


def errands(store: Store, scope: str | None = None, *, everything: bool = False, limit: int = 200) -> list[Row[Any]]:
    """Open errands, oldest first; with ``everything`` the served ones too, newest first."""
    query = select(ERRAND).limit(limit)
    if scope is not None:
        query = query.where(ERRAND.c.scope == scope)
    if everything:
        query = query.order_by(ERRAND.c.asked.desc())
    else:
        query = query.where(OPEN).order_by(ERRAND.c.first_at, ERRAND.c.key)
    with store.reading() as connection:
        return list(connection.execute(query))


def events(store: Store, account: str | None = None, state: str = "", limit: int = 50) -> list[Row[Any]]:
    """The newest events, of a connection and in a state if these are named."""
    query = select(INBOX).order_by(INBOX.c.number.desc()).limit(limit)
    if account is not None:
        query = query.where(INBOX.c.connection == account)
    if state:
        query = query.where(INBOX.c.state == state)
    with store.reading() as connection:
        return list(connection.execute(query))


def tallies(store: Store, account: str) -> dict[str, Row[Any]]:
    """How many deliveries of each kind a connection has had."""
    with store.reading() as connection:
        rows = connection.execute(select(TALLY).where(TALLY.c.connection == account).order_by(TALLY.c.kind))
        return {row.kind: row for row in rows}


@dataclass(frozen=True)
class Age:
    """How much waits in the inbox, and since when. dead: errands that are left to a person."""

    waiting: int
    oldest: datetime | None
    dead: int


def age(store: Store, scope: str | None = None) -> Age:
    """What waits, of a binding or of all; events that nobody has gathered yet count with all."""
    mine = [OPEN] if scope is None else [OPEN, ERRAND.c.scope == scope]
    with store.reading() as connection:
        live = connection.execute(
            select(func.count(), func.min(ERRAND.c.first_at)).where(*mine, ERRAND.c.dead.is_(False))
        ).one()
        dead = connection.execute(select(func.count()).where(*mine, ERRAND.c.dead.is_(True))).scalar_one()
        new: Any = (0, None)
        if scope is None:
            query = select(func.count(), func.min(INBOX.c.received_at)).where(INBOX.c.state == "new")
            new = connection.execute(query).one()
    oldest = min((at for at in (live[1], new[1]) if at is not None), default=None)
    return Age(int(live[0]) + int(new[0]), oldest, int(dead))


def arrivals(store: Store, account: str, since: datetime, resource: str = "") -> list[datetime]:
    """When events of a connection came, oldest first: of one resource if it is named, the last 5,000 at most."""
    query = select(INBOX.c.received_at).where(INBOX.c.connection == account, INBOX.c.received_at >= since)
    if resource:
        query = query.where(INBOX.c.resource == resource)
    with store.reading() as connection:
        return sorted(connection.execute(query.order_by(INBOX.c.received_at.desc()).limit(5_000)).scalars())


def unannounced(store: Store, account: str, resource: str, changed: Mapping[str, datetime]) -> list[str]:
    """Of these source keys with their last change, those of which no event told.

    Changes before the first event of the resource are not counted: nobody told of changes then.
    """
    mine = and_(INBOX.c.connection == account, INBOX.c.resource == resource)
    told: dict[str, datetime] = {}
    with store.reading() as connection:
        first = connection.execute(select(func.min(INBOX.c.received_at)).where(mine)).scalar()
        if first is None:
            return []
        asked = sorted(key for key, at in changed.items() if at >= first)
        for some in chunked(asked):
            # last_at: a delivery that repeats an event tells of it once more.
            newest = func.max(INBOX.c.last_at)
            query = select(INBOX.c.record, newest).where(mine, INBOX.c.record.in_(some)).group_by(INBOX.c.record)
            told.update((row[0], row[1]) for row in connection.execute(query))
    early = timedelta(seconds=EARLY)
    return [key for key in asked if key not in told or told[key] < changed[key] - early]


# --- the records that events of own applications carry


@dataclass(frozen=True)
class KeptEvents:
    """The events of one own application, with what they carry."""

    store: Store
    account: str

    def newest(self, resource: str, keys: Sequence[str], each: int = 20) -> list[bytes]:
        """The bodies of the last events of each of these records, opened, oldest first."""
        found: list[bytes] = []
        with self.store.reading() as connection:
            for key in dict.fromkeys(keys):
                mine = and_(INBOX.c.connection == self.account, INBOX.c.resource == resource, INBOX.c.record == key)
                query = select(INBOX.c.body).where(mine, INBOX.c.body != b"").order_by(INBOX.c.number.desc())
                sealed = list(connection.execute(query.limit(each)).scalars())
                found += [self.store.vault.open(one) for one in reversed(sealed)]
        return found

    def received(
        self, resource: str, since: datetime | None, until: datetime | None, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        """The bodies of events that came in a window, opened, with their numbers, after this number."""
        mine = [INBOX.c.connection == self.account, INBOX.c.resource == resource, INBOX.c.number > after]
        if since is not None:
            mine.append(INBOX.c.received_at >= since)
        if until is not None:
            mine.append(INBOX.c.received_at < until)
        query = select(INBOX.c.number, INBOX.c.body).where(*mine, INBOX.c.body != b"")
        with self.store.reading() as connection:
            rows = list(connection.execute(query.order_by(INBOX.c.number).limit(limit)))
        return [(row.number, self.store.vault.open(row.body)) for row in rows]
