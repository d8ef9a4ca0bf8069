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
    Cut,
    Default,
    Either,
    Equals,
    Filled,
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
    Term,
)
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked
from mappings.shopify_orders.invoice_examples import EXAMPLES


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
            Cut(Concat("title", Filled("variantTitle"), separator=" - ", skip_missing=True), 4000),
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
        Rule("Description", Copy("title")),
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

billed = Term("units times prices", Sum("LineItems", of=Copy("Quantity") * Copy("UnitAmount")))
discounted = Term("discounts", Either(Sum("LineItems.DiscountAmount"), Const(0)))
taxed = Term("tax of the lines", Sum("LineItems.TaxAmount"))

orders_to_invoices = Mapping(
    "Shopify orders become Xero sales invoices",
    source=shopify.Order,
    target=xero.Invoice,
    key="id",
    marker="InvoiceNumber",
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
            common.two_taxes(),
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
    examples=EXAMPLES,
)
