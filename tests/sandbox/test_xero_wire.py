"""What goes over the wire: authorisation, formats, errors, the ledger of effects."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from xero_client import Xero, invoice, line, payment

from crosswalk.sandbox.xero import Organisation


@pytest.fixture
def xero() -> Xero:
    return Xero()


def test_no_token(xero: Xero) -> None:
    """Without a token, or with an unknown one, the API answers 401 in its problem shape."""
    for headers in ({"authorization": ""}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic x"}):
        got = xero.call("GET", "/Contacts", headers=headers)
        assert got.status == 401
        assert set(got.json) == {"Type", "Title", "Status", "Detail", "Instance", "Extensions"}
        assert got.json["Detail"] == "AuthenticationUnsuccessful"


def test_wrong_tenant(xero: Xero) -> None:
    """Without the tenant header, or with another tenant's id, the API answers 403."""
    for tenant in ("", "11111111-1111-4111-8111-111111111111"):
        got = xero.call("GET", "/Contacts", headers={"xero-tenant-id": tenant})
        assert (got.status, got.json["Title"], got.json["Detail"]) == (403, "Forbidden", "AuthenticationUnsuccessful")


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ("accounting.contacts.read", ["GET /Contacts"], ["PUT /Contacts", "GET /Invoices"]),
        ("accounting.contacts", ["GET /Contacts", "PUT /Contacts"], ["GET /Organisation"]),
        ("accounting.invoices", ["GET /Invoices", "PUT /CreditNotes", "GET /CreditNotes"], ["GET /Payments"]),
        ("accounting.invoices.read", ["GET /Invoices", "GET /Items"], ["PUT /Invoices"]),
        ("accounting.payments", ["GET /Payments", "PUT /Payments"], ["GET /Invoices"]),
        ("accounting.settings.read", ["GET /Accounts", "GET /TaxRates", "GET /Organisation"], ["PUT /Items"]),
        ("accounting.transactions", ["GET /Invoices", "PUT /Payments"], ["GET /Contacts"]),
    ],
)
def test_scopes(xero: Xero, scope: str, allowed: list[str], refused: list[str]) -> None:
    """Each resource needs its own scope; .read reads only; the lack is told in WWW-Authenticate."""
    token = xero.org.access_token(scope)
    for asked in (*allowed, *refused):
        method, _, path = asked.partition(" ")
        got = xero.call(method, path, {} if method == "PUT" else None, token=token)
        if asked in allowed:
            assert got.status in (200, 400), asked
        else:
            assert got.status == 401 and "insufficient_scope" in got.headers["www-authenticate"], asked


def test_xml_by_default(xero: Xero) -> None:
    """Without Accept: application/json the answer is XML, refusals too."""
    xero.contact("Ng & Sons")
    for accept in ("", "*/*"):
        got = xero.call("GET", "/Contacts", headers={"accept": accept})
        assert got.headers["content-type"].startswith("text/xml")
        assert "<Name>Ng &amp; Sons</Name>" in got.text
    wrong = xero.call("PUT", "/Contacts", {"Name": ""}, headers={"accept": "*/*"})
    assert wrong.status == 400 and wrong.text.startswith("<ApiException><ErrorNumber>10")


def test_envelope(xero: Xero) -> None:
    """Every JSON answer has an id, a status, the app's name and its time."""
    got = xero.call("GET", "/Contacts").json
    assert (got["Status"], got["DateTimeUTC"]) == ("OK", "/Date(1795424400000)/")
    assert got["ProviderName"] and got["Id"]


def test_not_found_is_text(xero: Xero) -> None:
    """An id or a path that does not exist is a 404 with a plain text."""
    for path in ("/Contacts/11111111-1111-4111-8111-111111111111", "/Invoices/none", "/Payments/x", "/Nowhere"):
        got = xero.call("GET", path)
        assert (got.status, got.text) == (404, "The resource you're looking for cannot be found")
        assert got.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"Contacts": "x"}',
        b'{"Contacts": [1]}',
        b'{"Contacts": []}',
        b"[]",
        b"{}",
        b'{"Name": ["x"]}',
        b'{"Name": "\xff"}',
    ],
)
def test_unreadable_body(xero: Xero, body: bytes) -> None:
    """A body that cannot be read is a PostDataInvalidException."""
    got = xero.call("PUT", "/Contacts", body)
    assert (got.status, got.json["ErrorNumber"], got.json["Type"]) == (400, 14, "PostDataInvalidException")


def test_content_type(xero: Xero) -> None:
    """A body that is not declared as JSON is taken for XML and refused."""
    got = xero.call("PUT", "/Contacts", {"Name": "x"}, headers={"content-type": "text/plain"})
    assert (got.status, got.json["Type"]) == (400, "PostDataInvalidException")


@pytest.mark.parametrize("amount", ["abc", True, [], "NaN", 1e20])
def test_wrong_amounts(xero: Xero, amount: Any) -> None:
    """An amount that is no number is refused; a numeric text is taken as one."""
    element = invoice(xero.some_contact(), LineItems=[line(UnitAmount=amount)])
    assert xero.call("PUT", "/Invoices", element).status == 400
    element["LineItems"] = [line(UnitAmount="12.50")]
    assert xero.call("PUT", "/Invoices", element).json["Invoices"][0]["SubTotal"] == Decimal("12.50")


