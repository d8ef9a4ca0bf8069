"""Who is told: from a trouble to owners to channels, and what each kind of channel is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from crosswalk.errors import CrosswalkError
from crosswalk.settings import Settings
from crosswalk.settings_channels import Owner

EVERYTHING = frozenset({"opened", "again", "edit", "acked", "reminder", "escalated", "recovered", "digest"})
TURNS = frozenset({"opened", "escalated", "recovered", "digest"})
TOLD = {"slack": EVERYTHING, "slack-webhook": TURNS, "teams": TURNS, "smtp": TURNS | {"reminder"}}
"""What a kind of channel is told. Only a bot can edit and thread; what cannot be taken back is kept for turns."""


def takes(settings: Settings, channel: str, kind: str) -> bool:
    """Whether a channel is told of such a turn."""
    found = settings.channels.get(channel)
    return found is not None and kind in TOLD[found.kind]


def owner_of(settings: Settings, binding: str) -> str:
    """The owner of a binding's integration; empty when it cannot be found out."""
    from crosswalk.integration import find

    bound = settings.bindings.get(binding)
    if bound is None:
        return ""
    try:
        return find(bound.integration).owner
    except (CrosswalkError, ImportError):
        return ""


def owners_of(settings: Settings, connection: str) -> list[str]:
    """The owners of all that use a connection."""
    users = [b.name for b in settings.bindings.values() if connection in (b.source.name, b.target.name)]
    return _once(owner_of(settings, name) for name in users)


def channels(settings: Settings, owners: Iterable[str], broken: Collection[str] = ()) -> list[str]:
    """The channels of these owners; those of [alerts] where there is none; where all of those are broken, any other."""
    known = [settings.owners[name] for name in owners if name in settings.owners]
    wanted = _once(channel for owner in known for channel in owner.channels)
    wanted = wanted or list(settings.alerts.channels) or list(settings.channels)
    good = [name for name in wanted if name not in broken]
    return distinct(settings, wanted if good else [n for n in settings.channels if n not in broken] or wanted)


def distinct(settings: Settings, names: Iterable[str]) -> list[str]:
    """Channels without those that lead where an earlier one leads: two owners may spell out the same place."""
    places: dict[str, str] = {}
    for name in names:
        found = settings.channels.get(name)
        place = f"{found.kind} {sorted((k, str(v)) for k, v in found.values.items())}" if found else name
        places.setdefault(place, name)
    return list(places.values())


def escalation(settings: Settings, owners: Iterable[str]) -> list[tuple[str, str]]:
    """Channel and mention of an escalation: the owners' second channels, or their own once more."""
    found: dict[str, str] = {}
    for name in owners:
        owner = settings.owners.get(name, Owner(name))
        for channel in owner.escalate or channels(settings, [name]):
            found.setdefault(channel, owner.mention)
        if owner.escalate and owner.mention:
            for channel in owner.channels:
                found.setdefault(channel, owner.mention)
    return list(found.items()) or [(channel, "") for channel in channels(settings, ())]


def name_of(settings: Settings, connection: str) -> str:
    """A connection's name, given its name or its key in the store."""
    keys: Mapping[str, Any] = {c.key: c.name for c in settings.connections.values()}
    return str(keys.get(connection, connection))


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))
