"""Telling of a reconciliation: an incident a binding and stretch of days, ended when those days agree again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.message import Fact
from crosswalk.alerts.trouble import ERROR, Trouble
from crosswalk.store import incidents as rows

KIND = "reconciliation"
KEYS = 10


def differs(
    incidents: Incidents, binding: str, first: date, past: date, *, causes: Mapping[str, int], keys: Sequence[str],
    sums: Sequence[str], run: str = "", owner: str = "",
) -> str:  # fmt: skip
    """Open an incident, or count one that is open; its id. causes: how many keys differ, by cause; sums: in words."""
    days = f"{first} to {past - timedelta(days=1)}"
    count = sum(causes.values())
    shown = ", ".join(keys[:KEYS]) + (f" and {count - KEYS} more" if count > KEYS else "")
    what = "; ".join(f"{number} {cause}" for cause, number in sorted(causes.items()))
    facts = [Fact("days", days), Fact("records", shown)] + [Fact("money", one) for one in sums[:3]]
    return incidents.raise_(
        Trouble(
            kind=KIND, title=f"{binding}: source and target do not agree on {days}",
            what=what or "the sums differ, and no key does", binding=binding, step=_step(first, past), severity=ERROR,
            facts=facts, then="Nothing was changed on either side. A later reconciliation of these days ends this.",
            command=f"crosswalk reconcile {binding} --since {first} --until {past}", run=run, owner=owner,
        )
    )  # fmt: skip


def agrees(incidents: Incidents, binding: str, first: date, past: date) -> list[str]:
    """End the incidents of stretches that lie within days which agree; their ids."""
    ended: list[str] = []
    for row in rows.listing(incidents.store, incidents.environment):
        if row.kind != KIND or row.binding != binding:
            continue
        begin, _, end = row.step.partition("..")
        if first <= date.fromisoformat(begin) and date.fromisoformat(end) <= past:
            why = f"source and target agree on {first} to {past - timedelta(days=1)}"
            ended += incidents.clear(why, kinds=[KIND], binding=binding, step=row.step)
    return ended


def _step(first: date, past: date) -> str:
    return f"{first}..{past}"
