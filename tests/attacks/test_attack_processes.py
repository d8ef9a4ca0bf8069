"""Several processes, paused and killed ones: attacks 1.11, 1.12, 1.17, 1.21 and 1.23 through the real engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from pausing import FENCED, go_on, stop_self, stopped
from practising import Altered, Ground

from crosswalk import points
from crosswalk.connectors.facts import LookUp
from crosswalk.delivery.context import Delivery
from crosswalk.errors import Busy, Fenced
from crosswalk.runs import body, loading, session
from crosswalk.store.leases import SECONDS

PAST_CLAIM = Delivery.claim + 60


def keyless(ground: Ground) -> None:
    """A run of the orders against a target that knows no keys, so that nothing but the claim keeps a sleeper silent."""
    current = ground.session()
    current.target = Altered(current.target, {"xero.payments": LookUp(120)}, keyless=True)
    body.run(current)


def second_freeze(then: str) -> Callable[[str], None]:
    """A hook that stops this process at the first such point after the second attempt, the payments', was frozen."""
    frozen = 0

    def hook(reached: str) -> None:
        nonlocal frozen
        if reached == "store:freeze":
            frozen += 1
        elif reached == then and frozen == 2:
            frozen += 1
            stop_self()

    return hook


@pytest.mark.parametrize("work", [Ground.run, keyless])
def test_1_11_a_sender_that_slept_past_its_claim_sends_nothing(
    ground: Ground, work: Callable[[Ground], object]
) -> None:
    """SIGSTOP before the bytes leave, take-over, SIGCONT: the payment is there once, and the sleeper sent nothing."""
    ground.fresh("part_paid")
    ground.run("customers")
    pid = stopped(ground, second_freeze("http:before-send"), work)
    assert ground.payments() == []
    ground.clock.advance(PAST_CLAIM)
    work(ground)
    assert len(ground.payments()) == 1
    writes = ground.wrote()
    go_on(pid)
    assert ground.wrote() == writes
    assert len(ground.payments()) == 1
    ground.later().run()
    assert ground.verdict() == []


def test_1_11_a_sender_that_slept_over_its_answer_settles_nothing(ground: Ground) -> None:
    """SIGSTOP between answer and ledger, take-over and a newer version: the sleeper does not write over it."""
    ground.fresh("pending")
    ground.run("customers")
    pid = stopped(ground, _answered(ground))
    order = ground.control.ids("orders")[0]
    ground.control.edit("orders", order, {"name": "#newer"})
    ground.clock.advance(PAST_CLAIM)
    ground.run()
    ledger = {name: (r.applied_hash, r.applied_version, r.target_version) for name, r in ground.records().items()}
    ground.close()
    assert go_on(pid) == FENCED
    assert {n: (r.applied_hash, r.applied_version, r.target_version) for n, r in ground.records().items()} == ledger
    [invoice] = ground.invoices().values()
    assert invoice["reference"] == "#newer"
    assert ground.later().run().updated == 0


def _answered(ground: Ground) -> Callable[[str], None]:
    done = False

    def hook(reached: str) -> None:
        nonlocal done
        if reached == "http:after-answer" and not done and ground.wrote().get("PUT /Invoices"):
            done = True
            stop_self()

    return hook


def test_1_12_the_same_flow_run_in_a_second_process_is_another_holder(ground: Ground) -> None:
    """A rerun of a run that still works finds the lease taken; the id of the flow run opens nothing."""
    ground.fresh("pending")
    working = ground.session(flow_run_id="one")
    session.begin(working)
    again = ground.session(flow_run_id="one")
    with pytest.raises(Busy, match="another process"):
        session.begin(again)
    session.finish(working, "completed", {})
    ground.whole()
    assert ground.verdict() == []


def test_1_12_a_run_that_lost_its_lease_writes_nothing_more(ground: Ground) -> None:
    """A run that slept for longer than its lease is fenced at its next commit, and its successor's work stands."""
    ground.fresh("part_paid", "pending")
    ground.run("customers")
    cursor: list[object] = []

    def take_over() -> None:
        points.install(None)
        ground.clock.advance(SECONDS + 1)
        ground.run()
        cursor.append(_cursor(ground))

    reads = 0

    def hook(reached: str) -> None:
        nonlocal reads
        if reached == "http:after-answer":
            reads += 1
            if reads == 2:  # the token, then the page
                take_over()

    points.install(hook)
    with pytest.raises(Fenced):
        ground.run()
    points.install(None)
    assert _cursor(ground) == cursor[0]
    assert ground.verdict() == []


def _cursor(ground: Ground) -> object:
    from crosswalk.store import cursors

    built = ground.house()
    return cursors.read(built.store, built.settings.binding("orders").scope, "shopify.orders")


@pytest.mark.parametrize("resource", ["xero.invoices", "xero.payments", "xero.credit_notes", "xero.allocations"])
def test_1_17_two_senders_that_chose_the_same_records_send_them_once(ground: Ground, resource: str) -> None:
    """A second sender sends what a first one has chosen and not yet frozen: the first sends none of it again."""
    ground.fresh("part_paid", "refund_mixed", "guest")
    ground.run("customers")
    first = ground.session()
    busy = False

    def second(chosen: str) -> None:
        nonlocal busy
        if chosen == resource and not busy:
            busy = True
            loading.send_pending(ground.session())

    first.target = Altered(first.target, keyless=True, before=second)
    body.run(first)
    assert busy
    assert ground.verdict() == []
    assert set(ground.states()) <= {"applied", "skipped"}


def test_1_21_no_transaction_is_open_around_a_request(sqlite_ground: Ground) -> None:
    """At every point around every request, token calls included, somebody else can write to the store at once."""
    ground = sqlite_ground.fresh("part_paid", "refund_mixed", "guest")
    reached: dict[str, int] = {}
    file = ground.store_url.removeprefix("sqlite:///")

    def hook(name: str) -> None:
        if name.startswith("http:"):
            reached[name] = reached.get(name, 0) + 1
            other = sqlite3.connect(file, timeout=0, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            other.close()

    points.install(hook)
    ground.whole()
    points.install(None)
    assert ground.verdict() == []
    assert reached["http:before-send"] >= 10 and reached["http:after-answer"] >= 10


def test_1_23_a_wait_for_the_days_limit_ends_the_run_as_queued(ground: Ground) -> None:
    """Xero's day is used up in the middle: the run ends at once, holds nothing, and goes on when the day is over."""
    ground.fresh("part_paid", "refund_mixed", "guest")
    ground.run("customers")
    used = sum(n for p, n in ground.control.counts()["xero"]["paths"].items() if "/api.xro/" in p)
    ground.control.set("xero.limits.day", used + 2)
    before = ground.clock.now()
    account = ground.run()
    assert account.queued and account.stopped
    assert (ground.clock.now() - before).total_seconds() < 130
    assert _last_run(ground) == "queued"
    ground.control.set("xero.limits.day", 5000)
    ground.clock.advance(86_400)
    ground.whole()
    assert ground.verdict() == []
    assert set(ground.states()) <= {"applied", "skipped"}


def _last_run(ground: Ground) -> str:
    from crosswalk.store import runs

    built = ground.house()
    row = runs.last(built.store, built.settings.binding("orders").scope)
    assert row is not None
    return str(row.state)
