"""The documents that Shopify is asked, made from the schemas of the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from crosswalk.connectors import graphql
from crosswalk.connectors.facts import Resource
from crosswalk.schemas import shopify as schema
from crosswalk.schemas.base import Lines

# Page sizes of nested connections.
SIZES = {
    "lineItems": schema.LINE_ITEMS,
    "shippingLines": schema.SHIPPING_LINES,
    "refunds.refundLineItems": schema.REFUND_LINE_ITEMS,
    "refunds.refundShippingLines": schema.REFUND_SHIPPING_LINES,
    "refunds.orderAdjustments": schema.ORDER_ADJUSTMENTS,
    "refunds.transactions": schema.REFUND_TRANSACTIONS,
    "variants": schema.VARIANTS,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a resource is asked for. count: what counts a search. by_day: its date filter matches whole days."""

    field: str
    type: str
    count: str = ""
    by_day: bool = False


SHAPES: Mapping[str, Shape] = {
    "shopify.orders": Shape("orders", "Order", count="ordersCount"),
    "shopify.customers": Shape("customers", "Customer", by_day=True),
    "shopify.products": Shape("products", "Product"),
}
TYPES = {(): "", ("refunds",): "Refund"}

CUSTOMERS = (
    "query CustomersShown { customers(first: 5, sortKey: UPDATED_AT, reverse: true) { nodes { displayName firstName "
    "lastName defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } } } }"
)
SCOPES = "query Scopes { currentAppInstallation { accessScopes { handle } } }"


def allows(granted: frozenset[str], scope: str) -> bool:
    """A write scope brings its read scope."""
    return scope in granted or scope.replace("read_", "write_", 1) in granted


def listing(facts: Resource, shrink: int = 1) -> str:
    """The document that lists a resource, last changed last."""
    shape = SHAPES[facts.name]
    return (
        f"query {shape.type}s($first: Int!, $after: String, $query: String) {{ "
        f"{shape.field}(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{ {graphql.PAGE_INFO} "
        f"nodes {{ {graphql.selection(facts.record.fields, SIZES, shrink)} }} }} }}"
    )


def counting(shape: Shape) -> str:
    """The document that counts what a search finds, without the usual limit."""
    return f"query Count($query: String) {{ count: {shape.count}(query: $query, limit: null) {{ count precision }} }}"


def nodes(facts: Resource, shrink: int = 1) -> str:
    """The document that reads records by id."""
    return (
        f"query {SHAPES[facts.name].type}sById($ids: [ID!]!) {{ nodes(ids: $ids) {{ "
        f"... on {SHAPES[facts.name].type} {{ {graphql.selection(facts.record.fields, SIZES, shrink)} }} }} }}"
    )


def further(facts: Resource, owner: tuple[str, ...], lines: Lines) -> str:
    """The document that reads on in a nested connection."""
    type_name = TYPES[owner] or SHAPES[facts.name].type
    name = lines.at.partition(".")[0]
    prefix = ".".join((*owner, lines.name)) + "."
    inner = graphql.selection(lines.fields, SIZES, prefix=prefix)
    return (
        f"query More($id: ID!, $after: String) {{ node(id: $id) {{ ... on {type_name} {{ "
        f"{name}(first: {SIZES[prefix[:-1]]}, after: $after) {{ {graphql.PAGE_INFO} nodes {{ {inner} }} }} }} }} }}"
    )


def search(since: datetime | None, until: datetime | None) -> str | None:
    """The filter of a window; the shop's grain is a second."""
    parts = [f"updated_at:>='{_second(since)}'"] if since else []
    parts += [f"updated_at:<'{_second(until)}'"] if until else []
    return " ".join(parts) or None


def _second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
