"""Contacts: who is created, who is matched, which names and numbers are taken."""

from __future__ import annotations

import re
from typing import Any

from crosswalk.sandbox.xero.books import Contact
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.errors import Invalid, bad_post_data
from crosswalk.sandbox.xero.fields import Element, children, flag, text

# Plain text fields of a contact with the longest text they take.
TEXTS = {
    "AccountNumber": 50,
    "FirstName": 255,
    "LastName": 255,
    "CompanyNumber": 50,
    "EmailAddress": 255,
    "BankAccountDetails": None,
    "TaxNumber": 50,
    "AccountsReceivableTaxType": None,
    "AccountsPayableTaxType": None,
    "SalesDefaultLineAmountType": None,
    "PurchasesDefaultLineAmountType": None,
    "DefaultCurrency": None,
    "XeroNetworkKey": None,
    "SalesDefaultAccountCode": None,
    "PurchasesDefaultAccountCode": None,
}
ADDRESS = {
    "AttentionTo": 255,
    "AddressLine1": 500,
    "AddressLine2": 500,
    "AddressLine3": 500,
    "AddressLine4": 500,
    "City": 255,
    "Region": 255,
    "PostalCode": 50,
    "Country": 50,
}
PHONE = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
ADDRESS_TYPES = ("STREET", "POBOX")
PHONE_TYPES = ("DDI", "DEFAULT", "FAX", "MOBILE")
_EMAIL = re.compile(r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+$")
# What changes a contact when it stands inside a document; anything else there is ignored.
_CHANGING = {*TEXTS, "Addresses", "Phones", "ContactPersons", "PaymentTerms"}


def write(call: Call, element: Element, create_only: bool, contact_id: str | None = None) -> Contact:
    """Create (PUT), or create or update (POST); raises Invalid."""
    if create_only:
        return create(call, element)
    found = _match(call, element, contact_id or text(element, "ContactID"))
    return create(call, element) if found is None else update(call, found, element)


def create(call: Call, element: Element) -> Contact:
    number = text(element, "ContactNumber", 50)
    if number and call.books.contact_numbered(number):
        raise Invalid("Another contact has this contact number. Please enter a different contact number.")
    name = (text(element, "Name", 255) or "").strip()
    if not name:
        raise Invalid("The contact name must be specified.")
    _check_name(call, name, None)
    contact = Contact(
        id=call.books.new_id(),
        seq=call.books.next_seq(),
        name=name,
        number=number or None,
        updated=call.now,
        status=_status(element) or "ACTIVE",
        **_parts(element, None),
    )
    call.books.add(contact)
    return contact


def update(call: Call, contact: Contact, element: Element) -> Contact:
    """Fields that are missing or null stay as they are."""
    name = (text(element, "Name", 255) or "").strip() or contact.name
    number = text(element, "ContactNumber", 50) or contact.number
    status = _status(element) or contact.status
    if status == "ACTIVE":
        _check_name(call, name, contact)
    holder = call.books.contact_numbered(number) if number else None
    if holder is not None and holder is not contact:
        raise Invalid("Another contact has this contact number. Please enter a different contact number.")
    parts = _parts(element, contact)
    with call.books.edit(contact):
        contact.name, contact.number, contact.status, contact.updated = name, number, status, call.now
        for key, value in parts.items():
            setattr(contact, key, value)
    return contact


def nested(call: Call, element: Element) -> Contact:
    """The contact that a document names, matched by id, number or name, made where only a new name is given.

    More than what names the contact changes it, and drops the contact persons that are not listed.
    """
    if not element:
        raise Invalid("A Contact must be specified for this type of transaction")
    found = _match(call, element, text(element, "ContactID"))
    if found is None:
        return create(call, element)
    if found.status != "ACTIVE":
        raise Invalid(
            "The contact with the specified contact details has been archived. "
            "The contact must be un-archived before creating new invoices or credit notes."
        )
    renamed = (text(element, "Name") or found.name).strip().casefold() != found.name.casefold()
    if renamed or any(element.get(k) not in (None, [], {}) for k in _CHANGING):
        update(call, found, {"ContactPersons": [], **element})
    return found


def _match(call: Call, element: Element, contact_id: str | None) -> Contact | None:
    if contact_id:
        found = call.books.contacts.get(contact_id)
        if found is None:
            raise Invalid("An existing contact with the specified ContactID could not be found")
        return found
    number, name = text(element, "ContactNumber"), text(element, "Name")
    found = call.books.contact_numbered(number) if number else None
    if found is None and name:
        found = call.books.contact_named(name)
    return found


def _check_name(call: Call, name: str, contact: Contact | None) -> None:
    holder = call.books.contact_named(name)
    if holder is not None and holder is not contact:
        raise Invalid(
            f"The contact name {name} is already assigned to another contact. "
            "The contact name must be unique across all active contacts."
        )


def _status(element: Element) -> str | None:
    status = text(element, "ContactStatus")
    if status and status not in ("ACTIVE", "ARCHIVED", "GDPRREQUEST"):
        raise bad_post_data(f"Error converting value \"{status}\" to type 'ContactStatus'. Path 'ContactStatus'.")
    return status or None


def _parts(element: Element, old: Contact | None) -> dict[str, Any]:
    """Everything but name, number and status, merged into what there was."""
    given: dict[str, Any] = {
        name: value for name, longest in TEXTS.items() if (value := text(element, name, longest)) is not None
    }
    if given.get("EmailAddress") and not _EMAIL.match(given["EmailAddress"]):
        raise Invalid("Email address must be valid.")
    terms = element.get("PaymentTerms")
    if isinstance(terms, dict) and terms:
        given["PaymentTerms"] = terms
    persons = children(element, "ContactPersons")
    if persons is not None and len(persons) > 5:
        raise Invalid("A contact can have at most 5 contact persons.")
    addresses = _typed(element, "Addresses", "AddressType", ADDRESS, ADDRESS_TYPES)
    phones = _typed(element, "Phones", "PhoneType", PHONE, PHONE_TYPES)
    customer, supplier = flag(element, "IsCustomer"), flag(element, "IsSupplier")
    return {
        "fields": {**(old.fields if old else {}), **given},
        "addresses": {**(old.addresses if old else {}), **addresses},
        "phones": {**(old.phones if old else {}), **phones},
        "persons": tuple(persons) if persons is not None else (old.persons if old else ()),
        "is_customer": bool(customer) or (old.is_customer if old else False),
        "is_supplier": bool(supplier) or (old.is_supplier if old else False),
    }


def _typed(
    element: Element, name: str, type_name: str, limits: dict[str, int], types: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """Addresses or phones by their type, the given ones."""
    found: dict[str, dict[str, str]] = {}
    for entry in children(element, name) or []:
        kind = text(entry, type_name) or types[-1 if name == "Addresses" else 1]
        if kind not in types and kind != "OFFICE":
            raise bad_post_data(f"Error converting value \"{kind}\" to type '{type_name}'. Path '{name}'.")
        found[kind] = {part: v for part, longest in limits.items() if (v := text(entry, part, longest))}
    return found
