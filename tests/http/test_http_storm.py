from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from email.utils import format_datetime

from http_servers import Arrived, Reply, Server, client, reply

from crosswalk.clock import SharedClock
from crosswalk.errors import Throttled
from crosswalk.http.answer import Retry

REQUESTS = 600


class Storm:
    """A vendor in trouble: a fifth 429 with every form of Retry-After, a tenth 5xx, resets, stalls.

    It checks that nobody comes back before he may.
    """

    def __init__(self, clock: SharedClock, seed: int) -> None:
        self._clock, self._dice = clock, random.Random(seed)
        self._lock = threading.Lock()
        self.not_before: dict[str, float] = {}
        self.early: list[str] = []
        self.faults = 0
        self.gaps: list[float] = []
        self._last: dict[str, float] = {}

    def __call__(self, request: Arrived) -> Reply:
        with self._lock:
            now = self._clock.now().timestamp()
            if now < self.not_before.get(request.path, 0.0):
                self.early.append(request.path)
            if request.path in self._last:
                self.gaps.append(now - self._last.pop(request.path))
            found = self._fault(request.path, now)
            self.faults += found is not None
            return found or reply({"path": request.path})

    def _fault(self, path: str, now: float) -> Reply | None:
        draw = self._dice.random()
        if draw < 0.20:
            kind = self._dice.choice(["3", "1.5", "date", "past", "3600", "garbage"])
            seconds = {"date": 20.0, "past": -90.0, "garbage": 0.0}.get(kind) or float(kind if kind[0].isdigit() else 0)
            at = format_datetime(datetime.fromtimestamp(int(now) + seconds, UTC), usegmt=True)
            value = {"date": at, "past": at, "garbage": "as soon as you like"}.get(kind, kind)
            if kind == "date":
                seconds = int(now) + seconds - now
            self.not_before[path] = now + max(0.0, seconds)
            return reply({}, 429, Retry_After=value)
        if draw < 0.30:
            self._last[path] = now
            return reply({}, self._dice.choice([500, 502, 503]))
        if draw < 0.35:
            return Reply(reset=True)
        return Reply(silent=True) if draw < 0.36 else None


def test_r4_a_storm_of_faults_is_outlived(clock: SharedClock) -> None:
    """R4: every request is done in the end, none comes earlier than allowed, waits are spread, few are in excess."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    storm, lock, todo, done = Storm(clock, seed), threading.Lock(), list(range(REQUESTS)), []
    queued: list[int] = []

    def work() -> None:
        with client(server.url, clock, timeout=0.25, retry=Retry(tries=12, seconds=600)) as http:
            while True:
                with lock:
                    if not todo:
                        return
                    number = todo.pop()
                try:
                    done.append(http.request("GET", f"/{number}").json()["path"])
                except Throttled as error:
                    assert error.wait == 3600
                    queued.append(number)

    with Server(storm, clock) as server:
        while todo:
            workers = [threading.Thread(target=work) for _ in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            clock.advance(3600)
            todo, queued = queued, []
    assert sorted(done) == sorted(f"/{number}" for number in range(REQUESTS))
    assert storm.early == []
    assert REQUESTS + storm.faults <= len(server.arrived) <= 1.05 * (REQUESTS + storm.faults)
    assert len({round(gap, 3) for gap in storm.gaps}) > len(storm.gaps) / 3
