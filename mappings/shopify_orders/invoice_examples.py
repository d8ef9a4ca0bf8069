"""Worked cases of the invoice. Each differs from the order of ``worked.py`` in what it names."""

from __future__ import annotations

from typing import Any

from crosswalk.mapping import Example
from mappings.shopify_orders.worked import (
    BOOK,
    HIGH,
    LOW,
    discount,
    line,
    money,
    refund,
    refunded,
    shipping,
    tax,
)
from mappings.shopify_orders.worked import transaction as moved


def _book(**more: Any) -> dict[str, Any]:
    """The order of one book and nothing else; ``more`` overrides fields of its line."""
    return {"lineItems": [BOOK | more], "shippingLines": [], "totalPriceSet": money("19.95")}


def _taxed(country: str, rate: str, outcome: str) -> Example:
    """A book sent to a country at a rate."""
    given = _book(taxLines=[tax(rate, "1.65" if rate != "0" else "0.00")])
    return Example(
        f"{country} at {rate}",
        given={**given, "shippingAddress.countryCodeV2": country},
        expect={"LineItems[0].TaxType": outcome},
    )


CANCELLED = "2026-11-21T09:00:00Z"

EXAMPLES = [
    Example(
        "a paid Dutch book order, prices with tax",
        expect={
            "Type": "ACCREC",
            "InvoiceNumber": "EX-5780011223344",
            "Reference": "#1001",
            "Contact.ContactID": "gid://shopify/Customer/77",
            "Date": "2026-11-20",
            "DueDate": "2026-11-20",
            "Status": "AUTHORISED",
            "LineAmountTypes": "Inclusive",
            "CurrencyCode": "EUR",
            "LineItems": 2,
            "LineItems[0].Description": "Moby-Dick",
            "LineItems[0].Quantity": 1,
            "LineItems[0].UnitAmount": "19.95",
            "LineItems[0].DiscountAmount": None,
            "LineItems[0].AccountCode": "4010",
            "LineItems[0].TaxType": "TAX002",
            "LineItems[0].TaxAmount": "1.65",
            "LineItems[1].Description": "Standard",
            "LineItems[1].Quantity": 1,
            "LineItems[1].UnitAmount": "4.95",
            "LineItems[1].AccountCode": "4050",
            "LineItems[1].TaxType": "TAX001",
            "LineItems[1].TaxAmount": "0.86",
            "Total": "24.90",
        },
    ),
    Example(
        "prices without tax, two of a book with a discount",
        given={
            "taxesIncluded": False,
            "totalPriceSet": money("47.00"),
            "lineItems": [
                line(
                    1,
                    "Moby-Dick",
                    "19.95",
                    [tax("0.09", "3.41")],
                    quantity=2,
                    discountAllocations=[discount("2.00")],
                )
            ],
            "shippingLines": [shipping("4.70", [tax("0.21", "0.99")])],
        },
        expect={
            "LineAmountTypes": "Exclusive",
            "LineItems[0].Quantity": 2,
            "LineItems[0].UnitAmount": "19.95",
            "LineItems[0].DiscountAmount": "2.00",
            "LineItems[0].TaxAmount": "3.41",
            "LineItems[1].UnitAmount": "4.70",
            "LineItems[1].TaxAmount": "0.99",
            "Total": "47.00",
        },
    ),
    Example(
        "prices without tax, nothing off",
        given={**_book(taxLines=[tax("0.09", "1.80")]), "taxesIncluded": False, "totalPriceSet": money("21.75")},
        expect={"LineAmountTypes": "Exclusive", "LineItems[0].UnitAmount": "19.95", "LineItems[0].TaxAmount": "1.80"},
    ),
    # what was sold
    Example(
        "a variant is named with its product",
        given={"lineItems[0].variantTitle": "Paperback"},
        expect={"LineItems[0].Description": "Moby-Dick - Paperback"},
    ),
    Example(
        "a variant without a name adds nothing",
        given={"lineItems[0].variantTitle": " "},
        expect={"LineItems[0].Description": "Moby-Dick"},
    ),
    Example(
        "a title that is too long for Xero is cut",
        given={"lineItems[0].title": "x" * 4001},
        expect={"LineItems[0].Description": "x" * 4000},
    ),
    *(
        Example(f"a {kind} has an account of its own", given=_book(product={"productType": kind}), expect=expect)
        for kind, expect in (
            ("course", {"LineItems[0].AccountCode": "4020"}),
            ("mug", {"LineItems[0].AccountCode": "4030"}),
        )
    ),
    Example(
        "an unclassified product goes to other sales",
        given=_book(product={"productType": "poster"}),
        expect={"LineItems[0].AccountCode": "4000"},
    ),
    Example(
        "a product that is gone goes to other sales",
        given=_book(product=None),
        expect={"LineItems[0].AccountCode": "4000"},
    ),
    Example(
        "a gift card is a debt and no sale",
        given=_book(isGiftCard=True, taxLines=[], product=None),
        expect={"LineItems[0].AccountCode": "2100", "LineItems[0].TaxType": "NONE", "LineItems[0].TaxAmount": 0},
    ),
    Example(
        "a gift card with a tax line of nothing is a debt all the same",
        given=_book(isGiftCard=True, taxLines=[tax("0", "0.00")]),
        expect={"LineItems[0].AccountCode": "2100", "LineItems[0].TaxType": "NONE"},
    ),
    # tax
    *(
        _taxed(*case)
        for case in (
            ("NL", "0.21", "TAX001"),
            ("NL", "0.09", "TAX002"),
            ("DE", "0.19", "TAX004"),
            ("BE", "0.21", "TAX005"),
            ("NL", "0", "TAX003"),
            ("DE", "0", "TAX003"),
            ("BE", "0", "TAX003"),
            ("GB", "0", "TAX003"),
            ("US", "0", "TAX003"),
            ("CH", "0", "TAX003"),
            ("JP", "0", "TAX003"),
        )
    ),
    Example(
        "a Belgian order has the Belgian code for the Dutch rate, shipping too",
        given={"shippingAddress.countryCodeV2": "BE", "lineItems[0].taxLines": [tax("0.21", "3.46")]},
        expect={"LineItems[0].TaxType": "TAX005", "LineItems[1].TaxType": "TAX005"},
    ),
    Example(
        "without a shipping address the billing address decides",
        given={
            "shippingAddress": None,
            "billingAddress.countryCodeV2": "DE",
            "lineItems[0].taxLines": [tax("0.19", "3.19")],
            "shippingLines": [shipping("4.95", [tax("0.19", "0.79")])],
        },
        expect={"LineItems[0].TaxType": "TAX004", "LineItems[1].TaxType": "TAX004"},
    ),
    Example(
        "where the goods go decides, and not who pays",
        given={"billingAddress.countryCodeV2": "DE"},
        expect={"LineItems[0].TaxType": "TAX002", "LineItems[1].TaxType": "TAX001"},
    ),
    Example(
        "without any address it is the shop's own country",
        given={"shippingAddress": None},
        expect={"LineItems[0].TaxType": "TAX002", "LineItems[1].TaxType": "TAX001"},
    ),
    Example(
        "what carries no tax line has no tax",
        given={"lineItems[0].taxLines": [], "shippingLines[0].taxLines": []},
        expect={
            "LineItems[0].TaxType": "NONE",
            "LineItems[0].TaxAmount": 0,
            "LineItems[1].TaxType": "NONE",
            "LineItems[1].TaxAmount": 0,
        },
    ),
    Example(
        "a rate that nobody has placed",
        given={"shippingAddress.countryCodeV2": "FR", "lineItems[0].taxLines": [tax("0.20", "3.33")]},
        held={"LineItems.TaxType"},
    ),
    Example("two taxes on a line", given={"lineItems[0].taxLines": [LOW, HIGH]}, held={"two taxes on a line"}),
    Example("two taxes on shipping", given={"shippingLines[0].taxLines": [LOW, HIGH]}, held={"two taxes on a line"}),
    Example(
        "two taxes on a line that was refunded whole",
        given={
            "lineItems[0].currentQuantity": 0,
            "lineItems[0].taxLines": [LOW, HIGH],
            "refunds": [refund(5, "19.95", refundLineItems=[refunded(1, 1, "19.95", "1.65")])],
        },
        held={"two taxes on a line"},
    ),
    Example(
        "two taxes on what an edit removed do not matter",
        given={
            "lineItems": [BOOK, line(2, "Emma", "9.95", [LOW, HIGH], currentQuantity=0)],
            "shippingLines": [shipping("4.95", [HIGH]), shipping("9.95", [LOW, HIGH], isRemoved=True)],
        },
        expect={"LineItems": 2},
    ),
    # discounts and shipping
    Example(
        "discounts of line and order, as the shop spread them",
        given={
            "lineItems[0].discountAllocations": [discount("2.00"), discount("1.33")],
            "lineItems[0].taxLines": [tax("0.09", "1.37")],
            "totalPriceSet": money("21.57"),
        },
        expect={"LineItems[0].UnitAmount": "19.95", "LineItems[0].DiscountAmount": "3.33"},
    ),
    Example(
        "discounted shipping",
        given={
            "shippingLines[0].discountedPriceSet": money("2.00"),
            "shippingLines[0].taxLines": [tax("0.21", "0.35")],
            "totalPriceSet": money("21.95"),
        },
        expect={"LineItems[1].UnitAmount": "2.00"},
    ),
    Example(
        "shipping that an edit took away is not billed",
        given={"shippingLines[0].isRemoved": True, "totalPriceSet": money("19.95")},
        expect={"LineItems": 1},
    ),
    # edits and refunds
    Example(
        "a unit removed by an edit is not billed, a refunded one is",
        given={
            "lineItems[0].quantity": 4,
            "lineItems[0].currentQuantity": 1,
            "lineItems[0].taxLines": [tax("0.09", "3.29")],
            "totalPriceSet": money("44.85"),
            "refunds": [refund(5, "19.95", refundLineItems=[refunded(1, 1, "19.95", "1.65")])],
        },
        expect={"LineItems[0].Quantity": 2, "Total": "44.85"},
    ),
    Example(
        "a line that was refunded whole stays billed",
        given={
            "lineItems[0].currentQuantity": 0,
            "currentTotalPriceSet": money("4.95"),
            "totalRefundedSet": money("19.95"),
            "refunds": [refund(5, "19.95", refundLineItems=[refunded(1, 1, "19.95", "1.65")])],
        },
        expect={"LineItems": 2, "LineItems[0].Quantity": 1, "Total": "24.90"},
    ),
    Example(
        "a line whose units were all removed by an edit",
        given={"lineItems": [BOOK, line(2, "Emma", "9.95", [LOW], currentQuantity=0)]},
        expect={"LineItems": 2, "LineItems[0].Description": "Moby-Dick", "LineItems[1].AccountCode": "4050"},
    ),
    # money
    Example(
        "books are kept in the shop's currency, whatever the customer saw",
        given={"presentmentCurrencyCode": "JPY", "totalPriceSet.presentmentMoney": {"amount": "4100"}},
        expect={"CurrencyCode": "EUR", "LineItems[0].UnitAmount": "19.95", "Total": "24.90"},
    ),
    Example(
        "a total that the lines do not explain",
        given={"totalPriceSet": money("24.91")},
        held={"the invoice total is the order total to the cent"},
    ),
    # when
    Example(
        "just before midnight in UTC it is the next day in the shop",
        given={"processedAt": "2026-11-20T23:30:00Z"},
        expect={"Date": "2026-11-21", "DueDate": "2026-11-21"},
    ),
    Example(
        "in summer the shop's day begins two hours before UTC's",
        given={"processedAt": "2026-07-20T22:30:00Z"},
        expect={"Date": "2026-07-21", "DueDate": "2026-07-21"},
    ),
    # to whom, and whether at all
    Example("a guest", given={"customer": None}, expect={"Contact.ContactID": "guests"}),
    Example("a test order", given={"test": True}, skipped="test order"),
    Example("an order of nothing", given={"totalPriceSet": money("0.00")}, skipped="zero total"),
    *(
        Example(f"the status {status}", given={"displayFinancialStatus": status}, expect={"Status": "AUTHORISED"})
        for status in ("PARTIALLY_PAID", "PENDING", "AUTHORIZED", "PARTIALLY_REFUNDED", "REFUNDED")
    ),
    Example("an expired reservation", given={"displayFinancialStatus": "EXPIRED"}, held={"Status"}),
    Example("a reservation taken back", given={"displayFinancialStatus": "VOIDED"}, held={"Status"}),
    Example("a status that the shop does not tell", given={"displayFinancialStatus": None}, held={"Status"}),
    Example(
        "not paid yet",
        given={"displayFinancialStatus": "PENDING", "transactions": []},
        expect={"Status": "AUTHORISED"},
    ),
    Example(
        "cancelled while the money was only reserved",
        given={
            "cancelledAt": CANCELLED,
            "displayFinancialStatus": "VOIDED",
            "transactions": [moved(9, "AUTHORIZATION", "24.90")],
        },
        removed=True,
    ),
    Example(
        "cancelled after a payment that failed",
        given={"cancelledAt": CANCELLED, "transactions": [moved(9, "SALE", "24.90", status="FAILURE")]},
        removed=True,
    ),
    *(
        Example(
            f"cancelled after the money had come in ({kind}): the invoice stays, a refund is a credit note",
            given={"cancelledAt": CANCELLED, "transactions": [moved(9, kind, "24.90")]},
            expect={"Status": "AUTHORISED"},
        )
        for kind in ("SALE", "CAPTURE")
    ),
]
