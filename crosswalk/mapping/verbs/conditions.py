"""Questions about a row. A value that is missing makes the answer unknown, which is never taken as no."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import literal, numeric, scale
from crosswalk.mapping.verb import Condition, Made, Operand, Verb, shown, verb
from crosswalk.mapping.verbs.basic import Const, decided
from crosswalk.schemas.base import BOOLEAN, Type

Sign = Literal["==", "!=", "<", "<=", ">", ">="]
SIGNS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
WORDS = {"==": "is", "!=": "is not", "<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least"}


@dataclass(frozen=True)
class IsNull(Condition):
    """There is no value. Always has an answer, unless the operand is refused."""

    operand: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        verb(self.operand).type(shape)
        return BOOLEAN

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        return made.then(pc.is_null(made.values))

    def words(self) -> str:
        return f"{verb(self.operand).inside()} is missing"


@dataclass(frozen=True)
class Compare(Condition):
    """``left`` (a column or verb) against ``right`` (a value, or a verb such as Copy("other")).

    Numbers compare by value, whatever their digits; text by its characters, case and all.
    """

    left: Operand
    sign: Sign
    right: Any

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        left = verb(self.left).type(shape)
        other = self._other()
        right = other.type(shape) if numeric(left.arrow) or not isinstance(other, Const) else other.type(shape, left)
        if left.arrow != right.arrow and not (numeric(left.arrow) and numeric(right.arrow)):
            raise MappingError(f"{self.words()}: {left.name} cannot be compared with {right.name}.")
        if self.sign not in SIGNS:
            raise MappingError(f"{self.sign!r} is not a comparison; there are {', '.join(SIGNS)}.")
        if left.arrow == BOOLEAN.arrow and self.sign not in ("==", "!="):
            raise MappingError(f"{self.words()}: yes and no have no order.")
        return BOOLEAN

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        left = verb(self.left).make(scope)
        other = self._other()
        right = other.make(scope, None if numeric(left.values.type) else left.values.type)
        values = SIGNS[self.sign](*alike(left.values, right.values))
        return Made(values, (*left.refusals, *right.refusals))

    def _other(self) -> Verb:
        return self.right if isinstance(self.right, Verb) else Const(self.right)

    def words(self) -> str:
        right = self.right.inside() if isinstance(self.right, Verb) else shown(self.right)
        return f"{verb(self.left).inside()} {WORDS.get(self.sign, self.sign)} {right}"


def Equals(left: Operand, right: Any) -> Compare:
    """``left`` is ``right``; see Compare."""
    return Compare(left, "==", right)


def alike(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Two columns of numbers in one exact type; others as they are."""
    if left.type == right.type or not (numeric(left.type) and numeric(right.type)):
        return left, right
    both = pa.decimal256(76, max(scale(left.type), scale(right.type)))
    return left.cast(both), right.cast(both)


@dataclass(frozen=True, init=False)
class In(Condition):
    """The value is one of these."""

    operand: Operand
    values: tuple[Any, ...]

    def __init__(self, operand: Operand, values: Collection[Any]) -> None:
        if isinstance(values, str):
            raise MappingError(f"In takes several values, and {values!r} is one; write ({values!r},).")
        object.__setattr__(self, "operand", operand)
        ordered = sorted(values, key=repr) if isinstance(values, (set, frozenset)) else values
        object.__setattr__(self, "values", tuple(ordered))

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        kind = verb(self.operand).type(shape)
        if not self.values:
            raise MappingError("In needs a tuple of at least one value.")
        for value in self.values:
            literal(value, kind.arrow)
        return BOOLEAN

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        known = pa.array([literal(v, made.values.type).as_py() for v in self.values], made.values.type)
        found = pc.is_in(made.values, value_set=known)
        return made.then(pc.if_else(pc.is_valid(made.values), found, pa.scalar(None, pa.bool_())))

    def words(self) -> str:
        return f"{verb(self.operand).inside()} is one of {', '.join(map(shown, self.values))}"


@dataclass(frozen=True, init=False)
class _Several(Condition):
    operands: tuple[Condition, ...]

    def __init__(self, *operands: Condition) -> None:
        object.__setattr__(self, "operands", operands)

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        for operand in self.operands:
            decided(operand, shape)
        return BOOLEAN


class And(_Several):
    """All are true. One that is false decides, whatever the others lack."""

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        return _combine(self.operands, scope, pc.and_kleene, pa.scalar(False))

    def words(self) -> str:
        return " and ".join(o.inside() for o in self.operands)

    def inside(self) -> str:
        return f"({self.words()})"


class Or(_Several):
    """At least one is true. One that is true decides, whatever the others lack."""

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        return _combine(self.operands, scope, pc.or_kleene, pa.scalar(True))

    def words(self) -> str:
        return " or ".join(o.inside() for o in self.operands)

    def inside(self) -> str:
        return f"({self.words()})"


@dataclass(frozen=True)
class Not(Condition):
    """The opposite; unknown stays unknown."""

    operand: Condition

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        decided(self.operand, shape)
        return BOOLEAN

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = self.operand.make(scope, pa.bool_())
        return made.then(pc.invert(made.values))

    def words(self) -> str:
        if isinstance(self.operand, IsNull):
            return f"{verb(self.operand.operand).inside()} is there"
        return f"not {self.operand.inside()}"


def _combine(operands: tuple[Condition, ...], scope: Scope, how: Any, decides: pa.Scalar) -> Made:
    made = [o.make(scope, pa.bool_()) for o in operands]
    result = made[0].values
    for other in made[1:]:
        result = how(result, other.values)
    # What one operand refuses does not matter where another has decided already.
    open_ = pc.invert(pc.fill_null(pc.equal(result, decides), False))
    return Made(result, tuple(r.where(open_) for m in made for r in m.refusals))
