"""The practice Xero's answers, and the requests that get them, against the vendor's own schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openapi
import pytest
import yaml
from sandbox.xero_client import Got, Xero, invoice, line, note, payment

from crosswalk.sandbox.xero.api import ROUTES, find_route

pytestmark = pytest.mark.contract
SCOPES = "accounting.invoices accounting.payments accounting.contacts accounting.settings"
UNKNOWN = "11111111-1111-4111-8111-111111111111"


class Checked(Xero):
    """Every request and every 2xx and 400 answer is checked; what is wrong is kept."""

    def __init__(self) -> None:
        super().__init__(scopes=SCOPES)
        self.wrong: list[str] = []
        self.seen: set[tuple[str, int]] = set()
        self.bad_on_purpose = False

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        token: str | None = None,
        **query: str,
    ) -> Got:
        got = super().call(method, path, body, headers=headers, token=token, **query)
        sent = {"xero-tenant-id": self.org.tenant_id, "content-type": "application/json", **(headers or {})}
        raw = None if body is None else json.dumps(body).encode()
        found = openapi.check_answer(method, path, got.status, got.headers, got.body)
        if not self.bad_on_purpose:
            found += openapi.check_request(method, path, query, sent, raw)
        self.wrong += [f"{method} {path} {got.status}: {problem}" for problem in found]
        route = find_route(method, path)[0]
        assert route is not None, path
        self.seen.add((f"{method} {route.template}", got.status))
        return got

    def fails(self, method: str, path: str, body: Any = None, **query: str) -> Got:
        """A request that the vendor refuses; only its answer is checked."""
        self.bad_on_purpose = True
        try:
            got = self.call(method, path, body, **query)
        finally:
            self.bad_on_purpose = False
        assert got.status == 400, got.text
        return got


def contacts(xero: Checked) -> None:
    """Contacts in every form: created, changed, refused, listed, summed up, with history."""
    full = {
        "ContactNumber": "S1-1",
        "FirstName": "Mei",
        "LastName": "Ng",
        "EmailAddress": "mei@example.com",
        "DefaultCurrency": "EUR",
        "Addresses": [{"AddressType": "POBOX", "AddressLine1": "Damrak 1", "City": "Amsterdam", "Country": "NL"}],
        "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "6", "PhoneCountryCode": "31"}],
        "ContactPersons": [{"FirstName": "Sue", "EmailAddress": "sue@example.com", "IncludeInEmails": True}],
        "PaymentTerms": {"Sales": {"Day": 14, "Type": "DAYSAFTERBILLDATE"}},
    }
    made = xero.contact("Mei Ng", **full)
    both = {"Contacts": [{"Name": "Mei Ng"}, {"Name": "Other"}]}
    xero.call("PUT", "/Contacts", both, summarizeErrors="false", headers={"Idempotency-Key": "k"})
    xero.fails("PUT", "/Contacts", both)
    xero.call("POST", "/Contacts", {"Contacts": [{"ContactID": made, "ContactStatus": "ARCHIVED"}]})
    xero.call("POST", f"/Contacts/{made}", {"Contacts": [{"ContactStatus": "ACTIVE"}]})
    for query in ({}, {"page": "1", "pageSize": "1"}, {"summaryOnly": "true", "page": "1"}, {"IDs": made}):
        xero.call("GET", "/Contacts", **query)
    xero.call("GET", "/Contacts", where='ContactNumber=="S1-1"', includeArchived="true", order="UpdatedDateUTC ASC")
    xero.call("GET", "/Contacts", headers={"If-Modified-Since": "2026-11-23T09:00:00"})
    xero.call("GET", f"/Contacts/{made}")
    xero.call("GET", "/Contacts/S1-1")
    xero.fails("GET", "/Contacts", where="Foo==1")
    xero.fails("PUT", "/Contacts", {"Contacts": "x"})
    xero.call("PUT", f"/Contacts/{made}/History", {"HistoryRecords": [{"Details": "x"}]})
    xero.call("GET", f"/Contacts/{made}/History")


def documents(xero: Checked) -> None:
    """Invoices and credit notes: drafts, approved, paid, credited, voided, refused, in foreign currency, in lists."""
    fields = {"InvoiceNumber": "S1-1", "LineAmountTypes": "Inclusive", "CurrencyCode": "GBP", "CurrencyRate": 0.87}
    lines = [line(DiscountRate=10, Tracking=[]), line(TaxAmount=1, UnitAmount=10), {"Description": "x"}]
    shown = xero.invoice(**fields, LineItems=lines, Reference="r", Url="https://shop.example", SentToContact=True)
    path = f"/Invoices/{shown['InvoiceID']}"
    xero.pay(shown["InvoiceID"], 10, Reference="tx-1")
    credit = xero.note(CreditNoteNumber="S1-C1", CurrencyCode="GBP", Reference="r")
    one = {"Invoice": {"InvoiceID": shown["InvoiceID"]}, "Amount": 20, "Date": "2026-11-22"}
    allocations = f"/CreditNotes/{credit['CreditNoteID']}/Allocations"
    made = xero.call("PUT", allocations, {"Allocations": [one]}, headers={"Idempotency-Key": "k"}).json["Allocations"]
    xero.call("PUT", allocations, {"Allocations": [{**one, "Amount": 9999}]}, summarizeErrors="false")
    xero.fails("PUT", allocations, {"Allocations": [{**one, "Amount": 9999}]})
    for query in ({}, {"page": "1", "pageSize": "50", "unitdp": "4"}, {"InvoiceNumbers": "S1-1", "Statuses": "PAID"}):
        xero.call("GET", "/Invoices", **query)
    xero.call(
        "GET", "/Invoices", page="1", where='Type=="ACCREC"', headers={"If-Modified-Since": "2026-11-23T09:00:00"}
    )
    xero.call("GET", path, unitdp="4")
    xero.call("GET", "/CreditNotes", page="1", where='CreditNoteNumber=="S1-C1"', order="UpdatedDateUTC ASC")
    xero.call("GET", f"/CreditNotes/{credit['CreditNoteID']}")
    xero.call("DELETE", f"{allocations}/{made[0]['AllocationID']}")
    draft = xero.invoice(Status="DRAFT", DueDate=None)
    xero.call("POST", f"/Invoices/{draft['InvoiceID']}", {"Invoices": [{"Status": "DELETED"}]})
    void = xero.note()
    xero.call("POST", f"/CreditNotes/{void['CreditNoteID']}", {"CreditNotes": [{"Status": "VOIDED"}]})
    bad = [invoice(xero.some_contact(), InvoiceNumber="S1-1"), invoice(xero.some_contact(), Date="2026-01-01")]
    xero.call("PUT", "/Invoices", {"Invoices": bad}, summarizeErrors="false", unitdp="4")
    xero.fails("PUT", "/Invoices", {"Invoices": bad})
    xero.fails("POST", "/Invoices", {"Invoices": [{"InvoiceID": UNKNOWN, "Reference": "x"}]})
    xero.fails("PUT", "/CreditNotes", {"CreditNotes": [note(xero.some_contact(), CreditNoteNumber="S1-C1")]})
    for record in (path, f"/CreditNotes/{credit['CreditNoteID']}"):
        xero.call("PUT", f"{record}/History", {"HistoryRecords": [{"Details": "x"}]})
        xero.call("GET", f"{record}/History")
    many = [{"InvoiceID": xero.invoice()["InvoiceID"], "Reference": "new"} for _ in range(2)]
    xero.call("POST", "/Invoices", {"Invoices": many}, summarizeErrors="false", unitdp="4")
    voided = {"CreditNoteID": xero.note()["CreditNoteID"], "Status": "VOIDED"}
    xero.call("POST", "/CreditNotes", {"CreditNotes": [voided]}, summarizeErrors="false")
    xero.call("POST", f"{path}/Email", {})


def payments(xero: Checked) -> None:
    """Payments and refunds: many, one, refused, deleted, listed."""
    bill, credit = xero.invoice(), xero.note(CreditNoteNumber="S1-C1")
    made = xero.pay(bill["InvoiceID"], 21, Reference="tx-1").json["Payments"][0]
    refund = payment("", 21, Invoice=None, CreditNote={"CreditNoteID": credit["CreditNoteID"]}, Reference="tx-2")
    xero.call("PUT", "/Payments", {"Payments": [refund]}, headers={"Idempotency-Key": "k"})
    both = {"Payments": [payment(bill["InvoiceID"], 10), payment(bill["InvoiceID"], 9999)]}
    xero.call("PUT", "/Payments", both, summarizeErrors="false")
    xero.fails("PUT", "/Payments", both)
    xero.call("POST", "/Payments", payment(bill["InvoiceID"], 1))
    xero.call("POST", "/Payments", {"Payments": [payment(bill["InvoiceID"], 1)]})
    xero.fails("POST", "/Payments", payment(bill["InvoiceID"], 9999))
    for query in ({}, {"page": "1", "pageSize": "2"}, {"where": 'Reference=="tx-1"', "order": "UpdatedDateUTC ASC"}):
        xero.call("GET", "/Payments", **query)
    xero.call("GET", f"/Payments/{made['PaymentID']}")
    xero.call("POST", f"/Payments/{made['PaymentID']}", {"Status": "DELETED"})
    xero.fails("POST", f"/Payments/{made['PaymentID']}", {"Status": "DELETED"})
    xero.call("GET", f"/Invoices/{bill['InvoiceID']}")


def settings(xero: Checked) -> None:
    """Accounts, tax rates, currencies, the organisation and items."""
    accounts = xero.call("GET", "/Accounts", where='Type=="BANK"').json["Accounts"]
    xero.call("GET", f"/Accounts/{accounts[0]['AccountID']}")
    for path in ("/TaxRates", "/Currencies", "/Organisation", "/Items"):
        xero.call("GET", path)
    xero.call("PUT", "/Items", {"Items": [{"Code": "BOOK", "Name": "A book"}]})
    xero.fails("PUT", "/Items", {"Items": [{"Code": "BOOK"}]})
    xero.call("POST", "/Items", {"Items": [{"Code": "BOOK", "Name": "Two"}]})
    xero.call("GET", "/Items/BOOK")
    xero.call("DELETE", "/Items/BOOK")


def keys(xero: Checked) -> None:
    """A key that is misused is refused in the form of the vendor's errors."""
    headers = {"Idempotency-Key": "k"}
    xero.call("PUT", "/Contacts", {"Contacts": [{"Name": "a"}]}, headers=headers)
    assert xero.call("PUT", "/Contacts", {"Contacts": [{"Name": "b"}]}, headers=headers).status == 400


