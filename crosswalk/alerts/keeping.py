"""What happens to an incident inside one transaction: reported, told, acknowledged, mended, resolved."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from crosswalk.alerts import compose, routing
from crosswalk.alerts.message import Fact, Message, clean, nobody, pack
from crosswalk.alerts.trouble import CHANNEL_BROKEN, CONNECTION, CRITICAL, OUTAGE, SEVERITIES, Trouble
from crosswalk.http import redact
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows
from crosswalk.store import incidents_outbox as outbox

LOG = logging.getLogger("crosswalk.alerts")

ESCALATE = timedelta(minutes=15)
REMINDERS = (timedelta(hours=1), timedelta(hours=4))
DAILY = timedelta(hours=24)
FLAPS, FLAP_SPAN = 3, timedelta(hours=1)
AGAIN_EVERY = timedelta(minutes=15)
EDIT_EVERY = timedelta(minutes=1)
CHILD_WAIT = timedelta(minutes=10)
FORGOTTEN = timedelta(hours=6)


def report(
    connection: Connection, settings: Settings, trouble: Trouble, now: datetime, told: Collection[tuple[str, str]]
) -> str:
    """Open or count. trouble: with its connection's name. Returns the incident's id."""
    row = rows.unresolved(connection, trouble.fingerprint(settings.environment))
    if row is None:
        return _open(connection, settings, trouble, now, told)
    _count(connection, settings, row, trouble, now)
    return str(row.id)


def _open(
    connection: Connection, settings: Settings, trouble: Trouble, now: datetime, told: Collection[tuple[str, str]]
) -> str:
    mark = trouble.fingerprint(settings.environment)
    flaps = rows.cycles(connection, mark, now - FLAP_SPAN) >= FLAPS
    waits = settings.alerts.group_wait if trouble.kind == CONNECTION else 0
    row = rows.put(
        connection, fingerprint=mark, environment=settings.environment, kind=trouble.kind,
        connection=trouble.connection, binding="" if trouble.kind == CONNECTION else trouble.binding,
        step=trouble.step, error=trouble.error, code=nobody(redact.text(trouble.code))[:200],
        severity=trouble.severity, owner=_owner(settings, trouble), flapping=flaps,
        parent=_parent(connection, settings, trouble), message=pack(trouble.message(settings.environment)),
        members=json.dumps(_member({}, settings, trouble, now)), first_run=trouble.run, last_run=trouble.run,
        opened_at=now, last_seen_at=now, due_at=now + timedelta(seconds=waits),
    )  # fmt: skip
    if told:
        for channel, ref in told:
            outbox.enqueue(connection, row.id, channel, "opened", pack(compose.opened(row)), now)
            outbox.taken(connection, row.id, channel, ref, now)
        _is_told(connection, row, now)
    elif not row.parent and row.due_at <= now:
        tell(connection, settings, row, now)
    return str(row.id)


def _count(connection: Connection, settings: Settings, row: Row[Any], trouble: Trouble, now: datetime) -> None:
    victims = compose.members(row)
    if trouble.run and trouble.run in (row.last_run, victims.get(trouble.binding, {}).get("run")):
        return  # the same run, told of a second time by somebody else
    worse = min(row.severity, trouble.severity, key=SEVERITIES.index)
    values: dict[str, Any] = {
        "occurrences": row.occurrences + 1, "last_seen_at": now, "last_run": trouble.run or row.last_run,
        "message": pack(trouble.message(settings.environment)), "severity": worse, "quiet_since": None,
        "members": json.dumps(_member(victims, settings, trouble, now)),
    }  # fmt: skip
    if worse == CRITICAL and row.severity != CRITICAL and row.told_at is not None:
        values["escalate_at"] = now + ESCALATE
    rows.change(connection, row.id, **values)
    after = rows.locked(connection, row.id)
    if after is not None and after.told_at is not None:
        _tell_again(connection, settings, after, now)


def _tell_again(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> None:
    """New owners are told; where messages can be edited the first one is, and now and then the thread has a line."""
    so_far = outbox.told(connection, row.id)
    for channel in _route(connection, settings, row):
        if channel not in so_far and not muted(connection, settings, row, now):
            outbox.enqueue(connection, row.id, channel, "opened", pack(compose.opened(row)), now)
    said = outbox.of(connection, row.id)
    for channel in so_far:
        edits = [n.made_at for n in said if n.channel == channel and n.kind == "edit"]
        edit(connection, settings, row, channel, now, max([now, *(at + EDIT_EVERY for at in edits)]))
        lines = [n.made_at for n in said if n.channel == channel and n.kind in ("opened", "again")]
        if routing.takes(settings, channel, "again") and max(lines, default=now) + AGAIN_EVERY <= now:
            outbox.enqueue(connection, row.id, channel, "again", pack(compose.again(row)), now)


def edit(
    connection: Connection, settings: Settings, row: Row[Any], channel: str, now: datetime,
    not_before: datetime | None = None, message: Message | None = None,
) -> None:  # fmt: skip
    """Have the first message changed to what is true now, where that can be done."""
    if routing.takes(settings, channel, "edit"):
        outbox.enqueue(connection, row.id, channel, "edit", pack(message or compose.opened(row)), now, not_before)


def tell(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> None:
    """Put the first message into the outbox, unless it is muted; where there is no channel, say so once."""
    if muted(connection, settings, row, now) is not None:
        return
    channels = _route(connection, settings, row)
    if not channels:
        if not row.untold:
            rows.change(connection, row.id, untold=True)
            LOG.error("%s The alert was: %s", NOBODY, compose.opened(row).plain())
        return
    for channel in channels:
        outbox.enqueue(connection, row.id, channel, "opened", pack(compose.opened(row)), now)
    _is_told(connection, row, now)


NOBODY = (
    "nobody was told: crosswalk.toml names no channel. Add [channels.NAME] and name it under [owners.NAME]; "
    "docs/who-is-told.md says how."
)


def _is_told(connection: Connection, row: Row[Any], now: datetime) -> None:
    rows.change(
        connection, row.id, told_at=now, untold=False, remind_at=now + REMINDERS[0],
        escalate_at=now + ESCALATE if row.severity == CRITICAL else None,
    )  # fmt: skip


def _route(connection: Connection, settings: Settings, row: Row[Any]) -> list[str]:
    broken = outbox.broken(connection)
    if row.kind == CHANNEL_BROKEN:
        others = [name for name in settings.channels if name != row.step and name not in broken]
        return routing.distinct(settings, others)
    return routing.channels(settings, owners(settings, row), broken)


def owners(settings: Settings, row: Row[Any]) -> list[str]:
    """Whose incident it is: its own owner, those of the bindings it pulls down, those who use its connection."""
    victims = [str(one.get("owner", "")) for one in compose.members(row).values()]
    found = [name for name in (row.owner, *victims) if name]
    return list(dict.fromkeys(found)) or (routing.owners_of(settings, row.connection) if row.connection else [])


def muted(connection: Connection, settings: Settings, row: Row[Any], now: datetime) -> Row[Any] | None:
    """The mute that keeps an incident quiet, if there is one."""
    victims = set(compose.members(row)) or {row.binding}
    bound = settings.bindings.get(row.binding)
    used = {row.connection, *((bound.source.name, bound.target.name) if bound else ())} - {""}
    for mute in rows.mutes(connection, settings.environment, now):
        hit = {
            "fingerprint": mute.value == row.fingerprint, "binding": victims == {mute.value},
            "connection": mute.value in used,
        }  # fmt: skip
        if hit.get(mute.kind):
            return mute
    return None


def acknowledge(connection: Connection, settings: Settings, row: Row[Any], now: datetime, by: str, reason: str) -> None:
    """Somebody has taken it on."""
    rows.change(connection, row.id, state="acked", acked_at=now, acked_by=by)
    outbox.drop(connection, row.id, ["reminder", "escalated"], "it was acknowledged", now)
    after = rows.locked(connection, row.id)
    assert after is not None
    for channel in outbox.told(connection, row.id):
        edit(connection, settings, after, channel, now, message=compose.acked(after))
        if routing.takes(settings, channel, "acked"):
            outbox.enqueue(connection, row.id, channel, "acked", pack(compose.acked(after)), now)


def resolve_by_hand(
    connection: Connection, settings: Settings, row: Row[Any], now: datetime, by: str, reason: str
) -> None:
    """A person says that it is over."""
    resolve(connection, settings, row, now, f"{by} resolved it" + (f": {reason}" if reason else ""), by)


def mended(connection: Connection, settings: Settings, row: Row[Any], now: datetime, why: str) -> None:
    """The trouble has gone: resolved, or watched for an hour when it comes and goes."""
    if row.flapping:
        if row.quiet_since is None:
            rows.change(connection, row.id, quiet_since=now)
        return
    resolve(connection, settings, row, now, why, "")


def proved(
    connection: Connection, settings: Settings, row: Row[Any], binding: str, now: datetime, why: str
) -> bool:  # fmt: skip
    """A binding has used the connection with success; whether that mends the incident.

    A login is whole or not at all. An outage may be one endpoint's, so that it is over when none of those that failed
    of it fails any more; who has not reported it for long no longer counts.
    """
    victims = compose.members(row)
    since = (now - FORGOTTEN).isoformat()
    left = {name: one for name, one in victims.items() if name != binding and str(one.get("at", "")) >= since}
    if row.error != OUTAGE or not left:
        mended(connection, settings, row, now, why)
        return True
    if left != victims:
        rows.change(connection, row.id, members=json.dumps(left))
    return False


def resolve(connection: Connection, settings: Settings, row: Row[Any], now: datetime, why: str, by: str) -> None:
    """End an incident; each channel that was told of its beginning is told of its end, once."""
    rows.change(connection, row.id, state="resolved", resolved_at=now, resolved_by=by, resolved_why=why)
    outbox.drop(connection, row.id, ["reminder", "escalated", "again", "edit", "acked"], "it was resolved", now)
    broken = outbox.broken(connection)
    for channel in outbox.told(connection, row.id):
        if channel in broken and outbox.unheard(connection, row.id, channel):
            outbox.drop(connection, row.id, ["opened"], "it was resolved before the channel was mended", now)
            continue
        message = compose.recovered(row, now, why)
        edit(connection, settings, row, channel, now, message=message)
        outbox.enqueue(connection, row.id, channel, "recovered", pack(message), now)
    for child in rows.matching(connection, settings.environment, parent=row.id):
        # Its cause is gone; whether it is too shows when its binding has had the time to run.
        rows.change(connection, child.id, parent="", due_at=now + CHILD_WAIT)


def broken_channel(settings: Settings, channel: str, answer: str) -> Trouble:
    """The trouble that a channel is which takes no alerts."""
    found = settings.channels.get(channel)
    kind = found.kind if found else "not in crosswalk.toml"
    return Trouble(
        kind=CHANNEL_BROKEN, title=f"the alert channel {channel} takes no messages", what=answer, step=channel,
        facts=(Fact("Channel", f"{channel} ({kind})"),), command=f"crosswalk alerts test {channel}",
        then="It is tried again every hour. What it was to tell goes to the other channels.", severity="error",
    )  # fmt: skip


def _owner(settings: Settings, trouble: Trouble) -> str:
    return trouble.owner or (routing.owner_of(settings, trouble.binding) if trouble.binding else "")


def _parent(connection: Connection, settings: Settings, trouble: Trouble) -> str:
    """The incident of a connection of which this is a consequence."""
    if not trouble.follows:
        return ""
    bound = settings.bindings.get(trouble.binding)
    used = [trouble.connection, *((bound.source.name, bound.target.name) if bound else ())]
    return rows.down(connection, settings.environment, CONNECTION, [name for name in used if name])


def _member(
    victims: dict[str, dict[str, Any]], settings: Settings, trouble: Trouble, now: datetime
) -> dict[str, dict[str, Any]]:
    """The victims of a connection, this report's binding among them."""
    if trouble.kind != CONNECTION or not trouble.binding:
        return victims
    count = int(victims.get(trouble.binding, {}).get("count", 0)) + 1
    about = {"run": trouble.run, "count": count, "owner": _owner(settings, trouble), "at": now.isoformat()}
    return {**victims, trouble.binding: about}


def digest_message(title: str, facts: tuple[Fact, ...]) -> Message:
    """A digest as a message."""
    return clean(replace(_EMPTY, title=title, facts=facts))


_EMPTY = Message("info", "", (), "", "", "", None, "digest")
