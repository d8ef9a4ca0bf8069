"""Each cause of trouble gives exactly one alert and, mended, exactly one recovery."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from watch_kit import SCHEDULE, Guard

from crosswalk.clock import SharedClock
from crosswalk.http.protocols import Ended, Sent
from crosswalk.runs.account import Account
from crosswalk.store import inbox, leases, runs, watching
from crosswalk.store.engine import Store
from crosswalk.store.held import Hold, put
from crosswalk.store.inbox import Arrival
from crosswalk.store.leases import EVENTS, SECONDS, Process
from crosswalk.store.tables import HELD, LEASE, RECORD, RUN
from crosswalk.store.vault import PRACTICE_KEY, Vault

FORK = multiprocessing.get_context("fork")


def held(guard: Guard, number: int) -> None:
    holds = [Hold(str(n), "", "transform", "a rule", "field", "a reason") for n in range(number)]
    with guard.store.transaction("held") as connection:
        put(connection, guard.store, guard.scope, "run", holds, guard.clock.now())


def release(guard: Guard) -> None:
    with guard.store.transaction("released") as connection:
        connection.execute(update(HELD).values(open=False))


def waiting(guard: Guard) -> None:
    now = guard.clock.now()
    row = {
        "scope": guard.scope, "key": "1", "part": "", "resource": "xero.invoices", "wanted_hash": "a",
        "wanted_version": "1", "first_seen_at": now, "changed_at": now,
    }  # fmt: skip
    with guard.store.transaction("record") as connection:
        connection.execute(insert(RECORD).values(**_whole(row)))
    guard.later(9)
    guard.run()


def _whole(row: dict[str, object]) -> dict[str, object]:
    rest = {c.name: {"TEXT": "", "VARCHAR": "", "INTEGER": 0, "BOOLEAN": False}.get(str(c.type)) for c in RECORD.c}
    return {**rest, **row}


def delivered(guard: Guard) -> None:
    with guard.store.transaction("record") as connection:
        connection.execute(update(RECORD).values(applied_hash="a", applied_version="1"))


def event(guard: Guard) -> None:
    key = guard.settings.connection("shop").key
    inbox.keep(guard.store, [Arrival(key, "d1", "c1", "orders/create", "shopify.orders", "1", guard.clock.now())])
    guard.later(0.3)


def worked(guard: Guard) -> None:
    inbox.gather(guard.store, lambda *_: ())


def silent(guard: Guard) -> None:
    """A webhook that came every ten minutes and then no more."""
    guard.configure('[connections.shop.webhooks]\nsecrets = ["a-secret-of-the-shop"]\n')
    for number in range(30):
        announced(guard, f"d{number}")
        guard.clock.advance(600)
    guard.later(2)
    guard.good()


def announced(guard: Guard, delivery: str = "new") -> None:
    key = guard.settings.connection("shop").key
    now = guard.clock.now()
    inbox.keep(guard.store, [Arrival(key, delivery, delivery, "orders/create", "shopify.orders", delivery, now)])
    worked(guard)


def skewed(guard: Guard, seconds: float) -> None:
    """Answers whose Date differs from our clock."""
    for _ in range(70):
        now = guard.clock.now()
        entry = guard.house.journal.open(Sent("sandbox/shop/practice-shop", "GET", "https://x.example", now))
        date = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        guard.house.journal.close(entry, Ended("answered", 0.2, 200, {"Date": date}))


def begin(guard: Guard) -> None:
    guard.run()


def stale(guard: Guard) -> None:
    guard.later(30)


def unpicked(guard: Guard) -> None:
    (guard.folder / "prefect.yaml").write_text(SCHEDULE, encoding="utf-8")
    guard.later(1)


CAUSES: dict[str, tuple[Callable[[Guard], object], Callable[[Guard], object], str]] = {
    "stale": (stale, Guard.good, "orders is not up to date"),
    "late": (unpicked, Guard.good, "nobody runs orders"),
    "unbalanced": (lambda g: g.run(account=Account(read=2, distinct=1)), begin, "orders does not add up"),
    "run_failed": (
        lambda g: (g.run("failed", "Drift: the field total is gone"), g.later(0.1)), Guard.good, "orders failed: Drift",
    ),
    "held_many": (lambda g: held(g, 60), release, "orders holds many records"),
    "outbox_old": (waiting, delivered, "orders: records wait too long to be delivered"),
    "inbox_old": (event, worked, "events wait too long"),
    "silent_webhook": (silent, announced, "webhooks of shop: silent webhook"),
    "token_ending": (lambda g: g.login(50), lambda g: g.login(0), "the login of books is ending"),
    "clock_skew": (lambda g: skewed(g, 75), lambda g: skewed(g, 0), "clocks disagree by more than a minute"),
}  # fmt: skip


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_told_once_and_its_end_once(small: Guard, cause: str) -> None:
    """However often the watch looks: one alert while it lasts, one recovery when it is mended."""
    provoke, mend, title = CAUSES[cause]
    small.good()
    assert small.look().well and small.titles() == []
    provoke(small)
    assert cause in small.kinds()
    assert not small.look(4).well and small.titles() == [title]
    mend(small)
    small.look(4)
    assert small.titles() == [title, f"recovered: {title}"]


def killed(url: str, clock: Path, scope: str, run: str) -> int:
    """A process that takes a lease for a run and is killed; its pid."""
    there, here = FORK.Pipe()

    def work() -> None:
        store = Store(url, clock=SharedClock(clock), vault=Vault(PRACTICE_KEY), durable=False)
        leases.take(store, scope, Process.this(), run)
        here.send("taken")
        time.sleep(600)

    process = FORK.Process(target=work, daemon=True)
    process.start()
    assert there.poll(30) and there.recv() == "taken"
    process.kill()
    process.join()
    assert process.pid is not None
    return process.pid


def test_a_killed_run_is_told_once_and_gives_back_what_it_held(guard: Guard) -> None:
    """Its process got SIGKILL: the lease is free, the run has ended, one alert; the next good run ends it."""
    guard.good()
    run = guard.run("running")
    killed(guard.store.url, guard.folder / "clock", guard.scope, run)
    assert not guard.look(3).well
    assert guard.titles() == ["a run of orders was killed"]
    with guard.store.reading() as connection:
        assert connection.execute(LEASE.select()).one().holder == ""
        ended = connection.execute(RUN.select().where(RUN.c.id == run)).one()
    assert ended.state == "failed" and ended.error.startswith("Crashed: the process")
    leases.take(guard.store, guard.scope, Process.this(), "next").release()
    guard.good()
    assert guard.look(3).well
    assert guard.titles() == ["a run of orders was killed", "recovered: a run of orders was killed"]


def test_a_killed_run_that_the_next_has_overtaken_is_told_and_recovered(small: Guard) -> None:
    """The watch comes after the next run has succeeded: people learn of the kill and that it is over, once each."""
    run = small.run("running")
    killed(small.store.url, small.folder / "clock", small.scope, run)
    leases.take(small.store, small.scope, Process.this(), "next").release()
    small.clock.advance(60)
    small.run()
    assert small.look(3).well
    assert small.titles() == ["a run of orders was killed", "recovered: a run of orders was killed"]


def test_a_run_without_a_heartbeat_is_told_once(small: Guard) -> None:
    """A process of another machine that gives no sign for three minutes is told of; its successor's success ends it."""
    small.good()
    run = small.run("running")
    elsewhere = Process("f" * 32, "another-machine", "its boot", 1)
    leases.take(small.store, small.scope, elsewhere, run)
    assert small.look().well
    small.clock.advance(SECONDS + 1)
    small.look(3)
    assert small.titles() == ["a run of orders gives no sign of life"]
    lease = leases.take(small.store, small.scope, Process.this(), "next")
    small.good()
    lease.release()
    assert small.look(3).well and len(small.titles()) == 2


