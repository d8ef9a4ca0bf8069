"""Asking the target what became of an attempt, and weighing an answer that came after a lost one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crosswalk.connectors.base import Found, Item, Result
from crosswalk.connectors.facts import Key, LookUp, Operation
from crosswalk.delivery import settle
from crosswalk.delivery.compare import shows
from crosswalk.delivery.context import Delivery
from crosswalk.store import ledger
from crosswalk.store.batches import Attempt

NEW_ATTEMPT = ("alone", "retry")
"""Outcomes after which another attempt is made."""


def members(attempt: Attempt) -> list[Item]:
    """The members of an attempt as the connector knows them."""
    return [Item(f"{m.key}#{m.part}", m.marker, ledger.load(m.payload), m.target_id or None) for m in attempt.members]


def can_ask(facts: Operation) -> bool:
    """Whether a look-up tells what became of such a write."""
    return isinstance(facts.repeat, LookUp) or (isinstance(facts.repeat, Key) and facts.repeat.lookup)


def ask(delivery: Delivery, resource: str, operation: str, items: Sequence[Item]) -> list[Found | None]:
    """What the target holds for each of these now. An update was applied when the record shows all that was sent."""
    if operation != "update":
        return delivery.target.look_up(resource, operation, items)
    now = delivery.target.current(resource, [i.target_id for i in items if i.target_id])
    found = [now.get(i.target_id or "") for i in items]
    return [
        replace(there, carries_marker=True, applied=shows(item.payload, there.echo)) if there is not None else None
        for item, there in zip(items, found, strict=True)
    ]


def weigh(
    delivery: Delivery, attempt: Attempt, facts: Operation, answers: Sequence[Result], *, repeated: bool
) -> settle.Settled:
    """Settle what an answer says of each member.

    repeated: an earlier send may have been carried out, and then a refusal may only say so: the record exists, is paid,
    its name is taken. Whatever was not applied is looked up first. A refusal of what is not there stands; what would be
    sent anew stays in doubt until absence is proven.
    """
    said = {r.item: r for r in answers if not attempt.members[r.item].outcome}
    suspects = [n for n, r in said.items() if r.outcome not in ("applied", "doubt")]
    if not repeated or not suspects or not can_ask(facts):
        return settle.results(delivery, attempt, said)
    batch, items = attempt.batch, members(attempt)
    found = ask(delivery, batch.resource, batch.operation, [items[n] for n in suspects])
    done = {}
    for n, there in zip(suspects, found, strict=True):
        if there is not None and there.applied and there.carries_marker:
            done[n] = settle.found(attempt, attempt.members[n], there)
            del said[n]
        elif said[n].outcome in NEW_ATTEMPT:
            del said[n]
    if not done:
        return settle.results(delivery, attempt, said)
    known = settle.results(delivery, attempt, done, looked_up=True)
    rest = settle.results(delivery, attempt, said) if known.open else settle.Settled()
    return settle.Settled(
        known.applied + rest.applied, known.held + rest.held, known.again + rest.again, rest.open if known.open else 0
    )
