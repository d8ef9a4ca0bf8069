"""From an edit in the shop to the books, through a really sent webhook, without a poll."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import webhook_kit as kit
from sqlalchemy import func, select

from crosswalk.connectors import shopify_webhooks
from crosswalk.runs import body, loading
from crosswalk.runs.account import FATES, Account
from crosswalk.runs.session import Request, Session
from crosswalk.sandbox.control import Control, Started
from crosswalk.store import inbox, inbox_look, ledger
from crosswalk.store.tables_inbox import OVERTAKEN


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


class Later:
    """A clock that is ahead."""

    def __init__(self, clock: Any, seconds: float) -> None:
        self._clock, self._ahead = clock, timedelta(seconds=seconds)

    def now(self) -> datetime:
        found: datetime = self._clock.now() + self._ahead
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


def pieces(place: kit.Place, control: Control) -> None:
    """Everything that the shop has sent is here."""
    kit.until(lambda: control.call("shopify.webhooks.waiting") == 0)
    kit.SystemClock().sleep(0.5)


def verdict(control: Control) -> list[str]:
    return [line for line in control.verdict("S1") if "guests" not in line]


def test_a_poll_finds_what_webhooks_lost_and_says_how_many(place: kit.Place, webhook_practice: Started) -> None:
    """With deliveries dropped and doubled the books agree after one poll, whose account counts the records missed."""
    control = webhook_practice.control
    control.reset(orders=12, cases=None, seed=3)
    for binding in ("customers", "orders"):
        body.run(place.house.session(binding, Request()))
    subscribe(place)
    edited = control.ids("orders")
    control.edit("orders", edited[0], {"note": "seen"})
    pieces(place, control)
    place.drain()
    control.call("shopify.webhooks.set_faulty", dropped=0.4, doubled=0.2)
    control.changes(share=1.0, seed=7)
    for order in control.ids("orders"):
        control.edit("orders", order, {"note": "edited"})
    pieces(place, control)
    place.drain()
    told = {event.record for event in inbox_look.events(place.store, limit=1000)}
    lost = set(control.ids("orders")) - told
    assert lost, "the seed drops none"
    accounts = []
    for binding in ("customers", "orders"):
        poll = place.house.session(binding, Request())
        poll.clock = Later(poll.clock, 90)  # the poll comes when its window has settled
        poll.source.now = poll.clock.now  # type: ignore[method-assign]
        accounts.append(body.run(poll))
    assert verdict(control) == []
    assert accounts[1].missed == len(lost)


def test_events_are_worked_beside_a_run_of_the_same_binding(place: kit.Place, webhook_practice: Started) -> None:
    """While a long run holds the binding's lease and sends, an event's record is delivered; both accounts balance."""
    control = webhook_practice.control
    control.reset(orders=30, cases=None, seed=3)
    subscribe(place, "ORDERS_UPDATED")
    body.run(place.house.session("customers", Request()))
    long = place.house.session("orders", Request())
    worked: list[int] = []

    def beside(account: Account) -> None:
        if worked:
            return
        number = control.ids("orders")[0]
        control.edit("orders", number, {"note": "changed while the run goes on"})
        pieces(place, control)
        worked.append(place.drain())
        with place.store.reading() as connection:
            # What the events' batch took over is written down for the run that had planned it.
            assert connection.execute(select(func.count()).where(OVERTAKEN.c.run == long.run)).scalar_one() == 2

    def load(run: Session, validated: Any, chunk: Any) -> None:
        loading.commit(run, validated, chunk)
        chunk.committed = True
        beside(body.sketch(run))
        body.load_chunk(run, validated, chunk)

    account = body.run(long, body.Steps(load=load))
    assert worked == [2]
    assert inbox_look.age(place.store).waiting == 0
    assert account.parts == sum(getattr(account, fate) for fate in FATES)
    assert verdict(control) == []


def test_a_child_that_comes_first_waits_for_its_parent(place: kit.Place, webhook_practice: Started) -> None:
    """Orders arrive before their customers: they are parked, and go on when the customers' events are worked."""
    control = webhook_practice.control
    control.reset(orders=4, cases=None, seed=3)
    for collection in ("orders", "customers"):
        topic = f"{collection}/create"
        for gid in control.ids(collection):
            hint = json.dumps({"admin_graphql_api_id": gid}).encode()
            assert place.post("/hooks/shop", hint, kit.shopify_headers(hint, topic))[0] == 200
        kit.SystemClock().sleep(0.4)
        place.drain()
        if collection == "orders":
            states = ledger.states(place.store, place.house.settings.binding("orders").scope)
            assert states.get("parked", 0) > 0
    states = ledger.states(place.store, place.house.settings.binding("orders").scope)
    assert states.get("applied", 0) > 0
    assert states.get("parked", 0) <= 1  # guests' orders wait for the contact that a poll brings


def test_a_fetch_that_fails_is_tried_again_and_loses_nothing(place: kit.Place, webhook_practice: Started) -> None:
    """While the shop is frozen the record waits with the reason; afterwards it is worked. A vanished one is gone."""
    control = webhook_practice.control
    control.reset(orders=2, cases=None, seed=3)
    gid = control.ids("orders")[0]
    for key in (gid, "gid://shopify/Order/999"):
        hint = json.dumps({"admin_graphql_api_id": key}).encode()
        place.post("/hooks/shop", hint, kit.shopify_headers(hint))
    kit.SystemClock().sleep(0.4)
    control.set("shopify.switches.state", "frozen")
    place.drain()
    rows = inbox_look.errands(place.store)
    assert rows and all(r.asked > r.served and r.tries == 1 and "frozen" in r.last_error for r in rows)
    control.set("shopify.switches.state", "active")
    inbox.retry(place.store)
    place.drain()
    scope = place.house.settings.binding("orders").scope
    outcomes = {r.key: r.outcome for r in inbox_look.errands(place.store, scope, everything=True)}
    assert outcomes == {gid: "worked", "gid://shopify/Order/999": "gone"}


def test_the_practice_books_accept_the_receiver_and_tell_it_of_changes(
    place: kit.Place, webhook_practice: Started
) -> None:
    """The intent to receive ends with OK, a wrong key does not; changed contacts arrive as events."""
    control = webhook_practice.control
    control.reset(orders=3, cases=None, seed=3)
    url = f"{place.address}/hooks/books"
    assert control.call("xero.webhooks.configure", url, "another key") != "OK"
    assert control.call("xero.webhooks.configure", url, kit.XERO_KEY) == "OK"
    body.run(place.house.session("customers", Request()))
    sent = control.call("xero.webhooks.send")
    events = inbox_look.events(place.store, limit=100)
    assert sent == len(events) > 0
    assert {event.resource for event in events} == {"xero.contacts"}
    inbox.gather(place.store, place.server().readers)
    assert {event.state for event in inbox_look.events(place.store)} == {"unused"}  # no binding reads the books
