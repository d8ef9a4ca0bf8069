"""Copies, constants, choices between verbs, and conditions, whose third answer is "cannot tell"."""

from __future__ import annotations

import operator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import PROPERTY, REFUSED, THING, agrees, flat_things, integers, money, scope_of

from crosswalk.errors import MappingError
from crosswalk.mapping import (
    And,
    Choose,
    Compare,
    Concat,
    Const,
    Copy,
    Count,
    Custom,
    Either,
    Equals,
    First,
    If,
    In,
    IsNull,
    Not,
    Or,
    Phone,
    Sum,
    Verb,
)
from crosswalk.mapping.refs import Shape
from crosswalk.schemas.base import BOOLEAN, DATE, INSTANT, INTEGER, MONEY, TEXT


@PROPERTY
@given(flat_things)
def test_copy_copies(rows: list[dict[str, Any]]) -> None:
    """A copy is the value itself, in every type."""
    scope = scope_of(rows)
    for field in THING.scalars:
        agrees(Copy(field.name), scope, rows, lambda r, name=field.name: r[name])


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("text", TEXT),
        (True, BOOLEAN),
        (7, INTEGER),
        (Decimal("1.50"), MONEY),
        ("1.50", MONEY),
        (2, MONEY),
        (date(2026, 1, 1), DATE),
        (datetime(2026, 1, 1, tzinfo=UTC), INSTANT),
    ],
)
def test_a_constant_is_the_same_in_every_row(value: Any, want: Any) -> None:
    """A constant takes the type of its place, for any number of rows."""
    for count in (0, 1, 3):
        made = Const(value).make(scope_of([{}] * count), want.arrow)
        expected = Decimal(value) if want is MONEY else value
        assert made.values.type == want.arrow
        assert made.values.to_pylist() == [expected] * count


@pytest.mark.parametrize(
    ("value", "want"),
    [(1.5, MONEY), ("1.23456", MONEY), (" 1", MONEY), (1, TEXT), ("x", INTEGER), (True, INTEGER), (1, BOOLEAN),
     ("2026-01-01", DATE), (datetime(2026, 1, 1), DATE), (datetime(2026, 1, 1), INSTANT), (2**63, INTEGER),
     (Decimal("NaN"), MONEY), (None, TEXT)],
)  # fmt: skip
def test_a_constant_of_another_type_is_refused(value: Any, want: Any) -> None:
    """A float, a lossy number, a time without a zone or the wrong type never becomes a constant."""
    with pytest.raises(MappingError):
        Const(value).type(Shape(THING), want)


@PROPERTY
@given(flat_things)
def test_either_takes_the_first_that_is_there(rows: list[dict[str, Any]]) -> None:
    """The first value wins, constants come last, and numbers meet in the type of the place."""
    scope = scope_of(rows)
    names = ("name", "other.name")
    agrees(Either(*names), scope, rows, lambda r: next((r[n] for n in names if r[n] is not None), None))
    agrees(Either("name", Const("?")), scope, rows, lambda r: "?" if r["name"] is None else r["name"])


@PROPERTY
@given(flat_things)
def test_if_decides_or_refuses(rows: list[dict[str, Any]]) -> None:
    """Either branch is taken where the condition has an answer; where it has none the row is refused."""

    def expected(row: dict[str, Any]) -> Any:
        return REFUSED if row["flag"] is None else row["name"] if row["flag"] else row["other.name"]

    agrees(If(Equals("flag", True), "name", "other.name"), scope_of(rows), rows, expected)


SIGNS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@PROPERTY
@given(flat_things, st.sampled_from(sorted(SIGNS)), integers, money)
def test_numbers_compare_by_value(rows: list[dict[str, Any]], sign: Any, whole: int, amount: Decimal) -> None:
    """Numbers of different types compare exactly; a missing one leaves the answer open."""
    scope, compare = scope_of(rows), SIGNS[sign]

    def answer(a: Any, b: Any) -> Any:
        return None if a is None or b is None else compare(a, b)

    agrees(Compare("amount", sign, amount), scope, rows, lambda r: answer(r["amount"], amount))
    agrees(Compare("amount", sign, Copy("rate")), scope, rows, lambda r: answer(r["amount"], r["rate"]))
    agrees(Compare("rate", sign, whole), scope, rows, lambda r: answer(r["rate"], whole))
    agrees(Compare("count", sign, Copy("amount")), scope, rows, lambda r: answer(r["count"], r["amount"]))


