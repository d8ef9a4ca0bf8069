"""Line items of the practice Xero: amounts, discounts, tax, accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from xero_client import Got, Xero, errors, invoice, line, note


@pytest.fixture
def xero() -> Xero:
    return Xero()


def put(xero: Xero, *lines: dict[str, Any], query: dict[str, str] | None = None, **fields: Any) -> Got:
    element = invoice(xero.some_contact(), LineItems=list(lines), **fields)
    return xero.call("PUT", "/Invoices", {"Invoices": [element]}, **(query or {}))


def made(xero: Xero, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    got = put(xero, *lines, **fields)
    assert got.status == 200, got.text
    return dict(got.json["Invoices"][0])


def amounts(shown: dict[str, Any]) -> tuple[Decimal, ...]:
    return tuple(shown[n] for n in ("SubTotal", "TotalTax", "Total"))


def test_exclusive(xero: Xero) -> None:
    """Exclusive: tax is added to the line amounts."""
    shown = made(xero, line(UnitAmount=100), line(UnitAmount=10, TaxType="TAX002", AccountCode="4010"))
    assert amounts(shown) == (Decimal("110.00"), Decimal("21.90"), Decimal("131.90"))
    assert shown["LineAmountTypes"] == "Exclusive"


def test_inclusive(xero: Xero) -> None:
    """Inclusive: tax is inside the line amounts."""
    shown = made(xero, line(UnitAmount=121), LineAmountTypes="Inclusive")
    assert amounts(shown) == (Decimal("100.00"), Decimal("21.00"), Decimal("121.00"))
    assert shown["LineItems"][0]["LineAmount"] == Decimal("121.00")


def test_no_tax(xero: Xero) -> None:
    """NoTax: no tax whatever the tax type says."""
    shown = made(xero, line(UnitAmount=121), LineAmountTypes="NoTax")
    assert amounts(shown) == (Decimal("121.00"), Decimal("0.00"), Decimal("121.00"))
    assert shown["LineItems"][0]["TaxType"] == "NONE"


def test_tax_is_rounded_per_line_half_up(xero: Xero) -> None:
    """Tax is rounded on every line, half a cent up: three lines of 0.50 at 9 % carry 15 cents, not 14."""
    three = [line(UnitAmount=0.5, TaxType="TAX002", AccountCode="4010") for _ in range(3)]
    assert made(xero, *three)["TotalTax"] == Decimal("0.15")
    assert made(xero, line(UnitAmount=-0.5, TaxType="TAX002"), line())["LineItems"][0]["TaxAmount"] == Decimal("-0.05")


def test_tax_override(xero: Xero) -> None:
    """A TaxAmount that is sent is taken instead of the calculated one, in a total that follows it."""
    shown = made(xero, line(UnitAmount=0.5, TaxType="TAX002", TaxAmount=0.04))
    assert amounts(shown) == (Decimal("0.50"), Decimal("0.04"), Decimal("0.54"))
    inclusive = made(xero, line(UnitAmount=121, TaxAmount=20.99), LineAmountTypes="Inclusive")
    assert amounts(inclusive) == (Decimal("100.01"), Decimal("20.99"), Decimal("121.00"))


def test_tax_above_the_line(xero: Xero) -> None:
    """Tax cannot be more than the line."""
    assert errors(put(xero, line(UnitAmount=1, TaxAmount=1.01))) == [
        "The tax amount cannot be greater than the line amount!"
    ]


def test_totals_sent_are_ignored(xero: Xero) -> None:
    """SubTotal, TotalTax, Total, AmountDue and AmountPaid are read-only."""
    shown = made(xero, line(), SubTotal=1, TotalTax=2, Total=3, AmountDue=4, AmountPaid=5)
    assert amounts(shown) == (Decimal("100.00"), Decimal("21.00"), Decimal("121.00"))
    assert (shown["AmountDue"], shown["AmountPaid"]) == (Decimal("121.00"), Decimal("0.00"))


def test_amounts_are_exact_numbers(xero: Xero) -> None:
    """Amounts are JSON numbers with 2 places, quantities with 4, currency rates with 6; no binary fraction appears."""
    got = put(xero, line(Quantity=3, UnitAmount=0.1))
    assert b'"UnitAmount":0.10,' in got.body and b'"Quantity":3.0000,' in got.body
    assert b'"SubTotal":0.30,' in got.body and b'"CurrencyRate":1.000000,' in got.body


def test_large_amounts_keep_their_cents(xero: Xero) -> None:
    """An amount beyond the precision of binary floating point keeps its cents."""
    body = b'{"Invoices":[{"Type":"ACCREC","Contact":{"ContactID":"%s"},"LineItems":[{"Description":"x",' % (
        xero.some_contact().encode()
    )
    body += b'"Quantity":1,"UnitAmount":90071992547409.93,"TaxType":"NONE"}]}]}'
    assert xero.call("PUT", "/Invoices", body).json["Invoices"][0]["Total"] == Decimal("90071992547409.93")


def test_unit_amount_two_or_four_places(xero: Xero) -> None:
    """Unit amounts are cut to 2 places unless unitdp=4 is given, in writing and in reading alike."""
    fine = line(Quantity=1000, UnitAmount=0.1234)
    assert made(xero, fine)["SubTotal"] == Decimal("120.00")
    shown = made(xero, fine, query={"unitdp": "4"})
    assert shown["SubTotal"] == Decimal("123.40")
    assert shown["LineItems"][0]["UnitAmount"] == Decimal("0.1234")
    path = f"/Invoices/{shown['InvoiceID']}"
    assert xero.call("GET", path).json["Invoices"][0]["LineItems"][0]["UnitAmount"] == Decimal("0.12")
    assert xero.call("GET", path, unitdp="4").json["Invoices"][0]["LineItems"][0]["UnitAmount"] == Decimal("0.1234")


def test_line_amount(xero: Xero) -> None:
    """A LineAmount that does not fit is refused; with one of quantity and unit amount missing it gives the other."""
    assert errors(put(xero, line(Quantity=3, UnitAmount=33.33, LineAmount=100))) == [
        "The line total 100 does not match the expected line total 99.99"
    ]
    given = {"Description": "x", "LineAmount": 50, "Quantity": 4, "AccountCode": "4000", "TaxType": "NONE"}
    assert made(xero, given)["LineItems"][0]["UnitAmount"] == Decimal("12.50")


def test_discount_rate(xero: Xero) -> None:
    """DiscountRate takes per cents off the line before it is rounded."""
    shown = made(xero, line(Quantity=3, UnitAmount=9.99, DiscountRate=15))
    assert shown["LineItems"][0]["LineAmount"] == Decimal("25.47")
    assert (shown["IsDiscounted"], shown["TotalDiscount"]) == (True, Decimal("4.50"))


def test_discount_amount(xero: Xero) -> None:
    """DiscountAmount takes an amount off the line."""
    assert made(xero, line(Quantity=3, UnitAmount=10, DiscountAmount=2.5))["SubTotal"] == Decimal("27.50")


def test_discounts_only_on_sales_invoices(xero: Xero) -> None:
    """Credit notes and bills take no discounts."""
    discounted = [line(DiscountRate=10)]
    bill = put(xero, *discounted, Type="ACCPAY")
    credit = xero.call("PUT", "/CreditNotes", {"CreditNotes": [note(xero.some_contact(), LineItems=discounted)]})
    for got in (bill, credit):
        assert errors(got) == ["Discounts are only supported on ACCREC invoices."]


def test_negative_quantity(xero: Xero) -> None:
    """A quantity below zero is refused, a unit amount below zero is not."""
    assert errors(put(xero, line(Quantity=-1))) == [
        "The quantity value '-1.0000' is invalid. Quantity must not be less than zero."
    ]
    assert made(xero, line(), line(UnitAmount=-10))["Total"] == Decimal("108.90")


def test_negative_total(xero: Xero) -> None:
    """A document below zero is refused."""
    assert errors(put(xero, line(UnitAmount=-1))) == ["The invoice total cannot be negative"]


@pytest.mark.parametrize("code", ["9999", "1010"])
def test_account_must_exist(xero: Xero, code: str) -> None:
    """An account code that does not exist, or a bank account, is refused on a line."""
    assert errors(put(xero, line(AccountCode=code))) == [
        f"Account code '{code}' is not a valid code for this document."
    ]


def test_archived_account(xero: Xero) -> None:
    """An archived account is refused in Xero's words, and accepted again once it is active."""
    refusal = (
        "Account code '4030' has been archived, or has been deleted. Each line item must reference a valid account."
    )
    assert errors(put(xero, line(AccountCode="4030"))) == [refusal]
    xero.org.restore_account("4030")
    assert put(xero, line(AccountCode="4030")).status == 200
    xero.org.archive_account("4020")
    assert put(xero, line()).status == 400


