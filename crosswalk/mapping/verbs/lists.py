"""One value from a list of the record: a sum, a count, an element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import WIDE, coded, exact, fit, literal, scale
from crosswalk.mapping.verb import Condition, Made, Operand, Refusal, Verb, refuse, refused_rows, shown, verb
from crosswalk.mapping.verbs.arithmetic import numeric_type
from crosswalk.mapping.verbs.basic import decided, undecided
from crosswalk.schemas.base import INTEGER, Type, decimal


@dataclass(frozen=True)
class _Listed(Verb):
    """What the verbs over a list share: the elements that count, each with the position of its row."""

    def _value_shape(self, shape: Shape, path: str, of: Operand | None, where: Condition | None) -> tuple[Shape, Verb]:
        inner, rest = shape.into(path)
        if bool(rest) == (of is not None):
            raise MappingError(f"{path!r}: name a field of the list's elements, or the list and of=.")
        if where is not None:
            decided(where, inner)
        return inner, verb(of if of is not None else rest)

    def _elements(
        self, scope: Scope, path: str, where: Condition | None
    ) -> tuple[Scope, pa.Array, str, tuple[Refusal, ...]]:
        inner, positions, rest = scope.into(path)
        if where is None:
            return inner, positions, rest, ()
        made = where.make(inner, pa.bool_())
        refusals = tuple(r.lift(positions, len(scope)) for r in (*made.refusals, *undecided(made, where)))
        keep = pc.fill_null(made.values, False)
        return inner.filter(keep), positions.filter(keep), rest, refusals


@dataclass(frozen=True)
class Sum(_Listed):
    """The sum over a list of the record, exactly: ``Sum("lines.amount")`` or ``Sum("lines", of=Copy("a") * "b")``.

    Lists in lists are summed through: ``Sum("lines.taxLines.amount")``. where: only these elements. Elements without a
    value are passed over; none with a value makes it missing. A list without (such) elements makes ``empty``.
    """

    path: str
    of: Operand | None = None
    where: Condition | None = None
    empty: Any = None

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        inner, value = self._value_shape(shape, self.path, self.of, self.where)
        kind = decimal(WIDE, scale(numeric_type(value, inner).arrow))
        if self.empty is not None:
            literal(self.empty, kind.arrow)
        return kind

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        inner, positions, rest, refusals = self._elements(scope, self.path, self.where)
        made = verb(self.of if self.of is not None else rest).make(inner)
        result, at = _summed(made.values, positions, pa.array(np.arange(len(scope))))
        all_refusals = (*refusals, *(r.lift(positions, len(scope)) for r in made.refusals))
        return _or_empty(Made(result, all_refusals), at, self.empty)

    def words(self) -> str:
        what = f"`{self.path}`" if self.of is None else f"{verb(self.of).inside()} over `{self.path}`"
        return f"the sum of {what}{_where(self.where)}{_none(self.empty)}"


@dataclass(frozen=True)
class Count(_Listed):
    """How many elements a list of the record has; 0 for an empty one. where: only these."""

    path: str
    where: Condition | None = None

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        inner = shape.elements(self.path)
        if self.where is not None:
            decided(self.where, inner)
        return INTEGER

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        _, positions, _, refusals = self._elements(scope, self.path, self.where)
        return Made(pa.array(np.bincount(positions.to_numpy(), minlength=len(scope)), pa.int64()), refusals)

    def words(self) -> str:
        return f"the number of `{self.path}`{_where(self.where)}"


@dataclass(frozen=True)
class First(_Listed):
    """The value of a list's first element, in the list's own order; missing when there is none. last: the last one.

    where: only these elements. of: what to take from it, instead of a field in the path.
    """

    path: str
    of: Operand | None = None
    where: Condition | None = None
    last: bool = False

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        inner, value = self._value_shape(shape, self.path, self.of, self.where)
        return value.type(inner, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        inner, positions, rest, refusals = self._elements(scope, self.path, self.where)
        made = verb(self.of if self.of is not None else rest).make(inner, want)
        numbers = np.arange(len(scope))
        found = positions.to_numpy()
        starts, ends = np.searchsorted(found, numbers), np.searchsorted(found, numbers, side="right")
        none = starts == ends
        at = pa.array(np.where(none, 0, ends - 1 if self.last else starts), pa.int64(), mask=none)
        lifted = (r.take(at) for r in made.refusals)
        return Made(made.values.take(at), (*refusals, *lifted))

    def words(self) -> str:
        which = "last" if self.last else "first"
        what = f"`{self.path}`" if self.of is None else f"{verb(self.of).inside()} of `{self.path}`"
        return f"the {which} {what}{_where(self.where)}"


@dataclass(frozen=True)
class Match(_Listed):
    """A value of the one element of ``path`` whose ``key`` equals ``by`` of this row, within the same record:
    ``Match("^.lineItems", key="id", by="lineItem.id", value="product.productType")`` in a refund's lines reaches the
    order line that was refunded (with one more "^." for each list in between). value: a field of the element, or a verb
    over it such as ``First("taxLines.rate")``. Missing when there is none, refused when there are several.
    """

    path: str
    key: str
    by: Operand
    value: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        inner = shape.elements(self.path)
        _comparable(inner.field(self.key).type, verb(self.by).type(shape), self)
        return verb(self.value).type(inner, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        by = verb(self.by).make(scope)
        inner, mine, theirs = _records(scope, self.path)
        made = verb(self.value).make(inner, want)
        here, there = coded([by.values], [inner.column(self.key)], (mine, theirs))
        at = pc.index_in(here, value_set=there, skip_nulls=True)
        counts = there.drop_null().value_counts()
        double = pc.is_in(here, value_set=counts.field(0).filter(pc.greater(counts.field(1), 1)))
        lifted = (r.take(at) for r in made.refusals)
        twice = refuse(double, f"several {inner.record.name} have this {self.key}", by.values)
        return Made(made.values.take(at), (*by.refusals, *lifted, *twice))

    def words(self) -> str:
        return f"{verb(self.value).inside()} of the one in `{self.path}` whose `{self.key}` is {verb(self.by).inside()}"


@dataclass(frozen=True)
class MatchSum(_Listed):
    """The sum over all elements of ``path`` whose ``key`` equals ``by`` of this row, within the same record:
    ``MatchSum("^.refunds.refundLineItems", key="lineItem.id", by="id", value="quantity", empty=0)`` in an order's line
    is what all refunds took back of it. Missing, or ``empty``, when there is none.
    """

    path: str
    key: str
    by: Operand
    value: Operand
    empty: Any = None

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        inner = shape.elements(self.path)
        _comparable(inner.field(self.key).type, verb(self.by).type(shape), self)
        kind = decimal(WIDE, scale(numeric_type(verb(self.value), inner).arrow))
        if self.empty is not None:
            literal(self.empty, kind.arrow)
        return kind

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        by = verb(self.by).make(scope)
        inner, mine, theirs = _records(scope, self.path)
        made = verb(self.value).make(inner)
        here, there = coded([by.values], [inner.column(self.key)], (mine, theirs))
        result, at = _summed(made.values, there, here)
        lifted = []
        for r in made.refusals:
            of = pc.if_else(r.rows, there, pa.scalar(None, there.type))
            lifted.append(r.take(pc.index_in(here, value_set=of, skip_nulls=True)))
        return _or_empty(Made(result, (*by.refusals, *lifted)), at, self.empty)

    def words(self) -> str:
        which = f"all in `{self.path}` whose `{self.key}` is {verb(self.by).inside()}"
        return f"the sum of {verb(self.value).inside()} over {which}{_none(self.empty)}"


def _records(scope: Scope, path: str) -> tuple[Scope, pa.Array, pa.Array]:
    """The list's elements, each once, the record of every row here, and the record of every element."""
    here = scope
    while path.startswith("^."):
        path, here = path[2:], here.above
    inner, positions, _ = here.whole.into(path)
    rows = here.rows if here.rows is not None else pa.array(np.arange(len(here), dtype=np.int64))
    return inner, rows, positions


