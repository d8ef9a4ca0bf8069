"""What goes in comes out exactly once: placed, held with the rule that says why, or skipped by name."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bill_kit import BILL, CUSTOMER, DATE_RULE, LINES, NUMBER, RULES, STATUS, TEST_SKIP, applied, bills, thing
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import CONTEXT, PROPERTY, THING, frame_of, things

from crosswalk.errors import MappingError
from crosswalk.frames.payload import payloads
from crosswalk.frames.validate import validate
from crosswalk.mapping import (
    LEAVE_OUT,
    Check,
    Choose,
    Compare,
    Concat,
    Confirm,
    Const,
    Copy,
    Cut,
    Default,
    Equals,
    Example,
    Hold,
    IsNull,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Match,
    Remove,
    Rule,
    Skip,
    Sum,
)


def test_a_thing_becomes_a_bill() -> None:
    """A row without trouble is placed, named by its source key, its part and its version."""
    outcome = applied(bills(STATUS), thing("1"), thing("2"))
    assert (outcome.held, outcome.skipped) == ([], [])
    assert outcome.keys.to_pylist() == ["1", "2"]
    assert outcome.parts.to_pylist() == ["", ""]
    assert outcome.versions.to_pylist() == ["2026-07-01T10:00:00.000000Z"] * 2
    assert outcome.links["Customer.ID"].ids.to_pylist() == ["c1", "c2"]
    assert (outcome.links["Customer.ID"].to, outcome.links["Customer.ID"].of) == ("test.people", "test.customers")
    assert payloads(outcome.frame)[0] == {
        "Number": "PS-1",
        "Status": "OPEN",
        "Date": date(2026, 7, 1),
        "Lines": [{"Text": "Book", "Amount": Decimal("10")}],
    }


def test_the_four_answers_to_what_is_missing() -> None:
    """Missing holds unless a rule says otherwise: a default, or nothing at all."""
    rows = [thing("1", name=None), thing("2", name="n")]
    held = applied(bills(Rule("Note", Copy("name"))), *rows)
    assert [(h.key, h.rule, h.field) for h in held.held] == [("1", "Note", "Note")]
    assert "there is no value" in held.held[0].reason
    default = applied(bills(Rule("Note", Copy("name"), missing=Default("none"))), *rows)
    assert default.frame["Note"].to_pylist() == ["none", "n"]
    left_out = applied(bills(Rule("Note", Copy("name"), missing=LEAVE_OUT)), *rows)
    assert left_out.frame["Note"].to_pylist() == [None, "n"]


def test_what_a_verb_refuses_has_no_default() -> None:
    """A default is for what is missing, never for what has no equivalent."""
    rule = Rule("Note", Choose("name", values={"a": "A"}), missing=Default("none"), why="x")
    outcome = applied(bills(rule), thing("1", name="b"), thing("2"), thing("3", name="a"))
    assert [(h.key, h.reason, h.value_excerpt) for h in outcome.held] == [("1", "no equivalent in the rule", "b")]
    assert outcome.frame["Note"].to_pylist() == ["none", "A"]


def test_text_that_is_too_long_is_held() -> None:
    """Text is cut only by a rule that says so, and a value outside the target's list is held."""
    rows = [thing("1", name="too long"), thing("2", name="fits")]
    outcome = applied(bills(Rule("Note", Copy("name"))), *rows)
    assert [(h.key, h.reason, h.value_excerpt) for h in outcome.held] == [("1", "longer than 5 characters", "too long")]
    cut = applied(bills(Rule("Note", Cut("name", 5), why="a note may be cut")), *rows)
    assert cut.frame["Note"].to_pylist() == ["too l", "fits"]
    outcome = applied(bills(Rule("Status", Copy("name"))), *rows)
    assert {h.reason for h in outcome.held} == {"not one of OPEN, PAID"}


def test_personal_values_are_not_shown() -> None:
    """What a rule refused is not shown when it reads or fills a personal field."""
    rows = [thing("1", secret="somebody", name="somebody")]
    for rule in (Rule("Note", Copy("secret")), Rule("Person", Copy("name"))):
        (held,) = applied(bills(rule), *rows).held
        assert held.value_excerpt == "(personal)" and "somebody" not in repr(held)
    hold = Hold("somebody", Choose("secret", values={"x": True}), why="x")  # type: ignore[arg-type]
    (held,) = applied(bills(hold), *rows).held
    assert held.value_excerpt == "(personal)"


