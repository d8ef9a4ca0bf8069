"""Lists of the practice Xero: pages, filters, order, what has changed since."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from xero_client import Got, Xero, invoice


@pytest.fixture
def xero() -> Xero:
    return Xero()


def invoices(xero: Xero, count: int, **fields: Any) -> list[dict[str, Any]]:
    elements = [invoice(xero.some_contact(), InvoiceNumber=f"N-{n:04d}", **fields) for n in range(count)]
    return list(xero.call("PUT", "/Invoices", {"Invoices": elements}).json["Invoices"])


def numbers(got: Got) -> list[str]:
    assert got.status == 200, got.text
    return [i["InvoiceNumber"] for i in got.json["Invoices"]]


def test_pages(xero: Xero) -> None:
    """A page has 100 records unless pageSize says otherwise, and a pagination object that counts everything."""
    invoices(xero, 120)
    first = xero.call("GET", "/Invoices", page="1")
    assert first.json["pagination"] == {"page": 1, "pageSize": 100, "pageCount": 2, "itemCount": 120}
    assert len(numbers(first)) == 100 and len(numbers(xero.call("GET", "/Invoices", page="2"))) == 20
    third = xero.call("GET", "/Invoices", page="3", pageSize="50")
    assert third.json["pagination"] == {"page": 3, "pageSize": 50, "pageCount": 3, "itemCount": 120}


def test_page_past_the_end(xero: Xero) -> None:
    """A page past the end is empty, with 200."""
    invoices(xero, 3)
    got = xero.call("GET", "/Invoices", page="9")
    assert (got.status, got.json["Invoices"], got.json["pagination"]["itemCount"]) == (200, [], 3)


def test_page_size_at_most_1000(xero: Xero) -> None:
    """pageSize goes up to 1,000."""
    invoices(xero, 2)
    assert xero.call("GET", "/Invoices", page="1", pageSize="5000").json["pagination"]["pageSize"] == 1000


@pytest.mark.parametrize("page", ["0", "-1", "x"])
def test_bad_page(xero: Xero, page: str) -> None:
    """A page that is no positive number is refused."""
    assert xero.call("GET", "/Invoices", page=page).json["Type"] == "QueryParseException"


def test_unpaged_is_a_summary(xero: Xero) -> None:
    """Without page everything comes at once, without lines, contact persons and pagination."""
    xero.contact("Mei Ng", ContactPersons=[{"FirstName": "Sue"}])
    invoices(xero, 101)
    got = xero.call("GET", "/Invoices").json
    assert len(got["Invoices"]) == 101 and "pagination" not in got
    assert got["Invoices"][0]["LineItems"] == [] and got["Invoices"][0]["Total"] == Decimal("121.00")
    assert xero.call("GET", "/Contacts").json["Contacts"][0]["ContactPersons"] == []
    paged = xero.call("GET", "/Invoices", page="1").json["Invoices"][0]
    assert len(paged["LineItems"]) == 1
    assert paged["Contact"].keys() >= {"ContactID", "Name"} and paged["Contact"]["Addresses"] == []


def test_summary_only(xero: Xero) -> None:
    """summaryOnly leaves the heavy parts out of a page."""
    invoices(xero, 1)
    assert xero.call("GET", "/Invoices", page="1", summaryOnly="true").json["Invoices"][0]["LineItems"] == []
    assert "Addresses" not in xero.call("GET", "/Contacts", page="1", summaryOnly="true").json["Contacts"][0]


def test_pages_move_while_they_are_read(xero: Xero) -> None:
    """Pages count over the list as it is: a record that changes slips to the end and another one is never seen."""
    made = invoices(xero, 4)
    for shown in made:
        xero.clock.sleep(1)
        xero.call("POST", f"/Invoices/{shown['InvoiceID']}", {"Reference": "r"})
    asked = {"pageSize": "2", "order": "UpdatedDateUTC ASC"}
    first = numbers(xero.call("GET", "/Invoices", page="1", **asked))
    xero.clock.sleep(1)
    xero.call("POST", f"/Invoices/{made[0]['InvoiceID']}", {"Reference": "moved"})
    second = numbers(xero.call("GET", "/Invoices", page="2", **asked))
    assert (first, second) == (["N-0000", "N-0001"], ["N-0003", "N-0000"])


def test_order(xero: Xero) -> None:
    """order sorts by one or more properties, upwards or downwards."""
    invoices(xero, 3)
    assert numbers(xero.call("GET", "/Invoices", order="InvoiceNumber DESC")) == ["N-0002", "N-0001", "N-0000"]
    got = xero.call("GET", "/Invoices", order="Total ASC, InvoiceNumber DESC")
    assert numbers(got) == ["N-0002", "N-0001", "N-0000"]
    for wrong in ("Foo ASC", "Total SIDEWAYS"):
        assert xero.call("GET", "/Invoices", order=wrong).json["Type"] == "QueryParseException"


def test_modified_since(xero: Xero) -> None:
    """If-Modified-Since keeps what was changed at or after that second, in ISO or RFC 1123 form."""
    invoices(xero, 1)
    xero.wait(3600)
    xero.invoice(InvoiceNumber="NEW")
    for since in (
        "2026-11-23T10:00:00",
        "Mon, 23 Nov 2026 10:00:00 GMT",
        "2026-11-23T11:00:00+01:00",
        "2026-11-23T09:00:01",
    ):
        assert numbers(xero.call("GET", "/Invoices", page="1", headers={"If-Modified-Since": since})) == ["NEW"]
    at = xero.call("GET", "/Invoices", page="1", headers={"If-Modified-Since": "2026-11-23T09:00:00"})
    assert len(numbers(at)) == 2


def test_modified_since_keeps_the_second(xero: Xero) -> None:
    """The header has the precision of a second: a change within that second counts as modified."""
    xero.clock.sleep(0.4)
    xero.invoice(InvoiceNumber="N-1")
    got = xero.call("GET", "/Invoices", page="1", headers={"If-Modified-Since": "2026-11-23T09:00:00.900"})
    assert numbers(got) == ["N-1"]


def test_nothing_new(xero: Xero) -> None:
    """Nothing new is an empty list with 200, or with the switch a 304 without a body."""
    invoices(xero, 1)
    headers = {"If-Modified-Since": "2026-11-24T00:00:00"}
    assert xero.call("GET", "/Invoices", page="1", headers=headers).json["Invoices"] == []
    xero.org.not_modified_304 = True
    got = xero.call("GET", "/Invoices", page="1", headers=headers)
    assert (got.status, got.body) == (304, b"")


def test_header_that_cannot_be_read_is_ignored(xero: Xero) -> None:
    """A date that cannot be read is ignored, so that everything comes."""
    invoices(xero, 2)
    assert len(numbers(xero.call("GET", "/Invoices", page="1", headers={"If-Modified-Since": "yesterday"}))) == 2


def test_ids_and_numbers(xero: Xero) -> None:
    """Invoices are filtered by IDs, InvoiceNumbers, ContactIDs and Statuses, each a comma separated list."""
    made = invoices(xero, 3)
    draft = xero.invoice(xero.contact("Other"), InvoiceNumber="D-1", Status="DRAFT")
    ids = f"{made[0]['InvoiceID']},{made[2]['InvoiceID'].upper()}"
    assert numbers(xero.call("GET", "/Invoices", IDs=ids)) == ["N-0000", "N-0002"]
    assert numbers(xero.call("GET", "/Invoices", InvoiceNumbers="N-0001,D-1,none")) == ["N-0001", "D-1"]
    assert numbers(xero.call("GET", "/Invoices", ContactIDs=draft["Contact"]["ContactID"])) == ["D-1"]
    assert numbers(xero.call("GET", "/Invoices", Statuses="DRAFT,VOIDED")) == ["D-1"]
    assert xero.call("GET", "/Invoices", IDs="not-an-id").status == 400


def test_contacts_by_ids(xero: Xero) -> None:
    """Contacts are filtered by IDs."""
    made = [xero.contact(str(n)) for n in range(3)]
    got = xero.call("GET", "/Contacts", IDs=f"{made[0]},{made[2]}").json["Contacts"]
    assert [c["ContactID"] for c in got] == [made[0], made[2]]


def test_search_term(xero: Xero) -> None:
    """searchTerm looks without regard to case through numbers and references, or the names of contacts."""
    xero.invoice(InvoiceNumber="N-1", Reference="Order 77")
    xero.invoice(InvoiceNumber="N-2")
    assert numbers(xero.call("GET", "/Invoices", searchTerm="order 7")) == ["N-1"]
    xero.contact("Someone", EmailAddress="x@shop.example")
    assert len(xero.call("GET", "/Contacts", searchTerm="SHOP.example").json["Contacts"]) == 1


def test_number_with_odd_characters(xero: Xero) -> None:
    """A number with a hash, a slash or a space is one part of the path when it is escaped."""
    xero.invoice(InvoiceNumber="#1001/a b")
    got = xero.call("GET", "/Invoices/%231001%2Fa%20b")
    assert got.json["Invoices"][0]["InvoiceNumber"] == "#1001/a b"


def test_settings_lists(xero: Xero) -> None:
    """Accounts, tax rates, currencies and the organisation come whole, unpaged."""
    accounts = xero.call("GET", "/Accounts").json["Accounts"]
    assert {a["Code"] for a in accounts} >= {"4000", "4010", "2100", "1010"}
    banks = xero.call("GET", "/Accounts", where='Status=="ACTIVE" AND Type=="BANK"', order="Code DESC").json
    assert [a["Code"] for a in banks["Accounts"]] == ["1030", "1020", "1010"]
    one = xero.call("GET", f"/Accounts/{accounts[0]['AccountID']}").json["Accounts"]
    assert one == accounts[:1]
    rates = {t["TaxType"]: t["EffectiveRate"] for t in xero.call("GET", "/TaxRates").json["TaxRates"]}
    assert (rates["TAX001"], rates["TAX002"], rates["NONE"]) == (Decimal("21"), Decimal("9"), Decimal("0"))
    assert [c["Code"] for c in xero.call("GET", "/Currencies").json["Currencies"]] == ["EUR", "GBP"]


def test_organisation(xero: Xero) -> None:
    """The organisation tells its base currency, zone and lock dates; a lock that is not set is left out."""
    shown = xero.call("GET", "/Organisation").json["Organisations"][0]
    assert (shown["BaseCurrency"], shown["Timezone"], shown["Name"]) == ("EUR", "WEUROPESTANDARDTIME", "Practice BV")
    assert shown["PeriodLockDate"] == "/Date(1782777600000+0000)/"
    xero.org.lock_period(None)
    assert "PeriodLockDate" not in xero.call("GET", "/Organisation").json["Organisations"][0]


def test_items(xero: Xero) -> None:
    """Items are created, refused when the code exists, changed by POST, found by code, deleted; a line may name one."""
    token = xero.org.access_token("accounting.settings accounting.invoices accounting.contacts")
    xero.token = token
    made = xero.call("PUT", "/Items", {"Items": [{"Code": "BOOK", "Name": "A book", "Description": "Paper"}]})
    assert made.status == 200
    assert xero.call("PUT", "/Items", {"Code": "book"}).status == 400
    assert xero.call("POST", "/Items", {"Code": "BOOK", "Name": "Two"}).json["Items"][0]["Name"] == "Two"
    lines = [{"ItemCode": "BOOK", "Quantity": 1, "UnitAmount": 1, "AccountCode": "4010", "TaxType": "TAX002"}]
    line = xero.invoice(LineItems=lines)["LineItems"][0]
    assert (line["Description"], line["ItemCode"]) == ("Paper", "BOOK")
    assert xero.call("GET", "/Items/BOOK").status == 200
    assert xero.call("DELETE", "/Items/BOOK").status == 204
    assert xero.call("GET", "/Items/BOOK").status == 404
