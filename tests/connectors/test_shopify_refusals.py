"""What a shop withholds, refuses or ignores, told apart from what is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from practice_systems import Systems
from shop_rows import customer, order

from crosswalk.connectors import shopify_documents as documents
from crosswalk.connectors.base import Check, Window
from crosswalk.connectors.shopify import SYSTEM
from crosswalk.errors import (
    AccessDenied,
    BadCredentials,
    Drift,
    FilterIgnored,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
)
from crosswalk.sandbox.practice import SHOP_TOKEN
from crosswalk.sandbox.shopify import gid

FEW = {"read_orders", "read_customers", "read_products"}


def read(systems: Systems, resource: str = "shopify.orders", window: Window | None = None) -> int:
    return sum(len(page.records) for page in systems.shopify().read(resource, window or Window()))


def scopes(systems: Systems, granted: set[str]) -> None:
    systems.shop.accounts.revoke(SHOP_TOKEN)
    systems.shop.accounts.static_token(SHOP_TOKEN, granted)


def detail(check: Check, what: str) -> tuple[bool | None, str]:
    [found] = [(i.ok, i.detail) for i in check.items if i.what == what]
    return found


def test_a_window_before_the_sixty_days_needs_all_orders(systems: Systems) -> None:
    """Without read_all_orders a listing would end sixty days back without a word, so it is refused."""
    scopes(systems, FEW)
    with pytest.raises(AccessDenied, match="read_all_orders"):
        read(systems)
    with pytest.raises(AccessDenied, match="read_all_orders"):
        read(systems, window=Window(systems.clock.now() - timedelta(days=61)))
    assert read(systems, window=Window(systems.clock.now() - timedelta(days=59))) == 0


def test_an_order_hidden_by_the_border_is_not_called_missing(systems: Systems) -> None:
    """By id it is null like one that never was; without the scope nobody can tell."""
    old = order(1, at="2026-08-01T00:00:00Z")
    systems.shop.put("orders", old)
    scopes(systems, FEW)
    with pytest.raises(AccessDenied, match="older than 60 days"):
        systems.shopify().fetch("shopify.orders", [old["id"]])
    scopes(systems, {*FEW, "read_all_orders"})
    assert len(systems.shopify().fetch("shopify.orders", [old["id"], gid("Order", 1)])) == 1


@pytest.mark.parametrize("how", ["denied", "silent"])
def test_customers_that_are_withheld_are_not_guests(systems: Systems, how: str) -> None:
    """An order without a customer is a guest's only where customers are shown."""
    systems.shop.put("customers", customer(1))
    systems.shop.put("orders", order(1, customer={"id": customer(1)["id"]}))
    systems.shop.switches.customer_data = how
    with pytest.raises(AccessDenied, match="ustomer"):
        read(systems)
    with pytest.raises(AccessDenied):
        read(systems, "shopify.customers")
    assert detail(systems.shopify().check(), "customer data")[0] is False


def test_a_guest_is_a_guest_where_customers_are_shown(systems: Systems) -> None:
    """Nobody is refused for an order without a customer."""
    systems.shop.put("customers", customer(1))
    systems.shop.put("orders", order(1))
    assert read(systems) == 1


def test_a_missing_scope_is_named(systems: Systems) -> None:
    """The customer of an order would be null without its scope."""
    scopes(systems, {"read_orders", "read_all_orders"})
    with pytest.raises(AccessDenied, match="read_customers"):
        read(systems)


def test_half_an_answer_is_an_error(systems: Systems) -> None:
    """Data that comes with an error is not used."""
    systems.shop.put("customers", customer(1))
    systems.shop.put("orders", order(1, customer={"id": customer(1)["id"]}))
    shop = systems.shopify()
    scopes(systems, {"read_orders", "read_all_orders"})
    document = "query Half { orders(first: 1) { nodes { id customer { id } } } }"
    with pytest.raises(AccessDenied, match="read_customers") as error:
        shop.ask(document, {})
    assert error.value.code == "ACCESS_DENIED"


def test_a_filter_that_was_not_understood_is_an_error(systems: Systems) -> None:
    """Shopify warns and answers with everything; everything is not what was asked for."""
    document = documents.listing(SYSTEM.resource("orders"))
    variables = {"first": 1, "query": "updated_on:>'2026-11-01'"}
    with pytest.raises(FilterIgnored, match="updated_on"):
        systems.shopify().ask(document, variables)


def test_a_retired_version_is_an_error(systems: Systems) -> None:
    """Shopify falls forward to another version without a word but in a header."""
    shop = systems.shopify(settings={"version": "2024-01"})
    with pytest.raises(Drift, match="2024-01"):
        next(iter(shop.read("shopify.products", Window())))
    assert detail(shop.check(), "version")[0] is False


def test_its_own_fault_passes_by_itself(systems: Systems) -> None:
    """INTERNAL_SERVER_ERROR with status 200 is asked again, for a while."""
    systems.shop.put("products", {"id": gid("Product", 1), "title": "Mug", "handle": "mug"})
    systems.shop.switches.internal_errors = 2
    assert read(systems, "shopify.products") == 1
    systems.shop.switches.internal_errors = 100
    with pytest.raises(ServerFault):
        read(systems, "shopify.products")


@pytest.mark.parametrize(
    ("state", "error"),
    [("frozen", Refused), ("forbidden", AccessDenied), ("locked", Refused), ("inactive", Refused)],
)
def test_a_shop_that_is_shut_is_refused(systems: Systems, state: str, error: type[Exception]) -> None:
    """Each way of being shut comes as an error that does not pass by itself."""
    systems.shop.switches.state = state
    with pytest.raises(error):
        read(systems, "shopify.products")


def test_wrong_credentials_and_a_wrong_shop(systems: Systems) -> None:
    """They are told apart, and the check says so without raising."""
    shop = systems.shopify(secrets={"access_token": "shpat_wrong"})
    with pytest.raises(BadCredentials):
        list(shop.read("shopify.products", Window()))
    assert detail(shop.check(), "credentials")[0] is False
    lost = systems.shopify(settings={"version": "nonsense"})
    with pytest.raises(NotFound, match="address"):
        list(lost.read("shopify.products", Window()))


def test_a_bad_document_is_our_mistake(systems: Systems) -> None:
    """It is not repeated."""
    with pytest.raises(Invalid, match="nonsense"):
        systems.shopify().ask("query Bad { nonsense }", {})
    assert systems.arrived("shopify") == 1


def test_a_token_by_client_credentials_lasts_a_day(systems: Systems) -> None:
    """The app's token is asked for, used, and asked for again when it has ended."""
    secrets = {"client_id": "practice-shop-app", "client_secret": "practice-shop-secret"}
    shop = systems.shopify(secrets=secrets)
    assert shop.check().ok and shop.check().ok
    assert systems.shop.requests()["token"] == 1
    systems.clock.advance(86_400)
    assert shop.check().ok
    assert systems.shop.requests()["token"] == 2


def test_the_check_names_what_does_not_fit(systems: Systems) -> None:
    """Currency, zone and shop of the connection are compared with the shop's own."""
    scopes(systems, FEW)
    shop = systems.shopify(currency="USD", zone="America/New_York", account="other.myshopify.com")
    check = shop.check()
    assert not check.ok
    assert {i.what for i in check.items if i.ok is False} == {"currency", "zone", "shop"}
    assert detail(check, "scope read_all_orders")[0] is None
    assert replace(check, items=()).ok
