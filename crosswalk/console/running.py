"""``crosswalk run``, ``plan`` and ``apply``: a binding run once, or shown before it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError, NotApproved, SettingsError

if TYPE_CHECKING:
    from crosswalk.runs.account import Account
    from crosswalk.runs.session import Request, Session
    from crosswalk.runs.wiring import House


def register(app: App) -> None:
    for command in (run, plan, apply):
        app.command(command)


def run(
    binding: str, /, *, since: str | None = None, until: str | None = None, ids: str | None = None,
    full: bool = False, dry_run: bool = False, bare: bool = False, personal: bool = False,
) -> int:  # fmt: skip
    """Run a binding once, in this process.

    The run goes through Prefect where a server is named or answers, so that it has a page and can be retried there;
    where none does, and with --bare, it runs without. Progress lives in the store either way: a run that was cut off is
    continued by the same command.

    Args:
        binding: The binding of crosswalk.toml.
        since: Read from this instant on, with its zone, instead of from the cursor. The cursor then stays.
        until: Read up to this instant. The cursor then stays.
        ids: Read only these source keys, with commas between them. The cursor then stays.
        full: Read everything from the binding's start on. What is delivered and unchanged is not sent.
        dry_run: Show what would be done, field by field, and write nothing.
        bare: Run without Prefect.
        personal: Show personal values in the plan of a dry run.
    """
    wanted = replace(request(since, until, ids, dry_run), full=full)
    if dry_run:
        with place.house() as house:
            _plan(house, binding, wanted, personal=personal)
        return 0
    return go(binding, wanted, bare=bare)


def plan(
    binding: str, /, *, since: str | None = None, until: str | None = None, ids: str | None = None,
    remap: bool = False, personal: bool = False,
) -> int:  # fmt: skip
    """Show what a run would do, field by field, write nothing, and keep the plan for approval.

    A mapping that has changed does not touch what is delivered, until its source record changes. With --remap the plan
    shows which delivered records the present mapping would change; `crosswalk apply` writes them.

    Outside the sandbox a binding's first plan must be approved with `crosswalk apply` before anything is written.

    Args:
        binding: The binding of crosswalk.toml.
        since: Read from this instant on, with its zone, instead of from the cursor.
        until: Read up to this instant.
        ids: Read only these source keys, with commas between them.
        remap: Show what the present rules make of the delivered records that were made with other ones.
        personal: Show personal values.
    """
    from crosswalk.runs import remapping
    from crosswalk.runs.session import Request
    from crosswalk.store import runs

    with place.house() as house:
        wanted = replace(request(since, until, ids, True), remap=remap)
        if remap:
            remapping.require_ledger(house.session(binding, Request()))
        session = _plan(house, binding, wanted, personal=personal)
        bound = session.binding
        if bound.source.environment != "sandbox" and bound.start is None:
            raise SettingsError(
                f"binding {binding!r} has no start; outside the sandbox nothing before a start is sent",
                safe="nothing was written; the plan was not kept",
                next_command=f'add start = "2026-01-01T00:00:00Z" to [bindings.{binding}] in crosswalk.toml',
            )
        name = session.run[:12]
        summary = {
            "counts": session.plan.counts,
            "since": str(session.window.since),
            "until": str(session.window.until),
            "adopt": session.plan.adopt,
            "remap": remap,
        }
        runs.propose(house.store, name, session.scope, _digest(session), summary)
    show.say(f"Next: crosswalk apply {name}")
    return 0


def apply(plan: str, /, *, bare: bool = False) -> int:
    """Approve a plan in your name and run its binding. Target records that the plan adopts are adopted.

    A plan whose rules, tables or accounts have changed since it was shown is refused.

    Args:
        plan: The plan's name, as `crosswalk plan` printed it.
        bare: Run without Prefect.
    """
    from crosswalk.runs import release
    from crosswalk.runs.session import Request
    from crosswalk.store import runs

    with place.house() as house:
        row = runs.plan(house.store, plan)
        if row is None:
            raise SettingsError(
                f"there is no plan {plan!r}", safe="nothing was written", next_command="crosswalk plan BINDING"
            )
        bound = next((b for b in house.settings.bindings.values() if b.scope == row.scope), None)
        if bound is None:
            raise NotApproved(
                f"the plan {plan} was made for other accounts or another environment: {row.scope}",
                safe="nothing was written",
                next_command="crosswalk plan BINDING, and look at it again",
            )
        if _digest(house.session(bound.name, Request())) != row.digest:
            raise NotApproved(
                f"the rules or tables of {bound.name!r} have changed since the plan {plan} was shown",
                safe="nothing was written",
                next_command=f"crosswalk plan {bound.name}",
            )
        if not row.approved_by:
            runs.approve(house.store, plan, _person())
        summary = json.loads(row.summary)
        adopted, remap = summary.get("adopt", ()), bool(summary.get("remap"))
        release.approved(house.session(bound.name, Request()), [(key, part) for key, part, *_ in adopted])
        show.say(f"Plan {plan} of {bound.name} is approved by {row.approved_by or _person()}.")
    # A re-mapping is a person's act with a plan: it is no parameter that a form in Prefect offers.
    return go(bound.name, Request(remap=remap), bare=bare or remap)


def request(since: str | None, until: str | None, ids: str | None, dry_run: bool = False) -> Request:
    """What was asked for. Raises SettingsError for an instant that is none."""
    from crosswalk.runs.session import Request

    keys = tuple(k.strip() for k in (ids or "").split(",") if k.strip())
    return Request(instant("since", since), instant("until", until), keys, dry_run)


def instant(name: str, text: str | None) -> datetime | None:
    """An instant with its zone. Raises SettingsError for what is none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        what = f"{name} {text!r} is no instant" if found is None else f"{name} {text!r} carries no zone"
        raise SettingsError(
            what, safe="nothing was read or written", next_command=f"write --{name} 2026-01-01T00:00:00Z"
        )
    return found.astimezone(UTC)


