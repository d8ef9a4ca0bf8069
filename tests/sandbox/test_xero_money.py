"""Credit notes, allocations, payments and refunds of the practice Xero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from xero_client import Got, Xero, errors, line, messages, note, payment

EXCEEDS = "Payment amount exceeds the amount outstanding on this document"


@pytest.fixture
def xero() -> Xero:
    return Xero()


def get(xero: Xero, path: str) -> dict[str, Any]:
    return dict(xero.call("GET", path).json[path.split("/")[1]][0])


def invoice_now(xero: Xero, shown: dict[str, Any]) -> dict[str, Any]:
    return get(xero, f"/Invoices/{shown['InvoiceID']}")


def note_now(xero: Xero, shown: dict[str, Any]) -> dict[str, Any]:
    return get(xero, f"/CreditNotes/{shown['CreditNoteID']}")


def allocate(xero: Xero, credit: dict[str, Any], invoice: dict[str, Any], amount: float, **query: str) -> Got:
    one = {"Invoice": {"InvoiceID": invoice["InvoiceID"]}, "Amount": amount, "Date": "2026-11-22"}
    return xero.call("PUT", f"/CreditNotes/{credit['CreditNoteID']}/Allocations", {"Allocations": [one]}, **query)


def refund(xero: Xero, credit: dict[str, Any], amount: float, **fields: Any) -> Got:
    element = {
        "CreditNote": {"CreditNoteID": credit["CreditNoteID"]},
        "Account": {"Code": "1010"},
        "Date": "2026-11-22",
        "Amount": amount,
        **fields,
    }
    return xero.call("PUT", "/Payments", {"Payments": [element]})


def pay_all(xero: Xero, *elements: dict[str, Any], **query: str) -> Got:
    return xero.call("PUT", "/Payments", {"Payments": list(elements)}, **query)


# Credit notes


def test_note_is_created(xero: Xero) -> None:
    """A credit note has its number, its totals, its remaining credit and no due date."""
    shown = xero.note(CreditNoteNumber="CN-9", Reference="refund-9")
    assert (shown["CreditNoteNumber"], shown["Reference"], shown["Status"]) == ("CN-9", "refund-9", "AUTHORISED")
    assert (shown["Total"], shown["RemainingCredit"]) == (Decimal("121.00"), Decimal("121.00"))
    assert (shown["Allocations"], shown["Payments"]) == ([], [])
    assert get(xero, "/CreditNotes/CN-9")["CreditNoteID"] == shown["CreditNoteID"]
    assert xero.note()["CreditNoteNumber"] == "CN-0001"


def test_note_number_is_unique(xero: Xero) -> None:
    """PUT with a CreditNoteNumber that exists is refused, unless the switch makes Xero careless about it."""
    xero.note(CreditNoteNumber="CN-9")
    element = note(xero.some_contact(), CreditNoteNumber="CN-9")
    assert errors(xero.call("PUT", "/CreditNotes", element)) == ["Credit note number must be unique."]
    xero.org.unique_note_numbers = False
    assert xero.call("PUT", "/CreditNotes", element).status == 200
    assert [n["number"] for n in xero.org.effects()["credit_notes"]] == ["CN-9", "CN-9"]


def test_note_post_upserts(xero: Xero) -> None:
    """POST updates the credit note of that id or number, else it creates."""
    shown = xero.note(CreditNoteNumber="CN-9")
    for element in ({"CreditNoteID": shown["CreditNoteID"], "Reference": "a"}, {"CreditNoteNumber": "cn-9"}):
        got = xero.call("POST", "/CreditNotes", {"CreditNotes": [element]}).json["CreditNotes"][0]
        assert got["CreditNoteID"] == shown["CreditNoteID"]
    got = xero.call("POST", "/CreditNotes", note(xero.some_contact(), CreditNoteNumber="CN-10"))
    assert got.json["CreditNotes"][0]["CreditNoteID"] != shown["CreditNoteID"]


def test_note_is_found_by_where(xero: Xero) -> None:
    """The look-up of a credit note is where=CreditNoteNumber=="..."; there is no filter for ids or numbers."""
    xero.note(CreditNoteNumber="CN-8")
    shown = xero.note(CreditNoteNumber="CN-9")
    got = xero.call("GET", "/CreditNotes", where='CreditNoteNumber=="CN-9"', page="1").json["CreditNotes"]
    assert [n["CreditNoteID"] for n in got] == [shown["CreditNoteID"]]
    assert len(xero.call("GET", "/CreditNotes", IDs=shown["CreditNoteID"], page="1").json["CreditNotes"]) == 2


def test_note_rules_are_those_of_invoices(xero: Xero) -> None:
    """Lock dates, accounts and status flow hold for credit notes too; a void note gives no credit."""
    for wrong in ({"Date": "2026-06-01"}, {"LineItems": [line(AccountCode="4030")]}, {"Type": "ACCREC"}):
        assert xero.call("PUT", "/CreditNotes", note(xero.some_contact(), **wrong)).status == 400
    shown, bill = xero.note(), xero.invoice()
    voided = xero.call("POST", f"/CreditNotes/{shown['CreditNoteID']}", {"Status": "VOIDED"})
    assert voided.json["CreditNotes"][0]["Status"] == "VOIDED"
    assert errors(allocate(xero, shown, bill, 1)) == ["Credit can only be allocated from an authorised credit note"]


# Allocations


def test_allocation(xero: Xero) -> None:
    """An allocation takes from the remaining credit and from what is due, and both records show it."""
    bill, credit = xero.invoice(), xero.note()
    made = allocate(xero, credit, bill, 50).json["Allocations"][0]
    assert (made["Amount"], made["Invoice"]["InvoiceID"]) == (Decimal("50.00"), bill["InvoiceID"])
    note_after, bill_after = note_now(xero, credit), invoice_now(xero, bill)
    assert note_after["RemainingCredit"] == Decimal("71.00") == bill_after["AmountDue"]
    (shown,) = note_after["Allocations"]
    assert (shown["AllocationID"], shown["Invoice"]["InvoiceID"]) == (made["AllocationID"], bill["InvoiceID"])
    assert shown["Amount"] == Decimal("50.00") and shown["Date"] == "/Date(1795305600000+0000)/"


def test_allocation_settles_both(xero: Xero) -> None:
    """A whole allocation makes the note and the invoice PAID; neither can then be edited."""
    bill, credit = xero.invoice(), xero.note()
    assert allocate(xero, credit, bill, 121).status == 200
    assert (invoice_now(xero, bill)["Status"], note_now(xero, credit)["Status"]) == ("PAID", "PAID")
    assert xero.call("POST", f"/CreditNotes/{credit['CreditNoteID']}", {"Status": "VOIDED"}).status == 400


def test_allocation_only_up_to_amount_due(xero: Xero) -> None:
    """An allocation may not exceed what is due on the invoice, nor the remaining credit."""
    bill, credit = xero.invoice(), xero.note(LineItems=[line(UnitAmount=50)])
    xero.pay(bill["InvoiceID"], 100)
    assert errors(allocate(xero, credit, bill, 21.01)) == [
        "The amount to allocate exceeds the amount outstanding on this invoice"
    ]
    assert errors(allocate(xero, credit, xero.invoice(), 60.51)) == [
        "The amount to allocate exceeds the remaining credit of this credit note"
    ]
    assert allocate(xero, credit, bill, 21).status == 200


def test_no_allocation_to_a_paid_invoice(xero: Xero) -> None:
    """A paid invoice takes no allocation: its refund is a payment of the note."""
    bill, credit = xero.invoice(), xero.note()
    xero.pay(bill["InvoiceID"], 121)
    assert allocate(xero, credit, bill, 121).status == 400
    assert refund(xero, credit, 121).status == 200


def test_allocation_of_another_contact(xero: Xero) -> None:
    """Note and invoice must have the same contact and currency."""
    credit = xero.note()
    for bill in (xero.invoice(xero.contact("Other")), xero.invoice(CurrencyCode="GBP")):
        assert errors(allocate(xero, credit, bill, 1)) == [
            "The credit note and the invoice must have the same contact, currency and side"
        ]


def test_allocation_needs(xero: Xero) -> None:
    """An allocation needs an invoice that exists, an amount above zero and a date outside locked periods."""
    bill, credit = xero.invoice(), xero.note()
    path = f"/CreditNotes/{credit['CreditNoteID']}/Allocations"
    good = {"Invoice": {"InvoiceID": bill["InvoiceID"]}, "Amount": 1, "Date": "2026-11-22"}
    for wrong in ({"Invoice": {}}, {"Amount": 0}, {"Date": None}, {"Date": "2026-06-30"}):
        assert xero.call("PUT", path, {"Allocations": [{**good, **wrong}]}).status == 400
    assert xero.call("PUT", path, good).status == 200
    assert xero.call("PUT", "/CreditNotes/unknown/Allocations", good).status == 404


def test_allocations_each_their_own(xero: Xero) -> None:
    """summarizeErrors=false holds for allocations: each has its own result, the same one twice is two."""
    bill, credit = xero.invoice(), xero.note()
    one = {"Invoice": {"InvoiceID": bill["InvoiceID"]}, "Amount": 50, "Date": "2026-11-22"}
    path = f"/CreditNotes/{credit['CreditNoteID']}/Allocations"
    got = xero.call("PUT", path, {"Allocations": [one, one, one]}, summarizeErrors="false")
    assert [a["StatusAttributeString"] for a in got.json["Allocations"]] == ["OK", "OK", "ERROR"]
    assert messages(got.json["Allocations"][2])
    assert xero.org.effects()["totals"]["allocations"] == Decimal("100.00")


def test_allocation_is_taken_back(xero: Xero) -> None:
    """DELETE of an allocation gives the credit back and makes the invoice due again."""
    bill, credit = xero.invoice(), xero.note()
    made = allocate(xero, credit, bill, 121).json["Allocations"][0]
    path = f"/CreditNotes/{credit['CreditNoteID']}/Allocations/{made['AllocationID']}"
    got = xero.call("DELETE", path)
    assert (got.status, got.json["IsDeleted"]) == (200, True)
    assert (invoice_now(xero, bill)["Status"], note_now(xero, credit)["RemainingCredit"]) == (
        "AUTHORISED",
        Decimal("121.00"),
    )
    assert xero.call("DELETE", path).status == 404


# Payments


def test_payment(xero: Xero) -> None:
    """A payment shows its invoice, account, day, amount and reference; a GET by id shows the same."""
    bill = xero.invoice(InvoiceNumber="N-1")
    made = xero.pay(bill["InvoiceID"], 21, Reference="tx-1").json["Payments"][0]
    assert (made["PaymentType"], made["Status"], made["Amount"]) == ("ACCRECPAYMENT", "AUTHORISED", Decimal("21.00"))
    assert (made["Account"]["Code"], made["Reference"], made["Date"]) == ("1010", "tx-1", "/Date(1795219200000+0000)/")
    assert (made["Invoice"]["InvoiceNumber"], made["Invoice"]["AmountDue"]) == ("N-1", Decimal("100.00"))
    assert get(xero, f"/Payments/{made['PaymentID']}")["PaymentID"] == made["PaymentID"]


def test_payment_by_number_and_account_id(xero: Xero) -> None:
    """A payment may name its invoice by number and its account by id."""
    xero.invoice(InvoiceNumber="N-1")
    element = payment("", 21, Invoice={"InvoiceNumber": "N-1"})
    element["Account"] = {"AccountID": xero.org.state.accounts["1020"].id}
    assert pay_all(xero, element).json["Payments"][0]["Account"]["Code"] == "1020"


def test_payment_not_above_due(xero: Xero) -> None:
    """A payment may not exceed what is due, in one batch or in several."""
    bill = xero.invoice()
    assert errors(xero.pay(bill["InvoiceID"], 121.01)) == [EXCEEDS]
    half = payment(bill["InvoiceID"], 60.5)
    got = pay_all(xero, half, half, half, summarizeErrors="false").json["Payments"]
    assert [p["StatusAttributeString"] for p in got] == ["OK", "OK", "ERROR"]
    assert got[2]["HasValidationErrors"] and messages(got[2]) == [EXCEEDS]
    assert got[2]["PaymentID"] == "00000000-0000-0000-0000-000000000000"
    assert errors(xero.pay(bill["InvoiceID"], 1)) == [EXCEEDS]


def test_payments_are_all_or_nothing_by_default(xero: Xero) -> None:
    """Without summarizeErrors=false one bad payment refuses all."""
    bill = xero.invoice()
    assert pay_all(xero, payment(bill["InvoiceID"], 21), payment(bill["InvoiceID"], 200)).status == 400
    assert invoice_now(xero, bill)["AmountDue"] == Decimal("121.00")


def test_same_reference_twice(xero: Xero) -> None:
    """Two payments may carry one reference: Xero itself does not stop a double."""
    bill = xero.invoice()
    for _ in range(2):
        assert xero.pay(bill["InvoiceID"], 21, Reference="tx-1").status == 200
    assert [p["reference"] for p in xero.org.effects()["payments"]] == ["tx-1", "tx-1"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Amount": None}, "Payment amount must be greater than zero"),
        ({"Amount": 0.004}, "Payment amount must be greater than zero"),
        ({"Date": None}, "Payment date must be specified"),
        ({"Invoice": None}, "A payment must be linked to an invoice or credit note that exists"),
        ({"Invoice": {"InvoiceNumber": "no"}}, "A payment must be linked to an invoice or credit note that exists"),
        ({"Account": None}, "Account must be valid."),
        ({"Account": {"Code": "9999"}}, "Account code '9999' is not a valid code for this document."),
        ({"Account": {"Code": "4030"}}, "Account code '4030' has been archived, or has been deleted."),
        ({"Account": {"Code": "4000"}}, "The account must be a bank account or have payments to it enabled."),
        (
            {"Date": "2026-06-30"},
            "The payment date cannot be before the period lock date, currently set at 30-Jun-2026",
        ),
    ],
)
def test_payment_needs(xero: Xero, fields: dict[str, Any], message: str) -> None:
    """A payment needs a document, an account that takes payments, a date outside locked periods and an amount."""
    bill = xero.invoice()
    assert errors(pay_all(xero, payment(bill["InvoiceID"], 21, **fields))) == [message]


def test_account_with_payments_enabled(xero: Xero) -> None:
    """An account that is no bank account takes payments where they are enabled."""
    bill = xero.invoice()
    assert xero.pay(bill["InvoiceID"], 21, Account={"Code": "2100"}).status == 200


@pytest.mark.parametrize("status", ["DRAFT", "VOIDED"])
def test_payment_of_unapproved(xero: Xero, status: str) -> None:
    """Only approved documents are paid."""
    bill = xero.invoice(Status="DRAFT" if status == "DRAFT" else "AUTHORISED")
    if status == "VOIDED":
        xero.call("POST", f"/Invoices/{bill['InvoiceID']}", {"Status": "VOIDED"})
    assert errors(xero.pay(bill["InvoiceID"], 1)) == ["Payments can only be made against Authorised documents"]


def test_post_single_payment(xero: Xero) -> None:
    """POST /Payments makes one payment, bare or in a list of one; it refuses two and knows no summarizeErrors."""
    bill = xero.invoice()
    one = payment(bill["InvoiceID"], 10)
    assert xero.call("POST", "/Payments", one).json["Payments"][0]["Amount"] == Decimal("10.00")
    assert xero.call("POST", "/Payments", {"Payments": [one]}).status == 200
    assert xero.call("POST", "/Payments", {"Payments": [one, one]}).status == 400
    assert xero.call("POST", "/Payments", payment(bill["InvoiceID"], 999), summarizeErrors="false").status == 400


def test_payment_deleted(xero: Xero) -> None:
    """Deleting a payment makes its invoice due again; the payment stays in lists, not in its invoice."""
    bill = xero.invoice()
    made = xero.pay(bill["InvoiceID"], 121).json["Payments"][0]
    got = xero.call("POST", f"/Payments/{made['PaymentID']}", {"Status": "DELETED"})
    assert got.json["Payments"][0]["Status"] == "DELETED"
    after = invoice_now(xero, bill)
    assert (after["Status"], after["AmountDue"], after["Payments"]) == ("AUTHORISED", Decimal("121.00"), [])
    assert "FullyPaidOnDate" not in after
    assert [p["Status"] for p in xero.call("GET", "/Payments", page="1").json["Payments"]] == ["DELETED"]


def test_payment_only_deleted(xero: Xero) -> None:
    """Deleting is the only change of a payment, once, and not in a locked period."""
    made = xero.pay(xero.invoice()["InvoiceID"], 21).json["Payments"][0]
    path = f"/Payments/{made['PaymentID']}"
    assert errors(xero.call("POST", path, {"Amount": 5})) == ["Payment not of valid status for modification"]
    xero.org.lock_period(date(2026, 11, 21))
    assert xero.call("POST", path, {"Status": "DELETED"}).status == 400
    xero.org.lock_period(None)
    assert xero.call("POST", path, {"Payments": [{"Status": "DELETED"}]}).status == 200
    assert xero.call("POST", path, {"Status": "DELETED"}).status == 400
    assert xero.call("POST", "/Payments/unknown", {"Status": "DELETED"}).status == 404


def test_bank_amount_of_a_foreign_payment(xero: Xero) -> None:
    """A payment in a foreign currency has the rate of its invoice, or its own, and a bank amount in base currency."""
    bill = xero.invoice(CurrencyCode="GBP", CurrencyRate=0.8)
    first = xero.pay(bill["InvoiceID"], 20).json["Payments"][0]
    second = xero.pay(bill["InvoiceID"], 20, CurrencyRate=0.5).json["Payments"][0]
    assert (first["BankAmount"], second["BankAmount"]) == (Decimal("25.00"), Decimal("40.00"))


# Refunds


def test_refund_payment(xero: Xero) -> None:
    """A cash refund is a payment of the credit note; the note lists it and is PAID when nothing remains."""
    credit = xero.note(CreditNoteNumber="CN-9")
    made = refund(xero, credit, 121, Reference="refund-tx-1").json["Payments"][0]
    assert made["PaymentType"] == "ARCREDITPAYMENT"
    assert made["CreditNote"]["CreditNoteNumber"] == "CN-9"
    assert (made["Invoice"]["Type"], made["Invoice"]["InvoiceID"]) == ("ACCRECCREDIT", credit["CreditNoteID"])
    after = note_now(xero, credit)
    assert (after["Status"], after["RemainingCredit"]) == ("PAID", Decimal("0.00"))
    assert [(p["PaymentID"], p["Reference"]) for p in after["Payments"]] == [(made["PaymentID"], "refund-tx-1")]
    row = xero.org.effects()["payments"][0]
    assert (row["credit_note"], row["invoice"]) == ("CN-9", None)


def test_refund_not_above_remaining(xero: Xero) -> None:
    """A refund may not exceed the remaining credit, after allocations too."""
    bill, credit = xero.invoice(), xero.note()
    allocate(xero, credit, bill, 100)
    assert errors(refund(xero, credit, 21.01)) == [EXCEEDS]
    assert refund(xero, credit, 21).status == 200


def test_refund_by_number_not_both(xero: Xero) -> None:
    """A refund may name its note by number; naming an invoice as well is refused."""
    credit, bill = xero.note(CreditNoteNumber="CN-9"), xero.invoice()
    assert refund(xero, credit, 1, CreditNote={"CreditNoteNumber": "CN-9"}).status == 200
    assert refund(xero, credit, 1, Invoice={"InvoiceID": bill["InvoiceID"]}).status == 400
    wrong = {"Invoice": {"InvoiceID": credit["CreditNoteID"]}, "CreditNote": None}
    assert refund(xero, credit, 1, **wrong).status == 400
