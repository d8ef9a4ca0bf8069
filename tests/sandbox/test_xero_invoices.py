"""Invoices of the practice Xero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from xero_client import Got, Xero, errors, invoice, line, messages, payment

LOCKED = "The document date cannot be before the period lock date, currently set at 30-Jun-2026"
HAS_MONEY = "This document cannot be edited as it has a payment or credit note allocated to it."
NOT_VALID = "Invoice not of valid status for modification"


@pytest.fixture
def xero() -> Xero:
    return Xero()


def put(xero: Xero, **fields: Any) -> Got:
    return xero.call("PUT", "/Invoices", {"Invoices": [invoice(xero.some_contact(), **fields)]})


def post(xero: Xero, shown: dict[str, Any], **fields: Any) -> Got:
    return xero.call("POST", f"/Invoices/{shown['InvoiceID']}", fields)


def get(xero: Xero, key: str) -> dict[str, Any]:
    return dict(xero.call("GET", f"/Invoices/{key}").json["Invoices"][0])


def test_put_creates(xero: Xero) -> None:
    """PUT creates an approved invoice with number, reference, dates, totals and the whole contact in the answer."""
    shown = xero.invoice(InvoiceNumber="CRM-77", Reference="order-77")
    assert (shown["InvoiceNumber"], shown["Reference"], shown["Status"]) == ("CRM-77", "order-77", "AUTHORISED")
    assert (shown["DateString"], shown["Date"]) == ("2026-11-20T00:00:00", "/Date(1795132800000+0000)/")
    assert (shown["DueDateString"], shown["DueDate"]) == ("2026-12-20T00:00:00", "/Date(1797724800000+0000)/")
    assert (shown["AmountDue"], shown["CurrencyCode"]) == (Decimal("121.00"), "EUR")
    assert len(shown["Contact"]["Phones"]) == 4
    assert shown["UpdatedDateUTCString"] == "2026-11-23 09:00:00+00:00"
    assert get(xero, "CRM-77") == {k: v for k, v in shown.items() if k != "StatusAttributeString"}


def test_number_is_unique(xero: Xero) -> None:
    """PUT with an InvoiceNumber that a sales invoice has is refused, a voided one included, whatever its case."""
    shown = xero.invoice(InvoiceNumber="CRM-77")
    assert errors(put(xero, InvoiceNumber="crm-77")) == ["Invoice # must be unique."]
    post(xero, shown, Status="VOIDED")
    assert errors(put(xero, InvoiceNumber="CRM-77")) == ["Invoice # must be unique."]


def test_number_of_a_deleted_draft_is_free(xero: Xero) -> None:
    """A deleted draft gives its number back."""
    shown = xero.invoice(InvoiceNumber="CRM-77", Status="DRAFT")
    post(xero, shown, Status="DELETED")
    assert put(xero, InvoiceNumber="CRM-77").status == 200


def test_same_number_twice_in_a_batch(xero: Xero) -> None:
    """Of two elements with one number the first is written and the second refused."""
    both = [invoice(xero.some_contact(), InvoiceNumber="X") for _ in range(2)]
    first, second = xero.call("PUT", "/Invoices", {"Invoices": both}, summarizeErrors="false").json["Invoices"]
    assert (first["StatusAttributeString"], second["StatusAttributeString"]) == ("OK", "ERROR")
    assert second["InvoiceID"] == "00000000-0000-0000-0000-000000000000" and second["HasErrors"]
    assert messages(second) == ["Invoice # must be unique."]


def test_batch_is_whole_or_nothing_by_default(xero: Xero) -> None:
    """Without summarizeErrors=false the good invoice of the same batch is not written, nor is its number taken."""
    both = [invoice(xero.some_contact(), InvoiceNumber="X") for _ in range(2)]
    got = xero.call("PUT", "/Invoices", {"Invoices": both})
    assert errors(got) == ["Invoice # must be unique."]
    assert xero.org.effects()["invoices"] == []
    assert put(xero, InvoiceNumber="X").status == 200


def test_bills_share_numbers(xero: Xero) -> None:
    """Numbers of bills are not unique."""
    assert [put(xero, Type="ACCPAY", InvoiceNumber="B-1").status for _ in range(2)] == [200, 200]


def test_number_is_made(xero: Xero) -> None:
    """An invoice without a number gets the next one."""
    assert [xero.invoice()["InvoiceNumber"] for _ in range(2)] == ["INV-0001", "INV-0002"]


def test_post_upserts_by_number(xero: Xero) -> None:
    """POST with a number that exists overwrites that invoice: the vendor's upsert, dangerous for a create."""
    first = xero.invoice(InvoiceNumber="1001", Reference="a stranger's")
    element = invoice(xero.contact("Other"), InvoiceNumber="1001", Reference="ours")
    got = xero.call("POST", "/Invoices", {"Invoices": [element]}).json["Invoices"][0]
    assert got["InvoiceID"] == first["InvoiceID"]
    assert (get(xero, "1001")["Reference"], len(xero.org.effects()["invoices"])) == ("ours", 1)


