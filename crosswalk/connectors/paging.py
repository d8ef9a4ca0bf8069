"""Listings that move while they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from crosswalk.connectors.base import Page, Window
from crosswalk.errors import FilterIgnored


@dataclass(frozen=True, slots=True)
class Part:
    """What one request of a numbered listing gave. more: there are further pages."""

    records: list[bytes]
    more: bool
    total: int | None
    vendor_now: datetime


def restarted(
    ask: Callable[[datetime | None, int], Part],
    changed: Callable[[bytes], datetime | None],
    window: Window,
    resume: str | None,
) -> Iterator[Page]:
    """Read a listing numbered by pages as a keyset, so that a record that moves to its end shifts nothing past us.

    ask: the page with this number of what changed since this whole second, oldest change first. Every page but one that
    lies within a single second is followed by page 1 since its last second; what is read twice is counted as duplicate.
    Raises FilterIgnored when the order or the lower bound was not kept.
    """
    since, number = _resume(resume, window)
    while True:
        part = ask(since, number)
        moments = [changed(raw) for raw in part.records]
        _in_order([m for m in moments if m is not None], since)
        last = next((m for m in reversed(moments) if m is not None), None)
        past = window.until is not None and last is not None and last >= window.until
        kept = [
            raw
            for raw, m in zip(part.records, moments, strict=True)
            if window.until is None or m is None or m < window.until
        ]
        first = resume is None and number == 1 and since == window.since
        total = part.total if first and window.until is None else None
        if past or not part.more:
            yield Page(kept, None, total, part.vendor_now)
            return
        second = last.replace(microsecond=0) if last else None
        if second is not None and (since is None or second > since):
            since, number = second, 1
        else:
            number += 1
        yield Page(kept, _token(since, number), total, part.vendor_now)


def _token(since: datetime | None, number: int) -> str:
    return json.dumps({"since": since.isoformat() if since else None, "page": number})


def _resume(resume: str | None, window: Window) -> tuple[datetime | None, int]:
    if resume is None:
        return (window.since.replace(microsecond=0) if window.since else None), 1
    state = json.loads(resume)
    return (datetime.fromisoformat(state["since"]) if state["since"] else None), int(state["page"])


def _in_order(moments: list[datetime], since: datetime | None) -> None:
    if any(a > b for a, b in pairwise(moments)):
        raise FilterIgnored("the listing does not come in the order of its changes, which was asked for")
    if since is not None and moments and moments[0] < since:
        raise FilterIgnored(f"the listing begins at {moments[0]:%Y-%m-%dT%H:%M:%SZ}, before {since:%Y-%m-%dT%H:%M:%SZ}")
