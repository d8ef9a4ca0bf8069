"""Calendar days and instants. A zone is always named: the context's, or the verb's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.context import known_zone
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.verb import Made, Operand, Verb, refuse, verb, without
from crosswalk.mapping.zones import instants_of, local_times
from crosswalk.schemas.base import DATE, INSTANT, TEXT, Type

LOCAL = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"
DAY = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class LocalDate(Verb):
    """The calendar day of an instant in a zone (the account's by default); a day stays as it is.

    zone: IANA name; DST and past changes of the zone are honoured.
    """

    operand: Operand
    zone: str = ""

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if self.zone:
            known_zone(self.zone)
        kind = verb(self.operand).type(shape)
        if kind.arrow not in (INSTANT.arrow, DATE.arrow):
            raise MappingError(f"{verb(self.operand).words()} is {kind.name}; LocalDate needs an instant or a day.")
        return DATE

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        if made.values.type == DATE.arrow:
            return made
        return made.then(local_times(made.values, self.zone or scope.context.zone).cast(pa.date32()))

    def words(self) -> str:
        return f"the calendar day of {verb(self.operand).inside()} in {self.zone or 'the account’s zone'}"


@dataclass(frozen=True)
class Instant(Verb):
    """A local date and time without a zone, as text or a day (its midnight), as an instant; an instant stays.

    zone: where the clock hangs that showed it, the account's zone by default. twice: what an hour that the clock shows
    twice means. A time that the clock never shows is refused, like text that is no date and time.
    """

    operand: Operand
    zone: str = ""
    twice: Literal["hold", "earliest", "latest"] = "hold"

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if self.zone:
            known_zone(self.zone)
        kind = verb(self.operand).type(shape)
        if kind.arrow not in (INSTANT.arrow, DATE.arrow, TEXT.arrow):
            raise MappingError(f"{verb(self.operand).words()} is {kind.name}; Instant needs text, a day or an instant.")
        return INSTANT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        if made.values.type == INSTANT.arrow:
            return made
        if made.values.type == DATE.arrow:
            return self._assume(made, made.values.cast(pa.timestamp("us")), scope)
        shaped = pc.match_substring_regex(made.values, f"{LOCAL}|{DAY}")
        plain = without(made.values, pc.invert(shaped))
        good = pc.fill_null(_calendar(plain), False)
        wrong = refuse(pc.and_not(pc.is_valid(made.values), good), "not a date and time without a zone", made.values)
        local = pc.if_else(good, plain, pa.scalar(None, pa.string())).cast(pa.timestamp("us"))
        return self._assume(made.then(local, *wrong), local, scope)

    def _assume(self, made: Made, local: pa.Array, scope: Scope) -> Made:
        zone = self.zone or scope.context.zone
        first, last, never = instants_of(local, zone)
        refusals = refuse(never, f"the clock in {zone} never shows this", local)
        if self.twice == "hold":
            twice = pc.and_not(pc.not_equal(first, last), never)
            refusals += refuse(twice, f"the clock in {zone} shows this twice", local)
        chosen = last if self.twice == "latest" else first
        return made.then(chosen.cast(INSTANT.arrow), *refusals)

    def words(self) -> str:
        return f"{verb(self.operand).inside()} as an instant, read in {self.zone or 'the account’s zone'}"


def _calendar(text: pa.Array) -> pa.Array:
    """Whether text in ISO form names a day and a time that exist."""
    days = pc.utf8_slice_codeunits(text, 8, 10)
    month = pc.utf8_slice_codeunits(text, 5, 7)
    year = pc.utf8_slice_codeunits(text, 0, 4).cast(pa.int64())
    leap = pc.and_(
        pc.equal(pc.subtract(year, pc.multiply(pc.divide(year, 4), 4)), 0),
        pc.or_(
            pc.not_equal(pc.subtract(year, pc.multiply(pc.divide(year, 100), 100)), 0),
            pc.equal(pc.subtract(year, pc.multiply(pc.divide(year, 400), 400)), 0),
        ),
    )
    months = pa.array([f"{m:02}" for m in range(1, 13)])
    lengths = pa.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    length = lengths.take(pc.index_in(month, value_set=months, skip_nulls=True))
    length = pc.if_else(pc.and_(leap, pc.equal(month, "02")), 29, length)
    time = pc.or_(
        pc.equal(pc.utf8_length(text), 10),
        pc.match_substring_regex(
            pc.utf8_slice_codeunits(text, 11), r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$"
        ),
    )
    day = days.cast(pa.int64())
    return pc.and_(pc.and_(pc.greater_equal(day, 1), pc.less_equal(day, length)), time)
