"""The resources of the Accounting API: what each method does with contacts, documents, payments and settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crosswalk.sandbox.xero import contacts, documents, money, render
from crosswalk.sandbox.xero.batches import refused, write_all
from crosswalk.sandbox.xero.books import Contact, Document, Payment
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.documents import INVOICE, NOTE, Kind
from crosswalk.sandbox.xero.errors import Invalid, bad_post_data, not_found, validation_exception
from crosswalk.sandbox.xero.fields import elements_of
from crosswalk.sandbox.xero.listing import (
    Listed,
    contact_properties,
    document_properties,
    ids_asked,
    page_of,
    payment_properties,
)

Payload = dict[str, Any]
Handler = Callable[..., Payload]


def _narrow_contacts(call: Call, rows: list[Contact]) -> list[Contact]:
    ids = ids_asked(call, "IDs")
    if ids is not None:
        rows = [c for c in rows if c.id in ids]
    return rows if call.switch("includeArchived") else [c for c in rows if c.status != "ARCHIVED"]


def _narrow_invoices(call: Call, rows: list[Document]) -> list[Document]:
    ids, holders = ids_asked(call, "IDs"), ids_asked(call, "ContactIDs")
    numbers, statuses = call.listed("InvoiceNumbers"), call.listed("Statuses")
    if ids is not None:
        rows = [d for d in rows if d.id in ids]
    if holders is not None:
        rows = [d for d in rows if d.contact in holders]
    if numbers is not None:
        rows = [d for d in rows if d.number in numbers]
    if statuses is not None:
        rows = [d for d in rows if d.status in statuses]
    return [d for d in rows if d.app == call.app] if call.switch("createdByMyApp") else rows


def _show_contact(call: Call, c: Contact, whole: bool) -> Payload:
    return render.contact(c, light=call.switch("summaryOnly"), persons=whole)


def _show_document(call: Call, d: Document, whole: bool) -> Payload:
    return render.document(call, d, lines=whole, full=False)


CONTACTS = Listed(
    "Contact",
    "Contacts",
    contact_properties,
    _show_contact,
    lambda c: (c.name, c.number, c.fields.get("FirstName"), c.fields.get("LastName"), c.fields.get("EmailAddress")),
    _narrow_contacts,
)
INVOICES = Listed(
    "Invoice",
    "Invoices",
    lambda books: document_properties(books, note=False),
    _show_document,
    lambda d: (d.number, d.reference),
    _narrow_invoices,
)
NOTES = Listed(
    "CreditNote",
    "CreditNotes",
    lambda books: document_properties(books, note=True),
    _show_document,
    lambda d: (d.number, d.reference),
)
PAYMENTS = Listed(
    "Payment",
    "Payments",
    payment_properties,
    lambda call, p, whole: render.payment(call, p, full=False),
    lambda p: (p.reference,),
)


# Contacts


def list_contacts(call: Call) -> Payload:
    return page_of(call, CONTACTS, call.books.contacts.values())


def get_contact(call: Call, key: str) -> Payload:
    return {"Contacts": [render.contact(contact(call, key))]}


def put_contacts(call: Call) -> Payload:
    return _write_contacts(call, create_only=True)


def post_contacts(call: Call) -> Payload:
    return _write_contacts(call, create_only=False)


def post_contact(call: Call, key: str) -> Payload:
    found = contact(call, key)
    element = _one(call, "Contacts")
    done = _single(
        call, element, lambda: contacts.write(call, element, False, found.id), "ContactID", "HasValidationErrors"
    )
    return {"Contacts": [render.contact(done)]}


def _write_contacts(call: Call, create_only: bool) -> Payload:
    elements = elements_of(call.body, "Contacts")
    return {
        "Contacts": write_all(
            call,
            elements,
            lambda c, e: contacts.write(c, e, create_only),
            lambda c, thing: render.contact(thing),
            id_name="ContactID",
            flag_name="HasValidationErrors",
            summarize=call.switch("summarizeErrors", True),
        )
    }


def contact(call: Call, key: str) -> Contact:
    """By id or by number; 404 otherwise."""
    found = call.books.contacts.get(key.lower()) or call.books.contact_numbered(key)
    if found is None:
        raise not_found()
    return found


# Invoices and credit notes


def list_invoices(call: Call) -> Payload:
    return page_of(call, INVOICES, (d for d in call.books.documents.values() if not d.is_credit))


def list_notes(call: Call) -> Payload:
    return page_of(call, NOTES, (d for d in call.books.documents.values() if d.is_credit))


def get_document(call: Call, kind: Kind, key: str) -> Payload:
    return {f"{kind.id_name[:-2]}s": [render.document(call, document(call, kind, key))]}


def write_documents(call: Call, kind: Kind, create_only: bool) -> Payload:
    collection = f"{kind.id_name[:-2]}s"
    return {
        collection: write_all(
            call,
            elements_of(call.body, collection),
            lambda c, e: documents.write(c, e, create_only, kind),
            lambda c, thing: render.document(c, thing),
            id_name=kind.id_name,
            flag_name="HasErrors",
            summarize=call.switch("summarizeErrors", True),
        )
    }


def post_document(call: Call, kind: Kind, key: str) -> Payload:
    found = document(call, kind, key)
    element = _one(call, f"{kind.id_name[:-2]}s")
    done = _single(
        call, element, lambda: documents.write(call, element, False, kind, found.id), kind.id_name, "HasErrors"
    )
    return {f"{kind.id_name[:-2]}s": [render.document(call, done)]}


def email_invoice(call: Call, key: str) -> Payload:
    """Answered 204 without a body."""
    found = document(call, INVOICE, key)
    if found.status not in ("SUBMITTED", "AUTHORISED", "PAID"):
        raise validation_exception(
            [refused({}, Invalid("Invoice not of valid status for emailing"), "InvoiceID", "HasErrors")]
        )
    with call.books.edit(found):
        found.sent, found.updated = True, call.now
    return {}


def document(call: Call, kind: Kind, key: str) -> Document:
    """By id or by number; 404 otherwise."""
    found = call.books.documents.get(key.lower())
    if found is not None and found.type in kind.types:
        return found
    named = call.books.invoice_numbered(key) if kind is INVOICE else call.books.note_numbered(key)
    if named is None:
        raise not_found()
    return named


# Payments and allocations


def list_payments(call: Call) -> Payload:
    return page_of(call, PAYMENTS, call.books.payments.values())


def get_payment(call: Call, key: str) -> Payload:
    return {"Payments": [render.payment(call, _payment(call, key))]}


def put_payments(call: Call) -> Payload:
    return {
        "Payments": write_all(
            call,
            elements_of(call.body, "Payments"),
            money.pay,
            render.payment,
            id_name="PaymentID",
            flag_name="HasValidationErrors",
            summarize=call.switch("summarizeErrors", True),
        )
    }


def post_payments(call: Call) -> Payload:
    element = _one(call, "Payments")
    done = _single(call, element, lambda: money.pay(call, element), "PaymentID", "HasValidationErrors")
    return {"Payments": [render.payment(call, done)]}


def post_payment(call: Call, key: str) -> Payload:
    found = _payment(call, key)
    element = _one(call, "Payments")
    done = _single(
        call, element, lambda: money.delete_payment(call, found, element), "PaymentID", "HasValidationErrors"
    )
    return {"Payments": [render.payment(call, done)]}


def put_allocations(call: Call, key: str) -> Payload:
    note = document(call, NOTE, key)
    return {
        "Allocations": write_all(
            call,
            elements_of(call.body, "Allocations"),
            lambda c, e: money.allocate(c, note, e),
            render.allocation,
            id_name="AllocationID",
            flag_name="",
            summarize=call.switch("summarizeErrors", True),
        )
    }


def delete_allocation(call: Call, key: str, allocation_id: str) -> Payload:
    note = document(call, NOTE, key)
    found = call.books.allocations.get(allocation_id.lower())
    if found is None or found.note != note.id or found.deleted:
        raise not_found()
    with call.books.change():
        money.remove_allocation(call, found)
    return render.allocation(call, found) | {"IsDeleted": True}


def _payment(call: Call, key: str) -> Payment:
    found = call.books.payments.get(key.lower())
    if found is None:
        raise not_found()
    return found


def _one(call: Call, collection: str) -> dict[str, Any]:
    elements = elements_of(call.body, collection)
    if len(elements) != 1:
        raise bad_post_data(f"Only one of {collection} can be written by this request.")
    return elements[0]


def _single(call: Call, element: dict[str, Any], write: Callable[[], Any], id_name: str, flag_name: str) -> Any:
    """Write one record, for the operations that know no summarizeErrors."""
    try:
        with call.books.change():
            return write()
    except Invalid as invalid:
        raise validation_exception([refused(element, invalid, id_name, flag_name)]) from invalid
