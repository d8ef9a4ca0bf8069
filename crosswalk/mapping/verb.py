"""What a verb is: it reads columns of a Scope and makes one column, naming the rows it refuses and why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.mapping.refs import Scope, Shape
from crosswalk.schemas.base import Type

if TYPE_CHECKING:
    from crosswalk.mapping.verbs.arithmetic import Arithmetic
    from crosswalk.mapping.verbs.conditions import And, Not, Or

Rounding = Literal[
    "half_towards_infinity", "half_up", "half_down", "half_to_even", "half_towards_zero", "up", "down", "towards_zero"
]


@dataclass(frozen=True)
class Refusal:
    """Rows that a verb could not do.

    rows: boolean, no nulls.  reason: one sentence, or one for each row.  shown: the values that were refused.
    by_person: a value table says that a person decides.
    """

    rows: pa.Array
    reason: str | pa.Array
    shown: pa.Array | None = None
    by_person: bool = False

    def where(self, keep: pa.Array) -> Refusal:
        """Only in the rows where ``keep`` is true."""
        return Refusal(pc.and_(self.rows, pc.fill_null(keep, False)), self.reason, self.shown, self.by_person)

    def take(self, rows: pa.Array) -> Refusal:
        """Of these rows; a null row refuses nothing."""
        return self._at(pc.fill_null(self.rows.take(rows), False), rows)

    def lift(self, positions: pa.Array, length: int) -> Refusal:
        """Seen from the records: ``positions`` says which of ``length`` records each row belongs to."""
        refused = pc.indices_nonzero(self.rows).cast(pa.int64())
        records, first = np.unique(positions.take(refused).to_numpy(), return_index=True)
        mask = np.zeros(length, dtype=bool)
        mask[records] = True
        source = np.zeros(length, dtype=np.int64)
        source[records] = refused.to_numpy()[first]
        return self._at(pa.array(mask), pa.array(source, mask=~mask))

    def _at(self, mask: pa.Array, rows: pa.Array) -> Refusal:
        reason = self.reason if isinstance(self.reason, str) else self.reason.take(rows)
        return Refusal(mask, reason, None if self.shown is None else self.shown.take(rows), self.by_person)


@dataclass(frozen=True)
class Made:
    """One value a row, and the rows that were refused. A refused row's value is null, whatever was given."""

    values: pa.Array
    refusals: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        if self.refusals:
            some = tuple(r for r in self.refusals if r.rows.true_count)
            object.__setattr__(self, "refusals", some)
            object.__setattr__(self, "values", without(self.values, refused_rows(some, len(self.values))))

    def then(self, values: pa.Array, *more: Refusal) -> Made:
        """Other values, with the refusals so far and these."""
        return Made(values, (*self.refusals, *more))


def refuse(
    rows: pa.Array, reason: str | pa.Array, shown: pa.Array | None = None, by_person: bool = False
) -> tuple[Refusal, ...]:
    """A refusal of the rows where ``rows`` is true; nothing when there is none."""
    rows = pc.fill_null(rows, False)
    return (Refusal(rows, reason, shown, by_person),) if rows.true_count else ()


def without(values: pa.Array, rows: pa.Array) -> pa.Array:
    """The values, null where ``rows`` is true."""
    return pc.if_else(pc.fill_null(rows, False), pa.scalar(None, values.type), values)


def refused_rows(refusals: Iterable[Refusal], length: int) -> pa.Array:
    """The rows that any of these refuses; boolean, no nulls."""
    rows = pa.repeat(pa.scalar(False), length)
    for refusal in refusals:
        rows = pc.or_(rows, refusal.rows)
    return rows


class Verb(ABC):
    """One way to make a column. Verbs are data: frozen dataclasses, whose operands are column names or other verbs.

    Numbers can be combined with + - * and conditions with & | ~.
    """

    @abstractmethod
    def type(self, shape: Shape, want: Type | None = None) -> Type:
        """The type it makes, for a row of this shape; ``want`` is what the place asks for.

        Raises MappingError when a column is unknown or an operand has the wrong type.
        """

    @abstractmethod
    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        """The column, one value a row, of the Arrow type of :meth:`type`."""

    @abstractmethod
    def words(self) -> str:
        """What it does, for the mapping's page."""

    def inside(self) -> str:
        """The same inside what another verb says."""
        return self.words()

    def __add__(self, other: Number) -> Arithmetic:
        return _arithmetic(self, "+", other)

    def __sub__(self, other: Number) -> Arithmetic:
        return _arithmetic(self, "-", other)

    def __mul__(self, other: Number) -> Arithmetic:
        return _arithmetic(self, "*", other)


class Condition(Verb):
    """A verb that answers yes, no, or nothing when it cannot tell."""

    def __and__(self, other: Condition) -> And:
        from crosswalk.mapping.verbs.conditions import And

        return And(self, other)

    def __or__(self, other: Condition) -> Or:
        from crosswalk.mapping.verbs.conditions import Or

        return Or(self, other)

    def __invert__(self) -> Not:
        from crosswalk.mapping.verbs.conditions import Not

        return Not(self)


Operand = str | Verb
Number = str | Verb | int | Decimal


def _arithmetic(left: Number, sign: Literal["+", "-", "*"], right: Number) -> Arithmetic:
    from crosswalk.mapping.verbs.arithmetic import Arithmetic

    return Arithmetic(left, sign, right)


def shown(value: object) -> str:
    """A constant as the pages show it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"`{value}`"


def verb(operand: Operand) -> Verb:
    """The operand itself, or a copy of the column it names."""
    from crosswalk.mapping.verbs.basic import Copy

    return operand if isinstance(operand, Verb) else Copy(operand)
