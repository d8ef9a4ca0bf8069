"""Who gets in at the practice shop: tokens, versions, shop states, scopes, and customers' data that is withheld."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import httpx
import pytest
from shopify_door import ALL, TOKEN, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid

NAME = "{shop{name}}"
ORDERS = "{orders(first:9,sortKey:ID){nodes{name email customer{id displayName}}}}"


@pytest.fixture
def door(clock: SharedClock) -> Door:
    door = Door(clock)
    door.shop.accounts.install("client", "secret", ALL)
    return door


def get_token(door: Door, accept: str = "application/json", **form: str) -> httpx.Response:
    sent = {"client_id": "client", "client_secret": "secret", "grant_type": "client_credentials", **form}
    return door.send("POST", "/admin/oauth/access_token", data=sent, headers={"Accept": accept})


def test_client_credentials_give_a_token_for_a_day(door: Door) -> None:
    """The token comes with its scopes and 86399 seconds, works 24 hours and is then refused; no refresh."""
    answer = get_token(door).json()
    assert set(answer) == {"access_token", "scope", "expires_in"}
    assert answer["expires_in"] == 86399
    assert set(answer["scope"].split(",")) == ALL
    door.clock.advance(86399)
    assert door.ask(NAME, token=answer["access_token"]).status_code == 200
    door.clock.advance(1)
    assert door.ask(NAME, token=answer["access_token"]).status_code == 401


def test_a_new_token_leaves_the_old_one_valid(door: Door) -> None:
    """Asking again gives another token, and the first one goes on."""
    first, second = (get_token(door).json()["access_token"] for _ in range(2))
    assert first != second
    assert [door.ask(NAME, token=token).status_code for token in (first, second)] == [200, 200]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"client_id": "other"}, "application_cannot_be_found"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": "other"}, "invalid_request"),
    ],
)
def test_wrong_credentials_are_told_apart(door: Door, wrong: dict[str, str], code: str) -> None:
    """A wrong client, secret, grant type or code is a 400 with its own error, as a page unless JSON is asked for."""
    answer = get_token(door, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (400, code)
    page = get_token(door, accept="*/*", **wrong)
    assert page.headers["content-type"].startswith("text/html")
    assert f"Oauth error {code}" in page.text


def test_a_code_is_exchanged_once(door: Door) -> None:
    """The code of a login gives a lasting token, and none the second time."""
    door.shop.accounts.codes["c0de"] = door.shop.accounts.apps["client"]
    body = {"client_id": "client", "client_secret": "secret", "code": "c0de"}
    answer = door.send("POST", "/admin/oauth/access_token", json=body).json()
    door.clock.advance(90 * 86400)
    assert door.ask(NAME, token=answer["access_token"]).status_code == 200
    assert door.send("POST", "/admin/oauth/access_token", json=body).status_code == 400


def test_a_static_token_lasts_until_it_is_revoked(door: Door) -> None:
    """A token made in the shop's admin has no end but its revocation."""
    door.clock.advance(400 * 86400)
    assert door.ask(NAME).status_code == 200
    door.shop.accounts.revoke(TOKEN)
    assert door.ask(NAME).status_code == 401


@pytest.mark.parametrize("token", [None, "shpat_wrong"])
def test_without_a_good_token_nobody_is_answered(door: Door, token: str | None) -> None:
    """No token or a wrong one is HTTP 401 with errors as a string."""
    answer = door.ask(NAME, token=token)
    message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
    assert (answer.status_code, answer.json()) == (401, {"errors": message})


