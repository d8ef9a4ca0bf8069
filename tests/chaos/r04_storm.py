"""R4: a vendor in trouble: a fifth of its answers are limits in every form, many others faults, resets and silence."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from http_servers import Arrived, Reply, Server, client, reply
from scenario import Result

from crosswalk.clock import SharedClock
from crosswalk.errors import Throttled
from crosswalk.http.answer import Retry

TITLE = "a storm of limits, faults, resets and silence"
TIMEOUT = 1.0
"""Seconds of real time: long enough that only silence is given up, so that every limit that was told is heard."""


def run(folder: Path, whole: bool) -> Result:
    """10,000 requests in the whole size, 500 in the short one; the waits are the injected clock's."""
    clock, seed, result = SharedClock(folder / "clock"), random.randrange(10**6), Result()
    storm, requests = _Storm(clock, seed), 10_000 if whole else 500
    done, arrived = _outlive(storm, clock, requests)
    result.faults = storm.faults
    result.lost = requests - len(set(done))
    result.doubled = len(done) - len(set(done))
    needed = requests + storm.faults
    spread = len({round(gap, 3) for gap in storm.gaps}) / max(1, len(storm.gaps))
    result.must(not storm.early, f"{len(storm.early)} requests came earlier than allowed")
    result.must(arrived <= 1.3 * needed, f"{arrived} requests where {needed} were needed")
    result.must(spread > 0.3, "the waits are not spread")
    result.notes.append(f"seed {seed}: {requests:,} requests, {arrived:,} sent, {arrived / needed:.2f} of those needed")
    return result


class _Storm:
    """Answers by its dice, and notes whoever comes back before he may."""

    def __init__(self, clock: SharedClock, seed: int) -> None:
        self._clock, self._dice, self._lock = clock, random.Random(seed), threading.Lock()
        self._not_before: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self.early: list[str] = []
        self.gaps: list[float] = []
        self.faults = 0

    def __call__(self, request: Arrived) -> Reply:
        with self._lock:
            now = self._clock.now().timestamp()
            if now < self._not_before.get(request.path, 0.0):
                self.early.append(request.path)
            if request.path in self._failed:
                self.gaps.append(now - self._failed.pop(request.path))
            found = self._fault(request.path, now)
            self.faults += found is not None
            return found or reply({"path": request.path})

    def _fault(self, path: str, now: float) -> Reply | None:
        draw = self._dice.random()
        if draw < 0.20:
            return self._limit(path, now)
        if draw < 0.30:
            self._failed[path] = now
            return reply({}, self._dice.choice([500, 502, 503]))
        if draw < 0.35:
            return Reply(reset=True)
        return Reply(silent=True) if draw < 0.40 else None

    def _limit(self, path: str, now: float) -> Reply:
        kind = self._dice.choice(["3", "1.5", "date", "past", "3600", "garbage"])
        until = {"date": int(now) + 20.0, "past": now - 90, "garbage": now}.get(kind) or now + float(kind)
        value = kind if kind[0].isdigit() else "as soon as you like"
        if kind in ("date", "past"):
            value = format_datetime(datetime.fromtimestamp(int(until), UTC), usegmt=True)
        self._not_before[path] = until
        return reply({}, 429, Retry_After=value)


def _outlive(storm: _Storm, clock: SharedClock, requests: int) -> tuple[list[str], int]:
    """Every path that was answered, and how many requests arrived."""
    lock, todo, done, later = threading.Lock(), list(range(requests)), list[str](), list[int]()

    def work() -> None:
        with client(server.url, clock, timeout=TIMEOUT, retry=Retry(tries=15, seconds=900)) as http:
            while True:
                with lock:
                    if not todo:
                        return
                    number = todo.pop()
                try:
                    done.append(str(http.request("GET", f"/{number}").json()["path"]))
                except Throttled:
                    later.append(number)  # an hour: the work is handed back

    with Server(storm, clock) as server:
        while todo:
            workers = [threading.Thread(target=work) for _ in range(32)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            clock.advance(3600)
            todo, later = later, []
        return done, len(server.arrived)
