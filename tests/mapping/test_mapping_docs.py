"""The page of a mapping is its rules, and what a person signs is exactly that page."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from bill_kit import CUSTOMER, DATE_RULE, LINES, NUMBER, RULES, STATUS, TEST_SKIP, bills

from crosswalk.errors import MappingError, NotApproved, TableError
from crosswalk.mapping import (
    LEAVE_OUT,
    Approved,
    Check,
    Choose,
    Compare,
    Confirm,
    Const,
    Copy,
    Custom,
    Default,
    Either,
    Equals,
    Example,
    Guard,
    Hold,
    Lines,
    Link,
    Mapping,
    Remove,
    Rule,
    Sum,
    Term,
    Wait,
    digest,
    page_name,
    render,
    require_approved,
)
from crosswalk.schemas.base import TEXT

TABLE = "name;outcome;reason\na;A;first | of all\nb;hold;somebody has to look\n"


def initials(names: pa.Array) -> pa.Array:
    """The first letter, because that is all a note needs."""
    return pc.utf8_slice_codeunits(names, 0, 1)


def paid(bill: dict[str, Any]) -> bool:
    """Money is booked against the bill."""
    return bool(bill.get("Paid"))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "notes.csv").write_text(TABLE)
    return tmp_path


def whole(tables: Path, **named: Any) -> Mapping:
    """A mapping with one of everything."""
    return bills(
        STATUS,
        Rule("Note", Choose("name", table="notes.csv", otherwise="?"), missing=Default("-"), owner="target", why="w"),
        Rule("Person", Custom(initials, "name", returns=TEXT), missing=LEAVE_OUT, why="w", taken=Copy("id")),
        Lines("Lines", each="", when=Equals("flag", False), why="one more", rules=[Rule("Text", Copy("id"))]),
        TEST_SKIP,
        Hold("big", Compare("amount", ">", 5), why="w"),
        Remove("gone", Equals("name", "gone"), why="w"),
        Check("total", Sum("Lines.Amount"), "amount", tolerance="0.01", why="the cent counts"),
        Confirm("Total", Copy("amount"), why="the answer shows it"),
        tables=tables,
        match="Note",
        waits=[Wait("its parent", Link("id", to="a.b", of="c.d"), why="parents come first")],
        guards=[Guard("paid", paid, why="a paid bill is not changed")],
        examples=[
            Example("a thing", given={"name": "a"}, expect={"Note": "A", "Lines[0].Text": "x"}),
            Example("a big one", given={"amount": "10"}, held={"big"}),
            Example("a test", given={"flag": True}, skipped="tests"),
            Example("gone", given={"name": "gone"}, removed=True),
        ],
        **named,
    )


PAGE = [
    ("", "| source | `test.things`, each record |"),
    ("", "| our own mark | `Number` |"),
    ("", "| recognised on first contact by | `Note` |"),
    ("Sign-off", "Not signed off."),
    ("Left out", "| tests | `flag` is yes | tests are no sales |"),
    ("Held", "| big | `amount` is more than `5` | w |"),
    ("Removed", "| gone | `name` is `gone` | w |"),
    ("Fields of test.bills", "| `Number` | our mark: the connection’s prefix, `id`, joined with `-` | hold |  |"),
    ("Fields of test.bills", "| `Note` | `name` looked up in `notes.csv` | `-` | `?` | target: set once | w |"),
    ("Fields of test.bills", "the test.people record that `other.name` of test.customers became | hold | waits |"),
    ("Fields of test.bills", "because that is all a note needs.; if that is taken, `id` | leave out |  | source | w |"),
    ("Lines: one from each of `lines`", "| `Text` | `title` | hold |  | source |  |"),
    ("Lines: one from the record itself where `flag` is no", "one more"),
    ("Checks", "| total | the sum of `Lines.Amount` | `amount`, within 0.01 | the cent counts |"),
    ("Checks", "| `Total` of the answer | `Total` as the target shows it | `amount` | the answer shows it |"),
    ("Waits", "| its parent | the a.b record that `id` of c.d became | parents come first |"),
    ("Guards", "| paid | Money is booked against the bill. | a paid bill is not changed |"),
    ("Table notes.csv", "| a | A | first \\| of all |"),
    ("Functions", "| `initials` | text | The first letter, because that is all a note needs. |"),
    ("Examples", "| a thing | `name` = `a` | `Note` = `A`<br>`Lines[0].Text` = `x` |"),
    ("Examples", "| a big one | `amount` = `10` | held by `big` |"),
    ("Examples", "| a test | `flag` is yes | left out by `tests` |"),
    ("Source fields that no rule reads", "`rate`, `count`, `day`, `secret`, `lines.id`, `lines.count`, `lines.flag`, "
                                         "`lines.taxes (list)`, `returns (list)`"),
    ("Target fields that nobody fills", "`Lines.Quantity`, `Lines.Tags (list)`"),
]  # fmt: skip


def sections(page: str) -> dict[str, str]:
    """The page by heading."""
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize(("section", "line"), PAGE)
def test_the_page_says_everything(tables: Path, section: str, line: str) -> None:
    """Every field, rule, answer to what is missing, owner, reason, table, check and example stands on the page."""
    assert line in sections(render(whole(tables)))[section]


def test_the_page_is_the_same_every_time(tables: Path) -> None:
    """Rendering twice makes the same bytes, in a file that is named after the title."""
    mapping = whole(tables)
    assert render(mapping) == render(whole(tables)) and render(mapping).endswith("`\n")
    assert render(mapping).startswith("# Things become bills\n")
    assert page_name(mapping) == "things-become-bills.md"


def test_a_table_that_is_broken_breaks_the_page(tables: Path) -> None:
    """No page is made with a table that cannot be read."""
    mapping = whole(tables)
    (tables / "notes.csv").unlink()
    with pytest.raises(TableError, match=r"notes\.csv"):
        render(mapping)


LESS = Lines("Lines", "lines", LINES.rules[:1])
CHANGES: dict[str, dict[str, Any]] = {
    "a why": {"rules": (*RULES, Rule("Note", Copy("name"), why="another"))},
    "a source": {"rules": (*RULES, Rule("Note", Copy("id")))},
    "a default": {"rules": (*RULES, Rule("Note", Copy("name"), missing=Default("-")))},
    "an owner": {"rules": (*RULES, Rule("Note", Copy("name"), owner="target"))},
    "a line rule": {"rules": (NUMBER, CUSTOMER, DATE_RULE, LESS, Rule("Note", Copy("name")))},
    "a skip": {"skips": [TEST_SKIP]},
    "a check": {"checks": [Check("total", Sum("Lines.Amount"), "amount", why="w")]},
    "a wait": {"waits": [Wait("w", Link("id", "a.b", "c.d"), why="w")]},
    "a guard": {"guards": [Guard("paid", paid, why="w")]},
    "the title": {"title": "another"},
    "the match": {"match": "Note"},
    "the part": {"part": "p"},
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with_every_rule(change: dict[str, Any]) -> None:
    """Whatever decides what is written, or why, is part of what was signed."""
    base: dict[str, Any] = {"rules": (*RULES, Rule("Note", Copy("name")))}
    assert digest(bills(**base)) == digest(bills(**base))
    assert digest(bills(**base)) != digest(bills(**(base | change)))


def test_the_digest_changes_with_a_functions_text() -> None:
    """A custom function is part of what was signed, down to its source."""
    first = bills(Rule("Note", Custom(initials, "name", returns=TEXT), why="w"))
    exec_space: dict[str, Any] = {"pc": pc}
    exec("def initials(names):\n    'The first letter.'\n    return names", exec_space)
    second = bills(Rule("Note", Custom(exec_space["initials"], "name", returns=TEXT), why="w"))
    assert digest(first) != digest(second)


def test_the_digest_is_that_of_a_tables_rows(tables: Path) -> None:
    """An outcome, a reason or a new row changes it; how the file was saved does not, nor do examples."""
    mapping = whole(tables)
    first = digest(mapping)
    (tables / "notes.csv").write_bytes(b"\xef\xbb\xbf" + TABLE.replace(";", ",").replace("\n", "\r\n").encode())
    assert digest(mapping) == first == digest(replace(mapping, examples=()))
    for changed in (TABLE.replace("A;", "B;"), TABLE.replace("somebody", "nobody"), TABLE + "c;C;x\n"):
        (tables / "notes.csv").write_text(changed)
        assert digest(mapping) != first


def test_a_binding_has_its_own_digest(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A binding that overrides a table runs other rules than those that were signed."""
    binding = tmp_path_factory.mktemp("binding")
    (binding / "notes.csv").write_text(TABLE.replace("A;", "B;"))
    mapping = whole(tables)
    assert digest(mapping) != digest(mapping, overrides=binding)
    signed = replace(mapping, approved=Approved("Ann", "2026-11-20", digest(mapping)))
    assert require_approved(signed).by == "Ann"
    with pytest.raises(NotApproved, match="has changed since Ann signed it off on 2026-11-20"):
        require_approved(signed, overrides=binding)
    both = replace(
        signed, approved=(signed.approved, Approved("Bob", date(2026, 11, 21), digest(mapping, overrides=binding)))
    )
    assert require_approved(both, overrides=binding).by == "Bob"


