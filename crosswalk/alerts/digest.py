"""The digest of a day: what ran, what failed, what is open, muted, stalest. That it comes at all is news too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from crosswalk.alerts import keeping, routing
from crosswalk.alerts.compose import lasted
from crosswalk.alerts.message import Fact, Message, pack, unpack
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows
from crosswalk.store import incidents_outbox as outbox
from crosswalk.store.engine import Store, Taken
from crosswalk.store.tables import HELD, INCIDENT, META, NOTIFICATION, RUN

DAY = timedelta(days=1)
NAMED = 8


def due(store: Store, settings: Settings, now: datetime) -> None:
    """Put today's digest into the outbox of every channel, once, when its time has come."""
    if settings.alerts.digest is None or not settings.channels:
        return
    zone = ZoneInfo(settings.alerts.zone)
    local = now.astimezone(zone)
    at = datetime.combine(local.date(), settings.alerts.digest, zone)
    name = f"digest:{settings.environment}:{local.date()}"
    if local < at or _made(store, name) or not _ran_before(store, at):
        return
    message = pack(make(store, settings, now))
    try:
        with store.transaction("digest") as connection:
            if connection.execute(select(NOTIFICATION.c.id).where(NOTIFICATION.c.incident == name).limit(1)).first():
                return
            for channel in routing.distinct(settings, settings.channels):
                if routing.takes(settings, channel, "digest"):
                    outbox.enqueue(connection, name, channel, "digest", message, now)
    except Taken:
        return  # another process has just made it


def _made(store: Store, name: str) -> bool:
    with store.reading() as connection:
        query = select(NOTIFICATION.c.id).where(NOTIFICATION.c.incident == name).limit(1)
        return connection.execute(query).first() is not None


def _ran_before(store: Store, at: datetime) -> bool:
    """A store that was made after the hour has nothing to say of that day."""
    with store.reading() as connection:
        since = connection.execute(select(META.c.value).where(META.c.name == "since")).scalar()
    return since is not None and datetime.fromisoformat(since) < at.astimezone(UTC)


def make(store: Store, settings: Settings, now: datetime) -> Message:
    """The digest of the 24 hours before an instant. Raises StoreError."""
    runs, failed, read, written = _runs(store, now - DAY)
    found = [row for row in rows.listing(store, settings.environment) if not row.parent]
    with store.reading() as connection:
        quiet = rows.mutes(connection, settings.environment, now)
        hushed = [row for row in found if keeping.muted(connection, settings, row, now)]
        held = connection.execute(select(func.count()).where(HELD.c.open.is_(True))).scalar_one()
        mine = (INCIDENT.c.resolved_at >= now - DAY, INCIDENT.c.environment == settings.environment)
        gone = connection.execute(select(func.count()).where(*mine)).scalar_one()
    facts = [
        Fact("Runs", f"{runs:,} in 24 hours, {failed:,} of them failed"),
        Fact("Rows", f"{read:,} records read, {written:,} written, {int(held):,} held now"),
        Fact("Open incidents", _open(found, now) or "none"),
        Fact("Resolved", f"{int(gone):,} in 24 hours"),
        Fact("Muted", _muted(quiet, hushed) or "nothing"),
        Fact("Stalest", _stalest(store, settings, now) or "nothing is bound"),
    ]
    return keeping.digest_message(f"[{settings.environment}] Digest of {now:%Y-%m-%d}", tuple(facts))


def _runs(store: Store, since: datetime) -> tuple[int, int, int, int]:
    runs = failed = read = written = 0
    query = select(RUN.c.state, RUN.c.account).where(RUN.c.started_at >= since, RUN.c.dry_run.is_(False))
    with store.reading() as connection:
        for row in connection.execute(query):
            account = json.loads(row.account or "{}")
            runs, failed = runs + 1, failed + (row.state == "failed")
            read += int(account.get("read", 0) or 0)
            written += sum(int(account.get(name, 0) or 0) for name in ("created", "updated", "deleted"))
    return runs, failed, read, written


def _open(found: list[Any], now: datetime) -> str:
    lines = [f"{row.id} {_title(row)} ({row.state}, {lasted(now - row.opened_at)})" for row in found]
    return _some(lines)


def _muted(quiet: list[Any], hushed: list[Any]) -> str:
    lines = [f"{m.kind} {m.value} until {m.until:%Y-%m-%d %H:%M} UTC by {m.made_by}: {m.reason}" for m in quiet]
    lines += [f"silent because of it: {row.id} {_title(row)}" for row in hushed]
    return _some(lines)


def _stalest(store: Store, settings: Settings, now: datetime) -> str:
    """Bindings by the age of their last good run, the oldest first."""
    query = select(RUN.c.scope, func.max(RUN.c.ended_at)).where(
        RUN.c.state.in_(["completed", "queued"]), RUN.c.dry_run.is_(False)
    )
    with store.reading() as connection:
        last = {row[0]: row[1] for row in connection.execute(query.group_by(RUN.c.scope))}
    never = datetime(1970, 1, 1, tzinfo=UTC)
    ages = sorted((last.get(b.scope) or never, b.name) for b in settings.bindings.values())
    return _some([f"{name}: {'never' if at == never else lasted(now - at) + ' ago'}" for at, name in ages], 3)


def _title(row: Any) -> str:
    return unpack(row.message).title.partition("] ")[2]


def _some(lines: list[str], most: int = NAMED) -> str:
    more = [f"and {len(lines) - most} more: crosswalk incidents list"] if len(lines) > most else []
    return "\n".join(lines[:most] + more)
