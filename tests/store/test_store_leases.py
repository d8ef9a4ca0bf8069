"""One process plans a binding at a time, and the one that lost its lease cannot write."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crosswalk.clock import SharedClock
from crosswalk.errors import Busy, Fenced
from crosswalk.store import leases
from crosswalk.store.engine import Store
from crosswalk.store.leases import SECONDS, Process
from crosswalk.store.tables import LEASE
from crosswalk.store.vault import PRACTICE_KEY, Vault

FORK = multiprocessing.get_context("fork")
SCOPE = "sandbox/orders/a/b"
ELSEWHERE = Process("f" * 32, "another machine", "its boot", 1)


def child(url: str, clock: Path, work: Callable[[Store], Any]) -> Any:
    """Run something on the same store in another process, which then lives on until it is killed."""
    there, here = FORK.Pipe()

    def run() -> None:
        store = Store(url, clock=SharedClock(clock), vault=Vault(PRACTICE_KEY), durable=False)
        try:
            here.send(work(store))
        except BaseException as error:
            here.send(error)
        time.sleep(600)

    process = FORK.Process(target=run, daemon=True)
    process.start()
    assert there.poll(30), "the child said nothing"
    return there.recv(), process


def _take(store: Store) -> int:
    return leases.take(store, SCOPE, Process.this()).fence


def test_a_second_process_is_told_who_plans(store: Store, tmp_path: Path) -> None:
    """While a living process holds the lease another one is refused, with its pid and when the lease ends."""
    lease = leases.take(store, SCOPE, Process.this())
    said, other = child(store.url, tmp_path / "clock", _take)
    other.kill()
    assert isinstance(said, Busy) and str(os.getpid()) in str(said)
    lease.beat()


def test_a_dead_process_of_this_machine_is_followed_at_once(store: Store, tmp_path: Path) -> None:
    """Its holder was killed: the lease is taken over without waiting, under a higher fence."""
    fence, other = child(store.url, tmp_path / "clock", _take)
    with pytest.raises(Busy):
        leases.take(store, SCOPE, Process.this())
    other.kill()
    other.join()
    assert leases.take(store, SCOPE, Process.this()).fence == fence + 1


def test_a_zombie_counts_as_dead(store: Store, tmp_path: Path) -> None:
    """A killed process that nobody has waited for still has its pid, and is dead all the same."""
    _, other = child(store.url, tmp_path / "clock", _take)
    os.kill(other.pid, signal.SIGKILL)
    for _ in range(100):
        if leases.gone(leases.here(), leases.boot_id(), other.pid):
            break
        time.sleep(0.05)
    leases.take(store, SCOPE, Process.this())
    other.join()


def test_a_stopped_process_is_followed_only_when_its_time_is_up(
    store: Store, tmp_path: Path, clock: SharedClock
) -> None:
    """It may go on any moment: until its lease ends nobody takes over."""
    _, other = child(store.url, tmp_path / "clock", _take)
    os.kill(other.pid, signal.SIGSTOP)
    clock.advance(SECONDS - 1)
    with pytest.raises(Busy):
        leases.take(store, SCOPE, Process.this())
    clock.advance(2)
    leases.take(store, SCOPE, Process.this())
    other.kill()


@pytest.mark.parametrize("there", [ELSEWHERE, replace(ELSEWHERE, host=f"{leases.here()}0")], ids=["host", "container"])
def test_a_process_elsewhere_is_waited_for(store: Store, clock: SharedClock, there: Process) -> None:
    """Whether it lives cannot be known from here, whatever its pid says: only its time counts."""
    leases.take(store, SCOPE, there)
    clock.advance(SECONDS - 1)
    with pytest.raises(Busy):
        leases.take(store, SCOPE, Process.this())
    clock.advance(2)
    assert leases.take(store, SCOPE, Process.this()).fence == 2


def test_before_the_machines_last_start_everybody_is_dead(store: Store) -> None:
    """A holder of an earlier boot is followed at once, although its pid is in use again."""
    leases.take(store, SCOPE, replace(Process.this(), token="old", boot_id="an earlier boot"))
    leases.take(store, SCOPE, Process.this())


def test_whoever_was_followed_is_fenced_inside_its_transaction(store: Store, clock: SharedClock) -> None:
    """The old holder's transaction is undone as a whole; its release does not free the new one's lease."""
    old = leases.take(store, SCOPE, ELSEWHERE)
    clock.advance(SECONDS + 1)
    new = leases.take(store, SCOPE, Process.this())
    with pytest.raises(Fenced, match="taken over"), store.transaction("test") as connection:
        connection.execute(LEASE.insert().values(scope="written by the old one", holder="", fence=1, host="",
                                                 boot_id="", pid=0))  # fmt: skip
        old.check(connection)
    with store.reading() as connection:
        assert list(connection.execute(select(LEASE.c.scope)).scalars()) == [SCOPE]
    old.release()
    new.beaten = -SECONDS
    new.beat()
    with pytest.raises(Busy):
        leases.take(store, SCOPE, ELSEWHERE)


def test_a_lease_that_is_checked_lives_on(store: Store, clock: SharedClock) -> None:
    """Every commit prolongs it, so that a long run is not followed while it works."""
    lease = leases.take(store, SCOPE, ELSEWHERE)
    for _ in range(5):
        clock.advance(SECONDS - 1)
        with store.transaction("test") as connection:
            lease.check(connection)
    with pytest.raises(Busy):
        leases.take(store, SCOPE, Process.this())


def test_an_expired_lease_that_nobody_took_is_still_ones_own(store: Store, clock: SharedClock) -> None:
    """Being late is no harm when nobody came."""
    lease = leases.take(store, SCOPE, Process.this())
    clock.advance(SECONDS * 3)
    lease.beat()
    with pytest.raises(Busy):
        leases.take(store, SCOPE, ELSEWHERE)


def test_released_is_free_at_once(store: Store) -> None:
    """The next run begins without waiting, and every holder has a fence of its own."""
    fences = []
    for _ in range(3):
        lease = leases.take(store, SCOPE, Process.this())
        fences.append(lease.fence)
        lease.release()
    assert fences == [1, 2, 3]


def test_two_bindings_do_not_wait_for_each_other(store: Store) -> None:
    """A lease is one binding's."""
    leases.take(store, SCOPE, Process.this())
    assert leases.take(store, SCOPE + "2", ELSEWHERE).fence == 1


