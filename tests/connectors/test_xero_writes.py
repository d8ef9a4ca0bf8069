"""Writing to Xero: exact bytes, one result for every member, matched by our number; against the practice Xero."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from book_rows import (
    allocation,
    contact,
    document,
    invoice,
    line,
    made,
    note,
    payment,
    refund_payment,
    with_id,
    write,
)
from practice_systems import Systems

from crosswalk.connectors.base import Item, Result
from crosswalk.connectors.xero import BATCH
from crosswalk.errors import AnswerLost, Throttled
from crosswalk.http.answer import ONCE
from crosswalk.sandbox.faults import Rule


def told(results: list[Result]) -> list[tuple[int, str]]:
    return [(r.item, r.outcome) for r in results]


def effects(systems: Systems, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = systems.org.effects()[what]
    return found


@pytest.mark.parametrize("reversed_answers", [False, True])
def test_results_belong_to_their_members_in_any_order(systems: Systems, reversed_answers: bool) -> None:
    """A bad member fails alone, and every id lands on the record whose number it carries."""
    systems.org.reverse_answers = reversed_answers
    systems.org.edit("Contacts", {"Name": "Visser 2"})
    items = [contact(n) for n in range(4)]
    results = write(systems.xero(), "xero.contacts", items)
    assert told(results) == [(0, "applied"), (1, "applied"), (2, "taken"), (3, "applied")]
    assert results[2].field == "Name" and "already assigned" in results[2].message
    by_number = {c["number"]: c["id"] for c in effects(systems, "contacts")}
    assert [r.target_id for r in results] == [by_number.get(i.marker) for i in items]
    assert all(r.target_version and r.target_version.endswith("+00:00") for r in results if r.outcome == "applied")


def test_a_member_that_the_answer_does_not_name_is_in_doubt(systems: Systems) -> None:
    """It is neither done nor undone until it has been looked up; nor is one that the answer names twice."""
    xero = systems.xero()
    items = [contact(n) for n in range(3)]
    frozen = xero.freeze("xero.contacts", "create", items)
    answer = xero.send("xero.contacts", "create", frozen, key="k", repeat=ONCE)
    body = json.loads(answer.body)
    body["Contacts"] = [body["Contacts"][2], body["Contacts"][1], body["Contacts"][1]]
    less = type(answer)(200, answer.headers, json.dumps(body).encode(), answer.sent_at, answer.ended_at)
    assert told(xero.read_answer("xero.contacts", "create", items, less)) == [
        (0, "doubt"),
        (1, "doubt"),
        (2, "applied"),
    ]
    for cut in (b"", b"{}", b'{"Contacts":null}', b"[]"):
        broken = type(answer)(200, answer.headers, cut, answer.sent_at, answer.ended_at)
        assert {r.outcome for r in xero.read_answer("xero.contacts", "create", items, broken)} == {"doubt"}


def test_bytes_are_exact_and_the_same_every_time(systems: Systems) -> None:
    """Decimals are written as the numbers they are, and what is frozen twice is equal."""
    xero = systems.xero()
    item = invoice(1, "c", LineItems=[line("0.1235", Quantity=Decimal("1E+1"), TaxAmount=Decimal("12345678901.23"))])
    frozen = xero.freeze("xero.invoices", "create", [item])
    again = Item(item.key, item.marker, dict(reversed(item.payload.items())))
    assert frozen == xero.freeze("xero.invoices", "create", [again])
    assert type(frozen).unpack(frozen.pack()) == frozen
    sent = json.loads(frozen.body, parse_float=str, parse_int=str)["Invoices"][0]
    assert sent["LineItems"][0]["UnitAmount"] == "0.1235"
    assert Decimal(sent["LineItems"][0]["Quantity"]) == 10
    assert sent["LineItems"][0]["TaxAmount"] == "12345678901.23"
    assert sent["Date"] == "2026-11-20"
    assert dict(frozen.params) == {"summarizeErrors": "false", "unitdp": "4"}
    assert (frozen.method, frozen.path) == ("PUT", "/api.xro/2.0/Invoices")


def test_batches_keep_to_members_and_bytes(systems: Systems) -> None:
    """No request carries more than it may; order stays; one note for each request of allocations."""
    xero = systems.xero()
    many = [contact(n) for n in range(120)]
    sizes = [len(b) for b in xero.batches("xero.contacts", "create", many)]
    assert sizes == [BATCH, BATCH, 20]
    fat = [contact(n, Addresses=[{"AddressLine1": "x" * 400_000}]) for n in range(20)]
    groups = list(xero.batches("xero.contacts", "create", fat))
    assert [i for g in groups for i in g] == fat and len(groups) == 3
    assert all(len(xero.freeze("xero.contacts", "create", g).body) <= 3_500_000 for g in groups)
    assert [len(b) for b in xero.batches("xero.allocations", "create", [allocation("n", "i", "1")] * 3)] == [1, 1, 1]
    assert list(xero.batches("xero.contacts", "create", [])) == []
    with pytest.raises(ValueError, match="1 to 50"):
        xero.freeze("xero.contacts", "create", many)


def test_what_xero_refuses_carries_its_own_words(systems: Systems) -> None:
    """A locked period and an archived account are told in Xero's words, and cost the other members nothing."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    items = [
        invoice(1, one),
        invoice(2, one, Date=date(2026, 6, 30)),
        invoice(3, one, LineItems=[line(AccountCode="4030")]),
    ]
    results = write(xero, "xero.invoices", items)
    assert told(results) == [(0, "applied"), (1, "refused"), (2, "refused")]
    assert "lock date" in results[1].message and "archived" in results[2].message
    assert results[0].echo["Total"] == Decimal("100.00")
    assert [d["number"] for d in effects(systems, "invoices")] == ["S1-1"]


