"""Shopify's webhooks: the topics, and the subscriptions that an app makes through the Admin API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crosswalk.connectors import graphql
from crosswalk.connectors.facts import Topic, Webhooks
from crosswalk.errors import Refused

if TYPE_CHECKING:
    from crosswalk.connectors.shopify import Shopify

OWN = ("admin_graphql_api_id", "id")
ORDER, CUSTOMER, PRODUCT = "gid://shopify/Order/{}", "gid://shopify/Customer/{}", "gid://shopify/Product/{}"

TOPICS = (
    Topic("orders/create", "shopify.orders", OWN, ORDER, "ORDERS_CREATE"),
    Topic("orders/updated", "shopify.orders", OWN, ORDER, "ORDERS_UPDATED"),
    Topic("orders/delete", "shopify.orders", OWN, ORDER, "ORDERS_DELETE"),
    *(
        Topic(f"orders/{name}", "shopify.orders", OWN, ORDER)
        for name in ("paid", "cancelled", "fulfilled", "partially_fulfilled")
    ),
    Topic("orders/edited", "shopify.orders", ("order_edit.order_id",), ORDER),
    Topic("refunds/create", "shopify.orders", ("order_id",), ORDER),
    Topic("order_transactions/create", "shopify.orders", ("order_id",), ORDER),
    Topic("customers/create", "shopify.customers", OWN, CUSTOMER, "CUSTOMERS_CREATE"),
    Topic("customers/update", "shopify.customers", OWN, CUSTOMER, "CUSTOMERS_UPDATE"),
    Topic("customers/delete", "shopify.customers", OWN, CUSTOMER, "CUSTOMERS_DELETE"),
    Topic("products/create", "shopify.products", OWN, PRODUCT, "PRODUCTS_CREATE"),
    Topic("products/update", "shopify.products", OWN, PRODUCT, "PRODUCTS_UPDATE"),
    Topic("products/delete", "shopify.products", OWN, PRODUCT, "PRODUCTS_DELETE"),
)
WEBHOOKS = Webhooks("shopify", TOPICS, secret="client_secret")  # noqa: S106 - the name of a setting

LIST = (
    "query Subscriptions($after: String) { webhookSubscriptions(first: 100, after: $after) { "
    f"{graphql.PAGE_INFO} nodes {{ id topic uri }} }} }}"
)
CREATE = (
    "mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!, $fields: [String!]) { "
    "webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri, format: JSON, includeFields: $fields}) "
    "{ webhookSubscription { id topic uri } userErrors { field message } } }"
)
# What a hint has to say; the record itself is read afresh, so no personal data needs to travel.
FIELDS = ("id", "admin_graphql_api_id", "updated_at")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of the app. topic: as the API calls it."""

    id: str
    topic: str
    uri: str


def subscriptions(shop: Shopify) -> list[Subscription]:
    """Every subscription that this app made through the API."""
    found: list[Subscription] = []
    after: str | None = None
    while True:
        said: Any = graphql.loads(shop.ask(LIST, {"after": after}).body)["data"]["webhookSubscriptions"]
        found += [Subscription(node["id"], node["topic"], node["uri"]) for node in said["nodes"]]
        if said["pageInfo"].get("hasNextPage") is not True:
            return found
        after = said["pageInfo"]["endCursor"]


def subscribe(shop: Shopify, topic: str, uri: str) -> None:
    """Make a subscription; one that is there already stays. Raises Refused with the shop's words."""
    answer: Any = graphql.loads(shop.ask(CREATE, {"topic": topic, "uri": uri, "fields": list(FIELDS)}).body)
    errors: Sequence[Any] = answer["data"]["webhookSubscriptionCreate"]["userErrors"]
    said = "; ".join(str(e.get("message")) for e in errors)
    if errors and "already been taken" not in said:
        raise Refused(f"Shopify refuses the subscription to {topic}: {said}", safe="other subscriptions stand")
