"""Contacts of the practice Xero."""

from __future__ import annotations

from typing import Any

import pytest
from xero_client import Got, Xero, errors, invoice, messages

NAME_TAKEN = (
    "The contact name {} is already assigned to another contact. "
    "The contact name must be unique across all active contacts."
)


@pytest.fixture
def xero() -> Xero:
    return Xero()


def put(xero: Xero, *elements: dict[str, Any], **query: str) -> Got:
    return xero.call("PUT", "/Contacts", {"Contacts": list(elements)}, **query)


def post(xero: Xero, element: dict[str, Any]) -> dict[str, Any]:
    got = xero.call("POST", "/Contacts", {"Contacts": [element]})
    assert got.status == 200, got.text
    return dict(got.json["Contacts"][0])


def get(xero: Xero, key: str) -> dict[str, Any]:
    return dict(xero.call("GET", f"/Contacts/{key}").json["Contacts"][0])


def test_put_creates(xero: Xero) -> None:
    """PUT creates and answers with the id, the number and the status."""
    got = put(xero, {"Name": "Mei Ng", "ContactNumber": "shop-51", "EmailAddress": "mei@example.com"})
    made = got.json["Contacts"][0]
    assert (made["Name"], made["ContactNumber"], made["ContactStatus"]) == ("Mei Ng", "shop-51", "ACTIVE")
    assert get(xero, made["ContactID"])["EmailAddress"] == "mei@example.com"
    assert made["ContactID"] == made["ContactID"].lower()


def test_get_by_number(xero: Xero) -> None:
    """A contact is found by its ContactNumber in the path too."""
    made = xero.contact("Mei Ng", ContactNumber="shop-51")
    assert get(xero, "shop-51")["ContactID"] == made


def test_put_existing_name(xero: Xero) -> None:
    """PUT with a name that an active contact has is refused, whatever its case."""
    xero.contact("Mei Ng")
    assert errors(put(xero, {"Name": "mei  NG "})) == [NAME_TAKEN.format("mei  NG")]


def test_put_existing_number(xero: Xero) -> None:
    """PUT with a ContactNumber that exists is refused."""
    xero.contact("Mei Ng", ContactNumber="shop-51")
    assert errors(put(xero, {"Name": "Mei Ng 2", "ContactNumber": "shop-51"})) == [
        "Another contact has this contact number. Please enter a different contact number."
    ]


def test_name_is_needed(xero: Xero) -> None:
    """A contact without a name is refused."""
    assert errors(put(xero, {"EmailAddress": "a@example.com"})) == ["The contact name must be specified."]


def test_archived_name_is_free(xero: Xero) -> None:
    """Names are unique among active contacts only; un-archiving into a taken name is refused."""
    first = xero.contact("Mei Ng")
    post(xero, {"ContactID": first, "ContactStatus": "ARCHIVED"})
    xero.contact("Mei Ng")
    got = xero.call("POST", "/Contacts", {"ContactID": first, "ContactStatus": "ACTIVE"})
    assert errors(got) == [NAME_TAKEN.format("Mei Ng")]


def test_post_matches_id_number_name(xero: Xero) -> None:
    """POST updates the contact of that id, else of that number, else of that name, else it creates."""
    made = xero.contact("Mei Ng", ContactNumber="shop-51")
    assert post(xero, {"ContactID": made, "FirstName": "Mei"})["ContactID"] == made
    assert post(xero, {"ContactNumber": "shop-51", "LastName": "Ng"})["ContactID"] == made
    assert post(xero, {"Name": "MEI NG", "EmailAddress": "mei@example.com"})["ContactID"] == made
    shown = get(xero, made)
    assert (shown["FirstName"], shown["LastName"], shown["EmailAddress"]) == ("Mei", "Ng", "mei@example.com")
    assert post(xero, {"Name": "Somebody Else"})["ContactID"] != made


def test_post_merges_namesakes(xero: Xero) -> None:
    """POST of a second customer with the same name changes the first one: the vendor's own merge by name."""
    made = xero.contact("Jan Jansen", ContactNumber="shop-1")
    assert post(xero, {"Name": "Jan Jansen", "ContactNumber": "shop-2"})["ContactID"] == made
    assert get(xero, made)["ContactNumber"] == "shop-2"


def test_post_unknown_id(xero: Xero) -> None:
    """POST with an id that does not exist is refused in the collection and 404 in the path."""
    unknown = "11111111-1111-4111-8111-111111111111"
    got = xero.call("POST", "/Contacts", {"ContactID": unknown, "Name": "x"})
    assert errors(got) == ["An existing contact with the specified ContactID could not be found"]
    assert xero.call("POST", f"/Contacts/{unknown}", {"Name": "x"}).status == 404


def test_post_one(xero: Xero) -> None:
    """POST /Contacts/{id} changes that contact, with one object or a list of one as the body."""
    made = xero.contact("Mei Ng")
    assert xero.call("POST", f"/Contacts/{made}", {"FirstName": "Mei"}).status == 200
    assert xero.call("POST", f"/Contacts/{made}", {"Contacts": [{"LastName": "Ng"}]}).status == 200
    assert (get(xero, made)["FirstName"], get(xero, made)["LastName"]) == ("Mei", "Ng")


