"""Which connections have a door for events, with what it needs: the vendor's facts, the secrets, the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crosswalk.connectors.connect import connector_class
from crosswalk.connectors.facts import Topic, Webhooks
from crosswalk.errors import SettingsError
from crosswalk.settings import Connection, Settings, resolve

MAX_BYTES = 2_000_000
OWN_MAX_BYTES = 256_000
OPTIONS = {"secrets", "topics", "max_bytes", "watch"}


@dataclass(frozen=True)
class Door:
    """One connection's route. name: in the path.  account: the connection's key.  own: an application of the user's."""

    name: str
    account: str
    facts: Webhooks
    secrets: tuple[str, ...] = field(repr=False)
    max_bytes: int = MAX_BYTES

    @property
    def own(self) -> bool:
        return self.facts.scheme == "standard"

    @property
    def path(self) -> str:
        return f"/hooks/{self.name}"


def doors(settings: Settings) -> dict[str, Door]:
    """The doors of an environment by connection name: connections with ``[connections.NAME.webhooks]``."""
    return {name: door(c) for name, c in sorted(settings.connections.items()) if c.webhooks is not None}


def door(connection: Connection) -> Door:
    """The door of a connection. Raises SettingsError for what does not fit."""
    given = connection.webhooks or {}
    if set(given) - OPTIONS:
        raise _wrong(connection, f"unknown settings: {', '.join(sorted(set(given) - OPTIONS))}")
    facts = facts_of(connection)
    most = given.get("max_bytes", OWN_MAX_BYTES if facts.scheme == "standard" else MAX_BYTES)
    if not isinstance(most, int) or most < 1:
        raise _wrong(connection, "max_bytes is a number of bytes")
    return Door(connection.name, connection.key, facts, _secrets(connection, facts), most)


def facts_of(connection: Connection) -> Webhooks:
    """How a connection's events come in: the system's facts, or the topics that an own application declares."""
    facts = connector_class(connection.system).system.webhooks
    if facts is None:
        raise _wrong(connection, f"{connection.system} sends no webhooks that we know")
    if facts.scheme != "standard":
        return facts
    declared = (connection.webhooks or {}).get("topics")
    if not isinstance(declared, Mapping) or not declared:
        raise _wrong(connection, 'topics is missing; write topics = { "booking.created" = "application.bookings" }')
    return Webhooks("standard", tuple(_topic(connection, name, said) for name, said in declared.items()))


def _topic(connection: Connection, name: str, said: Any) -> Topic:
    resource, _, id = str(said).partition("#")
    if not resource.startswith(f"{connection.system}."):
        raise _wrong(connection, f"topic {name!r} names {resource!r}; a resource begins with {connection.system}.")
    return Topic(name, resource, (id or "id",))


def _secrets(connection: Connection, facts: Webhooks) -> tuple[str, ...]:
    given = (connection.webhooks or {}).get("secrets", [])
    named = [given] if isinstance(given, str) else list(given)
    if not named and facts.secret and connection.has(facts.secret):
        return (connection.secret(facts.secret),)
    if not named:
        raise _wrong(connection, 'secrets is missing; write secrets = ["env:NAME"]')
    return tuple(resolve(str(one), f"a webhook secret of connection {connection.name!r}") for one in named)


def _wrong(connection: Connection, what: str) -> SettingsError:
    return SettingsError(
        f"webhooks of connection {connection.name!r}: {what}",
        safe="nothing was received",
        next_command=f"mend [connections.{connection.name}.webhooks] in crosswalk.toml; see docs/webhooks.md",
    )
