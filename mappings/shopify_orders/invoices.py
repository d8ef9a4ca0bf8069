"""The invoice of an order."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

from crosswalk.mapping import (
    LEAVE_OUT,
    Check,
    Choose,
    Compare,
    Concat,
    Confirm,
    Const,
    Constant,
    Copy,
    Count,
    Cut,
    Default,
    Either,
    Equals,
    Example,
    Guard,
    Hold,
    If,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Remove,
    Rule,
    Sum,
)
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked


def has_payments(invoice: Dict[str, Any]) -> bool:
    """Money or a credit is booked against the invoice."""
    return bool(invoice.get("AmountPaid") or invoice.get("AmountCredited"))


goods = Lines(
    "LineItems",
    each="lineItems",
    when=Compare(common.units_billed(), ">", 0),
    why="a line whose units were all removed by an edit is not billed",
    rules=[
        Rule(
            "Description",
            Cut(Concat("title", "variantTitle", separator=" - ", skip_missing=True), 4000),
            why="what the customer read; Xero takes 4,000 characters",
        ),
        Rule("Quantity", common.units_billed(), why="units with later edits and before refunds"),
        Rule("UnitAmount", Copy("originalUnitPriceSet.shopMoney.amount")),
        Rule(
            "DiscountAmount",
            Sum("discountAllocations.allocatedAmountSet.shopMoney.amount"),
            missing=LEAVE_OUT,
            why="line and order discounts, as the shop spread them over the lines",
        ),
        Rule("AccountCode", common.goods_account(), why="gift cards are a debt; the rest is reported by product type"),
        Rule("TaxType", common.goods_tax_type("^."), why="one rate has another code in another country"),
        Rule(
            "TaxAmount",
            Sum("taxLines.priceSet.shopMoney.amount", empty=0),
            why="the shop's own tax, so that total and tax agree to the cent where rounding differs",
        ),
    ],
)

shipping = Lines(
    "LineItems",
    each="shippingLines",
    when=Equals("isRemoved", False),
    why="shipping that an edit took away is not billed",
    rules=[
        Rule("Description", Cut(Copy("title"), 4000), why="what the customer read"),
        Constant("Quantity", 1, why="shipping is one thing"),
        Rule("UnitAmount", Copy("discountedPriceSet.shopMoney.amount")),
        Constant("AccountCode", common.SHIPPING, why="shipping is reported apart"),
        Rule("TaxType", common.tax_type("^."), why="one rate has another code in another country"),
        Rule(
            "TaxAmount",
            Sum("taxLines.priceSet.shopMoney.amount", empty=0),
            why="the shop's own tax, so that total and tax agree to the cent where rounding differs",
        ),
    ],
)

billed = Sum("LineItems", of=Copy("Quantity") * Copy("UnitAmount"), empty=0)
discounted = Either(Sum("LineItems.DiscountAmount"), Const(0))
taxed = Sum("LineItems.TaxAmount", empty=0)

orders_to_invoices = Mapping(
    "Shopify orders become Xero sales invoices",
    source=shopify.Order,
    target=xero.Invoice,
    key="id",
    marker="InvoiceNumber",
    match="Reference",
    tables=common.TABLES,
    skips=common.no_sale(),
    removes=[
        Remove(
            "cancelled unpaid",
            common.unpaid_and_cancelled(),
            why="an order that was cancelled without a payment owes nothing: its invoice is voided, or never made",
        )
    ],
    holds=[
        Hold(
            "two taxes on a line",
            Compare(Count("lineItems", where=Compare(Count("taxLines"), ">", 1)), ">", 0),
            why="a Xero line has one tax type",
        )
    ],
    rules=[
        Constant("Type", "ACCREC", why="a sales invoice"),
        Rule("InvoiceNumber", Marker("legacyResourceId"), why="ours alone: by it a lost answer is looked up"),
        Rule("Reference", Copy("name")),
        Rule(
            "Contact.ContactID",
            Link("customer.id", to="xero.contacts", of="shopify.customers"),
            missing=Default("guests"),
            why="contacts are synchronised first, an unknown one waits; guests share one contact",
        ),
        Rule("Date", LocalDate("processedAt"), why="the tax date is the shop's own calendar day"),
        Rule("DueDate", LocalDate("processedAt"), why="a shop sells against payment"),
        Rule(
            "Status",
            Choose("displayFinancialStatus", table="order_status.csv"),
            why="anything else is a person's decision, so it is held",
        ),
        Rule(
            "LineAmountTypes",
            Choose("taxesIncluded", values={True: "Inclusive", False: "Exclusive"}),
            why="the shop's prices are with tax or without, order by order",
        ),
        Rule("CurrencyCode", Copy("currencyCode")),
        goods,
        shipping,
    ],
    checks=[
        Check(
            "the invoice total is the order total to the cent",
            If(Equals("LineAmountTypes", "Inclusive"), billed - discounted, billed - discounted + taxed),
            Copy("totalPriceSet.shopMoney.amount"),
            why="what the lines do not explain, a person has to",
        )
    ],
    confirms=[
        Confirm("Total", Copy("totalPriceSet.shopMoney.amount"), why="Xero computes it itself; it must be the shop's")
    ],
    guards=[
        Guard(
            "an edit of a paid invoice",
            has_payments,
            why="money is booked against the invoice, so a change of it is a person's decision",
        )
    ],
    base=worked.ORDER,
    examples=[
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
                "LineItems[1].AccountCode": "4050",
                "LineItems[1].TaxType": "TAX001",
                "LineItems[1].TaxAmount": "0.86",
            },
        ),
        Example(
            "prices without tax",
            given={
                "taxesIncluded": False,
                "totalPriceSet": worked.money("27.41"),
                "lineItems": [worked.line(1, "Moby-Dick", "19.95", [worked.tax("0.09", "1.80")])],
                "shippingLines": [worked.shipping("4.70", [worked.tax("0.21", "0.96")])],
            },
            expect={
                "LineAmountTypes": "Exclusive",
                "LineItems[0].UnitAmount": "19.95",
                "LineItems[0].TaxAmount": "1.80",
            },
        ),
        Example(
            "a Belgian order has the Belgian code for the same rate",
            given={"shippingAddress.countryCodeV2": "BE", "lineItems[0].taxLines": [worked.tax("0.21", "3.46")]},
            expect={"LineItems[0].TaxType": "TAX005", "LineItems[1].TaxType": "TAX005"},
        ),
        Example(
            "without a shipping address the billing address decides",
            given={
                "shippingAddress": None,
                "billingAddress.countryCodeV2": "DE",
                "lineItems[0].taxLines": [worked.tax("0.19", "3.19")],
                "shippingLines": [],
                "totalPriceSet": worked.money("19.95"),
            },
            expect={"LineItems[0].TaxType": "TAX004", "LineItems": 1},
        ),
        Example(
            "an export carries no tax",
            given={
                "shippingAddress.countryCodeV2": "US",
                "lineItems[0].taxLines": [worked.tax("0", "0.00")],
                "shippingLines[0].taxLines": [],
            },
            expect={"LineItems[0].TaxType": "TAX003", "LineItems[1].TaxType": "NONE", "LineItems[1].TaxAmount": 0},
        ),
        Example(
            "a rate that nobody has placed",
            given={"shippingAddress.countryCodeV2": "FR", "lineItems[0].taxLines": [worked.tax("0.20", "3.33")]},
            held={"LineItems.TaxType"},
        ),
        Example(
            "two taxes on a line",
            given={"lineItems[0].taxLines": [worked.LOW, worked.HIGH]},
            held={"two taxes on a line"},
        ),
        Example(
            "discounts of line and order, as the shop spread them",
            given={
                "lineItems[0].discountAllocations": [worked.discount("2.00"), worked.discount("1.33")],
                "lineItems[0].taxLines": [worked.tax("0.09", "1.37")],
                "totalPriceSet": worked.money("21.57"),
            },
            expect={"LineItems[0].UnitAmount": "19.95", "LineItems[0].DiscountAmount": "3.33"},
        ),
        Example(
            "discounted shipping",
            given={
                "shippingLines[0].discountedPriceSet": worked.money("2.00"),
                "shippingLines[0].taxLines": [worked.tax("0.21", "0.35")],
                "totalPriceSet": worked.money("21.95"),
            },
            expect={"LineItems[1].UnitAmount": "2.00"},
        ),
        Example(
            "a gift card is a debt and no sale",
            given={
                "lineItems[0].isGiftCard": True,
                "lineItems[0].taxLines": [],
                "lineItems[0].product": None,
                "shippingLines": [],
                "totalPriceSet": worked.money("19.95"),
            },
            expect={"LineItems[0].AccountCode": "2100", "LineItems[0].TaxType": "NONE"},
        ),
        Example(
            "an unclassified product goes to other sales",
            given={"lineItems[0].product.productType": "poster"},
            expect={"LineItems[0].AccountCode": "4000"},
        ),
        Example(
            "a product that is gone goes to other sales",
            given={"lineItems[0].product": None},
            expect={"LineItems[0].AccountCode": "4000"},
        ),
        Example(
            "books are kept in the shop's currency, whatever the customer saw",
            given={"presentmentCurrencyCode": "JPY", "totalPriceSet.presentmentMoney": {"amount": "4100"}},
            expect={"CurrencyCode": "EUR", "LineItems[0].UnitAmount": "19.95"},
        ),
        Example(
            "a unit removed by an edit is not billed, a refunded one is",
            given={
                "lineItems[0].quantity": 4,
                "lineItems[0].currentQuantity": 1,
                "lineItems[0].taxLines": [worked.tax("0.09", "3.29")],
                "totalPriceSet": worked.money("44.85"),
                "refunds": [worked.refund(5, "19.95", refundLineItems=[worked.refunded(1, 1, "19.95", "1.65")])],
            },
            expect={"LineItems[0].Quantity": 2},
        ),
        Example(
            "a line whose units were all removed by an edit",
            given={
                "lineItems": [worked.BOOK, worked.line(2, "Emma", "9.95", [worked.LOW], currentQuantity=0)],
            },
            expect={"LineItems": 2, "LineItems[0].Description": "Moby-Dick", "LineItems[1].AccountCode": "4050"},
        ),
        Example(
            "a total that the lines do not explain",
            given={"totalPriceSet": worked.money("24.91")},
            held={"the invoice total is the order total to the cent"},
        ),
        Example(
            "just before midnight in UTC it is the next day in the shop",
            given={"processedAt": "2026-11-20T23:30:00Z"},
            expect={"Date": "2026-11-21"},
        ),
        Example(
            "in summer the shop's day begins two hours before UTC's",
            given={"processedAt": "2026-07-20T22:30:00Z"},
            expect={"Date": "2026-07-21"},
        ),
        Example("a guest", given={"customer": None}, expect={"Contact.ContactID": "guests"}),
        Example("a test order", given={"test": True}, skipped="test order"),
        Example("an order of nothing", given={"totalPriceSet": worked.money("0.00")}, skipped="zero total"),
        Example(
            "cancelled without a payment",
            given={
                "cancelledAt": "2026-11-21T09:00:00Z",
                "displayFinancialStatus": "VOIDED",
                "transactions": [worked.transaction(9, "AUTHORIZATION", "24.90")],
            },
            removed=True,
        ),
        Example(
            "cancelled after a payment: the invoice stays, the refund is a credit note",
            given={"cancelledAt": "2026-11-21T09:00:00Z", "displayFinancialStatus": "REFUNDED"},
            expect={"Status": "AUTHORISED"},
        ),
        Example("an expired reservation", given={"displayFinancialStatus": "EXPIRED"}, held={"Status"}),
        Example("a status that the shop does not tell", given={"displayFinancialStatus": None}, held={"Status"}),
    ],
)
