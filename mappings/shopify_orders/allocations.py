"""What a refund takes off the invoice instead of giving money back."""

from __future__ import annotations

from crosswalk.mapping import (
    And,
    Compare,
    Concat,
    Const,
    Equals,
    Example,
    In,
    Link,
    LocalDate,
    Mapping,
    Rule,
    Skip,
    Sum,
)
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked
from mappings.shopify_orders.credit_notes import refund_total

given_back = Sum(
    "transactions.amountSet.shopMoney.amount",
    where=And(Equals("kind", "REFUND"), In("status", ("SUCCESS", "PENDING"))),
    empty=0,
)
still_owed = refund_total - given_back

refunds_to_allocations = Mapping(
    "Shopify refunds of unpaid orders are taken off the Xero invoice",
    source=shopify.Order,
    target=xero.Allocation,
    each="refunds",
    part="allocation",
    key="id",
    tables=common.TABLES,
    skips=[
        *common.no_sale("^."),
        Skip("cancelled unpaid", common.unpaid_and_cancelled("^."), why="there is no invoice that could be credited"),
        Skip("nothing to take off", Compare(still_owed, "<=", 0), why="the money itself was given back"),
    ],
    rules=[
        Rule(
            "CreditNote.CreditNoteID",
            Link("^.id", to="xero.credit_notes", of="shopify.orders", part=Concat(Const("credit:"), "id")),
            why="the credit that is used",
        ),
        Rule(
            "Invoice.InvoiceID",
            Link("^.id", to="xero.invoices", of="shopify.orders"),
            why="the invoice that it is taken off",
        ),
        Rule("Amount", still_owed, why="the refund less the money that was or is being given back"),
        Rule("Date", LocalDate("processedAt"), why="the shop's own calendar day of the refund"),
    ],
    base=worked.ORDER
    | {"refunds": [worked.refund(5, "0.00", refundLineItems=[worked.refunded(1, 1, "19.95", "1.65")])]},
    examples=[
        Example(
            "a refund of an unpaid order",
            expect={
                "CreditNote.CreditNoteID": "gid://shopify/Order/5780011223344#credit:gid://shopify/Refund/5",
                "Invoice.InvoiceID": "gid://shopify/Order/5780011223344",
                "Amount": "19.95",
                "Date": "2026-11-21",
            },
        ),
        Example(
            "part of the refund was given back as money",
            given={
                "refunds": [
                    worked.refund(
                        5,
                        "5.00",
                        refundLineItems=[worked.refunded(1, 1, "19.95", "1.65")],
                        transactions=[worked.transaction(12, "REFUND", "5.00")],
                    )
                ]
            },
            expect={"Amount": "14.95"},
        ),
        Example(
            "money on its way counts as given back",
            given={
                "refunds": [
                    worked.refund(
                        5,
                        "0.00",
                        refundLineItems=[worked.refunded(1, 1, "19.95", "1.65")],
                        transactions=[worked.transaction(12, "REFUND", "19.95", status="PENDING")],
                    )
                ]
            },
            skipped="nothing to take off",
        ),
        Example(
            "restocked by a cancellation without a payment",
            given={"cancelledAt": "2026-11-21T09:00:00Z", "transactions": []},
            skipped="cancelled unpaid",
        ),
        Example("a refund of a test order", given={"test": True}, skipped="test order"),
        Example("a refund of an order of nothing", given={"totalPriceSet": worked.money("0.00")}, skipped="zero total"),
    ],
)