@pytest.mark.parametrize(
    ("state", "status"), [("frozen", 402), ("forbidden", 403), ("locked", 423), ("inactive", 200), ("active", 200)]
)
def test_the_state_of_the_shop_is_a_status(door: Door, state: Any, status: int) -> None:
    """A frozen, forbidden or locked shop answers with its status, an inactive one with SHOP_INACTIVE and 200."""
    door.shop.switches.state = state
    answer = door.ask(NAME)
    assert answer.status_code == status
    if status != 200:
        assert isinstance(answer.json()["errors"], str)
    elif state == "inactive":
        assert answer.json()["errors"][0]["extensions"]["code"] == "SHOP_INACTIVE"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("practice-shop.myshopify.com", 200),
        ("practice-shop.localhost", 200),
        ("127.0.0.1", 200),
        ("other-shop.myshopify.com", 404),
        ("other-shop.localhost", 404),
    ],
)
def test_another_shops_name_is_not_found(door: Door, host: str, status: int) -> None:
    """The host names the shop; another shop's name is 404, for tokens too."""
    answer = door.ask(NAME, host=host)
    assert answer.status_code == status
    if status == 404:
        assert answer.json() == {"errors": "Not Found"}
        assert door.send("POST", "/admin/oauth/access_token", host).status_code == 404


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2026-10", "2026-10"),
        ("2026-01", "2026-01"),
        ("2025-10", "2026-01"),
        ("2019-04", "2026-01"),
        ("unstable", "unstable"),
    ],
)
def test_a_retired_version_falls_forward(door: Door, asked: str, answered: str) -> None:
    """A retired version is answered by the oldest supported one, and only the header tells."""
    answer = door.ask(NAME, version=asked)
    assert (answer.status_code, answer.headers["X-Shopify-API-Version"]) == (200, answered)


@pytest.mark.parametrize("asked", ["2031-01", "2026-11", "latest"])
def test_a_version_that_never_was_is_not_found(door: Door, asked: str) -> None:
    """A version of the future or of no quarter is 404."""
    assert door.ask(NAME, version=asked).status_code == 404


def test_the_version_in_use_retires_with_time(door: Door) -> None:
    """A year and a quarter later the same address is answered by a newer version."""
    door.clock.advance((datetime(2028, 1, 2) - datetime(2026, 11, 23, 9)).total_seconds())
    assert door.ask(NAME).headers["X-Shopify-API-Version"] == "2027-04"


def test_tokens_are_answered_while_a_query_runs(door: Door) -> None:
    """Logging in and being refused wait for no query: the shop may be busy meanwhile."""
    held, done = threading.Event(), threading.Event()

    def busy() -> None:
        with door.shop.lock:
            held.set()
            done.wait(5)

    thread = threading.Thread(target=busy)
    thread.start()
    held.wait(10)
    try:
        assert get_token(door).status_code == 200
        assert door.ask(NAME, token="shpat_wrong").status_code == 401
        assert thread.is_alive()
    finally:
        done.set()
        thread.join()


def test_unknown_addresses_are_not_found(door: Door) -> None:
    """Anything but the served addresses is 404 with the vendor's body."""
    answer = door.send("GET", "/admin/api/2026-10/orders.json", headers={"X-Shopify-Access-Token": TOKEN})
    assert (answer.status_code, answer.json()) == (404, {"errors": "Not Found"})


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        (ORDERS, "read_orders"),
        ("{ordersCount{count}}", "read_orders"),
        ('{order(id:"gid://shopify/Order/1"){id}}', "read_orders"),
        ("{customers(first:1){nodes{id}}}", "read_customers"),
        ("{products(first:1){nodes{id}}}", "read_products"),
        ('{node(id:"gid://shopify/Customer/1"){id}}', "read_customers"),
        ('mutation{customerCreate(input:{email:"a@b.test"}){customer{id}}}', "write_customers"),
    ],
)
def test_a_missing_scope_is_access_denied(clock: SharedClock, query: str, scope: str) -> None:
    """Without its scope a field is ACCESS_DENIED with the required access, at HTTP 200."""
    door = Door(clock, scopes=ALL - {scope, scope.replace("read", "write")})
    error = door.body(query)["errors"][0]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["extensions"]["requiredAccess"] == f"`{scope}` access scope."
    assert error["message"].startswith(f"Access denied for {error['path'][0]} field. Required access: `{scope}`")


def test_a_write_scope_brings_its_read_scope(clock: SharedClock) -> None:
    """write_orders alone may read orders."""
    door = Door(clock, scopes={"write_orders", "read_all_orders"})
    door.order(1)
    assert door.names("") == ["#1001"]


def test_orders_older_than_sixty_days_need_their_own_scope(clock: SharedClock) -> None:
    """Without read_all_orders older orders are on no list, in no count and null by id, without a word."""
    door = Door(clock, scopes=ALL - {"read_all_orders"})
    old = door.order(1, createdAt="2026-09-24T08:59:59Z", updatedAt="2026-11-20T00:00:00Z")
    door.order(2, createdAt="2026-09-24T09:00:00Z")
    assert door.names("") == ["#1002"]
    body = door.body("query($id:ID!){ordersCount{count} order(id:$id){id} nodes(ids:[$id]){id}}", id=old)
    assert body["data"] == {"ordersCount": {"count": 1}, "order": None, "nodes": [None]}
    assert "errors" not in body