def test_post_creates(xero: Xero) -> None:
    """POST with a number that does not exist creates."""
    got = xero.call("POST", "/Invoices", {"Invoices": [invoice(xero.some_contact(), InvoiceNumber="N-1")]})
    assert got.json["Invoices"][0]["InvoiceNumber"] == "N-1"


def test_post_by_id_in_batch(xero: Xero) -> None:
    """POST updates many invoices by their ids; an unknown id is refused."""
    shown = [xero.invoice(InvoiceNumber=f"N-{n}") for n in range(2)]
    unknown = {"InvoiceID": "11111111-1111-4111-8111-111111111111", "Reference": "x"}
    changed = [{"InvoiceID": s["InvoiceID"], "Reference": "new"} for s in shown]
    got = xero.call("POST", "/Invoices", {"Invoices": [*changed, unknown]}, summarizeErrors="false")
    assert [i["StatusAttributeString"] for i in got.json["Invoices"]] == ["OK", "OK", "ERROR"]
    assert messages(got.json["Invoices"][2]) == ["An existing Invoice with the specified InvoiceID could not be found"]
    assert get(xero, "N-1")["Reference"] == "new"


def test_update_keeps_the_rest(xero: Xero) -> None:
    """An update without lines, or with an empty list of them, keeps the lines; a contact of {} keeps the contact."""
    shown = xero.invoice(InvoiceNumber="N-1")
    got = post(xero, shown, Reference="new", LineItems=[], Contact={}).json["Invoices"][0]
    assert got["Reference"] == "new" and got["LineItems"] == shown["LineItems"]
    assert got["Contact"]["ContactID"] == shown["Contact"]["ContactID"]


def test_update_cannot_take_a_number(xero: Xero) -> None:
    """An update to a number that another invoice has is refused."""
    shown = xero.invoice(InvoiceNumber="N-1")
    xero.invoice(InvoiceNumber="N-2")
    assert errors(post(xero, shown, InvoiceNumber="N-2")) == ["Invoice # must be unique."]
    assert get(xero, "N-1")["InvoiceID"] == shown["InvoiceID"]


def test_failed_update_changes_nothing(xero: Xero) -> None:
    """An update that is refused half-way leaves the invoice as it was."""
    shown = xero.invoice(InvoiceNumber="N-1")
    got = post(xero, shown, Reference="new", LineItems=[line(AccountCode="4030")])
    assert got.status == 400
    assert get(xero, "N-1") == {k: v for k, v in shown.items() if k != "StatusAttributeString"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Type": None}, "Invoice Type must be one of ACCREC, ACCPAY"),
        ({"Contact": None}, "A Contact must be specified for this type of transaction"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"DueDate": None}, "Due Date must be specified for approved invoices"),
        ({"Status": "PAID"}, "The status PAID cannot be given to a new Invoice"),
        ({"InvoiceNumber": "x" * 256}, "The value of InvoiceNumber must not be longer than 255 characters."),
    ],
)
def test_required(xero: Xero, fields: dict[str, Any], message: str) -> None:
    """Type, contact and lines are needed always, the due date for an approved invoice."""
    assert errors(put(xero, **fields)) == [message]


def test_draft_needs_less(xero: Xero) -> None:
    """A draft needs no due date; DRAFT is the status by default."""
    shown = xero.invoice(Status=None, DueDate=None)
    assert shown["Status"] == "DRAFT" and "DueDate" not in shown


def test_date_defaults_to_the_organisations_day(xero: Xero) -> None:
    """Without a date an invoice has today's, in the organisation's zone."""
    xero.wait(14 * 3600 + 1800)
    assert xero.invoice(Date=None)["DateString"] == "2026-11-24T00:00:00"


def test_date_forms(xero: Xero) -> None:
    """Dates are read as 2026-11-20, with a time behind it, and as /Date(...)/; other texts spoil the body."""
    for written in ("2026-11-20", "2026-11-20T00:00:00", "/Date(1795132800000+0000)/", "/Date(1795132800000)/"):
        assert xero.invoice(Date=written)["DateString"] == "2026-11-20T00:00:00"
    got = put(xero, Date="20/11/2026")
    assert (got.status, got.json["Type"]) == (400, "PostDataInvalidException")


