"""What the watch asks of the store: runs whose process is gone, leases without a heartbeat, what was told of a run."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, update

from crosswalk.store import overtaking
from crosswalk.store.engine import Store, Taken, instant_text
from crosswalk.store.leases import bound, gone
from crosswalk.store.tables import HELD, INCIDENT, LEASE, META, NOTIFICATION, RECORD, RUN

LOOKED, BACKED_UP = "looked_at", "backed_up_at"
"""Names of notes: the last look of the watch, the last backup."""


@dataclass(frozen=True)
class Dead:
    """A run that ended without a word. id: empty where a process died before it had noted its run."""

    id: str
    scope: str
    started_at: datetime
    who: str
    why: str

    @property
    def binding(self) -> str:
        return self.scope.split("/")[1]


@dataclass(frozen=True)
class Silent:
    """A lease whose time is up although nobody gave it back, and whose process is not known to be dead."""

    run: str
    scope: str
    since: datetime
    who: str

    @property
    def binding(self) -> str:
        return self.scope.split("/")[1]


def silent(store: Store, environment: str) -> list[Silent]:
    """Processes that hang, or whose machine died: nobody else can tell which."""
    now = store.clock.now()
    return [
        Silent(row.run, bound(row.scope), row.expires_at, _who(row))
        for row in _leases(store, environment)
        if row.expires_at <= now and not gone(row.host, row.boot_id, row.pid)
    ]


def sweep(store: Store, environment: str) -> list[Dead]:
    """Give back the leases of dead processes and end their runs; those ended by this call, oldest first.

    A run is dead when no lease names it that is held by a living process or still has time.
    """
    query = select(RUN).where(
        RUN.c.state == "running", RUN.c.dry_run.is_(False), RUN.c.scope.startswith(f"{environment}/", autoescape=True)
    )
    with store.reading() as connection:  # before the leases: a run that ends in between gives back the lease last
        going = list(connection.execute(query.order_by(RUN.c.started_at, RUN.c.id)))
    held = _leases(store, environment)
    left = [row for row in held if gone(row.host, row.boot_id, row.pid)]
    living = [row for row in held if row not in left]
    unnamed = {bound(row.scope) for row in living if not row.run}
    found = [
        dead for run in going
        if run.id not in {row.run for row in living} and run.scope not in unnamed
        and (dead := _end(store, run, next((row for row in left if row.run == run.id), None))) is not None
    ]  # fmt: skip
    ended = {dead.id for dead in found}
    for row in left:
        if _give_back(store, row) and row.run not in ended and row.run not in {run.id for run in going}:
            scope = bound(row.scope)
            found.append(Dead("", scope, store.clock.now(), _who(row), "its process died before it had begun"))
    return found


def _leases(store: Store, environment: str) -> list[Row[Any]]:
    mine = and_(LEASE.c.holder != "", LEASE.c.scope.startswith(f"{environment}/", autoescape=True))
    with store.reading() as connection:
        return list(connection.execute(select(LEASE).where(mine).order_by(LEASE.c.scope)))


def _end(store: Store, run: Row[Any], lease: Row[Any] | None) -> Dead | None:
    """End a dead run; None when it has ended by itself meanwhile."""
    who = _who(lease) if lease is not None else "a process that no longer holds the lease"
    why = f"{who} was killed, or died without a word, in the middle of the run that began at "
    why += f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC"
    with store.transaction("run-swept") as connection:
        mine = and_(RUN.c.id == run.id, RUN.c.state == "running")
        ended = {"ended_at": store.clock.now(), "state": "failed", "error": f"Crashed: {why}"}
        if connection.execute(update(RUN).where(mine).values(**ended)).rowcount != 1:
            return None
        overtaking.forget(connection, run.id)
    return Dead(run.id, run.scope, run.started_at, who, why)


def _give_back(store: Store, row: Row[Any]) -> bool:
    """Free a dead process's lease, unless somebody has taken it over."""
    same = and_(LEASE.c.scope == row.scope, LEASE.c.fence == row.fence, LEASE.c.holder == row.holder)
    with store.transaction("lease-swept") as connection:
        free = update(LEASE).where(same).values(holder="", expires_at=None)
        return connection.execute(free).rowcount == 1


