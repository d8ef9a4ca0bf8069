"""Invoices and credit notes: what may be written, and in which state."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crosswalk.sandbox.xero import contacts
from crosswalk.sandbox.xero.books import Document
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.errors import Invalid, bad_post_data
from crosswalk.sandbox.xero.fields import SIX, Element, child, children, day, flag, number, text
from crosswalk.sandbox.xero.lines import Frame, read_lines, sums

EDITABLE = ("DRAFT", "SUBMITTED", "AUTHORISED")
AMOUNT_TYPES = ("Exclusive", "Inclusive", "NoTax")
STATUSES = ("DRAFT", "SUBMITTED", "DELETED", "AUTHORISED", "PAID", "VOIDED")
# What may still change once money has come in, without the record counting as modified.
HARMLESS = {"DueDate", "ExpectedPaymentDate", "PlannedPaymentDate", "SentToContact", "Url"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells invoices and credit notes apart."""

    name: str
    id_name: str
    number_name: str
    types: tuple[str, ...]
    numbered: str
    taken: str
    prefix: str


INVOICE = Kind(
    "Invoice", "InvoiceID", "InvoiceNumber", ("ACCREC", "ACCPAY"), "ACCREC", "Invoice # must be unique.", "INV"
)
NOTE = Kind(
    "Credit Note",
    "CreditNoteID",
    "CreditNoteNumber",
    ("ACCRECCREDIT", "ACCPAYCREDIT"),
    "ACCRECCREDIT",
    "Credit note number must be unique.",
    "CN",
)


def write(call: Call, element: Element, create_only: bool, kind: Kind, document_id: str | None = None) -> Document:
    """Create (PUT), or create or update (POST); raises Invalid."""
    if not create_only:
        found = _match(call, element, kind, document_id or text(element, kind.id_name))
        if found is not None:
            return _update(call, found, element, kind)
    return _create(call, element, kind)


def settle(document: Document, call: Call) -> None:
    """PAID as soon as nothing is due, AUTHORISED again when something is."""
    if document.status == "AUTHORISED" and document.due == 0:
        document.status = "PAID"
        document.paid_on = max(
            [call.books.payments[p].day for p in document.payments]
            + [call.books.allocations[a].day for a in document.allocations]
            + [document.day]
        )
    elif document.status == "PAID" and document.due != 0:
        document.status, document.paid_on = "AUTHORISED", None


def _match(call: Call, element: Element, kind: Kind, document_id: str | None) -> Document | None:
    if document_id:
        found = call.books.documents.get(document_id)
        if found is None or found.type not in kind.types:
            raise Invalid(f"An existing {kind.name} with the specified {kind.id_name} could not be found")
        return found
    wanted = text(element, kind.number_name)
    if not wanted or text(element, "Type") not in (None, kind.numbered):
        return None
    return call.books.invoice_numbered(wanted) if kind is INVOICE else call.books.note_numbered(wanted)


def _create(call: Call, element: Element, kind: Kind) -> Document:
    type_ = text(element, "Type")
    if type_ not in kind.types:
        raise Invalid(f"{kind.name} Type must be one of {', '.join(kind.types)}")
    wanted = _new_number(call, element, kind, type_)
    status = _status(element) or "DRAFT"
    if status not in EDITABLE:
        raise Invalid(f"The status {status} cannot be given to a new {kind.name}")
    currency = text(element, "CurrencyCode") or call.org.base_currency
    messages: list[str] = []
    contact = _try(messages, lambda: contacts.nested(call, child(element, "Contact")))
    document = Document(
        id=call.books.new_id(),
        seq=call.books.next_seq(),
        type=type_,
        number=wanted,
        contact=contact.id if contact else "",
        day=day(element, "Date") or call.org.today(),
        updated=call.now,
        status=status,
        amounts=_amount_types(element) or "Exclusive",
        currency=currency,
        rate=_rate(call, element, currency),
        app=call.app,
    )
    _try(messages, lambda: call.check_locks(document.day))
    if _try(messages, lambda: _fill(call, document, element)) is not None:
        _try(messages, lambda: _check(call, document, kind))
    if messages or contact is None:
        raise Invalid(*dict.fromkeys(messages))
    settle(document, call)
    call.books.add(document)
    _mark_side(call, document)
    return document


def _new_number(call: Call, element: Element, kind: Kind, type_: str) -> str:
    wanted = text(element, kind.number_name, 255) or ""
    if type_ != kind.numbered:
        return wanted
    taken = call.books.invoice_numbered if kind is INVOICE else call.books.note_numbered
    if wanted:
        if taken(wanted) is not None and (kind is INVOICE or call.org.unique_note_numbers):
            raise Invalid(kind.taken)
        return wanted
    while True:
        call.state.numbers[kind.prefix] += 1
        wanted = f"{kind.prefix}-{call.state.numbers[kind.prefix]:04d}"
        if taken(wanted) is None:
            return wanted


