"""The order that the worked examples begin with: a Dutch book order, prices with tax, paid through the shop's gateway.

One book of 19.95 with 9 % tax in it (1.65) and shipping of 4.95 with 21 % in it (0.86): 24.90 in all.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Node = dict[str, Any]


def money(amount: str) -> Node:
    """An amount in the shop's currency, as the shop sends it."""
    return {"shopMoney": {"amount": amount}}


def tax(rate: str, amount: str) -> Node:
    """A tax line."""
    return {"title": "BTW", "rate": Decimal(rate), "priceSet": money(amount)}


def line(number: int, title: str, unit: str, taxes: list[Node], quantity: int = 1, **more: Any) -> Node:
    """An order line; ``more`` overrides its fields."""
    return {
        "id": f"gid://shopify/LineItem/{number}", "title": title, "quantity": quantity, "currentQuantity": quantity,
        "isGiftCard": False, "product": {"productType": "book"}, "originalUnitPriceSet": money(unit),
        "discountAllocations": [], "taxLines": taxes, **more,
    }  # fmt: skip


def discount(amount: str) -> Node:
    """A share of a discount, as the shop puts it on a line."""
    return {"allocatedAmountSet": money(amount), "discountApplication": {"index": 0}}


def shipping(amount: str, taxes: list[Node], **more: Any) -> Node:
    """A shipping line."""
    return {
        "id": "gid://shopify/ShippingLine/1", "title": "Standard", "isRemoved": False,
        "originalPriceSet": money(amount), "discountedPriceSet": money(amount), "discountAllocations": [],
        "taxLines": taxes, **more,
    }  # fmt: skip


def transaction(
    number: int, kind: str, amount: str, status: str = "SUCCESS", gateway: str = "shopify_payments", **more: Any
) -> Node:
    """A movement of money, or an attempt at one; ``more`` overrides its fields."""
    return {
        "id": f"gid://shopify/OrderTransaction/{number}", "kind": kind, "status": status, "gateway": gateway,
        "test": False, "createdAt": "2026-11-20T10:00:00Z", "processedAt": "2026-11-20T10:00:00Z",
        "amountSet": money(amount), **more,
    }  # fmt: skip


def refund(number: int, total: str, **more: Any) -> Node:
    """A refund; ``more`` gives its lists and overrides its fields."""
    lists = {name: {"nodes": more.pop(name, [])} for name in (
        "refundLineItems", "refundShippingLines", "orderAdjustments", "transactions"
    )}  # fmt: skip
    return {
        "id": f"gid://shopify/Refund/{number}", "legacyResourceId": str(number),
        "processedAt": "2026-11-21T10:00:00Z", "updatedAt": "2026-11-21T10:00:00Z", "totalRefundedSet": money(total),
        **lists, **more,
    }  # fmt: skip


def refunded(number: int, line_number: int, subtotal: str, tax_amount: str, quantity: int = 1) -> Node:
    """A refunded order line."""
    return {
        "id": f"gid://shopify/RefundLineItem/{number}", "quantity": quantity,
        "lineItem": {"id": f"gid://shopify/LineItem/{line_number}"},
        "subtotalSet": money(subtotal), "totalTaxSet": money(tax_amount),
    }  # fmt: skip


def refunded_shipping(subtotal: str, tax_amount: str) -> Node:
    """The refunded shipping line."""
    return {
        "id": "gid://shopify/RefundShippingLine/1", "shippingLine": {"id": "gid://shopify/ShippingLine/1"},
        "subtotalAmountSet": money(subtotal), "taxAmountSet": money(tax_amount),
    }  # fmt: skip


def adjustment(amount: str) -> Node:
    """The difference between a refund and what its goods came to, from the shop's side."""
    return {
        "id": "gid://shopify/OrderAdjustment/1", "reason": "REFUND_DISCREPANCY", "amountSet": money(amount),
        "taxAmountSet": money("0.00"),
    }  # fmt: skip


LOW, HIGH = tax("0.09", "1.65"), tax("0.21", "0.86")
BOOK = line(1, "Moby-Dick", "19.95", [LOW])

ORDER: Node = {
    "id": "gid://shopify/Order/5780011223344",
    "legacyResourceId": "5780011223344",
    "name": "#1001",
    "createdAt": "2026-11-20T10:00:00Z",
    "processedAt": "2026-11-20T10:00:00Z",
    "updatedAt": "2026-11-20T10:05:00Z",
    "cancelledAt": None,
    "test": False,
    "taxesIncluded": True,
    "currencyCode": "EUR",
    "displayFinancialStatus": "PAID",
    "customer": {"id": "gid://shopify/Customer/77"},
    "shippingAddress": {"countryCodeV2": "NL"},
    "totalPriceSet": money("24.90"),
    "currentTotalPriceSet": money("24.90"),
    "totalShippingPriceSet": money("4.95"),
    "totalRefundedSet": money("0.00"),
    "lineItems": {"nodes": [BOOK]},
    "shippingLines": {"nodes": [shipping("4.95", [HIGH])]},
    "transactions": [transaction(9, "SALE", "24.90")],
    "refunds": [],
}
