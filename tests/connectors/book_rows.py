"""Records for the practice Xero, and the short way to write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from crosswalk.connectors.base import Item, Result
from crosswalk.connectors.xero import Xero
from crosswalk.http.answer import SAFE, Repeat

DAY = date(2026, 11, 20)


def contact(number: int, name: str = "", **fields: Any) -> Item:
    marker = f"S1-{number}"
    return Item(f"c{number}", marker, {"ContactNumber": marker, "Name": name or f"Visser {number}", **fields})


def line(amount: str = "100.00", **fields: Any) -> dict[str, Any]:
    own = {"Description": "Course", "Quantity": Decimal(1), "UnitAmount": Decimal(amount)}
    return {**own, "AccountCode": "4020", "TaxType": "TAX001", **fields}


def document(contact_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact_id},
        "Date": DAY,
        "DueDate": DAY,
        "Status": "AUTHORISED",
        "LineAmountTypes": "Inclusive",
        "CurrencyCode": "EUR",
        "LineItems": [line()],
        **fields,
    }


def invoice(number: int, contact_id: str, **fields: Any) -> Item:
    marker = f"S1-{number}"
    return Item(f"o{number}", marker, document(contact_id, InvoiceNumber=marker, **fields))


def note(number: int, contact_id: str, **fields: Any) -> Item:
    marker = f"S1-R{number}"
    payload = document(contact_id, CreditNoteNumber=marker, **{"Type": "ACCRECCREDIT", **fields})
    payload.pop("DueDate")
    return Item(f"r{number}", marker, payload)


def payment(number: int, invoice_id: str, amount: str = "100.00", **fields: Any) -> Item:
    marker = f"S1-T{number}"
    own = {"Invoice": {"InvoiceID": invoice_id}, "Account": {"Code": "1010"}, "Date": DAY}
    return Item(f"p{number}", marker, {**own, "Amount": Decimal(amount), "Reference": marker, **fields})


def refund_payment(number: int, note_id: str, amount: str = "100.00") -> Item:
    made = payment(number, "", amount)
    payload = {k: v for k, v in made.payload.items() if k != "Invoice"}
    return Item(made.key, made.marker, {**payload, "CreditNote": {"CreditNoteID": note_id}})


def allocation(note_id: str, invoice_id: str, amount: str) -> Item:
    payload = {"CreditNote": {"CreditNoteID": note_id}, "Invoice": {"InvoiceID": invoice_id}, "Date": DAY}
    return Item(f"a{note_id}", "", {**payload, "Amount": Decimal(amount)})


def write(
    xero: Xero, resource: str, items: Sequence[Item], op: str = "create", *, key: str = "", repeat: Repeat = SAFE
) -> list[Result]:
    """Freeze, send, read the answer."""
    frozen = xero.freeze(resource, op, items)
    answer = xero.send(resource, op, frozen, key=key or f"{resource}{op}{items[0].key}", repeat=repeat)
    return xero.read_answer(resource, op, items, answer)


def made(xero: Xero, resource: str, item: Item) -> str:
    """Write one and return its id."""
    [result] = write(xero, resource, [item])
    assert result.outcome == "applied", result.message
    return str(result.target_id)


def with_id(item: Item, target_id: str, **changes: Any) -> Item:
    return Item(item.key, item.marker, {**item.payload, **changes}, target_id)
