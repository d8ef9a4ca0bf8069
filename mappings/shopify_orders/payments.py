"""The payments of an order: one for each transaction that brought money in."""

from __future__ import annotations

from crosswalk.mapping import Copy, Link, Mapping, Marker, Not, Rule, Skip
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common

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
)
