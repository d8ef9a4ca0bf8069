"""Sending: claim what is pending, freeze it, send it, settle the answer, until nothing more can be sent now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from crosswalk.connectors.base import Frozen, Item, Outcome, Result
from crosswalk.connectors.facts import Key, Never, Operation, Safe, Verb
from crosswalk.delivery import asking, match, prepare, settle
from crosswalk.delivery.context import Delivery
from crosswalk.delivery.prepare import Ready
from crosswalk.errors import (
    AccessDenied,
    BadCredentials,
    Fenced,
    Refused,
    Throttled,
    Transient,
    Unbalanced,
    Unreachable,
)
from crosswalk.frames.payload import render
from crosswalk.http.answer import ONCE, SAFE, Repeat, until
from crosswalk.store import batches, ledger
from crosswalk.store.batches import Attempt, Draft
from crosswalk.store.ledger import Name
from crosswalk.store.tables import RECORD

CANDIDATES = 500
MARGIN = 30.0
"""Seconds before a key's end at which it is no longer trusted."""


class Stale(Exception):
    """A record changed between being chosen and being frozen; it is chosen again."""


@dataclass
class Sent:
    """What a drain did. stopped: why the rest has to wait, empty when nothing is left that can be sent now.

    away: the target is, and only the next probe will tell.
    """

    batches: int = 0
    applied: int = 0
    held: int = 0
    doubt: int = 0
    stopped: str = ""
    next_try: datetime | None = None
    away: bool = False


def drain(delivery: Delivery) -> Sent:
    """Send everything that is pending and due. Transient trouble stops the drain and leaves the rest queued."""
    done = Sent()
    skip: list[str] = []
    chosen: Sequence[Row[Any]] = ()
    while True:
        with delivery.store.reading() as connection:
            rows = ledger.pending(connection, delivery.scope, delivery.clock.now(), CANDIDATES, skip, delivery.only)
        if not rows:
            return done
        _touched(chosen, rows)
        chosen, first = (), rows[0]
        verb = prepare.operation(first)
        rows = [
            r for r in rows
            if r.resource == first.resource and prepare.operation(r) == verb and stubborn(r) == stubborn(first)
        ]  # fmt: skip
        try:
            items = prepare.ready(delivery, rows, verb)
            if verb == "create":
                items = match.recognised(delivery, items)
            _send_all(delivery, first.resource, verb, items, done)
            chosen = rows
        except Stale:
            continue
        except Throttled as error:
            done.stopped = str(error.what)
            done.next_try = delivery.clock.now() + timedelta(seconds=error.wait)
            return done
        except (AccessDenied, BadCredentials):
            raise
        except Transient as error:
            done.stopped, done.away = str(error.what), delivery.target.away() is not None
            return done


def stubborn(row: Row[Any]) -> bool:
    """Whether the target failed on this record so often that it must not keep others waiting."""
    return bool(row.tries >= ledger.STUBBORN)


def _touched(chosen: Sequence[Row[Any]], rows: Sequence[Row[Any]]) -> None:
    """What was chosen and is as it was would be chosen for ever, and never sent. Raises Unbalanced."""
    before = {tuple(row) for row in chosen}
    lost = [str(row.key) for row in rows if tuple(row) in before]
    if lost:
        raise Unbalanced(
            f"{len(lost)} records were chosen to be sent, and were neither sent nor held nor parked",
            record=", ".join(lost[:5]),
            safe="they wait in the store; what was sent is known",
            next_command="report it: something between the ledger and the target loses records",
        )


def _send_all(delivery: Delivery, resource: str, verb: Verb, items: Sequence[Ready], done: Sent) -> None:
    if not items:
        return
    facts = delivery.target.operation(resource, verb)
    by_key = {r.item.key: r for r in items}
    alone = [[r.item] for r in items if r.row.alone]
    together = [r.item for r in items if not r.row.alone]
    groups = [*delivery.target.batches(resource, verb, together)] if together else []
    most = int(delivery.binding.options.get("batch") or facts.batch)
    groups = [list(some) for group in groups for some in ledger.chunked(group, most)]
    for group in [*groups, *alone]:
        delivery.beat()
        attempt = freeze(delivery, resource, verb, facts, [by_key[i.key] for i in group], group)
        again = repeat(delivery, attempt, facts)
        if any(stubborn(by_key[i.key].row) for i in group):
            again = replace(again, tries=1)
        outcome = deliver(delivery, attempt, facts, again, first=True)
        done.batches += 1
        done.applied += outcome.applied
        done.held += outcome.held
        done.doubt += outcome.open


