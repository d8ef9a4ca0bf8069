"""What a refund takes off the invoice instead of giving money back."""

from __future__ import annotations

from crosswalk.mapping import And, Compare, Concat, Const, Equals, In, Link, LocalDate, Mapping, Rule, Skip, Sum
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common
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
)
