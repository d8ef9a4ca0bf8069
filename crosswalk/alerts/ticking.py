"""What time brings: first messages after the wait for siblings, reminders, escalations, quiet after flapping, digests.

Each incident is decided in a transaction of its own, under its lock and with its row read anew, so that any number of
processes may tick at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from crosswalk.alerts import compose, digest, keeping, routing
from crosswalk.alerts.message import pack
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows
from crosswalk.store import incidents_outbox as outbox
from crosswalk.store.engine import Store

QUIET = timedelta(hours=1)


def tick(store: Store, settings: Settings, now: datetime) -> None:
    """Decide all that is due."""
    for name in rows.due(store, settings.environment, now):
        with store.transaction("incident-due") as connection:
            row = rows.locked(connection, name)
            if row is not None and row.state != "resolved":
                _decide(connection, settings, row, now)
    digest.due(store, settings, now)


def _decide(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> None:
    if row.quiet_since is not None and row.quiet_since + QUIET <= now:
        keeping.resolve(connection, settings, row, now, "an hour has passed without another failure", "")
        return
    if row.told_at is None:
        if row.due_at <= now and not row.parent:
            keeping.tell(connection, settings, row, now)
        return
    if row.state != "open" or keeping.muted(connection, settings, row, now) is not None:
        return
    if row.escalate_at is not None and row.escalated_at is None and row.escalate_at <= now:
        _escalate(connection, settings, row, now)
    if row.remind_at is not None and row.remind_at <= now:
        _remind(connection, settings, row, now)


def _remind(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> None:
    rows.change(connection, row.id, remind_at=next_reminder(row.told_at, now))
    for channel in outbox.told(connection, row.id):
        if routing.takes(settings, channel, "reminder"):
            outbox.enqueue(connection, row.id, channel, "reminder", pack(compose.reminder(row, now)), now)


def next_reminder(told_at: datetime, now: datetime) -> datetime:
    """One hour after the first message, four hours after it, then every 24 hours."""
    for span in keeping.REMINDERS:
        if told_at + span > now:
            return told_at + span
    last = told_at + keeping.REMINDERS[-1]
    return last + keeping.DAILY * ((now - last) // keeping.DAILY + 1)


def _escalate(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> None:
    rows.change(connection, row.id, escalated_at=now)
    broken = outbox.broken(connection)
    for channel, mention in routing.escalation(settings, keeping.owners(settings, row)):
        if channel not in broken and routing.takes(settings, channel, "escalated"):
            message = compose.escalated(row, now, mention)
            outbox.enqueue(connection, row.id, channel, "escalated", pack(message), now)


def reroute(connection: Connection, settings: Settings, channel: str, now: datetime) -> None:
    """What a broken channel could not say of open incidents goes to the others, where nobody else was told."""
    broken = outbox.broken(connection) | {channel}
    others = [name for name in settings.channels if name not in broken]
    for name in outbox.unheard_on(connection, channel):
        row = rows.locked(connection, name)
        if row is None or row.state == "resolved" or set(outbox.told(connection, name)) - broken:
            continue
        for other in others:
            if other not in (row.step if row.kind == "channel_broken" else ()):
                outbox.enqueue(connection, row.id, other, "opened", pack(compose.opened(row)), now)


def untold(connection: Connection, settings: Settings, name: str) -> str:
    """Why nobody has been told of an incident although somebody should have been; empty when all is well."""
    row = rows.read(connection, name)
    if row is None or row.state == "resolved" or row.parent:
        return ""
    if row.untold:
        return keeping.NOBODY
    said = [n for n in outbox.of(connection, name) if n.kind in outbox.ROOTS]
    if not said or any(n.status == "sent" for n in said):
        return ""
    answers = "; ".join(f"{n.channel}: {n.answer or 'not sent yet'}" for n in said)
    return f"nobody was told so far, it is tried again by itself: {answers}"
