"""Reconciliations as they are kept: which days of a binding were compared, when, and whether they agreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from crosswalk.errors import SettingsError
from crosswalk.runs.balance import Balance, Step
from crosswalk.runs.session import Session
from crosswalk.settings import FILE, Binding
from crosswalk.store import runs
from crosswalk.store.engine import Store
from crosswalk.store.tables import RUN

AGREED, DIFFERED = "reconciled", "reconciled, differs"
REST = timedelta(hours=2)
"""After the end of a period, before it is compared: what was late may come."""
AGAIN = timedelta(hours=6)
"""Before a period that differed is compared again."""


@dataclass(frozen=True)
class Due:
    """The period that is to be compared: from ``first`` to the day before ``past``."""

    first: date
    past: date
    by: Step


def keep(session: Session, found: Balance) -> None:
    """Note a reconciliation as a run that wrote nothing."""
    since, until = _ends(session.binding, found.first, found.past)
    account = {
        "read": found.read, "by cause": found.causes(), "since": str(found.first), "until": str(found.past),
    }  # fmt: skip
    runs.begin(
        session.store, session.run, session.scope, session.binding.name, flow_run_id="", since=since, until=until,
        dry_run=True,
    )  # fmt: skip
    runs.end(session.store, session.run, AGREED if found.clean else DIFFERED, account)


def due(store: Store, binding: Binding, now: datetime) -> Due | None:
    """The last complete period of a binding that declares ``reconcile``, unless it has been compared; None then.

    Raises SettingsError for a declaration that is no period.
    """
    by = binding.options.get("reconcile")
    if not by:
        return None
    if by not in ("day", "month"):
        raise SettingsError(
            f"[bindings.{binding.name}]: reconcile is {by!r}; it is 'day' or 'month'", next_command=f"mend {FILE}"
        )
    today = (now - REST).astimezone(ZoneInfo(binding.source.zone)).date()
    past = today if by == "day" else today.replace(day=1)
    first = past - timedelta(days=1)
    first = first if by == "day" else first.replace(day=1)
    last = _last(store, binding, first, past)
    if last is not None and (last.state == AGREED or last.started_at > now - AGAIN):
        return None
    return Due(first, past, by)


def _last(store: Store, binding: Binding, first: date, past: date) -> Any:
    since, until = _ends(binding, first, past)
    query = (
        select(RUN)
        .where(RUN.c.scope == binding.scope, RUN.c.state.in_((AGREED, DIFFERED)))
        .where(RUN.c.since == since, RUN.c.until == until)
        .order_by(RUN.c.started_at.desc())
        .limit(1)
    )
    with store.reading() as connection:
        return connection.execute(query).one_or_none()


def _ends(binding: Binding, first: date, past: date) -> tuple[datetime, datetime]:
    zone = ZoneInfo(binding.source.zone)
    since, until = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, past))
    return since, until


def sums(found: Balance) -> list[str]:
    """The rests by currency, in words."""
    rests: dict[str, Any] = {}
    for line in found.lines.values():
        rest = line.difference
        if rest.money:
            rests[line.currency] = rests.get(line.currency, 0) + abs(rest.money)
    return [f"{currency} {money:,.2f} apart" for currency, money in sorted(rests.items())]


def keys(found: Balance) -> list[str]:
    """What differs, by name, for an alert."""
    return [f"{d.key or d.target_id} {d.part}".strip() + f" ({d.cause})" for d in found.differences]
