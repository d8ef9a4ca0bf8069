"""Sums, counts and elements of lists, lists inside lists, and the way from a refund's line to the order's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from mapping_kit import PROPERTY, REFUSED, THING, agrees, scope_of, things

from crosswalk.errors import MappingError
from crosswalk.mapping import Compare, Const, Copy, Count, Equals, First, If, Match, MatchSum, Sum
from crosswalk.mapping.refs import Shape


def total(values: list[Any]) -> Any:
    """None for nothing but nulls, REFUSED beyond 38 digits."""
    there = [v for v in values if v is not None]
    return sum(there) if there else None


@PROPERTY
@given(things)
def test_a_sum_is_exact(rows: list[dict[str, Any]]) -> None:
    """Nulls are passed over, nothing but nulls or no elements is missing, lists in lists are summed through."""
    scope = scope_of(rows)
    agrees(Sum("lines.amount"), scope, rows, lambda r: total([li["amount"] for li in r["lines"]]))
    agrees(Sum("lines.count"), scope, rows, lambda r: total([li["count"] for li in r["lines"]]))
    agrees(
        Sum("lines.taxes.amount"), scope, rows, lambda r: total([t["amount"] for li in r["lines"] for t in li["taxes"]])
    )
    agrees(
        Sum("lines.amount", empty=0),
        scope,
        rows,
        lambda r: total([li["amount"] for li in r["lines"]]) if r["lines"] else Decimal(0),
    )


@PROPERTY
@given(things)
def test_a_sum_of_what_is_made(rows: list[dict[str, Any]]) -> None:
    """A sum may be of any verb over the elements, the elements may be chosen, and they may look up to their record."""
    small = [row | {"lines": [li | {"count": (li["count"] or 0) % 100} for li in row["lines"]]} for row in rows]
    scope = scope_of(small)

    def products(row: dict[str, Any]) -> Any:
        return total([None if li["amount"] is None else li["amount"] * li["count"] for li in row["lines"]])

    def chosen(row: dict[str, Any]) -> Any:
        if any(li["flag"] is None for li in row["lines"]):
            return REFUSED
        return total([li["amount"] for li in row["lines"] if li["flag"]])

    def upwards(row: dict[str, Any]) -> Any:
        return total([row["amount"] for _ in row["lines"]])

    agrees(Sum("lines", of=Copy("amount") * "count"), scope, small, products)
    agrees(Sum("lines.amount", where=Equals("flag", True)), scope, small, chosen)
    agrees(Sum("lines", of="^.amount"), scope, small, upwards)


@PROPERTY
@given(things)
def test_counts_and_first_elements(rows: list[dict[str, Any]]) -> None:
    """A count is 0 for an empty list; the first and last element come in the list's own order."""
    scope = scope_of(rows)

    def positive(row: dict[str, Any]) -> Any:
        return [li for li in row["lines"] if li["count"] is not None and li["count"] > 0]

    def first(row: dict[str, Any]) -> Any:
        if any(li["count"] is None for li in row["lines"]):
            return REFUSED
        return next((li["title"] for li in positive(row)), None)

    agrees(Count("lines"), scope, rows, lambda r: len(r["lines"]))
    agrees(Count("lines.taxes"), scope, rows, lambda r: sum(len(li["taxes"]) for li in r["lines"]))
    agrees(First("lines.title"), scope, rows, lambda r: r["lines"][0]["title"] if r["lines"] else None)
    agrees(First("lines.title", last=True), scope, rows, lambda r: r["lines"][-1]["title"] if r["lines"] else None)
    agrees(First("lines.title", where=Compare("count", ">", 0)), scope, rows, first)


@PROPERTY
@given(things)
def test_match_finds_the_sibling(rows: list[dict[str, Any]]) -> None:
    """A return's line finds the one line of its own record by id, with all that hangs on it; several are refused."""
    inner, _, _ = scope_of(rows).into("returns")
    pairs = [(row, ret) for row in rows for ret in row["returns"]]
    flat = [ret | {"record": row} for row, ret in pairs]

    def sibling(ret: dict[str, Any], of: Any) -> Any:
        found = [li for li in ret["record"]["lines"] if li["id"] == ret["line"]] if ret["line"] is not None else []
        return REFUSED if len(found) > 1 else of(found[0]) if found else None

    for value, of in (
        ("title", lambda li: li["title"]),
        (Sum("taxes.amount"), lambda li: total([t["amount"] for t in li["taxes"]])),
        ("^.name", None),
    ):
        take = of or (lambda li: None)
        for ret, made in zip(flat, _made(Match("^.lines", "id", "line", value), inner), strict=True):
            if of is not None:
                assert made == sibling(ret, take)
            else:
                assert made == (ret["record"]["name"] if sibling(ret, lambda li: 1) == 1 else sibling(ret, take))


