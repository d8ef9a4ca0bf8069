"""Rows back to objects, bytes and hashes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from frame_samples import SALE_1, Sale, raw
from hypothesis import given
from hypothesis import strategies as st

from crosswalk.frames.canonical import canonical, content_hash
from crosswalk.frames.frame import Frame
from crosswalk.frames.parse import parse
from crosswalk.frames.payload import payloads, render


def test_rows_become_nested_objects() -> None:
    """Dotted paths nest, lists stay with their record, decimals and dates stay exact, nulls are left out."""
    frame = parse(Sale, [raw(n=1), raw(n=2, buyer=None, paid=None, lines={"nodes": []})]).frame
    first, second = payloads(frame)
    assert first == SALE_1
    assert isinstance(first["total"]["amount"], Decimal)
    assert {"buyer", "paid", "lines", "notes"}.isdisjoint(second)
    assert payloads(Frame.empty(Sale)) == []


def test_bytes_carry_exact_numbers() -> None:
    """12.50 is written 12.50: not a string, not a float; dates and instants are ISO, text is UTF-8."""
    value = {
        "b": Decimal("12.50"),
        "a": Decimal("12345678901234567890.1234"),
        "n": 2**62,
        "day": date(2026, 11, 20),
        "at": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "text": 'é"\\🎈',
        "list": [True, None],
    }
    assert (
        render(value)
        == (
            '{"b":12.50,"a":12345678901234567890.1234,"n":4611686018427387904,"day":"2026-11-20",'
            '"at":"2026-11-20T09:00:00Z","text":"é\\"\\\\🎈","list":[true,null]}'
        ).encode()
    )


@pytest.mark.parametrize(
    ("value", "error"), [({"a": [1.5]}, TypeError), (Decimal("NaN"), ValueError), ({"a": float("nan")}, TypeError)]
)
def test_inexact_numbers_are_never_sent(value: Any, error: type[Exception]) -> None:
    """A float or NaN in a payload is a mistake of ours, seen before the bytes are frozen."""
    with pytest.raises(error):
        render(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Decimal("1.10"), Decimal("1.1000")),
        (Decimal("100"), Decimal("1E+2")),
        (Decimal("-0.00"), 0),
        (Decimal("5"), 5),
        (datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=1)))),
        ([1, 2], (1, 2)),
    ],
)
def test_equal_content_has_one_hash(one: object, other: object) -> None:
    """Order of members, trailing zeros, exponents and zones are no difference."""
    assert canonical(one) == canonical(other)
    assert content_hash(one) == content_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (1, True), (None, "null"), ([], {}), ({"a": None}, {}), ([1, [2]], [[1], 2]), ("é", "e\u0301"), ("", 0)],
)
def test_unequal_content_has_two_hashes(one: object, other: object) -> None:
    """What a target would tell apart, the hash tells apart."""
    assert content_hash(one) != content_hash(other)


def test_the_spelling_is_pinned() -> None:
    """Hashes are stored for years: this spelling may only change together with its prefix."""
    value = {
        "total": Decimal("37.4500"),
        "at": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "day": date(2026, 11, 20),
        "é": ["🎈", None, False, -3],
    }
    assert canonical(value) == (
        rb'{"at":"2026-11-20T09:00:00.000000Z","day":"2026-11-20","total":37.45,"\u00e9":["\ud83c\udf88",null,false,-3]}'
    )
    assert content_hash({}) == "h1:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [1.5, {"a": 1.5}, {1: "a"}, b"x", object()])
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    """A float is no content."""
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [datetime(2026, 11, 20), Decimal("NaN"), Decimal("Infinity"), Decimal("1E+1000000")])
def test_what_says_too_little_is_refused(value: object) -> None:
    """An instant without a zone and a decimal that is no number are mistakes of ours."""
    with pytest.raises(ValueError, match=r"zone|number"):
        canonical(value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_both_spellings_read_back_as_the_value(value: Any) -> None:
    """The canonical JSON and the bytes that are sent say exactly what the value says."""
    assert json.loads(canonical(value), parse_float=Decimal) == value
    if canonical(value).find(rb"\ud") < 0:
        assert json.loads(render(value), parse_float=Decimal) == value
