"""One look at everything: what is wrong becomes incidents, what is mended ends them, and all well is said outside.

    seen = once(house)

Any number of processes may look at any time: what two find at once is one incident. With the store gone that is told
directly, once a machine.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row

from crosswalk.alerts import direct, outages, routing
from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.sending import Post
from crosswalk.alerts.trouble import CRITICAL, ERROR, RUN_DIED, RUN_FAILED, SEVERITIES, Trouble
from crosswalk.errors import CrosswalkError, KeyTrouble, StoreError
from crosswalk.http import redact
from crosswalk.runs.wiring import House
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows
from crosswalk.store import watching
from crosswalk.store.engine import Taken
from crosswalk.watch import accounts, heartbeat, queues, runs
from crosswalk.watch.finding import Check, Finding, Look, Unknown
from crosswalk.webhooks import checking

LOG = logging.getLogger("crosswalk.watch")
BLIND = "watch_blind"

CHECKS: tuple[Check, ...] = (
    Check("dead runs", (), runs.died),
    Check("schedules", (runs.LATE,), runs.never_picked_up),
    Check("freshness", (runs.STALE,), runs.stale),
    Check("failed runs", (), runs.untold),
    Check("accounts", (runs.UNBALANCED,), runs.unbalanced),
    Check("held rows", (queues.HELD_MANY,), queues.held_rows),
    Check("outbox", (queues.OUTBOX,), queues.outbox),
    Check("inbox", (queues.INBOX, queues.LEFT), queues.inbox),
    Check("alerts", (queues.ALERTS,), queues.alerts),
    Check("logins", (accounts.TOKEN,), accounts.tokens),
    Check("webhooks", (checking.SILENT, checking.FORGED), accounts.webhooks),
    Check("subscriptions", (checking.GONE,), accounts.subscriptions, asks=True),
    Check("clocks", (accounts.CLOCK,), accounts.clocks),
)
ASKING = tuple(check.name for check in CHECKS if check.asks)
ROOTS = (RUN_FAILED, RUN_DIED)
MENDED = {
    runs.LATE: "runs are picked up again", runs.STALE: "a run has brought it up to date",
    runs.UNBALANCED: "it adds up again", queues.HELD_MANY: "fewer records are held",
    queues.OUTBOX: "nothing waits too long any more", queues.INBOX: "events are worked again",
    queues.LEFT: "no event is left to a person any more", queues.ALERTS: "no alert waits any more",
    accounts.TOKEN: "the login was renewed", accounts.CLOCK: "the clocks agree",
    heartbeat.UNANSWERED: "the heartbeat is answered again", BLIND: "it can be looked at again",
}  # fmt: skip


@dataclass
class Seen:
    """What a look has found. unseen: what could not be looked at, and why.  open: incidents that are not resolved.

    gone: why the store could not be used.  beat: what came of the heartbeat; empty where none was due.
    sent: messages that went out.
    """

    findings: list[Finding] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    gone: CrosswalkError | None = None
    beat: str = ""
    sent: int = 0

    @property
    def well(self) -> bool:
        """Whether nothing is wrong: no finding, and no incident open that is worse than a warning."""
        return not (self.findings or self.open or self.gone or self.unseen)


def once(house: House, *, ask: bool = False, post: Post | None = None, send: bool = True) -> Seen:
    """Look once. ask: also ask the systems what only they know. send: send what is due of alerts.

    Raises SettingsError for settings that cannot be read; anything else becomes part of what is seen.
    """
    try:
        return _look(house, ask, post, send)
    except Taken as error:
        return Seen(unseen=[f"another process looked in the same moment: {error.what}"])
    except (StoreError, KeyTrouble) as error:
        trouble = direct.tell(house.settings, house.clock, direct.store_gone(error), post)
        return Seen(gone=error, unseen=[trouble] if trouble else [])


def _look(house: House, ask: bool, post: Post | None, send: bool) -> Seen:
    incidents, look, seen = Incidents(house.store, house.settings, house.clock, post), Look(house, ask), Seen()
    direct.hand_over(house.settings, incidents)
    over = _found(look, seen)
    _tell(incidents, look, seen.findings, over)
    outages.keep(incidents)
    watching.note(house.store, watching.LOOKED)
    seen.open = _wrong(incidents)
    seen.beat = _beat(incidents, house, seen)
    seen.sent = incidents.send_due() if send else 0
    return seen


def _found(look: Look, seen: Seen) -> list[str]:
    """Fill in what every check finds; the kinds of incidents that are over where it was not found."""
    over: list[str] = []
    for check in CHECKS:
        if check.asks and not look.ask:
            continue
        try:
            seen.findings += check.find(look)
            over += check.kinds
        except StoreError:
            raise
        except Unknown as error:
            LOG.debug("%s: %s", check.name, error.what)
        except Exception as error:
            LOG.debug("%s", check.name, exc_info=True)
            why = error.what if isinstance(error, CrosswalkError) else f"{type(error).__name__}: {error}"
            seen.unseen.append(redact.text(f"{check.name}: {why}"))
            seen.findings.append(_blind(check, error, why))
    return over


def _blind(check: Check, error: Exception, why: str) -> Finding:
    command = error.next_command if isinstance(error, CrosswalkError) else ""
    trouble = Trouble(
        kind=BLIND, step=check.name, severity=ERROR, title=f"the watch cannot look at {check.name}", what=why,
        command=command or "crosswalk watch --once", then="It looks again every time; the rest is looked at.",
    )  # fmt: skip
    return Finding(trouble)


def _tell(incidents: Incidents, look: Look, found: Sequence[Finding], over: Sequence[str]) -> None:
    settings, listed = look.settings, rows.listing(look.store, look.settings.environment, limit=10_000)
    there = {row.fingerprint: row for row in listed}
    marks = set()
    for one in found:
        mark = _mark(settings, one)
        marks.add(mark)
        row = there.get(mark)
        if row is None and (one.quiet or (one.yields and _failing(one, listed))):
            continue
        if row is None or row.quiet_since is not None or _worse(one, row) or _run(one) != row.last_run:
            again = f" {look.now.isoformat()}" if row is not None and row.quiet_since is not None else ""
            incidents.raise_(_with_run(one, again))
    for row in listed:
        gone = row.kind in over or (row.kind == BLIND and (look.ask or row.step not in ASKING))
        if gone and row.fingerprint not in marks and row.quiet_since is None:
            _over(incidents, row, MENDED.get(row.kind, "it is no longer so"))
    for binding in {row.binding for row in rows.listing(look.store, settings.environment) if row.kind == RUN_DIED}:
        if runs.recovered(look, binding):
            incidents.clear("a run has succeeded since", kinds=[RUN_DIED], binding=binding)


def _mark(settings: Settings, one: Finding) -> str:
    named = one.trouble.named(settings.environment, routing.name_of(settings, one.trouble.connection))
    return named.fingerprint(settings.environment)


def _failing(one: Finding, listed: Sequence[Row[Any]]) -> bool:
    """Whether people know that the binding's runs fail."""
    return any(row.binding == one.trouble.binding and row.kind in ROOTS for row in listed)


