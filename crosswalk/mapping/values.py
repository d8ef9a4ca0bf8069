"""Values that pass safely from one type to another, never by float: literals, number widths, keys of many columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.verb import Made, Refusal, refuse, without
from crosswalk.schemas.base import BOOLEAN, DATE, INSTANT, INTEGER, TEXT, Type, decimal

WIDE = 38


def natural(value: Any) -> Type:
    """The type that a literal has by itself. Raises MappingError for a float and everything else unknown."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, Decimal) and value.is_finite():
        return decimal(WIDE, max(0, -int(value.as_tuple().exponent)))
    if isinstance(value, str):
        return TEXT
    if isinstance(value, datetime):
        return INSTANT
    if isinstance(value, date):
        return DATE
    if isinstance(value, float):
        raise MappingError(f"{value!r} is a float, which is not exact; write Decimal({str(value)!r}).")
    raise MappingError(f"{value!r} is not a value that a field can have.")


def literal(value: Any, arrow: pa.DataType) -> pa.Scalar:
    """The value as this type, exactly. Raises MappingError when it is not one."""
    have = natural(value).arrow
    wrong = MappingError(f"{value!r} is not a value of type {arrow}.")
    if pa.types.is_decimal(arrow):
        return _number(value, arrow, wrong)
    if pa.types.is_timestamp(arrow) and isinstance(value, datetime) and value.tzinfo is None:
        raise MappingError(f"{value!r} has no zone; an instant needs one.")
    if have != arrow:
        raise wrong
    try:
        return pa.scalar(value, arrow)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise wrong from error


def _number(value: Any, arrow: pa.DataType, wrong: MappingError) -> pa.Scalar:
    if isinstance(value, str) and not value.strip() == value:
        raise wrong
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise wrong
    try:
        return pa.scalar(Decimal(value), arrow)
    except (pa.ArrowInvalid, ArithmeticError, ValueError) as error:
        raise wrong from error


def numeric(arrow: pa.DataType) -> bool:
    """An integer or an exact decimal."""
    return bool(pa.types.is_decimal(arrow) or pa.types.is_int64(arrow))


def scale(arrow: pa.DataType) -> int:
    """Digits behind the point."""
    return int(arrow.scale) if pa.types.is_decimal(arrow) else 0


def fits(have: Type, want: Type) -> str:
    """Why values of one type cannot stand where another is wanted; "" when they can."""
    if have.arrow == want.arrow:
        return ""
    if pa.types.is_decimal(want.arrow) and numeric(have.arrow):
        if scale(have.arrow) <= scale(want.arrow):
            return ""
        return f"makes {have.name} where {want.name} is wanted; say how to round, with Money or Round"
    return f"makes {have.name} where {want.name} is wanted"


def fit(made: Made, arrow: pa.DataType) -> Made:
    """The values as this type; a number that is too large for it is refused."""
    values = made.values
    if values.type == arrow:
        return made
    wide = values.cast(pa.decimal256(76, scale(arrow)))
    limit = pa.scalar(Decimal(10) ** (arrow.precision - arrow.scale), wide.type)
    over = refuse(pc.greater_equal(pc.abs(wide), limit), "the number is too large for its field", values)
    return made.then(narrow(wide, over, arrow), *over)


def narrow(wide: pa.Array, over: tuple[Refusal, ...], arrow: pa.DataType) -> pa.Array:
    """The wide decimals in the narrower type, null where they do not fit."""
    return (without(wide, over[0].rows) if over else wide).cast(arrow)


def as_text(values: pa.Array) -> pa.Array:
    """Text, whole numbers and days as text."""
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def locate(columns: Sequence[pa.Array], keys: Sequence[pa.Array]) -> pa.Array:
    """For each row of ``columns`` the first row of ``keys`` that is equal in every column; null where there is none or
    where a column is null, so that a missing key never meets another."""
    code = known = None
    for column, key in zip(columns, keys, strict=True):
        distinct = key.unique().drop_null()
        here = pc.index_in(column, value_set=distinct, skip_nulls=True).cast(pa.int64())
        there = pc.index_in(key, value_set=distinct, skip_nulls=True).cast(pa.int64())
        if code is None or known is None:
            code, known = here, there
        else:
            size = pa.scalar(max(1, len(distinct)), pa.int64())
            code = pc.add(pc.multiply(code, size), here)
            known = pc.add(pc.multiply(known, size), there)
    return pc.index_in(code, value_set=known, skip_nulls=True).cast(pa.int64())
