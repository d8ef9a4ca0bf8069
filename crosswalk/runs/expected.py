"""What the source, read afresh, says that the target must hold. Nothing is written and the ledger is not asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crosswalk.connectors.base import Window
from crosswalk.connectors.facts import Measure
from crosswalk.delivery.plan import Chunk
from crosswalk.delivery.wanted import gather, leftovers
from crosswalk.errors import Invalid
from crosswalk.frames.payload import payloads
from crosswalk.mapping.language import Mapping
from crosswalk.mapping.outcome import Outcome
from crosswalk.mapping.stated import stated
from crosswalk.runs.extract import Raw
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated, outcomes, validate
from crosswalk.store import ledger
from crosswalk.store.corrections import DISMISSED
from crosswalk.store.ledger import Name

WANTED, REMOVED, HELD, SKIPPED = "wanted", "removed", "held", "skipped"
MARGIN = timedelta(days=2)
"""A record changes last when its newest part comes to be, or later; zones shift a day by less than this."""


@dataclass
class Part:
    """One target record that the source yields, or a part of it that is held or left out.

    rule: the rule that decided where it is not wanted.  money: the source's own, None where it says none.
    taxes: the same by tax code, as far as the mapping placed it.  digest: of the rules and tables in force.
    """

    name: Name
    resource: str
    version: str
    fate: str
    day: date
    currency: str
    money: Decimal | None = None
    taxes: dict[str, Decimal] = field(default_factory=dict)
    rule: str = ""
    marker: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    alternatives: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def measures(session: Session) -> dict[str, Measure]:
    """How each target resource of the integration is measured; one that cannot be listed is left out."""
    found: dict[str, Measure] = {}
    for mapping in session.integration.parts:
        if session.integration.to_database:
            found[mapping.target.name] = of_table(session, mapping)
            continue
        measure = session.target.system.resource(mapping.target.name).measure
        if measure is not None:
            found[mapping.target.name] = measure
    return found


def of_table(session: Session, mapping: Mapping) -> Measure:
    """The source's own measure, in the columns that its fields are copied to."""
    from crosswalk.mapping.verbs.basic import Copy

    of = session.source.system.resource(session.resource).measure or Measure()
    places = {r.verb.column: r.target for r in mapping.built.rules if isinstance(r.verb, Copy)}
    day, money, currency = (places.get(one, "") for one in (of.date, of.money, of.currency))
    return Measure(day, money, currency, own=True)


def read(session: Session, first: date, past: date, count: Callable[[int], None]) -> dict[Name, Part]:
    """The parts of a stretch of days, newest version each. count: told how many records each page held."""
    zone = ZoneInfo(session.binding.source.zone)
    since = datetime.combine(first, time(), zone) - MARGIN
    start = session.binding.start
    if start is not None and start > since:
        since = start
    window = Window(since, session.source.now())

    def pages() -> Iterator[list[bytes]]:
        for page in session.source.read(session.resource, window):
            count(len(page.records))
            yield page.records

    found = yielded(session, pages())
    return {name: part for name, part in found.items() if first <= part.day < past}


def fetched(session: Session, keys: list[str]) -> dict[Name, Part]:
    """The parts of these records, read afresh, of whatever day."""
    return yielded(session, (_fetch(session, list(some)) for some in ledger.chunked(keys, 100)))


def _fetch(session: Session, keys: list[str]) -> list[bytes]:
    """What the source knows of these; a key that it cannot even read is not known."""
    try:
        return session.source.fetch(session.resource, keys)
    except Invalid:
        if len(keys) == 1:
            return []
    return [raw for key in keys for raw in _fetch(session, [key])]


def yielded(session: Session, pages: Iterable[list[bytes]]) -> dict[Name, Part]:
    """What the mappings make of raw records, by name, newest version each."""
    found: dict[Name, Part] = {}
    measured, digests = measures(session), session.digests()
    for records in pages:
        if not records:
            continue
        for part in _parts(session, validate(session, Raw(records, False)), measured, digests):
            if session.corrections.dismissed(part.name):
                part.fate, part.rule = SKIPPED, DISMISSED
            old = found.get(part.name)
            if old is None or old.version <= part.version:
                found[part.name] = part
    return found


