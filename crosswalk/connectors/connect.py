"""Opening a connection: its system's connector, with the client, the auth flow and the quota that its facts ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module

from crosswalk.clock import Clock
from crosswalk.connectors.base import Connector, address, hosts
from crosswalk.connectors.facts import AuthWay, System
from crosswalk.errors import SettingsError
from crosswalk.http.auth import ApiKey, Auth, ClientCredentials, RefreshingOAuth2
from crosswalk.http.breaker import NoBreaker
from crosswalk.http.client import Client
from crosswalk.http.grants import Application
from crosswalk.http.protocols import Account, Breaker, Journal, Limiter, Quota, TokenStore
from crosswalk.settings import Connection


@dataclass(frozen=True)
class Surroundings:
    """What every client of this process shares."""

    tokens: TokenStore
    limiter: Limiter
    journal: Journal
    clock: Clock
    breaker: Breaker = field(default_factory=NoBreaker)


def connector_class(system: str) -> type[Connector]:
    """The connector of a system. Raises SettingsError for an unknown one."""
    try:
        found: type[Connector] = import_module(f"crosswalk.connectors.{system}").CONNECTOR
    except (ModuleNotFoundError, AttributeError) as error:
        raise SettingsError(
            f"there is no connector for the system {system!r}", next_command="crosswalk systems"
        ) from error
    assert issubclass(found, Connector)
    return found


def connect(connection: Connection, around: Surroundings) -> Connector:
    """A connector that speaks for this connection. Nothing is sent yet. Raises SettingsError."""
    kind = connector_class(connection.system)
    system = kind.system
    client = Client(
        connection=connection.key,
        base_url=address(system, connection, system.url),
        auth=auth(system, connection, around),
        limiter=around.limiter,
        account=Account(f"{system.name}:{connection.environment}:{connection.account}", quota(system, connection)),
        journal=around.journal,
        clock=around.clock,
        timeout=float(connection.settings.get("timeout", system.timeout)),
        classify=system.classify,
        tell=system.tell,
        allowed_hosts=hosts(system, connection),
        breaker=around.breaker,
    )
    return kind(connection, client, around.clock)


def quota(system: System, connection: Connection) -> Quota:
    """The account's quota: the vendor's, or what the connection says of its plan."""
    said = connection.settings.get("quota", {})
    known = {"rate", "burst", "concurrent", "daily", "share", "minute"}
    if not isinstance(said, dict) or set(said) - known:
        raise SettingsError(
            f"connection {connection.name!r}: quota holds {', '.join(sorted(known))}",
            next_command=f"mend [connections.{connection.name}.settings.quota] in crosswalk.toml",
        )
    return replace(system.quota, **said)


def way(system: System, connection: Connection) -> AuthWay:
    """The way to prove who we are for which the connection has all secrets; the first the system lists wins."""
    wanted = connection.settings.get("auth")
    for one in system.auth:
        if wanted in (None, one.flow) and all(connection.has(name) for name in one.settings):
            return one
    ways = "; or ".join(f"{one.flow} ({', '.join(one.settings)})" for one in system.auth)
    raise SettingsError(
        f"connection {connection.name!r} has no complete credentials for {system.title}; it needs {ways}",
        safe="nothing was sent",
        next_command=f"add the secrets under [connections.{connection.name}.secrets] in crosswalk.toml",
    )


def auth(system: System, connection: Connection, around: Surroundings) -> Auth:
    """The auth flow of a connection."""
    one = way(system, connection)
    if one.flow == "static token":
        key = connection.secret(one.settings[0])
        return ApiKey(key, header=one.header, prefix=one.prefix, name=f"{one.settings[0]} of {connection.name}")
    flow = ClientCredentials if one.flow == "client credentials" else RefreshingOAuth2
    return flow(
        connection=connection.key,
        application=application(system, connection, one),
        store=around.tokens,
        clock=around.clock,
        scope=str(connection.settings.get("scope", "")),
        header=one.header,
        prefix=one.prefix,
    )


def application(system: System, connection: Connection, one: AuthWay) -> Application:
    """The app that asks for tokens."""
    return Application(
        client_id=connection.secret("client_id"),
        client_secret=connection.secret("client_secret") if connection.has("client_secret") else "",
        token_url=address(system, connection, one.token_url),
        how="basic" if one.client_auth == "basic" else "form",
    )
