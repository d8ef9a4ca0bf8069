"""From what stands at the wire to the declared type, by whole columns; what does not fit is marked, not raised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.schemas.base import DATE, INSTANT, Field

Convert = Callable[[pa.Array], pa.Array]

# Arrow shifts a decimal to the scale without looking for overflow: 10^30 read with 18 decimals of 38 digits is garbage.
# Within this width no number that a sender writes comes near it; what is smaller than 10^-200 counts as zero.
_WIDE = pa.decimal256(76, 38)
_DAY_MS = 86_400_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # the years 1 to 9999, which Python and PostgreSQL can hold
_FIRST_US, _LAST_US = _FIRST_DAY * 86_400_000_000, (_LAST_DAY + 1) * 86_400_000_000 - 1

_ARROW_KNOWS_NO_SUMMER_FROM = 2037

_WHOLE = r"^-?[0-9]{1,19}$"
_EXACT = r"^[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9])?$"
_XERO = r"^/Date\((?P<ms>-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/$"
_ZONED = r"T.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_LOCAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?$"


def wire_type(field: Field) -> pa.DataType:
    """The Arrow type that a field's value is read as.

    Text at the wire is read as text and cast afterwards. A number is read with more room than declared, so that one
    digit too many refuses one record and not the chunk.
    """
    if field.wire_kind == "bool":
        return pa.bool_()
    if field.wire_kind == "string":
        return pa.string()
    if pa.types.is_decimal(field.type.arrow):
        return _WIDE
    if pa.types.is_int64(field.type.arrow) or pa.types.is_string(field.type.arrow):
        return pa.int64()
    raise ValueError(f"{field.name}: {field.type.name} cannot be read from a JSON number")


def cast(values: pa.Array, field: Field) -> tuple[pa.Array, pa.Array | None]:
    """The values as the declared type, and where they do not fit (null there); None when all fit."""
    arrow = field.type.arrow
    if values.type == arrow:
        return values, None
    if values.null_count == len(values):
        return pa.nulls(len(values), arrow), None
    convert = _converter(field)
    try:
        return convert(values), None
    except pa.ArrowInvalid:
        bad = _sift(values, convert)
    fits = pc.if_else(bad, pa.scalar(None, values.type), values)
    return (convert(fits) if fits.null_count < len(fits) else pa.nulls(len(values), arrow)), bad


def iso(instants: pa.Array) -> pa.Array:
    """Instants as ``2026-11-23T09:00:00.000000Z``. Without its zone, which is UTC, the cast is thirty times cheaper."""
    written = instants.cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(written, " ", "T"), "Z", "")


def misfit(field: Field) -> str:
    """What is said of a value that does not fit."""
    arrow = field.type.arrow
    if pa.types.is_decimal(arrow):
        return f"is no decimal number of at most {arrow.precision - arrow.scale} digits and {arrow.scale} decimals"
    if field.type == INSTANT:
        return "is no instant" if field.zone else "is no instant with its zone"
    if field.type == DATE:
        return "is no calendar date"
    return "is neither true nor false" if pa.types.is_boolean(arrow) else "is no whole number of 64 bits"


def _sift(values: pa.Array, convert: Convert) -> pa.Array:
    """Which values do not convert: every distinct one is tried by itself."""
    distinct = values.drop_null().unique()
    bad = []
    for row in range(len(distinct)):
        try:
            convert(distinct.slice(row, 1))
        except pa.ArrowInvalid:
            bad.append(row)
    return pc.is_in(values, value_set=distinct.take(pa.array(bad, pa.int64())), skip_nulls=True)


def _converter(field: Field) -> Convert:
    arrow = field.type.arrow
    if field.type == INSTANT:
        return _zoned_by(field.zone) if field.zone else (_xero_instant if field.format == "xero" else _instant)
    if field.type == DATE:
        return _xero_date if field.format == "xero" else _date
    # The casts alone take 0x1F for 31, and a decimal of too many digits for another number.
    pattern = _WHOLE if pa.types.is_int64(arrow) else _EXACT if pa.types.is_decimal(arrow) else None

    def convert(values: pa.Array) -> pa.Array:
        if pattern and pa.types.is_string(values.type):
            _all_match(values, pattern)
        return values.cast(arrow)

    return convert


def _all_match(values: pa.Array, pattern: str) -> None:
    if not pc.all(pc.match_substring_regex(values, pattern), min_count=0).as_py():
        raise pa.ArrowInvalid("written otherwise")


def _instant(values: pa.Array) -> pa.Array:
    """ISO 8601 with a zone; digits beyond the microsecond are dropped."""
    try:
        result = values.cast(INSTANT.arrow)
    except pa.ArrowInvalid:
        result = pc.replace_substring_regex(values, r"(\.[0-9]{6})[0-9]{1,3}", r"\1").cast(INSTANT.arrow)
    return _within(result, pa.int64(), _FIRST_US, _LAST_US)


def _zoned_by(zone: str) -> Convert:
    """Without a zone the declared one counts; of an hour that comes twice in autumn the first is taken."""

    def convert(values: pa.Array) -> pa.Array:
        zoned = pc.fill_null(pc.match_substring_regex(values, _ZONED), False)
        local = pc.if_else(zoned, pa.scalar(None, pa.string()), values)
        _all_match(local, _LOCAL)
        naive = pc.replace_substring_regex(local, r"(\.[0-9]{6})[0-9]{1,3}", r"\1").cast(pa.timestamp("us"))
        late = pc.if_else(
            pc.greater_equal(pc.year(naive), _ARROW_KNOWS_NO_SUMMER_FROM), naive, pa.scalar(None, naive.type)
        )
        near = pc.if_else(pc.is_null(late), naive, pa.scalar(None, naive.type))
        placed = pc.assume_timezone(near, zone, ambiguous="earliest", nonexistent="raise").cast(INSTANT.arrow)
        if late.null_count < len(late):
            placed = pc.coalesce(placed, _placed_late(late, zone))
        with_zone = pc.if_else(zoned, values, pa.scalar(None, pa.string()))
        return pc.coalesce(_within(placed, pa.int64(), _FIRST_US, _LAST_US), _instant(with_zone))

    return convert


def _placed_late(local: pa.Array, zone: str) -> pa.Array:
    """The same as Arrow does for the years that it knows. Raises ArrowInvalid for what the zone's clock never shows."""
    here = ZoneInfo(zone)
    found = []
    for shown in local.to_pylist():
        try:
            instant = shown and shown.replace(tzinfo=here).astimezone(UTC)
        except OverflowError:
            raise pa.ArrowInvalid("after the last year that is counted") from None
        if instant and instant.astimezone(here).replace(tzinfo=None) != shown:
            raise pa.ArrowInvalid("an hour that summer time leaves out")
        found.append(instant)
    return pa.array(found, INSTANT.arrow)


