"""Records that wait for the record they hang on: attack 1.16 on the practice business, through the real engine."""

from __future__ import annotations

from datetime import timedelta

from practising import Ground, at_point
from sqlalchemy import update

from crosswalk import points
from crosswalk.runs import body, release
from crosswalk.store.tables import RECORD


def test_1_16_an_order_waits_for_its_contact_and_is_woken_by_it(ground: Ground) -> None:
    """Orders first: everything is parked with what it waits for; the contacts wake it, and nothing is read again."""
    ground.fresh("part_paid", "refund_mixed", "guest")
    account = ground.run("orders")
    assert account.parked == account.parts - account.skipped and account.created == 0
    assert len(account.waits_for) >= 2
    assert set(ground.states()) == {"parked", "skipped"}
    ground.run("customers")
    assert "pending" in ground.states()
    account = ground.later(700).run("orders")
    assert account.read == 0
    assert ground.verdict() == []
    assert set(ground.states()) == {"applied", "skipped"}


def test_1_16_what_waits_too_long_is_held_and_goes_on_when_its_parent_comes(ground: Ground) -> None:
    """After a week the order is held for a person; the contact that comes later releases it by itself."""
    ground.fresh("long_name_order", "guest")
    ground.whole()
    [waiting] = {key for (key, _), r in ground.records().items() if r.state == "parked"}
    ground.clock.advance(timedelta(days=7, hours=1).total_seconds())
    ground.run("orders")
    held = [h for h in ground.held() if h.rule == "parent missing"]
    assert held and all(h.key.endswith(waiting) and "which has not come" in h.reason for h in held)
    assert "parked" not in ground.states()
    [order] = [o for o in ground.orders() if o["id"].endswith(waiting)]
    ground.control.edit(
        "customers", order["customer"]["id"], {"displayName": "Short", "firstName": "Short", "lastName": None}
    )
    ground.later().whole()
    assert set(ground.states()) == {"applied"}
    assert not [h for h in ground.held() if h.rule == "parent missing"]
    assert [i for n, i in ground.invoices().items() if n.endswith(waiting)]


def test_1_16_a_held_order_that_is_read_again_meanwhile_stays_held_until_its_parent_comes(ground: Ground) -> None:
    """Reading the same order again does not begin the week anew."""
    ground.fresh("long_name_order").whole()
    ground.clock.advance(timedelta(days=7, hours=1).total_seconds())
    ground.run("orders")
    [order] = ground.orders()
    account = ground.run("orders", ids=(order["id"],))
    assert account.held and not account.parked


def test_1_16_a_parent_that_comes_in_the_same_moment_is_not_missed(ground: Ground) -> None:
    """A link that is committed between looking for it and parking wakes nobody: the next run finds it by itself."""
    ground.fresh("pending").run("orders")
    parked = {name: r.needs for name, r in ground.records().items() if r.state == "parked"}
    ground.run("customers")
    house = ground.house()
    scope = house.settings.binding("orders").scope
    with house.store.transaction("test") as connection:
        for (key, part), needs in parked.items():
            row = (RECORD.c.scope == scope) & RECORD.c.key.endswith(key) & (RECORD.c.part == part)
            connection.execute(update(RECORD).where(row).values(needs=needs, parked_at=ground.clock.now()))
    assert ground.later(700).run("orders").read == 0
    assert set(ground.states()) <= {"applied", "skipped"}


def test_1_16_a_kill_between_parent_and_waking_loses_nobody(ground: Ground) -> None:
    """The link and the waking are one commit: whatever point the contacts' run is killed at, the orders go on."""
    for nth in (1, 2):
        ground.fresh("pending", "part_paid").run("orders")
        ground.killed("store:settle", nth, lambda: ground.run("customers"))
        ground.later().whole()
        assert ground.verdict() == []


def test_1_16_a_newer_version_of_a_parked_order_is_the_one_that_is_sent(ground: Ground) -> None:
    """What waits is what is wanted now, not what was wanted when the waiting began."""
    ground.fresh("pending").run("orders")
    [order] = ground.orders()
    ground.control.edit("orders", order["id"], {"name": "#newer"})
    ground.later().run("orders")
    ground.whole()
    [invoice] = ground.invoices().values()
    assert invoice["reference"] == "#newer"
    assert ground.wrote()["PUT /Invoices"] == 1


def test_1_16_nobody_is_held_who_still_may_wait(ground: Ground) -> None:
    """A parked order is an account of its own in every run, and no warning."""
    ground.fresh("long_name_order").whole()
    ground.clock.advance(timedelta(days=3).total_seconds())
    current = ground.session()
    account = body.run(current)
    assert release.overdue(current) == 0
    assert account.states["parked"] >= 1 and account.held == 0


def test_1_16_a_child_of_a_parent_in_doubt_waits_for_it(ground: Ground) -> None:
    """The invoice's answer is lost: its payment waits until the look-up has found it, and is made once."""
    ground.fresh("part_paid").run("customers")
    ground.control.use_faults("xero", [{"kind": "lost_answer", "method": "PUT", "path": "*/Invoices"}])
    account = ground.run("orders")
    assert account.queued >= 1 and account.queued + account.parked == 2 and ground.payments() == []
    ground.control.clear_faults()
    points.install(at_point("store:settle", 1, lambda: None))
    ground.later(400).whole()
    points.install(None)
    assert len(ground.payments()) == 1
    assert ground.verdict() == []
