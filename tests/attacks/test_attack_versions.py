"""Versions, windows and clocks: attacks 1.7 to 1.10 and 1.13 on the practice business, through the real engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from practising import BEGIN, Ground, at_point, counted, kill_self, number
from sqlalchemy import select

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.connectors import shopify
from crosswalk.integration import find
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.store.tables import CURSOR, HELD, RECORD

ORDERS = find("shopify_orders_to_xero_invoices")


def one_order(ground: Ground) -> dict[str, Any]:
    """A business of one unpaid order, delivered; the order's node."""
    ground.fresh("pending").whole()
    [order] = ground.orders()
    return order


def reference(ground: Ground, order: dict[str, Any]) -> str:
    return str(ground.invoices()[f"S1-{number(order['id'])}"]["reference"])


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings come in pages of five, so that a small business has several."""
    monkeypatch.setattr(shopify, "FIRST_PAGE", 5)
    monkeypatch.setattr(shopify, "LARGEST_PAGE", 5)


def version(ground: Ground, order: dict[str, Any], name: str, minutes: int) -> dict[str, Any]:
    """The order under another name, changed so many minutes after the beginning."""
    at = (BEGIN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {**order, "name": name, "updatedAt": at}


def test_1_7_a_listing_that_lags_does_not_bring_an_older_version_back(ground: Ground) -> None:
    """Version 2, read by id, is delivered; version 1, listed later, is counted as stale and not sent."""
    order = one_order(ground)
    ground.control.put("orders", version(ground, order, "#second", 8))
    ground.run(ids=(order["id"],))
    assert reference(ground, order) == "#second"
    ground.control.put("orders", version(ground, order, "#first", 4))
    ground.later(1200)
    account = ground.run(ids=(order["id"],))
    assert reference(ground, order) == "#second"
    assert account.skipped_by.get("stale version")
    assert account.updated == 0


def test_1_7_a_version_between_two_alike_is_stale(ground: Ground) -> None:
    """A, then again A with a newer version: a B from between the two comes too late."""
    order = one_order(ground)
    ground.control.put("orders", version(ground, order, order["name"], 9))
    assert ground.run(ids=(order["id"],)).unchanged
    ground.control.put("orders", version(ground, order, "#between", 5))
    ground.run(ids=(order["id"],))
    assert reference(ground, order) == order["name"]


def test_1_7_two_versions_in_one_run_leave_the_newer(ground: Ground, small_pages: None) -> None:
    """An order that changes while its listing is read comes twice: the newer version stands, the account adds up."""
    ground.fresh(*["pending"] * 14)
    ground.run("customers")
    # The first page is out; its first order changes and comes again at the end.
    first_listed = _listed(ground)[0]

    def edit() -> None:
        node = ground.control.node("orders", first_listed)
        at = (BEGIN - timedelta(minutes=2)).isoformat().replace("+00:00", "Z")
        ground.control.put("orders", {**node, "name": "#moved", "updatedAt": at})  # type: ignore[dict-item]

    points.install(at_point("store:plan", 1, edit))
    account = body.run(ground.session(integration=replace(ORDERS, chunk_rows=5)))
    points.install(None)
    assert account.duplicate == 1 and account.read == 15, account
    assert ground.invoices()[f"S1-{number(first_listed)}"]["reference"] == "#moved"
    assert ground.verdict() == []


def _listed(ground: Ground) -> list[str]:
    """The orders as a listing by their last change shows them."""
    nodes = [ground.control.node("orders", one) for one in ground.control.ids("orders")]
    return [n["id"] for n in sorted((n for n in nodes if n), key=lambda n: (n["updatedAt"], n["id"]))]


@pytest.mark.parametrize(("point", "there"), [("http:after-answer", False), ("store:plan", True)])
def test_1_8_held_rows_wanted_rows_and_cursor_stand_or_fall_together(ground: Ground, point: str, there: bool) -> None:
    """A kill on either side of a chunk's commit finds all of its outcome in the store, or nothing."""
    ground.fresh("bad_date", "locked", "test_order", "pending")
    ground.run("customers")
    # The second answer of the orders' run is its page; the commit of its plan follows.
    before = _reads(ground)
    hook = at_point(point, 1, kill_self)

    def reached(name: str) -> None:
        if name != "http:after-answer" or _reads(ground) > before:
            hook(name)

    assert ground.child(ground.run, reached) == -9, ground.errors()
    scope = ground.house().settings.binding("orders").scope
    with ground.store.reading() as connection:
        counts = [
            len(connection.execute(select(table.c.scope).where(table.c.scope == scope)).all())
            for table in (HELD, CURSOR)
        ]
        states = connection.execute(
            select(RECORD.c.key, RECORD.c.skipped, RECORD.c.held).where(RECORD.c.scope == scope)
        )
        keys = {row.key for row in states}
    assert counts == ([1, 1] if there else [0, 0])
    assert len(keys) == (4 if there else 0)
    ground.later().whole()
    assert ground.verdict() == []


def _reads(ground: Ground) -> int:
    asked = ground.control.requests("shopify")
    return len([r for r in asked if r["path"].endswith("graphql.json")])


