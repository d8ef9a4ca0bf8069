"""The page, the oracle and both practice systems mean the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from plain_books import Bookkeeper

from crosswalk.clock import SharedClock
from crosswalk.sandbox.practice import Practice, Settings
from crosswalk.sandbox.seed import verdict
from crosswalk.sandbox.seed.oracle import Expected, expect

PREFIX = "SHOP"
Effects = dict[str, Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Practice, Bookkeeper]:
    """A practice of 130 orders, every case among them, whose books somebody has kept by hand."""
    practice = Practice(SharedClock(tmp_path_factory.mktemp("clock") / "clock"), Settings(seed=3, orders=130))
    books = Bookkeeper(practice, PREFIX)
    books.keep()
    return practice, books


def test_books_kept_by_hand_agree_with_the_oracle(kept: tuple[Practice, Bookkeeper]) -> None:
    """Who follows the page row by row ends with exactly the books that the oracle expects."""
    practice, _ = kept
    assert practice.verdict(PREFIX) == []
    effects, totals = practice.org.effects(), practice.expected().totals()
    assert {name: verdict.cents(value) for name, value in effects["totals"].items()} == totals
    assert min(totals.values()) > 0


def test_xero_itself_refuses_what_the_oracle_says_xero_refuses(kept: tuple[Practice, Bookkeeper]) -> None:
    """Orders in the locked period and on the archived account come back with Xero's own message, and no others."""
    practice, books = kept
    held = [left for left in practice.expected().held if left.reason in ("locked period", "archived account")]
    invoices = [message for sent, message in books.refused if "'Type': 'ACCREC'" in sent]
    assert len(invoices) == len(held) >= 3
    assert sum("lock date" in message for message in invoices) == sum(h.reason == "locked period" for h in held)


def _drop_line_tax(effects: Effects) -> None:
    line = next(x for x in effects["invoices"][0]["lines"] if x["tax"])
    line["tax"] += Decimal("0.01")


def _twice(kind: str) -> Callable[[Effects], None]:
    return lambda effects: effects[kind].append(dict(next(r for r in reversed(effects[kind]) if r.get("number", 1))))


def _lose(kind: str) -> Callable[[Effects], None]:
    return lambda effects: effects[kind].pop()


def _set(kind: str, name: str, value: object) -> Callable[[Effects], None]:
    return lambda effects: effects[kind][-1].__setitem__(name, value)


def _rename_stranger(effects: Effects) -> None:
    next(row for row in effects["contacts"] if not row["number"])["name"] = "Somebody else"


@pytest.mark.parametrize(
    "mutate",
    [
        _drop_line_tax,
        _twice("invoices"), _twice("credit_notes"), _twice("payments"), _twice("allocations"), _twice("contacts"),
        _lose("invoices"), _lose("credit_notes"), _lose("payments"), _lose("allocations"), _lose("contacts"),
        _set("invoices", "total", Decimal("1.00")), _set("invoices", "date", "2026-07-01"),
        _set("invoices", "status", "VOIDED"), _set("invoices", "contact_number", "SHOP-1"),
        _set("invoices", "currency", "GBP"), _set("invoices", "due_date", "2026-07-01"),
        _set("credit_notes", "amounts", "NoTax"),
        _set("payments", "amount", Decimal("0.01")), _set("payments", "account", "1090"),
        _set("payments", "reference", "nobody"), _set("allocations", "amount", Decimal("0.01")),
        _set("contacts", "name", "Other"), _set("contacts", "email", "x@example.test"), _rename_stranger,
    ],
)  # fmt: skip
def test_every_difference_is_seen(kept: tuple[Practice, Bookkeeper], mutate: Callable[[Effects], None]) -> None:
    """Books that lack, double or change one thing do not agree."""
    practice, _ = kept
    effects = copy.deepcopy(practice.org.effects())
    mutate(effects)
    assert verdict.books(practice.expected(), effects, PREFIX)


def test_sums_of_the_shops_own_nodes_are_the_databases(kept: tuple[Practice, Bookkeeper]) -> None:
    """Counting the shop's nodes gives what the oracle expects of the database."""
    practice, _ = kept
    orders = [practice.shop.get("orders", gid) for gid in practice.shop.ids("orders") if gid not in practice.spoil.rows]
    actual = {
        "orders": len(orders),
        "lines": sum(len(o["lineItems"]) for o in orders if o),
        "units": sum(line["quantity"] for o in orders if o for line in o["lineItems"]),
        "total": sum(verdict.cents(o["totalPriceSet"]["shopMoney"]["amount"]) for o in orders if o),
        "current": sum(verdict.cents(o["currentTotalPriceSet"]["shopMoney"]["amount"]) for o in orders if o),
    }
    assert verdict.database(practice.expected().database, actual) == []
    assert verdict.database(practice.expected().database, actual | {"lines": 1})


def test_changed_orders_are_all_that_the_oracle_expects_anew(tmp_path: Any) -> None:
    """After the changes the oracle differs for the changed orders only, and edits of paid invoices are held."""
    practice = Practice(SharedClock(tmp_path / "clock"), Settings(seed=5, orders=1000))
    before = practice.expected()
    practice.clock.sleep(timedelta(minutes=30).total_seconds())
    made = practice.change(0.01, seed=2)
    after = practice.expected()
    cases = [c.case for c in made]
    assert len(cases) == 10 and {"change_edit_paid", "change_cancel_unpaid", "change_new"} <= set(cases)
    changed = {str(c.sale.id) for c in made if c.sale and c.case not in ("change_touched",)}
    differing = {k for k in after.invoices if after.invoices[k] != before.invoices.get(k)}
    assert differing < changed and before.invoices.keys() <= after.invoices.keys()
    edits = {str(c.sale.id) for c in made if c.sale and c.case in ("change_edit_paid", "change_edit_part_paid")}
    assert edits == {left.id for left in after.held if left.reason == "edit of a paid invoice"}
    assert all(after.invoices[key] == before.invoices[key] for key in edits)
    voided = [c for c in made if c.case == "change_cancel_unpaid"]
    assert [after.invoices[str(c.sale.id)].status for c in voided if c.sale] == ["VOIDED"] * len(voided)
    assert len(after.credit_notes) == len(before.credit_notes) + cases.count("change_refund") + 1


def test_the_oracle_is_a_function_of_the_business(kept: tuple[Practice, Bookkeeper]) -> None:
    """Asked twice it says the same."""
    first: Expected = expect(kept[0].business)
    assert first == expect(kept[0].business)
