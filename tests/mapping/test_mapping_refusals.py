"""A mapping that cannot be meant does not exist: each refusal names the mapping, the rule, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bill_kit import BILL, CUSTOMER, DATE_RULE, LINES, NUMBER, RULES, STATUS, TEST_SKIP, bills
from mapping_kit import THING

from crosswalk.errors import MappingError
from crosswalk.mapping import (
    LEAVE_OUT,
    Check,
    Choose,
    Concat,
    Confirm,
    Const,
    Constant,
    Copy,
    Count,
    Default,
    Either,
    Equals,
    Example,
    Hold,
    If,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Money,
    Rule,
    Skip,
    Sum,
)

LINE = Rule("Text", Copy("title"))
OPEN = {"Status": "OPEN"}


def test_a_right_mapping_is_built() -> None:
    """What the refusals below start from is right itself."""
    built = bills(STATUS, TEST_SKIP).built
    assert {"Number", "Status", "Lines.", "Lines.Amount"} <= built.filled
    assert {"id", "at", "lines.", "lines.title", "changed"} <= built.used


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (Rule("Note", Copy("nam")), r"Note: test.things has no field 'nam'. Did you mean 'name'"),
        (Rule("Note", Copy("Name")), "no field 'Name'"),
        (Rule("Nota", Copy("name")), r"Nota: the target test.bills has no field 'Nota'. Did you mean 'Note'"),
        (Rule("Total", Copy("amount")), r"Total: the target fills it itself; remove the rule, or use Confirm"),
        (Rule("Lines", Copy("name")), r"Lines: it is a list; fill it with Lines\('Lines'"),
        (Rule("Note", Copy("amount")), r"Note: `amount` makes decimal\(19,4\) where text is wanted"),
        (Rule("Note", LocalDate("at"), why="x"), "makes date where text is wanted"),
        (Rule("Note", Copy("lines.title")), "lies in the list 'lines'"),
        (Rule("Note", Copy("^.name")), "leads nowhere"),
        (Rule("Note", "name"), "is not a verb"),  # type: ignore[arg-type]
        (Rule("Note", Const("x")), "Note: it is more than a plain copy, so say why="),
        (Rule("Note", Const("x"), why="  "), "say why="),
        (Rule("Note", Const("too long"), why="x"), "longer than 5 characters"),
        (Rule("Note", Const(5), why="x"), "not a value of type string"),
        (Rule("Note", Const(1.5), why="x"), "float"),
        (Rule("Status", Const("SHUT"), why="x"), "'SHUT' is not one of its values: OPEN, PAID"),
        (Rule("Status", If(Equals("flag", True), Const("OPEN"), Const("SHUT")), why="x"), "'SHUT' is not one of"),
        (Rule("Status", Choose("flag", values={True: "SHUT"}), why="x"), "'SHUT' is not one of its values"),
        (Rule("Note", Copy("name"), owner="newest"), "owner='newest' is for two-way"),  # type: ignore[arg-type]
        (Rule("Note", Copy("name"), owner="ask"), "owner='ask' is for two-way"),  # type: ignore[arg-type]
        (Rule("Number", Copy("name")), "Number: two rules fill it; keep one, or use Either or If"),
        (Rule("Note", Copy("name"), missing=Default(3)), "not a value of type string"),
        (Rule("Note", Copy("name"), missing=Default("too long")), "longer than 5"),
        (Rule("Note", Copy("name"), taken=Copy("amount")), "where text is wanted"),
        (Rule("Note", Concat(Link("id", "a.b", "c.d"), "name"), why="x"), "Link stands alone"),
        (Rule("Note", Link("amount", "a.b", "c.d"), why="x"), "text is needed"),
        (Rule("Note", Link("name", "people", "c.d"), why="x"), "'people' is not a resource"),
        (Constant("Note", "x", why=""), "say why="),
        (Lines("Lnes", each="lines", rules=[LINE]), "has no list 'Lnes'; its lists: Lines, Payments"),
        (Lines("Lines", each="line", rules=[LINE]), "'line' does not lead to a list of test.things"),
        (Lines("Lines", each="lines", rules=[]), "Lines.Text: the target requires it and nobody fills it"),
        (Lines("Lines", each="lines", rules=[LINE, LINE]), "Lines.Text: two rules fill it"),
        (Lines("Lines", each="lines", rules=[LINE], when=Equals("flag", True)), "takes only some elements, so say why"),
        (Lines("Lines", each="lines", rules=[LINE], when=Equals("falg", True), why="x"), "Did you mean 'flag'"),
        (Lines("Lines", each="lines", rules=[Rule("Text", Copy("title"), owner="target")]), "sent as a whole"),
        (
            Lines("Lines", each="lines", rules=[Rule("Text", Copy("title"), taken=Copy("id"))]),
            "taken= is for the record",
        ),
        (
            Lines("Lines", each="lines", rules=[Rule("Text", Link("id", "a.b", "c.d"), why="x")]),
            "Link is for the record",
        ),
        (Lines("Lines", each="lines", rules=[LINE, Lines("Tags", each="lines", rules=[])]), "does not lead to a list"),
        (Lines("Payments", each="lines", rules=[]), "fills this list itself"),
        (Skip("", Equals("flag", True), why="x"), "it needs a name"),
        (Skip("tests", Equals("flag", True), why=""), "skip 'tests': say why="),
        (Skip("tests", Copy("flag"), why="x"), ""),  # type: ignore[arg-type]
        (Skip("tests", Copy("name"), why="x"), "is not a condition"),  # type: ignore[arg-type]
        (Hold("tests", Equals("name", 3), why="x"), "not a value of type string"),
        (Check("total", Sum("Lines.Amount"), "amuont", why="x"), "Did you mean 'amount'"),
        (Check("total", Sum("Lines.Amuont"), "amount", why="x"), "Did you mean 'Amount'"),
        (Check("total", "Number", "amount", why="x"), "text cannot be compared with decimal"),
        (Check("total", Sum("Lines.Amount"), "amount"), "check 'total': say why="),
        (Check("total", Sum("Lines.Amount"), "amount", tolerance="x", why="x"), "not a value"),
        (Confirm("Totl", Copy("amount"), why="x"), "no such field"),
        (Confirm("Total", Copy("name"), why="x"), "where decimal"),
        ("Rule", "is not a declaration"),
    ],
)
def test_a_declaration_that_cannot_be_meant(declared: Any, says: str) -> None:
    """One wrong declaration is refused with the mapping's title, the rule's name and what to write instead."""
    if not says:
        assert bills(declared).built.skips == (declared,)
        return
    with pytest.raises(MappingError, match=says) as caught:
        bills(declared)
    assert "'Things become bills' is refused" in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ((NUMBER, CUSTOMER, LINES), r"Date: the target requires it and nobody fills it; add a Rule"),
        ((NUMBER, CUSTOMER, DATE_RULE), r"Lines: the target requires it and nobody fills it; add a Lines"),
        ((CUSTOMER, DATE_RULE, LINES), "marker='Number': a rule must fill it with Marker"),
        ((Rule("Number", Copy("id")), CUSTOMER, DATE_RULE, LINES), "must fill it with Marker"),
        ((NUMBER, CUSTOMER, LINES, Rule("Date", LocalDate("at"), LEAVE_OUT, why="x")), "LEAVE_OUT cannot be"),
    ],
)
def test_what_the_target_requires(rules: Any, says: str) -> None:
    """A required field that nobody fills, or that may be left out, is refused."""
    with pytest.raises(MappingError, match=says):
        bills(rules=rules)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"key": "idd"}, "key: test.things has no field 'idd'. Did you mean 'id'"),
        ({"match": "Note"}, "match='Note': no rule fills it"),
        ({"marker": "Nowhere"}, "marker='Nowhere'"),
        ({"title": " "}, "no title"),
        ({"each": "line", "part": "p"}, "'line' does not lead to a list"),
        ({"each": "lines"}, "needs a name; write part="),
        ({"skips": [STATUS], "title": "t"}, ""),
    ],
)
def test_the_mappings_own_facts(named: dict[str, Any], says: str) -> None:
    """Key, marker, match, each and part must fit the two records."""
    if not says:
        assert bills(**named).built.rules
        return
    with pytest.raises(MappingError, match=says):
        bills(**named)


def test_everything_wrong_is_named_at_once() -> None:
    """An author sees all mistakes in one go."""
    with pytest.raises(MappingError) as caught:
        bills(Rule("Nota", Copy("name")), Rule("Note", Copy("nam")), Skip("s", Equals("flg", True), why=""))
    assert str(caught.value).count("\n- ") == 4


def test_decimals_are_never_rounded_unseen() -> None:
    """A number with more digits than its field needs a verb that says how to round."""
    rates = Lines("Lines", each="lines", rules=[LINE, Rule("Amount", Copy("^.rate"))])
    with pytest.raises(MappingError, match="say how to round, with Money or Round"):
        bills(rules=(NUMBER, CUSTOMER, DATE_RULE, rates))
    rounded = Lines("Lines", each="lines", rules=[LINE, Rule("Amount", Money("^.rate"), why="to the cent")])
    assert bills(rules=(NUMBER, CUSTOMER, DATE_RULE, rounded))


def test_two_declarations_of_one_name() -> None:
    """Rows are counted by a declaration's name, so a name stands once."""
    with pytest.raises(MappingError, match="'tests': two declarations have this name"):
        bills(TEST_SKIP, Hold("tests", Equals("flag", False), why="x"))