@PROPERTY
@given(flat_things, st.sampled_from(sorted(SIGNS)))
def test_days_instants_and_text_compare(rows: list[dict[str, Any]], sign: Any) -> None:
    """Days and instants compare by time, text by its characters."""
    scope, compare = scope_of(rows), SIGNS[sign]
    noon, day = datetime(2026, 3, 29, 1, tzinfo=UTC), date(2026, 3, 29)
    agrees(Compare("at", sign, noon), scope, rows, lambda r: None if r["at"] is None else compare(r["at"], noon))
    agrees(Compare("day", sign, day), scope, rows, lambda r: None if r["day"] is None else compare(r["day"], day))
    agrees(
        Compare("name", sign, "b"),
        scope,
        rows,
        lambda r: None if r["name"] is None else compare(r["name"].encode(), b"b"),
    )


@PROPERTY
@given(flat_things, st.sets(st.text(max_size=3), min_size=1))
def test_in_is_membership(rows: list[dict[str, Any]], values: set[str]) -> None:
    """One of several values; a missing value is not one that is absent."""
    agrees(In("name", values), scope_of(rows), rows, lambda r: None if r["name"] is None else r["name"] in values)
    agrees(IsNull("name"), scope_of(rows), rows, lambda r: r["name"] is None)


@PROPERTY
@given(flat_things)
def test_and_or_not_know_three_answers(rows: list[dict[str, Any]]) -> None:
    """What is decided stays decided whatever else is missing; the rest is open, and never taken as no."""
    scope = scope_of(rows)

    def both(row: dict[str, Any]) -> tuple[Any, Any]:
        return row["flag"], None if row["count"] is None else row["count"] > 0

    def conjunction(row: dict[str, Any]) -> Any:
        return False if False in both(row) else None if None in both(row) else True

    def disjunction(row: dict[str, Any]) -> Any:
        return True if True in both(row) else None if None in both(row) else False

    flag, count = Equals("flag", True), Compare("count", ">", 0)
    agrees(flag & count, scope, rows, conjunction)
    agrees(flag | count, scope, rows, disjunction)
    agrees(~flag, scope, rows, lambda r: None if r["flag"] is None else not r["flag"])
    assert isinstance(flag & count, And) and isinstance(flag | count, Or) and isinstance(~flag, Not)


def doubled(amounts: pa.Array) -> pa.Array:
    """Twice the amount."""
    return pc.multiply(amounts, 2)


def picky(names: pa.Array) -> tuple[pa.Array, pa.Array, str]:
    """The name, unless it is x."""
    return names, pc.equal(names, "x"), "x is nobody's name"


def wrong_type(names: pa.Array) -> pa.Array:
    """Lengths instead of names."""
    return pc.utf8_length(names)


def too_short(names: pa.Array) -> pa.Array:
    """All but one."""
    return names[1:]


def silent(names: pa.Array) -> pa.Array:
    return names


@PROPERTY
@given(flat_things)
def test_custom_functions_work_on_columns(rows: list[dict[str, Any]]) -> None:
    """A custom function makes a column, and may refuse rows with a reason."""
    rows = [row | {"count": None if row["count"] is None else row["count"] % 1000} for row in rows]
    scope = scope_of(rows)
    agrees(Custom(doubled, "count", returns=INTEGER), scope, rows, lambda r: r["count"] and r["count"] * 2)
    agrees(Custom(picky, "name", returns=TEXT), scope, rows, lambda r: REFUSED if r["name"] == "x" else r["name"])


def counted(scope: Any) -> pa.Array:
    """How many lines there are, counted through the scope."""
    _, positions, _ = scope.into("lines")
    return Count("lines").make(scope).values if len(positions) else pa.array([0] * len(scope), pa.int64())