def test_match_knows_doubles_of_every_record() -> None:
    """Only the record that has a double is refused, whichever it is."""
    one, two = {"id": "a", "title": "x"}, {"id": "b", "title": "y"}
    rows = [
        {"lines": [one, two], "returns": [{"line": "b"}, {"line": "a"}, {"line": "c"}, {}]},
        {"lines": [two, one, two], "returns": [{"line": "a"}, {"line": "b"}]},
        {"lines": [one], "returns": [{"line": "a"}, {"line": "b"}]},
    ]
    inner, _, _ = scope_of(rows).into("returns")
    made = _made(Match("^.lines", "id", "line", "title"), inner)
    assert made == ["y", "x", None, None, "x", REFUSED, "x", None]


@PROPERTY
@given(things)
def test_a_matched_sum_stays_within_the_record(rows: list[dict[str, Any]]) -> None:
    """A line gets what all returns of its own record took of it, whatever another record's line of one id had."""
    small = [row | {"returns": [x | {"count": (x["count"] or 0) % 100} for x in row["returns"]]} for row in rows]
    inner, _, _ = scope_of(small).into("lines")
    flat = [(row, li) for row in small for li in row["lines"]]

    def taken(row: dict[str, Any], line: dict[str, Any]) -> Any:
        found = [x["count"] for x in row["returns"] if x["line"] is not None and x["line"] == line["id"]]
        return sum(found) if found else None

    plain = [taken(*pair) for pair in flat]
    assert _made(MatchSum("^.returns", "line", "id", "count"), inner) == plain
    assert _made(MatchSum("^.returns", "line", "id", "count", empty=0), inner) == [x or 0 for x in plain]
    even = pc.equal(pc.bit_wise_and(pa.array(range(len(inner))), 1), 0)
    assert _made(MatchSum("^.returns", "line", "id", "count"), inner.filter(even)) == plain[::2]


def test_a_matched_sum_refuses_what_it_cannot_add_up() -> None:
    """A line whose return cannot be counted is refused; the lines beside it are not."""
    rows = [{"lines": [{"id": "a"}, {"id": "b"}], "returns": [{"line": "a"}, {"line": "b", "count": 2}]}]
    inner, _, _ = scope_of(rows).into("lines")
    known = If(Compare("count", ">", 0), "count", Const(0))
    assert _made(MatchSum("^.returns", "line", "id", known), inner) == [REFUSED, 2]
    assert _made(MatchSum("^.returns", "line", "id", known, empty=0), inner) == [REFUSED, 2]


def _made(verb: Any, scope: Any) -> list[Any]:
    from mapping_kit import values_of

    return values_of(verb.make(scope))


@PROPERTY
@given(things)
def test_names_lead_up_and_across(rows: list[dict[str, Any]]) -> None:
    """Inside a list "^." is the record, "^.^." its record, and "^.list" the record's other lists."""
    taxes, _, _ = scope_of(rows).into("lines.taxes")
    flat = [(row, li) for row in rows for li in row["lines"] for _ in li["taxes"]]
    assert taxes.column("^.title").to_pylist() == [li["title"] for _, li in flat]
    assert taxes.column("^.^.name").to_pylist() == [row["name"] for row, _ in flat]
    assert _made(Count("^.^.returns"), taxes) == [len(row["returns"]) for row, _ in flat]
    assert _made(Sum("^.taxes.amount"), taxes) == [total([t["amount"] for t in li["taxes"]]) for _, li in flat]
    assert taxes.top_rows.to_pylist() == [n for n, row in enumerate(rows) for li in row["lines"] for _ in li["taxes"]]


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Sum("lines.title"), "a number is needed"),
        (Sum("lines"), "name a field of the list's elements"),
        (Sum("lines.amount", of="count"), "name a field of the list's elements"),
        (Sum("amount"), "does not lead to a list"),
        (Sum("lines.amount", empty="x"), "not a value"),
        (Sum("lines.amount", where=Copy("flags")), "no field 'flags'"),
        (Count("lines.amount"), "is a field, not a list"),
        (First("lines.amuont"), "Did you mean 'amount'"),
        (Match("lines", "id", "count", "title"), "cannot be compared"),
        (Match("lines", "idd", "id", "title"), "Did you mean 'id'"),
        (MatchSum("lines", "id", "count", "count"), "cannot be compared"),
        (MatchSum("lines", "id", "id", "title"), "a number is needed"),
        (MatchSum("lines", "id", "id", "count", empty="x"), "not a value"),
    ],
)
def test_lists_that_cannot_be_meant(verb: Any, says: str) -> None:
    """A list verb on the wrong thing is refused when it is built, and says what to write."""
    with pytest.raises(MappingError, match=says):
        verb.type(Shape(THING))


def test_a_sum_that_is_too_large_is_refused() -> None:
    """A sum never wraps around."""
    rows = [{"lines": [{"count": 2**63 - 1}] * 3}]
    agrees(Sum("lines.count"), scope_of(rows), rows, lambda r: 3 * (2**63 - 1))