SCENES = (contacts, documents, payments, settings, keys)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_answers_are_the_vendors(scene: Callable[[Checked], None]) -> None:
    """Every request of a scene and every 2xx and 400 answer to it is valid by the vendor's schema."""
    xero = Checked()
    scene(xero)
    assert "\n".join(xero.wrong) == ""


def test_every_operation_is_among_them() -> None:
    """Every operation of the practice API is answered well in some scene, every batch write refused in one."""
    seen: set[tuple[str, int]] = set()
    for scene in SCENES:
        xero = Checked()
        scene(xero)
        seen |= xero.seen
    missing = {f"{key[0]} {route.template}" for key, route in ROUTES.items()} - {name for name, s in seen if s < 300}
    assert missing == set()
    refused = {name for name, status in seen if status == 400}
    for path in ("/Contacts", "/Invoices", "/CreditNotes", "/Payments", "/CreditNotes/{id}/Allocations", "/Items"):
        assert f"PUT {path}" in refused


HEADERS = {"xero-tenant-id": "x", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "params", "headers", "body", "problem"),
    [
        ("GET", "/Nowhere", {}, HEADERS, None, "not declared"),
        ("PATCH", "/Invoices", {}, HEADERS, None, "not declared"),
        ("GET", "/Invoices", {}, {}, None, "header xero-tenant-id is missing"),
        ("GET", "/Invoices", {"pagesize": "1"}, HEADERS, None, "parameter pagesize is not declared"),
        ("GET", "/Invoices", {"page": "one"}, HEADERS, None, "parameter page is wrong"),
        ("GET", "/Invoices", {"IDs": "x,y"}, HEADERS, None, "parameter IDs is wrong"),
        ("GET", "/CreditNotes", {"IDs": UNKNOWN}, HEADERS, None, "parameter IDs is not declared"),
        ("GET", "/Payments/x", {}, HEADERS, None, "PaymentID in the path is wrong"),
        ("GET", "/Invoices", {}, {**HEADERS, "Idempotency-Key": "k"}, None, "header idempotency-key is not declared"),
        ("PUT", "/Invoices", {}, {**HEADERS, "Idempotency-Key": "k" * 129}, b"{}", "longer than 128"),
        ("GET", "/Invoices", {}, {**HEADERS, "If-Modified-Since": "yesterday"}, None, "if-modified-since is wrong"),
        ("PUT", "/Invoices", {}, HEADERS, None, "the body is missing"),
        ("PUT", "/Invoices", {}, {"xero-tenant-id": "x"}, b"{}", "application/json"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": {}}', "is not of type"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": [{"Type": "SALE"}]}', "is not one of"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": [{"Tipe": "ACCREC"}]}', "Tipe"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": [{"AmountDue": 1}]}', "AmountDue"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": [{"LineItems": [{"UnitAmount": "1"}]}]}', "UnitAmount"),
        ("PUT", "/Invoices", {}, HEADERS, b'{"Invoices": [{"Date": "20/11/2026"}]}', "Date"),
        ("PUT", "/Contacts", {}, HEADERS, b'{"Contacts": [{"ContactID": "x"}]}', "uuid"),
        ("PUT", "/Payments", {"unitdp": "4"}, HEADERS, b"{}", "parameter unitdp is not declared"),
    ],
)
def test_wrong_requests_are_found(
    method: str, path: str, params: dict[str, str], headers: dict[str, str], body: bytes | None, problem: str
) -> None:
    """The checker finds what is wrong with a request, and only that."""
    found = openapi.check_request(method, path, params, headers, body)
    assert len(found) == 1 and problem in found[0], found


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, {"Invoices": [{"Total": "1.00"}]}, "Total"),
        (200, {"Invoices": [{"Date": "2026-11-20"}]}, "Date"),
        (200, {"Invoices": [{"Made": "up"}]}, "Made"),
        (200, {"Invoices": [{"Status": "OPEN"}]}, "Status"),
        (201, {}, "status 201"),
        (400, {"ErrorNumber": "10"}, "ErrorNumber"),
    ],
)
def test_wrong_answers_are_found(status: int, body: dict[str, Any], problem: str) -> None:
    """The checker finds what is wrong with an answer, and only that."""
    json_header = {"content-type": "application/json; charset=utf-8"}
    found = openapi.check_answer("GET", "/Invoices", status, json_header, json.dumps(body).encode())
    assert len(found) == 1 and problem in found[0], found


# What is wrong in the vendor's own examples of answers, so that the checks cannot pass them.
WRONG_EXAMPLES = {
    "TaxNumbeType",  # a slip of the pen for TaxNumberType
    "BatchPayment.IsReconciled",  # a text where a boolean is declared
    "BatchPayment.TotalAmount",  # a text where a number is declared
    "ContactGroups.0",  # HasValidationErrors, which contact groups do not declare
}


def test_the_vendors_own_examples() -> None:
    """The examples of answers in the vendor's file pass the checks, but for what is listed as wrong in them."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load((openapi.SPECS / "xero" / "xero_accounting.yaml").read_text(), Loader=loader)
    problems, checked = [], 0
    for path in ("/Contacts", "/Invoices", "/CreditNotes", "/Payments", "/TaxRates", "/Currencies", "/Organisation"):
        for method in document["paths"][path].keys() - {"parameters"}:
            content = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]
            body = json.dumps(content["example"], default=str).encode()
            problems += openapi.check_answer(method, path, 200, {"content-type": "application/json"}, body)
            checked += 1
    assert checked > 12
    assert [p for p in problems if not any(known in p for known in WRONG_EXAMPLES)] == []
    assert {known for known in WRONG_EXAMPLES if not any(known in p for p in problems)} == set()
