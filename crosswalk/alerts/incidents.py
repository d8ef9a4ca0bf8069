"""Incidents: the one entry for whoever has something to tell.

    incidents = Incidents(store, settings, clock)
    name = incidents.raise_(Trouble(kind="stale", binding="orders", title="orders is stale", what="...", follows=True))
    incidents.clear("a run succeeded", kinds=["stale"], binding="orders")
    incidents.send_due(patience=45)

``raise_`` opens an incident or counts one that is open; ``clear`` resolves all that match, each with one recovery
notice where its beginning was told; both only write to the store, in one transaction, and may be called from anywhere
as often as one likes. ``send_due`` decides what is due (first messages after the wait for siblings, reminders,
escalations, the digest) and sends what stands in the outbox; any process may call it at any time, at once or in
turns: runs do at their end, and the watch does. All raise StoreError when the store is away; then see
crosswalk.alerts.direct. Instants come from the clock that is given.

Kinds and what they are about stand in crosswalk.alerts.trouble. Whoever raises a kind also clears it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row

from crosswalk.alerts import compose, keeping, routing, ticking
from crosswalk.alerts.message import nobody
from crosswalk.alerts.sending import Post, Sender
from crosswalk.alerts.trouble import CONNECTION, HELD, RUN_DIED, RUN_FAILED, Trouble
from crosswalk.clock import Clock
from crosswalk.errors import SettingsError, StoreError
from crosswalk.http import redact
from crosswalk.settings import Settings
from crosswalk.store import audit, incidents_outbox
from crosswalk.store import incidents as rows
from crosswalk.store.engine import Store, Taken

LOG = logging.getLogger("crosswalk.alerts")
LONGEST_MUTE = timedelta(days=90)
MUTABLE = ("fingerprint", "binding", "connection")
T = TypeVar("T")


class Incidents:
    """The incidents of one environment. post: how a message reaches a channel; the default goes to the providers."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, post: Post | None = None) -> None:
        self.store, self.settings, self.clock = store, settings, clock
        self._who = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._sender = Sender(store, settings, clock, self._who, self._broken, self._mended, post)

    @property
    def environment(self) -> str:
        return self.settings.environment

    def raise_(self, trouble: Trouble, *, told: Collection[tuple[str, str]] = ()) -> str:
        """Open an incident, or count one more occurrence of the open one; its id. Nothing is sent yet.

        told: channels that were told of it already, each with what the provider calls the message.
        """
        named = trouble.named(self.environment, routing.name_of(self.settings, trouble.connection))

        def write(connection: Connection, now: datetime) -> str:
            return keeping.report(connection, self.settings, named, now, told)

        return self._write("incident", write)

    def clear(
        self, why: str, *, kinds: Collection[str] = (), binding: str = "", connection: str = "", step: str = "",
        error: str = "", keep: Collection[str] = (),
    ) -> list[str]:  # fmt: skip
        """Resolve what is open and matches all that is given; the ids. why: a sentence for the recovery notice.

        keep: values of ``error`` that stay open. connection: name or key. A flapping incident waits for an hour of
        quiet first. Raises ValueError when nothing says what is meant.
        """
        if not (kinds or binding or connection):
            raise ValueError("clear needs kinds, a binding or a connection")
        about = routing.name_of(self.settings, connection)

        def write(transaction: Connection, now: datetime) -> list[str]:
            found = rows.matching(
                transaction, self.environment, kinds=kinds, binding=binding, about=about, step=step, error=error
            )
            gone = [row for row in found if row.error not in keep]
            for row in gone:
                keeping.mended(transaction, self.settings, row, now, why)
            return [row.id for row in gone]

        return self._write("incident-cleared", write) if self._anything_open() else []

    def succeeded(self, binding: str, connections: Collection[str], held: Collection[str], run: str = "") -> list[str]:
        """A run of a binding ended well: what that proves is cleared; the ids.

        connections: names or keys of those that answered it well.  held: the rules that still hold rows.
        """
        why = f"run {run[:8]} of {binding} succeeded" if run else f"a run of {binding} succeeded"
        done = self.clear(why, kinds=[RUN_FAILED, RUN_DIED], binding=binding)
        for connection in connections if self._anything_open() else ():
            done += self._proved(binding, routing.name_of(self.settings, connection), f"{why} and used the connection")
        return done + self.released(binding, held)

    def answered(self, binding: str, connections: Collection[str], run: str = "") -> list[str]:
        """A run that proves nothing of its binding as a whole still proves that these connections answer; the ids."""
        why = f"run {run[:8]} of {binding} used the connection" if run else f"a run of {binding} used the connection"
        found: list[str] = []
        for connection in connections if self._anything_open() else ():
            found += self._proved(binding, routing.name_of(self.settings, connection), why)
        return found

    def _proved(self, binding: str, connection: str, why: str) -> list[str]:
        def write(transaction: Connection, now: datetime) -> list[str]:
            found = rows.matching(transaction, self.environment, kinds=[CONNECTION], about=connection)
            return [row.id for row in found if keeping.proved(transaction, self.settings, row, binding, now, why)]

        return self._write("incident-proved", write)

    def released(self, binding: str, held: Collection[str]) -> list[str]:
        """Clear the warnings of rules that hold no row any more. held: the rules that still do."""
        return self.clear("the rule holds no row any more", kinds=[HELD], binding=binding, keep=held)

    def adopt(self, trouble: Trouble, told: Collection[tuple[str, str]], times: int, first: datetime) -> None:
        """Keep what was told while the store was away: opened then, seen so often. Adopting it again does nothing."""
        named = trouble.named(self.environment, routing.name_of(self.settings, trouble.connection))

        def write(connection: Connection, now: datetime) -> None:
            if not rows.known(connection, trouble.run):
                name = keeping.report(connection, self.settings, named, now, told)
                rows.change(connection, name, occurrences=times, opened_at=first)

        self._write("incident-adopted", write)

    # by hand

    def ack(self, name: str, by: str, reason: str = "") -> Row[Any]:
        """Somebody takes an incident on: no more reminders, no escalation. Raises SettingsError for an unknown id."""
        return self._by_hand(name, "incident.ack", by, reason, keeping.acknowledge)

    def resolve(self, name: str, by: str, reason: str) -> Row[Any]:
        """A person declares an incident over. Raises SettingsError."""
        return self._by_hand(name, "incident.resolve", by, reason, keeping.resolve_by_hand)

    def mute(self, kind: str, value: str, until: datetime, reason: str, by: str) -> str:
        """Tell nobody of a fingerprint, binding or connection until an instant; the mute's id. Raises SettingsError."""
        now = self.clock.now()
        if kind not in MUTABLE:
            raise SettingsError(f"a mute is for one of {', '.join(MUTABLE)}, not for {kind!r}")
        if not reason.strip():
            raise SettingsError("a mute needs a reason", safe="nothing was muted", next_command="add --reason")
        if not now < until <= now + LONGEST_MUTE:
            raise SettingsError(
                f"a mute ends in the future and within {LONGEST_MUTE.days} days", safe="nothing was muted"
            )
        with self.store.transaction("mute") as connection:
            name = rows.mute(
                connection, environment=self.environment, kind=kind, value=value, reason=redact.text(reason),
                made_by=by, made_at=now, until=until,
            )  # fmt: skip
            after = {"kind": kind, "value": value, "until": until}
            audit.write(connection, now, by, "alerts.mute", name, reason=reason, after=after)
        return name

    def unmute(self, name: str, by: str) -> None:
        """End a mute before its time. Raises SettingsError when it is not in force."""
        now = self.clock.now()
        with self.store.transaction("unmute") as connection:
            if not rows.lift(connection, name, by, now):
                raise SettingsError(
                    f"no mute {name!r} is in force", safe="nothing was changed", next_command="crosswalk incidents list"
                )
            audit.write(connection, now, by, "alerts.unmute", name)

    # telling

    def tick(self) -> None:
        """Decide what is due by now and put it into the outbox."""
        ticking.tick(self.store, self.settings, self.clock.now())

    def send_due(self, patience: float = 0.0) -> int:
        """Decide, and send what is due; how many messages were taken by their channels.

        patience: seconds to wait for what is due soon, such as the wait for siblings or a channel's Retry-After.
        What is due later stays in the outbox for whoever sends next.
        """
        from crosswalk.alerts import direct

        direct.hand_over(self.settings, self)
        until = self.clock.now() + timedelta(seconds=patience)
        sent = 0
        while True:
            self.tick()
            sent += self._sender.send()
            soon = self._soon()
            if soon is None or soon > until:
                return sent
            self.clock.sleep(max(0.1, (soon - self.clock.now()).total_seconds()))

    def untold(self, names: Collection[str]) -> str:
        """Why nobody has been told of one of these incidents; empty when somebody was, or nobody need be."""
        with self.store.reading() as connection:
            for name in names:
                trouble = ticking.untold(connection, self.settings, name)
                if trouble:
                    return trouble
        return ""

    def tried(self, channel: str, good: bool, answer: str) -> None:
        """A person has tried a channel: its answer is kept, and one that works is used from now on."""
        now = self.clock.now()
        with self.store.transaction("alert-tried") as connection:
            well = {"pause_until": None, "failing_since": None, "broken_since": None, "last_ok_at": now}
            incidents_outbox.note(connection, channel, answer=redact.text(answer)[:500], **(well if good else {}))
            if good:
                incidents_outbox.wake(connection, channel, now)
        if good:
            self._mended(channel)
            self.send_due()

    def _soon(self) -> datetime | None:
        now = self.clock.now()
        sends = incidents_outbox.next_try(self.store, now)
        tells = rows.next_due(self.store, self.environment, now)
        return min((at for at in (sends, tells) if at is not None), default=None)

    def _broken(self, channel: str, answer: str) -> None:
        """A channel fails for good: an incident on the others, and what it could not tell goes to them."""
        self.raise_(keeping.broken_channel(self.settings, channel, answer))

        def write(connection: Connection, now: datetime) -> None:
            ticking.reroute(connection, self.settings, channel, now)

        self._write("alert-rerouted", write)

    def _mended(self, channel: str) -> None:
        self.clear(f"the channel {channel} took a message again", kinds=["channel_broken"], step=channel)

    def _by_hand(
        self, name: str, action: str, by: str, reason: str,
        act: Callable[[Connection, Settings, Row[Any], datetime, str, str], None],
    ) -> Row[Any]:  # fmt: skip
        found = rows.one(self.store, self.environment, name)

        def write(connection: Connection, now: datetime) -> None:
            row = rows.locked(connection, found.id)
            if row is None or row.state == "resolved":
                raise SettingsError(f"{found.id} is resolved already", safe="nothing was changed")
            act(connection, self.settings, row, now, by, nobody(redact.text(reason)))
            after = rows.locked(connection, found.id)
            assert after is not None
            audit.write(
                connection, now, by, action, row.id, reason=reason, before={"state": row.state},
                after={"state": after.state},
            )  # fmt: skip

        self._write(action, write)
        return rows.one(self.store, self.environment, found.id)

    def _anything_open(self) -> bool:
        """Most runs have nothing to clear: they need not take the store's lock for it."""
        return bool(rows.listing(self.store, self.environment, limit=1))

    def _write(self, name: str, write: Callable[[Connection, datetime], T]) -> T:
        """One transaction; once more when another process has changed the same incidents in the same moment."""
        for attempt in range(3):
            try:
                with self.store.transaction(name) as connection:
                    return write(connection, self.clock.now())
            except StoreError as error:
                if attempt == 2 or not (isinstance(error, Taken) or "deadlock" in error.what):
                    raise
        raise AssertionError


def shown(row: Row[Any]) -> dict[str, Any]:
    """An incident as plain values, for lists and pages."""
    values = dict(row._mapping)
    return {**values, "message": json.loads(row.message), "members": compose.members(row)}
