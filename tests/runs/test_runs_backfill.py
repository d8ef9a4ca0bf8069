"""A stretch of the past is read beside the schedule: the cursor stays, nothing doubles, nothing older wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from practising import Ground
from sqlalchemy import select

from crosswalk.errors import Busy, SettingsError
from crosswalk.runs import body
from crosswalk.runs.account import FATES
from crosswalk.runs.backfill import split
from crosswalk.runs.session import Session
from crosswalk.store import cursors, leases
from crosswalk.store.cursors import Position
from crosswalk.store.leases import Process
from crosswalk.store.tables import CURSOR

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def position(ground: Ground, binding: str = "orders") -> Position:
    """The binding's cursor with its version."""
    house = ground.house()
    scope = house.settings.binding(binding).scope
    resource = {"orders": "shopify.orders", "customers": "shopify.customers"}[binding]
    return cursors.read(house.store, scope, resource)


def doubled(ground: Ground) -> list[str]:
    """Invoice numbers that stand twice at the target."""
    numbers = [i["number"] for i in ground.control.effects()["invoices"] if i["status"] != "VOIDED"]
    return [n for n in numbers if numbers.count(n) > 1]


def balanced(account: Any) -> bool:
    return bool(account.parts == sum(getattr(account, fate) for fate in FATES))


def test_a_backfill_leaves_the_cursor_alone(ground: Ground) -> None:
    """A window of the past is read and delivered; no cursor is made, and one that is there keeps value and version."""
    ground.fresh(orders=12)
    ground.run("customers", since=SINCE)
    assert ground.run("orders", since=SINCE, until=ground.clock.now() - timedelta(seconds=300)).created
    with ground.store.reading() as connection:
        assert connection.execute(select(CURSOR)).all() == []
    ground.whole()
    before = position(ground)
    wrote = ground.control.counts()
    account = ground.run("orders", since=SINCE, until=ground.clock.now())
    assert account.read and account.created == account.updated == 0
    assert position(ground) == before and not ground.wrote(wrote)


def test_the_schedule_goes_on_in_the_middle_of_a_backfill(ground: Ground) -> None:
    """A scheduled run begins and ends while a backfill of the binding has read and not written: both account for
    all they read, each record is there once, and the cursor is where the scheduled run left it."""
    ground.fresh(orders=20)
    ground.run("customers")
    between: list[Any] = []

    def transform(run: Session, validated: Any) -> Any:
        if not between:
            between.append(ground.run("orders"))
        return body.transform.transform(run, validated)

    long = ground.session("orders", since=SINCE, until=ground.clock.now())
    account = body.run(long, body.Steps(transform=transform))
    assert between[0].created and balanced(between[0]) and balanced(account)
    assert doubled(ground) == [] and ground.verdict() == []
    assert position(ground).value is not None


def test_a_backfill_runs_in_the_middle_of_the_schedule(sqlite_ground: Ground) -> None:
    """As before, the other way round."""
    ground = sqlite_ground
    ground.fresh(orders=20)
    ground.run("customers")
    between: list[Any] = []

    def load(run: Session, validated: Any, chunk: Any) -> None:
        if not between:
            between.append(ground.run("orders", since=SINCE, until=ground.clock.now()))
        body.load_chunk(run, validated, chunk)

    account = body.run(ground.session("orders"), body.Steps(load=load))
    assert between[0].created and balanced(between[0]) and balanced(account)
    assert doubled(ground) == [] and ground.verdict() == []


def test_an_older_version_that_a_backfill_has_read_does_not_win(ground: Ground) -> None:
    """An order changes after a backfill has read it, and the schedule delivers the change: the backfill's version
    is called stale and the target keeps the newer one."""
    ground.fresh(orders=4)
    ground.whole()
    ground.later()
    edited = ground.control.ids("customers")[0]
    between: list[Any] = []

    def transform(run: Session, validated: Any) -> Any:
        if not between:
            ground.control.edit("customers", edited, {"firstName": "Newest"})
            ground.later()
            between.append(ground.run("customers"))
        return body.transform.transform(run, validated)

    long = ground.session("customers", since=SINCE, until=ground.clock.now())
    account = body.run(long, body.Steps(transform=transform))
    assert between[0].updated == 1
    assert account.skipped_by.get("stale version") == 1 and account.updated == 0
    assert "Newest" in str(ground.control.effects()["contacts"])


def test_two_backfills_of_a_binding_wait_for_each_other(sqlite_ground: Ground) -> None:
    """The second is told who reads."""
    ground = sqlite_ground.fresh(orders=1)
    house = ground.house()
    scope = house.settings.binding("orders").scope
    leases.take(house.store, scope + leases.BACKFILL, Process.this())
    with pytest.raises(Busy, match="pid"):
        ground.run("orders", since=SINCE)
    ground.run("orders")


def test_windows_end_at_local_midnights_and_leave_nothing_out() -> None:
    """A year by month, week and day in Amsterdam: in order, without gap, through both clock changes."""
    first, past = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2027, 1, 2, 3, tzinfo=UTC)
    for by, count in (("month", 13), ("week", 51), ("day", 353), ("all", 1)):
        found = split(first, past, by, "Europe/Amsterdam")  # type: ignore[arg-type]
        assert (found[0][0], found[-1][1], len(found)) == (first, past, count)
        assert all(a[1] == b[0] and a[0] < a[1] for a, b in pairwise(found))
    months = split(first, past, "month", "Europe/Amsterdam")
    assert months[2] == (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
    with pytest.raises(SettingsError, match="not before"):
        split(past, first, "month", "UTC")