@pytest.mark.parametrize(
    ("example", "says"),
    [
        (Example("e", given={"nam": 1}, expect=OPEN), "given: the source test.things has no field 'nam'"),
        (Example("e", given={"amount": 1.5}, expect=OPEN), "'amount' is a float"),
        (Example("e", expect={"Statu": 1}), "no field 'Statu'"),
        (Example("e", expect={"Lines[0].Txt": 1}), r"no field 'Lines\[0\].Txt'"),
        (Example("e", held={"Stats"}), "no rule or field is named 'Stats'"),
        (Example("e", skipped="test"), "no Skip is named 'test'"),
        (Example("e", removed=True), "the mapping has no Remove"),
        (Example("e"), "say one of expect=, held=, skipped= and removed=True"),
        (Example("e", expect=OPEN, held={"Status"}), "say one of"),
    ],
)
def test_an_example_that_cannot_be_meant(example: Example, says: str) -> None:
    """An example that names what does not exist, or expects nothing, is refused when the mapping is built."""
    with pytest.raises(MappingError, match=f"example 'e'.*{says}"):
        bills(STATUS, TEST_SKIP, examples=[example])


def test_a_tables_mistakes_show_when_the_mapping_is_built(tmp_path: Path) -> None:
    """A mapping that names its tables' folder is refused with the table's own mistake."""
    (tmp_path / "status.csv").write_text("name,outcome,reason\na,OPEN,x\nb,SHUT,x\n")
    rule = Rule("Status", Choose("name", table="status.csv"), why="x")
    with pytest.raises(MappingError, match="Status: 'SHUT' is not one of its values"):
        bills(rule, tables=tmp_path)
    with pytest.raises(MappingError, match=r"Status: There is no value table stats\.csv"):
        bills(Rule("Status", Choose("name", table="stats.csv"), why="x"), tables=tmp_path)


def test_rules_are_data() -> None:
    """A mapping can be looked at, compared and printed without being run."""
    one, two = (Mapping("t", THING, BILL, RULES, "id", "Number") for _ in range(2))
    assert one == two and one.rules[0] == NUMBER
    assert "Marker(operand='id'" in repr(one)
    assert Either("a", "b") == Either("a", "b") != Either("b", "a")
    assert Count("lines") != Count("returns")
