"""A caller of the practice shop for its tests: real HTTP messages against the ASGI application, no socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import Shop, create, gid, money

TOKEN = "shpat_practice"
ALL = {"read_orders", "write_orders", "read_all_orders", "read_customers", "write_customers", "read_products"}
ORDER = 820_982_911_946_154_508


class Door:
    """A shop, and calls to it."""

    def __init__(self, clock: SharedClock, scopes: set[str] = ALL, **shop: Any) -> None:
        self.clock = clock
        self.shop = Shop(clock, **shop)
        self.app = create(self.shop, clock)
        self.shop.accounts.static_token(TOKEN, scopes)

    def send(self, method: str, path: str, host: str = "127.0.0.1", **request: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, **request)

        return asyncio.run(call())

    def ask(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = TOKEN,
        version: str = "2026-10",
        operation: str | None = None,
        host: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """POST a document."""
        body = {"query": query, "variables": variables or {}, **({"operationName": operation} if operation else {})}
        sent = {**({"X-Shopify-Access-Token": token} if token else {}), **(headers or {})}
        return self.send("POST", f"/admin/api/{version}/graphql.json", host, json=body, headers=sent)

    def body(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to a document."""
        answer = self.ask(query, variables)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        body = self.body(query, **variables)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    def names(self, search: str, sort: str = "UPDATED_AT") -> list[str]:
        """The names of the orders that a search finds, in their order."""
        query = "query($q:String,$s:OrderSortKeys){orders(first:250,query:$q,sortKey:$s){nodes{name}}}"
        return [node["name"] for node in self.data(query, q=search, s=sort)["orders"]["nodes"]]

    def order(self, n: int, **fields: Any) -> str:
        """Put order number ``n`` of 1 November plus n minutes in; returns its gid."""
        at = f"2026-11-01T{n // 60:02d}:{n % 60:02d}:00Z"
        node = {
            "id": gid("Order", ORDER + n),
            "name": f"#{1000 + n}",
            "createdAt": at,
            "currencyCode": "EUR",
            "totalPriceSet": money("12.50", "EUR"),
            "lineItems": [self.line(n * 100)],
            **fields,
        }
        return self.shop.put("orders", node)

    @staticmethod
    def line(n: int, **fields: Any) -> dict[str, Any]:
        """A line of one mug."""
        price = money("12.50", "EUR")
        own = {"id": gid("LineItem", 15_000_000_000_000 + n), "title": "Mug", "quantity": 1}
        return {**own, "originalUnitPriceSet": price, **fields}

    @staticmethod
    def payment(n: int, **fields: Any) -> dict[str, Any]:
        """A payment by card."""
        return {
            "id": gid("OrderTransaction", 6_000_000_000_000 + n),
            "kind": "SALE",
            "status": "SUCCESS",
            "gateway": "shopify_payments",
            "amountSet": money("12.50", "EUR"),
            "createdAt": "2026-11-01T00:00:00Z",
            **fields,
        }

    def customer(self, n: int, **fields: Any) -> str:
        """Put customer number ``n`` in; returns the gid."""
        own = {"id": gid("Customer", 7_700_112_233 + n), "firstName": "Anna", "lastName": f"Visser {n}"}
        at = {"createdAt": "2026-11-01T00:00:00Z"}
        return self.shop.put("customers", {**own, **at, "email": f"anna{n}@example.test", **fields})
