"""Worked cases of the credit note. Each differs from the refund of one book in what it names."""

from __future__ import annotations

from typing import Any

from crosswalk.mapping import Example
from mappings.shopify_orders.worked import (
    BOOK,
    ORDER,
    adjustment,
    money,
    refund,
    refunded,
    refunded_shipping,
    shipping,
    tax,
)
from mappings.shopify_orders.worked import transaction as moved

ONE_BOOK = [refunded(1, 1, "19.95", "1.65")]
PARCEL = [refunded_shipping("4.95", "0.86")]
BASE = ORDER | {"refunds": [refund(5, "19.95", refundLineItems=ONE_BOOK)]}
CANCELLED = "2026-11-21T09:00:00Z"


def _refund(total: str, **lists: Any) -> dict[str, Any]:
    """One refund with these lists; fields of the refund may stand beside them."""
    return {"refunds": [refund(5, total, **lists)]}


def _sold(**more: Any) -> dict[str, Any]:
    """The book that is given back, sold with these fields."""
    return {"lineItems": [BOOK | more]}


EXAMPLES = [
    Example(
        "a refunded book",
        part="credit:gid://shopify/Refund/5",
        expect={
            "Type": "ACCRECCREDIT",
            "CreditNoteNumber": "EX-5",
            "Reference": "#1001",
            "Date": "2026-11-21",
            "Status": "AUTHORISED",
            "LineAmountTypes": "Inclusive",
            "CurrencyCode": "EUR",
            "LineItems": 1,
            "Contact.ContactID": "gid://shopify/Customer/77",
            "LineItems[0].Description": "1 x Moby-Dick",
            "LineItems[0].Quantity": 1,
            "LineItems[0].UnitAmount": "19.95",
            "LineItems[0].TaxAmount": "1.65",
            "LineItems[0].AccountCode": "4010",
            "LineItems[0].TaxType": "TAX002",
            "Total": "19.95",
            "@xero.invoices": "gid://shopify/Order/5780011223344",
        },
    ),
    Example(
        "goods and shipping, and something for the trouble",
        given=_refund(
            "26.90", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL, orderAdjustments=[adjustment("-2.00")]
        ),
        expect={
            "LineItems": 3,
            "LineItems[0].AccountCode": "4010",
            "LineItems[1].Description": "Shipping",
            "LineItems[1].Quantity": 1,
            "LineItems[1].UnitAmount": "4.95",
            "LineItems[1].AccountCode": "4050",
            "LineItems[1].TaxType": "TAX001",
            "LineItems[1].TaxAmount": "0.86",
            "LineItems[2].Description": "Adjustment of the refund",
            "LineItems[2].Quantity": 1,
            "LineItems[2].UnitAmount": "2.00",
            "LineItems[2].AccountCode": "4060",
            "LineItems[2].TaxType": "NONE",
            "LineItems[2].TaxAmount": 0,
            "Total": "26.90",
        },
    ),
    Example(
        "prices without tax",
        given={
            "taxesIncluded": False,
            **_refund(
                "29.40",
                refundLineItems=[refunded(1, 1, "19.95", "1.80")],
                refundShippingLines=[refunded_shipping("4.70", "0.95")],
                orderAdjustments=[adjustment("-2.00")],
            ),
        },
        expect={
            "LineAmountTypes": "Exclusive",
            "LineItems[0].UnitAmount": "19.95",
            "LineItems[0].TaxAmount": "1.80",
            "LineItems[1].TaxAmount": "0.95",
            "Total": "29.40",
        },
    ),
    Example(
        "prices without tax, the book alone",
        given={"taxesIncluded": False, **_refund("21.75", refundLineItems=[refunded(1, 1, "19.95", "1.80")])},
        expect={"Total": "21.75"},
    ),
    Example(
        "prices without tax, shipping alone",
        given={"taxesIncluded": False, **_refund("5.65", refundShippingLines=[refunded_shipping("4.70", "0.95")])},
        expect={"Total": "5.65"},
    ),
    Example(
        "shipping alone",
        given=_refund("4.95", refundShippingLines=PARCEL),
        expect={"LineItems": 1, "LineItems[0].AccountCode": "4050", "Total": "4.95"},
    ),
    Example(
        "less given back than the goods came to",
        given=_refund("14.95", refundLineItems=ONE_BOOK, orderAdjustments=[adjustment("5.00")]),
        expect={"LineItems": 2, "LineItems[1].UnitAmount": "-5.00", "Total": "14.95"},
    ),
    Example(
        "goodwill without goods",
        given=_refund("5.00", orderAdjustments=[adjustment("-5.00")]),
        expect={"LineItems": 1, "LineItems[0].UnitAmount": "5.00", "LineItems[0].AccountCode": "4060", "Total": "5.00"},
    ),
    # what was sold
    Example(
        "a title that is too long for Xero is cut",
        given={"lineItems[0].title": "x" * 3997},
        expect={"LineItems[0].Description": "1 x " + "x" * 3996},
    ),
    Example(
        "a gift card was a debt",
        given=_sold(isGiftCard=True, taxLines=[tax("0", "0.00")]),
        expect={"LineItems[0].AccountCode": "2100", "LineItems[0].TaxType": "NONE"},
    ),
    Example(
        "an unclassified product comes off other sales",
        given=_sold(product={"productType": "poster"}),
        expect={"LineItems[0].AccountCode": "4000"},
    ),
    Example(
        "a product that is gone comes off other sales",
        given=_sold(product=None),
        expect={"LineItems[0].AccountCode": "4000"},
    ),
    Example(
        "a line that the order does not show",
        given=_refund("19.95", refundLineItems=[refunded(1, 9, "19.95", "1.65")]),
        held={"LineItems.Description", "LineItems.AccountCode", "LineItems.TaxType"},
    ),
    # tax
    Example(
        "sold to Germany",
        given={
            "shippingAddress.countryCodeV2": "DE",
            **_sold(taxLines=[tax("0.19", "3.19")]),
            "shippingLines": [shipping("4.95", [tax("0.19", "0.79")])],
            **_refund("24.90", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL),
        },
        expect={"LineItems[0].TaxType": "TAX004", "LineItems[1].TaxType": "TAX004"},
    ),
    Example(
        "without a shipping address the billing address decides",
        given={
            "shippingAddress": None,
            "billingAddress.countryCodeV2": "BE",
            **_sold(taxLines=[tax("0.21", "3.46")]),
            **_refund("24.90", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL),
        },
        expect={"LineItems[0].TaxType": "TAX005", "LineItems[1].TaxType": "TAX005"},
    ),
    Example(
        "where the goods went decides, and not who paid",
        given={
            "billingAddress.countryCodeV2": "DE",
            **_refund("24.90", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL),
        },
        expect={"LineItems[0].TaxType": "TAX002", "LineItems[1].TaxType": "TAX001"},
    ),
    Example(
        "without any address it is the shop's own country",
        given={"shippingAddress": None, **_refund("24.90", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL)},
        expect={"LineItems[0].TaxType": "TAX002", "LineItems[1].TaxType": "TAX001"},
    ),
    Example(
        "what carried no tax line had no tax",
        given={
            **_sold(taxLines=[]),
            "shippingLines[0].taxLines": [],
            **_refund(
                "24.90",
                refundLineItems=[refunded(1, 1, "19.95", "0.00")],
                refundShippingLines=[refunded_shipping("4.95", "0.00")],
            ),
        },
        expect={"LineItems[0].TaxType": "NONE", "LineItems[1].TaxType": "NONE"},
    ),
    # when, to whom, and whether at all
    Example(
        "given back just before midnight in UTC, the next day in the shop",
        given=_refund("19.95", refundLineItems=ONE_BOOK, processedAt="2026-11-21T23:30:00Z"),
        expect={"Date": "2026-11-22"},
    ),
    Example("a refund to a guest", given={"customer": None}, expect={"Contact.ContactID": "guests"}),
    Example(
        "goods taken back without money",
        given=_refund("0.00", refundLineItems=[refunded(1, 1, "0.00", "0.00")]),
        skipped="refund of nothing",
    ),
    Example(
        "goods and shipping taken back, all of it kept",
        given=_refund(
            "0.00", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL, orderAdjustments=[adjustment("24.90")]
        ),
        skipped="refund of nothing",
    ),
    Example(
        "goods and shipping taken back, all of it kept, prices without tax",
        given={
            "taxesIncluded": False,
            **_refund(
                "0.00", refundLineItems=ONE_BOOK, refundShippingLines=PARCEL, orderAdjustments=[adjustment("27.41")]
            ),
        },
        skipped="refund of nothing",
    ),
    *(
        Example(
            f"a refund without anything, prices {'with' if included else 'without'} tax",
            given={"taxesIncluded": included, **_refund("0.00")},
            skipped="refund of nothing",
        )
        for included in (True, False)
    ),
    Example("a refund of an order that is not paid", given={"transactions": []}, expect={"Total": "19.95"}),
    *(
        Example(
            f"a cancelled order whose money had come in ({kind})",
            given={"cancelledAt": CANCELLED, "transactions": [moved(9, kind, "24.90")]},
            expect={"Total": "19.95"},
        )
        for kind in ("SALE", "CAPTURE")
    ),
    Example(
        "restocked by a cancellation without a payment",
        given={"cancelledAt": CANCELLED, "transactions": []},
        skipped="cancelled unpaid",
    ),
    Example(
        "restocked by a cancellation while the money was only reserved",
        given={"cancelledAt": CANCELLED, "transactions": [moved(9, "AUTHORIZATION", "24.90")]},
        skipped="cancelled unpaid",
    ),
    Example(
        "restocked by a cancellation after a payment that failed",
        given={"cancelledAt": CANCELLED, "transactions": [moved(9, "SALE", "24.90", status="FAILURE")]},
        skipped="cancelled unpaid",
    ),
    Example("a refund of a test order", given={"test": True}, skipped="test order"),
    Example("a refund of an order of nothing", given={"totalPriceSet": money("0.00")}, skipped="zero total"),
]