def _comparable(key: Type, by: Type, of: Verb) -> None:
    if key.arrow != by.arrow:
        raise MappingError(f"{of.words()}: {key.name} cannot be compared with {by.name}.")


def _summed(values: pa.Array, groups: pa.Array, wanted: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The exact sum of every wanted group, and where it stands; null for a group without elements."""
    digits = scale(values.type)
    values = exact(values)
    carrier = pa.decimal128(WIDE, digits) if values.type.precision <= 28 else pa.decimal256(76, digits)
    table = pa.table({"group": groups, "value": values.cast(carrier)})
    sums = table.group_by("group", use_threads=False).aggregate(
        [("value", "sum", pc.ScalarAggregateOptions(skip_nulls=True, min_count=1))]
    )
    at = pc.index_in(wanted, value_set=sums.column("group"), skip_nulls=True)
    return sums.column("value_sum").combine_chunks().take(at), at


def _or_empty(sums: Made, at: pa.Array, empty: Any) -> Made:
    done = fit(sums, pa.decimal128(WIDE, scale(sums.values.type)))
    if empty is None:
        return done
    none = pc.and_not(pc.is_null(at), refused_rows(sums.refusals, len(at)))
    return done.then(pc.if_else(none, literal(empty, done.values.type), done.values))


def _where(where: Condition | None) -> str:
    return "" if where is None else f" (only where {where.words()})"


def _none(empty: Any) -> str:
    return "" if empty is None else f" (or {shown(empty)})"