def test_a_trouble_in_a_line_holds_the_whole_record() -> None:
    """One line that cannot be placed holds its record, and no other."""
    rows = [thing("1", lines=[{"title": "Book"}, {"title": "A whole atlas"}]), thing("2"), thing("3", lines=[{}])]
    outcome = applied(bills(rules=(NUMBER, CUSTOMER, DATE_RULE, LINE_BLOCK)), *rows)
    assert [(h.key, h.rule, h.value_excerpt) for h in outcome.held] == [
        ("1", "Lines.Text", "A whole atlas"),
        ("3", "Lines.Text", ""),
    ]
    assert outcome.keys.to_pylist() == ["2"] and outcome.source_rows.to_pylist() == [1]


LINE_BLOCK = Lines("Lines", each="lines", rules=[Rule("Text", Copy("title"))])


def test_a_trouble_deep_inside_holds_the_right_record() -> None:
    """A list in a list that cannot be placed holds the record at the top, also where parts are made."""
    tags = Lines("Tags", each="taxes", rules=[Rule("Name", Copy("name"))])
    block = Lines("Lines", each="lines", rules=[Rule("Text", Copy("title")), tags])
    lines = [{"title": "a", "taxes": [{"name": "t"}]}, {"title": "b", "taxes": [{"name": "u"}, {}]}]
    rows = [thing("1"), thing("2", lines=[*lines[:1], *lines[:1]]), thing("3", lines=lines), thing("4")]
    outcome = applied(bills(rules=(NUMBER, CUSTOMER, DATE_RULE, block)), *rows)
    assert [(h.key, h.rule) for h in outcome.held] == [("3", "Lines.Tags.Name")]
    assert outcome.keys.to_pylist() == ["1", "2", "4"]


def test_lines_from_several_lists_stand_in_declared_order() -> None:
    """Blocks for one list follow each other within each record, chosen, nested and from the record itself."""
    blocks = [
        Lines("Lines", each="lines", when=Compare("count", ">", 0), why="no empty lines", rules=[
            Rule("Text", Copy("title")),
            Lines("Tags", each="taxes", rules=[Rule("Name", Copy("name")), Rule("Value", Copy("^.^.amount"))]),
        ]),
        Lines("Lines", each="returns", rules=[Rule("Text", Copy("^.name")), Rule("Quantity", Copy("count"))]),
        Lines("Lines", each="", when=Equals("flag", True), why="only for some", rules=[Rule("Text", Copy("id"))]),
    ]  # fmt: skip
    rows = [
        thing("1", name="n1", flag=True, returns=[{"count": 7}],
              lines=[{"title": "a", "count": 1, "taxes": [{"name": "t"}, {"name": "u"}]}, {"title": "b", "count": 0}]),
        thing("2", name="n2", flag=False, returns=[{"count": 8}, {"count": 9}],
              lines=[{"title": "c", "count": 2, "taxes": [{"name": "v"}]}]),
    ]  # fmt: skip
    outcome = applied(bills(rules=(NUMBER, CUSTOMER, DATE_RULE, *blocks)), *rows)
    child = outcome.frame.lines["Lines"]
    assert child.parent.to_pylist() == [0, 0, 0, 1, 1, 1]
    assert child.lines["Tags"].parent.to_pylist() == [0, 0, 3]
    made = payloads(outcome.frame)
    assert [[li["Text"] for li in bill["Lines"]] for bill in made] == [["a", "n1", "1"], ["c", "n2", "n2"]]
    tags = [[[t["Name"] for t in li.get("Tags", ())] for li in bill["Lines"]] for bill in made]
    assert tags == [[["t", "u"], [], []], [["v"], [], []]]
    assert made[0]["Lines"][0]["Tags"][0]["Value"] == Decimal(10)
    assert [li.get("Quantity") for li in made[1]["Lines"]] == [None, 8, 9]
    assert not validate(_linked(outcome), written=True).refused


def _linked(outcome: Any) -> Any:
    """The frame with the ids in place of the links."""
    table = outcome.frame.table
    for name, links in outcome.links.items():
        table = table.set_column(table.column_names.index(name), name, links.ids)
    return type(outcome.frame)(outcome.frame.record, table, outcome.frame.lines)


