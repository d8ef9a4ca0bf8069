"""Connectors: one file per system, found by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.clock import Clock
    from crosswalk.connectors.base import Connector
    from crosswalk.connectors.facts import System
    from crosswalk.http.client import Client
    from crosswalk.settings import Connection

NAMES = ("shopify", "xero")


def system(name: str) -> System:
    """The facts of a system. SettingsError when there is no connector of that name."""
    return _connector(name).system


def connect(connection: Connection, client: Client, clock: Clock) -> Connector:
    """The connector of a connection, speaking through ``client``."""
    return _connector(connection.system)(connection, client, clock)


def _connector(name: str) -> type[Connector]:
    if name not in NAMES:
        raise SettingsError(f"there is no connector {name!r}; there are {', '.join(NAMES)}")
    found: type[Connector] = import_module(f"crosswalk.connectors.{name}").CONNECTOR
    return found
