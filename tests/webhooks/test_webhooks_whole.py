"""From an edit in the shop to the books, through a really sent webhook, without a poll."""

from __future__ import annotations

import webhook_kit as kit

from crosswalk.connectors import shopify_webhooks
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.sandbox.control import Started
from crosswalk.store import inbox_look


def fill(started: Started, orders: int = 6) -> None:
    started.ready["credentials"] = started.control.reset(orders=orders, cases=None, seed=3)["credentials"]


def subscribe(place: kit.Place, *topics: str) -> None:
    shop = place.house.connector(place.house.settings.connection("shop"))
    for topic in topics or ("ORDERS_CREATE", "ORDERS_UPDATED", "CUSTOMERS_CREATE", "CUSTOMERS_UPDATE"):
        shopify_webhooks.subscribe(shop, topic, f"{place.address}/hooks/shop")


def test_an_edit_reaches_the_books_by_a_webhook(place: kit.Place, webhook_practice: Started) -> None:
    """An order edited in the shop is read afresh because a webhook said so, and its invoice changes."""
    control = webhook_practice.control
    control.reset(orders=6, cases=None, seed=3)
    subscribe(place)
    for binding in ("customers", "orders"):
        body.run(place.house.session(binding, Request()))
    control.changes(share=0.5, seed=5)
    kit.until(lambda: inbox_look.events(place.store, state="new"))
    kit.until(lambda: control.call("shopify.webhooks.waiting") == 0)
    kit.SystemClock().sleep(0.5)
    assert place.drain() >= 1
    assert inbox_look.age(place.store).waiting == 0
    assert [line for line in control.verdict("S1") if "guests" not in line] == []
