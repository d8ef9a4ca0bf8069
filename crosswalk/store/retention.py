"""How long each table is kept, and taking out what is older, in small batches that hold no lock for long.

The ledger is never pruned: records, links, cursors, leases, tokens and approved plans are what keeps anything from
being written twice. Of what is pruned, everything that is open stays at any age: attempts in doubt, held rows,
unresolved incidents, unsent messages, events that nobody has worked yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Select, Table, and_, delete, exists, func, insert, or_, select, tuple_, update

from crosswalk.store.engine import Store, instant_text
from crosswalk.store.tables import (
    APPROVAL,
    AUDIT,
    BATCH,
    ERRAND,
    HELD,
    INBOX,
    INCIDENT,
    MEMBER,
    META,
    METADATA,
    MUTE,
    NOTIFICATION,
    RECORD,
    RUN,
)

AT_ONCE = 500
"""Rows that one transaction takes out."""
PAUSE = 0.02
"""Seconds between two transactions, so that others come to write."""
NOTE = "pruned_at"


@dataclass(frozen=True)
class Periods:
    """Days that things are kept after they ended.

    runs: accounts of runs.  attempts: resolved requests with their payloads.  held: rows that are held no longer.
    plans: plans that nobody approved.  events: what came in and is worked.  incidents: resolved ones with their
    messages, mutes that are over.  audit: what a person changed.  journal: requests.  bodies: what they carried.
    """

    runs: int = 90
    attempts: int = 30
    held: int = 90
    plans: int = 30
    events: int = 30
    incidents: int = 180
    audit: int = 730
    journal: int = 30
    bodies: int = 7

    def length(self, name: str) -> timedelta:
        return timedelta(days=getattr(self, name))


NAMES = tuple(f.name for f in fields(Periods))
LEAST: Mapping[str, int] = {"events": 7, "attempts": 1, "runs": 2}
"""Senders repeat a delivery for days, and it is recognised only while it is kept."""


class Journal(Protocol):
    """What a request log can do about its own age."""

    def prune(self, keep: timedelta, keep_bodies: timedelta) -> int:
        """Take it out; the number of entries that went."""

    def older(self, keep: timedelta, keep_bodies: timedelta) -> tuple[int, int]:
        """How many entries and bodies that would be."""


@dataclass
class Pruned:
    """Rows by table that went, or would go. more: there is more than one call may take."""

    rows: dict[str, int] = field(default_factory=dict)
    more: bool = False

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True)
class Sweep:
    """What of a table goes: rows before an instant that this condition allows."""

    table: Table
    gone: Callable[[datetime], Any]

    def names(self, before: datetime, limit: int | None = None) -> Select[Any]:
        """The primary keys of what goes."""
        query = select(*self.table.primary_key.columns).where(self.gone(before))
        return query.limit(limit) if limit is not None else query


def prune(
    store: Store, periods: Periods, journal: Journal | None = None, *, dry_run: bool = False, most: int = 200_000
) -> Pruned:
    """Take out what is older than its period, or count it.

    Stops after ``most`` rows of the store; the next call goes on. Raises StoreError; what went before then is gone.
    """
    done, now = Pruned(), store.clock.now()
    for sweep in _sweeps(store):
        before = now - periods.length(PERIOD[sweep.table.name])
        count = _count(store, sweep, before) if dry_run else _sweep(store, sweep, before, most - done.total)
        done.rows[sweep.table.name] = done.rows.get(sweep.table.name, 0) + count
    done.more = not dry_run and done.total >= most
    if journal is not None:
        keep = (periods.length("journal"), periods.length("bodies"))
        entries, bodies = journal.older(*keep)
        if not dry_run:
            journal.prune(*keep)
        done.rows |= {"journal": entries, "bodies": bodies}
    if not dry_run and not done.more:
        _note(store, now)
    return done


def last_pruned(store: Store) -> datetime | None:
    """When everything that was too old was last taken out."""
    with store.reading() as connection:
        value = connection.execute(select(META.c.value).where(META.c.name == NOTE)).scalar()
    return datetime.fromisoformat(value) if value else None


def _note(store: Store, now: datetime) -> None:
    with store.transaction("pruned") as connection:
        text = instant_text(now)
        if not connection.execute(update(META).where(META.c.name == NOTE).values(value=text)).rowcount:
            connection.execute(insert(META).values(name=NOTE, value=text))


def _count(store: Store, sweep: Sweep, before: datetime) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(sweep.names(before).subquery())).scalar_one())


def _sweep(store: Store, sweep: Sweep, before: datetime, most: int) -> int:
    gone = 0
    while gone < most:
        limit = min(AT_ONCE, most - gone)
        with store.transaction("prune") as connection:
            count = _some(connection, sweep, before, limit)
        gone += count
        if count < limit:
            break
        store.clock.sleep(PAUSE)
    return gone


def _some(connection: Connection, sweep: Sweep, before: datetime, limit: int) -> int:
    names = [tuple(row) for row in connection.execute(sweep.names(before, limit))]
    if not names:
        return 0
    part, of = WITH.get(sweep.table.name, ("", ""))
    if part in METADATA.tables:
        table = METADATA.tables[part]
        connection.execute(delete(table).where(table.c[of].in_([name for (name,) in names])))
    # What was read may have come to life since on a database where readers wait for nobody: it is asked again.
    mine = tuple_(*sweep.table.primary_key.columns).in_(names)
    return int(connection.execute(delete(sweep.table).where(mine, sweep.gone(before))).rowcount)


PERIOD: Mapping[str, str] = {
    "run": "runs", "batch": "attempts", "held": "held", "approval": "plans", "inbox": "events", "errand": "events",
    "notification": "incidents", "incident": "incidents", "mute": "incidents", "audit": "audit",
}  # fmt: skip
"""By which period each table is pruned."""
WITH: Mapping[str, tuple[str, str]] = {"batch": ("member", "batch"), "run": ("overtaken", "run")}
"""What goes with a row: another table's rows that name it in this column."""


