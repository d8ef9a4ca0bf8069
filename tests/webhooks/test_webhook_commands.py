"""Subscriptions and the inbox from the command line."""

from __future__ import annotations

import json

import pytest
import webhook_kit as kit

from crosswalk.clock import SystemClock
from crosswalk.console import main
from crosswalk.runs import listening
from crosswalk.sandbox.control import Started
from crosswalk.store import inbox
from crosswalk.store.inbox import Arrival


@pytest.fixture
def here(place: kit.Place, monkeypatch: pytest.MonkeyPatch) -> kit.Place:
    monkeypatch.chdir(place.house.settings.home)
    return place


def run(*words: str) -> int:
    return main.run(list(words))


def test_subscriptions_are_made_once_and_a_vanished_one_is_found(
    here: kit.Place, webhook_practice: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    """Register subscribes to what the bindings read, again without harm; check names what vanished, and ends with 1."""
    at = ("--address", here.address)
    assert run("webhooks", "register", "shop", *at) == 0
    assert run("webhooks", "register", "shop", *at) == 0
    assert "0 subscriptions made, 6 were there" in capsys.readouterr().out
    assert run("webhooks", "check", "shop", *at) == 0
    webhook_practice.control.call("shopify.webhooks.remove_all")
    assert run("webhooks", "check", "shop", *at) == 1
    assert "ORDERS_UPDATED" in capsys.readouterr().out
    assert run("webhooks", "list", "shop") == 0
    assert run("webhooks", "register", "books", *at) == 0
    assert "developer.xero.com" in capsys.readouterr().out


def test_a_webhook_that_is_silent_against_its_rhythm_is_found(here: kit.Place) -> None:
    """An event every ten minutes for hours, then none for three hours: silent. Until then: not."""
    shop = here.house.settings.connection("shop")
    clock = SystemClock()
    now = clock.now().timestamp()

    def came(ago: float) -> None:
        at = clock.now().fromtimestamp(now - ago, clock.now().tzinfo)
        one = Arrival(shop.key, f"d{ago}", "", "orders/updated", "shopify.orders", "gid://shopify/Order/1", at)
        inbox.keep(here.store, [one])

    for number in range(30):
        came(3 * 3600 + number * 600)
    main.run(["webhooks", "register", "shop", "--address", here.address])
    (finding,) = listening.check(here.house, shop, here.address)
    assert (finding.kind, finding.topic) == ("silent_webhook", "shopify.orders")
    came(60)
    assert listening.check(here.house, shop, here.address) == []


def test_the_inbox_tells_what_waits_and_why(here: kit.Place, capsys: pytest.CaptureFixture[str]) -> None:
    """What failed is listed with its reason and tried again on demand; an event's fate is shown by its id."""
    hint = json.dumps({"admin_graphql_api_id": "gid://shopify/Order/1"}).encode()
    here.post("/hooks/shop", hint, kit.shopify_headers(hint))
    inbox.gather(here.store, here.server().readers)
    scope = here.house.settings.binding("orders").scope
    for _ in range(inbox.LASTING_TRIES):
        inbox.failed(
            here.store,
            scope,
            "shopify.orders",
            ["gid://shopify/Order/1"],
            "no such field",
            SystemClock().now(),
            lasting=True,
        )
    assert run("inbox", "list") == 0
    told = capsys.readouterr().out
    assert "left to a person" in told and "no such field" in told
    from crosswalk.store import inbox_look

    (event,) = inbox_look.events(here.store)
    assert run("inbox", "show", event.id) == 0
    assert "left to a person" in capsys.readouterr().out
    assert run("inbox", "retry", "orders") == 0
    assert "1 will be tried again" in capsys.readouterr().out
    assert run("inbox", "show", "nothing") == 2