def test_missing_fields_stay(xero: Xero) -> None:
    """An update leaves what it does not name; null leaves it too, an empty text clears it."""
    made = xero.contact("Mei Ng", FirstName="Mei", LastName="Ng", EmailAddress="mei@example.com")
    post(xero, {"ContactID": made, "FirstName": None, "LastName": ""})
    shown = get(xero, made)
    assert (shown["FirstName"], shown["LastName"], shown["EmailAddress"]) == ("Mei", "", "mei@example.com")


def test_archive(xero: Xero) -> None:
    """An archived contact is hidden from lists unless includeArchived, and still found by id."""
    made = xero.contact("Mei Ng")
    post(xero, {"ContactID": made, "ContactStatus": "ARCHIVED"})
    assert xero.call("GET", "/Contacts", page="1").json["Contacts"] == []
    assert len(xero.call("GET", "/Contacts", page="1", includeArchived="true").json["Contacts"]) == 1
    assert get(xero, made)["ContactStatus"] == "ARCHIVED"


def test_two_addresses_four_phones(xero: Xero) -> None:
    """Two addresses and four phones come back always, empty ones with empty texts; what is null is left out."""
    made = xero.contact(
        "Mei Ng",
        Addresses=[{"AddressType": "POBOX", "AddressLine1": "Damrak 1", "City": "Amsterdam"}],
        Phones=[{"PhoneType": "MOBILE", "PhoneNumber": "612345678", "PhoneCountryCode": "31"}],
    )
    shown = get(xero, made)
    street, pobox = shown["Addresses"]
    assert street == {"AddressType": "STREET", "City": "", "Region": "", "PostalCode": "", "Country": ""}
    assert (pobox["AddressLine1"], pobox["City"], pobox["Country"]) == ("Damrak 1", "Amsterdam", "")
    assert [p["PhoneType"] for p in shown["Phones"]] == ["DDI", "DEFAULT", "FAX", "MOBILE"]
    assert shown["Phones"][3]["PhoneNumber"] == "612345678" and shown["Phones"][0]["PhoneNumber"] == ""
    assert "ContactNumber" not in shown and "FirstName" not in shown


@pytest.mark.parametrize(
    ("field", "longest"), [("ContactNumber", 50), ("AccountNumber", 50), ("Name", 255), ("FirstName", 255)]
)
def test_lengths(xero: Xero, field: str, longest: int) -> None:
    """Texts that are too long are refused, the longest allowed is kept."""
    assert put(xero, {"Name": "n", field: "x" * longest}).status == 200
    assert errors(put(xero, {"Name": "m", field: "y" * (longest + 1)})) == [
        f"The value of {field} must not be longer than {longest} characters."
    ]


def test_address_and_phone_lengths(xero: Xero) -> None:
    """Parts of addresses and phones have their own lengths."""
    assert put(xero, {"Name": "a", "Addresses": [{"AddressType": "STREET", "PostalCode": "1" * 51}]}).status == 400
    assert put(xero, {"Name": "b", "Phones": [{"PhoneType": "DDI", "PhoneAreaCode": "1" * 11}]}).status == 400


def test_email_is_checked(xero: Xero) -> None:
    """An e-mail address that cannot be one is refused."""
    assert errors(put(xero, {"Name": "n", "EmailAddress": "not an address"})) == ["Email address must be valid."]


def test_five_persons(xero: Xero) -> None:
    """A contact takes five contact persons."""
    persons = [{"FirstName": str(n)} for n in range(6)]
    assert put(xero, {"Name": "n", "ContactPersons": persons}).status == 400
    assert put(xero, {"Name": "n", "ContactPersons": persons[:5]}).status == 200


def test_unknown_status(xero: Xero) -> None:
    """A status that does not exist spoils the whole body."""
    got = put(xero, {"Name": "n", "ContactStatus": "ASLEEP"})
    assert (got.status, got.json["Type"]) == (400, "PostDataInvalidException")


def test_batch_each_its_own(xero: Xero) -> None:
    """With summarizeErrors=false the good ones are written; the bad one has status ERROR, the zero id and messages."""
    got = put(xero, {"Name": "a"}, {"Name": "A", "ContactNumber": "n-2"}, {"Name": "b"}, summarizeErrors="false")
    assert got.status == 200
    first, second, third = got.json["Contacts"]
    assert [c["StatusAttributeString"] for c in (first, second, third)] == ["OK", "ERROR", "OK"]
    assert second["ContactID"] == "00000000-0000-0000-0000-000000000000"
    assert second["HasValidationErrors"] and messages(second) == [NAME_TAKEN.format("A")]
    assert second["ContactNumber"] == "n-2"
    assert [c["name"] for c in xero.org.effects()["contacts"]] == ["a", "b"]


