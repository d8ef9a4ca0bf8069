"""``crosswalk status``: how each binding stands, and what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from crosswalk.console import outline, place, show
from crosswalk.errors import CrosswalkError
from crosswalk.runs.account import Account

if TYPE_CHECKING:
    from sqlalchemy import Row

    from crosswalk.settings import Binding
    from crosswalk.store.engine import Store


def register(app: App) -> None:
    app.command(status)


@dataclass
class Standing:
    """How a binding stands.

    states: how many target records are in which.  waiting: the number not yet at the target, and since when the oldest
    waits.  attempts: requests whose outcome is unknown.  held: rule, a reason, how many, one key.  wrong: sentences.
    """

    binding: str
    run: str = ""
    state: str = "never run"
    at: datetime | None = None
    account: str = ""
    error: str = ""
    failing_since: datetime | None = None
    balanced_at: datetime | None = None
    promise: str = ""
    cursor: datetime | None = None
    states: dict[str, int] = field(default_factory=dict)
    backlog: int = 0
    oldest: datetime | None = None
    attempts: int = 0
    held: list[tuple[str, str, int, str]] = field(default_factory=list)
    lease: str = ""
    wrong: list[str] = field(default_factory=list)


def status(
    binding: str | None = None, /, *, json_: Annotated[bool, Parameter(name="--json")] = False
) -> int:  # fmt: skip
    """Show how each binding stands: its last run, what waits, what is held, how far the source was read.

    Ends with 1 when something is wrong: a binding that never ran, whose last run failed or died, whose freshness
    promise is broken, or whose records wait too long. Held rows alone are not wrong: they wait for a person.

    Args:
        binding: Only this binding.
        json_: Print JSON.
    """
    settings = place.settings()
    bindings = [settings.binding(binding)] if binding else list(settings.bindings.values())
    if place.has_store(settings):
        with place.store(settings) as store:
            found = [look(store, one) for one in bindings]
    else:
        found = [Standing(one.name, wrong=["it has never run"]) for one in bindings]
    if json_:
        show.as_json([asdict(one) for one in found])
    else:
        for bound, one in zip(bindings, found, strict=True):
            _show(bound, one)
        if not bindings:
            show.say(f"No binding in environment {settings.environment}.")
    return 1 if any(one.wrong for one in found) else 0


def look(store: Store, binding: Binding) -> Standing:
    """How a binding stands now, from the store alone. Nothing is asked of any system."""
    from crosswalk.store import cursors, held, ledger, runs

    scope, last = binding.scope, None
    one = Standing(binding.name)
    last = runs.last(store, scope)
    if last is not None:
        one.run, one.state, one.at, one.error = last.id, last.state, last.ended_at or last.started_at, last.error
        one.account = words(json.loads(last.account))
    balanced = runs.last(store, scope, "completed", "queued", whole=True)
    one.balanced_at = balanced.ended_at if balanced else None
    one.failing_since = runs.failing_since(store, scope)
    one.states = ledger.states(store, scope)
    one.backlog = ledger.backlog(store, scope)
    one.held = held.reasons(store, scope)
    alive = _lease(store, scope, one)
    _waiting(store, scope, one)
    try:
        integration = outline.read(binding.integration)
        one.promise = show.span(integration.fresh_within)
        one.cursor = cursors.read(store, scope, integration.source).value
        one.wrong = _wrong(store, binding, one, last, alive, integration.fresh_within)
    except CrosswalkError as error:
        one.wrong = [error.what]
    return one


def words(account: dict[str, Any]) -> str:
    """A stored account in one line."""
    if not account:
        return ""
    known = {name: value for name, value in account.items() if name in Account.__dataclass_fields__}
    made = Account(**known)
    stopped = f"; stopped early: {made.stopped}" if made.stopped else ""
    return f"{made.read} read, {made.parts} parts: {made.line()}{stopped}"


def _lease(store: Store, scope: str, one: Standing) -> bool:
    """Note who runs the binding; whether somebody does."""
    from sqlalchemy import select

    from crosswalk.store.leases import gone
    from crosswalk.store.tables import LEASE

    with store.reading() as connection:
        row = connection.execute(select(LEASE).where(LEASE.c.scope == scope)).one_or_none()
    if row is None or not row.holder:
        one.lease = "free"
        return False
    dead = gone(row.host, row.boot_id, row.pid) or row.expires_at <= store.clock.now()
    who = f"pid {row.pid} on {row.host}"
    one.lease = f"left behind by {who}; the next run takes it" if dead else f"{who}, until {show.when(row.expires_at)}"
    return not dead


def _waiting(store: Store, scope: str, one: Standing) -> None:
    from sqlalchemy import func, select

    from crosswalk.store.ledger import STATE
    from crosswalk.store.tables import BATCH, RECORD

    waits = (RECORD.c.scope == scope, STATE.in_(("pending", "in doubt", "parked")))
    with store.reading() as connection:
        one.oldest = connection.execute(select(func.min(RECORD.c.changed_at)).where(*waits)).scalar()
        query = select(func.count()).where(BATCH.c.scope == scope, BATCH.c.open.is_(True))
        one.attempts = int(connection.execute(query).scalar_one())


def _wrong(
    store: Store, binding: Binding, one: Standing, last: Row[Any] | None, alive: bool, fresh: Any
) -> list[str]:  # fmt: skip
    from crosswalk.store import ledger
    from crosswalk.store.breakers import Breakers

    now = store.clock.now()
    if last is None:
        return ["it has never run"]
    found = [
        f"{outage.connection.split('/')[1]} is away since {show.when(outage.since)}: {outage.why}; it is tried again "
        f"at {show.when(outage.next_try)}, and what waits is sent then"
        for outage in Breakers(store).outages()
        if outage.connection in (binding.source.key, binding.target.key)
    ]
    if last.state == "failed":
        found.append(f"the last run failed: {one.error.splitlines()[0] if one.error else 'without a word'}")
    if last.state == "running" and not alive:
        found.append("the last run began and never ended: its process is gone; the next run goes on from there")
    if one.balanced_at is None:
        found.append("no run has completed yet")
    elif now - one.balanced_at > fresh:
        age = show.span(now - one.balanced_at)
        found.append(f"the freshness promise of {one.promise} is broken: the last completed run ended {age} ago")
    late = ledger.waiting(store, binding.scope, now - fresh)
    if late:
        many = "100 or more" if len(late) >= 100 else str(len(late))
        found.append(f"{many} records have waited longer than {one.promise}, such as {late[0]}")
    lost = ledger.adrift(store, binding.scope)
    if lost:
        found.append(f"{len(lost)} records name an attempt that is not open, such as {lost[0]}: report it")
    return found


def _show(binding: Binding, one: Standing) -> None:
    show.say(f"{binding.name}: {binding.source.name} to {binding.target.name}, {binding.integration}")
    last = f"{one.state}, {show.when(one.at)}" if one.at else "never"
    pairs: list[tuple[str, object]] = [("last run", last)]
    pairs += [("", one.account)] if one.account else []
    pairs += [("failing since", show.when(one.failing_since))] if one.failing_since else []
    pairs += [("last completed", f"{show.when(one.balanced_at)}; promised within {one.promise}")] if one.promise else []
    pairs.append(("read up to", show.when(one.cursor) if one.cursor else "nothing yet"))
    if one.states:
        pairs.append(("records", ", ".join(f"{n} {state}" for state, n in sorted(one.states.items()))))
    if one.oldest:
        pairs.append(("waiting", f"{one.backlog} to be sent; the oldest since {show.when(one.oldest)}"))
    if one.attempts:
        pairs.append(("in doubt", f"{one.attempts} requests without a known outcome; the next run resolves them first"))
    pairs.append(("lease", one.lease or "free"))
    show.facts(pairs)
    if one.held:
        show.table(("held by rule", "rows", "a reason", "one key"), [(r, n, why, key) for r, why, n, key in one.held])
    for sentence in one.wrong:
        show.say(f"  Wrong: {sentence}")
    show.say(f"  Next: {_next(one)}\n")


def _next(one: Standing) -> str:
    if one.wrong or one.backlog or one.attempts:
        return f"crosswalk run {one.binding}"
    return f"crosswalk held list {one.binding}" if one.held else "nothing; the next scheduled run goes on"