def test_a_skip_wins_over_a_hold_and_the_first_skip_counts() -> None:
    """A row is skipped by one name, even where other rules would refuse it."""
    skips = [TEST_SKIP, Skip("empty", Equals("name", "x"), why="y")]
    rows = [thing("1", flag=True, name="x", at=None), thing("2", name="x"), thing("3", name="y", at=None)]
    outcome = applied(bills(*skips), *rows)
    assert [(s.key, s.rule, s.source_row) for s in outcome.skipped] == [("1", "tests", 0), ("2", "empty", 1)]
    assert [(h.key, h.rule, h.source_row) for h in outcome.held] == [("3", "Date", 2)]


def test_what_cannot_be_decided_is_held() -> None:
    """A skip, hold or remove that lacks a value holds the row: unknown is never taken as no."""
    for declared in (
        TEST_SKIP,
        Hold("tests", Equals("flag", True), why="x"),
        Remove("tests", Equals("flag", True), why="x"),
        Lines("Lines", each="", when=Equals("flag", True), why="x", rules=[Rule("Text", Copy("id"))]),
    ):
        (held,) = applied(bills(declared), thing("1", flag=None)).held
        assert "cannot tell whether `flag` is yes" in held.reason
        assert held.rule == getattr(declared, "name", "Lines")


def test_a_hold_gives_its_reason() -> None:
    """A named hold leaves the row to a person, with why."""
    (held,) = applied(bills(Hold("big", Compare("amount", ">", 5), why="a person looks at it")), thing("1")).held
    assert (held.rule, held.field, held.reason, held.by_person) == ("big", "", "a person looks at it", False)


def test_a_record_to_be_removed_needs_no_values() -> None:
    """A removed row is placed with its key, though rules refuse it; a hold still holds it."""
    remove = Remove("gone", Equals("name", "gone"), why="x")
    rows = [thing("1", name="gone", at=None, lines=[{}]), thing("2", name="here"), thing("3", name="gone", flag=True)]
    outcome = applied(bills(remove, Hold("flagged", Equals("flag", True), why="x")), *rows)
    assert outcome.keys.to_pylist() == ["1", "2"]
    assert outcome.remove.to_pylist() == [True, False]
    assert [h.rule for h in outcome.held] == ["flagged"]


def test_a_persons_decision_and_everything_else_that_refuses(tmp_path: Path) -> None:
    """A row is a person's decision only when nothing else refuses it; all rules that refuse are named."""
    (tmp_path / "status.csv").write_text("name,outcome,reason\na,hold,somebody has to look\nb,OPEN,x\n")
    mapping = bills(Rule("Status", Choose("name", table="status.csv"), why="x"), tables=tmp_path)
    first, second = applied(mapping, thing("1", name="a"), thing("2", name="a", at=None), thing("3", name="b")).held
    assert (first.rule, first.by_person, first.reason, first.also) == ("Status", True, "somebody has to look", ())
    assert (second.rule, second.by_person, second.also) == ("Date", False, ("Status",))


CHECK = Check("total", Sum("Lines.Amount"), "amount", why="the cent counts")


@pytest.mark.parametrize(
    ("tolerance", "amount", "held"),
    [
        (0, "10", False),
        (0, "10.0001", True),
        ("0.01", "10.01", False),
        ("0.01", "9.99", False),
        ("0.01", "10.02", True),
    ],
)
def test_a_check_compares_target_and_source(tolerance: Any, amount: str, held: bool) -> None:
    """A difference beyond the tolerance holds the row and shows both sides."""
    check = Check("total", Sum("Lines.Amount"), "amount", tolerance, why="the cent counts")
    outcome = applied(bills(check), thing("1", amount=Decimal(amount)))
    assert [(h.rule, h.reason) for h in outcome.held] == ([("total", "the cent counts")] if held else [])
    if held:
        assert "10.0000 ≠ " in outcome.held[0].value_excerpt


def test_a_check_that_lacks_a_side_holds() -> None:
    """Nothing is not equal to nothing; but a row that a rule has refused is not checked besides."""
    rows = [thing("1", lines=[{"title": "x"}], amount=None), thing("2", lines=[{"title": "too long!"}])]
    lines = Lines("Lines", each="lines", rules=[Rule("Text", Copy("title")), Rule("Amount", Copy("amount"), LEAVE_OUT)])
    mapping = bills(CHECK, Check("day", "Date", LocalDate("at"), why="x"), rules=(NUMBER, CUSTOMER, DATE_RULE, lines))
    first, second = applied(mapping, *rows).held
    assert (first.rule, first.also) == ("total", ()) and "no value" in first.reason
    assert (second.rule, second.also) == ("Lines.Text", ())