def test_too_large_a_body(xero: Xero) -> None:
    """A body above 10 MB is refused."""
    assert xero.call("PUT", "/Contacts", b'{"Name":"' + b"x" * (10 * 1024 * 1024) + b'"}').status == 413


def test_offline(xero: Xero) -> None:
    """While Xero is offline every request is answered 503 with a text."""
    xero.org.offline = True
    got = xero.call("GET", "/Contacts")
    assert (got.status, got.headers["content-type"].startswith("text/plain")) == (503, True)


def test_ids_are_lower_case_and_repeat_with_the_seed() -> None:
    """The same seed gives the same ids, another seed other ones."""
    first, again, other = (Xero(seed=seed).contact() for seed in (1, 1, 2))
    assert first == again != other and first == first.lower()


def test_answers_in_reverse_order(xero: Xero) -> None:
    """A switch turns the order of batch answers round: whoever matches by position is wrong."""
    xero.org.reverse_answers = True
    got = xero.call("PUT", "/Contacts", {"Contacts": [{"Name": "a"}, {"Name": "b"}]})
    assert [c["Name"] for c in got.json["Contacts"]] == ["b", "a"]


def test_effects(xero: Xero) -> None:
    """The ledger of effects has every record with number, reference and exact amounts, and totals of what counts."""
    one = xero.invoice(xero.contact("Ng Trading", ContactNumber="shop-1"), InvoiceNumber="N-1", Reference="r-1")
    void = xero.invoice(InvoiceNumber="N-2")
    xero.call("POST", f"/Invoices/{void['InvoiceID']}", {"Status": "VOIDED"})
    xero.pay(one["InvoiceID"], 21, Reference="tx-1")
    note = xero.note(CreditNoteNumber="CN-1", LineItems=[line(UnitAmount=50)])
    body = {"Invoice": {"InvoiceID": one["InvoiceID"]}, "Amount": 10, "Date": "2026-11-22"}
    xero.call("PUT", f"/CreditNotes/{note['CreditNoteID']}/Allocations", body)
    refund = payment("", 5, Invoice=None, CreditNote={"CreditNoteNumber": "CN-1"}, Reference="tx-2")
    assert xero.call("PUT", "/Payments", refund).status == 200
    found = xero.org.effects()
    assert found["counts"] == {"invoices": 2, "credit_notes": 1, "contacts": 1, "payments": 2, "allocations": 1}
    assert found["totals"] == {
        "invoices": Decimal("121.00"),
        "tax": Decimal("21.00"),
        "credit_notes": Decimal("60.50"),
        "payments": Decimal("21.00"),
        "refunds": Decimal("5.00"),
        "allocations": Decimal("10.00"),
    }
    first = found["invoices"][0]
    assert (first["number"], first["reference"], first["contact_number"]) == ("N-1", "r-1", "shop-1")
    assert (first["due"], first["credited"], first["lines"][0]["account"]) == (
        Decimal("90.00"),
        Decimal("10.00"),
        "4020",
    )
    assert (found["allocations"][0]["credit_note"], found["allocations"][0]["invoice"]) == ("CN-1", "N-1")


def test_snapshot(xero: Xero) -> None:
    """A snapshot holds all that changes; going back forgets what came after it, keys and tokens included."""
    xero.invoice(InvoiceNumber="N-1")
    before = xero.org.snapshot()
    headers = {"Idempotency-Key": "k-1"}
    element = invoice(xero.some_contact(), InvoiceNumber="N-2")
    xero.call("PUT", "/Invoices", element, headers=headers)
    later = xero.org.access_token()
    xero.org.restore(before)
    assert [i["number"] for i in xero.org.effects()["invoices"]] == ["N-1"]
    assert xero.call("GET", "/Contacts", token=later).status == 401
    assert xero.call("PUT", "/Invoices", element, headers=headers).status == 200
    assert [i["number"] for i in xero.org.effects()["invoices"]] == ["N-1", "N-2"]


def test_snapshot_goes_to_another_organisation_of_the_same_seed(xero: Xero) -> None:
    """A snapshot may be restored in another organisation that was made with the same settings."""
    xero.invoice(InvoiceNumber="N-1")
    other = Organisation()
    other.restore(xero.org.snapshot())
    assert other.effects() == xero.org.effects()


def test_a_thousand_invoices_cost_little(xero: Xero) -> None:
    """A thousand invoices of three lines, in batches of fifty, cost less than five times their parsing and printing."""
    import time

    three = [line(UnitAmount=n + 1) for n in range(3)]
    contact = xero.some_contact()
    batches = [
        json.dumps({"Invoices": [invoice(contact, InvoiceNumber=f"{b}-{n}", LineItems=three) for n in range(50)]})
        for b in range(20)
    ]
    started = time.process_time()
    for body in batches:
        assert xero.call("PUT", "/Invoices", body.encode(), summarizeErrors="false").status == 200
    spent = time.process_time() - started
    started = time.process_time()
    shown = xero.call("GET", "/Invoices", page="1", pageSize="1000").json
    for _ in range(5):
        for body in batches:
            json.loads(body, parse_float=Decimal)
        json.dumps(shown, default=str)
    plain = time.process_time() - started
    assert spent < 5 * plain, f"{spent:.2f} s against {plain:.2f} s"
