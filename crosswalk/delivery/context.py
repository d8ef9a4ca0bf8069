"""What a delivery works with: one binding, its target, its store, this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from crosswalk.clock import Clock
from crosswalk.connectors.base import Connector
from crosswalk.errors import SettingsError
from crosswalk.integration import Integration
from crosswalk.settings import Binding
from crosswalk.store import ledger
from crosswalk.store.engine import Store
from crosswalk.store.leases import Process
from crosswalk.store.links import Parent

PATIENCE = 120.0
"""Seconds; what has to wait longer stays queued and the run ends."""


def no_lease() -> None:
    """No lease to prolong."""


def changeable(delivery: Delivery, resource: str) -> bool:
    """Whether the target can change such a record once it is there."""
    try:
        delivery.target.operation(resource, "update")
    except SettingsError:
        return False
    return True


@dataclass
class Delivery:
    """One binding's way to its target, in one process.

    claim: seconds for which a frozen batch may be sent before another process may take it over; it covers the longest
    wait for a limit.  beat: called between batches, prolongs the run's lease.  only: source keys; what waits for
    other records is left to other runs.
    """

    store: Store
    binding: Binding
    integration: Integration
    target: Connector
    clock: Clock
    run: str
    process: Process = field(default_factory=Process.this)
    claim: float = 300.0
    timeout: float = 30.0
    beat: Callable[[], None] = no_lease
    only: frozenset[str] = frozenset()

    @property
    def scope(self) -> str:
        return self.binding.scope

    def parent(self, resource: str, id: str, to: str) -> Parent:
        """The counterpart in this binding's target of a record of this binding's source."""
        return Parent(self.binding.source.key, resource, id, self.binding.target.key, to)

    def own(self, row: Row[Any]) -> Parent:
        """A ledger row's own place in the cross-reference."""
        return self.parent(row.source_resource, row.source_id, row.resource)

    def hangs_on(self, row: Row[Any]) -> list[Parent]:
        """The places of the records that a row's request refers to."""
        return [self.parent(of, id, to) for to, of, id in ledger.load(row.wanted_extra).get("links", {}).values()]

    def vendor_now(self) -> datetime:
        """The target's clock."""
        return self.target.now()

    def patient(self, until: datetime) -> bool:
        """Wait for an instant when it is near; False, at once, when it is too far away."""
        wait = (until - self.clock.now()).total_seconds()
        if wait > PATIENCE:
            return False
        self.clock.sleep(max(0.0, wait))
        return True

    def send_until(self) -> datetime:
        """Until when a batch claimed now may be sent."""
        return self.clock.now() + timedelta(seconds=self.claim)
