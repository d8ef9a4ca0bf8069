"""Xero's contacts, invoices, credit notes, payments and allocations, as read and as written.

Numbers are JSON numbers, instants ``/Date(milliseconds+0000)/``, dates the same at midnight UTC (written as ISO).
Ids are lower-case UUIDs that Xero gives; contacts, invoices and credit notes carry a number of ours besides.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.schemas.base import (
    BOOLEAN,
    DATE,
    ID,
    INSTANT,
    MONEY,
    QUANTITY,
    RATE,
    TEXT,
    Field,
    Lines,
    Must,
    Record,
    Required,
)

STATUS = ("DRAFT", "SUBMITTED", "DELETED", "AUTHORISED", "PAID", "VOIDED")
LINE_AMOUNT_TYPES = ("Exclusive", "Inclusive", "NoTax")
# What comes back with every record and carries nothing that is not said elsewhere.
_STATE = ("HasErrors", "HasValidationErrors", "HasAttachments", "StatusAttributeString", "ValidationErrors", "Warnings")


def _id(name: str) -> Field:
    return Field(name, ID, required=True, read_only=True)


def _amount(name: str, *, required: Required = False, read_only: bool = False) -> Field:
    return Field(name, MONEY, wire="number", required=required, read_only=read_only)


def _date(name: str, *, required: Required = False, read_only: bool = False) -> Field:
    return Field(name, DATE, format="xero", required=required, read_only=read_only)


_changed = Field("UpdatedDateUTC", INSTANT, format="xero", required=True, read_only=True)


def _positive(amount: pa.Array) -> pa.Array:
    return pc.greater(amount, pa.scalar(0, amount.type))


def _text_there(text: pa.Array) -> pa.Array:
    return pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0)


_above_zero = Must("Amount", "is more than zero", _positive, written=True)


def _booked_needs(field: str) -> Must:
    """Xero wants it of everything that is more than a draft."""

    def there(status: pa.Array, value: pa.Array) -> pa.Array:
        draft = pc.is_in(status, value_set=pa.array(["DRAFT", "VOIDED", "DELETED", "SUBMITTED"]))
        return pc.or_(pc.fill_null(draft, True), pc.is_valid(value))

    return Must(field, "is needed for an approved document", there, of=("Status", field), written=True)


def _not_before_date(due: pa.Array, date: pa.Array) -> pa.Array:
    return pc.greater_equal(due, date)


_addresses = Lines(
    "Addresses",
    (
        Field("AddressType", TEXT, required="write", values=("POBOX", "STREET", "DELIVERY")),
        *(Field(f"AddressLine{n}", TEXT, personal=True, max_length=500) for n in (1, 2, 3, 4)),
        Field("City", TEXT, personal=True, max_length=255),
        Field("Region", TEXT, max_length=255),
        Field("PostalCode", TEXT, personal=True, max_length=50),
        Field("Country", TEXT, max_length=50),
        Field("AttentionTo", TEXT, personal=True, max_length=255),
    ),
    key="AddressType",
)

_phones = Lines(
    "Phones",
    (
        Field("PhoneType", TEXT, required="write", values=("DEFAULT", "DDI", "MOBILE", "FAX", "OFFICE")),
        Field("PhoneNumber", TEXT, personal=True, max_length=50),
        Field("PhoneAreaCode", TEXT, personal=True, max_length=10),
        Field("PhoneCountryCode", TEXT, max_length=20),
    ),
    key="PhoneType",
)

Contact = Record(
    "xero.contacts",
    key="ContactID",
    version="UpdatedDateUTC",
    about="A contact. Xero matches contacts by Name, which is unique among the active ones.",
    fields=(
        _id("ContactID"),
        Field("ContactNumber", TEXT, max_length=50, about="ours: shown nowhere in Xero, unique"),
        Field("AccountNumber", TEXT, max_length=50),
        Field("ContactStatus", TEXT, values=("ACTIVE", "ARCHIVED", "GDPRREQUEST")),
        Field("Name", TEXT, required=True, personal=True, max_length=255),
        Field("FirstName", TEXT, personal=True, max_length=255),
        Field("LastName", TEXT, personal=True, max_length=255),
        Field("CompanyNumber", TEXT, max_length=50),
        Field("EmailAddress", TEXT, personal=True, max_length=255),
        Field("TaxNumber", TEXT, personal=True, max_length=50),
        Field("DefaultCurrency", TEXT),
        Field("AccountsReceivableTaxType", TEXT),
        Field("IsCustomer", BOOLEAN, read_only=True),
        Field("IsSupplier", BOOLEAN, read_only=True),
        Field("MergedToContactID", ID, read_only=True),
        _addresses,
        _phones,
        _changed,
    ),
    checks=(Must("Name", "is not blank", _text_there, written=True),),
    ignores=(
        *_STATE,
        "BankAccountDetails",
        "ContactPersons",
        "ContactGroups",
        "Balances",
        "PaymentTerms",
        "BatchPayments",
        "BrandingTheme",
        "Discount",
        "Website",
        "XeroNetworkKey",
        "AccountsPayableTaxType",
        "SalesDefaultAccountCode",
        "PurchasesDefaultAccountCode",
        "SalesDefaultLineAmountType",
        "PurchasesDefaultLineAmountType",
        "SalesTrackingCategories",
        "PurchasesTrackingCategories",
        "TaxNumberType",
        "TrackingCategoryName",
        "TrackingCategoryOption",
        "Attachments",
    ),
)

_line_items = Lines(
    "LineItems",
    (
        Field("LineItemID", ID, read_only=True),
        Field("Description", TEXT, required="write", max_length=4000),
        Field("Quantity", QUANTITY, wire="number", required="write"),
        _amount("UnitAmount", required="write"),
        Field("AccountCode", TEXT, required="write", max_length=10),
        Field("TaxType", TEXT, required="write"),
        _amount("TaxAmount"),
        _amount("LineAmount"),
        Field("DiscountRate", QUANTITY, wire="number", about="per cent"),
        _amount("DiscountAmount"),
        Field("ItemCode", TEXT, max_length=30),
    ),
    key="LineItemID",
    required=True,
    at_least=1,
    checks=(Must("Description", "is not blank", _text_there, written=True),),
)


def _document(number: str, types: tuple[str, ...]) -> tuple[Field | Lines, ...]:
    """What invoices and credit notes have in common."""
    return (
        Field("Type", TEXT, required=True, values=types),
        Field(number, TEXT, max_length=255, about="ours: a create with one that exists is refused"),
        Field("Reference", TEXT, max_length=255),
        Field("Contact.ContactID", ID, required=True),
        Field("Contact.Name", TEXT, read_only=True, personal=True),
        _date("Date", required="write"),
        _date("DueDate"),
        Field("Status", TEXT, required=True, values=STATUS),
        Field("LineAmountTypes", TEXT, required="write", values=LINE_AMOUNT_TYPES),
        Field("CurrencyCode", TEXT, required="write"),
        Field("CurrencyRate", RATE, wire="number"),
        _line_items,
        _amount("SubTotal", read_only=True),
        _amount("TotalTax", read_only=True),
        _amount("Total", required=True, read_only=True),
        _date("FullyPaidOnDate", read_only=True),
        _changed,
    )


_document_ignores = (
    *_STATE,
    "DateString",
    "DueDateString",
    "UpdatedDateUTCString",
    "BrandingThemeID",
    "SentToContact",
    "IsDiscounted",
    "HasAccount",
    "CISDeduction",
    "CISRate",
    "TotalDiscount",
    "InvoiceAddresses",
    "Contact",
    "LineItems.Tracking",
    "LineItems.Item",
    "LineItems.AccountID",
    "LineItems.ValidationErrors",
    "LineItems.Taxability",
    "LineItems.SalesTaxCodeId",
    "LineItems.TaxBreakdown",
)

_paid = Lines(
    "Payments",
    (
        Field("PaymentID", ID, required=True),
        _date("Date"),
        _amount("Amount"),
        Field("Reference", TEXT),
        Field("CurrencyRate", RATE, wire="number"),
    ),
    key="PaymentID",
    read_only=True,
)

Invoice = Record(
    "xero.invoices",
    key="InvoiceID",
    version="UpdatedDateUTC",
    about="A sales invoice (ACCREC) or a bill (ACCPAY). Deleted and voided ones are still listed.",
    fields=(
        _id("InvoiceID"),
        *_document("InvoiceNumber", ("ACCREC", "ACCPAY")),
        Field("Url", TEXT),
        _amount("AmountDue", read_only=True),
        _amount("AmountPaid", read_only=True),
        _amount("AmountCredited", read_only=True),
        _paid,
        Lines(
            "CreditNotes",
            (Field("CreditNoteID", ID, required=True), Field("CreditNoteNumber", TEXT), _amount("AppliedAmount")),
            key="CreditNoteID",
            read_only=True,
        ),
    ),
    checks=(
        _booked_needs("DueDate"),
        Must("DueDate", "is not before the date", _not_before_date, of=("DueDate", "Date"), written=True),
    ),
    ignores=(
        *_document_ignores,
        "Attachments",
        "Prepayments",
        "Overpayments",
        "ExpectedPaymentDate",
        "PlannedPaymentDate",
        "RepeatingInvoiceID",
        "Payments",
        "CreditNotes",
    ),
)

CreditNote = Record(
    "xero.credit_notes",
    key="CreditNoteID",
    version="UpdatedDateUTC",
    about="A sales credit note (ACCRECCREDIT). It is allocated to invoices or paid out.",
    fields=(
        _id("CreditNoteID"),
        *_document("CreditNoteNumber", ("ACCRECCREDIT", "ACCPAYCREDIT")),
        _amount("RemainingCredit", read_only=True),
        _amount("AppliedAmount", read_only=True),
        _paid,
        Lines(
            "Allocations",
            (
                Field("AllocationID", ID),
                Field("Invoice.InvoiceID", ID, required=True),
                _amount("Amount", required=True),
                _date("Date"),
            ),
            key="AllocationID",
            read_only=True,
        ),
    ),
    ignores=(*_document_ignores, "Payments", "Allocations"),
)


def _payment(of: tuple[Field, ...]) -> tuple[Field, ...]:
    return (
        _id("PaymentID"),
        *of,
        Field("Account.Code", TEXT, required="write", max_length=10),
        Field("Account.AccountID", ID, read_only=True),
        _date("Date", required="write"),
        _amount("Amount", required=True),
        Field("CurrencyRate", RATE, wire="number"),
        Field("Reference", TEXT, max_length=255, about="the payment's id at the source, by which it is found again"),
        Field("Status", TEXT, values=("AUTHORISED", "DELETED")),
        Field("PaymentType", TEXT, read_only=True),
        Field("IsReconciled", BOOLEAN),
        _changed,
    )


_payment_ignores = (
    *_STATE,
    "UpdatedDateUTCString",
    "BankAmount",
    "BatchPayment",
    "BatchPaymentID",
    "HasAccount",
    "InvoiceNumber",
    "CreditNoteNumber",
    "Account",
    "Invoice",
    "CreditNote",
    "Prepayment",
    "Overpayment",
    "BankAccountNumber",
    "Particulars",
    "Details",
    "Code",
)

Payment = Record(
    "xero.payments",
    key="PaymentID",
    version="UpdatedDateUTC",
    about="Money received for an invoice. It can be deleted, never changed.",
    fields=_payment(
        (Field("Invoice.InvoiceID", ID, required="write"), Field("Invoice.InvoiceNumber", TEXT, max_length=255))
    ),
    checks=(_above_zero,),
    ignores=_payment_ignores,
)

RefundPayment = Record(
    "xero.refund_payments",
    key="PaymentID",
    version="UpdatedDateUTC",
    about="Money paid back on a credit note: a payment of the credit note.",
    fields=_payment(
        (Field("CreditNote.CreditNoteID", ID, required="write"), Field("CreditNote.CreditNoteNumber", TEXT))
    ),
    checks=(_above_zero,),
    ignores=_payment_ignores,
)

Allocation = Record(
    "xero.allocations",
    key="AllocationID",
    version="",
    about="A part of a credit note set against an invoice that is still owed. Sent to the credit note's own address.",
    fields=(
        Field("AllocationID", ID, read_only=True),
        Field("CreditNote.CreditNoteID", ID, required="write"),
        Field("Invoice.InvoiceID", ID, required=True),
        _amount("Amount", required=True),
        _date("Date", required="write"),
    ),
    checks=(_above_zero,),
    ignores=("StatusAttributeString", "ValidationErrors", "IsDeleted", "Invoice", "CreditNote"),
)
