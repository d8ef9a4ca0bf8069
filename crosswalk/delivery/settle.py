"""Settling: what a target's answer means for every member of an attempt, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection, Row, select

from crosswalk.connectors.base import Found, Result
from crosswalk.connectors.facts import Key, LookUp
from crosswalk.delivery.compare import foreign
from crosswalk.delivery.context import Delivery, changeable
from crosswalk.errors import Unbalanced
from crosswalk.http import redact
from crosswalk.store import batches, held, ledger, links
from crosswalk.store.batches import Attempt
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name
from crosswalk.store.tables import RECORD

FATE = {"create": "created", "update": "updated", "remove": "deleted"}
LONGEST_BACKOFF = 3600.0
CONFLICTS = 2
"""How often a record whose reference is taken is looked up; after that a person has to look."""


@dataclass(frozen=True)
class Settled:
    """How many members ended how."""

    applied: int = 0
    held: int = 0
    again: int = 0
    open: int = 0


def results(delivery: Delivery, attempt: Attempt, answers: Mapping[int, Result], *, looked_up: bool = False) -> Settled:
    """Write the results of some or all members by their position. What is in doubt stays open.

    looked_up: the results are not answers to what was sent; a record that was found may show other values.

    Raises Fenced, and writes nothing, when another process has taken the attempt over.
    """
    settling = _Settling(delivery, attempt, looked_up)
    with delivery.store.transaction("settle") as connection:
        members = batches.mine(connection, attempt.batch.id, delivery.process)
        settling.open = len([m for m in members if not m.outcome])
        settling.rows = _rows(connection, delivery.scope, attempt)
        for position, result in sorted(answers.items()):
            settling.one(connection, members[position], result)
        settling.prove(answers)
        held.put(connection, delivery.store, delivery.scope, delivery.run, settling.holds, delivery.clock.now())
        batches.resolve(connection, attempt.batch.id, settling.outcomes)
    return settling.counts()


def unsent(delivery: Delivery, attempt: Attempt) -> None:
    """Nothing of an attempt was carried out: its records are pending as before, and it was no failure of theirs."""
    with delivery.store.transaction("settle") as connection:
        members = batches.mine(connection, attempt.batch.id, delivery.process)
        ledger.mark(connection, delivery.scope, [Name(m.key, m.part) for m in members], batch="")
        batches.resolve(connection, attempt.batch.id, {m.position: "absent" for m in members})


def found(attempt: Attempt, member: Row[Any], there: Found | None) -> Result:
    """What a look-up says about a member whose answer was lost: it was applied, it never was, or it is not ours."""
    position = int(member.position)
    if there is None or not there.applied:
        return Result(position, "retry", message="the target does not hold it")
    if not there.carries_marker:
        return Result(
            position, "refused", there.target_id,
            message="the target has a record where ours would be, and it does not carry our reference",
        )  # fmt: skip
    return Result(position, "applied", there.target_id, there.target_version, echo=there.echo)


def _rows(connection: Connection, scope: str, attempt: Attempt) -> dict[Name, Row[Any]]:
    names = [Name(m.key, m.part) for m in attempt.members]
    rows: dict[Name, Row[Any]] = {}
    for some in ledger.chunked(names, 400):
        for row in connection.execute(select(RECORD).where(ledger.named(scope, some))):
            rows[Name(row.key, row.part)] = row
    return rows


class _Settling:
    def __init__(self, delivery: Delivery, attempt: Attempt, looked_up: bool) -> None:
        self.delivery = delivery
        self.looked_up = looked_up
        self.attempt = attempt
        self.now = delivery.clock.now()
        self.rows: dict[Name, Row[Any]] = {}
        self.outcomes: dict[int, str] = {}
        self.open = 0
        self.holds: list[Hold] = []

    def counts(self) -> Settled:
        ended = list(self.outcomes.values())
        return Settled(
            applied=ended.count("applied"),
            held=ended.count("refused"),
            again=ended.count("absent"),
            open=self.open - len(ended),
        )

    def one(self, connection: Connection, member: Row[Any], result: Result) -> None:
        if member.outcome:
            return
        row = self.rows[Name(member.key, member.part)]
        if result.outcome == "doubt" or self._unnamed(result):
            return
        result = replace(result, message=redact.text(result.message))  # a vendor's words may show what was sent
        if result.outcome == "applied":
            self._applied(connection, member, row, result)
        elif result.outcome == "taken" and not row.alternative and ledger.load(row.wanted_extra).get("alternatives"):
            self._again(connection, member, row, alternative=True, tries=0)
        elif result.outcome == "conflict" and row.tries < CONFLICTS:
            # Our own reference is there already: look at what carries it before anything is made again.
            self._again(connection, member, row, look_first=True, last_error=ledger.clean(result.message))
        elif result.outcome == "retry":
            self._again(connection, member, row, last_error=ledger.clean(result.message))
        elif result.outcome == "gone" and not row.tries and self._broken(connection, row):
            # What is gone is found out before the next attempt, and repaired by our reference where it can be.
            self._again(connection, member, row, last_error=ledger.clean(result.message))
        elif result.outcome == "alone" and not row.alone:
            self._again(connection, member, row, alone=True)
        else:
            self._refused(connection, member, row, result)

    def prove(self, answers: Mapping[int, Result]) -> None:
        """Nothing counts as applied that the target did not apply. Raises Unbalanced, and then nothing is written."""
        for position, outcome in self.outcomes.items():
            if outcome == "applied" and answers[position].outcome != "applied":
                raise Unbalanced(
                    f"the target answered {answers[position].outcome!r}, and it was to be settled as applied",
                    record=self.attempt.members[position].key,
                    safe="the attempt is open as it was; the next run asks the target about it",
                    next_command="report it: an answer is settled as something else",
                )

    def _unnamed(self, result: Result) -> bool:
        """Whether a record is said to be made whose id nobody knows, at a target that can be asked for it."""
        batch = self.attempt.batch
        if result.outcome != "applied" or result.target_id or batch.operation != "create":
            return False
        repeat = self.delivery.target.operation(batch.resource, batch.operation).repeat
        return isinstance(repeat, LookUp) or (isinstance(repeat, Key) and repeat.lookup)

    def _broken(self, connection: Connection, row: Row[Any]) -> bool:
        """Mark the links on which a request depended whose record, or whose parent, the target says is gone."""
        own = [self.delivery.own(row)] if row.target_id else []
        return links.break_(connection, own + self.delivery.hangs_on(row)) > 0

    def _applied(self, connection: Connection, member: Row[Any], row: Row[Any], result: Result) -> None:
        target_id = result.target_id or member.target_id or row.target_id
        operation = self.attempt.batch.operation
        scope = self.delivery.scope
        if target_id and operation == "create" and self._claimed(connection, row, target_id):
            message = f"the target's record {target_id} belongs to another record of the source"
            self._refused(connection, member, row, Result(result.item, "refused", message=message))
            return
        ledger.mark(
            connection, scope, [Name(member.key, member.part)],
            batch="", applied_hash=member.payload_hash, applied_payload=member.payload,
            applied_version=member.version, applied_digest=member.digest, target_id=target_id,
            target_version=result.target_version or "", tries=0, next_try_at=None, last_error="", alone=False,
            look_first=False, fate=FATE[operation], changed_at=self.now,
        )  # fmt: skip
        self.outcomes[member.position] = "applied"
        if target_id and operation == "create":
            parent = self.delivery.parent(row.source_resource, row.source_id, row.resource)
            made_by = self.delivery.binding.name
            # One that was found may be older than this attempt, and then something unknown to us may hang on it.
            links.commit(connection, parent, target_id, made_by, self.now, adopted=self.looked_up)
            if self.looked_up and self._differs(connection, member, row, result):
                return
        for field, wanted in ledger.load(member.expects).items():
            if field in result.echo and not _equal(wanted, result.echo[field]):
                self._hold(
                    connection,
                    member,
                    f"the target shows {field} {result.echo[field]}, and it should be {wanted}",
                    field,
                )

    def _differs(self, connection: Connection, member: Row[Any], row: Row[Any], result: Result) -> bool:
        """Whether a record that was found shows other values than were sent: then those are still to be written."""
        differs = foreign(ledger.load(member.payload), result.echo)
        if differs and changeable(self.delivery, row.resource):
            name = Name(member.key, member.part)
            ledger.mark(connection, self.delivery.scope, [name], applied_hash=ledger.FOUND, target_version="")
        elif differs:
            message = f"the target's record {result.target_id} carries our reference and shows other values"
            self._hold(connection, member, f"{message}: {', '.join(differs)}", "")
        return bool(differs)

    def _claimed(self, connection: Connection, row: Row[Any], target_id: str) -> bool:
        target = self.delivery.binding.target.key
        owner = links.claimed(connection, target, row.resource, [target_id]).get(target_id)
        return owner is not None and owner != self.delivery.parent(row.source_resource, row.source_id, row.resource)

    def _again(self, connection: Connection, member: Row[Any], row: Row[Any], **values: Any) -> None:
        """Proven absent: the next attempt may be made."""
        if "tries" not in values and "alone" not in values:
            tries = row.tries + 1
            wait = min(LONGEST_BACKOFF, 2.0 ** min(tries, 12))
            values |= {"tries": tries, "next_try_at": self.now + timedelta(seconds=wait if tries > 1 else 0)}
            values |= {"alone": True} if tries >= ledger.STUBBORN else {}
        ledger.mark(connection, self.delivery.scope, [Name(member.key, member.part)], batch="", **values)
        self.outcomes[member.position] = "absent"

    def _refused(self, connection: Connection, member: Row[Any], row: Row[Any], result: Result) -> None:
        self.outcomes[member.position] = "refused"
        ledger.mark(connection, self.delivery.scope, [Name(member.key, member.part)], batch="")
        # A newer version that arrived meanwhile is not what was refused: it gets its own attempt.
        if row.wanted_hash == member.payload_hash:
            self._hold(connection, member, result.message or "the target refused it", result.field)

    def _hold(self, connection: Connection, member: Row[Any], reason: str, field: str) -> None:
        because = f"refused:{member.payload_hash}"
        ledger.mark(
            connection, self.delivery.scope, [Name(member.key, member.part)],
            held=ledger.clean(reason), held_because=because, fate="held", changed_at=self.now,
        )  # fmt: skip
        self.holds.append(
            Hold(member.key, member.part, "load", "the target's answer", field, reason, version=member.version)
        )


def _equal(wanted: Any, shown: Any) -> bool:
    try:
        return Decimal(str(wanted)) == Decimal(str(shown))
    except InvalidOperation:
        return str(wanted) == str(shown)
