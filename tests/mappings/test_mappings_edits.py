"""What happens at the shop after an order was invoiced, and what Xero must then show: end to end, write by write."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import Any

import pytest
from practising import Ground, number
from test_mappings_cases import (
    CONTACT,
    CREDIT,
    CUSTOMERS,
    INVOICE,
    ORDERS,
    PAYMENT,
    Wrong,
    held_orders,
    wrong_integration,
)

from crosswalk.mapping import Guard, Mapping
from crosswalk.runs import body

USED = "an edit of a used credit note: money or an invoice hangs on it, so a change of it is a person's decision"
REASON = "an edit of a paid invoice: money is booked against the invoice, so a change of it is a person's decision"


def invoiced(ground: Ground, *cases: str, orders: int = 0) -> Ground:
    """The business with everything delivered, and the requests at Xero forgotten."""
    ground.fresh(*cases, orders=orders)
    ground.whole()
    assert ground.verdict() == []
    ground.later().control.forget_requests()
    return ground


def changed(ground: Ground, kind: str) -> str:
    """One change of a kind, run; the order's number, or the customer's."""
    (made,) = ground.control.changes(share=0.001, kinds=[kind])
    ground.later().run("customers")
    ground.run("orders")
    assert made["case"] == kind
    return number(str(made["order"] or made["customer"]))


def only(ground: Ground) -> dict[str, Any]:
    (invoice,) = ground.invoices().values()
    return invoice


def test_an_unpaid_invoice_is_updated(sqlite_ground: Ground) -> None:
    """An edit of an open order changes its invoice, which stays the same one, with one request."""
    ground = invoiced(sqlite_ground, "pending")
    before = only(ground)
    changed(ground, "change_edit_unpaid")
    after = only(ground)
    assert after["id"] == before["id"] and after["total"] != before["total"]
    assert len(after["lines"]) == len(before["lines"]) + 1
    assert ground.wrote() == {"POST /Invoices": 1} and ground.verdict() == [] and held_orders(ground) == set()


@pytest.mark.parametrize(
    ("case", "kind"), [("plain", "change_edit_paid"), ("part_paid", "change_edit_part_paid")], ids=["paid", "part paid"]
)
def test_a_paid_invoice_is_left_as_it_is_and_its_edit_held(sqlite_ground: Ground, case: str, kind: str) -> None:
    """An edit of an invoice with money booked against it is held with the guard's reason; nothing is written."""
    ground = invoiced(sqlite_ground, *([] if case == "plain" else [case]), orders=1)
    before = only(ground)
    order = changed(ground, kind)
    assert only(ground) == before and ground.wrote() == {} and ground.verdict() == []
    (held,) = [h for h in ground.held() if number(h.key) == order]
    assert (held.part, held.reason) == ("", REASON)
    assert ground.records()[order, ""].state == "held"
    ground.later().run("orders")
    assert ground.wrote() == {} and held_orders(ground) == {order}


def renamed(ground: Ground) -> str:
    """An unpaid order with a credit note taken off its invoice gets another number in the shop; not run yet."""
    invoiced(ground, "refund_unpaid")
    (order,) = ground.control.ids("orders")
    ground.control.edit("orders", order, {"name": "#7001"})
    ground.later()
    return order


def test_a_credit_on_an_unpaid_invoice_guards_both(sqlite_ground: Ground) -> None:
    """What was taken off the invoice instead of paid is booked against it just as money is, and was used."""
    order = renamed(sqlite_ground)
    sqlite_ground.run("orders")
    assert sqlite_ground.wrote() == {} and only(sqlite_ground)["reference"] != "#7001"
    held = {h.part.partition(":")[0]: h.reason for h in sqlite_ground.held() if h.key == order}
    assert held == {"": REASON, "credit": USED}


def test_an_edit_that_is_taken_back_frees_the_order(sqlite_ground: Ground) -> None:
    """When the paid order is again as it was invoiced, nothing is held and nothing was written."""
    ground = invoiced(sqlite_ground, orders=1)
    (order,) = ground.control.ids("orders")
    name = (ground.control.node("orders", order) or {})["name"]
    for wanted, held in (("#7001", {number(order)}), (name, set())):
        ground.control.edit("orders", order, {"name": wanted})
        ground.later().run("orders")
        assert held_orders(ground) == held
    assert ground.wrote() == {} and ground.verdict() == []


def test_a_cancelled_unpaid_invoice_is_voided(sqlite_ground: Ground) -> None:
    """An order that is cancelled before it was paid has its invoice voided; its restocking makes no credit note."""
    ground = invoiced(sqlite_ground, "pending")
    changed(ground, "change_cancel_unpaid")
    assert only(ground)["status"] == "VOIDED" and ground.control.effects()["credit_notes"] == []
    assert sum(ground.wrote().values()) == 1 and ground.verdict() == [] and held_orders(ground) == set()


@pytest.mark.parametrize("kind", ["change_refund", "change_cancel_paid"])
def test_a_refund_of_a_paid_order_is_a_credit_note_and_its_payment(sqlite_ground: Ground, kind: str) -> None:
    """A refund adds a credit note and a refund payment, and leaves the invoice as it is, cancelled or not."""
    ground = invoiced(sqlite_ground, orders=1)
    before = only(ground)
    changed(ground, kind)
    assert only(ground) == before and before["status"] == "PAID"
    assert ground.wrote() == {"PUT /CreditNotes": 1, "PUT /Payments": 1} and ground.verdict() == []