def server(address: str) -> str | None:
    """The API of the Prefect server that Prefect's own settings name, or of the one that answers at ``address``.

    None when neither. Raises SettingsError when a server is named and does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    named = PREFECT_API_URL.value()
    if named:
        if str(named).startswith("http://") and not _answers(str(named)):
            raise SettingsError(
                f"the Prefect server at {named} does not answer",
                safe="nothing was read or written",
                next_command="prefect server start, or give --bare to run without it",
            )
        return str(named)
    beside = f"{address.rstrip('/')}/api"
    return beside if _answers(beside) else None


def _answers(api: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def go(binding: str, wanted: Request, *, bare: bool) -> int:
    """Run a binding once and show how it went, through Prefect where a server is there; the exit code."""
    settings = place.settings()
    place.integration(settings.binding(binding))
    if not bare:
        api = server(settings.ui_url)
        if api is not None:
            return _through_prefect(binding, wanted, api)
        show.warn(f"No Prefect server answers at {settings.ui_url}: this run will have no page there.")
    from crosswalk.runs import body

    with place.house() as house:
        session = house.session(binding, wanted)
        began = house.clock.boot()
        try:
            account = body.run(session, body.Steps(progress=_progress))
        except CrosswalkError as error:
            _complete(error, binding)
            raise
        _show(binding, account, house.clock.boot() - began)
        return 0


def _complete(error: CrosswalkError, binding: str) -> None:
    """What holds of every failed run, where the error itself does not say it."""
    error.safe = error.safe or "what was committed stands; the cursor is where the last whole chunk left it"
    error.next_command = error.next_command or f"crosswalk status {binding}"


def _progress(account: Account) -> None:
    show.warn(f"  {account.read} read so far: {account.line()}")


def _through_prefect(binding: str, wanted: Request, api: str) -> int:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from crosswalk.prefect_run import run as run_flow
    from crosswalk.runs.account import Account

    with temporary_settings({PREFECT_API_URL: api}):
        state = run_flow(binding, since=wanted.since, until=wanted.until, ids=wanted.ids, full=wanted.full)
        found: Any = state.result(raise_on_failure=False)
    if isinstance(found, Account):
        _show(binding, found)
    if isinstance(found, BaseException):
        if isinstance(found, CrosswalkError):
            _complete(found, binding)
        show.error(found)
        if not isinstance(found, CrosswalkError):
            show.warn("Safe: what was committed stands\nNext: the log on the run's page in Prefect says where it arose")
    else:
        show.say(f"{state.name}: {state.message or ''}")
    if state.is_completed():
        return 0
    return 2 if isinstance(found, SettingsError) else 1


def _show(binding: str, account: Account, seconds: float | None = None) -> None:
    """An account as a person reads it at a terminal."""
    took = f" in {seconds:.1f} s" if seconds is not None else ""
    waits = account.queued or account.waiting
    ended = "queued" if waits else "stopped" if account.stopped else "completed"
    show.say(f"{binding}: {ended}{took}")
    first = f"{account.read} read" + (f", {account.duplicate} of them twice" if account.duplicate else "")
    pairs: list[tuple[str, object]] = [("source", first), ("target", f"{account.parts} parts: {account.line()}")]
    if account.requests:
        pairs.append(("requests", account.requests))
    if account.skipped_by:
        pairs.append(("skipped", ", ".join(f"{n} by {rule!r}" for rule, n in sorted(account.skipped_by.items()))))
    if account.waits_for:
        pairs.append(("parked", f"{sum(account.waits_for.values())} wait for {len(account.waits_for)} other records"))
    if account.unknown_fields:
        pairs.append(("new fields", ", ".join(account.unknown_fields)))
    if account.stopped:
        pairs.append(("stopped", account.stopped))
    if account.waiting:
        pairs.append(("queue", account.queue()))
    show.facts(pairs)
    if account.held_by:
        rows = [(rule, count, reason, key) for rule, reason, count, key in account.held_by]
        show.table(("held by rule", "rows", "a reason", "one key"), rows)
    if account.held_by:
        show.say(f"Next: crosswalk held list {binding}")
    elif account.queued or account.stopped:
        show.say(f"Next: crosswalk run {binding}")


SHOWN = 20


def _plan(house: House, binding: str, wanted: Request, *, personal: bool) -> Session:
    """Run a binding dry and show what it would do."""
    from crosswalk.console.hiding import personal_fields
    from crosswalk.runs import body

    session = house.session(binding, wanted)
    account = body.run(session)
    found = session.plan
    show.say(f"{binding}: what a run would do. Nothing was written.")
    counts = ", ".join(f"{n} {fate}" for fate, n in sorted(found.counts.items())) or "nothing"
    show.facts([("source", f"{account.read} read"), ("target", counts)])
    hidden = {} if personal else {m.target.name: personal_fields(m.target) for m in session.integration.parts}
    for change in found.changes[:SHOWN]:
        name = f"{change.key} {change.part}".strip()
        show.say(f"\n  {change.operation} {change.resource} for {name}")
        show.facts(_differences(change.differences, tuple(hidden.get(change.resource, ()))))
        for note in (_waits(change.waits), change.unknown, change.adopts):
            if note:
                show.say(f"    ({note})")
    left = sum(found.counts.get(f, 0) for f in ("created", "updated", "deleted", "parked", "adopted")) - SHOWN
    if left > 0:
        show.say(f"\n  and {left} more")
    if found.held:
        show.table(("would be held", "part", "rule", "reason"), found.held[:SHOWN])
    return session


def _waits(parent: str) -> str:
    """A parent as a parked record names it, in words."""
    if not parent:
        return ""
    _, of, id, _, to = parent.split("|")
    return f"waits until {id} of {of} is one of {to}"


def _differences(differences: Any, hidden: Sequence[str]) -> list[tuple[str, object]]:
    import re

    from crosswalk.console.hiding import HIDDEN

    rows: list[tuple[str, object]] = []
    for field, (before, after) in differences.items():
        secret = re.sub(r"\[\d+\]", "", field) in hidden
        old, new = (HIDDEN if secret and v not in (None, "") else v for v in (before, after))
        rows.append((f"  {field}", f"{old} becomes {new}" if before not in (None, "") else str(new)))
    return rows


def _digest(session: Session) -> str:
    """What an approval holds for: rules, tables and the source's schema."""
    text = repr((sorted(session.digests().items()), session.schema_digest))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _person() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an unnamed user"
