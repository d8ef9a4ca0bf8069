"""``crosswalk webhooks`` and ``inbox``: subscriptions, and what became of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.runs.wiring import House
    from crosswalk.settings import Connection
    from crosswalk.webhooks.checking import Finding

SHORT = 12


def register(app: App) -> None:
    webhooks = App(name="webhooks", help="Subscriptions to a system's webhooks: make them, list them, check them.")
    app.command(webhooks)
    webhooks.command(register_, name="register")
    webhooks.command(list_, name="list")
    webhooks.command(check)
    inbox = App(name="inbox", help="Events that arrived, and the records that are read afresh because of them.")
    app.command(inbox)
    inbox.command(inbox_list, name="list")
    inbox.command(inbox_show, name="show")
    inbox.command(retry)


def register_(connection: str, /, *, address: str = "") -> int:
    """Subscribe to the changes of everything that the bindings read of a connection. Again without harm.

    Args:
        connection: The connection of crosswalk.toml.
        address: The receiver's public address, where [receiver] of crosswalk.toml does not say it.
    """
    from crosswalk.runs import listening
    from crosswalk.webhooks import checking
    from crosswalk.webhooks.doors import facts_of

    with place.house() as house:
        found = _connection(house, connection)
        uri = checking.address(house.settings, found, address)
        facts = facts_of(found)
        if facts.scheme != "shopify":
            show.say(f"The address: {uri}")
            show.say(facts.by_hand or "Sign events as Standard Webhooks and post them there; see docs/webhooks.md")
            return 0
        topics = checking.wanted(found, listening.resources(house, found))
        new = checking.register(house.connector(found), topics, uri)
        show.say(f"{len(new)} subscriptions made, {len(topics) - len(new)} were there: {uri}")
    show.say(f"Next: crosswalk receive --serve, then crosswalk webhooks check {connection}")
    return 0


def list_(connection: str, /) -> int:
    """List the subscriptions that the system tells of, and how many deliveries of each kind came.

    Args:
        connection: The connection of crosswalk.toml.
    """
    from crosswalk.store import inbox_look
    from crosswalk.webhooks import checking

    with place.house() as house:
        found = _connection(house, connection)
        there = checking.listed(house.connector(found))
        if there:
            show.table(("topic", "address", "id"), [(s.topic, s.uri, s.id) for s in there])
        else:
            show.say("The system tells of no subscriptions.")
        counts = inbox_look.tallies(house.store, found.key)
        if counts:
            rows = [(c.kind, c.count, c.note, show.when(c.last_at)) for c in counts.values()]
            show.table(("deliveries", "count", "the last", "when"), rows)
    return 0


def check(connection: str, /, *, address: str = "") -> int:
    """Find subscriptions that vanished and webhooks that are silent against their usual rhythm; 1 when there are any.

    What is found becomes an incident, and what is mended resolves it.

    Args:
        connection: The connection of crosswalk.toml.
        address: The receiver's public address, where [receiver] of crosswalk.toml does not say it.
    """
    from crosswalk.runs import listening

    with place.house() as house:
        found = _connection(house, connection)
        findings = listening.check(house, found, address)
        _tell(house, found, findings)
    for one in findings:
        show.say(f"{one.what}\nNext: {one.command}")
    if not findings:
        show.say(f"The webhooks of {connection} are as they should be.")
    return 1 if findings else 0


def _tell(house: House, connection: Connection, findings: list[Finding]) -> None:
    from crosswalk.alerts.incidents import Incidents
    from crosswalk.alerts.trouble import WARNING, Trouble
    from crosswalk.webhooks.checking import KINDS

    incidents = Incidents(house.store, house.settings, house.clock)
    for one in findings:
        incidents.raise_(
            Trouble(
                kind=one.kind, title=f"webhooks of {one.connection}: {one.kind.replace('_', ' ')}", what=one.what,
                connection=one.connection, step=one.topic, severity=WARNING, command=one.command,
                then="The scheduled runs go on reading what changed.",
            )
        )  # fmt: skip
    good = [kind for kind in KINDS if kind not in {one.kind for one in findings}]
    incidents.clear("events come as usual", kinds=good, connection=connection.name)


def _connection(house: House, name: str) -> Connection:
    found = house.settings.connection(name)
    if found.webhooks is None:
        raise SettingsError(
            f"connection {name!r} has no webhooks",
            next_command=f"add [connections.{name}.webhooks] to crosswalk.toml; see docs/webhooks.md",
        )
    return found


def inbox_list(binding: str | None = None, /, *, everything: bool = False, limit: int = 100) -> int:
    """List the records that are to be read afresh because of events, oldest first.

    Args:
        binding: Only of this binding.
        everything: Also those that are done, newest first.
        limit: At most so many; 100 without it.
    """
    from crosswalk.store import inbox_look

    settings = place.settings()
    scope = settings.binding(binding).scope if binding else None
    names = {b.scope: b.name for b in settings.bindings.values()}
    with place.store(settings) as store:
        rows = inbox_look.errands(store, scope, everything=everything, limit=limit)
        age = inbox_look.age(store, scope)
    if rows:
        show.table(
            ("binding", "record", "state", "tries", "since", "next try", "error"),
            [
                (names.get(r.scope, r.scope), r.key, _state(r), r.tries, show.when(r.first_at),
                 show.when(r.next_try_at), r.last_error)
                for r in rows
            ],
        )  # fmt: skip
    oldest = f", the oldest since {show.when(age.oldest)}" if age.oldest else ""
    show.say(f"{age.waiting} wait{oldest}; {age.dead} are left to a person.")
    if age.dead:
        show.say("Next: mend the cause, then crosswalk inbox retry")
    return 0


def _state(row: object) -> str:
    asked, served, dead = getattr(row, "asked", 0), getattr(row, "served", 0), getattr(row, "dead", False)
    if asked <= served:
        return str(getattr(row, "outcome", "")) or "worked"
    return "left to a person" if dead else "waiting"


def inbox_show(id_: Annotated[str, Parameter(name="id")], /) -> int:
    """Show what became of an event: where it was worked and in which state its target records are.

    Args:
        id_: The event's id, as the receiver answered it.
    """
    from crosswalk.store import inbox_look

    settings = place.settings()
    names = {b.scope: b.name for b in settings.bindings.values()}
    with place.store(settings) as store:
        fate = inbox_look.fate(store, id_)
    if fate is None:
        raise SettingsError(f"there is no event {id_!r}", next_command="crosswalk inbox list --everything")
    event = fate.event
    show.facts(
        [
            ("event", event.id), ("connection", event.connection), ("topic", event.topic), ("record", event.record),
            ("received", show.when(event.received_at)), ("deliveries", event.times), ("state", fate.state),
        ]
    )  # fmt: skip
    for scope, errand in fate.errands.items():
        show.facts([("binding", names.get(scope, scope)), ("tries", errand.tries), ("error", errand.last_error)])
        parts = fate.parts.get(scope, ())
        if parts:
            show.table(
                ("part", "resource", "state", "target", "why"),
                [(p.part, p.resource, p.state, p.target_id, p.reason) for p in parts],
            )
    return 0


def retry(binding: str | None = None, /, *, record: str | None = None) -> int:
    """Let records be read afresh again now: those that failed, and those that were left to a person.

    Args:
        binding: Only of this binding.
        record: Only this record.
    """
    from crosswalk.store import inbox

    settings = place.settings()
    scope = settings.binding(binding).scope if binding else None
    with place.store(settings) as store:
        done = inbox.retry(store, scope, [record] if record else [])
    show.say(f"{done} will be tried again by whoever serves: crosswalk receive --serve, or crosswalk serve.")
    return 0
