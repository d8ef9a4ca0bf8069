"""``crosswalk held edit``, ``dismiss``, ``undo``, ``corrections`` and ``crosswalk audit``: decisions, their authors."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.errors import SettingsError


def register(held: App) -> None:
    held.command(edit)
    held.command(dismiss)
    held.command(undo)
    held.command(corrections_, name="corrections")


def edit(
    binding: str, /, *, key: str, set_: Annotated[list[str], Parameter(name="set")], reason: str,
    author: str | None = None,
) -> int:  # fmt: skip
    """Set values of a held record right. They are laid over its newest version from now on, until `held undo`.

    The record at the source and what was read of it stay as they are.

    Args:
        binding: The binding of crosswalk.toml.
        key: The record's source key.
        set_: field=value with a field of the source's schema, such as customer.id=... or lineItems[0].title=...;
            nothing after = is null. May be given several times.
        reason: Why, for the audit trail.
        author: Who says so; the account at the keyboard without it.
    """
    from crosswalk.runs import correcting
    from crosswalk.runs.session import Request
    from crosswalk.store.audit import person

    fields = []
    for one in set_:
        name, is_, value = one.partition("=")
        if not is_ or not name:
            raise SettingsError(
                f"--set {one!r} is not field=value", safe="nothing was changed", next_command="write --set name=value"
            )
        fields.append((name, value))
    with place.house() as house:
        correcting.edit(house.session(binding, Request()), key, fields, author or person(), reason)
    show.say(f"{len(fields)} values are laid over {key} from now on.\nNext: crosswalk run {binding}")
    return 0


def dismiss(binding: str, /, *, key: str, reason: str, part: str | None = None, author: str | None = None) -> int:
    """Leave a held record out for good: it counts as left out by a person, whatever its later versions say.

    What was delivered of it before stays at the target as it is.

    Args:
        binding: The binding of crosswalk.toml.
        key: The record's source key.
        reason: Why, for the audit trail.
        part: Only this part of it, as `crosswalk held list` names it; the whole record without it.
        author: Who says so; the account at the keyboard without it.
    """
    from crosswalk.runs import correcting
    from crosswalk.runs.session import Request
    from crosswalk.store.audit import person

    with place.house() as house:
        count = correcting.dismiss(house.session(binding, Request()), key, part, author or person(), reason)
    show.say(f"{count} held rows of {key} are dismissed.\nNext: crosswalk held list {binding}")
    return 0


def undo(binding: str, /, *, key: str, reason: str, author: str | None = None) -> int:
    """Take back what was set right or dismissed of a record.

    Args:
        binding: The binding of crosswalk.toml.
        key: The record's source key.
        reason: Why, for the audit trail.
        author: Who says so; the account at the keyboard without it.
    """
    from crosswalk.runs import correcting
    from crosswalk.runs.session import Request
    from crosswalk.store.audit import person

    with place.house() as house:
        count = correcting.undo(house.session(binding, Request()), key, author or person(), reason)
    show.say(f"{count} decisions about {key} are taken back.\nNext: crosswalk run {binding} --ids {key}")
    return 0


def corrections_(binding: str, /) -> int:
    """List what persons have set right or dismissed in a binding; the values stay sealed.

    Args:
        binding: The binding of crosswalk.toml.
    """
    from crosswalk.store import corrections

    settings = place.settings()
    with place.store(settings) as store:
        rows = corrections.listing(store, settings.binding(binding).scope)
    if not rows:
        show.say("Nothing was set right or dismissed.")
        return 0
    show.table(
        ("key", "part", "field", "author", "when", "reason"),
        [(r.key, r.part, r.field or "dismissed", r.made_by, show.when(r.made_at), r.reason) for r in rows],
    )
    return 0


def audit(*, subject: str = "", action: str = "", limit: int = 100, json: bool = False) -> int:
    """List what persons changed by hand: who, when, what and why; newest first.

    Args:
        subject: Only of this subject, such as an incident's id or "orders gid://shopify/Order/1".
        action: Only actions that begin so, such as held. or incident.
        limit: At most so many; 100 without it.
        json: Print everything as JSON.
    """
    from crosswalk.store import audit as trail

    settings = place.settings()
    with place.store(settings) as store:
        rows = trail.listing(store, subject, action=action, limit=limit)
    if json:
        show.as_json([dict(r._mapping) for r in rows])
        return 0
    if not rows:
        show.say("Nothing was changed by hand.")
        return 0
    show.table(
        ("when", "author", "action", "subject", "reason", "before", "after"),
        [
            (
                show.when(r.at),
                r.actor,
                r.action,
                r.subject,
                r.reason,
                *(t if t != "{}" else "" for t in (r.before, r.after)),
            )
            for r in rows
        ],
    )
    return 0
