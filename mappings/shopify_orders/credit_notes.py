"""The credit notes of an order: one for each refund."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

from crosswalk.mapping import (
    Choose,
    Compare,
    Concat,
    Confirm,
    Const,
    Constant,
    Copy,
    Cut,
    Default,
    Equals,
    Guard,
    If,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Match,
    Rule,
    Skip,
    Sum,
    Term,
    Wait,
)
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common
from mappings.shopify_orders.credit_note_examples import BASE, EXAMPLES

subtotals = Term(
    "goods and shipping",
    Sum("refundLineItems.subtotalSet.shopMoney.amount", empty=0)
    + Sum("refundShippingLines.subtotalAmountSet.shopMoney.amount", empty=0),
)
taxes = Term(
    "tax on goods and shipping",
    Sum("refundLineItems.totalTaxSet.shopMoney.amount", empty=0)
    + Sum("refundShippingLines.taxAmountSet.shopMoney.amount", empty=0),
)
adjustments = Term("adjustments", Sum("orderAdjustments.amountSet.shopMoney.amount", empty=0))
refund_total = Term(
    "total of the refund",
    If(Equals("^.taxesIncluded", True), subtotals - adjustments, subtotals + taxes - adjustments),
)


def is_used(note: Dict[str, Any]) -> bool:
    """Money was paid out for it, or it was taken off an invoice."""
    return bool(note.get("RemainingCredit") != note.get("Total"))


goods = Lines(
    "LineItems",
    each="refundLineItems",
    rules=[
        Rule(
            "Description",
            Cut(
                Concat("quantity", Const(" x "), Match("^.^.lineItems", key="id", by="lineItem.id", value="title")),
                4000,
            ),
            why="what is given back",
        ),
        Constant("Quantity", 1, why="the refunded amount is given for the line as a whole and need not divide"),
        Rule("UnitAmount", Copy("subtotalSet.shopMoney.amount")),
        Rule(
            "AccountCode",
            Match("^.^.lineItems", key="id", by="lineItem.id", value=common.goods_account()),
            why="given back from the account it was sold on",
        ),
        Rule(
            "TaxType",
            Match("^.^.lineItems", key="id", by="lineItem.id", value=common.goods_tax_type("^.")),
            why="the tax type it was sold with",
        ),
        Rule("TaxAmount", Copy("totalTaxSet.shopMoney.amount")),
    ],
)

shipping = Lines(
    "LineItems",
    each="refundShippingLines",
    rules=[
        Constant("Description", "Shipping", why="what is given back"),
        Constant("Quantity", 1, why="shipping is one thing"),
        Rule("UnitAmount", Copy("subtotalAmountSet.shopMoney.amount")),
        Constant("AccountCode", common.SHIPPING, why="given back from the account it was sold on"),
        Rule(
            "TaxType",
            Match("^.^.shippingLines", key="id", by="shippingLine.id", value=common.tax_type("^.")),
            why="the tax type it was sold with",
        ),
        Rule("TaxAmount", Copy("taxAmountSet.shopMoney.amount")),
    ],
)

difference = Lines(
    "LineItems",
    each="orderAdjustments",
    rules=[
        Constant("Description", "Adjustment of the refund", why="the difference is not the goods"),
        Constant("Quantity", 1, why="the difference is one amount"),
        Rule(
            "UnitAmount",
            Const(0) - Copy("amountSet.shopMoney.amount"),
            why="the shop counts from its own side: what it gave back beyond the goods is negative",
        ),
        Constant("AccountCode", common.ADJUSTMENTS, why="the difference is not the goods"),
        Constant("TaxType", "NONE", why="the shop puts no tax on it"),
        Constant("TaxAmount", 0, why="the shop puts no tax on it"),
    ],
)

refunds_to_credit_notes = Mapping(
    "Shopify refunds become Xero credit notes",
    source=shopify.Order,
    target=xero.CreditNote,
    each="refunds",
    part="credit",
    key="id",
    marker="CreditNoteNumber",
    tables=common.TABLES,
    skips=[
        *common.no_sale("^."),
        Skip(
            "cancelled unpaid",
            common.unpaid_and_cancelled("^."),
            why="there is no invoice that could be credited",
        ),
        Skip("refund of nothing", Compare(refund_total, "==", 0), why="goods taken back without money change nothing"),
    ],
    waits=[
        Wait(
            "the invoice of its order",
            Link("^.id", to="xero.invoices", of="shopify.orders"),
            why="a credit note without its invoice would understate the sales",
        )
    ],
    rules=[
        Constant("Type", "ACCRECCREDIT", why="a credit note to a customer"),
        Rule("CreditNoteNumber", Marker("legacyResourceId"), why="ours alone: by it a lost answer is looked up"),
        Rule("Reference", Copy("^.name")),
        Rule(
            "Contact.ContactID",
            Link("^.customer.id", to="xero.contacts", of="shopify.customers"),
            missing=Default("guests"),
            why="the contact of the invoice",
        ),
        Rule("Date", LocalDate("processedAt"), why="the shop's own calendar day of the refund"),
        Constant("Status", "AUTHORISED", why="the money is given back or owed"),
        Rule(
            "LineAmountTypes",
            Choose("^.taxesIncluded", values={True: "Inclusive", False: "Exclusive"}),
            why="the shop's prices are with tax or without, order by order",
        ),
        Rule("CurrencyCode", Copy("^.currencyCode")),
        goods,
        shipping,
        difference,
    ],
    confirms=[Confirm("Total", refund_total, why="Xero computes the total itself; it must be the shop's")],
    guards=[
        Guard(
            "an edit of a used credit note",
            is_used,
            why="money or an invoice hangs on it, so a change of it is a person's decision",
        )
    ],
    base=BASE,
    examples=EXAMPLES,
)