def _race(url: str, clock: Path, barrier: Any, told: Any, scope: str) -> None:
    store = Store(url, clock=SharedClock(clock), vault=Vault(PRACTICE_KEY), durable=False)
    process = Process.this()
    barrier.wait()
    try:
        told.put(leases.take(store, scope, process).fence)
    except BaseException as error:
        told.put(type(error).__name__)
    barrier.wait()


@pytest.mark.parametrize("first", [True, False], ids=["never taken", "expired"])
def test_of_processes_that_take_at_once_one_gets_it(
    store: Store, clock: SharedClock, tmp_path: Path, first: bool
) -> None:
    """Six processes reach for a free lease in the same moment, ten times: one holder and five that are told."""
    for turn in range(10):
        scope = f"{SCOPE}{turn}"
        if not first:
            leases.take(store, scope, ELSEWHERE)
            clock.advance(SECONDS + 1)
        barrier, told = FORK.Barrier(6), FORK.Queue()
        args = (store.url, tmp_path / "clock", barrier, told, scope)
        children = [FORK.Process(target=_race, args=args) for _ in range(6)]
        for one in children:
            one.start()
        answers = [told.get(timeout=60) for _ in children]
        for one in children:
            one.join(30)
        assert sorted(map(str, answers)) == sorted(["Busy"] * 5 + ["1" if first else "2"]), answers
