"""Reconciling a database: the source read afresh against the rows of its tables, key by key."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crosswalk.connectors.database import Database
from crosswalk.connectors.facts import Measure
from crosswalk.frames.payload import payloads
from crosswalk.runs import balance, expected
from crosswalk.runs.balance import Balance, Difference
from crosswalk.runs.causes import SHOWN, Causes, described
from crosswalk.runs.expected import HELD, REMOVED, SKIPPED, WANTED, Part
from crosswalk.runs.preview import flat
from crosswalk.runs.session import Session
from crosswalk.runs.tables import prepare
from crosswalk.schemas.base import Record
from crosswalk.store.corrections import DISMISSED
from crosswalk.store.ledger import Name, chunked

Row = dict[str, Any]


def compare(session: Session, found: Balance) -> None:
    """Add what a database's tables hold against what the source yields. Raises what the two answer."""

    def count(records: int) -> None:
        found.read += records

    parts = expected.read(session, found.first, found.past, count)
    measures = expected.measures(session)
    for mapping in session.integration.parts:
        mine = {name: part for name, part in parts.items() if part.resource == mapping.target.name}
        _Table(session, found, mapping.target, measures[mapping.target.name]).compare(mine)


class _Table:
    """One record's table, compared. Its rows are the ledger, so that a missing one tells no more than that."""

    def __init__(self, session: Session, found: Balance, record: Record, measure: Measure) -> None:
        self.session, self.found, self.record, self.measure = session, found, record, measure
        self.database: Database = session.target
        self.causes = Causes(session)
        self.zone = session.binding.source.zone
        prepare(session, record, dry_run=True)
        self.stands = self.database.standing(record)

    def compare(self, parts: dict[Name, Part]) -> None:
        rows = self._rows([name.key for name in parts])
        versions = self._listed()
        for name, part in parts.items():
            self._one(part, rows.get(name.key), versions.get(name.key, ""))
        extra = [key for key in versions if Name(str(key), "") not in parts]
        self._unexpected(extra, versions)

    def _rows(self, keys: list[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for some in chunked(keys) if self.stands else ():
            frame = self.database.read(self.record, list(some))
            found |= dict(zip(frame[self.record.key].to_pylist(), payloads(frame), strict=True))
        return found

    def _listed(self) -> dict[Any, str]:
        """The version of every row of the period, by key."""
        if not self.stands:
            return {}
        zone = ZoneInfo(self.zone)
        low, high = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (self.found.first, self.found.past))
        ends: tuple[Any, Any] = (low, high)
        if not self.measure.date:
            ends = (low.isoformat(timespec="microseconds"), high.isoformat(timespec="microseconds"))
        return dict(self.database.between(self.record, self.measure.date, *ends))

    def _one(self, part: Part, row: Row | None, version: str) -> None:
        self._add("source", part)
        held = part.fate == HELD or self.causes.held(part.name)
        fields = self._fields(part, row) if row is not None else []
        if part.fate == WANTED and row is not None and not fields:
            self._there(row)
        elif held:
            self._add("held", part)
        elif part.fate in (SKIPPED, REMOVED):
            self._add("skipped", part)
            if row is not None and part.rule != DISMISSED:
                self._there(row)
                self._differs(balance.LEFT_OUT, f"by the rule {part.rule!r}" if part.rule else "", part, row)
        elif row is None:
            cause = self._not_there(part)
            self._differs(*cause, part, None)
        else:
            self._there(row)
            self._differs(*self._changed(part, row, fields, version), part, row)

    def _fields(self, part: Part, row: Row) -> list[str]:
        wanted, shown = flat(part.payload), flat(row)
        return [f for f in sorted({*wanted, *shown}) if wanted.get(f) != shown.get(f)]

    def _not_there(self, part: Part) -> tuple[str, str]:
        late = self.causes.unread(part)
        if late is not None:
            return late
        return balance.NEVER, "its row is not there: it was never read, or somebody deleted it"

    def _changed(self, part: Part, row: Row, fields: list[str], version: str) -> tuple[str, str]:
        wanted, shown = flat(part.payload), flat(row)
        some = [described(self.causes.personal, part.resource, f, wanted.get(f), shown.get(f)) for f in fields[:SHOWN]]
        detail = "; ".join(some) + (f"; and {len(fields) - SHOWN} more" if len(fields) > SHOWN else "")
        if version and version < part.version:
            late = self.causes.unread(part)
            return (
                (late[0], f"{late[1]}: {detail}") if late is not None else (balance.NEVER, f"in this version: {detail}")
            )
        return balance.CHANGED, detail

    def _unexpected(self, keys: list[Any], versions: dict[Any, str]) -> None:
        """Rows of the period that the source did not yield: it is asked for each."""
        if not keys:
            return
        rows = self._rows(keys)
        fresh = expected.fetched(self.session, [str(key) for key in keys])
        for key in keys:
            row, part = rows.get(key), fresh.get(Name(str(key), ""))
            if row is None:
                continue
            self._there(row)
            if part is None:
                nameless = Part(Name(str(key), ""), self.record.name, "", WANTED, self._day(row), self._currency(row))
                self._differs(balance.FOREIGN, "the source does not know it, or not any more", nameless, row)
            elif part.fate == WANTED and not (fields := self._fields(part, row)):
                self._add("source", part)
            elif part.fate == WANTED:
                self._differs(*self._changed(part, row, fields, versions[key]), part, row)
            else:
                self._differs(balance.LEFT_OUT, f"by the rule {part.rule!r}" if part.rule else "", part, row)

    def _day(self, row: Row) -> date:
        return expected.local_day(row.get(self.measure.date), self.zone) or self.found.first

    def _currency(self, row: Row) -> str:
        return str(row.get(self.measure.currency) or self.session.binding.source.currency)

    def _money(self, row: Row) -> Decimal | None:
        value = row.get(self.measure.money)
        return Decimal(str(value)) if value is not None else None

    def _add(self, side: str, part: Part) -> None:
        self.found.add(side, part.resource, part.day, part.currency, part.taxes, part.rule)

    def _there(self, row: Row) -> None:
        taxes = expected.by_tax(self.measure, {}, self._money(row))
        self.found.add("target", self.record.name, self._day(row), self._currency(row), taxes)

    def _differs(self, cause: str, detail: str, part: Part, row: Row | None) -> None:
        self.found.differences.append(
            Difference(
                cause, self.record.name, part.name.key, part.name.part, "" if row is None else part.name.key, detail,
                part.day, part.currency, part.money, None if row is None else self._money(row),
            )
        )  # fmt: skip
