"""R17: an engine that swallows a record anywhere on its way is caught by the run that swallowed it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from practising import Ground

from crosswalk.errors import CrosswalkError
from crosswalk.store import runs

sys.path.insert(0, str(Path(__file__).parent))

from swallowers import SWALLOWERS, Bite, Swallower

CASES = ("part_paid", "two_payments", "refund_mixed", "refund_two", "product_mug", "bad_date", "total_unexplained",
         "test_order", "pending", "pending", "guest")  # fmt: skip
ON_THE_WAY = {"pending", "in doubt", "parked"}


@pytest.mark.parametrize("one", SWALLOWERS, ids=lambda s: s.act.__name__)
def test_r17_no_run_is_silent_about_a_record_that_it_swallowed(
    sqlite_ground: Ground, monkeypatch: pytest.MonkeyPatch, one: Swallower
) -> None:
    """The run fails, or ends as queued and the record is among those that are on their way, or mends it by itself."""
    whole = _whole(sqlite_ground)
    ground = sqlite_ground.fresh(*CASES, options="batch = 50")
    bite = Bite()
    for expected in whole:
        ground.run("customers")
        with monkeypatch.context() as patch:
            one.act(patch, bite)
            told = _told(ground)
        if bite.bitten:
            assert told or _there(ground) == expected, f"a run swallowed {one.name} and nobody noticed"
            return
        _change(ground)
    pytest.fail("the mutant never bit")


def test_r17_what_the_mutants_are_compared_with_balances(sqlite_ground: Ground) -> None:
    """Without a mistake both runs complete and deliver everything."""
    first, second = _whole(sqlite_ground)
    assert first != second
    assert sqlite_ground.verdict() == []


_known: list[list[object]] = []


def _whole(ground: Ground) -> list[list[object]]:
    """What is there after each of two runs without a mistake."""
    if not _known:
        ground.fresh(*CASES, options="batch = 50")
        for _ in range(2):
            ground.run("customers")
            assert _told(ground) == ""
            _known.append(_there(ground))
            _change(ground)
        _known[:] = _known[:2]
    return _known


def _change(ground: Ground) -> None:
    ground.control.changes(share=0.5, seed=4)
    ground.later()


def _there(ground: Ground) -> list[object]:
    """Where the books are wrong, the state of every part, and what is held and why."""
    held = sorted((h.key, h.part, h.rule, h.field) for h in ground.held())
    return [ground.verdict(), sorted((n, r.state) for n, r in ground.records().items()), held]


def _told(ground: Ground) -> str:
    """Run the orders; how the run told that something is missing, empty when it completed as if nothing were."""
    try:
        account = ground.run()
    except (CrosswalkError, AssertionError) as error:
        assert _last(ground) == "failed"
        return f"{type(error).__name__}: {error}"
    if _last(ground) == "queued" and ON_THE_WAY & set(ground.states()):
        return f"queued: {account.line()}"
    return ""


def _last(ground: Ground) -> str:
    built = ground.house()
    row = runs.last(built.store, built.settings.binding("orders").scope)
    assert row is not None
    return str(row.state)
