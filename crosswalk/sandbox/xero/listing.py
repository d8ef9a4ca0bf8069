"""Lists: filters, order, pages, what has changed since. Offsets count over the records as they are at that moment."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from crosswalk.sandbox.xero.books import Books, Contact, Document, Payment
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.errors import Refusal, bad_query
from crosswalk.sandbox.xero.where import Kind, Properties, Property, compile_order, compile_where

DEFAULT_PAGE, LARGEST_PAGE, TOO_MANY = 100, 1_000, 100_000


@dataclass(frozen=True, slots=True)
class Listed:
    """How records of one type are filtered and shown. show: record, lines wanted → row.

    search: the texts that searchTerm looks through.  narrow: filters of this type alone.
    """

    type_name: str
    collection: str
    properties: Callable[[Books], Properties]
    show: Callable[[Call, Any, bool], dict[str, Any]]
    search: Callable[[Any], Iterable[str | None]]
    narrow: Callable[[Call, list[Any]], list[Any]] = lambda call, rows: rows


def page_of(call: Call, listed: Listed, records: Iterable[Any]) -> dict[str, Any]:
    """The rows asked for, with ``pagination`` where a page was."""
    rows = listed.narrow(call, list(records))
    properties = listed.properties(call.books)
    if call.since is not None:
        since = call.since
        rows = [r for r in rows if r.updated >= since]
        if not rows and call.org.not_modified_304:
            raise Refusal(304, "")
    where = call.query.get("where")
    if where:
        test = compile_where(where, listed.type_name, properties)
        rows = [r for r in rows if test(r)]
    term = call.query.get("searchterm", "").casefold()
    if term:
        rows = [r for r in rows if any(term in (t or "").casefold() for t in listed.search(r))]
    if len(rows) > TOO_MANY:
        raise bad_query(f"The request matches more than {TOO_MANY} records; add a filter")
    rows.sort(key=lambda r: (r.updated, r.seq))
    order = call.query.get("order")
    for found, descending in reversed(compile_order(order, listed.type_name, properties) if order else []):
        rows.sort(key=_sort_key(found), reverse=descending)
    number, size = call.whole("page"), call.whole("pageSize")
    light = call.switch("summaryOnly")
    if number is None:
        return {listed.collection: [listed.show(call, r, False) for r in rows]}
    size = min(size or DEFAULT_PAGE, LARGEST_PAGE)
    shown = rows[(number - 1) * size : number * size]
    pagination = {"page": number, "pageSize": size, "pageCount": -(-len(rows) // size), "itemCount": len(rows)}
    return {"pagination": pagination, listed.collection: [listed.show(call, r, not light) for r in shown]}


def _sort_key(found: Property) -> Callable[[Any], tuple[bool, Any]]:
    def key(record: Any) -> tuple[bool, Any]:
        value = found.read(record)
        return (value is not None, value if value is not None else 0)

    return key


def ids_asked(call: Call, name: str) -> set[str] | None:
    """A parameter that is a list of ids."""
    found = call.listed(name)
    if found is None:
        return None
    for wanted in found:
        try:
            uuid.UUID(wanted)
        except ValueError as error:
            raise bad_query(f"The value '{wanted}' is not valid for {name}") from error
    return {f.lower() for f in found}


def contact_properties(books: Books) -> Properties:
    names = ("FirstName", "LastName", "EmailAddress", "AccountNumber", "TaxNumber", "BankAccountDetails")
    plain = {n: Property("String", _field(n)) for n in names}
    return plain | {
        "ContactID": Property("Guid", lambda c: c.id),
        "ContactNumber": Property("String", lambda c: c.number),
        "Name": Property("String", lambda c: c.name),
        "ContactStatus": Property("String", lambda c: c.status),
        "IsCustomer": Property("Boolean", lambda c: c.is_customer),
        "IsSupplier": Property("Boolean", lambda c: c.is_supplier),
        "UpdatedDateUTC": Property("DateTime", lambda c: c.updated),
    }


def _field(name: str) -> Callable[[Contact], Any]:
    return lambda c: c.fields.get(name)


def document_properties(books: Books, note: bool) -> Properties:
    kinds: dict[str, tuple[Kind, Callable[[Document], Any]]] = {
        "CreditNoteID" if note else "InvoiceID": ("Guid", lambda d: d.id),
        "CreditNoteNumber" if note else "InvoiceNumber": ("String", lambda d: d.number or None),
        "Type": ("String", lambda d: d.type),
        "Status": ("String", lambda d: d.status),
        "Reference": ("String", lambda d: d.reference),
        "CurrencyCode": ("String", lambda d: d.currency),
        "SubTotal": ("Decimal", lambda d: d.sub_total),
        "TotalTax": ("Decimal", lambda d: d.tax),
        "Total": ("Decimal", lambda d: d.total),
        "Date": ("DateTime", lambda d: midnight(d.day)),
        "DueDate": ("DateTime", lambda d: midnight(d.due_day)),
        "FullyPaidOnDate": ("DateTime", lambda d: midnight(d.paid_on)),
        "UpdatedDateUTC": ("DateTime", lambda d: d.updated),
        "Contact.ContactID": ("Guid", lambda d: d.contact),
        "Contact.Name": ("String", lambda d: books.contacts[d.contact].name),
        "Contact.ContactNumber": ("String", lambda d: books.contacts[d.contact].number),
    }
    if note:
        kinds["RemainingCredit"] = ("Decimal", lambda d: d.due)
    else:
        kinds["AmountDue"] = ("Decimal", lambda d: d.due)
        kinds["AmountPaid"] = ("Decimal", lambda d: d.paid)
        kinds["AmountCredited"] = ("Decimal", lambda d: d.applied)
        kinds["SentToContact"] = ("Boolean", lambda d: d.sent)
    return {name: Property(kind, read) for name, (kind, read) in kinds.items()}


def payment_properties(books: Books) -> Properties:
    def of(p: Payment) -> Document:
        return books.documents[p.document]

    kinds: dict[str, tuple[Kind, Callable[[Payment], Any]]] = {
        "PaymentID": ("Guid", lambda p: p.id),
        "Reference": ("String", lambda p: p.reference or None),
        "Status": ("String", lambda p: p.status),
        "PaymentType": ("String", lambda p: p.type),
        "Amount": ("Decimal", lambda p: p.amount),
        "Date": ("DateTime", lambda p: midnight(p.day)),
        "UpdatedDateUTC": ("DateTime", lambda p: p.updated),
        "IsReconciled": ("Boolean", lambda p: p.reconciled),
        "Invoice.InvoiceID": ("Guid", lambda p: p.document),
        "Invoice.InvoiceNumber": ("String", lambda p: of(p).number),
        "Account.Code": ("String", lambda p: p.account),
    }
    return {name: Property(kind, read) for name, (kind, read) in kinds.items()}


def midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None