def _who(row: Row[Any]) -> str:
    return f"the process {row.pid} on {row.host.split()[0] if row.host else 'an unknown machine'}"


def told(store: Store, run: str, binding: str, since: datetime) -> bool:
    """Whether an incident has told of this run, or of the death of a run of this binding since then."""
    i = INCIDENT.c
    died = and_(i.binding == binding, i.last_seen_at >= since, or_(i.kind == "run_died", i.step == "the process"))
    mine = or_(i.first_run == run, i.last_run == run) if run else and_(i.id == "")
    with store.reading() as connection:
        return connection.execute(select(i.id).where(or_(mine, died)).limit(1)).first() is not None


def mentioned(store: Store, run: str, binding: str, connections: Collection[str], since: datetime) -> bool:
    """Whether any incident of a binding, or of one of its connections by name, was seen since then."""
    i = INCIDENT.c
    about = or_(i.binding == binding, i.connection.in_(list(connections)), i.first_run == run, i.last_run == run)
    query = select(i.members, i.binding, i.connection).where(i.last_seen_at >= since, or_(about, i.members != "{}"))
    with store.reading() as connection:
        rows = list(connection.execute(query))
    return any(
        row.binding == binding or row.connection in connections or binding in json.loads(row.members) for row in rows
    )


def held_records(store: Store, scope: str) -> tuple[int, int]:
    """How many source records of a binding are held, and how many it knows of."""
    with store.reading() as connection:
        held = select(func.count(HELD.c.key.distinct())).where(HELD.c.scope == scope, HELD.c.open.is_(True))
        known = select(func.count(RECORD.c.key.distinct())).where(RECORD.c.scope == scope)
        unknown = select(func.count(HELD.c.key.distinct())).where(
            HELD.c.scope == scope, HELD.c.open.is_(True),
            HELD.c.key.not_in(select(RECORD.c.key).where(RECORD.c.scope == scope)),
        )  # fmt: skip
        rows = [int(connection.execute(query).scalar_one()) for query in (held, known, unknown)]
    return rows[0], rows[1] + rows[2]


def unsent(store: Store, before: datetime, broken: Sequence[str]) -> list[tuple[str, int, datetime]]:
    """Channels with alerts that have waited since before then: how many, and the oldest. broken: left out."""
    n = NOTIFICATION.c
    query = select(n.channel, func.count(), func.min(n.made_at)).where(
        n.status.in_(("waiting", "sending")), n.made_at < before, n.channel.not_in(list(broken))
    )
    with store.reading() as connection:
        return [(str(r[0]), int(r[1]), r[2]) for r in connection.execute(query.group_by(n.channel).order_by(n.channel))]


def first_seen(store: Store, scope: str) -> datetime:
    """When the watch first saw a binding: what has never run is late from then on."""
    name = f"watched:{scope}"
    return noted(store, name) or note(store, name)


def note(store: Store, name: str) -> datetime:
    """Note that something was done now; that instant."""
    now = store.clock.now()
    text = instant_text(now)
    try:
        with store.transaction("noted") as connection:
            if not connection.execute(update(META).where(META.c.name == name).values(value=text)).rowcount:
                connection.execute(insert(META).values(name=name, value=text))
    except Taken:
        return now  # another process has noted it in the same moment
    return now


def noted(store: Store, name: str) -> datetime | None:
    """When something was last done; None for never."""
    with store.reading() as connection:
        value = connection.execute(select(META.c.value).where(META.c.name == name)).scalar()
    return datetime.fromisoformat(value) if value is not None else None
