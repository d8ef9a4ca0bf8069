"""Values that pass safely from one type to another, never by float: literals, number widths, keys of many columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.verb import Made, refuse, without
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


def exact(values: pa.Array) -> pa.Array:
    """Whole numbers as decimals; decimals as they are."""
    return values.cast(pa.decimal128(19, 0)) if pa.types.is_int64(values.type) else values


def fit(made: Made, arrow: pa.DataType) -> Made:
    """The values as this type, never rounded; a number that is too large for it is refused."""
    if made.values.type == arrow:
        return made
    values = exact(made.values)
    try:
        return made.then(values.cast(arrow))
    except pa.ArrowInvalid:
        wide = values.cast(pa.decimal256(76, scale(arrow)))
    limit = pa.scalar(Decimal(10) ** (arrow.precision - arrow.scale), wide.type)
    large = pc.greater_equal(pc.abs(wide), limit)
    return made.then(without(wide, large).cast(arrow), *refuse(large, "the number is too large", made.values))


def as_text(values: pa.Array) -> pa.Array:
    """Text, whole numbers and days as text."""
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def locate(columns: Sequence[pa.Array], keys: Sequence[pa.Array]) -> pa.Array:
    """For each row of ``columns`` the first row of ``keys`` that is equal in every column; null where there is none or
    where a column is null, so that a missing key never meets another."""
    here, there = coded(columns, keys)
    return pc.index_in(here, value_set=there, skip_nulls=True).cast(pa.int64())


def coded(
    columns: Sequence[pa.Array], keys: Sequence[pa.Array], within: tuple[pa.Array, pa.Array] | None = None
) -> tuple[pa.Array, pa.Array]:
    """Rows of ``columns`` and of ``keys`` as numbers that are equal where every column is; null where one is null or
    stands in no key. within: whole numbers, not negative and not null, that must be equal too."""
    here, there = within or (None, None)
    for column, key in zip(columns, keys, strict=True):
        distinct = key.unique().drop_null()
        mine, theirs = (pc.index_in(c, value_set=distinct, skip_nulls=True).cast(pa.int64()) for c in (column, key))
        if here is None:
            here, there = mine, theirs
        else:
            size = pa.scalar(max(1, len(distinct)), pa.int64())
            here = pc.add(pc.multiply(here, size), mine)
            there = pc.add(pc.multiply(there, size), theirs)
    return here, there
