"""The payments of an order: one for each transaction that brought money in."""

from __future__ import annotations

from crosswalk.mapping import Copy, Example, Link, Mapping, Marker, Not, Rule, Skip
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked

transactions_to_payments = Mapping(
    "Shopify transactions become Xero payments",
    source=shopify.Order,
    target=xero.Payment,
    each="transactions",
    part="payment",
    key="id",
    marker="Reference",
    tables=common.TABLES,
    skips=[
        *common.no_sale("^."),
        Skip("no money came in", Not(common.PAID), why="reservations, failures, voids and refunds are no payments"),
    ],
    rules=[
        Rule(
            "Invoice.InvoiceID",
            Link("^.id", to="xero.invoices", of="shopify.orders"),
            why="a payment belongs to the invoice of its order and waits for it",
        ),
        Rule("Account.Code", common.paid_into(), why="each gateway's money lies in an account of its own"),
        Rule("Date", common.day_of_money(), why="the shop's own calendar day on which the money moved"),
        Rule("Amount", Copy("amountSet.shopMoney.amount")),
        Rule(
            "Reference",
            Marker(common.number("id"), bare=True),
            why="the transaction's number: by it a lost answer is looked up",
        ),
    ],
    base=worked.ORDER,
    examples=[
        Example(
            "paid through the shop's gateway",
            part="payment:gid://shopify/OrderTransaction/9",
            expect={
                "Invoice.InvoiceID": "gid://shopify/Order/5780011223344",
                "Account.Code": "1010",
                "Date": "2026-11-20",
                "Amount": "24.90",
                "Reference": "9",
            },
        ),
        *(
            Example(
                f"through {gateway}",
                given={"transactions": [worked.transaction(11, "SALE", "10.00", gateway=gateway)]},
                expect={"Account.Code": account, "Amount": "10.00"},
            )
            for gateway, account in (
                ("paypal", "1020"),
                ("manual", "1030"),
                ("Bank Deposit", "1030"),
                ("gift_card", "2100"),
            )
        ),
        Example(
            "a captured reservation",
            given={"transactions": [worked.transaction(11, "CAPTURE", "24.90")]},
            expect={"Account.Code": "1010", "Amount": "24.90"},
        ),
        Example(
            "taken just before midnight in UTC, the next day in the shop",
            given={"transactions": [worked.transaction(11, "SALE", "24.90", processedAt="2026-11-20T23:30:00Z")]},
            expect={"Date": "2026-11-21"},
        ),
        Example(
            "noted by hand, without a gateway that says when",
            given={"transactions": [worked.transaction(11, "SALE", "24.90", processedAt=None)]},
            expect={"Date": "2026-11-20"},
        ),
        Example(
            "a reservation is no payment",
            given={"transactions": [worked.transaction(11, "AUTHORIZATION", "24.90")]},
            skipped="no money came in",
        ),
        Example(
            "a failed attempt is no payment",
            given={"transactions": [worked.transaction(11, "SALE", "24.90", status="FAILURE")]},
            skipped="no money came in",
        ),
        Example(
            "a gateway that nobody has placed",
            given={"transactions": [worked.transaction(11, "SALE", "24.90", gateway="klarna")]},
            held={"Account.Code"},
        ),
        Example("the payment of a test order", given={"test": True}, skipped="test order"),
        Example(
            "the payment of an order of nothing", given={"totalPriceSet": worked.money("0.00")}, skipped="zero total"
        ),
    ],
)
