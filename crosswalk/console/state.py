"""``crosswalk state``: what the store knows of a binding, and changing it by hand."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.console.running import instant
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.settings import Binding
    from crosswalk.store.engine import Store

OUTCOMES = {
    "found": "held under our reference; the ids are kept",
    "changed": "of these, with other values; the next run updates them, or holds them",
    "absent": "not there; the next run creates what is wanted",
    "foreign": "something else stands there; held for a person",
    "waiting": "the record they hang on is not known; the next run finds out",
}


def register(app: App) -> None:
    state = App(name="state", help="What the store knows of a binding: show it, set its cursor, adopt what exists.")
    app.command(state)
    state.command(show_, name="show")
    state.command(set_, name="set")
    state.command(adopt)


def show_(binding: str, /) -> int:
    """Show the cursor, the records by state and resource, the links, the open attempts and the lease of a binding.

    Args:
        binding: The binding of crosswalk.toml.
    """
    from crosswalk.console.status import look

    settings = place.settings()
    bound = settings.binding(binding)
    with place.store(settings) as store:
        one = look(store, bound)
        rows, links = _records(store, bound)
        pairs: list[tuple[str, object]] = [
            ("scope", bound.scope), ("read up to", show.when(one.cursor) if one.cursor else "nothing yet"),
            ("epoch", f"{store.epoch()}, whole since {show.when(store.since())}"), ("links", links),
            ("open attempts", one.attempts), ("lease", one.lease), ("last run", f"{one.state} {one.run}".strip()),
        ]  # fmt: skip
    show.facts(pairs)
    if rows:
        show.table(("resource", "state", "records"), rows)
    return 0


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


def set_(binding: str, /, *, cursor: str) -> int:
    """Set how far a binding's source has been read, by hand. What was done is kept as a run of its own.

    Setting it back reads the source again from there: what is delivered and unchanged is not sent twice, and first
    creates are looked up before they are written.

    Args:
        binding: The binding of crosswalk.toml.
        cursor: The instant, with its zone, from which the next run reads on.
    """
    from crosswalk.store import cursors, leases, runs
    from crosswalk.store.leases import Process

    settings = place.settings()
    bound = settings.binding(binding)
    value = instant("cursor", cursor)
    assert value is not None
    resource = place.integration(bound).source
    with place.store(settings) as store:
        if value > store.clock.now():
            raise SettingsError(f"the cursor {cursor} lies in the future", safe="nothing was changed")
        lease = leases.take(store, bound.scope, Process.this())
        try:
            before = cursors.read(store, bound.scope, resource).value
            run = uuid.uuid4().hex
            runs.begin(store, run, bound.scope, binding, flow_run_id="", since=before, until=value, dry_run=True)
            epoch = ""
            if before is not None and value < before:
                epoch = store.new_epoch()  # before the cursor: a kill between the two does no harm
            cursors.put(store, bound.scope, resource, value)
            account = {"cursor of": resource, "before": str(before), "after": str(value), "epoch": epoch}
            runs.end(store, run, "cursor set", account)
        finally:
            lease.release()
    show.say(f"{binding}: {resource} was read up to {show.when(before)}; it is {show.when(value)} now (run {run}).")
    if epoch:
        show.say(f"The store has a new epoch, {epoch}: first creates look up before they write.")
    show.say(f"Next: crosswalk run {binding}")
    return 0


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