def test_money_that_comes_later_is_a_payment(sqlite_ground: Ground) -> None:
    """A payment of an open order is written and nothing else."""
    ground = invoiced(sqlite_ground, "pending")
    changed(ground, "change_paid")
    assert only(ground)["status"] == "PAID"
    assert ground.wrote() == {"PUT /Payments": 1} and ground.verdict() == []


def test_a_customer_who_changes_is_a_contact_that_is_updated(sqlite_ground: Ground) -> None:
    """A new name and a new address go to the contact; the customer's invoices are not touched."""
    ground = invoiced(sqlite_ground, orders=1)
    before = only(ground)
    (order,) = ground.control.ids("orders")
    customer = (ground.control.node("orders", order) or {})["customer"]["id"]
    ground.control.edit("customers", customer, {"firstName": "Renate", "lastName": "Nieuwenhuis"})
    ground.later().run("customers")
    ground.run("orders")
    after = only(ground)
    assert after["contact_name"].startswith("Renate Nieuwenhuis") and not before["contact_name"].startswith("Renate")
    assert after == before | {"contact_name": after["contact_name"]}
    assert ground.wrote() == {"POST /Contacts": 1}
    ground.control.forget_requests()
    changed(ground, "change_customer")
    assert ground.wrote() == {"POST /Contacts": 1}


def test_an_order_that_was_only_touched_costs_xero_nothing(sqlite_ground: Ground) -> None:
    """An order with a newer version of the same content is read, and no request goes to Xero for it."""
    ground = invoiced(sqlite_ground, orders=1)
    ground.control.changes(share=0.001, kinds=["change_touched"])
    ground.later()
    account = ground.run("orders").as_dict()
    assert (account["read"], account["unchanged"], account["created"] + account["updated"]) == (1, account["parts"], 0)
    assert ground.control.counts()["xero"]["total"] == 0 and ground.verdict() == []


# the same with a rule that is wrong


def never(invoice: Dict[str, Any]) -> bool:
    """No invoice is guarded."""
    return False


def always(invoice: Dict[str, Any]) -> bool:
    """Every invoice is guarded."""
    return bool(invoice) or True


def only_paid(invoice: Dict[str, Any]) -> bool:
    """Only money counts, and not what was credited."""
    return bool(invoice.get("AmountPaid"))


def guard(when: Any, target: str = INVOICE) -> Wrong:
    """A mapping with this guard instead of its own."""

    def change(mapping: Mapping) -> Mapping:
        (own,) = mapping.guards
        return replace(mapping, guards=[Guard(own.name, when, own.why)])

    return Wrong(target, change=change)


CHANGES: dict[str, tuple[str, Wrong]] = {
    "change_edit_unpaid": ("pending", guard(always)),
    "change_cancel_unpaid": ("pending", Wrong(INVOICE, "cancelled unpaid | dropped")),
    "change_cancel_paid": ("", Wrong(INVOICE, "cancelled unpaid | when: And without 1")),
    "change_refund": ("", Wrong(CREDIT, "LineItems of refundLineItems | dropped")),
    "change_paid": ("pending", Wrong(PAYMENT, "no money came in | when: operand: And 0: In without 'SALE'")),
    "change_customer": ("", Wrong(CONTACT, "EmailAddress | owner=target")),
}


def both(ground: Ground, wrong: Wrong) -> None:
    """A pass over customers and orders with a rule mutated."""
    for binding, name in (("customers", CUSTOMERS), ("orders", ORDERS)):
        body.run(ground.session(binding, integration=wrong_integration(name, wrong)))


def wrongly(ground: Ground, kind: str, case: str, wrong: Wrong) -> None:
    """A business of one case, and one change of a kind, with a rule mutated throughout."""
    ground.fresh(*([case] if case else []), orders=1)
    both(ground, wrong)
    (made,) = ground.later().control.changes(share=0.001, kinds=[kind])
    assert made["case"] == kind
    both(ground.later(), wrong)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_wrong_rule_breaks_the_change(kind: str, sqlite_ground: Ground) -> None:
    """With one rule mutated the books differ after the change, or what is right is held."""
    wrongly(sqlite_ground, kind, *CHANGES[kind])
    expected = {left["order"] for left in sqlite_ground.control.expected()["held"]}
    assert sqlite_ground.verdict() or held_orders(sqlite_ground) - expected


@pytest.mark.parametrize(("kind", "case"), [("change_edit_paid", ""), ("change_edit_part_paid", "part_paid")])
def test_without_the_guard_an_edit_of_paid_books_is_sent(kind: str, case: str, sqlite_ground: Ground) -> None:
    """It is the guard that stops the edit: without it Xero is asked, and it is left to Xero to refuse."""
    wrongly(sqlite_ground, kind, case, guard(never))
    assert sqlite_ground.wrote()["POST /Invoices"] == 1
    assert REASON not in [h.reason for h in sqlite_ground.held()]


@pytest.mark.parametrize(
    ("wrong", "missing"), [(guard(only_paid), REASON), (guard(never, CREDIT), USED)], ids=["invoice", "credit note"]
)
def test_without_its_guard_a_credited_document_is_not_held_by_it(
    wrong: Wrong, missing: str, sqlite_ground: Ground
) -> None:
    """A guard that looks at money alone, or at nothing, does not hold what a credit is booked against."""
    order = renamed(sqlite_ground)
    body.run(sqlite_ground.session("orders", integration=wrong_integration(ORDERS, wrong)))
    reasons = {h.reason for h in sqlite_ground.held() if h.key == order}
    assert missing not in reasons and len({REASON, USED} & reasons) == 1