def _date(values: pa.Array) -> pa.Array:
    """A calendar date, alone or as midnight without a zone."""
    try:
        result = values.cast(DATE.arrow)
    except pa.ArrowInvalid:
        result = pc.replace_substring_regex(values, r"[T ]00:00:00(\.0+)?$", "").cast(DATE.arrow)
    return _within(result, pa.int32(), _FIRST_DAY, _LAST_DAY)


def _xero_milliseconds(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The milliseconds of ``/Date(...)/`` values, and the other values. The offset says nothing about the instant."""
    found = pc.struct_field(pc.extract_regex(values, _XERO), ["ms"])
    return found.cast(pa.int64()), pc.if_else(pc.is_valid(found), pa.scalar(None, pa.string()), values)


def _xero_instant(values: pa.Array) -> pa.Array:
    milliseconds, others = _xero_milliseconds(values)
    instants = milliseconds.cast(pa.timestamp("ms", tz="UTC")).cast(INSTANT.arrow)
    return pc.coalesce(_within(instants, pa.int64(), _FIRST_US, _LAST_US), _instant(others))


def _xero_date(values: pa.Array) -> pa.Array:
    """Midnight UTC stands for the calendar date; any other time is no date."""
    milliseconds, others = _xero_milliseconds(values)
    days = pc.divide(milliseconds, _DAY_MS)
    if not pc.all(pc.equal(pc.multiply(days, _DAY_MS), milliseconds), min_count=0).as_py():
        raise pa.ArrowInvalid("not midnight")
    _within(days, pa.int64(), _FIRST_DAY, _LAST_DAY)
    return pc.coalesce(days.cast(pa.int32()).cast(DATE.arrow), _date(others))


def _within(values: pa.Array, as_number: pa.DataType, low: int, high: int) -> pa.Array:
    """Arrow knows the year 0 and the year 10000, Python does not."""
    numbers = values.cast(as_number)
    ends = pc.min_max(numbers)
    if ends["min"].is_valid and (ends["min"].as_py() < low or ends["max"].as_py() > high):
        raise pa.ArrowInvalid("outside the years 1 to 9999")
    return values
