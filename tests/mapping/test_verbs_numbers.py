"""Exact numbers: every verb equals plain Decimal arithmetic, row by row, at any size."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import PROPERTY, REFUSED, THING, agrees, flat_things, scope_of

from crosswalk.errors import MappingError
from crosswalk.mapping import Arithmetic, Const, Context, Copy, Divide, Money, Round
from crosswalk.mapping.refs import Shape

EXACT = decimal.Context(prec=200)
MODES = {
    "half_towards_infinity": decimal.ROUND_HALF_UP,
    "half_to_even": decimal.ROUND_HALF_EVEN,
    "half_towards_zero": decimal.ROUND_HALF_DOWN,
    "towards_zero": decimal.ROUND_DOWN,
    "up": decimal.ROUND_CEILING,
    "down": decimal.ROUND_FLOOR,
}


def within(value: Decimal, scale: int) -> Any:
    """The value, refused when it has more than 38 digits at this scale."""
    return REFUSED if abs(value) >= Decimal(10) ** (38 - scale) else value


def operand(row: dict[str, Any], name: str, scale: int, digits: int = 37) -> Any:
    value = row[name]
    if value is None:
        return None
    return REFUSED if abs(Decimal(value)) >= Decimal(10) ** (digits - scale) else Decimal(value)


def combined(a: Any, b: Any, how: Any, scale: int) -> Any:
    if REFUSED in (a, b):
        return REFUSED
    return None if None in (a, b) else within(how(a, b), scale)


@PROPERTY
@given(flat_things)
def test_arithmetic_is_exact(rows: list[dict[str, Any]]) -> None:
    """Sums, differences and products are exact, and what has more than 38 digits is refused."""
    scales = {"amount": 4, "rate": 8, "count": 0}
    hows = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}
    scope = scope_of(rows)
    for left, right in (("amount", "rate"), ("count", "amount"), ("count", "count")):
        for sign, how in hows.items():
            scale = sum((scales[left], scales[right])) if sign == "*" else max(scales[left], scales[right])

            def expected(row: dict[str, Any], l=left, r=right, h=how, s=scale) -> Any:  # noqa: E741
                return combined(operand(row, l, scales[l]), operand(row, r, scales[r]), h, s)

            agrees(Arithmetic(left, sign, right), scope, rows, expected)  # type: ignore[arg-type]


@PROPERTY
@given(flat_things, st.sampled_from(["half_towards_infinity", "towards_zero"]), st.integers(0, 6))
def test_a_quotient_is_rounded_once(rows: list[dict[str, Any]], rounding: Any, scale: int) -> None:
    """A quotient is that of the exact numbers, rounded once; division by zero is refused."""

    def expected(row: dict[str, Any]) -> Any:
        above, below = operand(row, "amount", 4, 38), operand(row, "count", 0, 20)
        if above is None or below is None:
            return None
        if below == 0:
            return REFUSED
        exact = EXACT.divide(above, below)
        return exact.quantize(Decimal(1).scaleb(-scale), MODES[rounding], EXACT)

    agrees(Divide("amount", "count", scale, rounding), scope_of(rows), rows, expected)


@PROPERTY
@given(flat_things, st.sampled_from(sorted(MODES)), st.integers(0, 8))
def test_rounding_is_the_stated_one(rows: list[dict[str, Any]], rounding: Any, scale: int) -> None:
    """Round rounds as it says, away from zero at ties by default, and never to the even digit unseen."""

    def expected(row: dict[str, Any]) -> Any:
        return None if row["rate"] is None else row["rate"].quantize(Decimal(1).scaleb(-scale), MODES[rounding], EXACT)

    agrees(Round("rate", scale, rounding), scope_of(rows), rows, expected)


UNITS = {"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}


@PROPERTY
@given(st.lists(st.tuples(st.none() | st.integers(-(10**15), 10**15), st.sampled_from([*UNITS, "XYZ", "eur", None]))))
def test_money_has_the_digits_of_its_currency(pairs: list[tuple[int | None, str | None]]) -> None:
    """An amount gets the smallest units of its own currency; a currency nobody knows is refused."""
    rows = [{"rate": None if n is None else Decimal(n).scaleb(-8), "name": code} for n, code in pairs]

    def expected(row: dict[str, Any]) -> Any:
        if row["rate"] is None:
            return None
        if row["name"] not in UNITS:
            return REFUSED
        return row["rate"].quantize(Decimal(1).scaleb(-UNITS[row["name"]]), decimal.ROUND_HALF_UP)

    agrees(Money("rate", "name"), scope_of(rows), rows, expected)


def test_money_in_the_accounts_own_currency() -> None:
    """Without a currency the account's own is meant, and a tie goes away from zero."""
    rows = [{"amount": Decimal(n)} for n in ("1.0050", "-1.0050", "1.0049")]
    assert Money("amount").make(scope_of(rows)).values.to_pylist() == [Decimal(n) for n in ("1.01", "-1.01", "1")]


def test_an_account_without_a_real_currency_stops_the_run() -> None:
    """A wrong setting is nobody's bad row."""
    with pytest.raises(MappingError, match="no currency 'EURO'"):
        Money("amount").make(scope_of([{}], Context("UTC", "PS", "EURO")))


def test_exact_money_refuses_what_would_be_rounded() -> None:
    """With rounding="exact" half a cent is held, not lost."""
    rows = [{"amount": Decimal("1.005")}, {"amount": Decimal("1.01")}]
    agrees(Money("amount", rounding="exact"), scope_of(rows), rows, lambda r: REFUSED if r is rows[0] else r["amount"])


def test_money_that_the_field_cannot_hold_is_refused() -> None:
    """A currency with more digits than the field has is refused instead of cut."""
    import pyarrow as pa

    made = Money("amount", Const("KWD")).make(scope_of([{"amount": Decimal("1.005")}]), pa.decimal128(10, 2))
    assert made.values.to_pylist() == [None]
    assert "more digits" in str(made.refusals[0].reason)


def test_operators_build_arithmetic() -> None:
    """Copy("a") + "b" is the sum, and a number may stand on either place of a product."""
    rows = [{"amount": Decimal("1.5"), "count": 3}]
    made = ((Copy("amount") + "count") * 2 - Decimal("0.5")).make(scope_of(rows))
    assert made.values.to_pylist() == [Decimal("8.5")]


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Copy("name") + 1, "a number is needed"),
        (Divide("amount", "count", scale=25), "cannot have 25 digits"),
        (Round("amount", -1), "fewer than 0"),
        (Copy("rate") * "rate" * "rate" * "rate" * "rate", "round an operand first"),
        (Money("amount", "flag"), "text is needed"),
    ],
)
def test_numbers_that_cannot_be_meant(verb: Any, says: str) -> None:
    """A calculation with text, or with more digits than there are, is refused when it is built."""
    with pytest.raises(MappingError, match=says):
        verb.type(Shape(THING))