def _parts(
    session: Session, validated: Validated, measured: dict[str, Measure], digests: Dict[str, str]
) -> Iterator[Part]:
    first = session.integration.parts[0].target.name
    for hold in validated.held:
        yield _part(session, Name(hold.key, hold.part), first, hold.version, HELD, Measure(), {}, rule=hold.rule)
    for rank, (mapping, outcome) in enumerate(outcomes(session, validated)):
        measure = measured.get(mapping.target.name)
        if measure is None:
            continue
        fields = [f for f in (measure.date, measure.money, measure.currency) if f]
        values = stated(mapping, validated.frame, session.context, fields)
        chunk = Chunk()
        digest = digests[mapping.title]
        if session.integration.to_database:
            leftovers(chunk, mapping, rank, outcome, digest, None, validated.versions)
            yield from _rows(session, outcome, measure, values)
        else:
            gather(chunk, mapping, rank, outcome, digest, None, validated.versions)
        yield from _gathered(session, mapping.target.name, chunk, measure, values)


Values = dict[tuple[str, str], dict[str, Any]]


def _gathered(session: Session, resource: str, chunk: Chunk, measure: Measure, values: Values) -> Iterator[Part]:
    for one in chunk.wanted:
        fate, payload = (REMOVED, {}) if one.remove else (WANTED, ledger.load(one.payload))
        part = _part(session, one.name, resource, one.version, fate, measure, values, payload=payload)
        part.rule = one.rule if one.remove else ""
        part.marker, part.alternatives, part.digest = one.marker, one.alternatives, one.digest
        yield part
    for hold in chunk.held:
        name = Name(hold.key, hold.part)
        yield _part(session, name, resource, hold.version, HELD, measure, values, rule=hold.rule)
    for skip in chunk.skipped:
        yield _part(session, skip.name, resource, skip.version, SKIPPED, measure, values, rule=skip.rule)


def _rows(session: Session, outcome: Outcome, measure: Measure, values: Values) -> Iterator[Part]:
    columns = (outcome.keys, outcome.parts, outcome.versions, outcome.remove)
    rows = zip(*(c.to_pylist() for c in columns), payloads(outcome.frame), strict=True)
    for key, part, version, remove, payload in rows:
        name, fate = Name(key, part or ""), REMOVED if remove else WANTED
        yield _part(session, name, outcome.frame.record.name, version or "", fate, measure, values, payload=payload)


def _part(
    session: Session, name: Name, resource: str, version: str, fate: str, measure: Measure, values: Values, *,
    rule: str = "", payload: dict[str, Any] | None = None,
) -> Part:  # fmt: skip
    says = values.get((name.key, name.part), {})
    money = says.get(measure.money) if measure.money else None
    day = local_day(says.get(measure.date) if measure.date else None, session.binding.source.zone)
    part = Part(
        name, resource, version, fate, day or local_day(version, session.binding.source.zone) or date.min,
        str(says.get(measure.currency) or session.binding.source.currency), money, rule=rule, payload=payload or {},
    )  # fmt: skip
    part.taxes = by_tax(measure, part.payload, money)
    return part


def by_tax(measure: Measure, record: dict[str, Any], money: Decimal | None) -> dict[str, Decimal]:
    """The amount by tax code; what the lines do not explain stands under no code."""
    if money is None:
        return {"": Decimal(0)}
    split = measure.taxes(record) if measure.taxes is not None and record else {}
    rest = money - sum(split.values(), Decimal(0))
    return {**split, "": rest} if rest or not split else split


def local_day(value: Any, zone: str) -> date | None:
    """The calendar day of a day, an instant or a version; None for what is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone)).date() if value.tzinfo else value.date()
    return value if isinstance(value, date) else None
