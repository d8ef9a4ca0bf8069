"""Operations that differ, accounts that add up, thresholds at their lines: attacks 1.18 to 1.20."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from practising import Altered, Ground, counted, kill_self

from crosswalk.connectors import shopify
from crosswalk.connectors.base import Page
from crosswalk.connectors.facts import Never
from crosswalk.errors import BadCredentials, TooManyHeld, Unreachable
from crosswalk.integration import Thresholds, find
from crosswalk.runs import body
from crosswalk.runs.account import FATES, Account
from mappings.shopify_orders import common

ORDERS = find("shopify_orders_to_xero_invoices")
PAYMENT = "PUT /Payments"
LOST = {"kind": "lost_answer", "method": "PUT", "path": "*/Payments", "times": 1}


def never(ground: Ground, in_doubt: Literal["resend", "hold"]) -> Account:
    """A run whose payments can neither be repeated under a key nor looked up."""
    current = ground.session(integration=replace(ORDERS, in_doubt=in_doubt))
    current.target = Altered(current.target, {"xero.payments": Never()}, keyless=True)
    return body.run(current)


@pytest.mark.parametrize("how", ["killed", "lost answer"])
def test_1_18_in_doubt_hold_does_it_at_most_once(ground: Ground, how: str) -> None:
    """An operation without key and look-up whose answer is lost is held, said to be unknown, and never done again."""
    ground.fresh("part_paid").run("customers")
    _lose(ground, how, "hold")
    assert len(ground.payments()) == 1
    ground.later(400)
    never(ground, "hold")
    assert len(ground.payments()) == 1
    [held] = [h for h in ground.held() if h.step == "load"]
    assert "its answer was lost" in held.reason


@pytest.mark.parametrize("how", ["killed", "lost answer"])
def test_1_18_in_doubt_resend_does_it_at_least_once(ground: Ground, how: str) -> None:
    """The integration that asks for it gets it sent again, and it may be there twice."""
    ground.fresh("part_paid").run("customers")
    [order] = ground.orders()
    payments = [{**t, "amountSet": _money("0.50")} for t in order["transactions"]]
    ground.control.edit("orders", order["id"], {"transactions": payments})
    ground.later()
    _lose(ground, how, "resend")
    ground.later(400)
    never(ground, "resend")
    assert len(ground.payments()) == 2
    assert set(ground.states()) <= {"applied", "skipped"}


def _money(amount: str) -> dict[str, Any]:
    money = {"amount": amount, "currencyCode": "EUR"}
    return {"shopMoney": money, "presentmentMoney": money}


def _lose(ground: Ground, how: str, in_doubt: Literal["resend", "hold"]) -> None:
    if how == "killed":
        assert ground.child(lambda: never(ground, in_doubt), counted(ground, PAYMENT, kill_self)) == -9
        return
    ground.control.use_faults("xero", [LOST])
    never(ground, in_doubt)
    ground.control.clear_faults()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 3600, "headers": {"X-Rate-Limit-Problem": "day"}},
        {"kind": "status", "status": 401},
    ],
    ids=["limit", "credentials"],
)
def test_1_18_what_was_not_let_through_is_not_in_doubt(ground: Ground, fault: dict[str, Any]) -> None:
    """A limit or a refused token says that nothing was done: nothing is held, and it is made once when it may be."""
    ground.fresh("part_paid").run("customers")
    ground.control.use_faults("xero", [{**fault, "method": "PUT", "path": "*/Payments"}])
    with suppress(BadCredentials):  # a refused token fails the run, a limit queues it
        never(ground, "hold")
    assert ground.payments() == []
    ground.control.clear_faults()
    ground.clock.advance(7200)
    never(ground, "hold")
    assert len(ground.payments()) == 1
    assert ground.verdict() == []


def test_1_18_a_target_that_cannot_be_reached_leaves_nothing_in_doubt(sqlite_ground: Ground) -> None:
    """No connection, no byte sent: the payment stays pending and is not called unknown."""
    ground = sqlite_ground.fresh("part_paid")
    ground.run("customers")
    current = ground.session(integration=replace(ORDERS, in_doubt="hold"))
    real = current.target

    class Away(Altered):
        def send(self, resource: str, op: str, frozen: Any, *, key: str, **how: Any) -> Any:
            if resource == "xero.payments":
                raise Unreachable("no connection")
            return super().send(resource, op, frozen, key=key, **how)

    current.target = Away(real, {"xero.payments": Never()})
    account = body.run(current)
    assert account.queued == 1 and account.held == 0
    ground.later().run()
    assert ground.verdict() == []


def test_1_19_the_account_adds_up_over_every_kind_of_fate(ground: Ground) -> None:
    """Good, bad, held, skipped, parked and changed orders: each part is in one place, in each of three runs."""
    ground.fresh(
        "bad_date", "bad_null", "total_unexplained", "test_order", "zero_total", "long_name_order", "locked", "guest",
        "refund_mixed", "part_paid", "pending", "cancelled_unpaid", "gateway_unknown", orders=30,
    )  # fmt: skip
    first = ground.whole()[1]
    ground.control.changes(share=0.3, seed=4)
    second = ground.later().whole()[1]
    third = ground.run()
    for account in (first, second, third):
        assert account.read == account.distinct + account.duplicate
        assert account.parts == sum(getattr(account, fate) for fate in FATES)
    assert sum(third.states.values()) == len(ground.records())
    assert first.read == 30 and first.held and first.parked and first.skipped and first.created
    assert second.created and second.held
    assert third.created == third.updated == 0
    assert ground.verdict() == []


def test_1_19_held_rows_that_are_read_again_are_no_new_ones(ground: Ground) -> None:
    """The lookback brings the same bad orders again: counted once more, not warned about once more."""
    ground.fresh("bad_date", "total_unexplained", "guest", orders=12)
    first = ground.whole()[1]
    ids = tuple(ground.control.ids("orders"))
    again = ground.later().run(ids=ids)
    assert first.new_held == 2 and first.held == again.held
    assert again.new_held == 0
    assert {h.times for h in ground.held() if h.key in ids and h.step != "load"} == {2}


def test_1_19_rows_that_a_changed_table_releases_are_counted_once(ground: Ground) -> None:
    """A table that is mended releases what it held: it is read afresh and is in one place of the account."""
    ground.fresh("gateway_unknown", "guest", options='tables = "own"')
    (ground.folder / "own").mkdir()
    ground.whole()
    [held] = [h for h in ground.held() if h.rule == "Account.Code"]
    shipped = Path(common.__file__).parents[1] / "tables" / "payment_accounts.csv"
    text = shipped.read_text()
    row = next(line for line in text.splitlines() if line.startswith("paypal"))
    (ground.folder / "own" / shipped.name).write_text(f"{text.rstrip()}\n{row.replace('paypal', 'klarna')}\n")
    account = ground.later(1200).run()
    assert (account.read, account.distinct, account.created, account.held) == (1, 1, 1, 0)
    assert [p for p in ground.payments() if held.part.endswith(p["reference"])]
    assert not [h for h in ground.held() if h.rule == "Account.Code"]


def test_1_19_pages_that_come_twice_are_duplicates(ground: Ground) -> None:
    """A listing that gives every page twice, each in a chunk of its own: as many effects as records, and it adds up."""
    ground.fresh("part_paid", "bad_date", "test_order", "refund_mixed", "guest")
    ground.run("customers")
    current = ground.session(integration=replace(ORDERS, chunk_rows=1))
    real = current.source

    class Twice(Altered):
        def read(self, resource: str, window: Any, resume: str | None = None) -> Iterator[Page]:
            for page in real.read(resource, window, resume):
                yield replace(page, resume="again", total=None)
                yield replace(page, total=None)

    current.source = Twice(real)  # type: ignore[assignment]
    account = body.run(current)
    assert (account.read, account.distinct, account.duplicate) == (10, 5, 5)
    assert account.parts == sum(getattr(account, fate) for fate in FATES)
    assert account.held == 1 and account.unchanged == 0 and account.created
    assert ground.verdict() == []


def test_1_20_the_lines_stand_where_they_are_written() -> None:
    """5 % and at least 50, or half and at least 5; below either line a run goes on."""
    lines = Thresholds()
    assert not lines.crossed(49, 100) and lines.crossed(50, 1000) and not lines.crossed(50, 1001)
    assert lines.crossed(5, 10) and not lines.crossed(5, 11) and not lines.crossed(4, 4)
    assert not lines.crossed(0, 0)


@pytest.mark.parametrize(("bad", "good", "stops"), [(5, 5, True), (5, 6, False), (4, 1, False)])
def test_1_20_a_run_stops_at_the_line_before_its_chunk_is_committed(
    ground: Ground, bad: int, good: int, stops: bool
) -> None:
    """At the line the held rows are kept, the cursor stays and nothing is sent; below it everything goes on."""
    ground.fresh(*["total_unexplained"] * bad, *["pending"] * good)
    ground.run("customers")
    if stops:
        with pytest.raises(TooManyHeld, match="5 of 10 records"):
            ground.run()
        assert ground.invoices() == {}
        assert len([h for h in ground.held() if "/Order/" in h.key]) == bad
        ground.run()  # what is known to be held is no news: the next run gets past it
    else:
        ground.run()
    assert len(ground.invoices()) == good
    assert ground.verdict() == []


def test_1_20_a_persons_decisions_and_several_faults_of_one_order_do_not_stop_a_run(ground: Ground) -> None:
    """Records are counted, not reasons; rows that a table holds on purpose are counted apart."""
    ground.fresh(*["status_expired"] * 6, "gateway_unknown", "gateway_unknown")
    account = ground.whole()[1]
    assert account.held >= 6
    assert account.new_held == 2


def test_1_20_records_are_counted_and_not_their_parts(ground: Ground) -> None:
    """One order of two with six payments that are held is one held record of two, below every line."""
    ground.fresh("part_paid", "guest")
    [order] = [o for o in ground.orders() if o["displayFinancialStatus"] == "PARTIALLY_PAID"]
    [first] = order["transactions"]
    six = [{**first, "id": f"gid://shopify/OrderTransaction/{n}", "gateway": "klarna"} for n in range(900, 906)]
    ground.control.edit("orders", order["id"], {"transactions": six})
    ground.later()
    account = ground.whole()[1]
    assert account.held == 6 and account.new_held == 1


def test_1_20_what_the_target_refuses_counts_before_the_next_chunk(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Xero refuses the whole first chunk: the second one is not planned on top of it."""
    monkeypatch.setattr(shopify, "FIRST_PAGE", 5)
    monkeypatch.setattr(shopify, "LARGEST_PAGE", 5)
    ground.fresh(*["locked"] * 10)
    ground.run("customers")
    with pytest.raises(TooManyHeld):
        body.run(ground.session(integration=replace(ORDERS, chunk_rows=5)))
    assert len({h.key for h in ground.held() if h.step == "load"}) == 5