def test_a_number_of_ours_that_exists_is_a_conflict(systems: Systems) -> None:
    """A create never overwrites: contact, invoice and credit note with a number that is there are told apart."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    for resource, item in (("xero.invoices", invoice(1, one)), ("xero.credit_notes", note(1, one))):
        made(xero, resource, item)
        [again] = write(xero, resource, [item], key=f"{resource} again")
        assert again.outcome == "conflict", again.message
    [again] = write(xero, "xero.contacts", [contact(1, "Another name")], key="another")
    assert (again.outcome, again.field) == ("conflict", "ContactNumber")
    assert len(effects(systems, "invoices")) == len(effects(systems, "credit_notes")) == 1


def test_an_update_changes_the_record_with_the_id(systems: Systems) -> None:
    """It is sent with the id, never by name; without one it is not sent at all."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    [result] = write(xero, "xero.contacts", [with_id(contact(1), one, Name="De Vries")], "update")
    assert (result.outcome, result.target_id) == ("applied", one)
    assert [(c["id"], c["name"]) for c in effects(systems, "contacts")] == [(one, "De Vries")]
    with pytest.raises(ValueError, match="without an id"):
        xero.freeze("xero.contacts", "update", [contact(1)])
    gone = with_id(contact(9), "11111111-2222-3333-4444-555555555555")
    [result] = write(xero, "xero.contacts", [gone], "update")
    assert result.outcome == "gone"


