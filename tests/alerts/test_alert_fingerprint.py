"""What is the same trouble and what is another."""

from __future__ import annotations

import pytest

from crosswalk.alerts.fingerprint import fingerprint, normalised
from crosswalk.alerts.trouble import Trouble


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 4711 not found", "order 99 not found"),
        ("id 0b1e7c1a-11aa-4c3b-9a55-7c0d6e0f1a2b is gone", "id 9f1e7c1a-22bb-4c3b-9a55-7c0d6e0f1a2b is gone"),
        ("no answer from https://api.xero.com/a?b=1", "no answer from https://api.xero.com/c"),
        ("since 2026-11-23T09:00:00Z nothing", "since 2025-01-02 nothing"),
        ("'12,50' is no number", "'13,70' is no number"),
        ("EUR 12.50 is too much", "EUR 1,300.00 is too much"),
        ("a@b.example exists", "c.d@e.example exists"),
        ("request 7f3ab99c failed", "request 12ffab01 failed"),
    ],
)
def test_what_varies_is_left_out(one: str, other: str) -> None:
    """Numbers, ids, addresses, dates and quoted values make no other trouble."""
    assert normalised(one) == normalised(other)


def test_what_differs_stays_different() -> None:
    """Words make the difference."""
    assert normalised("the account is archived") != normalised("the account is locked")


def test_the_run_is_no_part_of_it_and_the_rest_is() -> None:
    """Environment, binding, kind, step, class and code tell troubles apart; run, title and text do not."""
    base = Trouble("run_failed", "t", binding="orders", step="load", error="Invalid", code="no such account 4")
    mark = base.fingerprint("production")
    from dataclasses import replace

    same = (replace(base, run="2", title="other", what="x"), replace(base, code="no such account 77"))
    assert {one.fingerprint("production") for one in same} == {mark}
    others = {
        base.fingerprint("staging"), replace(base, binding="customers").fingerprint("production"),
        replace(base, kind="run_died").fingerprint("production"), replace(base, step="send").fingerprint("production"),
        replace(base, error="Drift").fingerprint("production"), replace(base, code="locked").fingerprint("production"),
    }  # fmt: skip
    assert mark not in others and len(others) == 6


def test_victims_of_one_account_share_a_fingerprint() -> None:
    """An outage is one trouble whatever binding, step and error class it shows in; a refused login is another."""

    def of(binding: str, error: str) -> str:
        trouble = Trouble(
            "run_failed", "t", binding=binding, connection="books", step=binding, error=error, code=binding
        )
        return trouble.named("production", "books").fingerprint("production")

    assert of("orders", "Unreachable") == of("customers", "ServerFault") == of("orders", "Away")
    assert of("orders", "ConsentNeeded") == of("customers", "BadCredentials") != of("orders", "Unreachable")
    assert of("orders", "Invalid") != of("customers", "Invalid")
    assert len(fingerprint("production", "stale", "orders")) == 12
