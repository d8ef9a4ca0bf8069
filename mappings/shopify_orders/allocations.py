"""What a refund takes off the invoice instead of giving money back."""

from __future__ import annotations

from typing import Any

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
    Term,
)
from crosswalk.schemas import shopify, xero
from mappings.shopify_orders import common, worked
from mappings.shopify_orders.credit_note_examples import BASE, CANCELLED, ONE_BOOK, PARCEL
from mappings.shopify_orders.credit_notes import refund_total
from mappings.shopify_orders.worked import transaction as moved

given_back = Term(
    "money given back",
    Sum(
        "transactions.amountSet.shopMoney.amount",
        where=And(Equals("kind", "REFUND"), In("status", ("SUCCESS", "PENDING"))),
        empty=0,
    ),
)
still_owed = refund_total - given_back

LESS = worked.adjustment("-2.00")


def _refund(**lists: Any) -> dict[str, Any]:
    """One refund with these lists, and no money given back unless it is told."""
    return {"refunds": [worked.refund(5, "0.00", **lists)]}


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
    base=BASE,
    examples=[
        Example(
            "a refund of an unpaid order",
            part="allocation:gid://shopify/Refund/5",
            expect={
                "CreditNote.CreditNoteID": "gid://shopify/Order/5780011223344#credit:gid://shopify/Refund/5",
                "Invoice.InvoiceID": "gid://shopify/Order/5780011223344",
                "Amount": "19.95",
                "Date": "2026-11-21",
            },
        ),
        Example(
            "goods and shipping, and something for the trouble",
            given=_refund(refundLineItems=ONE_BOOK, refundShippingLines=PARCEL, orderAdjustments=[LESS]),
            expect={"Amount": "26.90"},
        ),
        Example("shipping alone", given=_refund(refundShippingLines=PARCEL), expect={"Amount": "4.95"}),
        Example("goodwill without goods", given=_refund(orderAdjustments=[LESS]), expect={"Amount": "2.00"}),
        Example(
            "prices without tax",
            given={
                "taxesIncluded": False,
                **_refund(refundLineItems=ONE_BOOK, refundShippingLines=PARCEL, orderAdjustments=[LESS]),
            },
            expect={"Amount": "29.41"},
        ),
        Example(
            "prices without tax, the book alone",
            given={"taxesIncluded": False, **_refund(refundLineItems=ONE_BOOK)},
            expect={"Amount": "21.60"},
        ),
        Example(
            "prices without tax, shipping alone",
            given={"taxesIncluded": False, **_refund(refundShippingLines=PARCEL)},
            expect={"Amount": "5.81"},
        ),
        Example(
            "a little goodwill",
            given=_refund(orderAdjustments=[worked.adjustment("-0.50")]),
            expect={"Amount": "0.50"},
        ),
        *(
            Example(
                f"all but a little was given back as money ({status})",
                given=_refund(
                    refundLineItems=ONE_BOOK,
                    refundShippingLines=PARCEL,
                    transactions=[moved(12, "REFUND", "24.40", status=status)],
                ),
                expect={"Amount": "0.50"},
            )
            for status in ("SUCCESS", "PENDING")
        ),
        Example(
            "all but a little was given back, prices without tax",
            given={
                "taxesIncluded": False,
                **_refund(
                    refundLineItems=ONE_BOOK,
                    refundShippingLines=PARCEL,
                    transactions=[moved(12, "REFUND", "27.01")],
                ),
            },
            expect={"Amount": "0.40"},
        ),
        *(
            Example(
                f"{what} is no money given back",
                given=_refund(refundLineItems=ONE_BOOK, transactions=[moved(12, kind, "19.95", status=status)]),
                expect={"Amount": "19.95"},
            )
            for what, kind, status in (
                ("a reservation that was let go with the refund", "VOID", "SUCCESS"),
                ("a payment back that failed", "REFUND", "FAILURE"),
            )
        ),
        *(
            Example(
                f"the money itself was given back ({status})",
                given=_refund(refundLineItems=ONE_BOOK, transactions=[moved(12, "REFUND", "19.95", status=status)]),
                skipped="nothing to take off",
            )
            for status in ("SUCCESS", "PENDING")
        ),
        Example(
            "the money itself was given back, prices without tax",
            given={
                "taxesIncluded": False,
                **_refund(
                    refundLineItems=ONE_BOOK,
                    refundShippingLines=PARCEL,
                    transactions=[moved(12, "REFUND", "27.41")],
                ),
            },
            skipped="nothing to take off",
        ),
        Example(
            "goods taken back and their price kept, prices without tax",
            given={
                "taxesIncluded": False,
                **_refund(refundLineItems=ONE_BOOK, orderAdjustments=[worked.adjustment("21.60")]),
            },
            skipped="nothing to take off",
        ),
        Example(
            "more money than the goods came to",
            given=_refund(refundLineItems=ONE_BOOK, transactions=[moved(12, "REFUND", "25.00")]),
            skipped="nothing to take off",
        ),
        *(
            Example(
                f"a refund without anything, prices {'with' if included else 'without'} tax",
                given={"taxesIncluded": included, **_refund()},
                skipped="nothing to take off",
            )
            for included in (True, False)
        ),
        Example(
            "refunded just before midnight in UTC, the next day in the shop",
            given=_refund(refundLineItems=ONE_BOOK, processedAt="2026-11-21T23:30:00Z"),
            expect={"Date": "2026-11-22"},
        ),
        *(
            Example(
                f"a cancelled order whose money had come in ({kind})",
                given={"cancelledAt": CANCELLED, "transactions": [moved(9, kind, "24.90")]},
                expect={"Amount": "19.95"},
            )
            for kind in ("SALE", "CAPTURE")
        ),
        Example("an order that is not paid", given={"transactions": []}, expect={"Amount": "19.95"}),
        *(
            Example(
                f"cancelled {name}", given={"cancelledAt": CANCELLED, "transactions": paid}, skipped="cancelled unpaid"
            )
            for name, paid in (
                ("without a payment", []),
                ("while the money was only reserved", [moved(9, "AUTHORIZATION", "24.90")]),
                ("after a payment that failed", [moved(9, "SALE", "24.90", status="FAILURE")]),
            )
        ),
        Example("a refund of a test order", given={"test": True}, skipped="test order"),
        Example("a refund of an order of nothing", given={"totalPriceSet": worked.money("0.00")}, skipped="zero total"),
    ],
)