def freeze(
    delivery: Delivery, resource: str, verb: Verb, facts: Operation, members: Sequence[Ready], items: Sequence[Item]
) -> Attempt:
    """Write the intent before the call. Raises Stale when a member is no longer what was chosen."""
    frozen = delivery.target.freeze(resource, verb, items)
    epoch = delivery.store.epoch()
    key_until = None
    if isinstance(facts.repeat, Key):
        key_until = delivery.vendor_now() + timedelta(seconds=facts.repeat.life)
    with delivery.store.transaction("freeze") as connection:
        names = [prepare.name(m.row) for m in members]
        query = select(RECORD).where(ledger.named(delivery.scope, names)).with_for_update()
        fresh = {Name(r.key, r.part): r for r in connection.execute(query)}
        for member in members:
            row = fresh.get(prepare.name(member.row))
            # Whoever sent it since has made another generation, even if the row looks as it did.
            if row is None or row.generation != member.row.generation:
                raise Stale
            if row.batch or row.held or row.wanted_hash != member.row.wanted_hash:
                raise Stale
        drafts = [
            Draft(
                prepare.name(m.row), m.row.generation + 1, m.row.wanted_hash, render(item.payload).decode(),
                m.row.wanted_version, m.row.wanted_digest, m.row.marker, m.row.target_id,
                ledger.dump(ledger.load(m.row.wanted_extra).get("expects", {})),
            )
            for m, item in zip(members, items, strict=True)
        ]  # fmt: skip
        batch = batches.freeze(
            connection, delivery.scope, resource, verb,
            (frozen.method, frozen.path, frozen.params, frozen.headers, frozen.body), drafts,
            key=batches.idempotency_key(epoch, delivery.scope, verb, drafts), process=delivery.process,
            now=delivery.clock.now(), key_until=key_until, not_after=delivery.send_until(),
        )  # fmt: skip
        return batches.read(connection, batch)


def repeat(delivery: Delivery, attempt: Attempt, facts: Operation) -> Repeat:
    """How often these bytes may be sent while the outcome is unknown."""
    if isinstance(facts.repeat, Safe):
        return SAFE
    if attempt.batch.key_until is not None:
        return until(attempt.batch.key_until - timedelta(seconds=MARGIN))
    return ONCE


def deliver(
    delivery: Delivery, attempt: Attempt, facts: Operation, again: Repeat, *, first: bool = False
) -> settle.Settled:
    """Send an attempt's bytes and settle what the answer says. In doubt it stays open, and the trouble is raised.

    The time to send is over when the claim is: a process that slept past it sends nothing. first: nothing was sent
    before, so that an attempt which was not let through is known not to have been carried out.
    """
    batch = attempt.batch
    left = (batch.not_after - delivery.clock.now()).total_seconds() - delivery.timeout
    try:
        answer = delivery.target.send(
            batch.resource, batch.operation, frozen(attempt), key=batch.key, repeat=again,
            not_after=delivery.clock.boot() + left,
        )  # fmt: skip
    except (AccessDenied, BadCredentials, Throttled, Unreachable):
        if first and not isinstance(facts.repeat, Safe):
            settle.unsent(delivery, attempt)
        else:
            _ended(delivery, attempt, facts)
        raise
    except Fenced as late:
        # Its own time ran out while it waited. Whoever claims the attempt next goes on.
        _ended(delivery, attempt, facts)
        raise Transient(late.what, safe=late.safe) from late
    except Refused as error:
        # The request as a whole was refused: nothing was done. One bad member must not hold the others.
        outcome: Outcome = "refused" if len(attempt.members) == 1 else "alone"
        message = f"{error.what}: {error.body[:300]}" if error.body else error.what
        answers = [Result(m.position, outcome, message=message) for m in attempt.members]
        return _weighed(delivery, attempt, facts, answers, repeated=not first)
    except Transient:
        _ended(delivery, attempt, facts)
        raise
    answers = delivery.target.read_answer(batch.resource, batch.operation, asking.members(attempt), answer)
    return _weighed(delivery, attempt, facts, answers, repeated=answer.repeated or not first)


def _weighed(
    delivery: Delivery, attempt: Attempt, facts: Operation, answers: Sequence[Result], *, repeated: bool
) -> settle.Settled:
    """Settle an answer; members that it leaves in doubt are looked up later."""
    settled = asking.weigh(delivery, attempt, facts, answers, repeated=repeated)
    if settled.open:
        _ended(delivery, attempt, facts)
    return settled


def _ended(delivery: Delivery, attempt: Attempt, facts: Operation) -> None:
    now = delivery.clock.now()
    with delivery.store.transaction("sent") as connection:
        batches.sent(connection, attempt.batch.id, delivery.process, now, now + timedelta(seconds=settles_after(facts)))


def settles_after(facts: Operation) -> float:
    """Seconds after the last send's end from when absence is proof."""
    if isinstance(facts.repeat, Safe | Never):
        return 0.0
    return facts.repeat.settles_after


def frozen(attempt: Attempt) -> Frozen:
    """The exact request of an attempt."""
    batch = attempt.batch
    return Frozen(
        batch.method,
        batch.path,
        tuple((str(k), str(v)) for k, v in json.loads(batch.params)),
        tuple((str(k), str(v)) for k, v in json.loads(batch.headers)),
        batch.body,
    )
