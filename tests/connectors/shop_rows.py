"""Orders and customers for the practice shop, small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crosswalk.sandbox.shopify import gid, money

FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def instant(minute: int) -> str:
    """1 November 2026 plus so many minutes."""
    return f"{FIRST + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def line(number: int, **fields: Any) -> dict[str, Any]:
    price = money("12.50", "EUR")
    own = {"id": gid("LineItem", 15_000_000_000_000 + number), "title": f"Mug {number}", "quantity": 1}
    return {**own, "originalUnitPriceSet": price, **fields}


def payment(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": gid("OrderTransaction", 6_000_000_000_000 + number),
        "kind": "SALE",
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "amountSet": money("12.50", "EUR"),
        "createdAt": instant(0),
        **fields,
    }


def refund(number: int, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": gid("Refund", 800_000 + number),
        "createdAt": instant(0),
        "totalRefundedSet": money("12.50", "EUR"),
        "refundLineItems": [
            {
                "id": gid("RefundLineItem", 900_000 + number * 1000 + n),
                "lineItem": {"id": bought["id"]},
                "quantity": 1,
                "subtotalSet": money("12.50", "EUR"),
                "totalTaxSet": money("0.00", "EUR"),
            }
            for n, bought in enumerate(lines)
        ],
    }


def order(number: int, *, lines: int = 1, **fields: Any) -> dict[str, Any]:
    at = fields.pop("at", instant(number))
    return {
        "id": gid("Order", 820_982_911_946_154_508 + number),
        "name": f"#{1000 + number}",
        "createdAt": at,
        "updatedAt": at,
        "currencyCode": "EUR",
        "totalPriceSet": money("12.50", "EUR"),
        "lineItems": [line(number * 1000 + n) for n in range(lines)],
        **fields,
    }


def customer(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": gid("Customer", 7_700_112_233 + number),
        "firstName": "Anna",
        "lastName": f"Visser {number}",
        "email": f"anna{number}@example.test",
        "createdAt": instant(number),
        "updatedAt": instant(number),
        **fields,
    }
