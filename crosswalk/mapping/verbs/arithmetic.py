"""Exact numbers: sums, products, quotients, and rounding that is always stated. Nothing passes through a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import WIDE, exact, fit, numeric, scale
from crosswalk.mapping.verb import Made, Number, Operand, Refusal, Rounding, Verb, refuse, verb, without
from crosswalk.mapping.verbs.basic import Const, textual
from crosswalk.schemas.base import Type, decimal


def number(operand: Number) -> Verb:
    """The operand itself, a copy of the column it names, or the number."""
    return Const(operand) if isinstance(operand, (int, Decimal)) else verb(operand)


def numeric_type(operand: Verb, shape: Shape) -> Type:
    """The type of an operand that must be a number. Raises MappingError."""
    kind = operand.type(shape)
    if not numeric(kind.arrow):
        raise MappingError(f"{operand.words()} is {kind.name}, and a number is needed.")
    return kind


def digits(made: Made, precision: int) -> Made:
    """The numbers as decimals of this precision; larger ones are refused."""
    return fit(made, pa.decimal256(precision, scale(made.values.type)))


@dataclass(frozen=True)
class Arithmetic(Verb):
    """Two numbers added, subtracted or multiplied, exactly; missing when one of them is. Written ``Copy("a") + "b"``.

    Yields up to 38 digits with all that stand behind the point.
    """

    left: Number
    sign: Literal["+", "-", "*"]
    right: Number

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        scales = [scale(numeric_type(number(o), shape).arrow) for o in (self.left, self.right)]
        result = sum(scales) if self.sign == "*" else max(scales)
        if result > WIDE - 1:
            raise MappingError(f"{self.words()} has {result} digits behind the point; round an operand first.")
        return decimal(WIDE, result)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        left, right = (number(o).make(scope) for o in (self.left, self.right))
        if self._digits(exact(left.values).type, exact(right.values).type) > WIDE:
            left, right = digits(left, WIDE - 1), digits(right, WIDE - 1)
        compute = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}[self.sign]
        result = compute(exact(left.values), exact(right.values))
        return fit(Made(result, (*left.refusals, *right.refusals)), pa.decimal128(WIDE, scale(result.type)))

    def _digits(self, left: pa.DataType, right: pa.DataType) -> int:
        """How many digits Arrow gives the result."""
        if self.sign == "*":
            return int(left.precision + right.precision + 1)
        whole = max(left.precision - left.scale, right.precision - right.scale)
        return int(whole + max(left.scale, right.scale) + 1)

    def words(self) -> str:
        return f"{number(self.left).inside()} {self.sign} {number(self.right).inside()}"

    def inside(self) -> str:
        return f"({self.words()})"


@dataclass(frozen=True)
class Divide(Verb):
    """A quotient with ``scale`` digits behind the point; ties go away from zero. Division by zero is refused.

    The divisor may have up to 20 digits.
    """

    left: Number
    right: Number
    scale: int = 4
    rounding: Literal["half_towards_infinity", "towards_zero"] = "half_towards_infinity"

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        above, below = (scale(numeric_type(number(o), shape).arrow) for o in (self.left, self.right))
        if not 0 <= self.scale < 21 + above - below:
            raise MappingError(f"{self.words()} cannot have {self.scale} digits behind the point.")
        return decimal(WIDE, self.scale)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        above, below = digits(number(self.left).make(scope), WIDE), digits(number(self.right).make(scope), 20)
        zero = pc.equal(below.values, pa.scalar(Decimal(0), below.values.type))
        by_zero = refuse(pc.and_(pc.is_valid(above.values), zero), "division by zero")
        # Arrow cuts the quotient at 21 digits more than wanted, which leaves every tie a tie.
        quotient = pc.divide(above.values, without(below.values, zero))
        quotient = quotient.cast(pa.decimal256(76, scale(quotient.type)))
        rounded = pc.round(quotient, self.scale, round_mode=self.rounding)
        made = Made(rounded, (*above.refusals, *below.refusals, *by_zero))
        return fit(made, pa.decimal128(WIDE, self.scale))

    def words(self) -> str:
        quotient = f"({number(self.left).inside()} / {number(self.right).inside()})"
        return f"{quotient}, {self.scale} digits, {_mode(self.rounding)}"


@dataclass(frozen=True)
class Round(Verb):
    """A number rounded to ``scale`` digits behind the point."""

    operand: Number
    scale: int
    rounding: Rounding = "half_towards_infinity"

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        kind = numeric_type(number(self.operand), shape)
        if self.scale < 0:
            raise MappingError("Round cannot have fewer than 0 digits behind the point.")
        return decimal(WIDE, min(self.scale, scale(kind.arrow)))

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = digits(number(self.operand).make(scope), 76)
        rounded = pc.round(made.values, self.scale, round_mode=self.rounding)
        return fit(made.then(rounded), pa.decimal128(WIDE, min(self.scale, scale(rounded.type))))

    def words(self) -> str:
        return f"{number(self.operand).inside()} rounded to {self.scale} digits, {_mode(self.rounding)}"


@dataclass(frozen=True)
class Money(Verb):
    """An amount in the smallest units of its currency (Unicode CLDR through babel: EUR 2, JPY 0, KWD 3).

    currency: operand with ISO 4217 codes, ``Const("EUR")`` for a fixed one; the account's currency by default. An
    unknown code is refused. rounding: ties go away from zero by default; "exact" refuses what would be rounded.
    """

    operand: Number
    currency: Operand | None = None
    rounding: Rounding | Literal["exact"] = "half_towards_infinity"

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        numeric_type(number(self.operand), shape)
        if self.currency is not None:
            textual(self.currency, shape)
        return decimal(WIDE, 4) if want is None or not pa.types.is_decimal(want.arrow) else want

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        want = want if want is not None and pa.types.is_decimal(want) else pa.decimal128(WIDE, 4)
        made = number(self.operand).make(scope)
        if self.currency is None and minor_units(scope.context.currency) is None:
            raise MappingError(f"There is no currency {scope.context.currency!r}; the connection's currency is wrong.")
        codes = verb(self.currency if self.currency is not None else Const(scope.context.currency)).make(scope)
        amounts = made.values.cast(pa.decimal256(76, max(scale(made.values.type), want.scale, 4)))
        distinct = codes.values.unique().drop_null()
        units = pa.array([minor_units(code) for code in distinct.to_pylist()], pa.int64())
        places = units.take(pc.index_in(codes.values, value_set=distinct, skip_nulls=True))
        mode = "towards_zero" if self.rounding == "exact" else self.rounding
        result = pa.nulls(len(scope), amounts.type)
        for place in units.unique().drop_null().to_pylist():
            result = pc.if_else(pc.equal(places, place), pc.round(amounts, place, round_mode=mode), result)
        refusals = [*made.refusals, *codes.refusals, *self._unknown(made, codes, places)]
        if self.rounding == "exact":
            inexact = pc.not_equal(result, amounts)
            refusals += refuse(inexact, "the amount is finer than its currency", made.values)
        cut = pc.round(result, want.scale, round_mode="towards_zero")
        refusals += refuse(pc.not_equal(cut, result), "the currency has more digits than the field", made.values)
        return fit(Made(cut.cast(pa.decimal256(76, want.scale)), tuple(refusals)), want)

    def _unknown(self, made: Made, codes: Made, places: pa.Array) -> tuple[Refusal, ...]:
        needed = pc.and_(pc.is_valid(made.values), pc.is_null(places))
        return refuse(needed, "no such currency", codes.values)

    def words(self) -> str:
        of = "the account’s currency" if self.currency is None else verb(self.currency).inside()
        how = "nothing is rounded" if self.rounding == "exact" else _mode(self.rounding)
        return f"{number(self.operand).inside()} in the smallest units of {of}, {how}"


@lru_cache(maxsize=512)
def minor_units(code: str) -> int | None:
    """Digits behind the point that a currency has, None for an unknown code."""
    from babel.numbers import get_currency_precision, list_currencies

    return int(get_currency_precision(code)) if code in list_currencies() else None


def _mode(rounding: str) -> str:
    words = {"half_towards_infinity": "ties away from zero", "half_to_even": "ties to the even digit"}
    return words.get(rounding, rounding.replace("_", " "))
