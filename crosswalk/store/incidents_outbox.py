"""The outbox of notifications: written with the incident, claimed before a send, settled after it.

Within one incident and channel a notification leaves only when all before it have ended, whoever sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from crosswalk.store.engine import Store
from crosswalk.store.tables import ALERT_CHANNEL, NOTIFICATION

ENDED = ("sent", "dropped")
ROOTS = ("opened", "escalated", "digest")
CLAIM = timedelta(seconds=90)

N = NOTIFICATION.c


def enqueue(
    connection: Connection, incident: str, channel: str, kind: str, message: str, now: datetime,
    not_before: datetime | None = None,
) -> None:  # fmt: skip
    """Put a message at the end of its incident's and channel's queue. The incident's row must be locked."""
    mine = and_(N.incident == incident, N.channel == channel)
    last = connection.execute(select(NOTIFICATION).where(mine).order_by(N.seq.desc()).limit(1)).one_or_none()
    if last is not None and last.kind == kind and last.status == "waiting" and kind in ("edit", "again"):
        connection.execute(update(NOTIFICATION).where(N.id == last.id).values(message=message))
        return
    connection.execute(
        insert(NOTIFICATION).values(
            id=uuid.uuid4().hex, incident=incident, channel=channel, kind=kind, seq=last.seq + 1 if last else 0,
            status="waiting", message=message, attempts=0, doubts=0, next_try_at=not_before or now, claimed_by="",
            external_ref="", answer="", made_at=now,
        )
    )  # fmt: skip


def of(connection: Connection, incident: str) -> list[Row[Any]]:
    """What was and will be told of an incident, in order of making."""
    query = select(NOTIFICATION).where(N.incident == incident)
    return list(connection.execute(query.order_by(N.made_at, N.channel, N.seq)))


def told(connection: Connection, incident: str) -> list[str]:
    """The channels that were, or will be, told of an incident's beginning."""
    query = select(N.channel).distinct().where(N.incident == incident, N.kind.in_(ROOTS), N.status != "dropped")
    return sorted(connection.execute(query).scalars())


def drop(connection: Connection, incident: str, kinds: Collection[str], why: str, now: datetime) -> None:
    """Take back what has not been sent and is of no more use."""
    mine = and_(N.incident == incident, N.kind.in_(list(kinds)), N.status == "waiting")
    connection.execute(update(NOTIFICATION).where(mine).values(status="dropped", answer=why, ended_at=now))


def root(connection: Connection, incident: str, channel: str) -> str:
    """What the provider calls the first message of an incident on a channel; empty when there is none."""
    query = select(N.external_ref).where(
        N.incident == incident, N.channel == channel, N.kind.in_(ROOTS), N.status == "sent", N.external_ref != ""
    )
    return str(connection.execute(query.order_by(N.seq).limit(1)).scalar() or "")


def channels(store: Store) -> list[str]:
    """The channels for which something waits."""
    with store.reading() as connection:
        return sorted(connection.execute(select(N.channel).distinct().where(N.status.not_in(ENDED))).scalars())


def head(store: Store, channel: str, now: datetime) -> Row[Any] | None:
    """The next notification that may leave on a channel: due, or claimed by somebody who is gone."""
    before = NOTIFICATION.alias("before").c
    blocked = select(before.id).where(
        before.incident == N.incident, before.channel == N.channel, before.seq < N.seq, before.status.not_in(ENDED)
    )
    free = or_(and_(N.status == "waiting", N.next_try_at <= now), and_(N.status == "sending", N.claimed_until <= now))
    query = select(NOTIFICATION).where(N.channel == channel, free, ~blocked.exists())
    with store.reading() as connection:
        if _paused(connection, channel, now):
            return None
        return connection.execute(query.order_by(N.made_at, N.incident, N.seq).limit(1)).one_or_none()


def _paused(connection: Connection, channel: str, now: datetime) -> bool:
    until = connection.execute(select(ALERT_CHANNEL.c.pause_until).where(ALERT_CHANNEL.c.name == channel)).scalar()
    return until is not None and until > now


def claim(store: Store, row: Row[Any], who: str, now: datetime) -> bool:
    """Take a notification as it was seen, by compare-and-set; the intent is written before anything is sent."""
    seen = and_(N.id == row.id, N.status == row.status, N.attempts == row.attempts, N.claimed_by == row.claimed_by)
    with store.transaction("alert-claim") as connection:
        doubts = row.doubts + (1 if row.status == "sending" else 0)
        values = {"status": "sending", "attempts": row.attempts + 1, "doubts": doubts, "claimed_by": who}
        done = connection.execute(update(NOTIFICATION).where(seen).values(claimed_until=now + CLAIM, **values))
        return done.rowcount == 1


