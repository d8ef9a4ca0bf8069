"""Nodes completed and checked against the schema: what is left out is filled in, what is wrong is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from crosswalk.sandbox.shopify.shop import Shop

Node = dict[str, Any]

# Fields that hold {"id": gid} of something that lives elsewhere and is looked up when asked for.
REFERENCES = {
    ("Order", "customer"),
    ("LineItem", "product"),
    ("LineItem", "variant"),
    ("Refund", "order"),
    ("OrderTransaction", "order"),
    ("OrderTransaction", "parentTransaction"),
    ("ProductVariant", "product"),
    ("RefundLineItem", "lineItem"),
    ("RefundShippingLine", "shippingLine"),
    ("DiscountAllocation", "discountApplication"),
}


def copied(value: Any) -> Any:
    """A copy of a plain node, ten times as fast as ``copy.deepcopy``."""
    if isinstance(value, Mapping):
        return {name: copied(part) if isinstance(part, dict | list) else part for name, part in value.items()}
    return [copied(part) for part in value] if isinstance(value, list) else value


def gid(type_name: str, id_: str | int) -> str:
    """``gid://shopify/Order/123`` from a number, or the gid itself."""
    text = str(id_)
    return text if text.startswith("gid://") else f"gid://shopify/{type_name}/{text}"


def number(id_: str) -> str:
    """The number at the end of a gid, as a string: it may exceed what a float can hold."""
    return id_.rsplit("/", 1)[-1].split("?", 1)[0]


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def money(amount: str, currency: str, presentment: str | None = None, presentment_currency: str | None = None) -> Node:
    """A MoneyBag; presentment money is the shop money unless given. Amounts are strings and keep their scale."""
    return {
        "shopMoney": {"amount": amount, "currencyCode": currency},
        "presentmentMoney": {
            "amount": amount if presentment is None else presentment,
            "currencyCode": presentment_currency or currency,
        },
    }


def scaled(bag: Node, factor: Decimal) -> Node:
    """A MoneyBag times a number."""
    return {
        side: {"amount": str(Decimal(part["amount"]) * factor), "currencyCode": part["currencyCode"]}
        for side, part in bag.items()
    }


class _Field(NamedTuple):
    name: str
    required: bool
    listed: bool
    of: str  # the named type, of the nodes for a connection
    nested: bool  # an object that is checked in turn


@cache
def fields(type_name: str) -> dict[str, _Field]:
    """The fields of an object type of the schema."""
    from graphql import get_named_type, get_nullable_type, is_list_type, is_non_null_type, is_object_type

    from crosswalk.sandbox.shopify.schema import SCHEMA

    out = {}
    type_: Any = SCHEMA.type_map[type_name]
    for name, field in type_.fields.items():
        named: Any = get_named_type(field.type)
        listed = is_list_type(get_nullable_type(field.type))
        if named.name.endswith("Connection"):
            named, listed = get_named_type(named.fields["nodes"].type), True
        nested = is_object_type(named) or named.name == "DiscountApplication"
        nested = nested and (type_name, name) not in REFERENCES
        out[name] = _Field(name, is_non_null_type(field.type), listed, named.name, nested)
    return out


def complete(type_name: str, node: Node, shop: Shop) -> Node:
    """Fill in what may be left out of this node, in place, and check it.

    Raises ValueError that names the path of an unknown field or a missing required one.
    """
    _COMPLETE[type_name](node, shop)
    _check(type_name, node, type_name)
    return node


def _check(type_name: str, node: Node, path: str) -> None:
    if type_name in ("DiscountApplication", "PricingValue"):
        type_name = node.get("__typename", "ManualDiscountApplication")
    known = fields(type_name)
    for name in node.keys() - known.keys() - {"__typename"}:
        raise ValueError(f"{path}.{name}: {type_name} has no such field in the practice shop")
    missing = [field.name for field in known.values() if field.required and not _filled(field, node)]
    if missing:
        raise ValueError(f"{path}: missing {', '.join(missing)}")
    for field in known.values():
        value = node.get(field.name)
        if value is None or not field.nested:
            continue
        for position, child in enumerate(value if field.listed else [value]):
            _check(field.of, child, f"{path}.{field.name}[{position}]" if field.listed else f"{path}.{field.name}")