def test_what_lives_is_left_alone(small: Guard) -> None:
    """A long run and a batch of events beside it: nothing is swept, whichever began first."""
    small.good()
    long, batch = small.run("running"), small.run("running", asked="records")
    lease = leases.take(small.store, small.scope, Process.this(), long)
    other = leases.take(small.store, small.scope + EVENTS, Process.this(), batch)
    assert small.look().well
    other.release()
    assert [dead.id for dead in watching.sweep(small.store, "sandbox")] == [batch]
    lease.beat()


def test_a_run_that_its_hook_told_of_is_not_told_again(small: Guard) -> None:
    """The hook that Prefect's worker calls and the watch see the same kill: one alert, in either order."""
    from crosswalk.alerts import notify
    from crosswalk.alerts.message import Failure
    from crosswalk.alerts.notify import Ended as RunEnded

    failure = Failure(
        "orders", "sandbox", "shopify_orders_to_xero_invoices", "the process", "Crashed",
        "Flow run process exited with non-zero status code -9.", small.clock.now(), about="run_died",
    )  # fmt: skip
    for hook_first in (True, False):
        small.good()
        small.look()
        run = small.run("running")
        killed(small.store.url, small.folder / "clock", small.scope, run)
        tell = RunEnded(small.settings, "orders", failure, owner="finance", store=small.store, clock=small.clock)
        for step in (
            (notify.run_ended, lambda _: small.look()) if hook_first else (lambda _: small.look(), notify.run_ended)
        ):
            step(tell)
    small.later(1)
    small.good()
    small.look(2)
    assert len(small.titles()) == 4 and [t.startswith("recovered") for t in small.titles()] == [False, True] * 2


