"""What a search sees of a collection: a row for every node, late by the shop's lag, and sorted listings of them."""

from __future__ import annotations

import heapq
from datetime import datetime
from decimal import Decimal
from typing import Any

from crosswalk.sandbox.shopify.search import FILTERS, Query, Row, parse
from crosswalk.sandbox.shopify.shape import Node, number

# (sort value, number of the id): sortable, the id settles ties.
Position = tuple[Any, int]
SORTS = {
    "CREATED_AT": "created_at",
    "UPDATED_AT": "updated_at",
    "PROCESSED_AT": "processed_at",
    "ORDER_NUMBER": "number",
    "TOTAL_PRICE": "total",
    "NAME": "name",
    "TITLE": "title",
    "VENDOR": "vendor",
    "PRODUCT_TYPE": "product_type",
    "SKU": "sku",
    "POSITION": "position",
}


class Index:
    """The search index of one collection. Not safe by itself: the shop's lock is held around it."""

    def __init__(self, collection: str, zone: str) -> None:
        self.collection = collection
        self.zone = zone
        self.rows: dict[str, Row] = {}
        self._late: list[tuple[float, int, str, Row]] = []
        self._sequence = 0
        self._listings: dict[tuple[str, str], tuple[Query, list[Position]]] = {}

    def put(self, node: Node, visible_at: float) -> None:
        """Take a node in; searches see it from this instant on."""
        self._sequence += 1
        heapq.heappush(self._late, (visible_at, self._sequence, node["id"], _ROWS[self.collection](node)))

    def remove(self, id_: str) -> None:
        """Forget a node."""
        self.rows.pop(id_, None)
        self._late = [late for late in self._late if late[2] != id_]
        heapq.heapify(self._late)
        self._listings.clear()

    def catch_up(self, now: float) -> None:
        """Let searches see what has become visible by now."""
        while self._late and self._late[0][0] <= now:
            _, _, id_, row = heapq.heappop(self._late)
            self.rows[id_] = row
            self._listings.clear()

    def listing(self, text: str, sort_key: str) -> tuple[Query, list[Position]]:
        """The rows that match, as ascending positions."""
        key = (text, sort_key)
        if key not in self._listings:
            query = parse(text, FILTERS[self.collection], self.zone)
            field = SORTS.get(sort_key, "id")
            test = query.matches
            rows = self.rows.values() if test is None else [row for row in self.rows.values() if test(row)]
            if len(self._listings) > 50:
                self._listings.clear()
            self._listings[key] = query, sorted((row[field], row["id"]) for row in rows)
        return self._listings[key]

    def since(self, positions: list[Position], type_name: str, border: float) -> list[Position]:
        """Those created at this instant or later."""
        prefix = f"gid://shopify/{type_name}/"
        return [position for position in positions if self.rows[f"{prefix}{position[1]}"]["created_at"] >= border]


def _time(value: str | None) -> float:
    return datetime.fromisoformat(value).timestamp() if value else 0.0


def _text(*values: Any) -> str:
    return " ".join(str(value).casefold() for value in values if value)


def _order(node: Node) -> Row:
    email = _text(node.get("email"))
    cancelled = node.get("cancelledAt") is not None
    customer = (node.get("customer") or {}).get("id")
    return {
        "id": int(number(node["id"])),
        "created_at": _time(node["createdAt"]),
        "updated_at": _time(node["updatedAt"]),
        "processed_at": _time(node["processedAt"]),
        "customer_id": int(number(customer)) if customer else None,
        "name": _text(node["name"]).lstrip("#"),
        "number": node["number"],
        "total": int(Decimal(node["totalPriceSet"]["shopMoney"]["amount"]) * 10_000),
        "tag": {_text(tag) for tag in node["tags"]},
        "sku": {_text(line.get("sku")) for line in node["lineItems"]},
        "email": email,
        "status": "cancelled" if cancelled else "closed" if node["closed"] else "open",
        "financial_status": _text(node.get("displayFinancialStatus")),
        "fulfillment_status": _text(node["displayFulfillmentStatus"]),
        "test": bool(node["test"]),
        "source_name": _text(node.get("sourceName")),
        "po_number": _text(node.get("poNumber")),
        "text": _text(node["name"], email, node.get("note"), *node["tags"]),
    }


def _customer(node: Node) -> Row:
    email = _text((node.get("defaultEmailAddress") or {}).get("emailAddress"))
    created = _time(node["createdAt"])
    return {
        "id": int(number(node["id"])),
        "created_at": created,
        "customer_date": created,
        "updated_at": _time(node["updatedAt"]),
        "email": email,
        "phone": _text((node.get("defaultPhoneNumber") or {}).get("phoneNumber")),
        "first_name": _text(node.get("firstName")),
        "last_name": _text(node.get("lastName")),
        "name": _text(node.get("lastName"), node.get("firstName")),
        "country": _text((node.get("defaultAddress") or {}).get("country")),
        "state": _text(node["state"]),
        "tag": {_text(tag) for tag in node["tags"]},
        "text": _text(node["displayName"], email),
    }


def _product(node: Node) -> Row:
    return {
        "id": int(number(node["id"])),
        "created_at": _time(node["createdAt"]),
        "updated_at": _time(node["updatedAt"]),
        "title": _text(node["title"]),
        "handle": _text(node["handle"]),
        "vendor": _text(node["vendor"]),
        "product_type": _text(node["productType"]),
        "status": _text(node["status"]),
        "tag": {_text(tag) for tag in node["tags"]},
        "sku": {_text(variant.get("sku")) for variant in node["variants"]},
        "text": _text(node["title"], node["vendor"], node["productType"]),
    }


def _variant(node: Node) -> Row:
    return {
        "id": int(number(node["id"])),
        "product_id": int(number(node["product"]["id"])),
        "created_at": _time(node["createdAt"]),
        "updated_at": _time(node["updatedAt"]),
        "title": _text(node["title"]),
        "sku": _text(node.get("sku")),
        "barcode": _text(node.get("barcode")),
        "position": node["position"],
        "text": _text(node["displayName"], node.get("sku")),
    }


_ROWS = {"orders": _order, "customers": _customer, "products": _product, "variants": _variant}
