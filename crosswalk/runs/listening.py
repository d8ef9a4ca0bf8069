"""Checking every connection's webhooks, for the watch and for the command."""

from __future__ import annotations

from crosswalk.integration import find
from crosswalk.runs.wiring import House
from crosswalk.settings import Connection
from crosswalk.webhooks import checking
from crosswalk.webhooks.checking import Finding


def resources(house: House, connection: Connection) -> set[str]:
    """What the bindings of this folder read of a connection."""
    mine = [b for b in house.settings.bindings.values() if b.source.key == connection.key]
    return {find(b.integration).source for b in mine}


def check(house: House, connection: Connection, address: str = "") -> list[Finding]:
    """What is wrong with a connection's events. Raises SettingsError and what the system's API raises."""
    topics = checking.wanted(connection, resources(house, connection))
    uri = checking.address(house.settings, connection, address) if topics else ""
    source = house.connector(connection)
    return checking.check(house.store, house.clock.now(), connection, source, topics, uri)
