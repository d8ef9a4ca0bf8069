"""``crosswalk incidents``: what is wrong now and was before; taking it on, keeping it quiet, declaring it over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.console.running import instant
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from crosswalk.alerts.incidents import Incidents
    from crosswalk.settings import Settings
    from crosswalk.store.engine import Store

_SPAN = re.compile(r"(\d{1,4})\s*(min|h|d)")
_UNITS = {"min": 60, "h": 3_600, "d": 86_400}


def register(app: App) -> None:
    incidents = App(name="incidents", help="What is wrong: list it, look at it, take it on, mute it, end it.")
    app.command(incidents)
    incidents.command(list_, name="list")
    incidents.command(show_, name="show")
    incidents.command(ack)
    incidents.command(resolve)
    incidents.command(mute)
    incidents.command(unmute)


def list_(
    *, all_: Annotated[bool, Parameter(name="--all")] = False, json_: Annotated[bool, Parameter(name="--json")] = False
) -> int:
    """List incidents that are open or acknowledged, and the mutes in force. Ends with 1 while one is open.

    Args:
        all_: Also those that are resolved, the newest 200.
        json_: As JSON, one incident a line.
    """
    settings = place.settings()
    if not place.has_store(settings):
        show.say("No incident: there is no store yet.")
        return 0
    with place.store(settings) as store:
        from crosswalk.store import incidents as rows

        found = rows.listing(store, settings.environment, resolved=all_)
        with store.reading() as connection:
            mutes = rows.mutes(connection, settings.environment, store.clock.now())
        lines = [_line(store, settings, row) for row in found]
    if json_:
        _json(found)
    elif found:
        show.table(("incident", "state", "severity", "what", "seen", "for", "told"), lines)
    else:
        show.say("No incident is open.")
    for one in mutes if not json_ else ():
        show.say(
            f"Muted: {one.kind} {one.value} until {show.when(one.until)} by {one.made_by}: {one.reason} ({one.id})"
        )
    if not settings.channels and not json_:
        show.warn(f"Nobody is told of anything: crosswalk.toml names no channel in {settings.environment}")
    return 1 if any(row.state == "open" for row in found) else 0


def _line(store: Store, settings: Settings, row: Row[Any]) -> tuple[object, ...]:
    from crosswalk.alerts import compose

    end = row.resolved_at or store.clock.now()
    title = compose.base(row).title.partition("] ")[2]
    return (
        row.id,
        row.state,
        row.severity,
        title,
        row.occurrences,
        compose.lasted(end - row.opened_at),
        _told(store, settings, row),
    )


def _told(store: Store, settings: Settings, row: Row[Any]) -> str:
    from crosswalk.alerts import keeping
    from crosswalk.store import incidents_outbox

    with store.reading() as connection:
        told = incidents_outbox.told(connection, row.id)
        hushed = keeping.muted(connection, settings, row, store.clock.now()) if row.state != "resolved" else None
    if hushed is not None:
        return f"muted until {show.when(hushed.until)}"
    if row.parent:
        return f"no: {row.parent} stands for it"
    return ", ".join(told) or ("nobody: no channel" if row.untold else "not yet" if row.state != "resolved" else "no")


def _json(found: list[Row[Any]]) -> None:
    import json

    from crosswalk.alerts.incidents import shown

    for row in found:
        show.say(json.dumps(shown(row), default=str))


def show_(incident: str, /) -> int:
    """Show an incident whole: what it says, since when, who was told what and when, and what people did about it.

    Args:
        incident: Its id, what begins it, or its fingerprint.
    """
    settings = place.settings()
    with place.store(settings) as store:
        from crosswalk.alerts import compose
        from crosswalk.store import audit, incidents_outbox
        from crosswalk.store import incidents as rows

        row = rows.one(store, settings.environment, incident)
        with store.reading() as connection:
            said = incidents_outbox.of(connection, row.id)
        trail = audit.listing(store, row.id)
        told = _told(store, settings, row)
    pairs: list[tuple[str, object]] = [
        ("incident", f"{row.id}, {row.state}, {row.severity}" + (", flapping" if row.flapping else "")),
        ("fingerprint", row.fingerprint), ("kind", row.kind), ("owner", row.owner or "-"),
        ("opened", show.when(row.opened_at)), ("last seen", f"{show.when(row.last_seen_at)}, {row.occurrences} in all"),
        ("told", told), ("next reminder", show.when(row.remind_at) if row.state == "open" and row.remind_at else "-"),
    ]  # fmt: skip
    if row.acked_at:
        pairs.append(("acknowledged", f"by {row.acked_by}, {show.when(row.acked_at)}"))
    if row.resolved_at:
        pairs.append(("resolved", f"{show.when(row.resolved_at)}: {row.resolved_why}"))
    show.facts(pairs)
    show.say()
    show.say(compose.base(row).plain())
    if said:
        heads = ("at", "channel", "what", "status", "attempts", "the provider's answer")
        show.table(heads, [(show.when(n.ended_at or n.made_at), n.channel, n.kind, n.status, n.attempts, n.answer)
                           for n in said])  # fmt: skip
    for entry in trail:
        show.say(f"{show.when(entry.at)}  {entry.actor}  {entry.action}  {entry.reason}".rstrip())
    return 0


def ack(incident: str, /, *, reason: str = "", by: str = "") -> int:
    """Take an incident on: no more reminders and no escalation; its recovery is still told.

    Args:
        incident: Its id or what begins it.
        reason: What is being done about it.
        by: Who; by default whoever is logged in here.
    """
    with _open() as (incidents, who):
        row = incidents.ack(incident, by or who, reason)
        incidents.send_due(patience=5)
    show.say(f"{row.id} is acknowledged by {row.acked_by}. It is told when it is over.")
    return 0


def resolve(incident: str, /, *, reason: str, by: str = "") -> int:
    """Declare an incident over, by hand. If its cause is still there it is opened, and told, anew.

    Args:
        incident: Its id or what begins it.
        reason: Why it is over.
        by: Who; by default whoever is logged in here.
    """
    if not reason.strip():
        raise SettingsError("resolving by hand needs a reason", safe="nothing was changed", next_command="add --reason")
    with _open() as (incidents, who):
        row = incidents.resolve(incident, by or who, reason)
        incidents.send_due(patience=5)
    show.say(f"{row.id} is resolved: {row.resolved_why}")
    return 0


def mute(
    incident: str | None = None, /, *, binding: str = "", connection: str = "", until: str, reason: str, by: str = ""
) -> int:
    """Tell nobody of an incident's cause, a binding or a connection until an instant. The digest still names it.

    Args:
        incident: The incident whose fingerprint is muted.
        binding: Mute all of a binding instead.
        connection: Mute all of a connection, and what follows from it, instead.
        until: When the mute ends: an instant with its zone, or a span such as 30min, 4h, 2d. At most 90 days.
        reason: Why.
        by: Who; by default whoever is logged in here.
    """
    if sum(map(bool, (incident, binding, connection))) != 1:
        raise SettingsError("mute takes an incident, or --binding, or --connection: one of them")
    with _open() as (incidents, who):
        kind, value = _muted(incidents, incident, binding, connection)
        end = _end(until, incidents.clock.now())
        name = incidents.mute(kind, value, end, reason, by or who)
    show.say(f"{kind} {value} is muted until {show.when(end)} ({name}). Incidents are kept, and the digest names them.")
    show.say(f"To end it before: crosswalk incidents unmute {name}")
    return 0


def _muted(incidents: Incidents, incident: str | None, binding: str, connection: str) -> tuple[str, str]:
    from crosswalk.store import incidents as rows

    if binding:
        return "binding", incidents.settings.binding(binding).name
    if connection:
        return "connection", incidents.settings.connection(connection).name
    return "fingerprint", str(rows.one(incidents.store, incidents.environment, str(incident)).fingerprint)


def _end(until: str, now: datetime) -> datetime:
    span = _SPAN.fullmatch(until.strip())
    if span:
        return now + timedelta(seconds=int(span[1]) * _UNITS[span[2]])
    found = instant("until", until)
    assert found is not None
    return found


def unmute(mute_: Annotated[str, Parameter(name="mute")], /, *, by: str = "") -> int:
    """End a mute before its time. What is open and was never told is told then.

    Args:
        mute_: The mute's id, as `crosswalk incidents list` shows it.
        by: Who; by default whoever is logged in here.
    """
    with _open() as (incidents, who):
        incidents.unmute(mute_, by or who)
        incidents.send_due(patience=5)
    show.say(f"{mute_} is lifted.")
    return 0


@contextmanager
def _open() -> Iterator[tuple[Incidents, str]]:
    """The incidents of this folder, and who is at the keyboard."""
    from crosswalk.alerts.incidents import Incidents
    from crosswalk.store.audit import person

    settings = place.settings()
    with place.store(settings) as store:
        yield Incidents(store, settings, store.clock), person()
