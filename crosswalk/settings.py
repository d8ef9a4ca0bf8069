"""What the user's folder says: connections and bindings in ``crosswalk.toml``, and three settings of the environment.

``CROSSWALK_ENV`` (sandbox, staging, production), ``CROSSWALK_STORE`` (a database address; only the sandbox has a
default) and ``CROSSWALK_KEY`` (the encryption key). Secrets stand in the file only as names: ``env:NAME`` reads an
environment variable, ``block:NAME`` a Prefect secret block.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crosswalk.errors import SettingsError
from crosswalk.settings_channels import Alerts, Channel, Owner, read_alerts, read_channels, read_owners

ENVIRONMENTS = ("sandbox", "staging", "production")
FILE = "crosswalk.toml"
STATE = ".crosswalk"


@dataclass(frozen=True)
class Connection:
    """One named account of a system in one environment.

    prefix: begins every reference that we leave in the account's partner, so that two shops never share one.
    settings: plain values.  secrets: resolved only when asked for, never shown.  webhooks: how its
    events come in, None when none do.
    """

    name: str
    system: str
    environment: str
    account: str
    zone: str = "UTC"
    currency: str = ""
    prefix: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhooks: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """What stands for this account in the store; another account is another key."""
        return f"{self.environment}/{self.name}/{self.account}"

    def secret(self, name: str) -> str:
        """The value behind a secret's name. Raises SettingsError when it is not set."""
        where = self.secrets.get(name)
        if where is None:
            raise SettingsError(
                f"connection {self.name!r} has no secret {name!r}",
                safe="nothing was sent",
                next_command=f'add {name} = "env:NAME" under [connections.{self.name}.secrets] in {FILE}',
            )
        return resolve(where, f"the secret {name!r} of connection {self.name!r}")

    def has(self, name: str) -> bool:
        return name in self.secrets


@dataclass(frozen=True)
class Binding:
    """An integration applied to a source and a target: what is deployed, leased, scheduled and accounted for."""

    name: str
    integration: str
    source: Connection
    target: Connection
    start: datetime | None = None
    tables: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """What begins every key of this binding in the store. Another account on either side is another scope."""
        source, target = self.source, self.target
        return f"{source.environment}/{self.name}/{source.name}:{source.account}/{target.name}:{target.account}"


@dataclass(frozen=True)
class Settings:
    """One user's folder in one environment."""

    home: Path
    environment: str
    connections: Mapping[str, Connection]
    bindings: Mapping[str, Binding]
    owners: Mapping[str, Owner]
    store: str
    ui_url: str = "http://127.0.0.1:4200"
    receiver: Mapping[str, Any] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)
    heartbeat: str = field(default="", repr=False)

    @property
    def state(self) -> Path:
        """Where the journal, the limits and the sandbox's store lie."""
        return self.home / STATE

    def binding(self, name: str) -> Binding:
        found = self.bindings.get(name)
        if found is None:
            known = ", ".join(sorted(self.bindings)) or "none"
            raise SettingsError(
                f"there is no binding {name!r} in environment {self.environment}; known: {known}",
                safe="nothing was read or written",
                next_command="crosswalk list",
            )
        return found

    def connection(self, name: str) -> Connection:
        found = self.connections.get(name)
        if found is None:
            known = ", ".join(sorted(self.connections)) or "none"
            raise SettingsError(
                f"there is no connection {name!r} in environment {self.environment}; known: {known}",
                safe="nothing was read or written",
                next_command="crosswalk connections list",
            )
        return found


def resolve(value: str, what: str) -> str:
    """A value given as ``env:NAME`` or ``block:NAME``, or as it is. Raises SettingsError when the name is not set."""
    kind, _, name = value.partition(":")
    if kind == "env" and name:
        found = os.environ.get(name)
        if not found:
            raise SettingsError(
                f"{what} is read from the environment variable {name}, which is not set",
                safe="nothing was sent",
                next_command=f"export {name}=...",
            )
        return found
    if kind == "block" and name:
        return _block(name, what)
    return value


def _block(name: str, what: str) -> str:
    from importlib import import_module

    try:
        secret = import_module("crosswalk.prefect_blocks").secret(name)
    except Exception as error:
        raise SettingsError(
            f"{what} is read from the Prefect secret block {name!r}, which could not be loaded: {error}",
            safe="nothing was sent",
            next_command="prefect block ls",
        ) from error
    return str(secret)


