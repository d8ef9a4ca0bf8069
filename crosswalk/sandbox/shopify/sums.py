"""The arithmetic of the shop: totals of a new order, and what a refund changes on an order."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from crosswalk.sandbox.shopify.shape import Node, money

if TYPE_CHECKING:
    from crosswalk.sandbox.shopify.shop import Shop

WHOLE = {"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF"}
PERSON = ("firstName", "lastName", "company", "address1", "address2", "city", "zip", "provinceCode", "phone")


def amount(value: Decimal, currency: str) -> str:
    """An amount as the shop writes it: two places, none for currencies without cents."""
    return str(value.quantize(Decimal("1") if currency in WHOLE else Decimal("0.01"), ROUND_HALF_UP))


def bag(value: Decimal, currency: str) -> Node:
    """A MoneyBag of shop money."""
    return money(amount(value, currency), currency)


def worth(bag: Node | None) -> Decimal:
    """The shop money of a MoneyBag; zero for none."""
    return Decimal((bag or {}).get("shopMoney", {}).get("amount", "0"))


def address(given: Node) -> Node:
    """An address as it is stored, from an address as it is given."""
    own = {name: given.get(name) for name in PERSON}
    return {**own, "countryCodeV2": given.get("countryCode"), "country": given.get("countryCode")}


def new_order(shop: Shop, given: Node, at: str) -> Node:
    """An order from the input of orderCreate; ``at`` is now, ISO 8601."""
    currency = given.get("currency") or shop.currency
    lines = [_line(shop, line, currency) for line in given["lineItems"]]
    shipping = [_shipping(shop, line) for line in given.get("shippingLines") or []]
    taxes = [_tax(tax) for tax in given.get("taxLines") or []]
    subtotal = sum((worth(line["originalUnitPriceSet"]) * line["quantity"] for line in lines), Decimal())
    carriage = sum((worth(line["originalPriceSet"]) for line in shipping), Decimal())
    every_tax = [*taxes, *(tax for part in (*lines, *shipping) for tax in part["taxLines"])]
    tax = sum((worth(line["priceSet"]) for line in every_tax), Decimal())
    total = subtotal + carriage + (Decimal() if given.get("taxesIncluded") else tax)
    payments = [_payment(shop, payment, at, bool(given.get("test"))) for payment in given.get("transactions") or []]
    received = sum((worth(payment["amountSet"]) for payment in payments if _received(payment)), Decimal())
    customer = given.get("customerId") or (given.get("customer") or {}).get("toAssociate", {}).get("id")
    plain = ("email", "note", "phone", "poNumber", "sourceIdentifier", "sourceName", "tags", "taxesIncluded", "test")
    return {
        **{name: given[name] for name in (*plain, "customAttributes", "closedAt") if given.get(name) is not None},
        "id": shop.new_id("Order"),
        "name": given.get("name") or f"#{1001 + len(shop.ids('orders'))}",
        "createdAt": at,
        "processedAt": given.get("processedAt") or at,
        "updatedAt": at,
        "currencyCode": currency,
        "presentmentCurrencyCode": given.get("presentmentCurrency") or currency,
        "customer": {"id": customer} if customer else None,
        "billingAddress": address(given["billingAddress"]) if given.get("billingAddress") else None,
        "shippingAddress": address(given["shippingAddress"]) if given.get("shippingAddress") else None,
        "displayFinancialStatus": given.get("financialStatus") or _status(received, total),
        "lineItems": lines,
        "shippingLines": shipping,
        "taxLines": taxes,
        "transactions": payments,
        "subtotalPriceSet": bag(subtotal, currency),
        "totalTaxSet": bag(tax, currency),
        "totalShippingPriceSet": bag(carriage, currency),
        "totalPriceSet": bag(total, currency),
        "totalReceivedSet": bag(received, currency),
        "totalOutstandingSet": bag(total - received, currency),
    }


def _received(payment: Node) -> bool:
    return payment["kind"] in ("SALE", "CAPTURE") and payment["status"] == "SUCCESS"


def _status(received: Decimal, total: Decimal) -> str:
    if received <= 0:
        return "PENDING"
    return "PAID" if received >= total else "PARTIALLY_PAID"


def _bag(given: Node) -> Node:
    return {"shopMoney": given["shopMoney"], "presentmentMoney": given.get("presentmentMoney") or given["shopMoney"]}


def _tax(given: Node) -> Node:
    return {"title": given["title"], "rate": float(given["rate"]), "priceSet": _bag(given["priceSet"])}


def _line(shop: Shop, given: Node, currency: str) -> Node:
    variant = shop.find("variants", given["variantId"]) if given.get("variantId") else None
    price = _bag(given["priceSet"]) if given.get("priceSet") else None
    return {
        "id": shop.new_id("LineItem"),
        "title": given.get("title") or (variant or {}).get("displayName") or "Custom item",
        "variantTitle": given.get("variantTitle"),
        "sku": given.get("sku") or (variant or {}).get("sku"),
        "quantity": given["quantity"],
        "originalUnitPriceSet": price or bag(Decimal((variant or {}).get("price", "0")), currency),
        "isGiftCard": bool(given.get("giftCard")),
        "taxable": given.get("taxable", True),
        "requiresShipping": bool(given.get("requiresShipping")),
        "variant": {"id": variant["id"]} if variant else None,
        "product": variant["product"] if variant else None,
        "taxLines": [_tax(tax) for tax in given.get("taxLines") or []],
    }


def _shipping(shop: Shop, given: Node) -> Node:
    return {
        "id": shop.new_id("ShippingLine"),
        "title": given["title"],
        "code": given.get("code"),
        "source": given.get("source"),
        "originalPriceSet": _bag(given["priceSet"]),
        "taxLines": [_tax(tax) for tax in given.get("taxLines") or []],
    }


def _payment(shop: Shop, given: Node, at: str, test: bool) -> Node:
    return {
        "id": shop.new_id("OrderTransaction"),
        "kind": given.get("kind") or "SALE",
        "status": given.get("status") or "SUCCESS",
        "gateway": given.get("gateway") or "manual",
        "manualPaymentGateway": (given.get("gateway") or "manual") == "manual",
        "amountSet": _bag(given["amountSet"]),
        "createdAt": at,
        "processedAt": given.get("processedAt") or at,
        "test": bool(given.get("test")) or test,
    }


def add_refund(shop: Shop, order: Node, given: Node, at: str, *, everything: bool = False) -> Node:
    """Add a refund to an order, in place: of what is given (RefundInput), or of everything that was received."""
    currency = order["currencyCode"]
    items = _refunded_lines(shop, order, given, everything)
    shipping = _refunded_shipping(shop, order, given, everything)
    if everything:
        paid: Node = next((t for t in order["transactions"] if _received(t)), {})
        payments = [_back(shop, paid.get("gateway") or "manual", worth(order["totalReceivedSet"]), paid, order, at)]
    else:
        payments = [
            _back(shop, payment["gateway"], Decimal(payment["amount"]), {"id": payment.get("parentId")}, order, at)
            for payment in given.get("transactions") or []
        ]
    total = sum((worth(payment["amountSet"]) for payment in payments), Decimal())
    refund = {
        "id": shop.new_id("Refund"),
        "createdAt": at,
        "processedAt": given.get("processedAt") or at,
        "note": given.get("note"),
        "totalRefundedSet": bag(total, currency),
        "refundLineItems": items,
        "refundShippingLines": shipping,
        "transactions": payments,
    }
    order["refunds"].append(refund)
    order["transactions"].extend(payments)
    refunded = worth(order["totalRefundedSet"]) + total
    order["totalRefundedSet"] = bag(refunded, currency)
    gone = sum((worth(item["subtotalSet"]) + _extra(order, item["totalTaxSet"]) for item in items), Decimal())
    gone += sum((worth(i["subtotalAmountSet"]) + _extra(order, i["taxAmountSet"]) for i in shipping), Decimal())
    order["currentTotalPriceSet"] = bag(worth(order["currentTotalPriceSet"]) - gone, currency)
    if total > 0:
        whole = refunded >= worth(order["totalReceivedSet"])
        order["displayFinancialStatus"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
    return refund


def _extra(order: Node, tax: Node) -> Decimal:
    return Decimal() if order["taxesIncluded"] else worth(tax)


def _refunded_lines(shop: Shop, order: Node, given: Node, everything: bool) -> list[Node]:
    lines = {line["id"]: line for line in order["lineItems"]}
    wanted: list[dict[str, Any]] = given.get("refundLineItems") or []
    if everything:
        wanted = [{"lineItemId": id_, "quantity": line["currentQuantity"]} for id_, line in lines.items()]
    out = []
    for item in wanted:
        line, quantity, currency = lines[item["lineItemId"]], item["quantity"], order["currencyCode"]
        if quantity <= 0:
            continue
        share = Decimal(quantity) / Decimal(line["quantity"])
        tax = sum((worth(tax["priceSet"]) for tax in line["taxLines"]), Decimal())
        line["currentQuantity"] -= quantity
        line["refundableQuantity"] -= quantity
        out.append(
            {
                "id": shop.new_id("RefundLineItem"),
                "lineItem": {"id": line["id"]},
                "quantity": quantity,
                "restockType": item.get("restockType") or "NO_RESTOCK",
                "subtotalSet": bag(worth(line["discountedTotalSet"]) * share, currency),
                "totalTaxSet": bag(tax * share, currency),
            }
        )
    return out


def _refunded_shipping(shop: Shop, order: Node, given: Node, everything: bool) -> list[Node]:
    lines = [line for line in order["shippingLines"] if not line["isRemoved"]]
    wanted = given.get("shipping") or {}
    whole = everything or wanted.get("fullRefund")
    if not lines or not (whole or wanted.get("amount")):
        return []
    line, currency = lines[0], order["currencyCode"]
    price = worth(line["discountedPriceSet"])
    value = price if whole else Decimal(str(wanted["amount"]))
    tax = sum((worth(tax["priceSet"]) for tax in line["taxLines"]), Decimal())
    return [
        {
            "id": shop.new_id("RefundShippingLine"),
            "shippingLine": {"id": line["id"]},
            "subtotalAmountSet": bag(value, currency),
            "taxAmountSet": bag(tax * value / price if price else Decimal(), currency),
        }
    ]


def _back(shop: Shop, gateway: str, value: Decimal, parent: Node, order: Node, at: str) -> Node:
    return {
        "id": shop.new_id("OrderTransaction"),
        "kind": "REFUND",
        "status": "SUCCESS",
        "gateway": gateway,
        "manualPaymentGateway": gateway == "manual",
        "amountSet": bag(value, order["currencyCode"]),
        "parentTransaction": {"id": parent["id"]} if parent.get("id") else None,
        "createdAt": at,
        "test": order["test"],
    }