def test_the_login_grows_more_urgent_in_one_incident(small: Guard) -> None:
    """Fourteen, three and one days before its end the same incident grows graver; it is never opened anew."""
    for days, grave in ((45, None), (47, "warning"), (57.5, "error"), (59.5, "critical")):
        small.good()
        small.login(days)
        small.look(2)
        found = [one.trouble.severity for one in small.look().findings if one.trouble.kind == "token_ending"]
        assert found == ([grave] if grave else [])
    assert small.titles().count("the login of books is ending") == 1


def test_consequences_are_not_told_beside_their_cause(small: Guard) -> None:
    """A binding whose runs fail, or whose worker is gone, breaks its promise as well: one alert for the cause."""
    small.good()
    (small.folder / "prefect.yaml").write_text(SCHEDULE, encoding="utf-8")
    for _ in range(40):
        small.later(1)
        small.look()
    assert {f.trouble.kind for f in small.look().findings} == {"late", "stale"}
    assert small.titles() == ["nobody runs orders"]
    run = small.run("running")
    lease = leases.take(small.store, small.scope, Process.this(), run)
    small.look(2)
    assert small.titles()[1:] == ["recovered: nobody runs orders"]
    runs.end(small.store, run, "completed", Account().as_dict())
    lease.release()
    small.look(2)
    assert len(small.titles()) == 2


def test_events_do_not_keep_the_promise(small: Guard) -> None:
    """Work of single events is no run that brings the binding up to date: the promise breaks all the same."""
    small.good()
    for _ in range(10):
        small.later(3)
        small.run(asked="records")
    assert small.kinds() == ["stale"]


def test_what_comes_and_goes_is_told_of_when_it_comes_back(small: Guard) -> None:
    """An hour of flapping ends in one incident that stays while the trouble does."""
    small.good()
    for _ in range(5):
        held(small, 60)
        small.look()
        release(small)
        small.look()
    held(small, 60)
    small.later(1.5)
    small.good()
    small.look(2)
    assert not small.look().well
