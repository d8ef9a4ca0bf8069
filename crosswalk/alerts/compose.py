"""What is said of an incident at each turn: opened, again, reminder, escalated, acknowledged, recovered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from crosswalk.alerts.message import MENTION, Fact, Message, clean, unpack
from crosswalk.alerts.trouble import CONNECTION

NAMED = 12
Members = Mapping[str, Mapping[str, Any]]


def members(row: Row[Any]) -> dict[str, dict[str, Any]]:
    """The bindings that fail of an incident's connection: run, count and owner of each."""
    return dict(json.loads(row.members))


def base(row: Row[Any]) -> Message:
    """The trouble itself, as it was last reported; of several bindings that one connection pulls down, all of them."""
    told = replace(unpack(row.message), about=row.id)
    victims = members(row)
    if row.kind == CONNECTION and len(victims) > 1:
        names = ", ".join(sorted(victims))
        title = f"[{row.environment}] {row.connection}: {len(victims)} bindings fail ({row.error})"
        told = replace(told, title=title, facts=(Fact("Bindings", names), *told.facts))
    if row.flapping:
        told = replace(told, title=_after(told.title, "flapping: "))
        told = replace(told, then="It fails and recovers again and again. It counts as mended after an hour of quiet.")
    return told


def opened(row: Row[Any]) -> Message:
    """The first that is told."""
    told = base(row)
    if row.occurrences > 1:
        told = replace(told, facts=(*told.facts, _seen(row)))
    return replace(told, severity=row.severity)


def again(row: Row[Any]) -> Message:
    """One line for the thread: it has happened again."""
    told = base(row)
    return replace(told, title=_after(told.title, "again: "), facts=(_seen(row),), then="")


def reminder(row: Row[Any], now: datetime) -> Message:
    """It is still open and nobody has acknowledged it."""
    told = base(row)
    facts = (Fact("Open for", lasted(now - row.opened_at)), _seen(row), *told.facts)
    return replace(told, title=_after(told.title, "still open: "), facts=facts, severity=row.severity)


def escalated(row: Row[Any], now: datetime, mention: str) -> Message:
    """It is critical, and nobody has acknowledged it."""
    told = base(row)
    why = Fact("Escalated", f"critical, and nobody has acknowledged it for {lasted(now - row.opened_at)}")
    facts = (*((Fact(MENTION, mention),) if mention else ()), why, _seen(row), *told.facts)
    return replace(told, title=_after(told.title, "escalated: "), facts=facts, severity=row.severity)


def acked(row: Row[Any]) -> Message:
    """Somebody has taken it on."""
    told = base(row)
    facts = (Fact("Acknowledged", f"by {row.acked_by}", row.acked_at), _seen(row), *told.facts)
    return replace(told, title=_after(told.title, "acknowledged: "), facts=facts)


def recovered(row: Row[Any], now: datetime, why: str) -> Message:
    """It is over."""
    told = base(row)
    facts = (
        Fact("Lasted", f"{lasted(now - row.opened_at)}, since {row.opened_at:%Y-%m-%d %H:%M} UTC", row.opened_at),
        Fact("Occurrences", f"{row.occurrences:,}"),
        Fact("Was", unpack(row.message).title.partition("] ")[2] if len(members(row)) < 2 else told.title),
    )
    message = replace(
        told, severity="info", title=_after(told.title, "recovered: "), facts=facts, cause=why, then="", command="",
    )  # fmt: skip
    return clean(message)


def summary(environment: str, kind: str, titles: list[str]) -> Message:
    """So much began, or ended, at once that one message names it all."""
    counted = Counter(title.partition("] ")[2] or title for title in titles)
    lines = [f"{title}" + (f" ({count} times)" if count > 1 else "") for title, count in counted.items()]
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    what = "recoveries" if kind == "recovered" else "incidents"
    return clean(
        Message(
            "info" if kind == "recovered" else "error", f"[{environment}] {len(titles)} {what} at once",
            (Fact("What", "\n".join(lines[:NAMED] + more)),), "", "", "crosswalk incidents list", None, "summary",
        )
    )  # fmt: skip


def lasted(span: timedelta) -> str:
    """A duration in the two largest units that say something."""
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((i for i, (count, _) in enumerate(units) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count) or "0 s"


def _seen(row: Row[Any]) -> Fact:
    times = "once" if row.occurrences == 1 else f"{row.occurrences:,} times"
    return Fact("Seen", f"{times}, last {row.last_seen_at:%Y-%m-%d %H:%M} UTC", row.last_seen_at)


def _after(title: str, words: str) -> str:
    """Words put between the environment and the rest of a title."""
    head, bracket, rest = title.partition("] ")
    return f"{head}{bracket}{words}{rest}" if bracket else words + title
