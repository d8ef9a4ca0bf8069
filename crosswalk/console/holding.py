"""``crosswalk held``: rows that wait for a person."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from crosswalk.console import correcting, place, show
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Row

    from crosswalk.settings import Binding, Settings
    from crosswalk.store.engine import Store

SHORT = 10


def register(app: App) -> None:
    held = App(
        name="held", help="Rows that wait for a person: list, look, try again, set a value right, leave one out."
    )
    app.command(held)
    held.command(list_, name="list")
    held.command(show_, name="show")
    held.command(retry)
    correcting.register(held)
    app.command(correcting.audit)


def list_(binding: str | None = None, /, *, rule: str | None = None, limit: int = 100) -> int:
    """List held rows, newest first.

    Args:
        binding: Only of this binding.
        rule: Only those that this rule holds.
        limit: At most so many; 100 without it.
    """
    settings = place.settings()
    scopes = _scopes(settings, binding)
    with place.store(settings) as store:
        rows, count = _listing(store, scopes, rule, limit)
    if not rows:
        show.say("No rows are held.")
        return 0
    show.table(
        ("id", "binding", "key", "part", "rule", "field", "reason", "times", "since"),
        [
            (r.id[:SHORT], scopes[r.scope].name, r.key, r.part, _rule(r),
             r.field, r.reason, r.times, show.when(r.first_at))
            for r in rows
        ],
    )  # fmt: skip
    if count > len(rows):
        show.say(f"{count} rows are held, {len(rows)} are shown: give --limit or --rule.")
    show.say("Next: crosswalk held show ID; when the cause is mended, crosswalk held retry BINDING")
    return 0


def show_(id_: Annotated[str, Parameter(name="id")], /, *, personal: bool = False) -> int:
    """Show a held row: rule, field, reason, step, how often and since when, and the record.

    Values that the schema calls personal, and values that it does not declare, are hidden unless --personal is given.

    Args:
        id_: The row's id as `crosswalk held list` prints it, or the beginning of it.
        personal: Show everything.
    """
    from crosswalk.store import held

    settings = place.settings()
    scopes = _scopes(settings, None)
    with place.store(settings) as store:
        row = _one(store, scopes, id_)
        binding = scopes[row.scope]
        shown, about = _record(store, binding, row, held.raw(store, row), personal)
    state = "held" if row.open else "no longer held"
    pairs: list[tuple[str, object]] = [
        ("binding", binding.name), ("record", f"{row.key} {row.part}".strip()), ("state", state), ("step", row.step),
        ("rule", row.rule), ("field", row.field), ("reason", shown.cleaned(row.reason)),
        ("value", shown.cleaned(row.excerpt) if not personal else row.excerpt),
        ("version", row.version), ("times", row.times), ("since", show.when(row.first_at)),
        ("last", show.when(row.last_at)), ("first run", row.first_run), ("last run", row.last_run),
    ]  # fmt: skip
    show.facts([(name, value) for name, value in pairs if value != ""])
    if shown.text:
        show.say(f"\n{about}:")
        show.say(shown.text)
    show.say(f"\nNext: {_next(binding, row)}")
    return 0


def retry(
    binding: str, /, *, rule: str | None = None, key: list[str] | None = None, new: bool = False,
    author: str | None = None, reason: str = "",
) -> int:  # fmt: skip
    """Let held rows be tried again by the next run: all of a binding, those of a rule, or those of some keys.

    A row that the target refused is sent again; one that our own rules refused is read afresh first.

    Args:
        binding: The binding of crosswalk.toml.
        rule: Only those that this rule holds.
        key: Only those of this source key; may be given several times.
        new: Only those for which the target has records that fit: make records of their own all the same.
        author: Who asks for it, for the audit trail; the account at the keyboard without it.
        reason: Why, for the audit trail.
    """
    from crosswalk.runs import release
    from crosswalk.runs.session import Request
    from crosswalk.store.audit import person

    with place.house() as house:
        session = house.session(binding, Request())
        count = release.retry(session, rule or "", tuple(key or ()), new=new, by=author or person(), reason=reason)
    if not count:
        show.say("No such row is held.")
        return 0
    show.say(f"{count} held rows will be tried again.\nNext: crosswalk run {binding}")
    return 0


def _listing(store: Store, scopes: Collection[str], rule: str | None, limit: int) -> tuple[list[Row[Any]], int]:
    """The newest held rows without their records, and how many there are."""
    from sqlalchemy import func, select

    from crosswalk.store.tables import HELD

    mine: list[Any] = [HELD.c.scope.in_(scopes), HELD.c.open.is_(True)]
    mine += [HELD.c.rule == rule] if rule else []
    query = select(*(c for c in HELD.c if c.name != "raw")).where(*mine)
    with store.reading() as connection:
        rows = list(connection.execute(query.order_by(HELD.c.last_at.desc(), HELD.c.id).limit(limit)))
        return rows, int(connection.execute(select(func.count()).select_from(HELD).where(*mine)).scalar_one())


def _rule(row: Row[Any]) -> str:
    return f"{row.rule} (a person's decision)" if row.by_person else str(row.rule)


def _scopes(settings: Settings, binding: str | None) -> dict[str, Binding]:
    """The bindings that may be seen here, by their scope. Nothing of another environment or account is shown."""
    wanted = [settings.binding(binding)] if binding else settings.bindings.values()
    return {b.scope: b for b in wanted}


def _one(store: Store, scopes: dict[str, Binding], name: str) -> Row[Any]:
    from sqlalchemy import select

    from crosswalk.store.tables import HELD

    query = select(HELD).where(HELD.c.id.startswith(name, autoescape=True), HELD.c.scope.in_(scopes)).limit(2)
    with store.reading() as connection:
        rows = list(connection.execute(query))
    if len(rows) == 1:
        return rows[0]
    what = f"several held rows begin with {name!r}" if rows else f"there is no held row {name!r}"
    raise SettingsError(what, safe="nothing was changed", next_command="crosswalk held list")


def _record(store: Store, binding: Binding, row: Row[Any], raw: bytes, personal: bool) -> tuple[Any, str]:
    """The record behind a held row: as it was read, or as it would have been sent."""
    from crosswalk.connectors.connect import connector_class
    from crosswalk.console import hiding

    integration = place.integration(binding)
    if raw:
        source = connector_class(binding.source.system).system.resource(integration.source).record
        return hiding.record(raw, source, personal=personal), "The record as it was read"
    wanted = _wanted(store, row)
    if wanted is None:
        return hiding.Shown(""), ""
    target = next((m.target for m in integration.parts if m.target.name == wanted.resource), None)
    if target is None:
        return hiding.Shown(""), ""
    shown = hiding.record(wanted.wanted_payload.encode(), target, personal=personal)
    return shown, f"What would be sent as {wanted.resource}"


def _wanted(store: Store, row: Row[Any]) -> Row[Any] | None:
    from crosswalk.store import ledger
    from crosswalk.store.ledger import Name

    with store.reading() as connection:
        return ledger.existing(connection, row.scope, [row.key]).get(Name(row.key, row.part))


def _next(binding: Binding, row: Row[Any]) -> str:
    if not row.open:
        return f"crosswalk status {binding.name}"
    if row.by_person:
        return f"decide, in the value table or at the source; then crosswalk held retry {binding.name} --key {row.key}"
    return f"mend the cause; then crosswalk held retry {binding.name} --key {row.key}"
