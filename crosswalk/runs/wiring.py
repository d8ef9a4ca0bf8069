"""From settings to a session: the store, the shared files, both sides of a binding."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from crosswalk.clock import Clock, SystemClock
from crosswalk.connectors.base import Connector
from crosswalk.connectors.connect import Surroundings, connect, connector_class
from crosswalk.errors import SettingsError
from crosswalk.http.journal import Bodies, SqliteJournal
from crosswalk.http.limits import SlotLimiter
from crosswalk.integration import Integration, find
from crosswalk.mapping.language import Mapping
from crosswalk.runs.errands import asked
from crosswalk.runs.session import Request, Session
from crosswalk.schemas.base import Record
from crosswalk.settings import Binding, Connection, Settings, load
from crosswalk.store.breakers import Breakers
from crosswalk.store.engine import Store
from crosswalk.store.inbox_look import KeptEvents
from crosswalk.store.tokens import Tokens
from crosswalk.store.vault import Vault


@dataclass
class House:
    """One user's folder, opened: settings, clock, store, journal and limits. Made once a process."""

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    durable: bool = True
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The folder's own mappings and flows add to ours: both are namespace packages.
        home = str(self.settings.home)
        if home not in sys.path:
            sys.path.insert(0, home)

    @staticmethod
    def here(home: Path | None = None) -> House:
        """The house of this folder."""
        return House(load(home))

    @cached_property
    def store(self) -> Store:
        """The opened store; the sandbox's is brought up to this release by itself."""
        sandbox = self.settings.environment == "sandbox"
        store = Store(
            self.settings.store,
            clock=self.clock,
            vault=Vault.from_environment(self.settings.environment),
            durable=self.durable,
        )
        return store.open(migrate=sandbox)

    @cached_property
    def around(self) -> Surroundings:
        state = self.settings.state
        state.mkdir(parents=True, exist_ok=True)
        return Surroundings(
            tokens=Tokens(self.store),
            limiter=self._limiter(state / "limits.db"),
            journal=self.journal,
            clock=self.clock,
            breaker=Breakers(self.store),
        )

    def _limiter(self, file: Path) -> SlotLimiter:
        """Limits lie where the store does: in its PostgreSQL, for every machine, or in a file of this machine."""
        if self.store.dialect != "postgresql":
            return SlotLimiter(file, self.clock)
        from crosswalk.http.limits_postgresql import PostgresRoom, PostgresShelf

        url = self.store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        shelf, room = PostgresShelf(url), PostgresRoom(url)
        self._closing += [shelf.close, room.close]
        return SlotLimiter(file, self.clock, shelf=shelf, room=room)

    @cached_property
    def journal(self) -> SqliteJournal:
        """The journal of every request, in a file of its own."""
        state = self.settings.state
        state.mkdir(parents=True, exist_ok=True)
        return SqliteJournal(state / "journal.db", self.clock, Bodies(state / "bodies"))

    def connector(self, connection: Connection, records: Sequence[Record] = ()) -> Connector:
        """The connector of a connection. records: what an own application's events carry."""
        if connection.system == "application":
            from crosswalk.connectors.application import Application

            return Application(connection, KeptEvents(self.store, connection.key), self.clock, records)
        return connect(connection, self.around)

    def target(self, connection: Connection) -> Any:
        """A connector, or the database that is written to."""
        if connection.system == "database":
            from crosswalk.connectors.database import Database

            return Database(connection.secret("url"), self.clock)
        return self.connector(connection)

    def session(self, name: str, request: Request, *, integration: Integration | None = None) -> Session:
        """A run of a binding, ready to begin. Raises SettingsError for whatever does not fit."""
        binding = self.settings.binding(name)
        found = integration or find(binding.integration)
        _fits(binding, found)
        wanted = () if request.dry_run else request.ids
        errands = asked(self.store, binding.scope, found.source, wanted)
        return Session(
            binding=binding,
            integration=found,
            store=self.store,
            clock=self.clock,
            source=self.connector(binding.source, tuple({p.source.name: p.source for p in found.parts}.values())),
            target=self.target(binding.target),
            request=replace(request, urgent=True) if errands else request,
            errands=errands,
            requests=self.journal.count,
            answered=self.journal.answered,
        )

    def close(self) -> None:
        """Let go of the store."""
        with ExitStack() as stack:
            for end in self._closing:
                stack.callback(end)
            if "store" in self.__dict__:
                stack.callback(self.store.close)


def _fits(binding: Binding, integration: Integration) -> None:
    source, target = integration.source.partition(".")[0], integration.target
    if binding.source.system != source or binding.target.system != target:
        raise SettingsError(
            f"binding {binding.name!r} joins {binding.source.system} to {binding.target.system}, but the integration "
            f"{integration.name} goes from {source} to {target}",
            safe="nothing was read or written",
            next_command="mend the binding in crosswalk.toml",
        )
    for mapping in integration.parts:
        _recognises(binding, mapping)


def _recognises(binding: Binding, mapping: Mapping) -> None:
    if mapping.match is None:
        return
    finds: tuple[str, ...] = ()
    if binding.target.system != "database":
        finds = connector_class(binding.target.system).system.resource(mapping.target.name).finds
    if mapping.match not in finds:
        raise SettingsError(
            f"{mapping.title!r} recognises records by {mapping.match}, and {mapping.target.name} of "
            f"{binding.target.system} can be asked for {', '.join(finds) or 'none of its fields'}",
            safe="nothing was read or written",
            next_command="mend match= in the mapping",
        )