def _update(call: Call, document: Document, element: Element, kind: Kind) -> Document:
    status = _status(element) or document.status
    if _only_harmless(element, document, kind):
        with call.books.edit(document):
            _fill_plain(document, element)
        return document
    _check_transition(document, status, kind)
    call.check_locks(document.day, day(element, "Date"))
    if status in ("VOIDED", "DELETED"):
        with call.books.edit(document):
            document.status, document.updated = status, call.now
        return document
    wanted = text(element, kind.number_name, 255) or document.number
    if document.type == kind.numbered and wanted.casefold() != document.number.casefold():
        taken = call.books.invoice_numbered if kind is INVOICE else call.books.note_numbered
        if taken(wanted) is not None:
            raise Invalid(kind.taken)
    named = child(element, "Contact")
    with call.books.edit(document):
        if named:
            document.contact = contacts.nested(call, named).id
        document.number, document.status = wanted, status
        document.day = day(element, "Date") or document.day
        document.amounts = _amount_types(element) or document.amounts
        document.currency = text(element, "CurrencyCode") or document.currency
        if number(element, "CurrencyRate") is not None:
            document.rate = _rate(call, element, document.currency)
        _fill(call, document, element)
        _check(call, document, kind)
        document.updated = call.now
        settle(document, call)
    return document


def _only_harmless(element: Element, document: Document, kind: Kind) -> bool:
    """True for a change of a part-paid document that touches nothing the ledger rests on."""
    if document.status != "AUTHORISED" or not (document.payments or document.allocations):
        return False
    ignored = {kind.id_name, "Type"}
    if text(element, kind.number_name) == document.number:
        ignored.add(kind.number_name)
    given = {k for k, v in element.items() if v not in (None, [], {})} - ignored
    return bool(given) and given <= HARMLESS


def _check_transition(document: Document, status: str, kind: Kind) -> None:
    has_money = bool(document.payments or document.allocations)
    if document.status == "AUTHORISED" and has_money:
        raise Invalid("This document cannot be edited as it has a payment or credit note allocated to it.")
    drafts = ("DRAFT", "SUBMITTED")
    allowed = {
        "DRAFT": (*EDITABLE, "DELETED"),
        "SUBMITTED": (*EDITABLE, "DELETED"),
        "AUTHORISED": ("AUTHORISED", "VOIDED"),
    }.get(document.status, ())
    if status not in allowed:
        if document.status in drafts and status == "VOIDED":
            raise Invalid(f"{kind.name} of status {document.status} cannot be voided, only deleted.")
        raise Invalid(f"{kind.name} not of valid status for modification")


def _fill(call: Call, document: Document, element: Element) -> Document:
    _fill_plain(document, element)
    reference = text(element, "Reference")
    if reference is not None:
        if len(reference) > 255:
            raise Invalid("The value of Reference must not be longer than 255 characters.")
        document.reference = reference
    given = children(element, "LineItems")
    approved = document.status == "AUTHORISED"
    if given:
        frame = Frame(document.type, document.amounts, approved)
        document.lines = read_lines(call, given, frame, document.lines)
    total = sums(document.lines, document.amounts)
    document.sub_total, document.tax = total.sub_total, total.tax
    document.total, document.discount = total.total, total.discount
    return document


def _fill_plain(document: Document, element: Element) -> None:
    document.due_day = day(element, "DueDate") or document.due_day
    sent = flag(element, "SentToContact")
    document.sent = document.sent if sent is None else sent
    plain: dict[str, Any] = {}
    for name in ("ExpectedPaymentDate", "PlannedPaymentDate"):
        if (found := day(element, name)) is not None:
            plain[name] = found
    for name in ("Url", "BrandingThemeID"):
        if (value := text(element, name)) is not None:
            plain[name] = value
    if plain:
        document.fields = {**document.fields, **plain}


def _check(call: Call, document: Document, kind: Kind) -> None:
    """What a document must have; more when it is approved."""
    messages = []
    if document.currency not in call.state.currencies:
        messages.append(f"Organisation is not subscribed to currency {document.currency}")
    if not document.lines:
        messages.append("One or more line items must be specified")
    if document.status == "AUTHORISED":
        if kind is INVOICE and document.due_day is None:
            messages.append("Due Date must be specified for approved invoices")
        if any(line.amount and not line.account for line in document.lines):
            messages.append("Account must be valid.")
    if document.total < 0:
        messages.append(f"The {kind.name.lower()} total cannot be negative")
    if messages:
        raise Invalid(*messages)


def _status(element: Element) -> str | None:
    status = text(element, "Status")
    if status and status not in STATUSES:
        raise bad_post_data(f"Error converting value \"{status}\" to type 'InvoiceStatus'. Path 'Status'.")
    return status or None


def _amount_types(element: Element) -> str | None:
    found = text(element, "LineAmountTypes")
    if found and found not in AMOUNT_TYPES:
        raise bad_post_data(f"Error converting value \"{found}\" to type 'LineAmountType'. Path 'LineAmountTypes'.")
    return found or None


def _rate(call: Call, element: Element, currency: str) -> Decimal:
    given = number(element, "CurrencyRate")
    if currency == call.org.base_currency:
        return Decimal("1.000000")
    if given is not None and given <= 0:
        raise Invalid("The currency rate must be greater than zero.")
    return (given or call.org.rates.get(currency, Decimal(1))).quantize(SIX, ROUND_HALF_UP)


def _mark_side(call: Call, document: Document) -> None:
    """A contact becomes a customer or supplier by what it is sent; that does not count as a modification."""
    contact = call.books.contacts[document.contact]
    side = "is_customer" if document.type.startswith("ACCREC") else "is_supplier"
    if not getattr(contact, side):
        with call.books.edit(contact):
            setattr(contact, side, True)


def _try(messages: list[str], step: Any) -> Any:
    """Run a step and collect what it refuses, so that one answer names everything."""
    try:
        return step()
    except Invalid as invalid:
        messages.extend(invalid.messages)
        return None