def test_account_by_id(xero: Xero) -> None:
    """A line may name its account by AccountID."""
    account = xero.org.state.accounts["4010"].id
    shown = made(xero, {**line(AccountID=account), "AccountCode": None})
    assert shown["LineItems"][0]["AccountCode"] == "4010"


def test_approved_lines_need_account_and_tax(xero: Xero) -> None:
    """An approved document needs an account and a tax type on every line; a draft needs neither."""
    bare = {"Description": "x", "Quantity": 1, "UnitAmount": 10}
    assert errors(put(xero, {**bare, "TaxType": "TAX001"})) == ["Account must be valid."]
    assert errors(put(xero, {**bare, "AccountCode": "4000"})) == ["Tax rate must be valid."]
    assert put(xero, bare, Status="DRAFT").status == 200


def test_tax_type_must_exist(xero: Xero) -> None:
    """A tax type that does not exist is refused."""
    assert errors(put(xero, line(TaxType="OUTPUT2"))) == [
        "The TaxType code 'OUTPUT2' does not exist or cannot be used for this type of transaction."
    ]


def test_description(xero: Xero) -> None:
    """A description has 1 to 4,000 characters; a line of a description alone is a remark without an amount."""
    assert put(xero, line(Description="")).status == 400
    assert put(xero, line(Description="x" * 4001)).status == 400
    shown = made(xero, line(Description="x" * 4000), {"Description": "with love"})
    assert [entry["LineAmount"] for entry in shown["LineItems"]] == [Decimal("100.00"), Decimal("0.00")]