def _filled(field: _Field, node: Node) -> bool:
    """Whether the field is there, or may be an empty list or false."""
    if node.get(field.name) is None:
        if not field.listed and field.of != "Boolean":
            return False
        node[field.name] = [] if field.listed else False
    return True


def _default(node: Node, **values: Any) -> None:
    for name, value in values.items():
        if node.get(name) is None:
            node[name] = copied(value) if isinstance(value, dict) else value


def _order(order: Node, shop: Shop) -> None:
    currency = order.get("currencyCode") or shop.currency
    zero = money("0.00", currency, None, order.get("presentmentCurrencyCode"))
    total = order.get("totalPriceSet")
    created = order.get("createdAt")
    _default(
        order,
        legacyResourceId=number(order["id"]),
        number=int("".join(sign for sign in order.get("name", "") if sign.isdigit()) or 0),
        presentmentCurrencyCode=currency,
        processedAt=created,
        updatedAt=created,
        originalTotalPriceSet=total,
        currentTotalPriceSet=total,
        confirmed=True,
        displayFulfillmentStatus="UNFULFILLED",
        returnStatus="NO_RETURN",
        totalCashRoundingAdjustment={"paymentSet": zero, "refundSet": zero},
        currentShippingPriceSet=order.get("totalShippingPriceSet"),
        currentTotalTaxSet=order.get("totalTaxSet"),
        currentSubtotalPriceSet=order.get("subtotalPriceSet"),
        currentTotalDiscountsSet=order.get("totalDiscountsSet"),
    )
    for field in fields("Order").values():
        if field.of == "MoneyBag" and field.required and field.name != "totalPriceSet":
            _default(order, **{field.name: zero})
    order["closed"] = order.get("closedAt") is not None
    paid = order.get("displayFinancialStatus")
    _default(order, fullyPaid=paid == "PAID", unpaid=paid in ("PENDING", "AUTHORIZED", None))
    transactions = order.get("transactions") or []
    _default(order, paymentGatewayNames=list(dict.fromkeys(t["gateway"] for t in transactions if t.get("gateway"))))
    for side in ("billingAddress", "shippingAddress"):
        _address(order.get(side), shop)
    _order_parts(order, shop, zero)


def _order_parts(order: Node, shop: Shop, zero: Node) -> None:
    applications = order.setdefault("discountApplications", [])
    for application in applications:
        _application(application)
    lines = {line["id"]: _line(line, zero) for line in order.get("lineItems") or []}
    shipping = {line.get("id"): _shipping(line) for line in order.get("shippingLines") or []}
    for taxed in (order, *lines.values(), *shipping.values()):
        for tax in taxed.get("taxLines") or []:
            _default(tax, ratePercentage=None if tax.get("rate") is None else round(tax["rate"] * 100, 4))
        for allocation in taxed.get("discountAllocations") or []:
            allocation["discountApplication"] = applications[allocation["discountApplication"]["index"]]
    for transaction in order.get("transactions") or []:
        _transaction(transaction, order)
    for refund in order.get("refunds") or []:
        _refund(refund, order, lines, shipping, zero)


def _application(application: Node) -> None:
    value = application.get("value", {})
    value.setdefault("__typename", "PricingPercentageValue" if "percentage" in value else "MoneyV2")
    application.setdefault("__typename", "DiscountCodeApplication" if "code" in application else None)
    if application["__typename"] is None:
        application["__typename"] = "ManualDiscountApplication"


def _line(line: Node, zero: Node) -> Node:
    unit, quantity = line.get("originalUnitPriceSet"), line.get("quantity", 0)
    total = line.get("originalTotalSet") or (scaled(unit, Decimal(quantity)) if unit else None)
    _default(
        line,
        name=line.get("title"),
        currentQuantity=quantity,
        taxable=True,
        requiresShipping=True,
        originalTotalSet=total,
        discountedTotalSet=total,
        discountedUnitPriceSet=unit,
        discountedUnitPriceAfterAllDiscountsSet=line.get("discountedUnitPriceSet") or unit,
        totalDiscountSet=zero,
    )
    _default(line, refundableQuantity=line["currentQuantity"])
    return line


