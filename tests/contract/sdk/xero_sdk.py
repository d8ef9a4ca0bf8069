"""Does with xero-python, the vendor's own SDK, what a shop's accounts need, and prints what it saw as JSON.

Runs in an environment of its own: ``python xero_sdk.py ADDRESS TENANT ACCESS_TOKEN``.
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from typing import Any

from xero_python.accounting import (
    Account,
    AccountingApi,
    Allocation,
    Allocations,
    Contact,
    Contacts,
    CreditNote,
    CreditNotes,
    Invoice,
    Invoices,
    LineAmountTypes,
    LineItem,
    Payment,
    PaymentDelete,
    Payments,
    Phone,
)
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token
from xero_python.exceptions import AccountingBadRequestException
from xero_python.identity import IdentityApi

SCOPES = ["accounting.contacts", "accounting.invoices", "accounting.payments", "accounting.settings"]


def api(address: str, token: str) -> ApiClient:
    held = {"access_token": token, "token_type": "Bearer", "scope": SCOPES, "expires_in": 1800, "expires_at": 9e9}
    client = ApiClient(
        Configuration(oauth2_token=OAuth2Token(client_id="x", client_secret="x")),
        oauth2_token_getter=lambda: held,
        oauth2_token_saver=lambda token: None,
    )
    client.configuration.host = address
    return client


def lines(amount: float) -> list[LineItem]:
    return [LineItem(description="Course", quantity=1.0, unit_amount=amount, account_code="4020", tax_type="TAX001")]


def run(address: str, tenant: str, token: str) -> dict[str, Any]:
    client = api(address, token)
    books = AccountingApi(client, base_url=f"{address}/api.xro/2.0")
    seen: dict[str, Any] = {}
    connections = IdentityApi(client, base_url=address).get_connections()
    seen["tenant"] = str(connections[0].tenant_id)
    seen["organisation"] = books.get_organisations(tenant).organisations[0].name
    contacts(books, tenant, seen)
    invoices(books, tenant, seen)
    credit_notes(books, tenant, seen)
    payments(books, tenant, seen)
    return seen


def contacts(books: AccountingApi, tenant: str, seen: dict[str, Any]) -> None:
    mei = Contact(
        name="Mei Ng",
        contact_number="S1-1",
        email_address="mei@example.com",
        phones=[Phone(phone_type="MOBILE", phone_number="612345678", phone_country_code="31")],
    )
    made = books.create_contacts(tenant, Contacts(contacts=[mei, Contact(name="mei ng")]), summarize_errors=False)
    seen["contacts"] = [[c.contact_number, c.has_validation_errors] for c in made.contacts]
    seen["contact message"] = made.contacts[1].validation_errors[0].message
    seen["contact"] = made.contacts[0].contact_id
    change = Contacts(contacts=[Contact(contact_id=seen["contact"], first_name="Mei")])
    books.update_or_create_contacts(tenant, change, idempotency_key="k-1")
    shown = books.get_contacts(tenant, where='ContactNumber=="S1-1"', page=1).contacts[0]
    seen["contact read"] = [shown.name, shown.first_name, len(shown.phones), len(shown.addresses)]


def invoices(books: AccountingApi, tenant: str, seen: dict[str, Any]) -> None:
    invoice = Invoice(
        type="ACCREC",
        contact=Contact(contact_id=seen["contact"]),
        invoice_number="S1-100",
        date=date(2026, 11, 20),
        due_date=date(2026, 12, 20),
        line_amount_types=LineAmountTypes.EXCLUSIVE,
        line_items=lines(100.0),
        status="AUTHORISED",
    )
    many = Invoices(invoices=[invoice])
    made = books.create_invoices(tenant, many, summarize_errors=False, unitdp=4, idempotency_key="k-2")
    again = books.create_invoices(tenant, many, summarize_errors=False, unitdp=4, idempotency_key="k-2")
    seen["invoice"] = made.invoices[0].invoice_id
    seen["invoice again"] = again.invoices[0].invoice_id == seen["invoice"]
    try:
        books.create_invoices(tenant, many)
    except AccountingBadRequestException as refused:
        seen["invoice refused"] = [refused.status, refused.reason]
    books.update_invoice(tenant, seen["invoice"], Invoices(invoices=[Invoice(reference="order 100")]))
    since = datetime(2026, 11, 23, 8, 0)
    listed = books.get_invoices(tenant, if_modified_since=since, page=1, page_size=50, order="UpdatedDateUTC ASC")
    seen["invoices listed"] = [
        [i.invoice_number, i.reference, str(i.date), i.updated_date_utc.isoformat(), float(i.total)]
        for i in listed.invoices
    ]
    seen["pagination"] = listed.pagination.item_count


def credit_notes(books: AccountingApi, tenant: str, seen: dict[str, Any]) -> None:
    note = CreditNote(
        type="ACCRECCREDIT",
        contact=Contact(contact_id=seen["contact"]),
        credit_note_number="S1-C1",
        date=date(2026, 11, 21),
        line_items=lines(50.0),
        status="AUTHORISED",
    )
    made = books.create_credit_notes(tenant, CreditNotes(credit_notes=[note]), summarize_errors=False)
    seen["note"] = made.credit_notes[0].credit_note_id
    part = Allocation(invoice=Invoice(invoice_id=seen["invoice"]), amount=20.5, date=date(2026, 11, 22))
    books.create_credit_note_allocation(tenant, seen["note"], Allocations(allocations=[part]), summarize_errors=False)
    shown = books.get_credit_note(tenant, seen["note"]).credit_notes[0]
    seen["note read"] = [float(shown.remaining_credit), float(shown.allocations[0].amount)]


def payments(books: AccountingApi, tenant: str, seen: dict[str, Any]) -> None:
    bank = Account(code="1010")
    paid = Payment(
        invoice=Invoice(invoice_id=seen["invoice"]),
        account=bank,
        date=date(2026, 11, 22),
        amount=100.5,
        reference="tx-1",
    )
    refund = Payment(
        credit_note=CreditNote(credit_note_id=seen["note"]),
        account=bank,
        date=date(2026, 11, 22),
        amount=40.0,
        reference="tx-2",
    )
    made = books.create_payments(tenant, Payments(payments=[paid, refund, paid]), summarize_errors=False).payments
    seen["payments"] = [[p.payment_type, p.reference, p.has_validation_errors] for p in made]
    shown = books.get_invoice(tenant, seen["invoice"]).invoices[0]
    seen["invoice read"] = [shown.status, float(shown.amount_due), [p.reference for p in shown.payments]]
    gone = books.delete_payment(tenant, made[1].payment_id, PaymentDelete(status="DELETED")).payments[0]
    seen["payment deleted"] = gone.status
    seen["payments listed"] = len(books.get_payments(tenant, where='Status=="AUTHORISED"', page=1).payments)


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:]), default=str))