def _worse(one: Finding, row: Row[Any]) -> bool:
    return SEVERITIES.index(one.trouble.severity) < SEVERITIES.index(row.severity)


def _run(one: Finding) -> str:
    """What stands for the report: the run that it is about, or its stage; the same again is not counted."""
    return one.trouble.run or f"watch {one.stage}".strip()[:200]


def _with_run(one: Finding, more: str) -> Trouble:
    return replace(one.trouble, run=_run(one) + more)


def _over(incidents: Incidents, row: Row[Any], why: str) -> None:
    incidents.clear(
        why, kinds=[row.kind], binding=row.binding, connection=row.connection, step=row.step, error=row.error
    )


def _wrong(incidents: Incidents) -> list[str]:
    listed = rows.listing(incidents.store, incidents.environment, limit=10_000)
    return [row.id for row in listed if row.severity in (CRITICAL, ERROR) and row.kind != heartbeat.UNANSWERED]


def _beat(incidents: Incidents, house: House, seen: Seen) -> str:
    """Say outside that all is well; that nobody answers there is an incident of its own, which stops no heartbeat."""
    if not seen.well or not heartbeat.address(house.settings):
        return ""
    try:
        heartbeat.beat(house)
    except CrosswalkError as error:
        incidents.raise_(heartbeat.unanswered(error))
        return f"not answered: {redact.text(error.what)}"
    incidents.clear(MENDED[heartbeat.UNANSWERED], kinds=[heartbeat.UNANSWERED])
    return "answered"