def test_period_lock(xero: Xero) -> None:
    """A date on or before the period lock date is refused with that date; the day after is taken."""
    for day in ("2026-05-01", "2026-06-30"):
        assert errors(put(xero, Date=day)) == [LOCKED]
    assert put(xero, Date="2026-07-01").status == 200
    xero.org.lock_period(None)
    assert put(xero, Date="2026-06-30").status == 200


def test_year_lock(xero: Xero) -> None:
    """The end-of-year lock refuses in its own words."""
    xero.org.lock_period(None)
    xero.org.lock_year(date(2025, 12, 31))
    assert errors(put(xero, Date="2025-12-31")) == [
        "The document date cannot be before the end of year lock date, currently set at 31-Dec-2025"
    ]


def test_locked_invoice_cannot_change(xero: Xero) -> None:
    """Once its period is locked an invoice can neither be changed nor voided, nor another moved into the period."""
    old = xero.invoice(Date="2026-07-15")
    new = xero.invoice(Date="2026-08-15")
    xero.org.lock_period(date(2026, 7, 31))
    for got in (post(xero, old, Reference="x"), post(xero, old, Status="VOIDED"), post(xero, new, Date="2026-07-20")):
        assert errors(got) == ["The document date cannot be before the period lock date, currently set at 31-Jul-2026"]


def test_currency(xero: Xero) -> None:
    """A currency must be subscribed; a foreign one has the rate that is sent, or one of Xero's own."""
    assert errors(put(xero, CurrencyCode="USD")) == ["Organisation is not subscribed to currency USD"]
    assert xero.invoice(CurrencyCode="GBP")["CurrencyRate"] == Decimal("0.870000")
    assert xero.invoice(CurrencyCode="GBP", CurrencyRate=0.8512345)["CurrencyRate"] == Decimal("0.851235")
    assert xero.invoice(CurrencyRate=2)["CurrencyRate"] == Decimal("1.000000")
    xero.org.subscribe("USD")
    assert put(xero, CurrencyCode="USD").status == 200


def test_status_flow(xero: Xero) -> None:
    """DRAFT goes to SUBMITTED and AUTHORISED; nothing goes back from AUTHORISED."""
    shown = xero.invoice(Status="DRAFT")
    for status in ("SUBMITTED", "DRAFT", "AUTHORISED"):
        assert post(xero, shown, Status=status).json["Invoices"][0]["Status"] == status
    for status in ("DRAFT", "SUBMITTED", "DELETED", "PAID"):
        assert errors(post(xero, shown, Status=status)) == [NOT_VALID]


def test_approving_needs_everything(xero: Xero) -> None:
    """A draft is approved only with what an approved invoice needs."""
    shown = xero.invoice(Status="DRAFT", DueDate=None)
    assert errors(post(xero, shown, Status="AUTHORISED")) == ["Due Date must be specified for approved invoices"]
    assert post(xero, shown, Status="AUTHORISED", DueDate="2026-12-01").status == 200


def test_void_and_delete(xero: Xero) -> None:
    """An approved invoice is voided, a draft deleted; both stay in lists and cannot be changed any more."""
    approved, draft = xero.invoice(), xero.invoice(Status="DRAFT")
    assert post(xero, approved, Status="VOIDED").json["Invoices"][0]["Status"] == "VOIDED"
    assert errors(post(xero, draft, Status="VOIDED")) == ["Invoice of status DRAFT cannot be voided, only deleted."]
    assert post(xero, draft, Status="DELETED").json["Invoices"][0]["Status"] == "DELETED"
    for shown, again in ((approved, "VOIDED"), (draft, "DELETED"), (approved, "AUTHORISED")):
        assert errors(post(xero, shown, Status=again)) == [NOT_VALID]
    listed = xero.call("GET", "/Invoices", page="1").json["Invoices"]
    assert sorted(i["Status"] for i in listed) == ["DELETED", "VOIDED"]


def test_paid_by_itself(xero: Xero) -> None:
    """An invoice becomes PAID when nothing is due, and so does one of zero."""
    shown = xero.invoice()
    xero.pay(shown["InvoiceID"], 121)
    paid = get(xero, shown["InvoiceID"])
    assert (paid["Status"], paid["AmountDue"], paid["AmountPaid"]) == ("PAID", Decimal("0.00"), Decimal("121.00"))
    assert paid["FullyPaidOnDate"] == "/Date(1795219200000+0000)/"
    assert xero.invoice(LineItems=[line(UnitAmount=0)])["Status"] == "PAID"


