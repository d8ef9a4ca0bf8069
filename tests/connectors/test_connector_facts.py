"""What holds for every connector: its facts are complete, and it behaves as the engine relies on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from practice_systems import Systems

from crosswalk.connectors.base import Connector, Item, Key, LookUp, Operation, System, Window, address, cut, hosts
from crosswalk.connectors.facts import Resource, Safe
from crosswalk.connectors.shopify import SYSTEM as SHOPIFY
from crosswalk.connectors.xero import SYSTEM as XERO
from crosswalk.errors import SettingsError
from crosswalk.settings import Connection

SYSTEMS = (SHOPIFY, XERO)
RESOURCES = [(system, resource) for system in SYSTEMS for resource in system.resources.values()]
WRITES = [(resource, operation) for _, resource in RESOURCES for operation in resource.operations]


def connector(systems: Systems, system: System) -> Connector:
    return systems.shopify() if system is SHOPIFY else systems.xero()


@pytest.mark.parametrize(("system", "resource"), RESOURCES, ids=lambda x: x.name)
def test_a_resource_belongs_to_its_system_and_says_how_it_changes(system: System, resource: Resource) -> None:
    """Its record carries the system's name, its cursor the record's version; its scopes are the system's."""
    assert resource.name.startswith(f"{system.name}.") and system.resource(resource.name) is resource
    assert resource.key in resource.record
    assert set(resource.scopes) <= set(system.scopes)
    if resource.stream == "cursor column":
        assert resource.record.version in resource.record and resource.order == "keyset"
        assert resource.lookback > resource.grain and resource.settle > 0


@pytest.mark.parametrize(("resource", "operation"), WRITES, ids=lambda x: x.name)
def test_a_write_says_how_often_it_may_be_sent(resource: Resource, operation: Operation) -> None:
    """A key that lives under a day has a look-up beside it, and absence its time; answers are matched by a name."""
    repeat = operation.repeat
    assert isinstance(repeat, Safe | Key | LookUp)
    if isinstance(repeat, Key) and repeat.life < 86_400:
        assert repeat.lookup and repeat.settles_after > 0
    assert not operation.marker or operation.marker in resource.record
    assert resource.matched_by and resource.found_by
    assert operation.batch == 1 or "{id}" not in operation.path


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
def test_a_window_in_the_future_is_empty(systems: Systems, system: System) -> None:
    """Nothing is read twice, nothing invented: one empty page for every resource."""
    later = systems.clock.now() + timedelta(days=400)
    spoken = connector(systems, system)
    for resource in system.resources.values():
        if resource.stream != "none":
            [page] = spoken.read(resource.name, Window(later, later + timedelta(days=1)))
            assert page.records == [] and page.resume is None


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
def test_nothing_asked_is_no_request(systems: Systems, system: System) -> None:
    """An empty list of ids or items costs no request of its own."""
    spoken = connector(systems, system)
    spoken.now()
    before = systems.arrived(system.name)
    for resource in system.resources.values():
        if system is XERO:
            assert spoken.fetch(resource.name, []) == [] and spoken.current(resource.name, []) == {}
            assert spoken.look_up(resource.name, "create", []) == []
    assert systems.arrived(system.name) == before


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
def test_credentials_go_nowhere_else(systems: Systems, system: System) -> None:
    """A request to another host is refused before anything leaves."""
    with pytest.raises(SettingsError, match="may talk to"):
        connector(systems, system).client.request("GET", "https://elsewhere.example/")


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
def test_an_unknown_name_is_refused_with_those_there_are(systems: Systems, system: System) -> None:
    """Resources and operations alike."""
    spoken = connector(systems, system)
    with pytest.raises(SettingsError, match=f"{system.name}\\."):
        spoken.read("nonsense", Window())
    with pytest.raises(SettingsError, match="cannot be written"):
        spoken.operation(next(iter(system.resources)), "explode")


def test_addresses_follow_the_connection() -> None:
    """The vendor's own hosts, or those of a practice copy with the same paths."""
    shop = Connection("shop", "shopify", "production", "my-shop.myshopify.com")
    assert address(SHOPIFY, shop, SHOPIFY.url) == "https://my-shop.myshopify.com"
    assert address(SHOPIFY, shop, SHOPIFY.auth[0].token_url) == "https://my-shop.myshopify.com/admin/oauth/access_token"
    assert hosts(SHOPIFY, shop) == ("my-shop.myshopify.com",)
    practice = Connection("books", "xero", "sandbox", "t", settings={"url": "http://127.0.0.1:8801/"})
    assert address(XERO, practice, XERO.url) == "http://127.0.0.1:8801"
    assert address(XERO, practice, XERO.auth[0].token_url) == "http://127.0.0.1:8801/connect/token"
    assert address(XERO, practice, XERO.auth[0].authorize_url) == "http://127.0.0.1:8801/identity/connect/authorize"
    assert hosts(XERO, practice) == ("127.0.0.1",)


def test_cutting_keeps_order_and_bounds() -> None:
    """By members, by bytes, by group; an item that is too large by itself goes alone."""
    items = [Item(str(n), "", {}) for n in range(6)]
    operation = Operation("create", Safe(), "PUT", "/x", batch=3, max_bytes=10)
    cuts = cut(items, [4, 4, 4, 20, 1, 1], ["a", "a", "a", "a", "a", "b"], operation)
    assert [[i.key for i in group] for group in cuts] == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
