"""Values with an equivalent: from value tables, from the rule itself, from tables that a run hands in."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import CONTEXT, PROPERTY, REFUSED, THING, agrees, flat_things, scope_of

from crosswalk.errors import MappingError, TableError
from crosswalk.mapping import Choose, Context, Cut, Lookup
from crosswalk.mapping.refs import Shape
from crosswalk.mapping.tables import Tables
from crosswalk.schemas.base import INTEGER, MONEY, TEXT

RATES = """\
country,rate,outcome,reason
NL,0.21,TAX001,high
NL,0.090,TAX002,low
BE,0.21,TAX005,same rate
DE,0.19,hold,ask
"""


def folder(path: Path, **files: str) -> Tables:
    for name, text in files.items():
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return Tables(path)


@PROPERTY
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NL", "BE", "DE", "FR", "nl", "", None]),
            st.sampled_from([Decimal(n) for n in ("0.21", "0.2100", "0.09", "0.19", "0.2", "9")] + [None]),
        )
    )
)
def test_a_table_with_two_keys(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[Any, Any]]) -> None:
    """Each row gets the outcome of its keys, by value; none is refused, and a missing key is a missing value."""
    tables = folder(tmp_path_factory.mktemp("tables"), rates=RATES)
    rows = [{"name": country, "rate": rate} for country, rate in pairs]
    known = {("NL", "0.21"): "TAX001", ("NL", "0.09"): "TAX002", ("BE", "0.21"): "TAX005"}

    def expected(row: dict[str, Any]) -> Any:
        if row["name"] is None or row["rate"] is None:
            return None
        return known.get((row["name"], str(row["rate"].normalize())), REFUSED)

    agrees(Choose(table="rates.csv", country="name", rate="rate"), scope_of(rows, tables=tables), rows, expected)


def test_a_persons_decision_is_told_apart(tmp_path: Path) -> None:
    """An outcome "hold" carries the table's reason and is a person's decision; no equivalent is not."""
    rows = [{"name": "DE", "rate": Decimal("0.19")}, {"name": "XX", "rate": Decimal("0.19")}]
    scope = scope_of(rows, tables=folder(tmp_path, rates=RATES))
    person, unknown = Choose(table="rates.csv", country="name", rate="rate").make(scope).refusals
    assert (person.by_person, person.rows.to_pylist(), person.reason[0].as_py()) == (True, [True, False], "ask")
    assert (unknown.by_person, unknown.rows.to_pylist()) == (False, [False, True])
    assert "rates.csv" in str(unknown.reason) and unknown.shown[1].as_py() == "XX / 0.19000000"


@PROPERTY
@given(flat_things)
def test_a_choice_within_the_rule(rows: list[dict[str, Any]]) -> None:
    """A few values may stand in the rule; a declared fallback takes the rest, but not what is missing."""
    scope = scope_of(rows)
    words = {True: "yes", False: "no"}
    agrees(Choose("flag", values=words), scope, rows, lambda r: words.get(r["flag"]))
    names = {"a b c": "A", "": "empty"}
    agrees(
        Choose("name", values=names, otherwise="rest"),
        scope,
        rows,
        lambda r: None if r["name"] is None else names.get(r["name"], "rest"),
    )


def test_case_and_blanks_do_not_matter_when_folded() -> None:
    """With fold=True " BOOK " is book."""
    rows = [{"name": n} for n in (" BOOK ", "book", "books")]
    agrees(Choose("name", values={"Book": "4010"}, fold=True), scope_of(rows), rows,
           lambda r: REFUSED if r["name"] == "books" else "4010")  # fmt: skip


def test_outcomes_take_the_type_of_the_place(tmp_path: Path) -> None:
    """Outcomes become numbers where a number is wanted; leading zeros stay where text is."""
    tables = folder(tmp_path, t="name;outcome;reason\na;0040;x\nb;0.50;y\n")
    scope = scope_of([{"name": "a"}, {"name": "b"}], tables=tables)
    made = Choose("name", table="t.csv")
    assert made.make(scope).values.to_pylist() == ["0040", "0.50"]
    assert made.make(scope, MONEY.arrow).values.to_pylist() == [Decimal(40), Decimal("0.5")]
    with pytest.raises(TableError, match=r"t\.csv, line 3, column 'outcome': '0\.50' is not a value of type int64"):
        made.type(Shape(THING, tables=tables), INTEGER)


def test_several_result_columns(tmp_path: Path) -> None:
    """One table may answer several rules, each with its own column."""
    tables = folder(tmp_path, t="kind,account,tax,reason\na,4010,T1,x\n")
    scope = scope_of([{"name": "a"}], tables=tables)
    assert Choose("name", table="t.csv", value="account", also=("tax",)).make(scope).values.to_pylist() == ["4010"]
    assert Choose("name", table="t.csv", value="tax", also=("account",)).make(scope).values.to_pylist() == ["T1"]


def test_a_binding_overrides_a_table(tmp_path: Path) -> None:
    """A table of the same name in the binding's folder takes the place of the mapping's own."""
    own, binding = tmp_path / "own", tmp_path / "binding"
    own.mkdir(), binding.mkdir()
    folder(own, t="name,outcome,reason\na,1,x\n")
    folder(binding, t="name,outcome,reason\na,2,x\n")
    verb = Choose("name", table="t.csv")
    assert verb.make(scope_of([{"name": "a"}], tables=Tables(own))).values.to_pylist() == ["1"]
    assert verb.make(scope_of([{"name": "a"}], tables=Tables(own, binding))).values.to_pylist() == ["2"]


LOOKUPS = {"skus": pa.table({"sku": ["a", "b", "b", None], "item": [1, 2, 3, 4]})}


@PROPERTY
@given(st.lists(st.sampled_from(["a", "b", "c", None])))
def test_lookup_in_a_table_that_is_handed_in(names: list[str | None]) -> None:
    """One row is found, none is missing, several are refused, and a missing key never meets a missing key."""
    rows = [{"name": name} for name in names]
    context = Context("UTC", "PS", "EUR", lookups=LOOKUPS)
    agrees(
        Lookup("name", "skus", "sku", "item", returns=INTEGER),
        scope_of(rows, context),
        rows,
        lambda r: {"a": 1, "b": REFUSED}.get(r["name"]),
    )


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Lookup("name", "nowhere", "sku", "item", returns=INTEGER), "handed in none"),
        (Lookup("name", "skus", "sq", "item", returns=INTEGER), "no column 'sq'"),
        (Lookup("name", "skus", "item", "sku"), "item is int64"),
        (Lookup("name", "skus", "sku", "item", returns=TEXT), "where text is wanted"),
    ],
)
def test_a_lookup_that_does_not_fit(verb: Any, says: str) -> None:
    """A table that is not there, or has other columns, stops the run with its name."""
    with pytest.raises(MappingError, match=says):
        verb.make(scope_of([{"name": "a"}], Context("UTC", "PS", "EUR", lookups=LOOKUPS)))


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Choose("name"), "either table= or values="),
        (Choose("name", table="t.csv", values={"a": "b"}), "either table= or values="),
        (Choose(table="t.csv"), "needs what is compared"),
        (Choose("name", values={1: "b"}), "not a value"),
        (Choose("name", values={"a": 1.5}), "not a value|float"),
        (Choose("name", table="nowhere.csv"), "no value table nowhere.csv"),
        (Choose("name", table="tt.csv"), "Is t.csv meant"),
        (Choose("name", table="t.csv", value="account"), "no column 'account'"),
        (Choose(table="t.csv", nam="name"), "Is 'name' meant"),
        (Choose("count", table="t.csv"), "is not a value of type int64"),
        (Choose("name", table="t.csv", otherwise=4000), "not a value"),
        (Choose("name", table="fold.csv", fold=True), "lines 2 and 3: the two keys mean the same"),
        (Choose("rate", table="same.csv"), "lines 2 and 3: the two keys mean the same"),
    ],
)
def test_a_choice_that_cannot_be_meant(tmp_path: Path, verb: Any, says: str) -> None:
    """A table that is not there, lacks a column or has keys of another type is refused when the mapping is built."""
    tables = folder(
        tmp_path,
        t="name,outcome,reason\na,1,x\n",
        fold="name,outcome,reason\nbook,1,x\nBook,2,x\n",
        same="rate,outcome,reason\n0.21,1,x\n0.210,2,x\n",
    )
    with pytest.raises(MappingError, match=says):
        verb.type(Shape(THING, tables=tables))


def test_the_context_is_immutable() -> None:
    """Verbs and contexts are data: nothing changes them."""
    with pytest.raises(AttributeError):
        CONTEXT.zone = "UTC"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Cut("name", 3).length = 4  # type: ignore[misc]
