"""Reconciling: both systems read afresh for a stretch of days and compared key by key. Nothing is written to either."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from crosswalk.connectors.base import Found
from crosswalk.connectors.facts import Measure
from crosswalk.connectors.wire import at, instant
from crosswalk.delivery.compare import alike, foreign
from crosswalk.http.journal import tagged
from crosswalk.http.urgency import BACKFILL, urgent
from crosswalk.runs import balance, expected
from crosswalk.runs.balance import Balance, Difference, Step
from crosswalk.runs.causes import Causes
from crosswalk.runs.expected import HELD, WANTED, Part
from crosswalk.runs.session import Session
from crosswalk.store import links
from crosswalk.store.corrections import DISMISSED
from crosswalk.store.ledger import Name


@dataclass(frozen=True)
class There:
    """A living target record, measured."""

    found: Found
    day: date
    currency: str
    money: Decimal | None
    taxes: dict[str, Decimal]


@dataclass
class _Side:
    """What the target holds of one resource. gone: voided, deleted or archived, by id."""

    living: dict[str, There] = field(default_factory=dict)
    gone: dict[str, Found] = field(default_factory=dict)


def reconcile(session: Session, first: date, past: date, by: Step = "month") -> Balance:
    """Compare source and target from ``first`` to the day before ``past``, days of the source's calendar.

    The session need not have begun; no lease is taken and runs may go on meanwhile. Raises what the systems answer.
    """
    found = Balance(session.binding.name, first, past, by)
    with urgent(BACKFILL), tagged(run=session.run):
        if session.integration.to_database:
            from crosswalk.runs.reconcile_tables import compare

            compare(session, found)
        else:
            _compare(session, found)
    found.differences.sort(key=lambda d: (d.cause, d.resource, d.key, d.part, d.target_id))
    return found


def _compare(session: Session, found: Balance) -> None:
    measures = expected.measures(session)
    targets = dict.fromkeys(m.target.name for m in session.integration.parts)
    found.unread = tuple(name for name in targets if name not in measures)
    parts = expected.read(session, found.first, found.past, lambda n: _count(found, n))
    for resource, measure in measures.items():
        wants = {n: p for n, p in parts.items() if p.resource == resource}
        _Resource(session, found, resource, measure, wants).compare()


def _count(found: Balance, records: int) -> None:
    found.read += records


class _Resource:
    """One target resource, compared."""

    def __init__(
        self, session: Session, found: Balance, resource: str, measure: Measure, parts: dict[Name, Part]
    ) -> None:
        self.session, self.found, self.resource, self.measure, self.parts = session, found, resource, measure, parts
        self.marker = session.target.operation(resource, "create").marker
        self.causes = Causes(session)

    def compare(self) -> None:
        side = self._side()
        pairs = self._by_marker(side)
        left = {i: t for i, t in side.living.items() if i not in {p.found.target_id for p in pairs.values()}}
        claims = self._claims(left)
        for target_id, name in claims.items():
            if name in self.parts and name not in pairs:
                pairs[name] = left.pop(target_id)
        strangers = {i: n for i, n in claims.items() if i in left}
        self._settle(pairs, side)
        self._unexpected({i: left.pop(i) for i in strangers}, strangers)
        self._foreign(left)

    def _side(self) -> _Side:
        side = _Side()
        for one in self.session.target.standing(self.resource, self.found.first, self.found.past):
            if one.gone:
                side.gone[one.target_id] = one
            else:
                side.living[one.target_id] = self._measured(one)
        return side

    def _measured(self, one: Found) -> There:
        measure, echo = self.measure, dict(one.echo)
        moment = instant(echo.get(measure.date)) if measure.date else None
        money = at(echo, measure.money) if measure.money else None
        amount = Decimal(str(money)) if money is not None else None
        currency = str((at(echo, measure.currency) if measure.currency else "") or self.session.binding.source.currency)
        day = moment.date() if moment is not None else self.found.first
        return There(one, day, currency, amount, expected.by_tax(measure, echo, amount))

    def _by_marker(self, side: _Side) -> dict[Name, There]:
        """What carries our reference, the first of several; the others are nobody's."""
        carried: dict[str, list[There]] = defaultdict(list)
        for there in side.living.values():
            carried[str(there.found.echo.get(self.marker) or "")].append(there)
        return {
            name: carried[part.marker][0]
            for name, part in self.parts.items()
            if part.marker and carried.get(part.marker)
        }

    def _claims(self, left: Iterable[str]) -> dict[str, Name]:
        """Which part of this binding's source the cross-reference says a target record is."""
        with self.session.store.reading() as connection:
            known = links.claimed(connection, self.session.binding.target.key, self.resource, list(left))
        self.others = {i for i, p in known.items() if not self._mine(p)}
        return {i: Name(*_split(p.source_id)) for i, p in known.items() if self._mine(p)}

    def _mine(self, parent: links.Parent) -> bool:
        return parent.source == self.session.binding.source.key and parent.source_resource == self.session.resource

    def _settle(self, pairs: dict[Name, There], side: _Side) -> None:
        """Every part that the source yields: delivered, held, left out, or a difference."""
        doubtful = [p for n, p in self.parts.items() if p.fate != WANTED or n not in pairs or self._fields(p, pairs[n])]
        self.causes.load([p.name for p in doubtful])
        self.causes.look(self.resource, [p.name for p in doubtful if p.name not in pairs and p.fate == WANTED])
        for name, part in self.parts.items():
            self._one(part, pairs.get(name), side)

    def _one(self, part: Part, there: There | None, side: _Side) -> None:
        self._add("source", part)
        if part.fate == WANTED:
            fields = self._fields(part, there) if there is not None else []
            if there is not None and not fields:
                self._add("target", part)  # the same total, and the same code and amount in every line
            elif self.causes.held(part.name):
                self._add("held", part)
            elif there is not None:
                self._there(there, part)
                cause, detail = self.causes.differs(part, there.found, fields)
                self._differs(cause, detail, part, there)
            else:
                self._differs(*self.causes.missing(part, side.gone), part, None)
            return
        if part.fate == HELD or self.causes.held(part.name):
            self._add("held", part)
            return
        self._add("skipped", part)
        if there is not None and part.rule != DISMISSED:  # whoever dismissed it leaves there what stands
            self._there(there, part)
            cause, detail = self.causes.left_out(part)
            self._differs(cause, detail, part, there)

    def _fields(self, part: Part, there: There) -> list[str]:
        """Fields that the target shows otherwise; the second choice of a value that was taken is as good."""
        echo = there.found.echo
        taken = {f for f, v in part.alternatives.items() if alike(v, echo.get(f))}
        fields = [f for f in foreign(part.payload, echo) if f not in taken]
        if part.money is not None and part.money != there.money and self.measure.money not in fields:
            fields.append(self.measure.money)
        return fields

    def _unexpected(self, living: dict[str, There], names: dict[str, Name]) -> None:
        """Records of ours that the source did not yield for these days: their source is asked for each."""
        if not self.measure.date or not living:
            return
        fresh = expected.fetched(self.session, sorted({n.key for n in names.values()}))
        self.causes.load(list(names.values()))
        for target_id, there in living.items():
            self._there(there)
            name = names[target_id]
            part = fresh.get(name)
            if part is None:
                detail = "the source does not yield it any more"
                self._differs(balance.GONE, detail, _nameless(name, self.resource, there), there)
            elif part.fate != WANTED:
                self._differs(*self.causes.left_out(part), part, there)
            elif fields := self._fields(part, there):
                self._differs(*self.causes.differs(part, there.found, fields), part, there)
            else:
                self._add("source", part)

    def _foreign(self, left: dict[str, There]) -> None:
        """Living records that nothing of ours made."""
        prefix = self.session.binding.source.prefix
        shared = bool(self.session.binding.options.get("shared_target", False))
        for target_id, there in left.items():
            carried = str(there.found.echo.get(self.marker) or "")
            ours = bool(prefix) and carried.startswith(f"{prefix}-")
            if target_id in self.others or not (ours or (self.measure.own and not shared)):
                continue
            self._there(there)
            detail = f"carries {carried}" if carried else "carries no reference"
            if ours:
                detail += ", which begins as ours do, and nothing that we know of made it"
            self._differs(balance.FOREIGN, detail, _nameless(Name("", ""), self.resource, there), there)

    def _add(self, side: str, part: Part) -> None:
        self.found.add(side, part.resource, part.day, part.currency, part.taxes, part.rule)

    def _there(self, there: There, part: Part | None = None) -> None:
        """Count a target record; one without a day of its own in the period of its part."""
        day = there.day if self.measure.date or part is None else part.day
        self.found.add("target", self.resource, day, there.currency, there.taxes)

    def _differs(self, cause: str, detail: str, part: Part, there: There | None) -> None:
        target_id = there.found.target_id if there is not None else self.causes.target_id(part.name)
        self.found.differences.append(
            Difference(
                cause, self.resource, part.name.key, part.name.part, target_id, detail, part.day, part.currency,
                part.money, there.money if there is not None else None,
            )
        )  # fmt: skip


def _nameless(name: Name, resource: str, there: There) -> Part:
    return Part(name, resource, "", WANTED, there.day, there.currency)


def _split(source_id: str) -> Sequence[str]:
    key, _, part = source_id.partition("#")
    return key, part
