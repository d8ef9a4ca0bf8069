"""Loading into an API target: commit the plan with its cursor, then send what can be sent."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from crosswalk.delivery import plan, remap, send
from crosswalk.delivery.plan import Chunk, Seen
from crosswalk.delivery.resolve import Resolved, resolve
from crosswalk.delivery.send import Sent
from crosswalk.errors import TooManyHeld, Unbalanced
from crosswalk.runs import errands
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated
from crosswalk.store import cursors, held, ledger
from crosswalk.store.cursors import Position

ROUNDS = 5


def commit(session: Session, validated: Validated, chunk: Chunk) -> None:
    """One transaction: the fence, the outcome of every part, the cursor. Raises Fenced, TooManyHeld.

    After a StoreError it may be called again for the same chunk.
    """
    store, now, seen, position = session.store, session.clock.now(), session.seen.fork(), session.position
    whole(session, validated, {n.key for n in chunk.names()})
    seen.record_all(validated.keys)
    with store.transaction("plan") as connection:
        assert session.lease is not None
        session.lease.check(connection)
        anew = session.request.remap
        holds = chunk.held if anew else remap.newly_held(connection, session.scope, chunk.held)
        held_now = held.new(connection, session.scope, session.run, holds)
        crossed = session.integration.thresholds.crossed(held_now, seen.distinct)
        kept = Chunk(held=chunk.held) if crossed else chunk
        plan.commit(connection, store, session.scope, session.run, kept, seen, now, remap=anew)
        planned(seen, kept)
        if anew and not crossed:
            remap.made(connection, session.scope, chunk)
        if not crossed:
            position = move_cursor(session, connection, validated, now)
            errands.serve(session, connection, validated, now)
    session.seen.join(seen)
    session.position = position
    if crossed:
        raise too_many(session, held_now)
    errands.missed(session, validated)


def whole(session: Session, validated: Validated, yielded: set[str]) -> None:
    """Every record yields at least one part, if only a skipped one. Raises Unbalanced."""
    if all(mapping.each for mapping in session.integration.parts):
        return  # a record without elements yields nothing
    lost = sorted(set(validated.keys) - yielded)
    if lost:
        raise Unbalanced(
            f"{len(lost)} records of the chunk yield nothing, neither a target record nor a reason",
            record=", ".join(lost[:5]),
            safe="the chunk was not written",
            next_command="report it: a mapping or a join loses rows",
        )


def planned(seen: Seen, chunk: Chunk) -> None:
    """Every part of a chunk has got its fate. Raises Unbalanced, and then the chunk is not written."""
    parts = len(set(chunk.names()))
    if len(seen.parts) != parts:
        raise Unbalanced(
            f"the chunk has {parts} parts, and {len(seen.parts)} were planned",
            safe="the chunk was not written",
            next_command="report it: the plan loses parts",
        )


def too_many(session: Session, held_now: int) -> TooManyHeld:
    """The held rows of this chunk are kept, its cursor is not moved, and nothing of it is sent."""
    return TooManyHeld(
        f"{held_now} of {session.seen.distinct} records had to be held, which is more than the integration allows",
        safe="the held rows are kept; the cursor stands before this chunk; nothing of it was sent",
        next_command=f"crosswalk held list {session.binding.name}",
    )


def move_cursor(session: Session, connection: Connection, validated: Validated, now: datetime) -> Position:
    """Inside a window the cursor moves only along a keyset; at its end to the window's upper bound.

    Returns where it stands once the transaction is committed.
    """
    if not session.incremental:
        return session.position
    until = session.window.until
    assert until is not None
    _joined(session)
    keyset = session.source.system.resource(session.resource).order == "keyset"
    value = None
    if validated.last:
        value = until
    elif keyset and validated.high:
        value = min(datetime.fromisoformat(validated.high), until)
    if value is None:
        return session.position
    return cursors.move(connection, session.scope, session.resource, session.position, value, now)


def _joined(session: Session) -> None:
    """The window was read as a whole and begins where the last one ended, before the cursor passes over it."""
    window, asked, position = session.window, session.asked, session.position.value
    gap = position is not None and window.since is not None and window.since > max(position, _start(session))
    if gap or (asked is not None and asked != window):
        raise Unbalanced(
            f"the cursor stands at {position} and would pass over {window.since} to {window.until}, but "
            + (f"{asked.since} to {asked.until} was read" if asked is not None else "nothing before that was read"),
            safe="the chunk was not written and the cursor was not moved",
            next_command="report it: a window is read in part only",
        )


def _start(session: Session) -> datetime:
    return session.binding.start or datetime.min.replace(tzinfo=UTC)


def send_pending(session: Session) -> Sent:
    """Resolve what is in doubt and send what is pending, a bounded number of times; the rest stays queued.

    Nothing is touched while the target is away. What the target fails on again and again comes last, so that it keeps
    nothing else waiting.
    """
    delivery = session.delivery
    sent = Sent()
    for _ in range(ROUNDS):
        away = delivery.target.away()
        if away is not None:
            sent.stopped, sent.away = away.what if waits(session) else "", True
            break
        before = resolve(delivery)
        part = send.drain(delivery) if not before.away else Sent(stopped=before.why, away=True)
        after = resolve(delivery, stubborn=True) if not part.stopped else Resolved()
        _add(session, sent, part, before, after)
        left = before.open or after.open
        if not left and not part.doubt and not part.stopped:
            break
        if part.away or after.away or not _again(session, part, bool(left)):
            break
    session.stopped = sent.stopped
    return sent


def _add(session: Session, sent: Sent, part: Sent, before: Resolved, after: Resolved) -> None:
    applied = part.applied + before.applied + after.applied
    sent.batches += part.batches
    sent.applied += applied
    session.delivered += applied
    sent.held += part.held + before.held + after.held
    sent.stopped, sent.next_try = part.stopped or before.why or after.why, part.next_try
    sent.away = part.away or after.away


def _again(session: Session, part: Sent, left: bool) -> bool:
    """Whether another round may help now: a lost answer can be resolved, a near wait can be waited for."""
    if part.next_try is not None:
        return session.delivery.patient(part.next_try)
    open_now = bool(part.doubt or part.stopped)
    return open_now and not left


def waits(session: Session) -> bool:
    """Whether anything waits to be sent or to be known to have been sent."""
    return ledger.queue(session.store, session.scope).count > 0


def full(session: Session) -> bool:
    """Whether so much waits to be sent that reading has to stop; the cursor stays."""
    return ledger.backlog(session.store, session.scope) >= session.integration.outbox_limit
