"""One quota for all who share it: kinds of vendors, urgency, several machines, on a clock of turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers.postgres import Server
from turns import Turns

from crosswalk.errors import StoreError
from crosswalk.http.limits import AGE, SlotLimiter
from crosswalk.http.limits_postgresql import PostgresRoom, PostgresShelf
from crosswalk.http.protocols import Account, Quota, Told

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from vendors import Bucket, Vendor, Window

Make = Callable[[Turns], SlotLimiter]


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes limiters that share one quota, as processes of one machine or of several would."""
    with ExitStack() as stack:
        if request.param == "file":
            yield lambda clock: SlotLimiter(tmp_path / "limits.db", clock)
            return
        address = request.getfixturevalue("postgres_url").replace("+psycopg", "")

        def on_server(clock: Turns) -> SlotLimiter:
            shelf, room = PostgresShelf(address), PostgresRoom(address)
            stack.callback(shelf.close)
            stack.callback(room.close)
            return SlotLimiter(tmp_path / "unused.db", clock, shelf=shelf, room=room)

        yield on_server


def worker(
    make: Make, clock: Turns, account: Account, vendor: Vendor, seconds: float, *, cost: float = 1, spent: float = 1,
    priority: int = 0, waits: list[float] | None = None, latency: float = 0.05,
) -> Callable[[], int]:  # fmt: skip
    """Makes requests one after the other until the time is over; how many were let through."""
    limiter = make(clock)

    def work() -> int:
        done = 0
        while clock.boot() < seconds:
            asked = clock.boot()
            limiter.release(account, limiter.acquire(account, cost, priority))
            if waits is not None:
                waits.append(clock.boot() - asked)
            refused = vendor.take(clock.boot(), spent)
            clock.sleep(latency)
            if refused is not None:
                limiter.feed(account, Told(wait=refused), 0)
                continue
            if isinstance(vendor, Bucket) and cost != spent:
                told = Told(spent=spent, available=vendor.level, maximum=vendor.size, restore=vendor.rate)
                limiter.feed(account, told, cost)
            done += 1
        counts.append(done)
        return done

    counts: list[int] = []
    work.counts = counts  # type: ignore[attr-defined]
    return work


KINDS = {
    "tokens": (lambda: Bucket(10, 10), Quota(rate=600, burst=5), {}),
    "window": (lambda: Window(600, 60), Quota(rate=600, burst=5), {}),
    "points": (lambda: Bucket(50, 1000), Quota(rate=6000, burst=2000, share=1), {"cost": 20, "spent": 8}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 8])
def test_r5_a_quota_is_used_and_nobody_is_refused(make: Make, kind: str, workers: int) -> None:
    """R5: alone or eight at once, at least 90 % of what a vendor allows is used, none is refused, all fare alike."""
    clock = Turns()
    vendor, quota, more = KINDS[kind][0](), KINDS[kind][1], KINDS[kind][2]
    account = Account(f"shared-{kind}-{workers}", quota)
    works = [worker(make, clock, account, vendor, 40, **more) for _ in range(workers)]  # type: ignore[arg-type]
    assert clock.run(works) == []
    counts = [w.counts[0] for w in works]  # type: ignore[attr-defined]
    print(f"{kind}, {workers}: {vendor.used():.1%} used, {vendor.refused} refused, {counts}")
    # With points the size of the bucket is learned from the first answer: until then one may be refused.
    assert vendor.refused <= (1 if kind == "points" else 0)
    assert vendor.used() >= 0.9
    assert max(counts) - min(counts) <= 0.2 * max(counts)


@pytest.mark.parametrize("priority", [0, -1])
def test_what_is_urgent_goes_first(make: Make, priority: int) -> None:
    """Eight runs or backfills use a whole quota; an event's request still waits for hardly more than one slot."""
    clock, waits, vendor = Turns(), [], Bucket(1, 5)
    account = Account("urgent", Quota(rate=60, burst=3))
    slow = [worker(make, clock, account, vendor, 240, priority=priority) for _ in range(8)]
    events = make(clock)

    def now_and_then() -> None:
        for _ in range(10):
            clock.sleep(20)
            asked = clock.boot()
            events.acquire(account, priority=1)
            vendor.take(clock.boot())
            waits.append(clock.boot() - asked)

    assert clock.run([*slow, now_and_then]) == []
    print([round(w, 2) for w in waits])
    assert max(waits) <= 2 * 60 / 57
    assert vendor.refused == 0 and vendor.used() >= 0.9


def test_a_backfill_does_not_starve(make: Make) -> None:
    """Under more urgent work than the quota has room for, a backfill's request waits for its age and then goes on."""
    clock, waits, vendor = Turns(), [], Bucket(1, 5)
    account = Account("starving", Quota(rate=60, burst=3))
    urgent = [worker(make, clock, account, vendor, 200, priority=1) for _ in range(4)]
    slow = worker(make, clock, account, vendor, 200, priority=-1, waits=waits)
    assert clock.run([*urgent, slow]) == []
    print([round(w, 1) for w in waits])
    assert len(waits) >= 4 and max(waits) <= AGE + 15
    assert vendor.refused == 0


@pytest.mark.postgres
def test_places_are_shared_by_machines_and_freed_by_a_death(postgres_url: str) -> None:
    """Concurrent requests of several machines stay below the limit; a machine that dies frees its places."""
    address = postgres_url.replace("+psycopg", "")
    account = Account("two", Quota(concurrent=2))
    here, there = PostgresRoom(address), PostgresRoom(address)
    tickets = {here.enter(account), here.enter(account)}
    assert len(tickets) == 2 and there._try(account) == ""
    here.leave(tickets.pop())
    assert there._try(account)
    here.close()  # as the server sees a process that was killed
    assert there.enter(account)
    there.close()


@pytest.mark.postgres
def test_limits_that_cannot_be_asked_are_a_clear_error(postgres_server: Server, tmp_path: Path) -> None:
    """A database that is away refuses requests by name, and they go on when it is back."""
    clock = Turns()
    with postgres_server.database("limits_gone") as url:
        shelf = PostgresShelf(url.replace("+psycopg", ""))
        limiter = SlotLimiter(tmp_path / "unused.db", clock, shelf=shelf, room=PostgresRoom(url))
        limiter.acquire(Account("a", Quota(rate=60)))
        shelf.run("SELECT 1")
        shelf._connection().close()
        limiter.acquire(Account("a", Quota(rate=60)))
        shelf.close()
    with pytest.raises(StoreError, match="the limits in the store's PostgreSQL cannot be used"):
        limiter.acquire(Account("a", Quota(rate=60)))
