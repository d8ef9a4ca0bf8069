"""R26: a store that is older than the world, or empty in a world that knows us; and what a rerun sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from practising import Ground, counted, kill_self, number

from crosswalk.connectors.facts import Never
from crosswalk.delivery.prepare import OWN_VERSION
from crosswalk.runs import body
from crosswalk.store import backup

CASES = ("part_paid", "two_payments", "refund_mixed", "refund_two", "cancelled_refunded", "pending", "pending", "guest")
KINDS = ("contacts", "invoices", "credit_notes", "payments", "allocations")


def _effects(ground: Ground) -> dict[str, list[str]]:
    """What the practice Xero holds, by kind and in an order of its own."""
    there = ground.control.effects()
    return {kind: sorted(map(str, there[kind])) for kind in KINDS}


def _back_up(ground: Ground) -> Path:
    file = ground.folder.parent / "older.gz"
    backup.backup(ground.house().store, file)
    return file


def test_r26_an_older_store_goes_on_without_doubling_what_it_has_forgotten(ground: Ground) -> None:
    """A copy from between two runs is restored after a third: the books are as if nothing had been forgotten."""
    ground.fresh(*CASES)
    ground.whole()
    file = _back_up(ground)
    for seed in (4, 5):
        ground.control.changes(share=0.4, seed=seed)
        ground.later().whole()
    delivered = _effects(ground)
    assert ground.verdict() == []
    backup.restore(ground.house().store, file)
    ground.later().whole(2)
    assert _effects(ground) == delivered
    assert ground.verdict() == []
    assert set(ground.states()) <= {"applied", "skipped", "removed"}


def test_r26_an_older_store_delivers_what_changed_since(ground: Ground) -> None:
    """Restored, and orders have changed since the last run: the changes arrive, or are held because nobody remembers
    what stood there before; nothing arrives twice."""
    ground.fresh(*CASES)
    file = _back_up(ground)
    ground.whole()
    ground.control.changes(share=0.5, seed=4)
    backup.restore(ground.house().store, file)
    ground.later().whole(2)
    wrong = {line.split()[1].rstrip(":") for line in ground.verdict() if not line.endswith("missing")}
    assert wrong <= {number(h.key) for h in ground.held() if h.rule == OWN_VERSION}
    doubled = [line for line in ground.verdict() if "there twice" in line or "should not be there" in line]
    assert doubled == []


@pytest.mark.parametrize("kind", ["invoice", "payment", "credit note"])
def test_r26_what_was_in_doubt_when_the_copy_was_made_is_resolved(sqlite_ground: Ground, kind: str) -> None:
    """The copy holds an attempt whose answer was lost, and which was resolved and changed since: still one effect."""
    ground = sqlite_ground.fresh(*CASES)
    ground.run("customers")
    path = {"invoice": "PUT /Invoices", "payment": "PUT /Payments", "credit note": "PUT /CreditNotes"}[kind]
    assert ground.child(ground.run, counted(ground, path, kill_self)) == -9
    file = _back_up(ground)
    ground.later().whole()
    ground.control.changes(share=0.4, seed=6)
    ground.later().whole()
    delivered = _effects(ground)
    backup.restore(ground.house().store, file)
    ground.later(900).whole(2)
    assert _effects(ground) == delivered
    assert ground.verdict() == []


def test_r26_an_empty_store_adopts_a_target_that_carries_our_references(ground: Ground) -> None:
    """Contacts, invoices, payments, credit notes, refund payments and allocations: each is found and none is made."""
    ground.fresh(*CASES)
    ground.whole()
    delivered, known = _effects(ground), ground.states()
    ids = {name: row.target_id for name, row in ground.records().items()}
    assert all(delivered.values())
    ground.empty_store()
    before = ground.control.counts()
    ground.later().whole(2)
    assert ground.wrote(before) == {}
    assert _effects(ground) == delivered
    assert ground.verdict() == []
    assert ground.states() == known
    assert {name: row.target_id for name, row in ground.records().items()} == ids


def test_r26_what_cannot_be_looked_up_is_held_until_somebody_has_made_sure(sqlite_ground: Ground) -> None:
    """An empty store, and a target that cannot be asked for its payments: none is made a second time."""
    ground = sqlite_ground.fresh("part_paid", "guest")
    ground.whole()
    delivered = _effects(ground)
    ground.empty_store()
    ground.later().run("customers")
    body.run(_blind(ground))
    assert _effects(ground) == delivered
    assert {h.rule for h in ground.held() if "/Order/" in h.key} == {"older than the store"}


def _blind(ground: Ground) -> Any:
    from practising import Altered

    current = ground.session()
    current.target = Altered(current.target, {"xero.payments": Never()})
    return current


@pytest.mark.parametrize("how", ["restored", "empty"])
def test_r26_an_invoice_whose_link_was_forgotten_is_voided(ground: Ground, how: str) -> None:
    """An order is cancelled, and the store does not know its invoice: it is looked up by our reference and voided."""
    ground.fresh("pending", "pending", "guest")
    ground.run("customers")
    file = _back_up(ground)
    ground.run()
    order = next(o for o in ground.orders() if o["displayFinancialStatus"] == "PENDING")
    if how == "empty":
        ground.empty_store()
    else:
        backup.restore(ground.house().store, file)
    ground.control.edit("orders", order["id"], {"cancelledAt": "2026-11-23T08:00:00Z"})
    ground.later().whole()
    voided = {number for number, invoice in ground.invoices().items() if invoice["status"] == "VOIDED"}
    assert voided == {f"S1-{order['legacyResourceId']}"}
    assert len(ground.invoices()) == 3
    before = ground.control.counts()
    ground.later().whole()
    assert ground.wrote(before) == {}


def test_r26_an_order_that_was_cancelled_before_it_was_delivered_is_skipped(ground: Ground) -> None:
    """Nothing of it is at the target, as a look-up shows: nothing is made, and nothing is asked again."""
    ground.fresh("cancelled_unpaid", "pending", "guest")
    ground.whole()
    assert ground.states().get("skipped", 0) >= 1
    before = ground.control.counts()
    ground.later().whole()
    assert ground.wrote(before) == {}
    assert ground.verdict() == []


@pytest.mark.parametrize("write", ["PUT /Invoices", "PUT /Payments", "PUT /CreditNotes"])
def test_a_rerun_sends_only_what_was_left(ground: Ground, write: str) -> None:
    """Killed half-way and run again: both runs send what one would have sent, and a third run sends no write."""
    ground.fresh(*CASES, options="batch = 2")
    ground.run("customers")
    start = ground.control.counts()
    ground.run()
    whole = ground.wrote(start)
    ground.fresh(*CASES, options="batch = 2")
    ground.run("customers")
    start = ground.control.counts()
    assert ground.child(ground.run, counted(ground, write, kill_self, nth=2)) == -9, ground.errors()
    killed = ground.wrote(start)
    assert 0 < sum(killed.values()) < sum(whole.values())
    ground.run()
    both = ground.wrote(start)
    # The request whose answer the killed process had not written down goes out once more, under its own key.
    assert {path: both[path] - (path == write) for path in both} == whole
    before = ground.control.counts()
    ground.run()
    assert ground.wrote(before) == {}
    assert ground.verdict() == []
