"""The inbox on both engines: kept once, one errand a record, served only with its effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crosswalk.clock import SharedClock
from crosswalk.store import inbox, inbox_look
from crosswalk.store.engine import Store
from crosswalk.store.inbox import Arrival, Count

SHOP = "sandbox/shop/practice"
SCOPE = "sandbox/orders/shop:practice/books:org"
ORDERS = "shopify.orders"


def arrival(store: Store, delivery: str, record: str = "o1", content: str = "", body: bytes = b"") -> Arrival:
    return Arrival(SHOP, delivery, content, "orders/updated", ORDERS, record, store.clock.now(), body=body)


def readers(account: str, resource: str) -> list[str]:
    return [SCOPE] if (account, resource) == (SHOP, ORDERS) else []


def keep(store: Store, *arrivals: Arrival) -> list[bool]:
    return [kept.again for kept in inbox.keep(store, arrivals)]


def test_a_delivery_is_kept_once(store: Store) -> None:
    """The same delivery or content in one commit or in two is one event, and the first one's id answers for all."""
    first = arrival(store, "d1", content="c1")
    assert keep(store, first, arrival(store, "d1", content="c1"), arrival(store, "d2", content="c1")) == [
        False,
        True,
        True,
    ]
    (again,) = inbox.keep(store, [arrival(store, "d3", content="c1")])
    assert (again.id, again.again) == (first.id, True)
    (event,) = inbox_look.events(store)
    assert event.times == 4


def test_counts_are_kept_with_nothing_else(store: Store) -> None:
    """What was refused is counted by kind, again and again."""
    for _ in range(2):
        inbox.keep(store, [], [Count(SHOP, "forged", 3, "the signature does not fit")])
    assert inbox_look.tallies(store, SHOP)["forged"].count == 6


def test_events_of_a_record_are_one_errand(store: Store) -> None:
    """Three events about two records ask for two readings; gathering again changes nothing; nobody reads customers."""
    keep(store, arrival(store, "d1"), arrival(store, "d2"), arrival(store, "d3", "o2"))
    other = Arrival(SHOP, "d4", "", "customers/update", "shopify.customers", "c1", store.clock.now())
    inbox.keep(store, [other])
    assert inbox.gather(store, readers) == 4
    assert inbox.gather(store, readers) == 0
    due = inbox.due(store, SCOPE, store.clock.now(), 10)
    assert {row.key: row.asked for row in due} == {"o1": 2, "o2": 3}
    assert [e.state for e in inbox_look.events(store)] == ["unused", "gathered", "gathered", "gathered"]


def test_an_event_during_the_reading_is_read_for_again(store: Store) -> None:
    """A reading serves the events up to when it began; one that comes meanwhile stays open."""
    keep(store, arrival(store, "d1"))
    inbox.gather(store, readers)
    numbers = inbox.asked(store, SCOPE, ORDERS, ["o1"])
    keep(store, arrival(store, "d2"))
    inbox.gather(store, readers)
    with store.transaction("test") as connection:
        inbox.serve(connection, SCOPE, ORDERS, numbers, "run", store.clock.now())
    assert inbox.unserved(store, SCOPE, ORDERS, numbers) == []
    assert [row.key for row in inbox.due(store, SCOPE, store.clock.now(), 10)] == ["o1"]


def test_an_errand_is_not_served_by_a_transaction_that_is_undone(store: Store) -> None:
    """Marking and effect stand or fall together."""
    keep(store, arrival(store, "d1"))
    inbox.gather(store, readers)
    numbers = inbox.asked(store, SCOPE, ORDERS, ["o1"])
    with pytest.raises(ZeroDivisionError), store.transaction("test") as connection:
        inbox.serve(connection, SCOPE, ORDERS, numbers, "run", store.clock.now())
        _ = 1 / 0
    assert inbox.unserved(store, SCOPE, ORDERS, numbers) == ["o1"]


def test_what_fails_waits_longer_each_time_and_is_left_to_a_person(store: Store, clock: SharedClock) -> None:
    """Five seconds, ten, twenty; after eight lasting failures it is dead, until a retry or a new event."""
    keep(store, arrival(store, "d1"))
    inbox.gather(store, readers)
    for tries in range(inbox.LASTING_TRIES):
        assert inbox.due(store, SCOPE, clock.now(), 10)
        dead = inbox.failed(store, SCOPE, ORDERS, ["o1"], "no such field", clock.now(), lasting=True)
        assert inbox.due(store, SCOPE, clock.now() + timedelta(seconds=5 * 2**tries - 1), 10) == []
        clock.advance(5 * 2**tries)
    assert dead == 1 and inbox.due(store, SCOPE, clock.now(), 10) == []
    assert inbox_look.age(store, SCOPE).dead == 1
    assert inbox.retry(store, SCOPE) == 1
    assert len(inbox.due(store, SCOPE, clock.now(), 10)) == 1
    for _ in range(inbox.LASTING_TRIES):
        inbox.failed(store, SCOPE, ORDERS, ["o1"], "no such field", clock.now(), lasting=True)
    keep(store, arrival(store, "d2"))
    inbox.gather(store, readers)
    assert len(inbox.due(store, SCOPE, clock.now(), 10)) == 1


def test_one_bad_record_does_not_keep_the_others(store: Store, clock: SharedClock) -> None:
    """What failed together is tried in ever smaller parties, apart from what is fresh."""
    keep(store, *(arrival(store, f"d{n}", f"o{n}") for n in range(8)))
    inbox.gather(store, readers)
    inbox.failed(store, SCOPE, ORDERS, [f"o{n}" for n in range(8)], "boom", clock.now(), lasting=True)
    clock.advance(100)
    keep(store, arrival(store, "new", "fresh"))
    inbox.gather(store, readers)
    assert [row.key for row in inbox.due(store, SCOPE, clock.now(), 8)] == ["fresh"]
    with store.transaction("test") as connection:
        inbox.serve(connection, SCOPE, ORDERS, {"fresh": 9}, "run", clock.now())
    assert len(inbox.due(store, SCOPE, clock.now(), 8)) == 2


def test_what_no_event_told_of_is_named(store: Store, clock: SharedClock) -> None:
    """Changes since the first event without one of their own; one that was told of before it changed again counts."""
    keep(store, arrival(store, "d1", "told"), arrival(store, "d2", "old"))
    clock.advance(3_600)
    now = clock.now()
    keep(store, arrival(store, "d3", "told"))
    changed = {"told": now, "old": now, "never": now, "before": now - timedelta(days=1)}
    assert inbox_look.unannounced(store, SHOP, ORDERS, changed) == ["never", "old"]
