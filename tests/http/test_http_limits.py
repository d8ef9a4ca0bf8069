from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from http_servers import Arrived, InTurn, Reply, Server, client, reply

from crosswalk.clock import SharedClock, SystemClock
from crosswalk.errors import Throttled
from crosswalk.http.answer import Answer
from crosswalk.http.limits import SlotLimiter, told_by_headers
from crosswalk.http.protocols import Account, Quota, Told

FORK = multiprocessing.get_context("fork")
XERO = Account("xero:t", Quota(rate=60, burst=3, concurrent=5, daily=5000))


def moments(limiter: SlotLimiter, clock: SharedClock, account: Account, count: int, **more: float) -> list[float]:
    """When each of ``count`` requests may leave, in seconds from now."""
    start, found = clock.boot(), []
    for _ in range(count):
        limiter.release(account, limiter.acquire(account, **more))  # type: ignore[arg-type]
        found.append(round(clock.boot() - start, 3))
    return found


def test_slots_are_evenly_spaced_after_a_small_burst(tmp_path: Path, clock: SharedClock) -> None:
    """The burst leaves at once; then slots are evenly spaced at 95 % of the rate, so that no minute holds too many."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    found = moments(limiter, clock, XERO, 200)
    assert found[:3] == [0, 0, 0]
    gaps = {round(b - a, 2) for a, b in pairwise(found[3:])}
    assert gaps <= {1.05, 1.06}
    assert all(sum(start <= moment < start + 60 for moment in found) <= 60 for start in found)


def test_a_shortened_minute_only_changes_the_pace(tmp_path: Path, clock: SharedClock) -> None:
    """A practice system whose minute is six seconds long is asked ten times as fast."""
    short = Account("short", replace(XERO.quota, minute=6))
    found = moments(SlotLimiter(tmp_path / "limits.db", clock), clock, short, 60)
    assert 5.9 <= found[-1] <= 6.1


def test_a_block_holds_for_everybody(tmp_path: Path, clock: SharedClock) -> None:
    """After a 429 nobody who shares the account comes before the time that was told, and then one after the other."""
    mine, other = (SlotLimiter(tmp_path / "limits.db", clock) for _ in range(2))
    mine.acquire(XERO)
    mine.feed(XERO, Told(wait=30))
    found = moments(other, clock, XERO, 3)
    assert found[0] == 30
    assert all(b - a > 1 for a, b in pairwise(found))


def test_a_sleeper_learns_of_a_block(tmp_path: Path, clock: SharedClock) -> None:
    """A request that was already waiting for its slot when the account was blocked waits for the block as well."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    account = Account("a", Quota(rate=6, burst=1))

    class Blocking(SharedClock):
        def sleep(self, seconds: float) -> None:
            if not blocked:
                blocked.append(self.boot() + 50)
                SlotLimiter(tmp_path / "limits.db", clock).feed(account, Told(wait=50))
            super().sleep(seconds)

    blocked: list[float] = []
    limiter.acquire(account)
    clock.__class__ = Blocking
    limiter.acquire(account)
    assert abs(clock.boot() - blocked[0]) < 0.01


def test_a_wait_above_two_minutes_hands_the_work_back(tmp_path: Path, clock: SharedClock) -> None:
    """A slot further away than two minutes is not taken: Throttled says how long it would have been."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    slow = Account("slow", Quota(rate=0.4, burst=1, share=1))
    limiter.acquire(slow)
    before = clock.boot()
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            limiter.acquire(slow)
        assert caught.value.wait == pytest.approx(150) and caught.value.scope == "minute"
    limiter.feed(XERO, Told(wait=3600))
    with pytest.raises(Throttled) as caught:
        limiter.acquire(XERO)
    assert caught.value.wait == pytest.approx(3600)
    assert clock.boot() == before


def test_the_daily_limit_ends_with_the_day(tmp_path: Path, clock: SharedClock) -> None:
    """When the day's requests are used, Throttled carries the wait until midnight UTC; the next day goes on."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    account = Account("day", Quota(daily=5))
    assert moments(limiter, clock, account, 5) == [0] * 5
    with pytest.raises(Throttled) as caught:
        limiter.acquire(account)
    assert caught.value.scope == "day"
    assert caught.value.wait == pytest.approx(15 * 3600)
    clock.advance(caught.value.wait)
    limiter.acquire(account)
    limiter.feed(account, Told(day=0))
    with pytest.raises(Throttled):
        limiter.acquire(account)


