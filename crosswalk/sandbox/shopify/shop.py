"""What a practice shop holds: plain nodes in GraphQL shape, its search index, its switches and its own records.

Nodes are dicts with the vendor's field names; the fields that exist stand in ``schema.graphql``. A list of a connection
(``lineItems``, ``shippingLines``, ``refundLineItems``, …) is a plain list of nodes. Ids are ``gid://shopify/Order/123``
strings, instants ISO 8601 strings in UTC (``2026-11-23T18:15:09Z``), amounts strings of any scale (``"10.0"``), rates
floats (``0.21``), money is ``money("12.50", "EUR")`` → ``{"shopMoney": {"amount", "currencyCode"}, "presentmentMoney":
{…}}``. ``put`` refuses an unknown field and a missing required one, and fills in what is left out.

orders: required ``id createdAt currencyCode name totalPriceSet lineItems``. Otherwise nullable ones are null and
  presentmentCurrencyCode = currencyCode; processedAt, updatedAt = createdAt; originalTotalPriceSet and
  currentTotalPriceSet = totalPriceSet; other required totals zero; booleans false (confirmed true); lists empty;
  closed from closedAt; displayFulfillmentStatus UNFULFILLED; paymentGatewayNames from the transactions.
  customer: ``{"id": gid}`` of a customer of this shop (answered with its present state, null once deleted) or None.
  billingAddress, shippingAddress: ``{firstName lastName name company address1 address2 city zip province provinceCode
  country countryCodeV2 phone}``, all optional, or None.
  lineItems[]: required ``id title quantity originalUnitPriceSet``; else currentQuantity = quantity, originalTotalSet =
    unit × quantity, discounted… = original…, isGiftCard false, taxable and requiresShipping true; ``product``:
    ``{"id": gid}``, ``variant``: ``{"id": gid}`` of this shop or None; sku; variantTitle;
    discountAllocations[]: ``{"allocatedAmountSet": money, "discountApplication": {"index": n}}``, n-th of the order's
    discountApplications; taxLines[]: ``{"title", "rate", "priceSet"}``, ratePercentage = rate × 100, source optional.
  shippingLines[]: required ``id title originalPriceSet``; code; discountedPriceSet = original; isRemoved; taxLines,
    discountAllocations as above.
  discountApplications[]: ``{"__typename": "DiscountCodeApplication" (code) | "ManualDiscountApplication" (title,
    description) | "AutomaticDiscountApplication" (title) | "ScriptDiscountApplication" (title), "index",
    "allocationMethod": "ACROSS"|"EACH", "targetSelection": "ALL"|"ENTITLED"|"EXPLICIT", "targetType":
    "LINE_ITEM"|"SHIPPING_LINE", "value": {"percentage": 10.0} | {"amount": "5.0", "currencyCode": "EUR"}}``.
  taxLines[]: of the whole order, shape as above.
  transactions[]: required ``id kind status amountSet createdAt``; gateway, formattedGateway, processedAt = createdAt,
    test, errorCode, manualPaymentGateway, parentTransaction ``{"id": gid}``.
  refunds[]: required ``id createdAt totalRefundedSet``; note; processedAt, updatedAt = createdAt;
    refundLineItems[]: ``{id lineItem: {"id": gid} quantity restockType(NO_RESTOCK) restocked subtotalSet totalTaxSet
    priceSet}``; refundShippingLines[]: ``{id shippingLine: {"id": gid} subtotalAmountSet taxAmountSet}``;
    orderAdjustments[]: ``{id amountSet taxAmountSet reason}``; transactions[]: as above.
customers: required ``id``. displayName from the names or the address; defaultEmailAddress, email ←→ each other;
  defaultPhoneNumber, phone likewise; state DISABLED; createdAt = now; updatedAt = createdAt; numberOfOrders "0".
products: required ``id title``. productType "", status ACTIVE, variants[]: required ``id``; title "Default Title",
  price "0.00", sku, updatedAt = the product's. A variant is edited as ``edit("variants", …)``.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from crosswalk.clock import Clock
from crosswalk.sandbox.shopify.access import Account
from crosswalk.sandbox.shopify.index import Index
from crosswalk.sandbox.shopify.shape import Node, complete, copied, gid, instant, money, number
from crosswalk.sandbox.shopify.webhooks import Webhooks

__all__ = ["COLLECTIONS", "Effect", "Shop", "gid", "instant", "money", "number"]

COLLECTIONS = {"orders": "Order", "customers": "Customer", "products": "Product", "variants": "ProductVariant"}
# Restored points a second by plan; the bucket holds twenty seconds' worth.
PLANS = {"standard": 100, "advanced": 200, "plus": 1000, "enterprise": 2000}
ALL_SCOPES = frozenset(
    {"read_orders", "write_orders", "read_all_orders", "read_customers", "write_customers", "read_products"}
)


@dataclass(frozen=True)
class Effect:
    """One thing a caller of the API changed: the mutation, the record's id, and when (UTC)."""

    operation: str
    id: str
    at: datetime


