"""A numbered listing that moves while it is read loses nothing, whatever moves when."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswalk.connectors.base import Window
from crosswalk.connectors.paging import Part, restarted
from crosswalk.errors import Incomplete

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SIZE = 4


class Listing:
    """Records by number and the instant of their last change; before every request something may change."""

    def __init__(self, seconds: list[int], moves: list[tuple[int, bool]]) -> None:
        self.changed = {n: START + timedelta(seconds=s) for n, s in enumerate(seconds)}
        self.now = START + timedelta(seconds=max(seconds, default=0) + 1)
        self.moves = iter(moves)
        self.asked = 0

    def ask(self, since: datetime | None, page: int) -> Part:
        self.asked += 1
        record, tick = next(self.moves, (-1, False))
        if record in self.changed:
            self.now += timedelta(seconds=1 if tick else 0, milliseconds=1)
            self.changed[record] = self.now
        rows = sorted((at, n) for n, at in self.changed.items() if since is None or at >= since)
        here = [json.dumps([n, at.isoformat()]).encode() for at, n in rows[(page - 1) * SIZE : page * SIZE]]
        return Part(here, page * SIZE < len(rows), len(rows), self.now)


def changed(raw: bytes) -> datetime:
    return datetime.fromisoformat(json.loads(raw)[1])


def number(raw: bytes) -> int:
    return int(json.loads(raw)[0])


listings = st.builds(
    Listing,
    st.lists(st.integers(0, 6), max_size=30),
    st.lists(st.tuples(st.integers(-1, 30), st.booleans()), max_size=25),
)


@settings(max_examples=400, deadline=None)
@given(listings)
def test_every_record_is_read(listing: Listing) -> None:
    """Many records in one second and changes between requests: each is seen at least once, and the reading ends."""
    seen = {number(raw) for page in restarted(listing.ask, changed, Window(), None) for raw in page.records}
    assert seen == set(listing.changed)
    assert listing.asked < 200


@settings(max_examples=200, deadline=None)
@given(listings, st.integers(0, 5))
def test_reading_can_be_taken_up_after_every_page(listing: Listing, stop: int) -> None:
    """What was read before and what is read from the page's resume are everything together."""
    seen: set[int] = set()
    resume: str | None = None
    for count, page in enumerate(restarted(listing.ask, changed, Window(), None)):
        seen |= {number(raw) for raw in page.records}
        resume = page.resume
        if count == stop:
            break
    if resume is not None:
        seen |= {number(raw) for page in restarted(listing.ask, changed, Window(), resume) for raw in page.records}
    assert seen == set(listing.changed)


@settings(max_examples=200, deadline=None)
@given(listings, st.integers(0, 6), st.integers(0, 6))
def test_a_window_is_read_whole_and_nothing_besides(listing: Listing, first: int, length: int) -> None:
    """What stays in the window is read; nothing is that changed before or after it."""
    window = Window(START + timedelta(seconds=first), START + timedelta(seconds=first + length))
    inside: Callable[[datetime], bool] = lambda at: window.since <= at < window.until  # type: ignore[operator] # noqa: E731
    raws = [raw for page in restarted(listing.ask, changed, window, None) for raw in page.records]
    assert all(inside(changed(raw)) for raw in raws)
    assert {n for n, at in listing.changed.items() if inside(at)} <= {number(raw) for raw in raws}


def circling(records: list[bytes], pages: int, more: bool = True) -> Callable[[datetime | None, int], Part]:
    """A listing that gives the same page whatever number is asked for, as long as anybody asks."""
    asked = 0

    def ask(since: datetime | None, page: int) -> Part:
        nonlocal asked
        asked += 1
        assert asked <= pages, "it was asked for ever"
        return Part(records, more, None, START)

    return ask


@pytest.mark.parametrize("count", [0, SIZE])
def test_pages_that_lead_in_a_circle_are_an_error_after_two_repeats(count: int) -> None:
    """A page number that is ignored, or empty pages that never end, stop the reading and say so."""
    same = [json.dumps([n, START.isoformat()]).encode() for n in range(count)]
    with pytest.raises(Incomplete, match="are the same"):
        list(restarted(circling(same, 5), changed, Window(), None))


def test_an_empty_page_in_the_middle_ends_nothing() -> None:
    """What comes behind an empty page of one second is read."""
    raws = [json.dumps([n, START.isoformat()]).encode() for n in range(2)]
    pages = {1: [raws[0]], 2: [], 3: [], 4: [raws[1]]}
    found = restarted(lambda since, page: Part(pages[page], page < 4, None, START), changed, Window(), None)
    assert {number(raw) for page in found for raw in page.records} == {0, 1}