def test_a_token_may_lose_a_scope_without_a_word(door: Door) -> None:
    """A token that loses read_all_orders goes on, and its complete listing is complete for less."""
    door.order(1, createdAt="2026-01-01T00:00:00Z")
    door.order(2)
    assert door.names("") == ["#1001", "#1002"]
    door.shop.accounts.rescope(TOKEN, ALL - {"read_all_orders"})
    assert door.names("") == ["#1002"]


def test_the_granted_scopes_can_be_read(door: Door) -> None:
    """currentAppInstallation lists the scopes of the token that asks, read_all_orders or its absence among them."""
    scopes = door.data("{currentAppInstallation{accessScopes{handle}}}")["currentAppInstallation"]["accessScopes"]
    assert {scope["handle"] for scope in scopes} == ALL
    headers = {"X-Shopify-Access-Token": TOKEN}
    listed = door.send("GET", "/admin/oauth/access_scopes.json", headers=headers).json()["access_scopes"]
    assert listed == scopes
    assert door.send("GET", "/admin/oauth/access_scopes.json").status_code == 401


def test_the_shop_tells_its_currency_zone_and_plan(door: Door) -> None:
    """shop carries what a connection is checked against."""
    shop = door.data(
        "{shop{name currencyCode ianaTimezone timezoneAbbreviation myshopifyDomain plan{publicDisplayName}}}"
    )
    assert shop["shop"] == {
        "name": "Practice shop",
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Amsterdam",
        "timezoneAbbreviation": "CET",
        "myshopifyDomain": "practice-shop.myshopify.com",
        "plan": {"publicDisplayName": "Standard"},
    }


def test_denied_customer_data_is_null_with_an_error_at_its_path(door: Door) -> None:
    """Without approval customer and e-mail are null, each with an error; a guest's customer has none."""
    door.order(1, customer={"id": door.customer(1)}, email="anna1@example.test")
    door.order(2)
    door.shop.switches.customer_data = "denied"
    body = door.body(ORDERS)
    assert [node["customer"] for node in body["data"]["orders"]["nodes"]] == [None, None]
    errors = {tuple(error["path"]): error for error in body["errors"]}
    assert ("orders", "nodes", 0, "customer") in errors
    assert ("orders", "nodes", 1, "customer") not in errors
    assert errors[("orders", "nodes", 0, "email")]["extensions"]["code"] == "ACCESS_DENIED"
    assert "not approved to access the Customer object" in errors[("orders", "nodes", 0, "customer")]["message"]


def test_denied_customers_cannot_be_listed(door: Door) -> None:
    """Without approval the customers' list and a customer by id are refused."""
    id_ = door.customer(1)
    door.shop.switches.customer_data = "denied"
    body = door.body("{customers(first:1){nodes{id}}}")
    assert (body["data"], body["errors"][0]["extensions"]["code"]) == (None, "ACCESS_DENIED")
    body = door.body("query($id:ID!){customer(id:$id){id}}", id=id_)
    assert (body["data"]["customer"], body["errors"][0]["path"]) == (None, ["customer"])


def test_silently_withheld_customer_data_looks_like_a_guest(door: Door) -> None:
    """Withheld without a word, a customer's order reads just like a guest's."""
    door.order(1, customer={"id": door.customer(1)}, email="anna1@example.test")
    door.order(2)
    door.shop.switches.customer_data = "silent"
    body = door.body(ORDERS)
    assert "errors" not in body
    known, guest = ({**node, "name": ""} for node in body["data"]["orders"]["nodes"])
    assert known == guest


def test_the_customer_of_an_order_needs_the_customers_scope(clock: SharedClock) -> None:
    """Without read_customers an order's customer is null with an error, and the order is still there."""
    door = Door(clock, scopes=ALL - {"read_customers", "write_customers"})
    door.order(1, customer={"id": gid("Customer", 1)})
    body = door.body(ORDERS)
    assert body["data"]["orders"]["nodes"][0] == {"name": "#1001", "email": None, "customer": None}
    assert body["errors"][0]["extensions"]["requiredAccess"] == "`read_customers` access scope."
