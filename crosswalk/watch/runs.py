"""Runs: that they take place, end, keep the freshness promise, add up, and that somebody was told when they did not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from crosswalk.alerts.message import Fact
from crosswalk.alerts.routing import owner_of
from crosswalk.alerts.trouble import CRITICAL, ERROR, GRAVE, RUN_DIED, RUN_FAILED, WARNING, Trouble
from crosswalk.errors import Unbalanced
from crosswalk.runs.account import Account
from crosswalk.settings import Binding
from crosswalk.store import held, ledger, runs, watching
from crosswalk.watch.finding import Finding, Look, ago
from crosswalk.watch.schedule import schedules

STALE, LATE, UNBALANCED = "stale", "late", "unbalanced"
GRACE = timedelta(minutes=15)
"""After a run was due: a worker that is busy takes it a little later."""
SETTLING = timedelta(minutes=3)
"""After a run failed: its own process tells of it first."""


def never_picked_up(look: Look) -> list[Finding]:
    """One finding for all bindings that were due and that nobody runs: most often their common worker is gone."""
    due = {b: at for b, when in schedules(look.settings.home).items() if (at := _missed(look, b, when)) is not None}
    look.late = set(due)
    if not due:
        return []
    names, oldest = sorted(due), min(due.values())
    broken = [name for name in names if _age(look, look.settings.bindings[name]) is not None]
    owners = {owner_of(look.settings, name) for name in names}
    since = Fact("Due since", f"{oldest:%Y-%m-%d %H:%M} UTC", oldest)
    trouble = Trouble(
        kind=LATE, step="schedule", severity=ERROR if broken else WARNING,
        title=f"nobody runs {names[0]}" + (f" and {len(names) - 1} others" if len(names) > 1 else ""),
        what=f"due by prefect.yaml and not begun: {', '.join(names)}",
        facts=(Fact("Bindings", ", ".join(names)), since),
        then="The next run reads all that changed since the last one; nothing is lost.",
        command="crosswalk doctor, then look whether the Prefect server and a worker (crosswalk work) run",
        owner=owners.pop() if len(owners) == 1 else "",
    )  # fmt: skip
    return [Finding(trouble, stage=" ".join(names))]


def _missed(look: Look, binding: str, when: Any) -> datetime | None:
    """When a run was due that has not begun, if there is one."""
    bound = look.settings.bindings.get(binding)
    if bound is None:
        return None
    last = runs.last(look.store, bound.scope, whole=True)
    if last is not None and last.state == "running":
        return None
    due: datetime = when(last.started_at if last is not None else watching.first_seen(look.store, bound.scope))
    return due if due + GRACE < look.now else None


def stale(look: Look) -> list[Finding]:
    """Bindings whose freshness promise is broken."""
    found = []
    for bound in look.settings.bindings.values():
        age = _age(look, bound)
        if age is None:
            continue
        fresh, since = age
        going = runs.last(look.store, bound.scope, whole=True)
        catching_up = going is not None and going.state == "running" and look.now - going.started_at < fresh
        trouble = Trouble(
            kind=STALE, binding=bound.name, severity=ERROR, follows=True, title=f"{bound.name} is not up to date",
            what=f"the last run that added up ended {ago(since, look.now)} ago; promised is every "
            f"{fresh.total_seconds() / 60:.0f} minutes",
            facts=(Fact("Last good run", f"{since:%Y-%m-%d %H:%M} UTC", since),),
            then="The next good run brings all that changed since then.", command=f"crosswalk status {bound.name}",
        )  # fmt: skip
        found.append(Finding(trouble, yields=True, quiet=catching_up or bound.name in look.late))
    return found


def _age(look: Look, bound: Binding) -> tuple[timedelta, datetime] | None:
    """The broken promise of a binding, and since when nothing was brought up to date; None while it is kept."""
    from crosswalk.integration import find

    fresh = find(bound.integration).fresh_within
    good = runs.last(look.store, bound.scope, "completed", "queued", whole=True)
    since = good.ended_at if good is not None else watching.first_seen(look.store, bound.scope)
    return (fresh, since) if look.now - since > fresh else None


def died(look: Look) -> list[Finding]:
    """Runs that were killed, with what they held given back; and leases without a heartbeat."""
    found = []
    for dead in watching.sweep(look.store, look.settings.environment):
        if watching.told(look.store, dead.id, dead.binding, dead.started_at):
            continue
        then = "What it held is given back. The next run resolves what was in doubt and goes on at the last commit."
        found.append(_dead(look, dead.binding, f"a run of {dead.binding} was killed", dead.why, then, dead.id))
    for quiet in watching.silent(look.store, look.settings.environment):
        if watching.told(look.store, quiet.run, quiet.binding, quiet.since):
            continue
        why = f"{quiet.who} gives no sign since {quiet.since:%Y-%m-%d %H:%M:%S} UTC: it hangs, or its machine died"
        then = "The next run takes over and goes on at the last commit; the silent process can write nothing more."
        title = f"a run of {quiet.binding} gives no sign of life"
        found.append(_dead(look, quiet.binding, title, why, then, quiet.run))
    return found


def _dead(look: Look, binding: str, title: str, why: str, then: str, run: str) -> Finding:
    facts = (Fact("Safe", "what was committed stands"),)
    return Finding(
        Trouble(
            kind=RUN_DIED, binding=binding, step="the process", error="Crashed", title=title, what=why, facts=facts,
            then=then, command=f"crosswalk status {binding}", run=run,
        )
    )  # fmt: skip


def recovered(look: Look, binding: str) -> bool:
    """Whether a whole run of a binding has ended well after the newest one that was killed."""
    bound = look.settings.bindings.get(binding)
    if bound is None:
        return False
    good = runs.last(look.store, bound.scope, "completed", "queued", whole=True)
    bad = runs.last(look.store, bound.scope, "failed", "running")
    return good is not None and (bad is None or good.started_at > bad.started_at)


def untold(look: Look) -> list[Finding]:
    """Failed runs of which nobody was told: their process died before, or ran without Prefect."""
    found = []
    for bound in look.settings.bindings.values():
        last = runs.last(look.store, bound.scope)
        if last is None or last.state != "failed" or last.ended_at is None or last.ended_at + SETTLING > look.now:
            continue
        names = (bound.source.name, bound.target.name)
        if last.error.startswith("Crashed:"):
            continue
        if not watching.mentioned(look.store, last.id, bound.name, names, last.started_at):
            found.append(_failed(bound, last))
    return found


def _failed(bound: Binding, last: Row[Any]) -> Finding:
    kind, _, what = (last.error.splitlines() or ["without a word"])[0].partition(": ")
    return Finding(
        Trouble(
            kind=RUN_FAILED, binding=bound.name, error=kind, code=what, title=f"{bound.name} failed: {kind}", what=what,
            severity=CRITICAL if kind in GRAVE else ERROR, command=f"crosswalk status {bound.name}", run=last.id,
            facts=(Fact("Failed at", f"{last.ended_at:%Y-%m-%d %H:%M} UTC", last.ended_at),),
            then="The next scheduled run goes on where the last commit stands.",
        )
    )  # fmt: skip


def unbalanced(look: Look) -> list[Finding]:
    """Accounts that do not add up, and records that nothing would ever resolve or show."""
    found = []
    for bound in look.settings.bindings.values():
        why = _account(look, bound)
        lost, hidden = ledger.adrift(look.store, bound.scope), held.unlisted(look.store, bound.scope)
        why += [f"{len(lost)} records name an attempt that is not open, such as {lost[0]}"] if lost else []
        why += [f"{len(hidden)} records are held and stand in no list, such as {hidden[0]}"] if hidden else []
        if why:
            trouble = Trouble(
                kind=UNBALANCED, binding=bound.name, severity=CRITICAL, title=f"{bound.name} does not add up",
                what="; ".join(why), command=f"crosswalk reconcile {bound.name}, and report it",
                then="Nothing by itself, unless the next run counts right.",
            )  # fmt: skip
            found.append(Finding(trouble))
    return found


def _account(look: Look, bound: Binding) -> list[str]:
    last = runs.last(look.store, bound.scope, "completed", "queued")
    if last is None:
        return []
    known = {k: v for k, v in json.loads(last.account).items() if k in Account.__dataclass_fields__}
    try:
        Account(**known).check()
    except Unbalanced as error:
        return [error.what]
    return []
