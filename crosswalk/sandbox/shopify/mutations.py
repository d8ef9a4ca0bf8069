"""Changes through the API: what a caller may do to customers and orders, and the user errors it gets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from graphql import GraphQLError, get_directive_values

from crosswalk.sandbox.shopify import sums, webhooks
from crosswalk.sandbox.shopify.schema import SCHEMA, Info
from crosswalk.sandbox.shopify.shape import Node, instant
from crosswalk.sandbox.shopify.shop import Answered, Shop

KEY_LIFE = timedelta(hours=24)
Resolver = Callable[..., Any]


def _shop(info: Info, scope: str) -> Shop:
    if scope not in info.context.grant.app.scopes:
        from crosswalk.sandbox.shopify.resolvers import denied_scope

        raise denied_scope(info.field_name, scope)
    shop: Shop = info.context.shop
    return shop


def _error(message: str, *field: str, code: str | None = None) -> Node:
    return {"field": list(field) or None, "message": message, **({"code": code} if code else {})}


def customer_with(shop: Shop, **identity: str | None) -> Node | None:
    """The live customer with this ``emailAddress`` or ``phoneNumber``, or None."""
    for name, holder in (("emailAddress", "defaultEmailAddress"), ("phoneNumber", "defaultPhoneNumber")):
        wanted = (identity.get(name) or "").casefold()
        for id_ in shop.ids("customers") if wanted else ():
            customer = shop.find("customers", id_)
            if customer and (customer.get(holder) or {}).get(name, "").casefold() == wanted:
                return customer
    return None


def _taken(shop: Shop, given: Node, own_id: str | None) -> list[Node]:
    errors = []
    for name, identity, word in (("email", "emailAddress", "Email"), ("phone", "phoneNumber", "Phone")):
        other = customer_with(shop, **{identity: given.get(name)})
        if other is not None and other["id"] != own_id:
            errors.append(_error(f"{word} has already been taken", name))
    if given.get("email") and "@" not in given["email"]:
        errors.append(_error("Email is invalid", "email"))
    return errors


def _customer_create(root: Any, info: Info, input: Node) -> Node:
    shop = _shop(info, "write_customers")
    errors = _taken(shop, input, None)
    if not any(input.get(name) for name in ("email", "phone", "firstName", "lastName")):
        errors.append(_error("A name, phone number, or email address must be present"))
    if errors:
        return {"customer": None, "userErrors": errors}
    id_ = shop.put("customers", {**input, "id": shop.new_id("Customer"), "createdAt": instant(info.context.now)})
    shop.note("customerCreate", id_)
    return {"customer": shop.find("customers", id_), "userErrors": []}


def _customer_update(root: Any, info: Info, input: Node) -> Node:
    shop = _shop(info, "write_customers")
    customer = shop.find("customers", input.get("id") or "")
    if customer is None:
        return {"customer": None, "userErrors": [_error("Customer does not exist", "id")]}
    if errors := _taken(shop, input, customer["id"]):
        return {"customer": None, "userErrors": errors}
    shop.edit("customers", customer["id"], {name: value for name, value in input.items() if name != "id"})
    shop.note("customerUpdate", customer["id"])
    return {"customer": shop.find("customers", customer["id"]), "userErrors": []}


def _customer_delete(root: Any, info: Info, input: Node) -> Node:
    from crosswalk.sandbox.shopify.resolvers import ROOT

    shop = _shop(info, "write_customers")
    answer = {"deletedCustomerId": None, "shop": ROOT["shop"](None, info), "userErrors": []}
    customer = shop.find("customers", input["id"])
    if customer is None:
        return {**answer, "userErrors": [_error("Customer can't be found", "id")]}
    orders = (shop.find("orders", id_) or {} for id_ in shop.ids("orders"))
    if any((order.get("customer") or {}).get("id") == customer["id"] for order in orders):
        return {**answer, "userErrors": [_error("Customer can’t be deleted because they have associated orders", "id")]}
    shop.delete("customers", customer["id"])
    shop.note("customerDelete", customer["id"])
    return {**answer, "deletedCustomerId": customer["id"]}


def _order_create(root: Any, info: Info, order: Node, options: Node | None = None) -> Node:
    shop = _shop(info, "write_orders")
    errors = []
    if not order.get("lineItems"):
        errors.append(_error("Line items must have at least one line item", "order", "lineItems", code="INVALID"))
    if order.get("customer") and order.get("customerId"):
        message = "Only one of customerId and customer may be given"
        errors.append(_error(message, "order", "customer", code="REDUNDANT_CUSTOMER_FIELDS"))
    processed = order.get("processedAt")
    if processed and datetime.fromisoformat(processed) > info.context.now:
        message = "Processed at must not be in the future"
        errors.append(_error(message, "order", "processedAt", code="PROCESSED_AT_INVALID"))
    if errors:
        return {"order": None, "userErrors": errors}
    id_ = shop.put("orders", sums.new_order(shop, order, instant(info.context.now)))
    shop.note("orderCreate", id_)
    return {"order": shop.find("orders", id_), "userErrors": []}


def _order_update(root: Any, info: Info, input: Node) -> Node:
    shop = _shop(info, "write_orders")
    order = shop.find("orders", input["id"])
    if order is None:
        return {"order": None, "userErrors": [_error("Order does not exist", "id")]}
    changes = {name: value for name, value in input.items() if name != "id"}
    if changes.get("shippingAddress"):
        changes["shippingAddress"] = sums.address(changes["shippingAddress"])
    shop.edit("orders", order["id"], changes)
    shop.note("orderUpdate", order["id"])
    return {"order": shop.find("orders", order["id"]), "userErrors": []}


def _order_cancel(root: Any, info: Info, orderId: str, reason: str, **options: Any) -> Node:
    shop = _shop(info, "write_orders")
    order = shop.find("orders", orderId)
    error = None
    if order is None:
        error = _error("Order does not exist", "orderId", code="NOT_FOUND")
    elif order.get("cancelledAt"):
        error = _error("Cannot cancel an order that has already been canceled", "orderId", code="INVALID")
    if error is not None or order is None:
        return {"job": None, "orderCancelUserErrors": [error], "userErrors": [error]}
    back = options.get("refund") or (options.get("refundMethod") or {}).get("originalPaymentMethodsRefund")
    received = Decimal(order["totalReceivedSet"]["shopMoney"]["amount"])
    at = instant(info.context.now)

    def cancel(node: Node) -> None:
        node.update(cancelledAt=at, cancelReason=reason, closedAt=at)
        if back and received > 0:
            sums.add_refund(shop, node, {"note": options.get("staffNote")}, at, everything=True)
        elif received == 0:
            node["displayFinancialStatus"] = "VOIDED"

    shop.edit("orders", order["id"], cancel)
    shop.note("orderCancel", order["id"])
    return {"job": {"id": shop.new_id("Job"), "done": False}, "orderCancelUserErrors": [], "userErrors": []}


def _refund_create(root: Any, info: Info, input: Node) -> Node:
    shop = _shop(info, "write_orders")
    directive = SCHEMA.get_directive("idempotent")
    assert directive is not None
    given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if not given:
        message = "The @idempotent directive is required for this mutation but was not provided."
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    key = (info.context.grant.app.client_id, info.field_name, str(given["key"]))
    earlier = shop.idempotent.get(key)
    if earlier is not None and info.context.now - earlier.at < KEY_LIFE:
        if earlier.arguments == input:
            return earlier.answer
        message = "The idempotency key has been used with different parameters (IDEMPOTENCY_KEY_PARAMETER_MISMATCH)"
        return {"order": None, "refund": None, "userErrors": [_error(message)]}
    answer = _refund_answer(shop, info, input)
    shop.idempotent[key] = Answered(info.context.now, input, answer)
    return answer


def _refund_answer(shop: Shop, info: Info, input: Node) -> Node:
    order = shop.find("orders", input["orderId"])
    errors = [] if order is not None else [_error("Order does not exist", "orderId")]
    lines = {line["id"]: line for line in (order or {}).get("lineItems", ())}
    for item in input.get("refundLineItems") or [] if order is not None else ():
        line = lines.get(item["lineItemId"])
        if line is None or item["quantity"] > line["refundableQuantity"]:
            errors.append(_error("Quantity cannot refund more items than were purchased", "refundLineItems"))
    if errors or order is None:
        return {"order": None, "refund": None, "userErrors": errors}
    made: list[Node] = []
    at = instant(info.context.now)
    shop.edit("orders", order["id"], lambda node: made.append(sums.add_refund(shop, node, input, at)))
    shop.note("refundCreate", made[0]["id"])
    refund = shop.find_any(made[0]["id"])
    return {"order": shop.find("orders", order["id"]), "refund": refund, "userErrors": []}


def _subscribe(root: Any, info: Info, topic: str, webhookSubscription: Node) -> Node:
    shop: Shop = info.context.shop
    uri = webhookSubscription.get("uri") or webhookSubscription.get("callbackUrl") or ""
    loopback = uri.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
    if not uri.startswith("https://") and not loopback:  # the vendor takes https alone; here there is nobody else
        error = _error("Address protocol http:// is not supported", "webhookSubscription", "uri")
        return {"webhookSubscription": None, "userErrors": [error]}
    id_ = shop.new_id("WebhookSubscription")
    fields = tuple(webhookSubscription.get("includeFields") or ())
    made = shop.webhooks.subscribe(info.context.grant.app, topic, uri, id_, fields)
    if made is None:
        error = _error("Address for this topic has already been taken", "webhookSubscription", "uri")
        return {"webhookSubscription": None, "userErrors": [error]}
    return {"webhookSubscription": webhooks.node(made), "userErrors": []}


def _unsubscribe(root: Any, info: Info, id: str) -> Node:
    own = info.context.shop.webhooks.subscriptions.get(id)
    if own is None or own.app != info.context.grant.app.client_id:
        missing = _error("Webhook subscription does not exist", "id")
        return {"deletedWebhookSubscriptionId": None, "userErrors": [missing]}
    info.context.shop.webhooks.remove(id)
    return {"deletedWebhookSubscriptionId": id, "userErrors": []}


RESOLVERS: dict[str, Resolver] = {
    "webhookSubscriptionCreate": _subscribe,
    "webhookSubscriptionDelete": _unsubscribe,
    "customerCreate": _customer_create,
    "customerUpdate": _customer_update,
    "customerDelete": _customer_delete,
    "orderCreate": _order_create,
    "orderUpdate": _order_update,
    "orderCancel": _order_cancel,
    "refundCreate": _refund_create,
}
