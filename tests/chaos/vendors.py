"""How vendors enforce their limits: a bucket of tokens or points, a fixed window. Nothing of ours is imported."""

from __future__ import annotations

import threading


class Vendor:
    """Counts what it let through and what it refused. rate: units a second; at_once: besides, at the beginning."""

    rate: float
    at_once = 0.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.refused = 0
        self.spent = 0.0
        self.first: float | None = None
        self.last = 0.0

    def take(self, now: float, cost: float = 1.0) -> float | None:
        """None when the request is let through, else the seconds after which it may come again."""
        with self._lock:
            wait = self._take(now, cost)
            if wait is not None:
                self.refused += 1
                return wait
            self.first = now if self.first is None else self.first
            self.last = max(self.last, now)
            self.spent += cost
            return None

    def used(self) -> float:
        """The share of what was allowed between the first and the last request that was used."""
        seconds = self.last - (self.first or 0.0)
        return self.spent / (self.at_once + self.rate * seconds)

    def _take(self, now: float, cost: float) -> float | None:
        raise NotImplementedError


class Bucket(Vendor):
    """Tokens that come in steadily, so many at most; a bucket of points when requests have a price."""

    def __init__(self, rate: float, size: float) -> None:
        super().__init__()
        self.rate, self.size = rate, size
        self.at_once = size
        self.level, self._at = size, 0.0

    def _take(self, now: float, cost: float) -> float | None:
        self.level = min(self.size, self.level + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)
        if self.level < cost:
            return (cost - self.level) / self.rate
        self.level -= cost
        return None


class Window(Vendor):
    """So many requests from one full window to the next."""

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__()
        self.rate, self._count, self._seconds = count / seconds, count, seconds
        self._begun, self._in_it = -1.0, 0

    def _take(self, now: float, cost: float) -> float | None:
        begun = now // self._seconds
        if begun != self._begun:
            self._begun, self._in_it = begun, 0
        if self._in_it >= self._count:
            return (begun + 1) * self._seconds - now
        self._in_it += 1
        return None
