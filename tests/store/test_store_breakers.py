"""Breakers: when they open, who is the probe, what closes them; on both engines and over processes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from crosswalk.clock import SharedClock
from crosswalk.errors import Away
from crosswalk.http.protocols import Admission
from crosswalk.store.breakers import FIRST_PROBE, LAST_PROBE, LIMIT, Breakers
from crosswalk.store.engine import Store
from crosswalk.store.vault import PRACTICE_KEY, Vault

BOOKS = "sandbox/books/b"


@pytest.fixture
def store(database_url: str, clock: SharedClock) -> Store:
    return Store(database_url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open(migrate=True)


def opened(breakers: Breakers) -> None:
    for _ in range(LIMIT):
        breakers.failed(BOOKS, breakers.admit(BOOKS), "answered 503")


def test_it_opens_after_five_failures_in_a_row(store: Store) -> None:
    """Four failures let requests pass, an answer begins the count anew, the fifth in a row keeps every one back."""
    breakers = Breakers(store)
    for _ in range(LIMIT - 1):
        assert not breakers.failed(BOOKS, breakers.admit(BOOKS), "no connection")
    breakers.passed(BOOKS, breakers.admit(BOOKS))
    for _ in range(LIMIT - 1):
        assert not breakers.failed(BOOKS, breakers.admit(BOOKS), "no connection")
    assert breakers.failed(BOOKS, breakers.admit(BOOKS), "answered 503")
    with pytest.raises(
        Away, match=r"books is away since 2026-11-23 09:00 UTC and is tried again at 09:00:.*answered 503"
    ):
        breakers.admit(BOOKS)
    assert breakers.admit("sandbox/shop/s") == Admission()
    (outage,) = breakers.outages()
    assert (outage.connection, outage.why) == (BOOKS, "answered 503")


def test_one_process_is_the_probe(store: Store, clock: SharedClock) -> None:
    """When a probe is due one asker gets leave, all others are told who has it; its success lets everybody pass."""
    mine, theirs = Breakers(store), Breakers(store)
    opened(mine)
    clock.advance(FIRST_PROBE * 1.2)
    assert theirs.away(BOOKS) is None
    probe = theirs.admit(BOOKS)
    assert probe.probe
    with pytest.raises(Away, match="is being tried by another process"):
        mine.admit(BOOKS)
    assert mine.away(BOOKS) is not None
    theirs.passed(BOOKS, probe)
    assert mine.admit(BOOKS) == Admission() and mine.outages() == []


def test_probes_come_less_and_less_often(store: Store, clock: SharedClock) -> None:
    """Each probe that fails doubles the wait for the next, up to five minutes; the outage began when it began."""
    breakers, gaps, began = Breakers(store, random.Random(1)), [], clock.now()
    opened(breakers)
    while len(gaps) < 7:
        before = clock.boot()
        while (away := breakers.away(BOOKS)) is not None:
            clock.advance(away.wait)
        gaps.append(clock.boot() - before)
        assert breakers.failed(BOOKS, breakers.admit(BOOKS), "still away")
    for gap, wanted in zip(gaps, (30, 60, 120, 240, 300, 300, 300), strict=True):
        assert wanted * 0.9 <= gap <= wanted * 1.1 <= LAST_PROBE * 1.1
    assert breakers.outages()[0].since == began


def test_a_probe_that_learned_nothing_is_given_back(store: Store, clock: SharedClock) -> None:
    """A probe that was not sent, or whose process was killed, keeps nobody else from being it."""
    breakers = Breakers(store)
    opened(breakers)
    clock.advance(60)
    breakers.dropped(BOOKS, breakers.admit(BOOKS))
    assert breakers.away(BOOKS) is None
    store.engine.dispose()
    pid = os.fork()
    if pid == 0:
        Breakers(store).admit(BOOKS)
        os._exit(0)
    os.waitpid(pid, 0)
    assert breakers.away(BOOKS) is None and breakers.admit(BOOKS).probe


def test_late_answers_do_not_close_it(store: Store) -> None:
    """An answer to what was asked before it opened leaves it open: only the probe's success counts."""
    breakers = Breakers(store)
    early = breakers.admit(BOOKS)
    opened(breakers)
    breakers.passed(BOOKS, Admission(early.failures + 1))
    assert breakers.away(BOOKS) is not None
    assert breakers.failed(BOOKS, early, "late") and breakers.outages()[0].probes == 0


def test_failures_of_many_processes_add_up(store: Store, tmp_path: Path) -> None:
    """Five processes that each fail once open it together."""
    store.engine.dispose()

    def fail() -> None:
        own = Breakers(store)
        own.failed(BOOKS, own.admit(BOOKS), "away")

    assert in_children(LIMIT, fail) == [0] * LIMIT
    assert Breakers(store).away(BOOKS) is not None


def in_children(count: int, work: Callable[[], None]) -> list[int]:
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
