"""The rest of the API: accounts, tax rates, currencies, the organisation, items and history notes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from crosswalk.sandbox.xero import render
from crosswalk.sandbox.xero.books import Contact, Document
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.chart import Item
from crosswalk.sandbox.xero.dates import envelope_stamp
from crosswalk.sandbox.xero.documents import INVOICE, NOTE
from crosswalk.sandbox.xero.errors import Invalid, bad_post_data, not_found, validation_exception
from crosswalk.sandbox.xero.fields import children, elements_of, text
from crosswalk.sandbox.xero.resources import contact, document
from crosswalk.sandbox.xero.where import Property, compile_order, compile_where

Payload = dict[str, Any]


def _filtered(call: Call, rows: list[Any], type_name: str, names: dict[str, str]) -> list[Any]:
    """``where`` and ``order`` over plain text attributes; these lists are not paged."""
    properties = {name: Property("String", operator.attrgetter(attribute)) for name, attribute in names.items()}
    where, order = call.query.get("where"), call.query.get("order")
    if where:
        test = compile_where(where, type_name, properties)
        rows = [r for r in rows if test(r)]
    for found, descending in reversed(compile_order(order, type_name, properties) if order else []):
        rows = sorted(rows, key=found.read, reverse=descending)
    return rows


def list_accounts(call: Call) -> Payload:
    names = {"Code": "code", "Type": "type", "Name": "name", "Status": "status", "TaxType": "tax_type"}
    rows = _filtered(call, list(call.state.accounts.values()), "Account", names)
    return {"Accounts": [render.account(a) for a in rows]}


def get_account(call: Call, key: str) -> Payload:
    found = next((a for a in call.state.accounts.values() if a.id == key.lower()), None)
    if found is None:
        raise not_found()
    return {"Accounts": [render.account(found)]}


def list_tax_rates(call: Call) -> Payload:
    names = {"TaxType": "type", "Name": "name", "Status": "status"}
    rows = _filtered(call, list(call.state.tax_rates.values()), "TaxRate", names)
    return {"TaxRates": [render.tax_rate(t) for t in rows]}


def list_currencies(call: Call) -> Payload:
    return {"Currencies": render.currencies(call.state.currencies)}


def get_organisation(call: Call) -> Payload:
    return {"Organisations": [render.organisation(call)]}


def list_items(call: Call) -> Payload:
    rows = _filtered(call, list(call.state.items.values()), "Item", {"Code": "code"})
    return {"Items": [render.item(i) for i in rows]}


def get_item(call: Call, key: str) -> Payload:
    return {"Items": [render.item(_item(call, key))]}


def put_items(call: Call) -> Payload:
    return _write_items(call, create_only=True)


def post_items(call: Call) -> Payload:
    return _write_items(call, create_only=False)


def delete_item(call: Call, key: str) -> Payload:
    """Answered 204 without a body."""
    del call.state.items[_item(call, key).code.casefold()]
    return {}


def _item(call: Call, key: str) -> Item:
    for found in call.state.items.values():
        if key in (found.id, found.code):
            return found
    raise not_found()


def _write_items(call: Call, create_only: bool) -> Payload:
    written: list[Item] = []
    for element in elements_of(call.body, "Items"):
        code = text(element, "Code", 30)
        held = call.state.items.get((code or "").casefold())
        if not code or (create_only and held):
            message = f"Price List Item with Code '{code}' already exists" if code else "Code must be specified"
            raise validation_exception([{**element, "ValidationErrors": [{"Message": message}]}])
        given = {k: v for k, v in element.items() if k not in ("ItemID", "Code") and v is not None}
        known = held.fields if held else {"IsSold": True, "IsPurchased": True}
        written.append(Item(held.id if held else call.books.new_id(), code, {**known, **given}))
    for done in written:
        call.state.items[done.code.casefold()] = done
    return {"Items": [render.item(i) for i in written]}


# History notes

Holder = Callable[[Call, str], Contact | Document]
HOLDERS: dict[str, Holder] = {
    "contacts": contact,
    "invoices": lambda call, key: document(call, INVOICE, key),
    "creditnotes": lambda call, key: document(call, NOTE, key),
}


def get_history(call: Call, resource: str, key: str) -> Payload:
    return {"HistoryRecords": list(HOLDERS[resource](call, key).history)}


def put_history(call: Call, resource: str, key: str) -> Payload:
    """Notes are added, never matched: the same text twice is two notes."""
    holder = HOLDERS[resource](call, key)
    body = call.body if isinstance(call.body, dict) else {}
    notes = children(body, "HistoryRecords")
    if not notes:
        raise bad_post_data("No HistoryRecords were provided in the body of the request.")
    made = []
    for note in notes:
        details = text(note, "Details")
        if not details or len(details) > 4000:
            problem = Invalid("Details must be specified, with at most 4000 characters")
            raise validation_exception([{"ValidationErrors": [{"Message": m} for m in problem.messages]}])
        made.append(
            {
                "Changes": "Note",
                "DateUTCString": call.now.strftime("%Y-%m-%dT%H:%M:%S"),
                "DateUTC": envelope_stamp(call.now),
                "User": "System Generated",
                "Details": details,
            }
        )
    with call.books.edit(holder):
        holder.history = (*holder.history, *made)
    return {"HistoryRecords": made}
