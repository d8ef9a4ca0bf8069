"""The where filter of the practice Xero."""

from __future__ import annotations

import pytest
from xero_client import Xero, line


@pytest.fixture(scope="module")
def xero() -> Xero:
    """Three invoices of two contacts: N-1 paid in part, N-2 a draft with a reference, N-3 in pounds a day later."""
    made = Xero()
    first, second = made.contact("Anna", EmailAddress="anna@example.com"), made.contact("Bert", ContactNumber="b-1")
    one = made.invoice(first, InvoiceNumber="N-1")
    made.pay(one["InvoiceID"], 21, Reference="tx-1")
    made.invoice(first, InvoiceNumber="N-2", Status="DRAFT", Reference='say "hi"')
    made.clock.sleep(86400)
    made.token = made.org.access_token()
    made.invoice(second, InvoiceNumber="N-3", CurrencyCode="GBP", Date="2026-11-24", LineItems=[line(UnitAmount=10)])
    return made


def found(xero: Xero, where: str, path: str = "/Invoices", name: str = "InvoiceNumber") -> str:
    got = xero.call("GET", path, where=where, page="1")
    assert got.status == 200, got.text
    return " ".join(r[name] for r in got.json[path[1:]])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('InvoiceNumber=="N-1"', "N-1"),
        ('Status=="AUTHORISED" AND Type=="ACCREC"', "N-1 N-3"),
        ('Status=="AUTHORISED" && AmountDue > 50', "N-1"),
        ('InvoiceNumber=="N-1" OR InvoiceNumber=="N-3"', "N-1 N-3"),
        ('(Status=="DRAFT" or CurrencyCode=="GBP") and AmountPaid==0', "N-2 N-3"),
        ('!(Status=="DRAFT")', "N-1 N-3"),
        ("AmountDue>0 AND AmountDue<=12.10", "N-3"),
        ("Date>=DateTime(2026,11,21)", "N-3"),
        ("Date==DateTime(2026, 11, 20)", "N-1 N-2"),
        ('Date<DateTime.Parse("2026-11-24")', "N-1 N-2"),
        ("UpdatedDateUTC>=DateTime(2026,11,24,9,0,0)", "N-3"),
        ('Reference=="say \\"hi\\""', "N-2"),
        ('InvoiceNumber.StartsWith("N-") AND InvoiceNumber.EndsWith("3")', "N-3"),
        ('InvoiceNumber.ToLower().Contains("n-2")', "N-2"),
        ('Contact.Name=="Bert"', "N-3"),
        ('Contact.ContactNumber=="b-1"', "N-3"),
        ("FullyPaidOnDate==null AND DueDate!=null", "N-1 N-2 N-3"),
        ("SentToContact==false", "N-1 N-2 N-3"),
        ("SentToContact", ""),
        ("Total>-1", "N-1 N-2 N-3"),
    ],
)
def test_where(xero: Xero, where: str, expected: str) -> None:
    """Comparisons, AND and OR, dates, null, text methods and nested properties select what they say."""
    assert sorted(found(xero, where).split()) == expected.split()


def test_where_guid(xero: Xero) -> None:
    """Ids are compared with guid("..."), not with texts."""
    anna = xero.org.books.contact_named("Anna")
    assert anna is not None
    assert found(xero, f'Contact.ContactID==guid("{anna.id}")') == "N-1 N-2"
    assert found(xero, f'Contact.ContactID==Guid("{anna.id.upper()}")') == "N-1 N-2"
    got = xero.call("GET", "/Invoices", where=f'Contact.ContactID=="{anna.id}"', page="1")
    assert got.json["Message"] == "Operator '==' incompatible with operand types 'Guid' and 'String' (at index 0)"


def test_where_contacts_and_payments(xero: Xero) -> None:
    """Contacts are found by number and by missing e-mail, payments by their reference and their invoice."""
    assert found(xero, 'ContactNumber=="b-1"', "/Contacts", "Name") == "Bert"
    assert found(xero, "EmailAddress!=null", "/Contacts", "Name") == "Anna"
    assert found(xero, 'Reference=="tx-1"', "/Payments", "Reference") == "tx-1"
    assert found(xero, 'Invoice.InvoiceNumber=="N-1" AND Status=="AUTHORISED"', "/Payments", "Reference") == "tx-1"
    assert found(xero, 'PaymentType=="ARCREDITPAYMENT"', "/Payments", "Reference") == ""


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('Foo=="x"', "No property or field 'Foo' exists in type 'Invoice' (at index 0)"),
        ('Total=="x"', "Operator '==' incompatible with operand types 'Decimal' and 'String' (at index 0)"),
        ('InvoiceNumber=="x', "Syntax error (at index 15)"),
        ('InvoiceNumber=="x" Total', "Syntax error (at index 19)"),
        ("InvoiceNumber", "Syntax error (at index 0)"),
        ('(InvoiceNumber=="x"', "Syntax error (at index 16)"),
        ('Total.StartsWith("x")', "No applicable method 'StartsWith' exists in type 'Decimal' (at index 0)"),
        ("DateTime(2026,13,1)==Date", "'DateTime' cannot be read (at index 0)"),
        ('Nonsense("x")==1', "No applicable method 'Nonsense' exists in type 'Invoice' (at index 0)"),
    ],
)
def test_where_that_cannot_be_read(xero: Xero, where: str, message: str) -> None:
    """An unknown property or a text that cannot be read is a QueryParseException that says where."""
    got = xero.call("GET", "/Invoices", where=where, page="1")
    assert (got.status, got.json["ErrorNumber"], got.json["Type"]) == (400, 16, "QueryParseException")
    assert got.json["Message"] == message


def test_where_combines_with_since_and_pages(xero: Xero) -> None:
    """where works together with If-Modified-Since, pages and order."""
    got = xero.call(
        "GET",
        "/Invoices",
        where='Type=="ACCREC"',
        order="InvoiceNumber DESC",
        page="1",
        pageSize="1",
        headers={"If-Modified-Since": "2026-11-23T00:00:00"},
    )
    assert got.json["pagination"]["itemCount"] == 3 and got.json["Invoices"][0]["InvoiceNumber"] == "N-3"