def _sweeps(store: Store) -> Iterator[Sweep]:
    kept = _telling_runs(store)
    ended = func.coalesce(RUN.c.ended_at, RUN.c.started_at)
    yield Sweep(RUN, lambda b: and_(ended < b, RUN.c.id.not_in(kept)))
    sent = func.coalesce(BATCH.c.last_send_end, BATCH.c.frozen_at)
    yield Sweep(BATCH, lambda b: and_(BATCH.c.open.is_(False), sent < b, ~_named()))
    yield Sweep(HELD, lambda b: and_(HELD.c.open.is_(False), HELD.c.last_at < b))
    yield Sweep(APPROVAL, lambda b: and_(APPROVAL.c.approved_by == "", APPROVAL.c.made_at < b))
    yield Sweep(INBOX, lambda b: and_(INBOX.c.state != "new", INBOX.c.last_at < b, ~_asked()))
    yield Sweep(ERRAND, lambda b: and_(ERRAND.c.asked <= ERRAND.c.served, ERRAND.c.served_at < b))
    waiting = NOTIFICATION.c.status.in_(("waiting", "sending"))
    yield Sweep(
        NOTIFICATION,
        lambda b: and_(~waiting, func.coalesce(NOTIFICATION.c.ended_at, NOTIFICATION.c.made_at) < b, ~_unresolved()),
    )  # fmt: skip
    told = exists().where(NOTIFICATION.c.incident == INCIDENT.c.id)
    yield Sweep(INCIDENT, lambda b: and_(INCIDENT.c.state == "resolved", INCIDENT.c.resolved_at < b, ~told))
    yield Sweep(MUTE, lambda b: or_(MUTE.c.lifted_at < b, MUTE.c.until < b))
    yield Sweep(AUDIT, lambda b: AUDIT.c.at < b)


def _named() -> Any:
    """Whether a record still names the attempt as its open one."""
    mine = (RECORD.c.scope == MEMBER.c.scope, RECORD.c.key == MEMBER.c.key, RECORD.c.part == MEMBER.c.part)
    return exists().where(MEMBER.c.batch == BATCH.c.id, *mine, RECORD.c.batch == BATCH.c.id)


def _asked() -> Any:
    """Whether somebody still has to work the record that an event is about."""
    return exists().where(
        ERRAND.c.resource == INBOX.c.resource, ERRAND.c.key == INBOX.c.record, ERRAND.c.asked > ERRAND.c.served
    )


def _unresolved() -> Any:
    """Whether the incident that a message tells of still goes on: later messages hang on its thread."""
    return exists().where(INCIDENT.c.id == NOTIFICATION.c.incident, INCIDENT.c.state != "resolved")


def _telling_runs(store: Store) -> list[str]:
    """Runs that say how a binding stands: its last, its last good one, and where its present failures began."""
    real = RUN.c.dry_run.is_(False)
    good = RUN.c.state.in_(("completed", "queued"))
    with store.reading() as connection:
        scopes = connection.execute(select(RUN.c.scope).distinct()).scalars().all()
        kept: list[str] = []
        for scope in scopes:
            mine = (RUN.c.scope == scope, real)
            newest = RUN.c.started_at.desc()
            kept += connection.execute(select(RUN.c.id).where(*mine).order_by(newest, RUN.c.id).limit(1)).scalars()
            last = connection.execute(
                select(RUN.c.id, RUN.c.started_at).where(*mine, good).order_by(newest, RUN.c.id).limit(1)
            ).one_or_none()
            failed = select(RUN.c.id).where(*mine, RUN.c.state == "failed").order_by(RUN.c.started_at).limit(1)
            if last is not None:
                kept.append(last.id)
                failed = failed.where(RUN.c.started_at > last.started_at)
            kept += connection.execute(failed).scalars()
    return sorted(set(kept))
