"""``crosswalk connect`` and ``crosswalk connections``: from credentials to a connection that is fit for use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import SettingsError, StoreError, VendorError

if TYPE_CHECKING:
    from crosswalk.connectors.facts import AuthWay
    from crosswalk.http.oauth_login import App as OAuthApp
    from crosswalk.http.protocols import Token
    from crosswalk.runs.wiring import House
    from crosswalk.settings import Connection

PORT = 8765
TRIES = 5


def register(app: App) -> None:
    app.command(connect)
    connections = App(name="connections", help="The connections of this environment: list them, check one.")
    app.command(connections)
    connections.command(list_, name="list")
    connections.command(check)


def connect(name: str, /, *, no_browser: bool = False, timeout: float = 300) -> int:
    """Log in to a connection's system in the browser and keep the token, encrypted, in the store.

    Uses the authorization code flow with PKCE. The address http://localhost:PORT/callback, with the PORT that the
    connection's setting login_port names (8765 without it), must be registered with the vendor's app. Afterwards the
    accounts that the login reaches are listed.

    Args:
        name: The connection of crosswalk.toml.
        no_browser: Only print the address to open.
        timeout: Seconds to wait for the login; 300 without it.
    """
    from crosswalk.connectors.connect import connector_class, way
    from crosswalk.http.oauth_login import login

    with place.house() as house:
        connection = house.settings.connection(name)
        system = connector_class(_system(connection)).system
        one = way(system, connection)
        if one.flow != "authorization code":
            show.say(f"{name} needs no login: it proves itself by {one.flow}.")
            return _check(house, connection)
        app = application(house, connection, one)
        house.store.epoch()  # the store must be there, and open with the key, before the person is sent away
        show.say(f"The redirect address to register with {system.title}: {app.redirect}")
        token = login(
            app, connection=name, journal=house.journal, clock=house.clock, browser=not no_browser, timeout=timeout,
            say=show.plain,
        )  # fmt: skip
        keep(house, connection, token)
        show.say(f"The login of {name} is kept in the store.")
        return _accounts(house, connection, token)


def application(house: House, connection: Connection, one: AuthWay) -> OAuthApp:
    """What the vendor knows our app by, for a login."""
    from crosswalk.connectors import connect as opening
    from crosswalk.connectors.base import address
    from crosswalk.http.oauth_login import App

    system = opening.connector_class(connection.system).system
    settings = connection.settings
    return App(
        authorize_url=address(system, connection, one.authorize_url),
        application=opening.application(system, connection, one),
        scope=str(settings.get("scope") or " ".join(system.scopes)),
        port=int(settings.get("login_port", PORT)),
    )


def keep(house: House, connection: Connection, token: Token) -> None:
    """Save a token as the newest of a connection, whoever renews it meanwhile. Raises StoreError."""
    tokens = house.around.tokens
    for _ in range(TRIES):
        known = tokens.read(connection.key)
        if tokens.save(connection.key, token, known.version if known else 0):
            return
    raise StoreError(
        f"the login of {connection.name!r} could not be kept: another process renews its token again and again",
        safe="the login that was kept before stands",
        next_command=f"crosswalk connect {connection.name}",
    )


@dataclass
class Lent:
    """A token store that holds one fresh token and nothing else."""

    token: Token

    def read(self, connection: str) -> Token | None:
        return replace(self.token, version=1)

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        return False

    def release(self, connection: str, holder: str) -> None:
        """Nobody holds anything."""

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        return False


def _accounts(house: House, connection: Connection, token: Token) -> int:
    """Show what the login reaches; keep it under the account that it is for, and say how to name that account."""
    from crosswalk.connectors.connect import connect as opened

    speaks = opened(connection, replace(house.around, tokens=Lent(token)))
    try:
        found: Mapping[str, str] = speaks.accounts()
    except VendorError as error:
        show.error(error)
        show.say(f"Next: crosswalk connections check {connection.name}")
        return 1
    if not found:
        show.say(f"Next: crosswalk connections check {connection.name}")
        return 0
    wanted = str(connection.settings.get("tenant", connection.account))
    show.table(("account", "name", ""), [(a, n, "this connection" if a == wanted else "") for a, n in found.items()])
    if wanted in found:
        show.say(f"Next: crosswalk connections check {connection.name}")
        return 0
    for account in found:
        # The account is part of the key under which a token is kept, and it is about to be corrected.
        keep(house, replace(connection, account=account), token)
    example = next(iter(found))
    show.say(
        f"{connection.name} names the account {wanted!r}, which this login does not reach.\n"
        f'Next: write account = "{example}" under [connections.{connection.name}] in crosswalk.toml, then '
        f"crosswalk connections check {connection.name}; the login need not be repeated"
    )
    return 1


def list_() -> int:
    """List the connections of this environment: system, account, how each proves itself, whether it is logged in."""
    settings = place.settings()
    rows = []
    with place.house() as house:
        for connection in settings.connections.values():
            flow, login = _login(house, connection)
            rows.append((connection.name, connection.system, connection.account, connection.zone, flow, login))
    show.say(f"Environment {settings.environment}")
    show.table(("connection", "system", "account", "zone", "proves itself by", "login"), rows)
    return 0


def _login(house: House, connection: Connection) -> tuple[str, str]:
    from crosswalk.connectors.connect import connector_class, way

    if connection.system == "database":
        return "its address", ""
    try:
        one = way(connector_class(connection.system).system, connection)
    except SettingsError as error:
        return "", error.what
    if one.flow != "authorization code":
        return one.flow, "none needed"
    token = house.around.tokens.read(connection.key)
    if token is None or not (token.refresh or token.access):
        return one.flow, f"missing: crosswalk connect {connection.name}"
    return one.flow, f"kept since {show.when(token.issued_at)}"


def check(name: str, /) -> int:
    """Check a connection: credentials, scopes, account, currency, lock dates, clock, quota. Changes nothing.

    Ends with 1 when something does not fit.

    Args:
        name: The connection of crosswalk.toml.
    """
    with place.house() as house:
        return _check(house, house.settings.connection(name))


def _check(house: House, connection: Connection) -> int:
    if connection.system == "database":
        return _check_database(house, connection)
    from crosswalk.store.breakers import Breakers

    Breakers(house.store).ask_now(connection.key)
    found = house.connector(connection).check()
    words = {True: "ok", False: "WRONG", None: "unknown"}
    show.table(("checked", "", "what was found"), [(c.what, words[c.ok], c.detail) for c in found.items])
    show.say(f"{connection.name} is fit for use." if found.ok else f"{connection.name} is not fit for use.")
    return 0 if found.ok else 1


def _check_database(house: House, connection: Connection) -> int:
    from sqlalchemy import text

    database: Any = house.target(connection)
    with database.transaction() as open_:
        open_.execute(text("SELECT 1"))
    show.table(("checked", "", "what was found"), [("connection", "ok", database.where)])
    show.say(f"{connection.name} is fit for use.")
    return 0


def _system(connection: Connection) -> str:
    if connection.system != "database":
        return connection.system
    raise SettingsError(
        f"connection {connection.name!r} is a database, to which nobody logs in",
        safe="nothing has changed",
        next_command=f"crosswalk connections check {connection.name}",
    )
