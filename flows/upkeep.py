"""What goes on beside the integrations: each step does one thing for all bindings, and none keeps another from its."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

from prefect import State, flow
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from crosswalk.alerts import notify, outages
from crosswalk.alerts.incidents import Incidents
from crosswalk.console import reconciling
from crosswalk.errors import CrosswalkError
from crosswalk.http import redact
from crosswalk.integration import find
from crosswalk.prefect_run import alone
from crosswalk.runs import draining, pruning, reconciled
from crosswalk.runs.session import Request
from crosswalk.runs.wiring import House
from crosswalk.store import retention
from crosswalk.watch import looking
from flows.telling import About

DAY = timedelta(days=1)


@flow(name="upkeep", persist_result=False)
def upkeep() -> State[Any]:
    """Send what waits for systems that were away, look after everything, tell people. Every few minutes."""
    with closing(House.here()) as house:
        words, wrong = tended(house)
    for line in words:
        get_run_logger().info("%s", line)
    for line in wrong:
        get_run_logger().error("%s", line)
    told = "\n".join([*wrong, *words]) or "nothing to do"
    return Failed(message=told) if wrong else Completed(message=told)


def tended(house: House) -> tuple[list[str], list[str]]:
    """Do every step: what was done, and what went wrong."""
    words: list[str] = []
    wrong: list[str] = []
    for step in STEPS:
        try:
            step(house, words, wrong)
        except CrosswalkError as error:
            wrong.append(redact.text(f"{step.__name__}: {error}"))
    return words, wrong


def drain(house: House, words: list[str], wrong: list[str]) -> None:
    """Send what waits, binding by binding; warn of rows that are held now, and say which systems answer again."""
    for name, binding in house.settings.bindings.items():
        try:
            session = house.session(name, Request(), integration=find(binding.integration))
            done = draining.drain(session)
        except CrosswalkError as error:
            wrong.append(redact.text(f"{name}: {error}"))
            continue
        if done is None:
            continue
        words.append(redact.text(done.line()))
        about = About(session.integration, name, _flow_run(), house.settings, session)
        trouble = notify.run_ended(about.ended(None, "drained"))
        wrong += [f"{name}: {trouble}"] if trouble else []


def look(house: House, words: list[str], wrong: list[str]) -> None:
    """The look that `crosswalk watch` takes, and what only the systems know; what it finds becomes incidents."""
    seen = looking.once(house, ask=True, send=False)
    if seen.gone is not None:
        raise seen.gone
    words += [redact.text(f"found: {one.trouble.title}: {one.trouble.what}") for one in seen.findings]
    wrong += [f"not looked at: {one}" for one in seen.unseen]


def prune(house: House, words: list[str], wrong: list[str]) -> None:
    """Once a day take out what is older than its period."""
    last = retention.last_pruned(house.store)
    if last is not None and house.clock.now() - last < DAY:
        return
    gone = pruning.prune(house)
    words += [f"{gone.total:,} rows were older than they are kept"] if gone.total else []


def reconcile(house: House, words: list[str], wrong: list[str]) -> None:
    """Compare the last complete period of bindings that declare ``reconcile``, once; a difference is an incident."""
    for name, binding in house.settings.bindings.items():
        try:
            due = reconciled.due(house.store, binding, house.clock.now())
            if due is None:
                continue
            found = reconciling.compared(house, binding, due.first, due.past, due.by)
        except CrosswalkError as error:
            wrong.append(redact.text(f"{name}: not reconciled: {error}"))
            continue
        told = "both systems agree" if found.clean else f"{len(found.differences)} records differ"
        words.append(f"{name}: {due.first} to {due.past}: {told}")


def tell(house: House, words: list[str], wrong: list[str]) -> None:
    """Send what is due of incidents: reminders, escalations, the digest, what waited for a channel."""
    incidents = Incidents(house.store, house.settings, house.clock)
    outages.keep(incidents)
    sent = incidents.send_due()
    words += [f"{sent} alert message{'s' if sent > 1 else ''} sent"] if sent else []


def _flow_run() -> Any:
    context = FlowRunContext.get()
    return context.flow_run if context is not None else None


STEPS: tuple[Callable[[House, list[str], list[str]], None], ...] = (drain, look, prune, reconcile, tell)


if __name__ == "__main__":
    alone(upkeep)
