"""How the fields of the schema are answered from a shop: listings, single records, and who may see what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_object_type,
)

from crosswalk.sandbox.shopify import mutations, webhooks
from crosswalk.sandbox.shopify.access import Grant
from crosswalk.sandbox.shopify.paging import Asked, listing_page, nested_page, refused, sort_name
from crosswalk.sandbox.shopify.schema import SCHEMA, Info
from crosswalk.sandbox.shopify.shape import Node, gid
from crosswalk.sandbox.shopify.shop import COLLECTIONS, Shop

SCOPES = {"orders": "orders", "customers": "customers", "products": "products", "variants": "products"}
PROTECTED = "https://shopify.dev/docs/apps/launch/protected-customer-data"
# Of orders and customers: what needs the vendor's approval, apart from the customer itself.
PERSONAL = {
    "Order": ("email", "phone", "billingAddress", "shippingAddress"),
    "Customer": (
        *("firstName", "lastName", "email", "phone", "defaultEmailAddress", "defaultPhoneNumber", "defaultAddress"),
    ),
}
Resolver = Callable[..., Any]


@dataclass
class Context:
    """One request. searches collects what goes under ``extensions.search``."""

    shop: Shop
    grant: Grant
    now: datetime
    debug_search: bool = False
    searches: list[dict[str, Any]] = field(default_factory=list)


def read(source: Any, info: Info, **arguments: Any) -> Any:
    """The default: the node's own field; called when it is made on demand."""
    value = source.get(info.field_name)
    return value() if callable(value) else value


def denied_scope(field_name: str, scope: str) -> GraphQLError:
    """The app has not been granted the scope."""
    access = f"`{scope}` access scope."
    return GraphQLError(
        f"Access denied for {field_name} field. Required access: {access}",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": access,
        },
    )


def denied_data(what: str) -> GraphQLError:
    """The app has the scope, but not the vendor's approval for customers' data."""
    return GraphQLError(
        f"This app is not approved to {what}. See {PROTECTED} for more details.",
        extensions={"code": "ACCESS_DENIED", "documentation": PROTECTED},
    )


def _require(info: Info, scope: str) -> Context:
    context: Context = info.context
    if not context.grant.allows(scope):
        raise denied_scope(info.field_name, scope)
    return context


def _border(context: Context) -> float:
    """The instant from which orders are listed: the last sixty days unless all are granted."""
    everything = context.grant.allows("read_all_orders")
    return 0.0 if everything else (context.now - timedelta(days=60)).timestamp()


def _visible(context: Context, node: Node | None) -> Node | None:
    if node is not None and node.get("__typename") == "Order":
        return node if datetime.fromisoformat(node["createdAt"]).timestamp() >= _border(context) else None
    return node


def _matching(info: Info, collection: str, text: str, sort_key: str) -> list[Any]:
    context = _require(info, f"read_{SCOPES[collection]}")
    if collection == "customers" and context.shop.switches.customer_data == "denied":
        raise denied_data("access the Customer object")
    index = context.shop.index(collection)
    query, positions = index.listing(text, sort_key)
    if query.warnings or (context.debug_search and text):
        search = {"path": info.path.as_list(), "query": text, "parsed": query.parsed, "warnings": query.warnings}
        context.searches.append(search)
    if collection == "orders" and (border := _border(context)):
        return index.since(positions, "Order", border)
    return positions


