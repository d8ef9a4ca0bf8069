"""Errands of events in a run: which ones it serves, in the transaction of their effect; and what no event told of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from crosswalk.store import inbox, inbox_look
from crosswalk.store.engine import Store

if TYPE_CHECKING:
    from crosswalk.runs.session import Session
    from crosswalk.runs.transform import Validated


def asked(store: Store, scope: str, resource: str, ids: Sequence[str]) -> dict[str, int]:
    """The open errands among these ids, with the number of the event that a fetch from now on serves."""
    return inbox.asked(store, scope, resource, ids) if ids else {}


def serve(session: Session, connection: Connection, validated: Validated, now: datetime) -> None:
    """Inside the transaction that writes what a chunk yields, note that its errands are served."""
    if not session.errands:
        return
    here = {key: session.errands[key] for key in validated.keys if key in session.errands}
    inbox.serve(connection, session.scope, session.resource, here, session.run, now)
    session.worked.update(here)  # again after a transaction that was undone: the same
    if validated.last:
        # Asked for by id and not there: the source no longer has it. What that means is not for an event to decide.
        gone = {key: number for key, number in session.errands.items() if key not in session.worked}
        inbox.serve(connection, session.scope, session.resource, gone, session.run, now, outcome="gone")


def missed(session: Session, validated: Validated) -> None:
    """Note the records that changed since the last poll and that no event told of; none where none are expected.

    The poll reads some of the past again; only what changed after the cursor's old place counts.
    """
    source = session.binding.source
    if source.webhooks is None or not session.incremental or not session.polled_from:
        return
    facts = session.source.system.resource(session.resource)
    if not facts.record.version:
        return
    keys = validated.frame[facts.record.key].to_pylist()
    changed: dict[str, datetime] = {}
    for key, version in zip(keys, validated.versions, strict=True):
        at = _instant(version)
        if at is not None and at >= session.polled_from:
            changed[key] = at
    session.missed.update(inbox_look.unannounced(session.store, source.key, session.resource, changed))


def _instant(version: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(version)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