def test_custom_functions_may_read_lists() -> None:
    """With the scope a function reaches the record's lists, and says which."""
    rows = [{"lines": [{}, {}]}, {}]
    agrees(
        Custom(counted, returns=INTEGER, with_scope=True, reads=("lines.amount", "name")),
        scope_of(rows),
        rows,
        lambda r: len(r.get("lines", ())),
    )


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Custom(silent, "name", returns=TEXT), "docstring"),
        (Custom(lambda a: a, "name", returns=TEXT), "docstring"),
        (Custom(picky, "name", "secret", returns=TEXT), "cannot take 2 columns"),
        (Custom(picky, "nam", returns=TEXT), "Did you mean"),
        (Custom(picky, "name", returns=TEXT, reads=("lines.amont",)), "Did you mean 'amount'"),
        (If("flag", "name", "name"), "is not a condition"),
        (If(Equals("flag", True), "name", "count"), "where text is wanted"),
        (Either("name", "count"), "where text is wanted"),
        (Compare("name", "<", 3), "not a value of type string"),
        (Compare("amount", "==", "1.5"), "cannot be compared"),
        (Compare("amount", "=", 1), "not a comparison"),
        (Compare("flag", "<", True), "no order"),
        (In("count", ("1",)), "not a value"),
        (In("count", ()), "at least one"),
        (Copy("lines.amount"), "use Sum, Count, First"),
        (Copy("^.name"), "leads nowhere"),
    ],
)
def test_what_cannot_be_meant(verb: Any, says: str) -> None:
    """A verb over the wrong thing is refused when it is built, and says what to write."""
    with pytest.raises(MappingError, match=says):
        verb.type(Shape(THING))


@pytest.mark.parametrize("function", [wrong_type, too_short])
def test_a_custom_function_must_keep_its_word(function: Any) -> None:
    """Another type or length than declared stops the run: it is a mistake in the program, not in a row."""
    with pytest.raises(MappingError, match="declared"):
        Custom(function, "name", returns=TEXT).make(scope_of([{"name": "a"}, {"name": "b"}]))


REFUSES = Custom(picky, "name", returns=TEXT)


@pytest.mark.parametrize(
    "verb",
    [
        Concat(REFUSES, "secret", skip_missing=True),
        Either(REFUSES, "secret"),
        IsNull(REFUSES),
        Not(IsNull(REFUSES)),
        In(REFUSES, ("a",)),
        If(IsNull(REFUSES), "secret", "secret"),
        If(Equals("flag", True), REFUSES, "secret"),
        Choose(REFUSES, values={"a": "b"}, otherwise="c"),
        Phone("secret", REFUSES),
        Custom(picky, REFUSES, returns=TEXT),
        And(IsNull(REFUSES), IsNull("secret")),
        Sum("lines", of="count", where=IsNull(Custom(picky, "title", returns=TEXT)), empty=0),
        Count("lines", where=Equals(Custom(picky, "title", returns=TEXT), "x")),
        First("lines", of=Custom(picky, "title", returns=TEXT)),
    ],
)
def test_a_refusal_is_never_lost_inside(verb: Verb) -> None:
    """What an operand refuses, the verb around it refuses, and makes no value of it."""
    scope = scope_of([{"name": "x", "flag": True, "lines": [{"title": "x", "count": 1}]}])
    made = verb.make(scope)
    assert [r.rows.to_pylist() for r in made.refusals] == [[True]]
    assert made.values.to_pylist() == [None]


def test_a_refusal_that_does_not_matter_is_dropped() -> None:
    """A branch that is not taken, or a condition that is decided without it, refuses nothing."""
    scope = scope_of([{"name": "x", "flag": False, "secret": "s"}])
    for verb in (
        If(Equals("flag", True), REFUSES, "secret"),
        Either("secret", REFUSES),
        And(Equals("flag", True), IsNull(REFUSES)),
        Or(Equals("flag", False), IsNull(REFUSES)),
    ):
        made = verb.make(scope)
        assert not any(r.rows.true_count for r in made.refusals)
        assert made.values[0].is_valid
