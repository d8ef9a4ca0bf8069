"""How urgent the requests of a piece of work are, where many share a quota."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

EVENT = 1
"""Somebody waits for it: work that a webhook asked for."""
USUAL = 0
BACKFILL = -1
"""Nobody waits for it: long stretches of the past."""

_urgency: ContextVar[int] = ContextVar("urgency", default=USUAL)


def urgency() -> int:
    """The priority of requests that name none."""
    return _urgency.get()


@contextmanager
def urgent(priority: int) -> Iterator[None]:
    """Requests inside have this priority. A thread starts with the usual one: open it inside the thread."""
    token = _urgency.set(priority)
    try:
        yield
    finally:
        _urgency.reset(token)