def test_batch_all_or_nothing(xero: Xero) -> None:
    """By default one bad element refuses the whole request and nothing is written."""
    got = put(xero, {"Name": "a"}, {"Name": ""})
    assert got.status == 400
    assert (got.json["ErrorNumber"], got.json["Type"]) == (10, "ValidationException")
    assert got.json["Message"] == "A validation exception occurred" and len(got.json["Elements"]) == 1
    assert xero.org.effects()["contacts"] == []
    assert put(xero, {"Name": "a"}).status == 200


def test_becomes_customer(xero: Xero) -> None:
    """A contact becomes a customer by its first sales invoice, which does not count as a modification."""
    made = xero.contact("Mei Ng")
    before = get(xero, made)
    xero.clock.sleep(60)
    xero.invoice(made)
    after = get(xero, made)
    assert (before["IsCustomer"], after["IsCustomer"]) == (False, True)
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"]


def test_nested_by_name(xero: Xero) -> None:
    """An invoice that names its contact uses the active one of that name, or makes a new one."""
    made = xero.contact("Mei Ng")
    first = xero.invoice(Contact={"Name": "mei ng"})
    second = xero.invoice(Contact={"Name": "Somebody New"})
    assert first["Contact"]["ContactID"] == made
    assert second["Contact"]["ContactID"] not in ("", made)
    assert [c["name"] for c in xero.org.effects()["contacts"]].count("Somebody New") == 1


def test_nested_by_number(xero: Xero) -> None:
    """An invoice may name its contact by ContactNumber."""
    made = xero.contact("Mei Ng", ContactNumber="shop-51")
    assert xero.invoice(Contact={"ContactNumber": "shop-51"})["Contact"]["ContactID"] == made


def test_nested_changes_contact(xero: Xero) -> None:
    """More than the id in a nested contact changes the contact and drops the contact persons that are not listed."""
    made = xero.contact("Mei Ng", ContactPersons=[{"FirstName": "Sue"}])
    xero.invoice(made)
    assert get(xero, made)["ContactPersons"] == [{"FirstName": "Sue"}]
    xero.invoice(Contact={"ContactID": made, "EmailAddress": "new@example.com"})
    assert (get(xero, made)["EmailAddress"], get(xero, made)["ContactPersons"]) == ("new@example.com", [])
    xero.invoice(Contact={"ContactID": made, "Name": "Mei Ng-Smit"})
    assert get(xero, made)["Name"] == "Mei Ng-Smit"


def test_nested_contact_of_the_sdk(xero: Xero) -> None:
    """What a client library adds to a nested contact, flags and empty lists, changes nothing."""
    made = xero.contact("Mei Ng", ContactPersons=[{"FirstName": "Sue"}])
    sent = {"ContactID": made, "Name": "mei ng", "HasAttachments": False, "HasValidationErrors": False, "Addresses": []}
    before = get(xero, made)
    xero.clock.sleep(60)
    xero.invoice(Contact=sent)
    after = get(xero, made)
    assert (after["ContactPersons"], after["UpdatedDateUTC"]) == ([{"FirstName": "Sue"}], before["UpdatedDateUTC"])


def test_nested_goes_with_its_invoice(xero: Xero) -> None:
    """A contact that an invoice would have made is not made when the invoice is refused."""
    bad = invoice("", Contact={"Name": "Never Made"}, LineItems=[])
    assert xero.call("PUT", "/Invoices", {"Invoices": [bad]}, summarizeErrors="false").status == 200
    assert xero.org.effects()["contacts"] == []


def test_nested_archived_or_unknown(xero: Xero) -> None:
    """An archived contact takes no new invoice, an unknown id neither, nor no contact at all."""
    made = xero.contact("Mei Ng")
    post(xero, {"ContactID": made, "ContactStatus": "ARCHIVED"})
    unknown = "11111111-1111-4111-8111-111111111111"
    for nested, message in (
        ({"ContactID": made}, "has been archived"),
        ({"ContactID": unknown}, "could not be found"),
        ({}, "A Contact must be specified for this type of transaction"),
    ):
        got = xero.call("PUT", "/Invoices", {"Invoices": [invoice("", Contact=nested)]})
        assert message in errors(got)[0]


def test_history(xero: Xero) -> None:
    """History notes are added to contacts, invoices and credit notes; the same text twice is two notes."""
    made = xero.contact("Mei Ng")
    paths = [f"/Contacts/{made}", f"/Invoices/{xero.invoice()['InvoiceID']}"]
    paths.append(f"/CreditNotes/{xero.note()['CreditNoteID']}")
    for path in paths:
        for _ in range(2):
            got = xero.call("PUT", f"{path}/History", {"HistoryRecords": [{"Details": "from the shop"}]})
            assert got.status == 200 and got.json["HistoryRecords"][0]["Details"] == "from the shop"
        assert len(xero.call("GET", f"{path}/History").json["HistoryRecords"]) == 2
    assert xero.call("PUT", "/Contacts/unknown/History", {"HistoryRecords": [{"Details": "x"}]}).status == 404
    assert xero.call("PUT", f"{paths[0]}/History", {"HistoryRecords": [{"Details": ""}]}).status == 400