def _shipping(line: Node) -> Node:
    price = line.get("originalPriceSet")
    _default(line, discountedPriceSet=price)
    _default(line, currentDiscountedPriceSet=line["discountedPriceSet"])
    return line


def _transaction(transaction: Node, order: Node) -> None:
    gateway = transaction.get("gateway")
    _default(
        transaction,
        processedAt=transaction.get("createdAt"),
        formattedGateway=gateway.replace("_", " ").title() if gateway else None,
    )
    transaction["order"] = {"id": order["id"]}


def _refund(refund: Node, order: Node, lines: dict[str, Node], shipping: dict[str | None, Node], zero: Node) -> None:
    created = refund.get("createdAt")
    _default(refund, legacyResourceId=number(refund["id"]), processedAt=created, updatedAt=created)
    refund["order"] = {"id": order["id"]}
    for item in refund.get("refundLineItems") or []:
        item["lineItem"] = lines[item["lineItem"]["id"]]
        _default(item, restockType="NO_RESTOCK", priceSet=item["lineItem"]["originalUnitPriceSet"], totalTaxSet=zero)
    for item in refund.get("refundShippingLines") or []:
        item["shippingLine"] = shipping[item["shippingLine"]["id"]]
        _default(item, taxAmountSet=zero)
    for adjustment in refund.get("orderAdjustments") or []:
        _default(adjustment, taxAmountSet=zero)
    for transaction in refund.get("transactions") or []:
        _transaction(transaction, order)


def _address(address: Node | None, shop: Shop) -> None:
    if address is not None:
        names = [part for part in (address.get("firstName"), address.get("lastName")) if part]
        _default(address, name=" ".join(names) or None)
        if address.get("id") is None:
            address["id"] = shop.new_id("MailingAddress")


def _customer(customer: Node, shop: Shop) -> None:
    # The plain fields are the vendor's old names for these; they are answered from them.
    if "email" in customer:
        email = customer.pop("email")
        customer["defaultEmailAddress"] = {"emailAddress": email} if email else None
    if "phone" in customer:
        phone = customer.pop("phone")
        customer["defaultPhoneNumber"] = {"phoneNumber": phone} if phone else None
    address = customer.get("defaultEmailAddress")
    if address:
        _default(address, marketingState="NOT_SUBSCRIBED", validFormat=True)
    names = [part for part in (customer.get("firstName"), customer.get("lastName")) if part]
    shown = " ".join(names) or customer.get("displayName")
    phone_number = (customer.get("defaultPhoneNumber") or {}).get("phoneNumber")
    customer["displayName"] = shown or (address or {}).get("emailAddress") or phone_number or ""
    _default(customer, createdAt=instant(shop.clock.now()))
    _default(
        customer,
        legacyResourceId=number(customer["id"]),
        updatedAt=customer["createdAt"],
        state="DISABLED",
        locale="en",
        numberOfOrders="0",
        amountSpent={"amount": "0.0", "currencyCode": shop.currency},
    )
    _address(customer.get("defaultAddress"), shop)
    if customer.get("addressesV2") is None:
        customer["addressesV2"] = [customer["defaultAddress"]] if customer.get("defaultAddress") else []


def _product(product: Node, shop: Shop) -> None:
    _default(product, createdAt=instant(shop.clock.now()))
    _default(
        product,
        legacyResourceId=number(product["id"]),
        updatedAt=product["createdAt"],
        handle=product.get("title", "").lower().replace(" ", "-"),
        productType="",
        vendor=shop.name,
        status="ACTIVE",
        totalInventory=0,
    )
    for position, variant in enumerate(product.get("variants") or [], start=1):
        title = variant.get("title") or "Default Title"
        _default(
            variant,
            title=title,
            displayName=f"{product.get('title')} - {title}",
            legacyResourceId=number(variant["id"]),
            position=position,
            price="0.00",
            taxable=True,
            availableForSale=True,
            createdAt=product["createdAt"],
            updatedAt=product["updatedAt"],
        )
        variant["product"] = {"id": product["id"]}


_COMPLETE: dict[str, Callable[[Node, Shop], None]] = {"Order": _order, "Customer": _customer, "Product": _product}
