"""Working what arrives: events gathered for each record, in bounded batches, each batch one run of its binding."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from crosswalk.errors import Busy, CrosswalkError, StoreError, Transient
from crosswalk.http import redact
from crosswalk.integration import Integration, find
from crosswalk.runs.wiring import House
from crosswalk.settings import Binding
from crosswalk.store import inbox
from crosswalk.store.ledger import PENDING
from crosswalk.store.tables import RECORD

LOG = logging.getLogger("crosswalk.serving")
BATCH = 100
DEBOUNCE = 0.3
"""Seconds for which a record's further events are waited for."""
BUSY_SECONDS, UNREAD_SECONDS = 2.0, 15.0

Run = Callable[[str, Sequence[str]], BaseException | None]
"""Runs a binding for these source keys; what made the run fail, if anything."""


@dataclass(frozen=True)
class Batch:
    """Source keys of one binding to be read afresh. numbers: by key, up to which event a fetch from now on serves.

    Without numbers it only sends on what a parent's coming has woken.
    """

    binding: str
    scope: str
    resource: str
    numbers: Mapping[str, int]
    woken: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.numbers) or self.woken


@dataclass
class Server:
    """Finds batches and books what became of them. ``run`` runs one."""

    house: House
    run: Run
    working: set[str] = field(default_factory=set)
    _found: dict[str, Integration] = field(default_factory=dict)

    def integration(self, binding: Binding) -> Integration:
        if binding.integration not in self._found:
            self._found[binding.integration] = find(binding.integration)
        return self._found[binding.integration]

    @property
    def bindings(self) -> list[Binding]:
        return list(self.house.settings.bindings.values())

    def readers(self, account: str, resource: str) -> list[str]:
        """The scopes of the bindings that read this resource of this connection."""
        return [b.scope for b in self.bindings if b.source.key == account and self.integration(b).source == resource]

    def batches(self) -> list[Batch]:
        """Gather what is new; a batch for every binding that has something to do and is not at work."""
        store = self.house.store
        while inbox.gather(store, self.readers) >= inbox.GATHER:
            pass
        by_scope = {b.scope: b for b in self.bindings}
        found = []
        for scope in inbox.open_scopes(store):
            binding = by_scope.get(scope)
            if binding is None or binding.name in self.working:
                continue
            rows = inbox.due(store, scope, self.house.clock.now(), BATCH, DEBOUNCE)
            resource = self.integration(binding).source
            numbers = {row.key: row.asked for row in rows if row.resource == resource}
            if numbers:
                found.append(Batch(binding.name, scope, resource, numbers))
        return found

    def work(self, batch: Batch) -> list[Batch]:
        """Run a batch and book what became of it; what its records' coming has woken elsewhere is to be run next."""
        trouble = self.run(batch.binding, batch.keys)
        if not batch.numbers:
            if trouble is not None and not isinstance(trouble, Busy):
                LOG.warning("%s: %s", batch.binding, redact.text(str(trouble)))
            return []
        left = inbox.unserved(self.house.store, batch.scope, batch.resource, batch.numbers)
        if left:
            self._left(batch, left, trouble)
        return self._woken(batch) if len(left) < len(batch.numbers) else []

    def _left(self, batch: Batch, left: Sequence[str], trouble: BaseException | None) -> None:
        """What was not served is tried again later; after an error longer each time, and not for ever."""
        store, now = self.house.store, self.house.clock.now()
        if trouble is None or isinstance(trouble, Busy):
            wait = BUSY_SECONDS if isinstance(trouble, Busy) else UNREAD_SECONDS
            why = "another process works on it" if trouble is not None else "the source could not be read"
            inbox.later(store, batch.scope, batch.resource, left, now + timedelta(seconds=wait), why)
            return
        words = redact.text(f"{type(trouble).__name__}: {trouble}")
        passing = isinstance(trouble, (Transient, StoreError)) or not isinstance(trouble, CrosswalkError)
        dead = inbox.failed(store, batch.scope, batch.resource, left, words, now, lasting=not passing)
        LOG.warning("%s: %d records wait to be read afresh again: %s", batch.binding, len(left), words)
        if dead:
            LOG.error("%s: %d records are left to a person; see crosswalk inbox list", batch.binding, dead)

    def _woken(self, batch: Batch) -> list[Batch]:
        """Batches of other bindings whose records waited for what this one has delivered."""
        done = self.house.settings.binding(batch.binding)
        found = []
        for other in self.bindings:
            integration = self.integration(other)
            near = (other.source.key, other.target.key) == (done.source.key, done.target.key)
            if not near or done.integration not in integration.after or other.name in self.working:
                continue
            keys = self._pending(other.scope)
            if keys:
                found.append(Batch(other.name, other.scope, integration.source, {}, keys))
        return found

    def _pending(self, scope: str) -> tuple[str, ...]:
        due = or_(RECORD.c.next_try_at.is_(None), RECORD.c.next_try_at <= self.house.clock.now())
        query = select(RECORD.c.key).distinct().where(RECORD.c.scope == scope, PENDING, due).limit(BATCH)
        with self.house.store.reading() as connection:
            return tuple(connection.execute(query).scalars())


def bare(house: House) -> Run:
    """Runs in this process without Prefect."""

    def run(binding: str, keys: Sequence[str]) -> BaseException | None:
        from crosswalk.runs import body
        from crosswalk.runs.session import Request

        try:
            body.run(house.session(binding, Request(ids=tuple(keys))))
        except Exception as error:  # noqa: BLE001 - booked with the errands, which are tried again
            return error
        return None

    return run


def drain(server: Server, rounds: int = 1_000) -> int:
    """Work what waits now, one batch after the other; the number of batches. For tests and ``--once``."""
    done = 0
    for _ in range(rounds):
        found: list[Any] = server.batches()
        if not found:
            return done
        for batch in found:
            for next_batch in server.work(batch):
                server.work(next_batch)
            done += 1
    return done
