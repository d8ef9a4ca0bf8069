"""Draining: what waits for a binding's target is sent without reading anything, while runs and events go on.

No lease is taken: batches are claimed one by one, so that a drain and a run never send the same record twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from crosswalk.http.journal import tagged
from crosswalk.runs import loading
from crosswalk.runs.session import Session
from crosswalk.store import ledger
from crosswalk.store.ledger import Queue


@dataclass(frozen=True)
class Drained:
    """What a drain did. left: what still waits; stopped: why, empty when the queue is empty."""

    binding: str
    delivered: int
    held: int
    left: Queue
    stopped: str

    def line(self) -> str:
        """As a person reads it."""
        told = f"{self.binding}: {self.delivered:,} delivered" + (f", {self.held} held" if self.held else "")
        if not self.left.count:
            return f"{told}, nothing waits"
        since = f" since {self.left.since:%Y-%m-%d %H:%M} UTC" if self.left.since else ""
        return f"{told}, {self.left.count:,} wait{since}" + (f": {self.stopped}" if self.stopped else "")


def drain(session: Session) -> Drained | None:
    """Send what waits for a session's target, as fast as its limits allow; None when nothing waits.

    The session must not have begun. While the target is away nothing is sent but the probe when that is due. Raises
    AccessDenied and BadCredentials.
    """
    if session.integration.to_database or not loading.waits(session):
        return None
    with tagged(run=session.run):
        sent = loading.send_pending(session)
    left = ledger.queue(session.store, session.scope)
    return Drained(session.binding.name, session.delivered, sent.held, left, sent.stopped if left.count else "")
