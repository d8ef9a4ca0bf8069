"""The page of behaviours names tests that exist, and every test of the practice Xero stands on it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "practice-xero.md"


def written() -> set[str]:
    files = [
        *(ROOT / "tests" / "sandbox").glob("test_xero_*.py"),
        *(ROOT / "tests" / "contract").glob("test_xero_*.py"),
    ]
    found = set()
    for file in files:
        if file != Path(__file__):
            found |= set(re.findall(r"^def (test_\w+)", file.read_text(), re.M))
    return found


def test_every_named_test_exists() -> None:
    """Every row of docs/practice-xero.md names at least one test, and all of them exist."""
    rows = [row for row in PAGE.read_text().splitlines() if row.startswith("| ") and not row.startswith("| Behaviour")]
    assert len(rows) > 80
    named = {row: re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2]) for row in rows}
    assert [row for row, tests in named.items() if not tests] == []
    assert {test for tests in named.values() for test in tests} - written() == set()


def test_every_test_is_on_the_page() -> None:
    """Every behaviour that is tested stands on the page; tests of the checkers themselves do not."""
    page = PAGE.read_text()
    own = {"test_wrong_requests_are_found", "test_wrong_answers_are_found", "test_the_vendors_own_examples"}
    assert {test for test in written() - own if f"`{test}`" not in page} == set()