def test_an_invoice_is_removed_by_voiding_it_once(systems: Systems) -> None:
    """An approved one is voided, a draft deleted; one with a payment is refused in Xero's words."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    items = [invoice(1, one), invoice(2, one, Status="DRAFT"), invoice(3, one)]
    ids = [made(xero, "xero.invoices", item) for item in items]
    made(xero, "xero.payments", payment(1, ids[2], "10.00"))
    removals = [with_id(item, found) for item, found in zip(items, ids, strict=True)]
    results = write(xero, "xero.invoices", removals, "remove")
    assert told(results) == [(0, "applied"), (1, "applied"), (2, "refused")]
    assert [d["status"] for d in effects(systems, "invoices")] == ["VOIDED", "DELETED", "AUTHORISED"]
    found = xero.look_up("xero.invoices", "remove", removals)
    assert [f and f.applied for f in found] == [True, True, False]


def test_payments_refunds_and_allocations(systems: Systems) -> None:
    """Payments in a batch, each found by its Reference; a credit note is allocated and its rest paid back."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    bills = [made(xero, "xero.invoices", invoice(n, one)) for n in (1, 2)]
    paid = write(xero, "xero.payments", [payment(1, bills[0], "40.00"), payment(2, bills[1], "100.01")])
    assert told(paid) == [(0, "applied"), (1, "refused")]
    credit = made(xero, "xero.credit_notes", note(1, one))
    set_off = allocation(credit, bills[0], "60.00")
    [result] = write(xero, "xero.allocations", [set_off])
    assert (result.outcome, result.target_id) == ("applied", f"{credit}:{bills[0]}")
    [result] = write(xero, "xero.refund_payments", [refund_payment(7, credit, "40.00")])
    assert result.outcome == "applied", result.message
    totals = systems.org.effects()["totals"]
    assert (totals["payments"], totals["allocations"], totals["refunds"]) == (
        Decimal("40.00"),
        Decimal("60.00"),
        Decimal("40.00"),
    )
    [result] = write(xero, "xero.payments", [with_id(payment(1, bills[0]), str(paid[0].target_id))], "remove")
    assert result.outcome == "applied"


def test_a_request_that_cannot_be_read_is_sent_member_by_member(systems: Systems) -> None:
    """A refusal of the whole names nobody; alone, the one that is meant is refused and the other goes through."""
    xero = systems.xero()
    items = [contact(1), contact(2, ContactStatus="NONSENSE")]
    assert told(write(xero, "xero.contacts", items)) == [(0, "alone"), (1, "alone")]
    [first] = write(xero, "xero.contacts", items[:1], key="alone 1")
    [second] = write(xero, "xero.contacts", items[1:], key="alone 2")
    assert (first.outcome, second.outcome) == ("applied", "refused")
    assert "NONSENSE" in second.message


def test_the_same_key_is_one_effect_while_it_lives(systems: Systems) -> None:
    """Sent again within six minutes the answer is the same; with other bytes nothing is known."""
    xero = systems.xero()
    first = write(xero, "xero.contacts", [contact(1)], key="k")
    systems.clock.advance(300)
    again = write(xero, "xero.contacts", [contact(1)], key="k")
    assert again == first
    assert [r.outcome for r in write(xero, "xero.contacts", [contact(2)], key="k")] == ["doubt"]
    systems.clock.advance(61)
    assert [r.outcome for r in write(xero, "xero.contacts", [contact(1)], key="k")] == ["conflict"]
    assert len(effects(systems, "contacts")) == 1
    frozen = xero.freeze("xero.contacts", "create", [contact(3)])
    with pytest.raises(ValueError, match="128"):
        xero.send("xero.contacts", "create", frozen, key="k" * 129, repeat=ONCE)