def test_a_clock_that_was_set_back_does_not_lock_the_account(tmp_path: Path, clock: SharedClock) -> None:
    """After the wall clock was set back by a day the account starts afresh instead of waiting for a day."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    limiter.feed(XERO, Told(wait=100))
    clock.advance(-86400)
    assert moments(limiter, clock, XERO, 1) == [0]


def test_low_priority_leaves_the_burst_to_others(tmp_path: Path, clock: SharedClock) -> None:
    """Work of low priority is paced from its first request, so that a burst remains for what is urgent."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    limiter.acquire(XERO, priority=-1)
    assert clock.boot() % 60 == pytest.approx(60 / 57, abs=0.01)
    assert moments(limiter, clock, XERO, 2) == [0, 0]


SHOPIFY = Account("shopify:s", Quota(rate=6000, burst=2000, share=1))


def test_points_are_paced_by_what_the_vendor_tells(tmp_path: Path, clock: SharedClock) -> None:
    """A bucket of points: its size and refill come from the answers, and what a query did not cost is given back."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    limiter.acquire(SHOPIFY, 500)
    limiter.feed(SHOPIFY, Told(available=960, maximum=1000, restore=50, spent=40), 500)
    assert moments(limiter, clock, SHOPIFY, 1, cost=960) == [0]
    limiter.feed(SHOPIFY, Told(available=0, maximum=1000, restore=50, spent=960), 960)
    assert moments(limiter, clock, SHOPIFY, 1, cost=500) == [10]
    limiter.feed(SHOPIFY, Told(spent=0), 500)
    assert moments(limiter, clock, SHOPIFY, 1, cost=500) == [0]


class Bucket:
    """A vendor's bucket of points that takes the asked price first and gives the difference back, as Shopify does."""

    def __init__(self, clock: SharedClock, size: float, refill: float) -> None:
        self._clock, self._size, self._refill = clock, size, refill
        self._level, self._at = size, clock.boot()
        self.throttled = 0

    def __call__(self, request: Arrived) -> Reply:
        asked = float(request.headers["x-cost"])
        now = self._clock.boot()
        self._level, self._at = min(self._size, self._level + (now - self._at) * self._refill), now
        body: dict[str, object] = {"data": {}}
        spent: float | None = asked / 5
        if self._level < asked:
            self.throttled += 1
            spent, body = None, {"errors": [{"extensions": {"code": "THROTTLED"}}]}
        else:
            self._level -= asked / 5
        status = {"maximumAvailable": self._size, "currentlyAvailable": int(self._level), "restoreRate": self._refill}
        cost = {"requestedQueryCost": asked, "actualQueryCost": spent, "throttleStatus": status}
        return reply({**body, "extensions": {"cost": cost}})


def told(answer: Answer) -> Told:
    cost = answer.json()["extensions"]["cost"]
    status = cost["throttleStatus"]
    return Told(
        available=status["currentlyAvailable"],
        maximum=status["maximumAvailable"],
        restore=status["restoreRate"],
        spent=float(cost["actualQueryCost"] or 0),
    )


def throttled(answer: Answer) -> Throttled | None:
    found = answer.json()
    if "errors" not in found:
        return None
    cost = found["extensions"]["cost"]
    missing = cost["requestedQueryCost"] - cost["throttleStatus"]["currentlyAvailable"]
    return Throttled("throttled", wait=float(missing) / cost["throttleStatus"]["restoreRate"], status=200)


def test_a_priced_quota_is_used_without_being_throttled(tmp_path: Path, clock: SharedClock) -> None:
    """Against a bucket that is smaller than declared, at most the first burst is throttled, and 90 % of it is used."""
    bucket = Bucket(clock, 1000, 50)
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    start = clock.boot()
    with Server(bucket, clock) as server:
        http = client(server.url, clock, limiter=limiter, account=SHOPIFY, tell=told, classify=throttled)
        for _ in range(200):
            http.request("POST", "/graphql.json", json={}, headers={"X-Cost": "400"}, cost=400)
    seconds = clock.boot() - start
    assert bucket.throttled <= 1
    assert 0.9 * (1000 - 400 + seconds * 50) <= 200 * 80