def test_what_the_answer_must_show() -> None:
    """A confirmation carries a value for the target's own answer; a row without one is held or not compared."""
    rows = [thing("1"), thing("2", amount=None)]
    outcome = applied(bills(Confirm("Total", Copy("amount"), why="x")), *rows)
    assert outcome.expects["Total"].to_pylist() == [Decimal(10)]
    assert [h.rule for h in outcome.held] == ["Total"]
    outcome = applied(bills(Confirm("Total", Copy("amount"), why="x", missing=LEAVE_OUT)), *rows)
    assert outcome.expects["Total"].to_pylist() == [Decimal(10), None]


def test_owner_taken_and_links() -> None:
    """Fields that are set once, values for when one is taken, and links with a default and a part."""
    mapping = bills(
        Rule("Note", Copy("name"), owner="target", missing=LEAVE_OUT, taken=Concat("name", "id")),
        rules=(
            NUMBER, DATE_RULE, LINES,
            Rule("Customer.ID", Link("other.name", "a.b", "c.d", part=Concat(Const("p:"), "id")),
                 missing=Default("guests"), why="x"),
        ),
    )  # fmt: skip
    outcome = applied(mapping, thing("1", name="n"), thing("2", **{"other.name": None}))
    assert outcome.create_only == ("Note",)
    assert outcome.alternatives["Note"].to_pylist() == ["n1", None]
    links = outcome.links["Customer.ID"]
    assert links.ids.to_pylist() == ["c1", "guests"] and links.parts.to_pylist() == ["p:1", "p:2"]


def test_a_link_without_an_id_holds() -> None:
    """Nobody's bill is nobody's."""
    assert [h.rule for h in applied(bills(), thing("1", **{"other.name": None})).held] == ["Customer.ID"]


PARTS = {"each": "lines", "part": "line", "marker": "Number"}
PART_RULES = (
    Rule("Number", Marker("id", "L"), why="ours"),
    Rule("Customer.ID", Link("^.other.name", to="a.b", of="c.d"), why="x"),
    Rule("Date", LocalDate("^.at"), why="x"),
    Rule("Note", Match("^.returns", key="line", by="id", value="id"), LEAVE_OUT, why="what came back"),
    Lines("Lines", each="taxes", rules=[Rule("Text", Copy("name")), Rule("Amount", Copy("^.^.amount"))]),
    Lines("Lines", each="^.returns", rules=[Rule("Text", Copy("id")), Rule("Amount", Copy("^.amount"))]),
)


def test_a_part_for_each_element() -> None:
    """The elements of a list are rows of their own, named by the record's key and the element's."""
    rows = [
        thing("1", returns=[{"id": "r1", "line": "b", "count": 1}],
              lines=[{"id": "a", "taxes": [{"name": "t"}, {"name": "u"}]}, {"id": "b"}, {}]),
        thing("2", lines=[]),
        thing("3", lines=[{"id": "c", "title": "skip"}]),
    ]  # fmt: skip
    mapping = bills(
        Skip("s", Equals(Concat("title", "id", skip_missing=True), "skipc"), why="x"), rules=PART_RULES, **PARTS
    )
    outcome = applied(mapping, *rows)
    assert list(zip(outcome.keys.to_pylist(), outcome.parts.to_pylist(), strict=True)) == [
        ("1", "line:a"),
        ("1", "line:b"),
    ]
    assert outcome.source_rows.to_pylist() == [0, 0]
    assert outcome.versions.to_pylist() == ["2026-07-01T10:00:00.000000Z"] * 2
    assert [(h.key, h.part, h.rule) for h in outcome.held] == [("1", "line:?", "key")]
    assert outcome.held[0].also == ("s", "Number")
    assert [(s.key, s.part) for s in outcome.skipped] == [("3", "line:c")]
    first, second = payloads(outcome.frame)
    assert [li["Text"] for li in first["Lines"]] == ["t", "u", "r1"]
    assert [li["Text"] for li in second["Lines"]] == ["r1"] and second["Note"] == "r1"
    assert first["Lines"][0]["Amount"] == second["Lines"][0]["Amount"] == Decimal(10)


