"""The money of a refund: one payment of the credit note for each transaction that gave money back."""

from __future__ import annotations

from typing import Any

from crosswalk.mapping import And, Concat, Const, Copy, Equals, Example, Link, Mapping, Marker, Not, Rule, Skip
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked


def _with(*moved: dict[str, Any]) -> dict[str, Any]:
    """A refund with these movements of money."""
    return {"refunds": [worked.refund(5, "19.95", transactions=list(moved))]}


transactions_to_refund_payments = Mapping(
    "Shopify refund transactions become Xero refund payments",
    source=shopify.Order,
    target=xero.RefundPayment,
    each="refunds.transactions",
    part="refund-payment",
    key="id",
    marker="Reference",
    tables=common.TABLES,
    skips=[
        *common.no_sale("^.^."),
        Skip(
            "no money went out",
            Not(And(Equals("kind", "REFUND"), Equals("status", "SUCCESS"))),
            why="money that is still on its way, or never left, is not booked",
        ),
    ],
    rules=[
        Rule(
            "CreditNote.CreditNoteID",
            Link("^.^.id", to="xero.credit_notes", of="shopify.orders", part=Concat(Const("credit:"), "^.id")),
            why="the money belongs to the credit note of its refund and waits for it",
        ),
        Rule("Account.Code", common.paid_into(), why="money goes back from where the gateway's money lies"),
        Rule("Date", common.day_of_money(), why="the shop's own calendar day on which the money moved"),
        Rule("Amount", Copy("amountSet.shopMoney.amount")),
        Rule(
            "Reference",
            Marker(common.number("id"), bare=True),
            why="the transaction's number: by it a lost answer is looked up",
        ),
    ],
    base=worked.ORDER | _with(worked.transaction(12, "REFUND", "19.95", gateway="paypal")),
    examples=[
        Example(
            "money given back",
            part="refund-payment:gid://shopify/OrderTransaction/12",
            expect={
                "CreditNote.CreditNoteID": "gid://shopify/Order/5780011223344#credit:gid://shopify/Refund/5",
                "Account.Code": "1020",
                "Date": "2026-11-20",
                "Amount": "19.95",
                "Reference": "12",
            },
        ),
        Example(
            "given back on a gift card",
            given=_with(worked.transaction(12, "REFUND", "5.00", gateway="gift_card")),
            expect={"Account.Code": "2100"},
        ),
        Example(
            "given back just before midnight in UTC, the next day in the shop",
            given=_with(worked.transaction(12, "REFUND", "5.00", processedAt="2026-11-20T23:30:00Z")),
            expect={"Date": "2026-11-21"},
        ),
        Example(
            "given back by hand, without a gateway that says when",
            given=_with(worked.transaction(12, "REFUND", "5.00", processedAt=None)),
            expect={"Date": "2026-11-20"},
        ),
        Example(
            "a gateway that nobody has placed",
            given=_with(worked.transaction(12, "REFUND", "5.00", gateway="klarna")),
            held={"Account.Code"},
        ),
        Example(
            "money that is still on its way",
            given=_with(worked.transaction(12, "REFUND", "19.95", status="PENDING")),
            skipped="no money went out",
        ),
        Example(
            "a reservation that was let go with the refund",
            given=_with(worked.transaction(12, "VOID", "19.95")),
            skipped="no money went out",
        ),
        Example("money of a test order", given={"test": True}, skipped="test order"),
        Example("money of an order of nothing", given={"totalPriceSet": worked.money("0.00")}, skipped="zero total"),
    ],
)