def test_headers_tell_what_is_left(tmp_path: Path, clock: SharedClock) -> None:
    """Remaining requests in the headers correct the count: of the day at once, of the minute by giving up bursts."""
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    tell = told_by_headers(minute="X-MinLimit-Remaining", day="X-DayLimit-Remaining")
    last = reply({}, X_MinLimit_Remaining="0", X_DayLimit_Remaining="1")
    with Server(InTurn(last), clock) as server:
        http = client(server.url, clock, limiter=limiter, account=XERO, tell=tell)
        http.request("GET", "/a")
        http.request("GET", "/a")
        before = clock.boot()
        http.request("GET", "/a")
        assert clock.boot() - before > 1
    limiter.feed(XERO, Told(day=0))
    with pytest.raises(Throttled):
        limiter.acquire(XERO)


def test_at_most_so_many_at_once(tmp_path: Path) -> None:
    """Requests of all threads together never exceed the concurrent limit, and all of them get through."""
    clock, lock, inside, most = SystemClock(), threading.Lock(), 0, 0
    account = Account("five", Quota(concurrent=5))
    limiter = SlotLimiter(tmp_path / "limits.db", clock)

    def behave(_: Arrived) -> Reply:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return reply({})

    with Server(behave, clock) as server:
        http = client(server.url, clock, limiter=limiter, account=account, timeout=10)
        threads = [threading.Thread(target=lambda: [http.request("GET", "/") for _ in range(4)]) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.arrived) == 64
    assert 4 <= most <= 5


def test_a_killed_process_frees_its_places(tmp_path: Path, clock: SharedClock) -> None:
    """Places held by a process that was killed are free at once."""
    account = Account("two", Quota(concurrent=2))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        limiter = SlotLimiter(tmp_path / "limits.db", clock)
        limiter.acquire(account)
        limiter.acquire(account)
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    limiter = SlotLimiter(tmp_path / "limits.db", clock)
    tickets = {limiter.acquire(account) for _ in range(2)}
    assert len(tickets) == 2


RATE, BURST, SECONDS, WORKERS = 100.0, 10.0, 3.0, 4


def hurry(path: Path, port: int, until: float, counts: multiprocessing.SimpleQueue[int]) -> None:
    clock, count = SystemClock(), 0
    account = Account("shared", Quota(rate=RATE * 60, burst=BURST / 2))
    with client(
        f"http://127.0.0.1:{port}", clock, limiter=SlotLimiter(path, clock), account=account, timeout=5
    ) as http:
        while clock.boot() < until:
            http.request("GET", "/")
            count += 1
    counts.put(count)


@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_r5_processes_share_a_quota(tmp_path: Path, kind: str) -> None:
    """R5: processes that share a quota use at least 90 % of it and are throttled for at most 2 % of their requests.

    Real time on a machine that others use as well: the best of three goes counts.
    """
    for go in range(3):
        used, refused, done = share(tmp_path / str(go), kind)
        print(json.dumps({"used": used, "refused": refused, "done": done}))
        if used >= 0.9 and refused <= 0.02 * sum(done) and max(done) - min(done) <= 0.2 * max(done):
            return
    pytest.fail("three goes, none within the bounds")


def share(folder: Path, kind: str) -> tuple[float, int, list[int]]:
    """The part of the quota that was used, how many requests were refused, and how many each process made."""
    clock, refused, level = SystemClock(), 0, BURST
    at, lock = clock.boot(), threading.Lock()
    window: list[float] = []

    def behave(_: Arrived) -> Reply:
        nonlocal refused, level, at
        with lock:
            now = clock.boot()
            level, at = min(BURST, level + (now - at) * RATE), now
            window[:] = [moment for moment in window if moment > now - 1]
            if level < 1 if kind == "bucket" else len(window) >= RATE:
                refused += 1
                return reply({}, 429, Retry_After="0.05")
            level -= 1
            window.append(now)
        return reply({})

    counts: multiprocessing.SimpleQueue[int] = FORK.SimpleQueue()
    with Server(behave, clock) as server:
        args = (folder / "limits.db", server.port, clock.boot() + SECONDS + 0.5, counts)
        workers = [FORK.Process(target=hurry, args=args) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        done = [counts.get() for _ in workers]
        times = [request.at.timestamp() for request in server.arrived]
    return sum(done) / ((times[-1] - times[0]) * RATE), refused, done