def listing(collection: str) -> Resolver:
    """The root field that lists a collection."""
    type_name = COLLECTIONS[collection]

    def resolve(
        root: Any,
        info: Info,
        sortKey: str,
        reverse: bool = False,
        query: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Node:
        text = (query or "").strip()
        positions = _matching(info, collection, text, sortKey)
        shop: Shop = info.context.shop
        asked = Asked(first, after, last, before, sort_name(collection, sortKey, reverse, text))
        find = lambda id_: shop.find(collection, gid(type_name, id_))  # noqa: E731
        return listing_page(positions, asked, reverse, shop.switches.deep_paging, find)

    return resolve


def counting(collection: str) -> Resolver:
    """The root field that counts a collection, exactly up to its limit."""

    def resolve(root: Any, info: Info, limit: int | None = None, query: str | None = None) -> Node:
        total = len(_matching(info, collection, (query or "").strip(), "ID"))
        over = limit is not None and total > limit
        return {"count": limit if over else total, "precision": "AT_LEAST" if over else "EXACT"}

    return resolve


def single(collection: str) -> Resolver:
    """The root field that reads one record by id; null when there is none or it is not to be seen."""

    def resolve(root: Any, info: Info, id: str) -> Node | None:
        context = _require(info, f"read_{SCOPES[collection]}")
        return _by_id(context, id, COLLECTIONS[collection])

    return resolve


def _by_id(context: Context, id_: str, type_name: str | None = None) -> Node | None:
    if not id_.startswith("gid://shopify/") or not id_.rsplit("/", 1)[-1].split("?")[0].isdigit():
        raise refused(f"Invalid global id '{id_}'", "argumentLiteralsIncompatible")
    kind = id_.split("/")[3]
    if type_name is not None and kind != type_name:
        return None
    if kind == "Customer" and context.shop.switches.customer_data == "denied":
        raise denied_data("access the Customer object")
    return _visible(context, context.shop.find_any(id_))


_NODE_SCOPES = {"Customer": "read_customers", "Product": "read_products", "ProductVariant": "read_products"}


def _node(root: Any, info: Info, id: str) -> Node | None:
    kind = id.split("/")[3] if id.count("/") >= 4 else ""
    return _by_id(_require(info, _NODE_SCOPES.get(kind, "read_orders")), id)


def _nodes(root: Any, info: Info, ids: list[str]) -> list[Node | None]:
    if len(ids) > 250:
        raise refused(f"The input array size of {len(ids)} is greater than the maximum allowed of 250.")
    return [_node(root, info, id_) for id_ in ids]


def _refund(root: Any, info: Info, id: str) -> Node | None:
    return _by_id(_require(info, "read_orders"), id, "Refund")


def _order_by_identifier(root: Any, info: Info, identifier: Node) -> Node | None:
    return _by_id(_require(info, "read_orders"), identifier["id"], "Order")


def _customer_by_identifier(root: Any, info: Info, identifier: Node) -> Node | None:
    context = _require(info, "read_customers")
    if "id" in identifier:
        return _by_id(context, identifier["id"], "Customer")
    key, value = next(iter(identifier.items()))
    return mutations.customer_with(context.shop, **{key: value})


def _shop(root: Any, info: Info) -> Node:
    shop: Shop = info.context.shop
    return {
        "id": gid("Shop", 1),
        "name": shop.name,
        "email": f"owner@{shop.domain}",
        "currencyCode": shop.currency,
        "enabledPresentmentCurrencies": [shop.currency],
        "ianaTimezone": shop.zone,
        "timezoneAbbreviation": info.context.now.astimezone(ZoneInfo(shop.zone)).strftime("%Z"),
        "myshopifyDomain": shop.domain,
        "taxesIncluded": True,
        "url": f"https://{shop.domain}",
        "plan": {
            "publicDisplayName": shop.plan.title(),
            "displayName": shop.plan.title(),
            "partnerDevelopment": False,
            "shopifyPlus": shop.plan in ("plus", "enterprise"),
        },
    }


def _subscriptions(root: Any, info: Info, topics: list[str] | None = None, uri: str | None = None, **page: Any) -> Node:
    own = [s for s in info.context.shop.webhooks.subscriptions.values() if s.app == info.context.grant.app.client_id]
    found = [s for s in own if (not topics or s.topic in topics) and (uri is None or s.uri == uri)]
    return _page([webhooks.node(one) for one in found], page)


def _installation(root: Any, info: Info) -> Node:
    scopes = sorted(info.context.grant.app.scopes)
    return {
        "id": gid("AppInstallation", 1),
        "accessScopes": [{"handle": scope, "description": scope.replace("_", " ").capitalize()} for scope in scopes],
    }


# --- fields of records


def _order_customer(order: Node, info: Info) -> Node | None:
    context: Context = info.context
    if (order.get("customer") or {}).get("id") is None:
        return None
    if not context.grant.allows("read_customers"):
        raise denied_scope("customer", "read_customers")
    if context.shop.switches.customer_data == "denied":
        raise denied_data("access the Customer object")
    if context.shop.switches.customer_data == "silent":
        return None
    return context.shop.find("customers", order["customer"]["id"])


def _personal(inner: Resolver) -> Resolver:
    def resolve(source: Node, info: Info, **arguments: Any) -> Any:
        allowed = info.context.shop.switches.customer_data
        if allowed == "denied":
            raise denied_data(f"use the {info.field_name} field")
        return inner(source, info, **arguments) if allowed == "granted" else None

    return resolve


def _reference(collection: str) -> Resolver:
    # A reference to something of this shop shows its present state; one that brings its own fields stands for itself.
    def resolve(source: Node, info: Info) -> Node | None:
        reference = source.get(info.field_name)
        if not reference:
            return None
        found: Node | None = info.context.shop.find(collection, reference["id"])
        return found if found is not None or len(reference) == 1 else reference

    return resolve


def _parent_transaction(transaction: Node, info: Info) -> Node | None:
    parent = transaction.get("parentTransaction")
    return info.context.shop.find_any(parent["id"]) if parent else None


def _shipping_lines(order: Node, info: Info, includeRemovals: bool = False, **page: Any) -> Node:
    lines = order.get("shippingLines") or []
    return _page(lines if includeRemovals else [line for line in lines if not line["isRemoved"]], page)


def _shipping_line(order: Node, info: Info) -> Node | None:
    return next((line for line in order.get("shippingLines") or [] if not line["isRemoved"]), None)


def _nested(source: Node, info: Info, reverse: bool = False, sortKey: str = "", **page: Any) -> Node:
    items = source.get(info.field_name) or []
    return _page(items[::-1] if reverse else items, page)


def _page(items: list[Node], page: dict[str, Any]) -> Node:
    return nested_page(items, Asked(page.get("first"), page.get("after"), page.get("last"), page.get("before"), "own"))


def _limited(source: Node, info: Info, first: int | None = None, **filters: Any) -> list[Node]:
    # A plain list is cut at its limit without a word: there is no page info that would tell.
    items: list[Node] = source.get(info.field_name) or []
    return items if first is None else items[:first]


def _customer_email(customer: Node, info: Info) -> str | None:
    return (customer.get("defaultEmailAddress") or {}).get("emailAddress")


def _display_name(customer: Node, info: Info) -> str:
    shown: str = customer["displayName"]
    return shown if info.context.shop.switches.customer_data == "granted" else ""


def _customer_phone(customer: Node, info: Info) -> str | None:
    return (customer.get("defaultPhoneNumber") or {}).get("phoneNumber")


ROOT: dict[str, Resolver] = {
    "orders": listing("orders"),
    "customers": listing("customers"),
    "products": listing("products"),
    "productVariants": listing("variants"),
    "ordersCount": counting("orders"),
    "customersCount": counting("customers"),
    "order": single("orders"),
    "customer": single("customers"),
    "product": single("products"),
    "productVariant": single("variants"),
    "orderByIdentifier": _order_by_identifier,
    "customerByIdentifier": _customer_by_identifier,
    "refund": _refund,
    "node": _node,
    "nodes": _nodes,
    "shop": _shop,
    "currentAppInstallation": _installation,
    "webhookSubscriptions": _subscriptions,
}
OWN: dict[tuple[str, str], Resolver] = {
    ("Order", "customer"): _order_customer,
    ("Order", "shippingLines"): _shipping_lines,
    ("Order", "shippingLine"): _shipping_line,
    ("LineItem", "product"): _reference("products"),
    ("LineItem", "variant"): _reference("variants"),
    ("ProductVariant", "product"): _reference("products"),
    ("Refund", "order"): _reference("orders"),
    ("OrderTransaction", "order"): _reference("orders"),
    ("OrderTransaction", "parentTransaction"): _parent_transaction,
    ("Customer", "email"): _customer_email,
    ("Customer", "phone"): _customer_phone,
    ("Customer", "displayName"): _display_name,
}


def _attach() -> None:
    for type_ in SCHEMA.type_map.values():
        if not is_object_type(type_) or type_.name.startswith("__"):
            continue
        assert isinstance(type_, GraphQLObjectType)
        for name, definition in type_.fields.items():
            definition.resolve = _resolver(type_.name, name, definition)
    SCHEMA.type_map["Node"].resolve_type = lambda value, *_: value["__typename"]  # type: ignore[attr-defined]


def _resolver(type_name: str, name: str, definition: Any) -> Resolver | None:
    if type_name == "QueryRoot":
        return ROOT[name]
    if type_name == "Mutation":
        return mutations.RESOLVERS[name]
    found = OWN.get((type_name, name))
    if found is None and get_named_type(definition.type).name.endswith("Connection"):
        found = _nested
    elif found is None and "first" in definition.args and is_list_type(get_nullable_type(definition.type)):
        found = _limited
    if name in PERSONAL.get(type_name, ()):
        found = _personal(found or read)
    return found


_attach()
