"""``crosswalk reconcile``: whether both systems agree."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.runs.balance import Balance, Sum
    from crosswalk.runs.wiring import House
    from crosswalk.settings import Binding

SHOWN = 50


def register(app: App) -> None:
    app.command(reconcile)


def reconcile(
    binding: str, /, *, since: str | None = None, until: str | None = None, by: Literal["month", "day"] = "month",
    json: bool = False,
) -> int:  # fmt: skip
    """Read both systems afresh and compare them: count and money by period, currency and tax, and key by key.

    What the source has must be at the target, held, or left out by a named rule. What differs is listed with its likely
    cause and opens an incident, which a later reconciliation of these days ends. Nothing is written to either system.
    Ends with 1 when they differ.

    Args:
        binding: The binding of crosswalk.toml.
        since: The first day, as 2026-11-01, in the source's calendar. The first of this month without it.
        until: The day after the last one. Today without it, so that only whole days are compared.
        by: One line a month, or one a day.
        json: Print everything as JSON.
    """
    with place.house() as house:
        bound = house.settings.binding(binding)
        first, past = _days(bound, house.clock.now(), since, until)
        found = compared(house, bound, first, past, by)
    if json:
        show.as_json(found.as_dict())
    else:
        _print(found)
    return 0 if found.clean else 1


def compared(house: House, binding: Binding, first: date, past: date, by: Literal["month", "day"]) -> Balance:
    """Reconcile, keep the outcome, and open or end its incident."""
    from crosswalk.alerts import reconciliation
    from crosswalk.alerts.incidents import Incidents
    from crosswalk.runs import reconciled
    from crosswalk.runs.reconcile import reconcile as compare
    from crosswalk.runs.session import Request

    session = house.session(binding.name, Request())
    found = compare(session, first, past, by)
    reconciled.keep(session, found)
    incidents = Incidents(house.store, house.settings, house.clock)
    if found.clean:
        reconciliation.agrees(incidents, binding.name, first, past)
    else:
        reconciliation.differs(
            incidents, binding.name, first, past, causes=found.causes(), keys=reconciled.keys(found),
            sums=reconciled.sums(found), run=session.run, owner=session.integration.owner,
        )  # fmt: skip
    return found


def _days(binding: Binding, now: datetime, since: str | None, until: str | None) -> tuple[date, date]:
    today = now.astimezone(ZoneInfo(binding.source.zone)).date()
    past = _day("until", until) or today
    first = _day("since", since) or (past - timedelta(days=1)).replace(day=1)
    if first >= past:
        raise SettingsError(
            f"since {first} is not before until {past}",
            safe="nothing was read",
            next_command=f"crosswalk reconcile {binding.name} --since 2026-11-01 --until 2026-12-01",
        )
    return first, past


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{name} {text!r} is no day", safe="nothing was read", next_command=f"write --{name} 2026-11-01"
        ) from error


def _print(found: Balance) -> None:
    show.table(
        ("period", "what", "currency", "tax", "source", "at the target", "held", "left out", "difference"),
        [
            (line.period, line.resource, line.currency, line.tax or "-", _sum(line.source), _sum(line.target),
             _sum(line.held), "; ".join(f"{rule}: {_sum(s)}" for rule, s in sorted(line.skipped.items())),
             _sum(line.difference))
            for _, line in sorted(found.lines.items())
        ],
        title=f"{found.binding}, {found.first} to {found.past - timedelta(days=1)}: {found.read} records read",
    )  # fmt: skip
    for resource in found.unread:
        show.say(f"{resource} was not compared: the target does not list it.")
    if not found.differences:
        show.say("Both agree." if found.clean else "The sums differ, and no key does.")
        return
    show.table(
        ("cause", "what", "key", "part", "target id", "detail"),
        [(d.cause, d.resource, d.key, d.part, d.target_id, d.detail) for d in found.differences[:SHOWN]],
    )
    if len(found.differences) > SHOWN:
        show.say(f"{len(found.differences)} records differ, {SHOWN} are shown; --json shows all.")
    show.say(f"Next: docs/do-both-systems-agree.md says what each cause means; crosswalk status {found.binding}")


def _sum(one: Sum) -> str:
    if not one.count and not one.money:
        return ""
    return f"{one.count}" if not one.money else f"{one.count} / {one.money.quantize(Decimal('0.01')):,}"
