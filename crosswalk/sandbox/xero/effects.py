"""The ledger of effects: what the books hold, as plain values that a test can compare."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from crosswalk.sandbox.xero.books import Allocation, Books, Contact, Document, Payment

_LIVE = ("AUTHORISED", "PAID")


def ledger(books: Books) -> dict[str, Any]:
    """Lists of plain dicts with ``counts`` and ``totals``; amounts are Decimal with 2 places, days are dates."""
    rows = {
        "invoices": [_document(books, d) for d in books.documents.values() if not d.is_credit],
        "credit_notes": [_document(books, d) for d in books.documents.values() if d.is_credit],
        "contacts": [_contact(c) for c in books.contacts.values()],
        "payments": [_payment(books, p) for p in books.payments.values()],
        "allocations": [_allocation(books, a) for a in books.allocations.values() if not a.deleted],
    }
    return {**rows, "counts": {name: len(found) for name, found in rows.items()}, "totals": _totals(rows)}


def _totals(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Decimal]:
    """Over what counts in the ledger: approved documents, payments and allocations that stand."""
    live = {name: [r for r in found if r.get("status", "PAID") in _LIVE] for name, found in rows.items()}
    return {
        "invoices": _sum(r["total"] for r in live["invoices"]),
        "tax": _sum(r["tax"] for r in live["invoices"]),
        "credit_notes": _sum(r["total"] for r in live["credit_notes"]),
        "payments": _sum(r["amount"] for r in live["payments"] if r["credit_note"] is None),
        "refunds": _sum(r["amount"] for r in live["payments"] if r["credit_note"] is not None),
        "allocations": _sum(r["amount"] for r in live["allocations"]),
    }


def _contact(c: Contact) -> dict[str, Any]:
    email = c.fields.get("EmailAddress", "")
    return {"id": c.id, "number": c.number, "name": c.name, "status": c.status, "email": email}


def _allocation(books: Books, a: Allocation) -> dict[str, Any]:
    return {
        "id": a.id,
        "credit_note": books.documents[a.note].number,
        "invoice": books.documents[a.invoice].number,
        "amount": a.amount,
        "date": a.day,
    }


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))


def _document(books: Books, d: Document) -> dict[str, Any]:
    contact = books.contacts[d.contact]
    return {
        "id": d.id,
        "type": d.type,
        "number": d.number,
        "reference": d.reference,
        "status": d.status,
        "contact_id": d.contact,
        "contact_number": contact.number,
        "contact_name": contact.name,
        "date": d.day,
        "due_date": d.due_day,
        "currency": d.currency,
        "amounts": d.amounts,
        "subtotal": d.sub_total,
        "tax": d.tax,
        "total": d.total,
        "paid": d.paid,
        "credited": d.applied,
        "due": d.due,
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "unit": line.unit,
                "amount": line.amount,
                "tax": line.tax,
                "tax_type": line.tax_type,
                "account": line.account,
            }
            for line in d.lines
        ],
    }


def _payment(books: Books, p: Payment) -> dict[str, Any]:
    document = books.documents[p.document]
    return {
        "id": p.id,
        "invoice": None if document.is_credit else document.number,
        "credit_note": document.number if document.is_credit else None,
        "account": p.account,
        "date": p.day,
        "amount": p.amount,
        "reference": p.reference,
        "status": p.status,
        "type": p.type,
    }
