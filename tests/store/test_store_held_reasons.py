"""What is told of held rows says that there is more than one cause."""

from __future__ import annotations

from crosswalk.clock import SharedClock
from crosswalk.store import held
from crosswalk.store.engine import Store
from crosswalk.store.held import Hold


def test_rows_of_one_rule_and_several_reasons_are_told_as_such(store: Store, clock: SharedClock) -> None:
    """Three rows that the target refused for two reasons are one line that names a reason and the other's number."""
    rows = [
        Hold("1", "", "load", "the target's answer", "", "the account is archived"),
        Hold("2", "", "load", "the target's answer", "", "the period is locked"),
        Hold("3", "", "load", "the target's answer", "", "the period is locked"),
        Hold("4", "", "parse", "required", "name", "is missing"),
    ]
    with store.transaction("test") as connection:
        held.put(connection, store, "scope", "run", rows, clock.now())
    assert held.reasons(store, "scope") == [
        ("the target's answer", "the account is archived (1 other reason beside it)", 3, "1"),
        ("required", "is missing", 1, "4"),
    ]


def test_several_others_are_counted() -> None:
    """Three reasons are one and two others; one alone stands by itself."""
    assert held.one_of("a", 3) == "a (2 other reasons beside it)"
    assert held.one_of("a", 1) == "a"