def test_elements_of_one_key_are_held() -> None:
    """Parts that would have one name are all held, even where a rule leaves them out; another record's are not."""
    lines = [{"id": "a", "title": "x"}, {"id": "a", "title": "skip"}, {"id": "b", "title": "x"}]
    mapping = bills(Skip("s", Equals("title", "skip"), why="x"), rules=PART_RULES, **PARTS)
    outcome = applied(mapping, thing("1", lines=lines), thing("2", lines=lines[:1]), thing("2", lines=lines[:1]))
    assert [(h.key, h.part, h.rule) for h in outcome.held if h.rule == "key"] == [("1", "line:a", "key")] * 2
    assert "several lines of the record have this id" in outcome.held[0].reason
    named = [*zip(outcome.keys.to_pylist(), outcome.parts.to_pylist(), strict=True)]
    named += [(h.key, h.part) for h in outcome.held if h.rule != "key"]
    assert sorted(named) == [("1", "line:b"), ("2", "line:a"), ("2", "line:a")] and outcome.skipped == []


def test_other_kinds_of_versions() -> None:
    """Versions sort as text: whole numbers get zeros in front, none is empty."""
    frame = frame_of(THING, [thing("1", count=7)])
    for version, expected in (("count", "00000000000000000007"), ("", ""), ("name", "")):
        record = type(THING)(THING.name, "id", version, THING.fields)
        mapping = Mapping("t", record, BILL, RULES, "id", "Number")
        assert mapping.apply(type(frame)(record, frame.table, frame.lines), CONTEXT).versions.to_pylist() == [expected]


def test_a_frame_of_something_else_is_refused() -> None:
    """A mapping takes the record that it was written for."""
    with pytest.raises(MappingError, match=r"maps test\.things, and was given test\.bills"):
        bills().apply(frame_of(BILL, []), CONTEXT)


WHOLE = bills(
    TEST_SKIP,
    Hold("big", Compare("amount", ">", 10**9), why="x"),
    Remove("gone", Equals("name", ""), why="x"),
    CHECK,
    Confirm("Total", Copy("amount"), why="x", missing=LEAVE_OUT),
    Lines(
        "Lines",
        each="",
        when=IsNull("name"),
        why="x",
        rules=[Rule("Text", Copy("id")), Rule("Amount", Copy("amount"), LEAVE_OUT)],
    ),
    Rule("Note", Copy("name"), missing=LEAVE_OUT),
)
EACH = bills(Skip("s", IsNull("title"), why="x"), rules=PART_RULES, **PARTS)


@PROPERTY
@given(things, st.sampled_from([WHOLE, EACH]))
def test_everything_comes_out_exactly_once(rows: list[dict[str, Any]], mapping: Mapping) -> None:
    """Placed, held and skipped rows are the source's rows or elements, each once, and placed ones fit the target."""
    rows = [row | {"id": f"{n}"} for n, row in enumerate(rows)]
    outcome = mapping.apply(frame_of(THING, rows), CONTEXT)
    came_out = [
        *zip(outcome.keys.to_pylist(), outcome.source_rows.to_pylist(), strict=True),
        *((h.key, h.source_row) for h in outcome.held),
        *((s.key, s.source_row) for s in outcome.skipped),
    ]
    per_row = {n: len(row["lines"]) if mapping.each else 1 for n, row in enumerate(rows)}
    assert Counter(n for _, n in came_out) == Counter({n: c for n, c in per_row.items() if c})
    assert all(key == f"{n}" for key, n in came_out)
    lengths = {len(outcome.frame), len(outcome.parts), len(outcome.versions), len(outcome.remove)}
    lengths |= {len(a) for a in (*outcome.expects.values(), *(li.ids for li in outcome.links.values()))}
    assert lengths == {len(outcome.frame)}
    for child in outcome.frame.lines.values():
        assert child.parent.to_pylist() == sorted(child.parent.to_pylist())
        for inner in child.lines.values():
            assert inner.parent.to_pylist() == sorted(inner.parent.to_pylist())
    stays = _linked(outcome).filter(pa.array([not r for r in outcome.remove.to_pylist()], pa.bool_()))
    refused = {r.field for r in validate(stays, written=True).refused}
    assert refused <= {"Lines"}


def test_an_empty_frame_has_an_empty_outcome() -> None:
    """No rows make no rows, with all columns."""
    outcome = applied(WHOLE)
    assert len(outcome.frame) == 0 and outcome.frame.table.schema == BILL.arrow
    assert set(outcome.frame.lines) == {"Lines", "Payments"}


def test_example_names_parts() -> None:
    """An example of a mapping with parts says which part it means."""
    assert Example("e", expect={"Note": None}, part="line:a").part == "line:a"