def test_without_a_sign_off_nothing_runs(tables: Path) -> None:
    """The refusal names the digest that is to be signed, and a change unsigns it."""
    mapping = whole(tables)
    with pytest.raises(NotApproved, match="has not been signed off") as caught:
        require_approved(mapping)
    assert digest(mapping) in str(caught.value) and "Next:" in str(caught.value)
    approved = Approved("Ann", date(2026, 11, 20), digest(mapping))
    signed = replace(mapping, approved=approved)
    assert require_approved(signed) == approved
    assert "Signed off by Ann on 2026-11-20." in render(signed)
    assert digest(signed) == digest(mapping)
    (tables / "notes.csv").write_text(TABLE.replace("A;", "B;"))
    with pytest.raises(NotApproved, match="changed since Ann"):
        require_approved(signed)
    assert "Changed since Ann signed off on 2026-11-20." in render(signed)
    with pytest.raises(NotApproved):
        require_approved(replace(mapping, approved=Approved(" ", "2026-11-20", digest(mapping))))


def test_a_term_is_named_where_it_is_used_and_explained_once() -> None:
    """A rule that is written with a name for a part of it shows the name, and the page says what it stands for."""
    total = Term("total", Sum("lines.amount", empty=0))
    note = Rule("Note", Term("short name", Either("name", "id")), why="w")
    page = render(
        bills(
            STATUS,
            note,
            Hold("large", Compare(total, ">", 5), why="w"),
            Check("c", Sum("Lines.Amount"), total, why="w"),
        )
    )
    assert (
        "| large | *total* is more than `5` | w |" in page and "| c | the sum of `Lines.Amount` | *total* | w |" in page
    )
    assert "| *total* | the sum of `lines.amount` (or `0`) |" in page
    assert "| *short name* | the first that is there of `name`, `id` |" in page
    assert page.count("(or `0`)") == 1


@pytest.mark.parametrize("name", ["", " "])
def test_a_term_needs_its_name(name: str) -> None:
    """A term without a name could not be explained."""
    with pytest.raises(MappingError, match="Term needs a name"):
        bills(STATUS, Rule("Note", Term(name, Copy("name")), why="w"))


@pytest.mark.parametrize("wrap", [lambda v: Term("note", v), lambda v: Either("name", v), lambda v: Either(v, "name")])
def test_a_constant_is_seen_through_what_it_stands_in(wrap: Any) -> None:
    """A value that the target does not take is refused, wherever in the rule it stands."""
    with pytest.raises(MappingError, match="longer than 5"):
        bills(STATUS, Rule("Note", wrap(Const("too long")), why="w"))