def test_two_tracking_categories(xero: Xero) -> None:
    """A line takes two tracking categories."""
    tracking = [{"Name": str(n), "Option": "x"} for n in range(3)]
    assert put(xero, line(Tracking=tracking)).status == 400
    assert len(made(xero, line(Tracking=tracking[:2]))["LineItems"][0]["Tracking"]) == 2


def test_line_ids(xero: Xero) -> None:
    """On an update a line with its LineItemID stays, one without is made anew, one that is left out goes."""
    shown = made(xero, line(Description="a"), line(Description="b"))
    keep = shown["LineItems"][0]["LineItemID"]
    lines = [line(Description="a2", LineItemID=keep), line(Description="c")]
    got = xero.call("POST", f"/Invoices/{shown['InvoiceID']}", {"LineItems": lines}).json["Invoices"][0]
    assert [entry["Description"] for entry in got["LineItems"]] == ["a2", "c"]
    assert got["LineItems"][0]["LineItemID"] == keep
    assert got["LineItems"][1]["LineItemID"] not in [entry["LineItemID"] for entry in shown["LineItems"]]


def test_all_messages_at_once(xero: Xero) -> None:
    """One answer names everything that is wrong with an element."""
    got = errors(put(xero, line(AccountCode="4030"), line(TaxType="X"), Date="2026-05-01", CurrencyCode="EUR"))
    assert len(got) == 3