def test_paid_cannot_change(xero: Xero) -> None:
    """A paid invoice can be neither edited nor voided."""
    shown = xero.invoice()
    xero.pay(shown["InvoiceID"], 121)
    for fields in (
        {"Reference": "x"},
        {"LineItems": [line(UnitAmount=5)]},
        {"Status": "VOIDED"},
        {"DueDate": "2027-01-01"},
    ):
        assert errors(post(xero, shown, **fields)) == [NOT_VALID]


def test_part_paid_cannot_change(xero: Xero) -> None:
    """A part-paid invoice can be neither edited nor voided, its payments first have to go."""
    shown = xero.invoice()
    made = xero.pay(shown["InvoiceID"], 21).json["Payments"][0]
    for fields in ({"Reference": "x"}, {"LineItems": [line(UnitAmount=5)]}, {"Status": "VOIDED"}):
        assert errors(post(xero, shown, **fields)) == [HAS_MONEY]
    xero.call("POST", f"/Payments/{made['PaymentID']}", {"Status": "DELETED"})
    assert post(xero, shown, Status="VOIDED").status == 200


def test_due_date_of_a_part_paid_invoice(xero: Xero) -> None:
    """The due date of a part-paid invoice may change, and that does not count as a modification."""
    shown = xero.invoice()
    xero.pay(shown["InvoiceID"], 21)
    before = get(xero, shown["InvoiceID"])
    xero.clock.sleep(60)
    assert post(xero, shown, DueDate="2027-01-31").status == 200
    after = get(xero, shown["InvoiceID"])
    assert after["DueDateString"] == "2027-01-31T00:00:00"
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"]


def test_payments_of_an_invoice(xero: Xero) -> None:
    """An invoice lists its payments with id, day, amount and reference, and its credit notes with what was applied."""
    shown = xero.invoice()
    made = xero.pay(shown["InvoiceID"], 21, Reference="tx-1").json["Payments"][0]
    note = xero.note(LineItems=[line(UnitAmount=50)])
    body = {"Allocations": [{"Invoice": {"InvoiceID": shown["InvoiceID"]}, "Amount": 60.5, "Date": "2026-11-22"}]}
    xero.call("PUT", f"/CreditNotes/{note['CreditNoteID']}/Allocations", body)
    now = get(xero, shown["InvoiceID"])
    (listed,) = now["Payments"]
    assert (listed["PaymentID"], listed["Reference"], listed["Amount"]) == (
        made["PaymentID"],
        "tx-1",
        Decimal("21.00"),
    )
    assert listed["Date"] == "/Date(1795219200000+0000)/"
    (credited,) = now["CreditNotes"]
    assert (credited["CreditNoteID"], credited["AppliedAmount"]) == (note["CreditNoteID"], Decimal("60.50"))
    assert (now["AmountCredited"], now["AmountDue"]) == (Decimal("60.50"), Decimal("39.50"))


def test_email(xero: Xero) -> None:
    """POST /Invoices/{id}/Email answers 204 and marks the invoice as sent; a draft is not sent."""
    shown, draft = xero.invoice(), xero.invoice(Status="DRAFT")
    assert xero.call("POST", f"/Invoices/{shown['InvoiceID']}/Email").status == 204
    assert get(xero, shown["InvoiceID"])["SentToContact"] is True
    assert xero.call("POST", f"/Invoices/{draft['InvoiceID']}/Email").status == 400


def test_single_object_or_list(xero: Xero) -> None:
    """A body is one object, a list under the name of the collection, or a bare list."""
    one = invoice(xero.some_contact())
    for body in (one, {"Invoices": [one]}, [one]):
        assert len(xero.call("PUT", "/Invoices", body).json["Invoices"]) == 1


def test_person_edit(xero: Xero) -> None:
    """A person may add and change records in the screens; the change counts as a modification and is not the app's."""
    mine = xero.invoice(InvoiceNumber="N-1")
    xero.clock.sleep(60)
    made = xero.org.edit("Contacts", {"Name": "Typed In"})
    stranger = xero.org.edit("Invoices", invoice(made["ContactID"], InvoiceNumber="1001"))
    xero.org.edit(f"Invoices/{mine['InvoiceID']}", {"Reference": "typed"})
    now = get(xero, "N-1")
    assert now["Reference"] == "typed" and now["UpdatedDateUTC"] != mine["UpdatedDateUTC"]
    listed = xero.call("GET", "/Invoices", createdByMyApp="true", page="1").json["Invoices"]
    assert [i["InvoiceNumber"] for i in listed] == ["N-1"]
    assert errors(put(xero, InvoiceNumber="1001")) == ["Invoice # must be unique."]
    xero.org.edit("Payments", payment(stranger["InvoiceID"], 121))
    assert get(xero, "1001")["Status"] == "PAID"
