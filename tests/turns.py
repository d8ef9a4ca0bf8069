"""A clock for threads that share it: it moves on to the next who wakes as soon as all of them sleep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Turns:
    """Time for threads that work at once: nothing of it goes by while one of them is awake."""

    def __init__(self, start: datetime = BEGIN) -> None:
        self._start, self._at = start, 0.0
        self._threads = 0
        self._wakes: dict[int, float] = {}
        self._turn = threading.Condition()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._at)

    def boot(self) -> float:
        return self._at

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        with self._turn:
            me = threading.get_ident()
            wake = self._wakes[me] = self._at + seconds
            self._move()
            while self._at < wake:
                self._turn.wait(60)
            del self._wakes[me]

    def run(self, works: Sequence[Callable[[], object]]) -> list[BaseException]:
        """Do all of these at once, each in a thread; what they raised."""
        wrong: list[BaseException] = []

        def one(work: Callable[[], object]) -> None:
            try:
                work()
            except BaseException as error:
                wrong.append(error)
            finally:
                with self._turn:
                    self._threads -= 1
                    self._move()

        threads = [threading.Thread(target=one, args=(work,)) for work in works]
        self._threads = len(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong

    def _move(self) -> None:
        """Called with the turn: go on to the next who wakes when nobody is awake."""
        waking = [wake for wake in self._wakes.values() if wake > self._at]
        if len(waking) >= self._threads and waking:
            self._at = min(waking)
            self._turn.notify_all()
