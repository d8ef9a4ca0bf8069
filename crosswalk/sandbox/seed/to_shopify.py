"""The sales list told in Shopify's words: plain nodes for the practice shop, as its ``put`` takes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

from .sales import (
    Business,
    Change,
    Discount,
    Payment,
    Person,
    Product,
    Refund,
    RefundLine,
    Sale,
    SaleLine,
    Shipping,
    Tax,
)
from .shelf import half_up

Node = dict[str, Any]
_NO_MINOR_UNITS = {"JPY"}


class Shelf(Protocol):
    """What takes the nodes."""

    def put(self, collection: str, node: Node, /) -> object: ...


def fill(shop: Shelf, business: Business) -> None:
    """Put products, customers and orders into the shop."""
    for product in business.products:
        shop.put("products", product_node(product, business))
    for person in business.people:
        shop.put("customers", person_node(person))
    for sale in business.sales:
        shop.put("orders", order_node(sale))


def tell(shop: Shelf, changes: Iterable[Change]) -> None:
    """Put what the changes made of orders and customers into the shop."""
    for change in changes:
        if change.person:
            shop.put("customers", person_node(change.person))
        if change.sale:
            shop.put("orders", order_node(change.sale))


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(cents: int, variant: int) -> str:
    """Cents as the vendor writes them: trailing zeros come and go ("10", "10.0", "10.00")."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    text = f"{sign}{cents // 100}.{cents % 100:02d}"
    if variant % 3 and text.endswith("0"):
        text = text[:-1]
        if variant % 3 == 2 and text.endswith(".0"):
            text = text[:-2]
    return text


class _Money:
    """Money of one order, in the shop's currency and the buyer's."""

    def __init__(self, sale: Sale) -> None:
        self.currency, self.rate = sale.presentment
        self.variant = sale.number

    def __call__(self, cents: int) -> Node:
        self.variant += 1
        theirs = half_up(cents * self.rate, 10_000)
        if self.currency in _NO_MINOR_UNITS:
            amount = str(half_up(theirs, 100))
        else:
            amount = decimal(theirs, self.variant)
        return {
            "shopMoney": {"amount": decimal(cents, self.variant), "currencyCode": "EUR"},
            "presentmentMoney": {"amount": amount, "currencyCode": self.currency},
        }


def product_node(product: Product, business: Business) -> Node:
    since = instant(min(p.created for p in business.people))
    return {
        "id": gid("Product", product.id), "title": product.title, "isGiftCard": product.gift_card, "createdAt": since,
        "updatedAt": since, "productType": "" if product.gift_card else product.kind,
        "variants": [
            {"id": gid("ProductVariant", product.variant), "sku": product.sku, "price": decimal(product.price, 0)}
        ],
    }  # fmt: skip


def person_node(person: Person) -> Node:
    address = {
        "firstName": person.first, "lastName": person.last, "address1": person.street, "city": person.city,
        "zip": person.postcode, "countryCodeV2": person.country, "phone": person.phone,
    }  # fmt: skip
    return {
        "id": gid("Customer", person.id), "firstName": person.first, "lastName": person.last,
        "displayName": person.name, "email": person.email, "phone": person.phone, "defaultAddress": address,
        "createdAt": instant(person.created), "updatedAt": instant(person.updated),
    }  # fmt: skip


def order_node(sale: Sale) -> Node:
    money = _Money(sale)
    applications = _applications(sale)
    good = [p for p in sale.payments if p.status == "SUCCESS"]
    received = sum(p.cents for p in good if p.kind in ("SALE", "CAPTURE"))
    back = sum(p.cents for r in sale.refunds for p in r.payments if p.status == "SUCCESS")
    returned = sum(_worth(sale, row) for r in sale.refunds for row in (*r.lines, *r.shipping))
    rows = [row for row in sale.rows if not (isinstance(row, Shipping) and row.removed)]
    tax = sum(t.cents for row in rows for t in row.taxes)
    first = sale.edits[0].total_before if sale.edits else sale.total
    moved = [*sale.payments, *(p for r in sale.refunds for p in r.payments)]
    return {
        "id": gid("Order", sale.id), "name": sale.name, "number": sale.number, "createdAt": instant(sale.created),
        "processedAt": instant(sale.processed), "updatedAt": instant(sale.updated), "test": sale.test,
        "cancelledAt": instant(sale.cancelled) if sale.cancelled else None,
        "cancelReason": "CUSTOMER" if sale.cancelled else None, "edited": bool(sale.edits), "note": sale.note,
        "currencyCode": "EUR", "presentmentCurrencyCode": sale.presentment[0], "taxesIncluded": sale.taxes_included,
        "displayFinancialStatus": sale.status, "email": f"order{sale.number}@example.test",
        "customer": {"id": gid("Customer", sale.person)} if sale.person else None,
        "billingAddress": _address(sale, sale.billing_country),
        "shippingAddress": _address(sale, sale.country) if sale.country else None,
        "totalPriceSet": money(sale.total), "originalTotalPriceSet": money(first),
        "currentTotalPriceSet": money(sale.total - returned), "totalTaxSet": money(tax),
        "totalDiscountsSet": money(sum(d.cents for row in rows for d in row.discounts)),
        "totalShippingPriceSet": money(sum(s.cents for s in sale.shipping)),
        "totalReceivedSet": money(received), "totalRefundedSet": money(back),
        "totalOutstandingSet": money(max(sale.total - returned - received + back, 0)),
        "subtotalPriceSet": money(sum(line.cents for line in sale.lines)),
        "originalTotalDutiesSet": money(sale.unexplained) if sale.unexplained else None,
        "discountApplications": [node for node, _ in applications.values()],
        "lineItems": [_line(sale, line, money, applications) for line in sale.lines],
        "shippingLines": [_shipping(line, money, applications) for line in sale.shipping],
        "transactions": [_transaction(p, money, sale.test) for p in moved],
        "refunds": [_refund(sale, refund, money) for refund in sale.refunds],
    }  # fmt: skip


def _worth(sale: Sale, row: RefundLine) -> int:
    return row.cents + (0 if sale.taxes_included else row.tax)


def _address(sale: Sale, country: str) -> Node:
    return {"address1": f"Straat {sale.number}", "city": "Stad", "zip": "1000 AA", "countryCodeV2": country}


Applications = dict[tuple[str, bool, bool], tuple[Node, int]]


def _applications(sale: Sale) -> Applications:
    """The order's discounts, each with its index; a discount of one title and reach is one application."""
    found: Applications = {}
    for row in sale.rows:
        for discount in row.discounts:
            key = _key(discount, isinstance(row, Shipping))
            index = len(found)
            if key not in found:
                found[key] = (_application(sale, discount, isinstance(row, Shipping), index), index)
    return found


def _key(discount: Discount, parcel: bool) -> tuple[str, bool, bool]:
    return (discount.title, discount.whole_order, parcel)


def _application(sale: Sale, discount: Discount, parcel: bool, index: int) -> Node:
    same = [
        d.cents for r in sale.rows for d in r.discounts if _key(d, isinstance(r, Shipping)) == _key(discount, parcel)
    ]
    value: Node = {"amount": decimal(sum(same), 0), "currencyCode": "EUR"}
    if discount.percent is not None:
        value = {"percentage": float(discount.percent)}
    return {
        "__typename": "DiscountCodeApplication" if discount.whole_order else "ManualDiscountApplication",
        ("code" if discount.whole_order else "title"): discount.title,
        "index": index,
        "allocationMethod": "ACROSS" if discount.whole_order else "EACH",
        "targetSelection": "ALL" if discount.whole_order else "EXPLICIT",
        "targetType": "SHIPPING_LINE" if parcel else "LINE_ITEM",
        "value": value,
    }


def _allocations(row: SaleLine | Shipping, money: _Money, applications: Applications) -> list[Node]:
    parcel = isinstance(row, Shipping)
    return [
        {"allocatedAmountSet": money(d.cents), "discountApplication": {"index": applications[_key(d, parcel)][1]}}
        for d in row.discounts
    ]


def _taxes(taxes: tuple[Tax, ...], money: _Money) -> list[Node]:
    return [{"title": t.title, "rate": t.rate / 10_000, "priceSet": money(t.cents)} for t in taxes]


def _line(sale: Sale, line: SaleLine, money: _Money, applications: Applications) -> Node:
    back = sum(r.quantity for refund in sale.refunds for r in refund.lines if r.line == line.id)
    return {
        "id": gid("LineItem", line.id), "title": line.title, "name": line.title, "sku": line.sku,
        "quantity": line.ordered,
        "currentQuantity": line.billed - back, "originalUnitPriceSet": money(line.unit),
        "originalTotalSet": money(line.unit * line.ordered), "discountedTotalSet": money(line.cents),
        "totalDiscountSet": money(sum(d.cents for d in line.discounts)), "isGiftCard": line.gift_card,
        "taxable": bool(line.taxes), "requiresShipping": not line.gift_card,
        "product": {"id": gid("Product", line.product)} if line.product else None,
        "variant": {"id": gid("ProductVariant", line.product + 2)} if line.product else None,
        "discountAllocations": _allocations(line, money, applications), "taxLines": _taxes(line.taxes, money),
    }  # fmt: skip


def _shipping(line: Shipping, money: _Money, applications: Applications) -> Node:
    return {
        "id": gid("ShippingLine", line.id), "title": line.title, "code": line.title, "isRemoved": line.removed,
        "originalPriceSet": money(line.price),
        "discountedPriceSet": money(line.price - sum(d.cents for d in line.discounts)),
        "discountAllocations": _allocations(line, money, applications), "taxLines": _taxes(line.taxes, money),
    }  # fmt: skip


def _transaction(payment: Payment, money: _Money, test: bool) -> Node:
    return {
        "id": gid("OrderTransaction", payment.id), "kind": payment.kind, "status": payment.status,
        "gateway": payment.gateway, "formattedGateway": payment.gateway.replace("_", " ").title(),
        "amountSet": money(payment.cents), "createdAt": instant(payment.at), "processedAt": instant(payment.at),
        "test": test,
        "manualPaymentGateway": payment.gateway in ("manual", "Bank Deposit"),
        "parentTransaction": {"id": gid("OrderTransaction", payment.parent)} if payment.parent else None,
    }  # fmt: skip


def _refund(sale: Sale, refund: Refund, money: _Money) -> Node:
    back = sum(p.cents for p in refund.payments if p.status == "SUCCESS")
    adjustments = []
    if refund.extra:
        reason = "REFUND_DISCREPANCY" if refund.extra < 0 else "CUSTOMER"
        number = gid("OrderAdjustment", refund.id + 1)
        adjustments = [{"id": number, "amountSet": money(-refund.extra), "taxAmountSet": money(0), "reason": reason}]
    return {
        "id": gid("Refund", refund.id), "createdAt": instant(refund.at), "processedAt": instant(refund.at),
        "updatedAt": instant(refund.at), "note": refund.note, "totalRefundedSet": money(back),
        "refundLineItems": [
            {
                "id": gid("RefundLineItem", refund.id + 10 * index + 3), "lineItem": {"id": gid("LineItem", row.line)},
                "quantity": row.quantity, "restocked": True, "restockType": "RETURN", "subtotalSet": money(row.cents),
                "totalTaxSet": money(row.tax), "priceSet": money(row.cents // row.quantity),
            }
            for index, row in enumerate(refund.lines)
        ],
        "refundShippingLines": [
            {
                "id": gid("RefundShippingLine", refund.id + 10 * index + 5),
                "shippingLine": {"id": gid("ShippingLine", row.line)},
                "subtotalAmountSet": money(row.cents), "taxAmountSet": money(row.tax),
            }
            for index, row in enumerate(refund.shipping)
        ],
        "orderAdjustments": adjustments,
        "transactions": [_transaction(p, money, sale.test) for p in refund.payments],
    }  # fmt: skip
