"""Systems that are away, seen from a run: what is asked of them, what waits, where the cursor stands, how it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from practising import Ground, sqlite_ground  # noqa: F401 - a fixture

from crosswalk.errors import Away
from crosswalk.runs import body, draining
from crosswalk.runs.session import Request, Session
from crosswalk.store import cursors, runs
from crosswalk.store.breakers import LIMIT, Breakers
from mappings.shopify_customers_to_xero_contacts import INTEGRATION as CUSTOMERS


@pytest.fixture(name="ground")
def _ground(sqlite_ground: Ground) -> Ground:  # noqa: F811
    return sqlite_ground


def asked(ground: Ground, system: str = "xero") -> int:
    return int(ground.control.counts()[system]["total"])


def cursor(ground: Ground, session: Session) -> Any:
    return cursors.read(ground.store, session.scope, session.resource).value


def last(ground: Ground, binding: str = "customers") -> Any:
    return runs.last(ground.store, ground.house().settings.binding(binding).scope)


def drain(ground: Ground, binding: str = "customers") -> draining.Drained | None:
    return draining.drain(ground.session(binding))


def test_a_target_that_is_away_is_asked_five_times_and_the_rest_waits(ground: Ground) -> None:
    """The run reads on, moves its cursor and ends queued; nothing is asked until the probe; then a drain sends all."""
    ground.fresh(orders=30)
    ground.control.add_fault("xero", "status", status=503)
    account = ground.run("customers")
    assert asked(ground) == LIMIT and account.read and account.waiting == account.queued > 0
    assert "records wait to be delivered, the oldest since 2026-11-23" in account.queue()
    assert "books is away since" in account.stopped and last(ground).state == "queued"
    assert cursor(ground, ground.session("customers")) is not None
    again = ground.run("customers")
    assert asked(ground) == LIMIT and again.waiting == account.waiting
    ground.control.clear_faults()
    done = drain(ground)
    assert done is not None and done.left.count and "is tried again at" in done.stopped and asked(ground) == LIMIT
    ground.clock.advance(40)
    done = drain(ground)
    assert done is not None and (done.delivered, done.left.count, done.stopped) == (account.waiting, 0, "")
    assert drain(ground) is None and Breakers(ground.store).outages() == []
    ground.run("orders")
    ground.later().run("orders")
    assert ground.verdict() == []


def test_a_fault_that_passes_and_what_is_refused_or_limited_open_nothing(ground: Ground) -> None:
    """Four faults in a row, then an answer; refusals and limits however many: the breaker stays closed."""
    ground.fresh(orders=12)
    ground.control.add_fault("xero", "status", status=503, times=LIMIT - 1)
    ground.control.add_fault("xero", "status", status=429, retry_after=1, times=20)
    ground.run("customers")
    assert Breakers(ground.store).outages() == []
    ground.control.add_fault("xero", "status", method="PUT", status=400, times=10)
    ground.later()
    for id_ in ground.control.ids("customers")[:3]:
        ground.control.edit("customers", id_, {"displayName": f"Changed {id_[-3:]}"})
    ground.later().run("customers")
    assert Breakers(ground.store).outages() == []


def test_an_outbox_that_is_full_stops_the_reading(ground: Ground) -> None:
    """Beyond outbox_limit nothing more is read and the cursor stays; when it has drained, reading goes on."""
    ground.fresh(orders=40)
    there = len(ground.control.effects()["contacts"])
    small = replace(CUSTOMERS, outbox_limit=5, chunk_rows=6)
    ground.control.add_fault("xero", "status", status=503)
    first = ground.session("customers", integration=small)
    account = body.run(first)
    assert account.stopped and "the outbox is full" in account.stopped and account.waiting >= 5
    read, stands = account.read, cursor(ground, first)
    again = body.run(ground.session("customers", integration=small))
    assert again.read == 0 and cursor(ground, first) == stands and last(ground).state == "queued"
    ground.control.clear_faults()
    ground.clock.advance(40)
    whole = body.run(ground.session("customers", integration=small))
    assert whole.read >= read and whole.waiting == 0 and not whole.stopped
    assert cursor(ground, first) > (stands or first.clock.now().replace(year=2000))
    contacts = Counter(c["name"] for c in ground.control.effects()["contacts"])
    assert whole.states["applied"] == contacts.total() - there and set(contacts.values()) == {1}


def test_a_source_that_is_away_ends_the_run_where_it_stands(ground: Ground) -> None:
    """Nothing is read, the cursor stays, the reason is told, and it is no failure of the run."""
    ground.fresh(orders=12)
    ground.run("customers")
    stands = cursor(ground, ground.session("customers"))
    ground.later()
    ground.control.add_fault("shopify", "status", status=502)
    account = ground.run("customers")
    assert account.read == 0 and "the source could not be read: shop is away since" in account.stopped
    assert last(ground).state == "unread" and cursor(ground, ground.session("customers")) == stands
    before = asked(ground, "shopify")
    ground.run("customers")
    assert asked(ground, "shopify") == before
    ground.control.clear_faults()
    ground.clock.advance(40)
    assert not ground.run("customers").stopped and last(ground).state == "completed"


def test_a_source_that_goes_away_half_way_keeps_what_was_read(ground: Ground) -> None:
    """Pages that came before the outage go their way and are accounted for; the next run reads the rest."""
    ground.fresh(orders=60)
    ground.run("customers")
    session = ground.session("orders")
    ground.control.add_fault("shopify", "status", status=502, contains='"after":"')  # every page but the first
    account = body.run(session)
    assert 0 < account.read < 60 and "could not be read" in account.stopped, account
    ground.control.clear_faults()
    ground.later().run("orders")
    ground.later().run("orders")
    assert ground.verdict() == []


def test_a_record_that_the_target_fails_on_keeps_nothing_else_waiting(ground: Ground) -> None:
    """One record answers 500 each time: the others arrive, and once that is known it opens the breaker no more."""
    ground.fresh(orders=30, options="batch = 1")
    nodes = [ground.control.node("customers", one) or {} for one in ground.control.ids("customers")]
    names = Counter(node["displayName"] for node in nodes)
    name = next(n for n in names if names[n] == 1 and "Visser" in n)
    ground.control.add_fault("xero", "status", method="PUT", contains=name, status=500)
    for _ in range(4):
        ground.run("customers")
        ground.clock.advance(400)
    states = ground.states("customers")
    assert states.get("pending", 0) == 0 and states.get("in doubt", 0) <= 1, states
    assert Breakers(ground.store).outages() == []
    ground.control.clear_faults()
    ground.run("customers")
    ground.clock.advance(3600)
    ground.run("customers")
    assert set(ground.states("customers")) <= {"applied", "held"}


def test_a_long_wait_ends_the_run_as_queued(ground: Ground) -> None:
    """A target that asks for an hour is not waited for: the run ends queued, and goes on when the hour is over."""
    ground.fresh(orders=12)
    ground.control.add_fault("xero", "status", method="PUT", status=429, retry_after=3600, times=1)
    began = ground.clock.boot()
    account = ground.run("customers")
    assert account.waiting and last(ground).state == "queued" and ground.clock.boot() - began < 600
    assert Breakers(ground.store).outages() == []
    ground.clock.advance(3600)
    done = drain(ground)
    assert done is not None and done.left.count == 0


def test_reads_at_the_target_are_kept_back_too(ground: Ground) -> None:
    """While the breaker is open a look-up of the target is refused without a request."""
    ground.fresh(orders=2)
    ground.control.add_fault("xero", "status", status=503)
    ground.run("customers")
    count = asked(ground)
    with pytest.raises(Away):
        ground.house().target(ground.house().settings.connection("books")).get("/connections", tenant=False)
    assert asked(ground) == count
    assert Request(since=ground.clock.now()).priority < Request().priority < Request(urgent=True).priority