@pytest.mark.parametrize(("chunk", "moved"), [(1, 0), (1, -1), (2, 12), (3, 14), (4, 3)])
def test_1_9_an_order_that_moves_past_the_page_is_read(
    sqlite_ground: Ground, small_pages: None, chunk: int, moved: int
) -> None:
    """An order changes while its listing is read, before or behind the page: none is lost, none is skipped."""
    ground = sqlite_ground.fresh(*["pending"] * 24)
    ground.run("customers")
    order = _listed(ground)[moved]
    at = (BEGIN - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    changed = {**(ground.control.node("orders", order) or {}), "name": "#moved", "updatedAt": at}
    points.install(at_point("store:plan", chunk, lambda: ground.control.put("orders", changed)))
    account = body.run(ground.session(integration=replace(ORDERS, chunk_rows=5)))
    points.install(None)
    assert account.distinct == 24
    assert ground.invoices()[f"S1-{number(order)}"]["reference"] == "#moved"
    assert ground.verdict() == []


def test_1_9_an_order_that_comes_twice_alike_is_counted_once(ground: Ground, small_pages: None) -> None:
    """Only the instant of its change moved while the listing was read: delivered once, a duplicate, and it adds up."""
    ground.fresh(*["pending"] * 14)
    ground.run("customers")
    order = _listed(ground)[0]
    at = (BEGIN - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    touched = {**(ground.control.node("orders", order) or {}), "updatedAt": at}
    points.install(at_point("store:plan", 1, lambda: ground.control.put("orders", touched)))
    account = body.run(ground.session(integration=replace(ORDERS, chunk_rows=5)))
    points.install(None)
    assert (account.read, account.distinct, account.duplicate) == (15, 14, 1)
    assert account.created == account.parts - account.skipped
    assert account.unchanged == 0


def test_1_9_a_kill_inside_a_window_goes_on_where_the_last_chunk_stands(ground: Ground, small_pages: None) -> None:
    """The cursor of a keyset moves with every chunk: after a kill the rest of the window is read, and all of it."""
    ground.fresh(*["pending"] * 24)
    ground.run("customers")

    def work() -> None:
        body.run(ground.session(integration=replace(ORDERS, chunk_rows=5)))

    ground.killed("store:plan", 3, work)
    scope = ground.house().settings.binding("orders").scope
    with ground.store.reading() as connection:
        cursor = connection.execute(select(CURSOR.c.value).where(CURSOR.c.scope == scope)).scalar_one()
    nodes = [ground.control.node("orders", one) for one in _listed(ground)]
    assert cursor == datetime.fromisoformat(nodes[14]["updatedAt"])  # type: ignore[index]
    account = ground.run()
    assert account.read < 15
    assert ground.verdict() == []


@dataclass
class Ahead:
    """Our own clock, wrong by so many seconds."""

    clock: SharedClock
    seconds: float

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.seconds)

    def boot(self) -> float:
        return self.clock.boot()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


@pytest.mark.parametrize("skew", [1800, -1800], ids=["ahead", "behind"])
def test_1_10_the_window_is_cut_by_the_vendors_clock(ground: Ground, skew: float) -> None:
    """Our clock is half an hour wrong: an order that changes a minute after the run is still read by the next one."""
    import houses

    ground.fresh("pending").whole()
    clock = Ahead(ground.clock, skew)
    settings = houses.house(ground.folder, ground._started, ground.clock, store=ground.store_url)
    settings.close()

    def run() -> None:
        house = houses.house(ground.folder, ground._started, clock, store=ground.store_url)
        ground._houses.append(house)
        body.run(house.session("orders", Request()))

    [order] = ground.orders()
    run()
    ground.later(60)
    ground.control.edit("orders", order["id"], {"name": "#late"})
    ground.later(1300)
    run()
    assert reference(ground, order) == "#late"


def test_1_13_a_create_in_doubt_is_known_before_its_removal_goes_out(ground: Ground) -> None:
    """The order is cancelled while the answer to its invoice is lost: the invoice is found, then voided."""
    ground.fresh("pending")
    ground.run("customers")
    assert ground.child(ground.run, counted(ground, "PUT /Invoices", kill_self)) == -9
    [order] = ground.orders()
    ground.control.edit("orders", order["id"], {"cancelledAt": "2026-11-23T09:00:10Z"})
    ground.later().run()
    [invoice] = ground.invoices().values()
    assert invoice["status"] == "VOIDED"
    assert set(ground.states()) <= {"removed", "skipped"}


def test_1_13_what_was_removed_and_comes_back_alike_is_not_unchanged(ground: Ground) -> None:
    """Voided and restored with the content it had: Xero cannot bring it back, so a person is told, not nobody."""
    order = one_order(ground)
    ground.control.edit("orders", order["id"], {"cancelledAt": "2026-11-23T09:00:10Z"})
    ground.later().run()
    assert ground.states()["removed"] == 1
    ground.control.edit("orders", order["id"], {"cancelledAt": None})
    account = ground.later(700).run()
    assert account.unchanged == 0 and account.held == 1
    [held] = ground.held()[-1:]
    assert held.key == order["id"] and held.step == "load"