def load(home: Path | None = None, environment: str | None = None) -> Settings:
    """Read ``crosswalk.toml`` of this folder or the nearest one above it. Raises SettingsError."""
    file = _find(home)
    environment = environment or os.environ.get("CROSSWALK_ENV") or "sandbox"
    if environment not in ENVIRONMENTS:
        raise SettingsError(
            f"CROSSWALK_ENV is {environment!r}; it is one of {', '.join(ENVIRONMENTS)}",
            next_command="export CROSSWALK_ENV=sandbox",
        )
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}", next_command=f"mend {file}") from error
    connections = {}
    for name, entry in content.get("connections", {}).items():
        connection = _connection(name, entry)
        if connection.environment == environment:
            connections[name] = connection
    bindings = {}
    for name, entry in content.get("bindings", {}).items():
        if entry.get("environment", environment) == environment:
            found = _binding(name, entry, connections, content, file.parent)
            if found is not None:
                bindings[name] = found
    channels = read_channels(content, environment)
    return Settings(
        home=file.parent,
        environment=environment,
        connections=connections,
        bindings=bindings,
        owners=read_owners(content, channels),
        store=_store(file.parent, environment),
        ui_url=os.environ.get("PREFECT_UI_URL") or str(content.get("prefect_ui", "http://127.0.0.1:4200")),
        receiver=dict(content.get("receiver", {})),
        channels=channels,
        alerts=read_alerts(content, channels),
        heartbeat=_heartbeat(content, environment),
    )


def _find(home: Path | None) -> Path:
    start = (home or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    raise SettingsError(
        f"no {FILE} in {start} or above it",
        safe="nothing was read or written",
        next_command=f"cd to the folder that holds {FILE}, or write one: see README.md",
    )


def _store(home: Path, environment: str) -> str:
    address = os.environ.get("CROSSWALK_STORE")
    if address:
        return address
    if environment == "sandbox":
        return f"sqlite:///{home / STATE / 'store.db'}"
    raise SettingsError(
        f"CROSSWALK_STORE is not set; in {environment} the store has no default",
        safe="nothing was read or written",
        next_command="export CROSSWALK_STORE=postgresql+psycopg://user:password@host/crosswalk",
    )


def _heartbeat(content: Mapping[str, Any], environment: str) -> str:
    """The address that the watch calls while all is well, as it stands in the file."""
    given = content.get("watch", {})
    if unknown := sorted(set(given) - {"heartbeat"}):
        raise SettingsError(f"[watch] has unknown settings: {', '.join(unknown)}", next_command=f"mend {FILE}")
    address = str(given.get("heartbeat", ""))
    if address and environment != "sandbox" and not address.startswith(("env:", "block:")):
        raise SettingsError(
            "[watch] heartbeat is a secret and stands in the file",
            next_command='write its name: heartbeat = "env:CROSSWALK_HEARTBEAT"',
        )
    return address


def _require(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where} lacks {key!r}", next_command=f"add {key} under [{where}] in {FILE}")
    return value


def _connection(name: str, entry: Mapping[str, Any]) -> Connection:
    where = f"connections.{name}"
    zone = str(entry.get("zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(
            f"{where} names the zone {zone!r}, which is unknown", next_command=f"mend {FILE}"
        ) from error
    return Connection(
        name=name,
        system=_require(entry, "system", where),
        environment=str(entry.get("environment", "sandbox")),
        account=_require(entry, "account", where),
        zone=zone,
        currency=str(entry.get("currency", "")),
        prefix=str(entry.get("prefix", "")),
        settings=dict(entry.get("settings", {})),
        secrets=dict(entry.get("secrets", {})),
        webhooks=dict(entry["webhooks"]) if "webhooks" in entry else None,
    )


def _binding(
    name: str, entry: Mapping[str, Any], connections: Mapping[str, Connection], content: Mapping[str, Any], home: Path
) -> Binding | None:
    where = f"bindings.{name}"
    sides = []
    for side in ("source", "target"):
        wanted = _require(entry, side, where)
        if wanted not in connections:
            if wanted in content.get("connections", {}):
                return None  # the connection belongs to another environment, and so does the binding
            raise SettingsError(
                f"{where} names the {side} connection {wanted!r}, which is not declared",
                next_command=f"add [connections.{wanted}] to {FILE}",
            )
        sides.append(connections[wanted])
    start = entry.get("start")
    if isinstance(start, str):
        start = datetime.fromisoformat(start)
    if isinstance(start, datetime) and start.tzinfo is None:
        raise SettingsError(f"{where}: start carries no zone", next_command='write start = "2026-01-01T00:00:00Z"')
    tables = entry.get("tables")
    return Binding(
        name=name,
        integration=_require(entry, "integration", where),
        source=sides[0],
        target=sides[1],
        start=start.astimezone(UTC) if isinstance(start, datetime) else None,
        tables=home / tables if tables else None,
        options={k: v for k, v in entry.items() if k not in ("integration", "source", "target", "start", "tables")},
    )
