"""The page that says how the practice shop behaves names its tests, all of them, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__)
PAGE = HERE.parents[2] / "docs" / "practice-shopify.md"
NOT_IN_THE_TABLE = {HERE.name}


def named() -> set[str]:
    return set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))


def elsewhere() -> set[str]:
    """Tests of the webhooks, whose deliveries the practice shop makes."""
    files = (HERE.parents[1] / "webhooks").glob("test_*.py")
    return {name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)}


def defined() -> set[str]:
    files = [path for path in HERE.parent.glob("test_shopify_*.py") if path.name not in NOT_IN_THE_TABLE]
    return {name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)}


def test_every_behaviour_names_a_test_that_exists() -> None:
    """Each test named on the page is defined, and each row names one or the module that stands for it."""
    assert named() - defined() - elsewhere() == set()
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) > 60
    bare = [row for row in rows if not re.search(r"\| Behaviour|`test_|`crosswalk/", row)]
    assert bare == []


def test_every_test_stands_on_the_page() -> None:
    """Each test of the practice shop is named on the page: a behaviour cannot go unwritten."""
    assert defined() - named() == set()
