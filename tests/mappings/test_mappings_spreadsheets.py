"""The real value tables as spreadsheets save them: the same decisions, and the same signature."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crosswalk.errors import TableError
from crosswalk.integration import find
from crosswalk.mapping import check_examples, digest, render
from crosswalk.mapping.examples import CONTEXT
from mappings.shopify_orders.common import TABLES

PARTS = find("shopify_orders_to_xero_invoices").parts


def saved(rows: list[list[str]], delimiter: str = ",", ends: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=ends, quoting=quoting).writerows(rows)
    return text.getvalue()


def wide(rows: list[list[str]]) -> list[list[str]]:
    """Empty columns at the right and empty rows below, as where somebody once had a note."""
    return [*([*row, "", ""] for row in rows), *([""] * (len(rows[0]) + 2) for _ in range(3))]


SAVED: dict[str, Callable[[list[list[str]]], bytes]] = {
    "semicolons and a mark of byte order": lambda rows: saved(rows, ";", "\r\n").encode("utf-8-sig"),
    "tabs": lambda rows: saved(rows, "\t", "\r\n").encode(),
    "a line that names the separator": lambda rows: ("sep=;\r\n" + saved(rows, ";", "\r\n")).encode("utf-8-sig"),
    "everything in quotes": lambda rows: saved(rows, quoting=csv.QUOTE_ALL).encode(),
    "blanks at the ends": lambda rows: saved([[f" {cell}  " for cell in row] for row in rows]).encode(),
    "empty columns and rows": lambda rows: saved(wide(rows), ";", "\r\n").encode("utf-8-sig"),
    "a row that was pasted twice": lambda rows: saved([*rows, rows[1]]).encode(),
    "no line end at the end": lambda rows: saved(rows).rstrip().encode(),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_table_means_the_same_however_it_was_saved(how: str, tmp_path: Path) -> None:
    """Every example holds, and digest and page are to the letter what they were."""
    for path in TABLES.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        body = SAVED[how](rows)
        assert body != path.read_bytes()
        (tmp_path / path.name).write_bytes(body)
    assert len(list(tmp_path.iterdir())) == 4
    for mapping in PARTS:
        assert check_examples(mapping, replace(CONTEXT, overrides=tmp_path)) == []
        assert digest(mapping, overrides=tmp_path) == digest(mapping)
        assert render(mapping, overrides=tmp_path) == render(mapping)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("0.21", "0,21", "'0,21'"),
        ("0.21", "21%", "'21%'"),
        ("TAX001", "#N/A", "#N/A"),
        ("0.09", "9-Jan", "9-Jan"),
        ("Dutch high rate", "", "empty"),
    ],
)
def test_a_table_that_lost_its_meaning_is_refused(before: str, after: str, says: str, tmp_path: Path) -> None:
    """What a spreadsheet has made of a cell is named by file, line and column, and never guessed."""
    text = (TABLES / "tax_types.csv").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "tax_types.csv").write_text(text.replace(f"{before}", f'"{after}"', 1), encoding="utf-8")
    with pytest.raises(TableError, match=r"tax_types\.csv, line \d") as refused:
        check_examples(PARTS[0], replace(CONTEXT, overrides=tmp_path))
    assert says in str(refused.value)
