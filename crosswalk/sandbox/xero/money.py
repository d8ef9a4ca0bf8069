"""Payments, refunds of credit notes, and allocations of credit notes to invoices."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from crosswalk.sandbox.xero.books import ZERO, Allocation, Document, Payment
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.chart import Account
from crosswalk.sandbox.xero.documents import INVOICE, NOTE, settle
from crosswalk.sandbox.xero.errors import Invalid
from crosswalk.sandbox.xero.fields import SIX, Element, child, day, flag, money, number, text

PAYMENT_TYPES = {
    "ACCREC": "ACCRECPAYMENT",
    "ACCPAY": "ACCPAYPAYMENT",
    "ACCRECCREDIT": "ARCREDITPAYMENT",
    "ACCPAYCREDIT": "APCREDITPAYMENT",
}


def pay(call: Call, element: Element) -> Payment:
    """A payment of an invoice, or a refund of a credit note; two may carry the same reference."""
    document, account, amount, paid_on = _checked(call, element)
    payment = Payment(
        id=call.books.new_id(),
        seq=call.books.next_seq(),
        document=document.id,
        account=account.code,
        day=paid_on,
        amount=amount,
        updated=call.now,
        reference=text(element, "Reference", 255) or "",
        rate=(number(element, "CurrencyRate") or document.rate).quantize(SIX, ROUND_HALF_UP),
        type=PAYMENT_TYPES[document.type],
        reconciled=bool(flag(element, "IsReconciled")),
    )
    call.books.add(payment)
    with call.books.edit(document):
        document.payments = (*document.payments, payment.id)
        document.paid += payment.amount
        document.updated = call.now
        settle(document, call)
    return payment


def _checked(call: Call, element: Element) -> tuple[Document, Account, Decimal, date]:
    """What a payment needs: document, account, amount to the cent, day. Raises Invalid with all that is wrong."""
    document = _document(call, element)
    amount = money(number(element, "Amount") or ZERO)
    paid_on = day(element, "Date")
    messages = []
    if amount <= 0:
        messages.append("Payment amount must be greater than zero")
    if paid_on is None:
        messages.append("Payment date must be specified")
    if document is None:
        messages.append("A payment must be linked to an invoice or credit note that exists")
    elif document.status not in ("AUTHORISED", "PAID"):
        messages.append("Payments can only be made against Authorised documents")
    elif amount > document.due:
        messages.append("Payment amount exceeds the amount outstanding on this document")
    account = _account(call, element, messages)
    try:
        call.check_locks(paid_on, what="payment")
    except Invalid as invalid:
        messages += invalid.messages
    if messages or document is None or account is None or paid_on is None:
        raise Invalid(*messages)
    return document, account, amount, paid_on


def delete_payment(call: Call, payment: Payment, element: Element) -> Payment:
    """The only change a payment allows; what it paid is due again."""
    if text(element, "Status") != "DELETED" or payment.status == "DELETED":
        raise Invalid("Payment not of valid status for modification")
    call.check_locks(payment.day, what="payment")
    document = call.books.documents[payment.document]
    with call.books.edit(payment):
        payment.status, payment.updated = "DELETED", call.now
    with call.books.edit(document):
        document.payments = tuple(p for p in document.payments if p != payment.id)
        document.paid -= payment.amount
        document.updated = call.now
        settle(document, call)
    return payment


def allocate(call: Call, note: Document, element: Element) -> Allocation:
    """Set a credit note against an invoice, at most what both have left."""
    named = child(element, "Invoice")
    invoice = _by(call, named, "InvoiceID", "InvoiceNumber")
    amount = number(element, "Amount")
    on = day(element, "Date")
    if invoice is None or invoice.is_credit:
        raise Invalid("An allocation must be linked to an invoice that exists")
    if amount is None or money(amount) <= 0:
        raise Invalid("The amount to allocate must be greater than zero")
    if on is None:
        raise Invalid("The date of the allocation must be specified")
    if note.status not in ("AUTHORISED", "PAID"):
        raise Invalid("Credit can only be allocated from an authorised credit note")
    if invoice.status not in ("AUTHORISED", "PAID"):
        raise Invalid("Credit can only be allocated to an authorised invoice")
    if note.contact != invoice.contact or note.currency != invoice.currency or note.type != f"{invoice.type}CREDIT":
        raise Invalid("The credit note and the invoice must have the same contact, currency and side")
    if money(amount) > invoice.due:
        raise Invalid("The amount to allocate exceeds the amount outstanding on this invoice")
    if money(amount) > note.due:
        raise Invalid("The amount to allocate exceeds the remaining credit of this credit note")
    call.check_locks(on, what="allocation")
    allocation = Allocation(
        id=call.books.new_id(),
        seq=call.books.next_seq(),
        note=note.id,
        invoice=invoice.id,
        amount=money(amount),
        day=on,
    )
    call.books.add(allocation)
    for document in (note, invoice):
        with call.books.edit(document):
            document.allocations = (*document.allocations, allocation.id)
            document.applied += allocation.amount
            document.updated = call.now
            settle(document, call)
    return allocation


def remove_allocation(call: Call, allocation: Allocation) -> Allocation:
    """Take an allocation back; the invoice is due again and the credit remains."""
    call.check_locks(allocation.day, what="allocation")
    with call.books.edit(allocation):
        allocation.deleted = True
    for document_id in (allocation.note, allocation.invoice):
        document = call.books.documents[document_id]
        with call.books.edit(document):
            document.allocations = tuple(a for a in document.allocations if a != allocation.id)
            document.applied -= allocation.amount
            document.updated = call.now
            settle(document, call)
    return allocation


def _document(call: Call, element: Element) -> Document | None:
    """What a payment names; None where it names nothing that exists."""
    invoice = {"InvoiceNumber": text(element, "InvoiceNumber"), **child(element, "Invoice")}
    note = {"CreditNoteNumber": text(element, "CreditNoteNumber"), **child(element, "CreditNote")}
    found = _by(call, invoice, INVOICE.id_name, INVOICE.number_name)
    other = _by(call, note, NOTE.id_name, NOTE.number_name)
    if found is not None and other is not None:
        raise Invalid("A payment can be linked to an invoice or a credit note, not to both")
    return found or other


def _by(call: Call, element: Element, id_name: str, number_name: str) -> Document | None:
    wanted = text(element, id_name)
    if wanted:
        found = call.books.documents.get(wanted.lower())
        return found if found is not None and found.is_credit == (id_name == NOTE.id_name) else None
    wanted = text(element, number_name)
    if not wanted:
        return None
    return (
        call.books.invoice_numbered(wanted) if number_name == INVOICE.number_name else call.books.note_numbered(wanted)
    )


def _account(call: Call, element: Element, messages: list[str]) -> Account | None:
    named = child(element, "Account")
    code = text(named, "Code") or text(element, "Code")
    account_id = text(named, "AccountID")
    if account_id and not code:
        code = next((a.code for a in call.state.accounts.values() if a.id == account_id), account_id)
    account = call.state.accounts.get(code or "")
    if account is None:
        messages.append(
            f"Account code '{code}' is not a valid code for this document." if code else "Account must be valid."
        )
    elif account.status != "ACTIVE":
        messages.append(f"Account code '{code}' has been archived, or has been deleted.")
    elif not account.takes_payments:
        messages.append("The account must be a bank account or have payments to it enabled.")
    return account