def settle(connection: Connection, row: Row[Any], who: str, **values: Any) -> bool:
    """Write what came of a send, if the claim is still ours."""
    mine = and_(N.id == row.id, N.claimed_by == who, N.status == "sending")
    return connection.execute(update(NOTIFICATION).where(mine).values(**values)).rowcount == 1


def next_try(store: Store, now: datetime) -> datetime | None:
    """When, after now, something may leave next, pauses of channels considered; None when nothing waits."""
    c = ALERT_CHANNEL.c
    query = select(N.next_try_at, c.pause_until).outerjoin(ALERT_CHANNEL, c.name == N.channel)
    with store.reading() as connection:
        rows = connection.execute(query.where(N.status == "waiting")).all()
    times = (max(at, pause or at) for at, pause in rows)
    return min((at for at in times if at > now), default=None)


def channel(connection: Connection, name: str) -> Row[Any] | None:
    """How a channel is; None when nothing was ever sent on it."""
    return connection.execute(select(ALERT_CHANNEL).where(ALERT_CHANNEL.c.name == name)).one_or_none()


def note(connection: Connection, name: str, **values: Any) -> None:
    """Write how a channel is."""
    done = connection.execute(update(ALERT_CHANNEL).where(ALERT_CHANNEL.c.name == name).values(**values))
    if done.rowcount == 0:
        connection.execute(insert(ALERT_CHANNEL).values(**{"name": name, "answer": "", **values}))


def broken(connection: Connection) -> set[str]:
    """The channels that fail for good."""
    query = select(ALERT_CHANNEL.c.name).where(ALERT_CHANNEL.c.broken_since.is_not(None))
    return set(connection.execute(query).scalars())


def counts(store: Store) -> dict[str, int]:
    """How many notifications there are, by status."""
    with store.reading() as connection:
        rows = connection.execute(select(N.status, func.count()).group_by(N.status))
        return {str(status): int(count) for status, count in rows}


def taken(connection: Connection, incident: str, channel: str, ref: str, now: datetime) -> None:
    """What was just enqueued has been sent already, by somebody without a store."""
    mine = and_(N.incident == incident, N.channel == channel, N.status == "waiting")
    values = {"status": "sent", "external_ref": ref, "attempts": 1, "ended_at": now}
    connection.execute(update(NOTIFICATION).where(mine).values(**values))


def unheard(connection: Connection, incident: str, channel: str) -> bool:
    """Whether nothing of an incident has left on a channel, nor may have."""
    mine = and_(N.incident == incident, N.channel == channel, or_(N.status != "waiting", N.doubts > 0))
    return connection.execute(select(N.id).where(mine).limit(1)).one_or_none() is None


def unheard_on(connection: Connection, channel: str) -> list[str]:
    """Incidents whose beginning waits for a channel."""
    mine = and_(N.channel == channel, N.kind.in_(ROOTS), N.status == "waiting")
    return sorted(connection.execute(select(N.incident).distinct().where(mine)).scalars())


def first(connection: Connection, incident: str, channel: str) -> str:
    """The message that a channel's thread of an incident begins with."""
    mine = and_(N.incident == incident, N.channel == channel)
    return str(connection.execute(select(N.message).where(mine).order_by(N.seq).limit(1)).scalar_one())


def wake(connection: Connection, channel: str, now: datetime) -> None:
    """What waits for a channel may leave at once."""
    mine = and_(N.channel == channel, N.status == "waiting", N.next_try_at > now)
    connection.execute(update(NOTIFICATION).where(mine).values(next_try_at=now))


def crowd(store: Store, channel: str, kind: str, now: datetime) -> list[str]:
    """The ids of what may leave now on a channel and was never tried, oldest first."""
    mine = and_(N.channel == channel, N.kind == kind, N.status == "waiting", N.attempts == 0, N.next_try_at <= now)
    with store.reading() as connection:
        if _paused(connection, channel, now):
            return []
        return list(connection.execute(select(N.id).where(mine).order_by(N.made_at, N.incident, N.seq)).scalars())


def take_back(connection: Connection, ids: Collection[str], why: str, now: datetime) -> list[Row[Any]]:
    """Count these as sent, because another message says the same; those that nobody had claimed meanwhile."""
    mine = and_(N.id.in_(list(ids)), N.status == "waiting", N.attempts == 0)
    done = update(NOTIFICATION).where(mine).values(status="sent", answer=why, ended_at=now)
    return list(connection.execute(done.returning(N.incident, N.message)))
