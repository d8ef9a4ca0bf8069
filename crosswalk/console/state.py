"""``crosswalk state``: what the store knows of a binding, and changing it by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cyclopts import App

from crosswalk.console import exporting, place, show
from crosswalk.console.running import instant
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Row

    from crosswalk.settings import Binding
    from crosswalk.store.cursors import Position
    from crosswalk.store.engine import Store
    from crosswalk.store.leases import Lease

LAST = 5
"""Runs that are shown."""

OUTCOMES = {
    "found": "held under our reference; the ids are kept",
    "changed": "of these, with other values; the next run updates them, or holds them",
    "absent": "not there; the next run creates what is wanted",
    "foreign": "something else stands there; held for a person",
    "waiting": "the record they hang on is not known; the next run finds out",
}


def register(app: App) -> None:
    words = "What the store knows of a binding: show it, move its cursor, export it, adopt what exists."
    state = App(name="state", help=words)
    app.command(state)
    state.command(show_, name="show")
    state.command(set_, name="set")
    state.command(rewind)
    state.command(exporting.export)
    state.command(adopt)


def show_(binding: str, /) -> int:
    """Show a binding's cursor, the window of its last run, records by state and resource, links, open attempts, who
    holds which lease, connections that are away, and the last runs.

    Args:
        binding: The binding of crosswalk.toml.
    """
    from crosswalk.console.status import look

    settings = place.settings()
    bound = settings.binding(binding)
    with place.store(settings) as store:
        one = look(store, bound)
        rows, links = _records(store, bound)
        ran = _runs(store, bound)
        pairs: list[tuple[str, object]] = [
            ("scope", bound.scope), ("read up to", show.when(one.cursor) if one.cursor else "nothing yet"),
            ("last window", _window(ran[0]) if ran else "none"),
            ("epoch", f"{store.epoch()}, whole since {show.when(store.since())}"), ("links", links),
            ("open attempts", one.attempts), ("lease", one.lease), ("last run", f"{one.state} {one.run}".strip()),
            *_beside(store, bound), *_away(store, bound),
        ]  # fmt: skip
    show.facts(pairs)
    if rows:
        show.table(("resource", "state", "records"), rows)
    if ran:
        lines = [(r.id[:12], r.state, show.when(r.started_at), show.when(r.ended_at), _window(r)) for r in ran]
        show.table(("run", "state", "from", "to", "window"), lines)
    return 0


def _runs(store: Store, binding: Binding) -> list[Row[Any]]:
    """The newest runs, those that wrote nothing included."""
    from sqlalchemy import select

    from crosswalk.store.tables import RUN

    query = select(RUN).where(RUN.c.scope == binding.scope).order_by(RUN.c.started_at.desc(), RUN.c.id).limit(LAST)
    with store.reading() as connection:
        return list(connection.execute(query))


def _window(row: Row[Any]) -> str:
    first = show.when(row.since) if row.since else "the beginning"
    return f"{first} to {show.when(row.until) if row.until else 'its end'}"


def _beside(store: Store, binding: Binding) -> list[tuple[str, object]]:
    """Who reads events or a stretch of the past beside the schedule."""
    from sqlalchemy import select

    from crosswalk.store import leases
    from crosswalk.store.tables import LEASE

    names = {binding.scope + leases.EVENTS: "events", binding.scope + leases.BACKFILL: "backfill"}
    query = select(LEASE).where(LEASE.c.scope.in_(names), LEASE.c.holder != "").order_by(LEASE.c.scope)
    with store.reading() as connection:
        rows = list(connection.execute(query))
    return [
        (names[r.scope], "left behind" if leases.gone(r.host, r.boot_id, r.pid) else f"pid {r.pid} on {r.host}")
        for r in rows
    ]


def _away(store: Store, binding: Binding) -> list[tuple[str, object]]:
    from sqlalchemy import select

    from crosswalk.store.tables import BREAKER

    names = {binding.source.key: binding.source.name, binding.target.key: binding.target.name}
    query = select(BREAKER).where(BREAKER.c.connection.in_(names), BREAKER.c.opened_at.is_not(None))
    with store.reading() as connection:
        rows = list(connection.execute(query.order_by(BREAKER.c.connection)))
    away = [
        (names[r.connection], f"away since {show.when(r.opened_at)}, tried again at {show.when(r.probe_at)}: {r.why}")
        for r in rows
    ]
    return [("breakers", "closed"), *away] if not away else list(away)


def _records(store: Store, binding: Binding) -> tuple[list[tuple[str, str, int]], int]:
    from sqlalchemy import func, select

    from crosswalk.store.ledger import STATE
    from crosswalk.store.tables import LINK, RECORD

    with store.reading() as connection:
        query = select(RECORD.c.resource, STATE, func.count()).where(RECORD.c.scope == binding.scope)
        rows = connection.execute(query.group_by(RECORD.c.resource, STATE).order_by(RECORD.c.resource, STATE))
        mine = (LINK.c.source == binding.source.key, LINK.c.target == binding.target.key)
        links = connection.execute(select(func.count()).where(*mine)).scalar_one()
        return [(r[0] or "(held before it was mapped)", str(r[1]), int(r[2])) for r in rows], int(links)


def set_(binding: str, /, *, cursor: str, skip: bool = False, reason: str = "", by: str = "") -> int:
    """Set how far a binding's source has been read, by hand. What it means is said first, and it is written down.

    Set back, the source is read again from there: what is delivered and unchanged is not sent twice, and first creates
    are looked up before they are written. Set forward, what lies between is never read; that needs --skip.

    Args:
        binding: The binding of crosswalk.toml.
        cursor: The instant, with its zone, from which the next run reads on.
        skip: Agree that what lies between the old and the new cursor is not read.
        reason: Why, for the audit trail; needed outside the sandbox.
        by: Who decided it; needed outside the sandbox.
    """
    value = instant("cursor", cursor)
    assert value is not None
    return _move(binding, lambda now: value, reason, by, skip=skip)


def rewind(binding: str, /, *, to: str | None = None, days: int | None = None, reason: str = "", by: str = "") -> int:
    """Set the cursor back, so that the next run reads again from there. Nothing is written twice.

    Args:
        binding: The binding of crosswalk.toml.
        to: The instant, with its zone, from which the next run reads on.
        days: Or so many days before where the cursor stands.
        reason: Why, for the audit trail; needed outside the sandbox.
        by: Who decided it; needed outside the sandbox.
    """
    if (to is None) == (days is None) or (days is not None and days < 1):
        raise SettingsError(
            "say how far: either to an instant, or a number of days from 1 on", safe="nothing was changed",
            next_command=f"crosswalk state rewind {binding} --days 7",
        )  # fmt: skip
    value = instant("to", to)
    return _move(binding, lambda now: value or now - timedelta(days=days or 0), reason, by, back=True)


def _move(
    binding: str, to: Callable[[datetime], datetime], reason: str, by: str, *, skip: bool = False, back: bool = False
) -> int:
    from crosswalk.store import cursors, leases
    from crosswalk.store.leases import Process

    settings = place.settings()
    bound = settings.binding(binding)
    _named(bound, reason, by)
    resource = place.integration(bound).source
    with place.store(settings) as store:
        lease = leases.take(store, bound.scope, Process.this())
        try:
            before = cursors.read(store, bound.scope, resource)
            if before.value is None and back:
                raise SettingsError(
                    f"{binding} has read nothing yet: there is no cursor to set back", safe="nothing was changed",
                    next_command=f"crosswalk run {binding}",
                )  # fmt: skip
            value = to(before.value or store.clock.now())
            _say(bound, resource, before.value, value, store.clock.now(), skip=skip, back=back)
            run, epoch = _put(store, lease, bound, resource, before, value, reason, by)
        finally:
            lease.release()
    show.say(
        f"{binding}: {resource} was read up to {show.when(before.value)}; it is {show.when(value)} now (run {run})."
    )
    if epoch:
        show.say(f"The store has a new epoch, {epoch}: first creates look up before they write.")
    show.say(f"Next: crosswalk run {binding}")
    return 0


def _named(bound: Binding, reason: str, by: str) -> None:
    """Outside the sandbox a change by hand has a reason and an author. Raises SettingsError."""
    missing = [f"--{name}" for name, text in (("reason", reason), ("by", by)) if not text.strip()]
    if missing and bound.source.environment != "sandbox":
        raise SettingsError(
            f"a cursor is not moved in {bound.source.environment} without {' and '.join(missing)}",
            safe="nothing was changed",
            next_command='the same command with --reason "why" --by "who"',
        )


def _say(
    bound: Binding, resource: str, before: datetime | None, value: datetime, now: datetime, *, skip: bool, back: bool
) -> None:
    """Say what a cursor means before it is set. Raises SettingsError for one that is refused."""
    safe, name = "nothing was changed", bound.name
    look = f"crosswalk state show {name}"
    if value > now:
        raise SettingsError(f"the cursor {show.when(value)} lies in the future", safe=safe, next_command=look)
    if before == value:
        raise SettingsError(f"the cursor of {name} stands at {show.when(value)} already", safe=safe, next_command=look)
    if before is not None and value < before:
        show.say(
            f"The next run of {name} reads everything of {resource} again that changed from {show.when(value)} to "
            f"{show.when(before)}.\nWhat is delivered and unchanged is not sent again: the ledger knows it."
        )
        if bound.start is not None and value < bound.start:
            show.say(f"It reads from {show.when(bound.start)} on, the start of the binding.")
        return
    if back:
        raise SettingsError(
            f"{show.when(value)} is not before the cursor, {show.when(before)}", safe=safe, next_command=look
        )
    first = before or bound.start
    gap = f"from {show.when(first)} to {show.when(value)}" if first else f"before {show.when(value)}"
    if not skip:
        raise SettingsError(
            f"what changed {gap} would never be read by {name}: records would be skipped",
            safe=safe,
            next_command="the same command with --skip, if that is what is wanted",
        )
    show.say(f"What changed {gap} will never be read by {name}, unless it changes again or a backfill reads it:")
    show.say(
        f"  crosswalk backfill {name} --since {first or value:%Y-%m-%dT%H:%M:%SZ} --until {value:%Y-%m-%dT%H:%M:%SZ}"
    )


def _put(
    store: Store, lease: Lease, bound: Binding, resource: str, before: Position, value: datetime, reason: str, by: str
) -> tuple[str, str]:
    """Set it, with its line in the audit trail and a run of its own; the run, and the store's new epoch if any."""
    from crosswalk.store import audit, cursors, runs

    run, epoch = uuid.uuid4().hex, ""
    runs.begin(store, run, bound.scope, bound.name, flow_run_id="", since=before.value, until=value, dry_run=True)
    if before.value is not None and value < before.value:
        epoch = store.new_epoch()  # before the cursor: a kill between the two does no harm
    with store.transaction("cursor") as connection:
        lease.check(connection)
        cursors.put(connection, bound.scope, resource, before, value, store.clock.now())
        audit.write(
            connection, store.clock.now(), by.strip() or audit.person(), "cursor.set", f"{bound.scope} {resource}",
            reason=reason, before={"cursor": before.value}, after={"cursor": value, "run": run},
        )  # fmt: skip
    account = {"cursor of": resource, "before": str(before.value), "after": str(value), "epoch": epoch}
    runs.end(store, run, "cursor set", account)
    return run, epoch


def adopt(binding: str, /, *, since: str | None = None) -> int:
    """Look every record of a binding up at the target by our own reference, and keep the ids of what is found.

    Reads the source from the binding's start and writes nothing to the target, so that an empty or older store may
    deliver again without doubling. Adopt the bindings that others wait for first: contacts before invoices.

    Args:
        binding: The binding of crosswalk.toml.
        since: Read the source from this instant on, with its zone, instead of from the binding's start.
    """
    from crosswalk.runs.adopt import adopt as look
    from crosswalk.runs.session import Request

    with place.house() as house:
        found = look(house.session(binding, Request(since=instant("since", since))))
    show.say(f"{binding}: {found.read} records read; nothing was written to the target.")
    show.facts([("known before", found.known)])
    rows = [
        (name, resource, count, OUTCOMES[name])
        for name, counts in found.counts.items()
        for resource, count in sorted(counts.items())
        if count
    ]
    show.table(("", "resource", "records", ""), rows)
    if found.doubt:
        show.say(f"{found.doubt} records have an open attempt; the next run resolves them first.")
    show.say(f"Next: crosswalk plan {binding}, then crosswalk run {binding}")
    return 0
