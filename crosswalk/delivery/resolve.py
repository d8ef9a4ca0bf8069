"""Resolving: an attempt whose outcome is unknown is applied or proven absent before the next one is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from crosswalk.connectors.base import Outcome, Result
from crosswalk.connectors.facts import Key, Never, Operation, Safe
from crosswalk.delivery import asking, send, settle
from crosswalk.delivery.context import Delivery
from crosswalk.errors import Transient
from crosswalk.http.answer import SAFE, until
from crosswalk.store import batches, ledger
from crosswalk.store.batches import Attempt


@dataclass
class Resolved:
    """attempts: found open.  applied, absent, held: members.  open: members that are still in doubt, and why.

    away: the target is, and only the next probe will tell.
    """

    attempts: int = 0
    applied: int = 0
    absent: int = 0
    held: int = 0
    open: int = 0
    why: str = ""
    away: bool = False

    def add(self, settled: settle.Settled) -> None:
        self.applied += settled.applied
        self.absent += settled.again
        self.held += settled.held


def resolve(delivery: Delivery, *, stubborn: bool = False) -> Resolved:
    """Resolve the open attempts of the binding that this process may touch, oldest first; the stubborn ones apart.

    It stops when the target is away: what is left is as much in doubt as before.
    """
    done = Resolved()
    for found in batches.open_attempts(delivery.store, delivery.scope):
        row = found.batch
        if (row.sends >= ledger.STUBBORN) != stubborn:
            continue
        if delivery.only and not any(m.key in delivery.only for m in found.members):
            continue
        done.attempts += 1
        if done.away:
            done.open += len(found.unresolved)
            continue
        if not batches.takeable(row, delivery.process, delivery.clock.now()):
            done.open += len(found.unresolved)
            done.why = f"another process may still be sending until {row.not_after}"
            continue
        attempt = batches.claim(delivery.store, row, delivery.process, _ended(delivery, row), delivery.send_until())
        if attempt is None:
            continue
        before = done.open
        try:
            _one(delivery, attempt, done)
        except Transient as error:
            done.open += len(attempt.unresolved)
            done.why, done.away = error.what, delivery.target.away() is not None
        if done.open > before:
            batches.let_go(delivery.store, attempt, delivery.process)
    return done


def _ended(delivery: Delivery, row: Row[Any]) -> datetime:
    """When the last send of an attempt was over at the latest."""
    if row.last_send_end is not None and row.owner in (delivery.process.token, ""):
        ended: datetime = row.last_send_end
        return ended
    # Its owner was killed or sleeps: its bytes left before now, or at the latest when its claim ended.
    now = delivery.clock.now()
    return min(now, (row.not_after or now) + timedelta(seconds=delivery.timeout))


def _one(delivery: Delivery, attempt: Attempt, done: Resolved) -> None:
    facts = delivery.target.operation(attempt.batch.resource, attempt.batch.operation)
    if _repeatable(delivery, attempt, facts):
        rests = _rests_until(attempt)
        if delivery.clock.now() < rests:
            done.open += len(attempt.unresolved)
            done.why = f"what the target failed on is sent again from {rests:%H:%M:%S} UTC on"
            return
        again = SAFE
        if not isinstance(facts.repeat, Safe):
            again = until(attempt.batch.key_until - timedelta(seconds=send.MARGIN))
        if attempt.batch.sends:
            again = replace(again, tries=1)  # it was tried as often as the client does
        settled = send.deliver(delivery, attempt, facts, again)
        done.add(settled)
        if not settled.open:
            return
        with delivery.store.reading() as connection:
            attempt = batches.read(connection, attempt.batch.id)
    if isinstance(facts.repeat, Never):
        _never(delivery, attempt, done)
        return
    look_up(delivery, attempt, facts, done)


def _rests_until(attempt: Attempt) -> datetime:
    """Until when an attempt that came to nothing several times is left alone: longer and longer, up to an hour."""
    batch = attempt.batch
    if batch.sends < ledger.STUBBORN:
        return datetime.min.replace(tzinfo=UTC)
    ended: datetime = batch.last_send_end
    return ended + timedelta(seconds=min(settle.LONGEST_BACKOFF, 15.0 * 2.0 ** min(batch.sends, 12)))


def _repeatable(delivery: Delivery, attempt: Attempt, facts: Operation) -> bool:
    """Whether the exact bytes may be sent again: they set absolute values, or the target still knows their key.

    An update of a financial record is looked at first: somebody may have changed it since.
    """
    if len(attempt.unresolved) != len(attempt.members) or (facts.money and facts.name == "update"):
        return False
    if isinstance(facts.repeat, Safe):
        return True
    if not isinstance(facts.repeat, Key) or attempt.batch.key_until is None:
        return False
    latest = attempt.batch.key_until - timedelta(seconds=send.MARGIN + delivery.timeout)
    return bool(delivery.vendor_now() < latest)


def look_up(delivery: Delivery, attempt: Attempt, facts: Operation, done: Resolved) -> None:
    """Ask the target by our own reference: what is there is settled at once. Absence counts only when the last send can
    no longer take effect, so it is asked again then."""
    proof = attempt.batch.last_send_end + timedelta(seconds=send.settles_after(facts))
    proven = delivery.clock.now() >= proof
    members = _looked(delivery, attempt, attempt.unresolved, done, proven=proven)
    if not members or proven:
        return
    if not delivery.patient(proof):
        done.open += len(members)
        done.why = f"absence is proof only from {proof} on"
        return
    _looked(delivery, attempt, members, done, proven=True)


def _looked(
    delivery: Delivery, attempt: Attempt, members: Sequence[Row[Any]], done: Resolved, *, proven: bool
) -> list[Row[Any]]:
    """Settle what a look-up shows; the members that are absent without proof are left."""
    items, batch = asking.members(attempt), attempt.batch
    found = asking.ask(delivery, batch.resource, batch.operation, [items[m.position] for m in members])
    results, absent = {}, []
    for member, there in zip(members, found, strict=True):
        if proven or (there is not None and there.applied):
            results[member.position] = settle.found(attempt, member, there)
        else:
            absent.append(member)
    if results:
        done.add(settle.results(delivery, attempt, results, looked_up=True))
    return absent


def _never(delivery: Delivery, attempt: Attempt, done: Resolved) -> None:
    outcome = delivery.integration.in_doubt
    for_all: Outcome = "retry" if outcome == "resend" else "refused"
    message = "its answer was lost, and the target cannot be asked whether it was done"
    results = {m.position: Result(m.position, for_all, message=message) for m in attempt.unresolved}
    done.add(settle.results(delivery, attempt, results))
