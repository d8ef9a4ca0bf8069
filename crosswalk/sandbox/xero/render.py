"""Records as the API shows them. Amounts stay Decimal with their 2, 4 or 6 places; what is null is left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP
from typing import Any

from crosswalk.sandbox.xero.books import Allocation, Contact, Document, Line, Payment
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.chart import CLASS_OF, Account, Item, TaxRate
from crosswalk.sandbox.xero.contacts import ADDRESS_TYPES, PHONE_TYPES
from crosswalk.sandbox.xero.dates import day_stamp, day_text, stamp, utc_text
from crosswalk.sandbox.xero.fields import CENT, FOUR

_EMPTY_ADDRESS = {"City": "", "Region": "", "PostalCode": "", "Country": ""}
_EMPTY_PHONE = {"PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}


def contact(c: Contact, *, light: bool = False, persons: bool = True) -> dict[str, Any]:
    """Always 2 addresses and 4 phones, empty ones included; ``light`` leaves all but the names out."""
    shown: dict[str, Any] = {"ContactID": c.id}
    if c.number:
        shown["ContactNumber"] = c.number
    shown |= {"ContactStatus": c.status, "Name": c.name}
    if light:
        return shown | {
            "EmailAddress": c.fields.get("EmailAddress", ""),
            "UpdatedDateUTC": stamp(c.updated),
            "IsSupplier": c.is_supplier,
            "IsCustomer": c.is_customer,
            "HasValidationErrors": False,
        }
    shown |= {"EmailAddress": "", "BankAccountDetails": "", **c.fields}
    kinds = [*PHONE_TYPES, *(k for k in c.phones if k not in PHONE_TYPES)]
    return shown | {
        "Addresses": [{"AddressType": k, **_EMPTY_ADDRESS, **c.addresses.get(k, {})} for k in ADDRESS_TYPES],
        "Phones": [{"PhoneType": k, **_EMPTY_PHONE, **c.phones.get(k, {})} for k in kinds],
        "UpdatedDateUTC": stamp(c.updated),
        "ContactGroups": [],
        "IsSupplier": c.is_supplier,
        "IsCustomer": c.is_customer,
        "ContactPersons": list(c.persons) if persons else [],
        "HasAttachments": False,
        "HasValidationErrors": False,
    }


def contact_stub(c: Contact) -> dict[str, Any]:
    """The contact inside a row of a list."""
    return {
        "ContactID": c.id,
        "Name": c.name,
        "Addresses": [],
        "Phones": [],
        "ContactGroups": [],
        "ContactPersons": [],
        "HasValidationErrors": False,
    }


def document(call: Call, d: Document, *, lines: bool = True, full: bool = True) -> dict[str, Any]:
    """An invoice or a credit note; ``full`` with the whole contact, as one record by id or as a write is answered."""
    note = d.is_credit
    holder = call.books.contacts[d.contact]
    shown: dict[str, Any] = {"Type": d.type}
    if note:
        shown |= {"CreditNoteID": d.id, "CreditNoteNumber": d.number, "ID": d.id, "Reference": d.reference}
        shown |= {"RemainingCredit": d.due, "Allocations": allocations_of(call, d)}
    else:
        shown |= {"InvoiceID": d.id, "InvoiceNumber": d.number, "Reference": d.reference}
        shown |= {"CreditNotes": credits_of(call, d), "Prepayments": [], "Overpayments": []}
        shown |= {"AmountDue": d.due, "AmountPaid": d.paid, "AmountCredited": d.applied, "SentToContact": d.sent}
        shown |= {"IsDiscounted": any(line.discount_rate or line.discount_amount for line in d.lines)}
        if d.discount:
            shown["TotalDiscount"] = d.discount
    shown |= {
        "Payments": [payment_stub(call.books.payments[p]) for p in d.payments],
        "CurrencyRate": d.rate,
        "HasErrors": False,
        "HasAttachments": False,
        "Contact": contact(holder) if full else contact_stub(holder),
        "DateString": day_text(d.day),
        "Date": day_stamp(d.day),
        **_day("DueDate", d.due_day),
        "Status": d.status,
        "LineAmountTypes": d.amounts,
        "LineItems": [line_item(line, call.four_decimals) for line in d.lines] if lines else [],
        "SubTotal": d.sub_total,
        "TotalTax": d.tax,
        "Total": d.total,
        "UpdatedDateUTC": stamp(d.updated),
        "UpdatedDateUTCString": utc_text(d.updated),
        "CurrencyCode": d.currency,
    }
    if d.paid_on:
        shown["FullyPaidOnDate"] = day_stamp(d.paid_on)
    for name, value in d.fields.items():
        shown |= _day(name, value) if isinstance(value, date) else {name: value}
    return shown


def line_item(line: Line, four: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "LineItemID": line.id,
        "Description": line.description,
        "UnitAmount": line.unit.quantize(FOUR if four else CENT, ROUND_HALF_UP),
        "TaxType": line.tax_type,
        "TaxAmount": line.tax,
        "LineAmount": line.amount,
        "Tracking": list(line.tracking),
        "Quantity": line.quantity,
        "ValidationErrors": [],
    }
    if line.account:
        shown["AccountCode"] = line.account
    if line.item:
        shown["ItemCode"] = line.item
    if line.discount_rate is not None:
        shown["DiscountRate"] = line.discount_rate.quantize(CENT, ROUND_HALF_UP)
    if line.discount_amount is not None:
        shown["DiscountAmount"] = line.discount_amount.quantize(CENT, ROUND_HALF_UP)
    return shown


def payment_stub(p: Payment) -> dict[str, Any]:
    """A payment inside its document."""
    shown = {"PaymentID": p.id, "Date": day_stamp(p.day), "Amount": p.amount, "CurrencyRate": p.rate}
    if p.reference:
        shown["Reference"] = p.reference
    return shown | {"HasAccount": False, "HasValidationErrors": False}


def payment(call: Call, p: Payment, *, full: bool = True) -> dict[str, Any]:
    """A payment; that of a credit note shows the note as CreditNote and, as Xero does, in the place of the invoice."""
    d = call.books.documents[p.document]
    account = call.state.accounts[p.account]
    shown_account = {"AccountID": account.id, "Code": account.code}
    if full:
        shown_account["Name"] = account.name
    shown: dict[str, Any] = {
        "PaymentID": p.id,
        "Date": day_stamp(p.day),
        "BankAmount": (p.amount / p.rate).quantize(CENT, ROUND_HALF_UP),
        "Amount": p.amount,
        "Reference": p.reference,
        "CurrencyRate": p.rate,
        "PaymentType": p.type,
        "Status": p.status,
        "UpdatedDateUTC": stamp(p.updated),
        "UpdatedDateUTCString": utc_text(p.updated),
        "HasAccount": True,
        "IsReconciled": p.reconciled,
        "Account": shown_account,
        "Invoice": _paid(call, d, full),
        "HasValidationErrors": False,
    }
    if d.is_credit:
        shown["CreditNote"] = {"CreditNoteID": d.id, "CreditNoteNumber": d.number, "LineItems": []}
    return shown


def _paid(call: Call, d: Document, full: bool) -> dict[str, Any]:
    holder = call.books.contacts[d.contact]
    shown: dict[str, Any] = {
        "Type": d.type,
        "InvoiceID": d.id,
        "InvoiceNumber": d.number,
        "Payments": [],
        "CreditNotes": [],
        "Prepayments": [],
        "Overpayments": [],
        "HasErrors": False,
        "IsDiscounted": False,
        "Contact": contact_stub(holder),
        "LineItems": [],
        "CurrencyCode": d.currency,
    }
    if not full:
        return shown
    return shown | {
        "Reference": d.reference,
        "AmountDue": d.due,
        "AmountPaid": d.paid,
        "AmountCredited": d.applied,
        "SentToContact": d.sent,
        "CurrencyRate": d.rate,
        "DateString": day_text(d.day),
        "Date": day_stamp(d.day),
        **_day("DueDate", d.due_day),
        "Status": d.status,
        "LineAmountTypes": d.amounts,
        "SubTotal": d.sub_total,
        "TotalTax": d.tax,
        "Total": d.total,
        "UpdatedDateUTC": stamp(d.updated),
        "UpdatedDateUTCString": utc_text(d.updated),
    }


def allocation(call: Call, a: Allocation) -> dict[str, Any]:
    """An allocation as its writing is answered."""
    invoice, note = call.books.documents[a.invoice], call.books.documents[a.note]
    return {
        "AllocationID": a.id,
        "Amount": a.amount,
        "Date": day_stamp(a.day),
        "Invoice": {"InvoiceID": invoice.id, "InvoiceNumber": invoice.number, "LineItems": [], "HasErrors": False},
        "CreditNote": {"CreditNoteID": note.id, "CreditNoteNumber": note.number, "ID": note.id, "LineItems": []},
        "ValidationErrors": [],
    }


def allocations_of(call: Call, note: Document) -> list[dict[str, Any]]:
    """Where a credit note went."""
    found = (call.books.allocations[a] for a in note.allocations)
    return [
        {
            "AllocationID": a.id,
            "Amount": a.amount,
            "Date": day_stamp(a.day),
            "Invoice": {
                "InvoiceID": a.invoice,
                "InvoiceNumber": call.books.documents[a.invoice].number,
                "LineItems": [],
                "HasErrors": False,
            },
        }
        for a in found
    ]


def credits_of(call: Call, invoice: Document) -> list[dict[str, Any]]:
    """The credit notes set against an invoice."""
    shown = []
    for found in invoice.allocations:
        a = call.books.allocations[found]
        note = call.books.documents[a.note]
        shown.append(
            {
                "CreditNoteID": note.id,
                "CreditNoteNumber": note.number,
                "ID": note.id,
                "AppliedAmount": a.amount,
                "Date": day_stamp(a.day),
                "Total": note.total,
                "LineItems": [],
                "HasErrors": False,
            }
        )
    return shown


def account(a: Account) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "AccountID": a.id,
        "Code": a.code,
        "Name": a.name,
        "Status": a.status,
        "Type": a.type,
        "TaxType": a.tax_type,
        "Class": CLASS_OF[a.type],
        "EnablePaymentsToAccount": a.payments,
        "ShowInExpenseClaims": False,
        "HasAttachments": False,
    }
    return shown | {"BankAccountType": "BANK"} if a.type == "BANK" else shown


def tax_rate(t: TaxRate) -> dict[str, Any]:
    rate = t.rate.quantize(FOUR)
    return {
        "Name": t.name,
        "TaxType": t.type,
        "ReportTaxType": "NONE" if t.type == "NONE" else "OUTPUT",
        "CanApplyToAssets": True,
        "CanApplyToEquity": True,
        "CanApplyToExpenses": True,
        "CanApplyToLiabilities": True,
        "CanApplyToRevenue": True,
        "DisplayTaxRate": rate,
        "EffectiveRate": rate,
        "Status": t.status,
        "TaxComponents": [{"Name": t.name, "Rate": rate, "IsCompound": False, "IsNonRecoverable": False}],
    }


def item(i: Item) -> dict[str, Any]:
    return {"ItemID": i.id, "Code": i.code, **i.fields}


def currencies(codes: Iterable[str]) -> list[dict[str, Any]]:
    names = {"EUR": "Euro", "GBP": "British Pound", "USD": "United States Dollar"}
    return [{"Code": code, "Description": names.get(code, code)} for code in codes]


def organisation(call: Call) -> dict[str, Any]:
    org, state = call.org, call.state
    shown: dict[str, Any] = {
        "OrganisationID": org.tenant_id,
        "Name": org.name,
        "LegalName": org.name,
        "PaysTax": True,
        "Version": "GLOBAL",
        "OrganisationType": "COMPANY",
        "OrganisationEntityType": "COMPANY",
        "BaseCurrency": org.base_currency,
        "CountryCode": org.country,
        "IsDemoCompany": False,
        "OrganisationStatus": "ACTIVE",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 12,
        "SalesTaxBasis": "ACCRUALS",
        "SalesTaxPeriod": "QUARTERLY",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "Timezone": org.timezone,
        "ShortCode": "!prctc",
        "Edition": "BUSINESS",
        "Class": "STANDARD",
        "Addresses": [],
        "Phones": [],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
    if state.period_lock:
        shown["PeriodLockDate"] = day_stamp(state.period_lock)
    if state.year_lock:
        shown["EndOfYearLockDate"] = day_stamp(state.year_lock)
    return shown


def _day(name: str, day: date | None) -> dict[str, Any]:
    return {f"{name}String": day_text(day), name: day_stamp(day)} if day else {}
