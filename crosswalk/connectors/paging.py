"""Listings that move while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from crosswalk.connectors.base import Page, Window
from crosswalk.errors import FilterIgnored, Incomplete

REPEATS = 2
"""How often a page may come again before a listing counts as one that leads in a circle."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one request of a numbered listing gave. more: there are further pages."""

    records: list[bytes]
    more: bool
    total: int | None
    vendor_now: datetime


Ask = Callable[[datetime | None, int], Part]
Changed = Callable[[bytes], datetime | None]


def restarted(ask: Ask, changed: Changed, window: Window, resume: str | None) -> Iterator[Page]:
    """Read a listing numbered by pages as a keyset, so that a record that moves to its end shifts nothing past us.

    ask: the page with this number of what changed since this whole second, oldest change first. A page is followed by
    page 1 since its last second; what is read twice is counted as duplicate. Raises FilterIgnored when the order or the
    lower bound was not kept.
    """
    since = datetime.fromisoformat(resume) if resume else window.since
    since = since.replace(microsecond=0) if since else None
    total_is_exact = resume is None and window.until is None
    while True:
        parts = _past_second(ask, changed, since)
        last = _last(parts[-1], changed)
        past = window.until is not None and last is not None and last >= window.until
        over = past or not parts[-1].more
        following = since if over or last is None else last.replace(microsecond=0)
        for number, part in enumerate(parts, 1):
            kept = [raw for raw in part.records if _before(changed(raw), window.until)]
            ends = number == len(parts)
            at = following if ends else since
            token = None if over and ends else at.isoformat() if at else ""
            yield Page(kept, token, part.total if total_is_exact else None, part.vendor_now, window)
            total_is_exact = False
        if over:
            return
        since = following


def _past_second(ask: Ask, changed: Changed, since: datetime | None) -> list[Part]:
    """Page 1 and, while the second of ``since`` fills whole pages, those that follow it.

    Page numbers shift when a record moves, so such pages are read again until a pass shows nothing new among what they
    cover; what is newer is left to the pages since their last second, and the last part says that there are some.
    """
    parts = [_checked(ask(since, 1), changed, since)]
    while parts[-1].more and _within(_last(parts[-1], changed), since):
        parts.append(_checked(ask(since, len(parts) + 1), changed, since))
        _moves_on(parts)
    if len(parts) == 1:
        return parts
    last, seen = _last(parts[-1], changed), {raw for part in parts for raw in part.records}
    while True:
        again = [ask(since, number) for number in range(1, len(parts) + 1)]
        missed = [raw for part in again for raw in part.records if raw not in seen]
        covered = [raw for raw in missed if _within(changed(raw), last)]
        if not covered:
            return [*parts[:-1], replace(parts[-1], more=parts[-1].more or again[-1].more or bool(missed))]
        seen.update(covered)
        parts.insert(0, replace(again[0], records=covered))


def _moves_on(parts: list[Part]) -> None:
    """Raises Incomplete when numbered pages are the same again and again and still say that there is more."""
    same = parts[-1 - REPEATS :]
    if len(same) > REPEATS and same[-1].more and all(part.records == same[0].records for part in same):
        raise Incomplete(
            f"pages {len(parts) - REPEATS} to {len(parts)} of the listing are the same and say that there are more",
            safe="nothing of these pages was used; the next run reads again from the last whole chunk",
            next_command="run again; ask the vendor when it stays",
        )


def _last(part: Part, changed: Changed) -> datetime | None:
    return next((m for m in map(changed, reversed(part.records)) if m is not None), None)


def _within(moment: datetime | None, second: datetime | None) -> bool:
    """Whether a change lies in that whole second. One that says nothing does not tell where the listing is."""
    return moment is None or (second is not None and moment.replace(microsecond=0) <= second)


def _before(moment: datetime | None, until: datetime | None) -> bool:
    return until is None or moment is None or moment < until


def _checked(part: Part, changed: Changed, since: datetime | None) -> Part:
    moments = [m for m in map(changed, part.records) if m is not None]
    if any(a > b for a, b in pairwise(moments)):
        raise FilterIgnored("the listing does not come in the order of its changes, which was asked for")
    if since is not None and moments and moments[0] < since:
        raise FilterIgnored(f"the listing begins at {moments[0]:%Y-%m-%dT%H:%M:%SZ}, before {since:%Y-%m-%dT%H:%M:%SZ}")
    return part
