"""Evenly spaced slots in each account's quota, shared by every process of a machine, or of several."""

from __future__ import annotations

import fcntl
import os
import re
import select
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from crosswalk.clock import Clock
from crosswalk.errors import Throttled
from crosswalk.http.answer import LONGEST_WAIT, Answer, Tell
from crosswalk.http.protocols import Account, Quota, Told
from crosswalk.http.sqlite import File

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS {}account (
    key TEXT PRIMARY KEY,
    due DOUBLE PRECISION NOT NULL,
    seen DOUBLE PRECISION NOT NULL,
    blocked DOUBLE PRECISION NOT NULL,
    pace DOUBLE PRECISION,
    burst DOUBLE PRECISION,
    day TEXT NOT NULL,
    used INTEGER NOT NULL
);""",
    """CREATE TABLE IF NOT EXISTS {}waiter (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    priority INTEGER NOT NULL,
    moment DOUBLE PRECISION NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    asked DOUBLE PRECISION NOT NULL
);""",
)
_READ = "SELECT due, seen, blocked, pace, burst, day, used FROM {}account WHERE key = ?"
_WRITE = """INSERT INTO {}account (due, seen, blocked, pace, burst, day, used, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET due = excluded.due, seen = excluded.seen, blocked = excluded.blocked,
pace = excluded.pace, burst = excluded.burst, day = excluded.day, used = excluded.used"""
_IN_FRONT = """SELECT COALESCE(SUM(seconds), 0) FROM {}waiter
WHERE account = ? AND priority < ? AND asked > ? AND moment > ?"""
_LET_PAST = """UPDATE {}waiter SET moment = moment + ?
WHERE account = ? AND priority < ? AND asked > ? AND moment > ?"""

AGE = 30.0
"""Seconds of waiting after which nobody more urgent is let past any more, so that backfills go on under any load."""
LATE = 60.0
"""Seconds after its moment at which a waiter that has not come is taken to be dead."""
NEAR = 0.001


class Shelf(Protocol):
    """Where accounts and waiters are kept: ``?`` stands for a value, ``{}`` for what comes before a table's name."""

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute one statement; StoreError when the shelf cannot be used."""

    def transaction(self, key: str) -> AbstractContextManager[None]:
        """Nobody else changes this account meanwhile; undone by an exception."""


class Room(Protocol):
    """At most so many requests at once per account."""

    def enter(self, account: Account) -> str:
        """Wait for a free place; Throttled after about two minutes."""

    def leave(self, ticket: str) -> None:
        """Free the place."""


@dataclass
class _Meter:
    """The state of one account. Moments are seconds of the wall clock, so that a restart of the machine is no matter.

    due: when everything taken so far will have been paid off at the pace; a slot may be used ``burst / pace`` seconds
    before. blocked: until when the vendor wants nothing. pace (units a second) and burst: as the vendor told them, else
    None. used: requests of this UTC day.
    """

    due: float
    seen: float
    blocked: float = 0.0
    pace: float | None = None
    burst: float | None = None
    day: str = ""
    used: int = 0

    def at(self, now: datetime) -> None:
        """Let the time pass. A clock that was set back by more than a minute starts the account afresh."""
        seconds = now.timestamp()
        if self.seen > seconds + 60:
            self.due, self.blocked = seconds, 0.0
        self.due, self.seen = max(self.due, seconds), seconds
        if self.day != now.date().isoformat():
            self.day, self.used = now.date().isoformat(), 0

    def slot(self, quota: Quota, cost: float, priority: int, passed: float = 0.0) -> tuple[float, str]:
        """When the next request of this cost may leave, and what decides that.

        passed: seconds of the pace that wait for less urgent requests, which this one may leave behind.
        """
        if quota.daily and self.used >= quota.daily:
            midnight = datetime.fromisoformat(self.day).replace(tzinfo=UTC) + timedelta(days=1)
            return max(midnight.timestamp(), self.blocked), "day"
        pace = self.pace_of(quota)
        ahead = self.burst_of(quota) / pace if priority >= 0 else 0.0
        return max(max(self.due - passed, self.seen) + cost / pace - ahead, self.blocked), "minute"

    def take(self, quota: Quota, cost: float) -> float:
        """Seconds of the pace that the request takes."""
        seconds = cost / self.pace_of(quota)
        self.due += seconds
        self.used += 1
        return seconds

    def learn(self, quota: Quota, told: Told, cost: float) -> None:
        now = self.seen
        if told.spent is not None:
            self.due -= (cost - told.spent) / self.pace_of(quota)
        if told.available is not None and told.maximum and told.restore:
            # Answers overtake each other: who spends the last point of a bucket is refused now and then.
            self.pace, self.burst = told.restore * quota.share, told.maximum * quota.share
            self.due = max(self.due, now + (told.maximum - told.available) / told.restore)
        if told.wait:
            self.blocked = max(self.blocked, now + told.wait)
        if (told.wait or told.minute == 0) and self.pace is None:
            self.due = max(self.due, max(self.blocked, now) + (quota.burst - 1) / self.pace_of(quota))
        if told.day is not None:
            self.used = quota.daily - told.day

    def pace_of(self, quota: Quota) -> float:
        return self.pace or quota.per_second or 1e6

    def burst_of(self, quota: Quota) -> float:
        return self.burst or quota.burst


class SlotLimiter:
    """The limiter of everything that shares a shelf: one machine's file, or a database that many machines reach.

    Slots are reserved in the order of asking, in one short transaction. Who is more urgent goes before those who have
    waited for less than ``AGE`` and moves their slots back by its own. A killed process frees its concurrent places at
    once.
    """

    def __init__(self, path: Path, clock: Clock, *, shelf: Shelf | None = None, room: Room | None = None) -> None:
        self._clock = clock
        self._shelf = shelf or FileShelf(path)
        self._room = room or Places(path.with_suffix(".places"))

    def acquire(self, account: Account, cost: float = 1, priority: int = 0) -> str:
        """See ``Limiter``; Throttled carries the wait when the pace, a block or the day's end needs above 2 minutes."""
        asked = self._clock.now().timestamp()
        while not self._waited(account, cost, priority, asked):
            pass
        return self._room.enter(account) if account.quota.concurrent else ""

    def release(self, account: Account, ticket: str) -> None:
        """See ``Limiter``."""
        if ticket:
            self._room.leave(ticket)

    def feed(self, account: Account, told: Told, cost: float = 1) -> None:
        """See ``Limiter``: a wait blocks the account for everybody; what the vendor counts corrects our own count."""
        with self._meter(account) as meter:
            meter.learn(account.quota, told, cost)

    def _waited(self, account: Account, cost: float, priority: int, asked: float) -> bool:
        """Take a slot and wait for it; False when the vendor has blocked the account meanwhile."""
        with self._meter(account) as meter:
            now = meter.seen
            young = (account.key, priority, now - AGE, now)
            passed = self._shelf.run(_IN_FRONT, young)[0][0]
            moment, scope = meter.slot(account.quota, cost, priority, float(passed))
            wait = moment - now
            if wait > LONGEST_WAIT:
                raise Throttled(f"{account.key}: no request is free for {wait:.0f} seconds", wait=wait, scope=scope)
            seconds = meter.take(account.quota, cost)
            if passed:
                self._shelf.run(_LET_PAST, (seconds, *young))
            if wait <= 0:
                return True
            me = self._wait_as((account.key, priority, moment, seconds, min(asked, now)))
        return self._slept(account, me, wait)

    def _wait_as(self, waiter: tuple[str, int, float, float, float]) -> str:
        me = uuid.uuid4().hex
        self._shelf.run("DELETE FROM {}waiter WHERE account = ? AND moment < ?", (waiter[0], waiter[2] - LATE))
        self._shelf.run(
            "INSERT INTO {}waiter (account, priority, moment, seconds, asked, id) VALUES (?, ?, ?, ?, ?, ?)",
            (*waiter, me),
        )
        return me

    def _slept(self, account: Account, me: str, wait: float) -> bool:
        """Sleep until the slot, which others may have moved back; False when it is none any more."""
        while True:
            self._clock.sleep(wait)
            with self._meter(account) as meter:
                found = self._shelf.run("SELECT moment FROM {}waiter WHERE id = ?", (me,))
                blocked = meter.blocked > meter.seen + NEAR
                wait = float(found[0][0]) - meter.seen if found else 0.0
                if blocked or wait <= NEAR or wait > LONGEST_WAIT + LATE:
                    self._shelf.run("DELETE FROM {}waiter WHERE id = ?", (me,))
                    return not blocked and wait <= NEAR

    @contextmanager
    def _meter(self, account: Account) -> Iterator[_Meter]:
        with self._shelf.transaction(account.key):
            now = self._clock.now()
            rows = self._shelf.run(_READ, (account.key,))
            meter = _Meter(*rows[0]) if rows else _Meter(now.timestamp(), now.timestamp())
            meter.at(now)
            yield meter
            self._shelf.run(_WRITE, (*astuple(meter), account.key))


class FileShelf:
    """One small SQLite file: every process of this machine."""

    def __init__(self, path: Path) -> None:
        schema = "\n".join(table.format("") for table in SCHEMA)
        self._file = File(path, schema, what="the limits file", synchronous="OFF")

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._file.run(statement.format(""), values)

    def transaction(self, key: str) -> AbstractContextManager[None]:
        return self._file.transaction()


class Places:
    """At most so many requests at once per account, over all processes: one locked file a place.

    The kernel drops the lock of a process that ends, however it ends. Waiting is for another process and not for a
    time, so it is not the clock's.
    """

    ROUNDS = 24_000  # of 5 ms

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def enter(self, account: Account) -> str:
        """Wait for a free place; Throttled after about two minutes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(self.ROUNDS):
            for path in self._paths(account):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                    continue
                ticket = f"{os.getpid()}:{descriptor}"
                with self._lock:
                    self._held[ticket] = descriptor
                return ticket
            select.select([], [], [], 0.005)
        raise Throttled(f"{account.key}: no place among its concurrent requests", wait=LONGEST_WAIT, scope="concurrent")

    def leave(self, ticket: str) -> None:
        """Free the place."""
        with self._lock:
            descriptor = self._held.pop(ticket, None)
        if descriptor is not None:
            os.close(descriptor)

    def _paths(self, account: Account) -> Iterator[Path]:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", account.key)
        return (self._folder / f"{name}.{number}" for number in range(account.quota.concurrent))


class NoLimit:
    """Lets everything pass: for systems without limits, and for tests."""

    def acquire(self, account: Account, cost: float = 1, priority: int = 0) -> str:
        return ""

    def release(self, account: Account, ticket: str) -> None:
        pass

    def feed(self, account: Account, told: Told, cost: float = 1) -> None:
        pass


def told_by_headers(*, minute: str = "", day: str = "") -> Tell:
    """Reads the remaining requests of the minute and the day from these headers."""

    def tell(answer: Answer) -> Told | None:
        left = [_count(answer.header(name)) if name else None for name in (minute, day)]
        return None if left == [None, None] else Told(minute=left[0], day=left[1])

    return tell


def _count(value: str) -> int | None:
    return int(value) if value.strip().isdecimal() else None
