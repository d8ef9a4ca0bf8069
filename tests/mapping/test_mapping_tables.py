"""Value tables come out of spreadsheets: what can be put right is, and what was destroyed is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswalk.errors import TableError
from crosswalk.mapping.tables import Choices, Table, Tables, parse_table

PLAIN = "status,outcome,reason\npaid,AUTHORISED,it is paid\nopen,hold,ask\n"


def choices(text: str | bytes, *keys: str) -> Choices:
    body = text if isinstance(text, bytes) else text.encode()
    return parse_table("t.csv", body).choices(keys or ("status",), "outcome")


def pairs(found: Choices) -> dict[str, str]:
    return dict(zip(found.keys["status"], found.values, strict=True))


SAVED = {
    "plain": PLAIN,
    "byte-order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "windows line ends": PLAIN.replace("\n", "\r\n"),
    "no last line end": PLAIN.rstrip(),
    "blanks at the ends": PLAIN.replace(",", " , "),
    "no-break spaces": PLAIN.replace("paid,", "paid\u00a0,"),
    "empty rows and columns": PLAIN.replace("\n", ",,\n") + ",,,,\n\n",
    "the separator named": "sep=;\n" + PLAIN.replace(",", ";"),
    "quotes": '"status","outcome","reason"\n"paid","AUTHORISED","it is paid"\nopen,hold,ask\n',
    "the same row twice": PLAIN + "paid,AUTHORISED,it is paid\n",
    "a capital hold": PLAIN.replace("hold", "Hold"),
}


@pytest.mark.parametrize("text", SAVED.values(), ids=SAVED)
def test_however_it_was_saved_it_says_the_same(text: str | bytes) -> None:
    """Marks, separators, line ends, blanks and doubled rows make no difference."""
    found = choices(text)
    assert pairs(found) == {"paid": "AUTHORISED", "open": "hold"}
    assert found.reasons == ["it is paid", "ask"]


def test_cells_are_text() -> None:
    """Leading zeros, signs and digits stay as they are written."""
    text = "status,outcome,reason\n007,0040,x\n+1,-0,x\n1-2,1.10,x\n,empty,an empty status\n"
    assert pairs(choices(text)) == {"007": "0040", "+1": "-0", "1-2": "1.10", "": "empty"}


REFUSED = {
    "a key twice": (PLAIN + "paid,DRAFT,x\n", r"lines 2 and 4: 'paid' stands twice and the rows differ"),
    "a reason twice": (PLAIN + "paid,AUTHORISED,another\n", r"lines 2 and 4: 'paid' stands twice"),
    "no reason": (PLAIN + "void,X,\n", "line 4: the reason is empty"),
    "no reason column": ("status,outcome\npaid,X\n", "no column 'reason'"),
    "no outcome": (PLAIN + "void,,x\n", r"line 4: 'outcome' is empty. Write a value, or 'hold'"),
    "an unknown column": ("status,outcome,colour,reason\npaid,X,red,x\n", "column 'colour' that no rule uses"),
    "a missing column": ("state,outcome,reason\npaid,X,x\n", "no column 'status'. Is 'state' meant"),
    "a column twice": ("status,status,outcome,reason\npaid,X,X,x\n", "the column 'status' stands twice"),
    "a column without name": ("status,,outcome,reason\npaid,a,X,x\n", "column 2 has cells but no name"),
    "too few cells": (PLAIN + "void,X\n", "line 4: there are 2 cells and 3 columns"),
    "too many cells": (PLAIN + "void,X,x,y\n", "columns?|no name"),
    "nothing": ("", "is empty"),
    "only a header": ("status,outcome,reason\n", "a header and no rows"),
    "an open quote": (PLAIN + 'void,"X,x\n', "A quote may be open"),
    "Windows-1252": ("status,outcome,reason\ncafé,X,x\n".encode("cp1252"), r"line 2: byte 0xe9 .*'CSV UTF-8'"),
    "UTF-16": (PLAIN.encode("utf-16"), "UTF-16"),
    "a spreadsheet": (b"PK\x03\x04rest", "a spreadsheet file"),
    "a lost character": (PLAIN.replace("open", "\ufffd"), "line 3: there is a character that was lost"),
    "a rounded number": (
        PLAIN.replace("paid,", "1.23E+11,"),
        r"line 2, column 'status': '1.23E\+11' .* rounded number",
    ),
    "a comma in it": ("status;outcome;reason\n1,23E+11;X;x\n", "rounded number"),
    "a date": (PLAIN.replace("paid,", "1-Feb,"), "line 2, column 'status': '1-Feb' looks like a date"),
    "a Dutch date": (PLAIN.replace("paid,", "02-mrt,"), "looks like a date"),
    "a date the other way": (PLAIN.replace("paid,", "Feb-02,"), "looks like a date"),
    "a whole date": (PLAIN.replace("paid,", "1/2/2026,"), "looks like a date"),
    "a date as outcome": (PLAIN.replace("AUTHORISED", "1-Feb"), "column 'outcome': '1-Feb' looks like a date"),
    "an error": (PLAIN.replace("paid,", "#N/A,"), "a formula's error"),
    "an error as outcome": (PLAIN.replace("AUTHORISED", "#REF!"), "a formula's error"),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_as_meant(text: str | bytes, says: str) -> None:
    """Each refusal names the file, the line and what to do."""
    with pytest.raises(TableError, match=rf"t\.csv.*({says})|({says}).*t\.csv"):
        choices(text)


def test_iso_dates_are_refused_among_text() -> None:
    """A date in ISO form is a spreadsheet's too, unless days are what is compared."""
    import pyarrow as pa

    found = choices("status,outcome,reason\n2026-02-01,X,x\n")
    with pytest.raises(TableError, match="line 2, column 'status': '2026-02-01' looks like a date"):
        found.key("status", pa.string())
    assert found.key("status", pa.date32()).to_pylist()[0].isoformat() == "2026-02-01"


def test_an_apostrophe_says_that_it_is_meant() -> None:
    """A cell that looks damaged and is not can be written with an apostrophe, as in the spreadsheet."""
    assert pairs(choices("status,outcome,reason\n'1E5,'1-Feb,x\n")) == {"1E5": "1-Feb"}


def test_decimals_have_a_point() -> None:
    """A decimal comma is refused with a hint, never read as thousands."""
    import pyarrow as pa

    found = choices("status;outcome;reason\n0,21;X;x\n")
    with pytest.raises(TableError, match=r"'0,21' is not a value .* Decimals have a point"):
        found.key("status", pa.decimal128(18, 8))


def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    """An edit shows at once."""
    path = tmp_path / "t.csv"
    path.write_text(PLAIN)
    first = Tables(tmp_path).read("t.csv")
    path.write_text(PLAIN + "void,X,because\n")
    assert (len(first), len(Tables(tmp_path).read("t.csv"))) == (2, 3)


cells = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd'"), min_size=1, max_size=8
).filter(lambda c: c == c.strip() and c)


@given(st.dictionaries(cells, cells, min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_any_text_survives(rows: dict[str, str], separator: str) -> None:
    """Whatever stands in a cell, quoted or not, is what is read."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow(["status", "outcome", "reason"])
    writer.writerows([k, v, "why"] for k, v in rows.items())
    table: Table = parse_table("t.csv", out.getvalue().encode())
    assert list(table.columns["status"]) == list(rows) and list(table.columns["outcome"]) == list(rows.values())