def test_a_lost_answer_is_raised_and_looked_up(systems: Systems) -> None:
    """The effect is there, nobody was told: the look-up finds it by our reference, for every kind of record."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    bill, credit = made(xero, "xero.invoices", invoice(1, one)), made(xero, "xero.credit_notes", note(1, one))
    lost: dict[str, Item] = {
        "xero.contacts": contact(2),
        "xero.invoices": invoice(2, one),
        "xero.credit_notes": note(2, one),
        "xero.payments": payment(1, bill, "10.00"),
        "xero.allocations": allocation(credit, bill, "20.00"),
        "xero.refund_payments": refund_payment(2, credit, "30.00"),
    }
    for resource, item in lost.items():
        assert xero.look_up(resource, "create", [item]) == [None], resource
        systems.practice.use_faults("xero", [Rule("lost_answer", method="PUT", nth=1)])
        with pytest.raises(AnswerLost):
            write(xero, resource, [item], key=resource, repeat=ONCE)
        [found] = xero.look_up(resource, "create", [item])
        assert found is not None and found.carries_marker and found.applied, resource
        [again] = write(xero, resource, [item], key=resource, repeat=ONCE)
        assert again.target_id == found.target_id, resource


def test_a_strangers_record_does_not_carry_our_marker(systems: Systems) -> None:
    """An allocation that a person made for another amount is not ours; a bill with our number is not our invoice."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    bill, credit = made(xero, "xero.invoices", invoice(1, one)), made(xero, "xero.credit_notes", note(1, one))
    write(xero, "xero.allocations", [allocation(credit, bill, "5.00")])
    [found] = xero.look_up("xero.allocations", "create", [allocation(credit, bill, "20.00")])
    assert found is not None and not found.carries_marker and not found.applied
    bought = document(one, Type="ACCPAY", InvoiceNumber="S1-9", Date="2026-11-20", DueDate="2026-12-20")
    bought["LineItems"] = [
        {"Description": "Paper", "Quantity": 1, "UnitAmount": 10, "AccountCode": "4000", "TaxType": "NONE"}
    ]
    systems.org.edit("Invoices", bought)
    assert xero.look_up("xero.invoices", "create", [invoice(9, one)]) == [None]


def test_many_are_looked_up_in_few_requests(systems: Systems) -> None:
    """Forty numbers fit one request, archived contacts and voided invoices are found too."""
    xero = systems.xero()
    contacts = [contact(n) for n in range(45)]
    ids = [str(r.target_id) for r in write(xero, "xero.contacts", contacts)]
    systems.org.edit("Contacts", {"ContactID": ids[3], "ContactStatus": "ARCHIVED"})
    before = systems.arrived("xero")
    found = xero.look_up("xero.contacts", "create", [*contacts, contact(99)])
    assert [f and f.target_id for f in found] == [*ids, None]
    assert systems.arrived("xero") - before == 2
    bills = [invoice(n, ids[0]) for n in range(3)]
    bill_ids = [str(r.target_id) for r in write(xero, "xero.invoices", bills)]
    write(xero, "xero.invoices", [with_id(bills[0], bill_ids[0])], "remove")
    looked = xero.look_up("xero.invoices", "create", bills)
    assert [f and (f.target_id, f.status) for f in looked] == [
        (bill_ids[0], "VOIDED"),
        (bill_ids[1], "AUTHORISED"),
        (bill_ids[2], "AUTHORISED"),
    ]
    with pytest.raises(ValueError, match="quote"):
        xero.look_up("xero.contacts", "create", [Item("x", 'S1" OR 1==1', {})])


def test_the_targets_own_version_is_read_before_a_change(systems: Systems) -> None:
    """Records by id as they stand now, whoever changed them; one that is gone is left out."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    [first] = write(xero, "xero.invoices", [invoice(1, one)])
    systems.clock.advance(5)
    systems.org.edit("Invoices", {"InvoiceID": first.target_id, "Reference": "by hand"})
    nobody = "11111111-2222-3333-4444-555555555555"
    now = xero.current("xero.invoices", [str(first.target_id), nobody])
    assert list(now) == [first.target_id]
    found = now[str(first.target_id)]
    assert found.echo["Reference"] == "by hand" and (found.target_version or "") > (first.target_version or "")
    assert xero.current("xero.credit_notes", [nobody]) == {}


def test_limits_are_waited_for_or_handed_back(systems: Systems) -> None:
    """Over the minute is waited for, over the day is told with its wait."""
    systems.org.limits.minute = 10
    xero = systems.xero()
    for n in range(25):
        made(xero, "xero.contacts", contact(n))
    assert len(effects(systems, "contacts")) == 25
    systems.org.limits.day = 10
    with pytest.raises(Throttled) as error:
        made(xero, "xero.contacts", contact(99))
    assert error.value.scope == "day" and error.value.wait > 120