class Answered(NamedTuple):
    """What a call with an idempotency key was answered, and with which arguments it came."""

    at: datetime
    arguments: Node
    answer: Node


@dataclass
class Switches:
    """What a test may turn. Read at every request."""

    # What the app may see of customers: granted; denied: null and an error at the path; silent: null and no word.
    customer_data: Literal["granted", "denied", "silent"] = "granted"
    # Seconds after which a search sees an edit; reading by id sees it at once.
    index_lag: float = 0.0
    # active; frozen 402; forbidden 403; locked 423; inactive: 200 with SHOP_INACTIVE.
    state: Literal["active", "frozen", "forbidden", "locked", "inactive"] = "active"
    # How a connection's size enters the cost: damped is what the vendor was seen to do, linear what its prose says.
    cost: Literal["damped", "linear"] = "damped"
    # The next so many queries end with INTERNAL_SERVER_ERROR and HTTP 200.
    internal_errors: int = 0
    # Objects after which a sorted listing ends.
    deep_paging: int = 25_000
    # Restored points a second; None: what the plan gives. The bucket's size stays the plan's.
    restore_rate: float | None = None


@dataclass
class Shop:
    """The state of one practice shop. All methods may be called from any thread.

    zone is an IANA name, currency an ISO code; seed fixes the tokens and ids that the shop makes up.
    """

    clock: Clock
    domain: str = "practice-shop.myshopify.com"
    name: str = "Practice shop"
    currency: str = "EUR"
    zone: str = "Europe/Amsterdam"
    plan: str = "standard"
    seed: int = 0
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.random = random.Random(self.seed)
        self.accounts = Account(self.clock, self.seed)
        # Apart, so that counting never waits for a query that is being answered.
        self._counting = threading.Lock()
        self._nodes: dict[str, dict[str, Node]] = {name: {} for name in COLLECTIONS}
        # The order that a line item, refund or transaction belongs to.
        self._parts: dict[str, str] = {}
        self._indexes = {name: Index(name, self.zone) for name in COLLECTIONS}
        self._requests: Counter[str] = Counter()
        self._effects: list[Effect] = []
        # By app, mutation and key.
        self.idempotent: dict[tuple[str, str, str], Answered] = {}
        self.webhooks = Webhooks(self.clock, self.domain, self.seed)
        self._next_id = 820_982_911_946_154_508 + self.seed * 1_000_000

    # --- records

    def put(self, collection: str, node: Mapping[str, Any]) -> str:
        """Take this node in, replacing the one with its id; the instants stay as given. Returns the gid.

        Raises ValueError when a required field is missing or a field is unknown.
        """
        with self.lock:
            own = complete(COLLECTIONS[collection], copied(node), self)
            self._store(collection, own)
            return str(own["id"])

    def put_all(self, collection: str, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Take these nodes in."""
        for node in nodes:
            self.put(collection, node)

    def get(self, collection: str, id_: str | int) -> Node | None:
        """A copy of a node by gid or number, or None."""
        with self.lock:
            node = self.find(collection, id_)
            return copied(node) if node is not None else None

    def ids(self, collection: str) -> list[str]:
        """Every gid of a collection, in the order they came."""
        with self.lock:
            return list(self._nodes[collection])

    def edit(self, collection: str, id_: str | int, changes: Mapping[str, Any] | Callable[[Node], None]) -> Node:
        """Change a node as a person in the shop would: merge these fields, or let the function change its copy.

        Sets ``updatedAt`` to now and returns a copy of what it became; raises KeyError for an unknown id.
        """
        with self.lock:
            node = self.get(collection, id_)
            if node is None:
                raise KeyError(f"{collection} {id_}")
            changes(node) if callable(changes) else node.update(copied(changes))
            node["updatedAt"] = instant(self.clock.now())
            if collection == "variants":
                self._put_variant(node)
            else:
                self._store(collection, complete(COLLECTIONS[collection], node, self))
            changed: Node = copied(self._nodes[collection][str(node["id"])])
            return changed

    def delete(self, collection: str, id_: str | int) -> None:
        """Remove a node without trace, as the vendor does; raises KeyError for an unknown id."""
        with self.lock:
            key = gid(COLLECTIONS[collection], id_)
            node = self._nodes[collection][key]
            for variant in node["variants"] if collection == "products" else ():
                self._forget("variants", variant["id"])
            self._forget(collection, key)
            self.webhooks.tell(collection, node, "delete")

    def _store(self, collection: str, node: Node) -> None:
        node["__typename"] = COLLECTIONS[collection]
        if collection == "products":
            kept = {variant["id"] for variant in node["variants"]}
            for variant in self._nodes["products"].get(node["id"], {}).get("variants", ()):
                if variant["id"] not in kept:
                    self._forget("variants", variant["id"])
        kind = "update" if node["id"] in self._nodes[collection] else "create"
        self._nodes[collection][node["id"]] = node
        self._index(collection, node)
        self.webhooks.tell(collection, node, kind)
        if collection == "products":
            for variant in node["variants"]:
                variant["__typename"] = "ProductVariant"
                self._nodes["variants"][variant["id"]] = variant
                self._index("variants", variant)
        elif collection == "orders":
            for part in (*node["lineItems"], *node["refunds"], *node["transactions"]):
                self._parts[part["id"]] = node["id"]

    def _forget(self, collection: str, key: str) -> None:
        del self._nodes[collection][key]
        self._indexes[collection].remove(key)

    def _put_variant(self, variant: Node) -> None:
        product = self.find("products", variant["product"]["id"])
        assert product is not None
        product["variants"] = [variant if own["id"] == variant["id"] else own for own in product["variants"]]
        product["updatedAt"] = variant["updatedAt"]
        self._store("products", complete("Product", product, self))

    def _index(self, collection: str, node: Node) -> None:
        self._indexes[collection].put(node, self.clock.now().timestamp() + self.switches.index_lag)

    # --- what the API reads (the caller holds the lock and must not change what it gets)

    def find(self, collection: str, id_: str | int) -> Node | None:
        """The live node by gid or number, or None."""
        return self._nodes[collection].get(gid(COLLECTIONS[collection], id_))

    def find_any(self, id_: str) -> Node | None:
        """The live node of any type by gid: of the collections, or a line item, refund or transaction of an order."""
        kind = id_.rsplit("/", 2)[-2] if id_.count("/") >= 4 else ""
        for collection, type_name in COLLECTIONS.items():
            if kind == type_name:
                return self.find(collection, id_)
        order = self._nodes["orders"].get(self._parts.get(id_, ""))
        if order is None:
            return None
        parts = (*order["lineItems"], *order["refunds"], *order["transactions"])
        found: Node | None = next((part for part in parts if part["id"] == id_), None)
        return {**found, "__typename": kind} if found is not None else None

    def index(self, collection: str) -> Index:
        """The search index of a collection, as of now."""
        index = self._indexes[collection]
        index.catch_up(self.clock.now().timestamp())
        return index

    def new_id(self, type_name: str) -> str:
        """A gid nobody has yet; its number is beyond what a float can hold."""
        self._next_id += self.random.randrange(1, 99)
        return gid(type_name, self._next_id)

    @property
    def restore_rate(self) -> float:
        """Points that come back in a second."""
        return self.switches.restore_rate if self.switches.restore_rate is not None else float(PLANS[self.plan])

    @property
    def bucket(self) -> float:
        """Points at most at hand."""
        return PLANS[self.plan] * 20.0

    # --- its own records

    def count(self, operation: str) -> None:
        """Note that a request came in."""
        with self._counting:
            self._requests[operation] += 1

    def requests(self) -> dict[str, int]:
        """How many requests came in, by operation name (``anonymous`` without one, ``token`` for token requests)."""
        with self._counting:
            return dict(self._requests)

    def note(self, operation: str, id_: str) -> None:
        """Note an effect that a caller of the API had."""
        with self.lock:
            self._effects.append(Effect(operation, id_, self.clock.now()))

    def effects(self) -> list[Effect]:
        """What callers of the API changed, oldest first."""
        with self.lock:
            return list(self._effects)
