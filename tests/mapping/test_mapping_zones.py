"""Clocks at the very second they change, in both directions and far beyond 2037."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crosswalk.mapping.zones import instants_of, local_times

# The second at which a clock changes, and by how much.
CHANGES = [
    ("Europe/Amsterdam", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Amsterdam", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Europe/Amsterdam", datetime(2060, 3, 28, 1, tzinfo=UTC)),
    ("Europe/Amsterdam", datetime(2060, 10, 31, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
]
AROUND = [timedelta(seconds=s) for s in (-86400, -7200, -3600, -1801, -1800, -1, 0, 1, 1799, 1800, 3599, 3600, 86400)]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_the_clock_around_a_change(zone: str, change: datetime) -> None:
    """What the clock shows is what Python's own zones say, to the second."""
    instants = [change + step for step in AROUND]
    assert instants[6].astimezone(ZoneInfo(zone)).utcoffset() != instants[5].astimezone(ZoneInfo(zone)).utcoffset()
    shown = local_times(pa.array(instants, pa.timestamp("us", "UTC")), zone).to_pylist()
    assert shown == [at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in instants]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_back_from_the_clock_around_a_change(zone: str, change: datetime) -> None:
    """Every time that the clock shows leads back to the first and the last instant at which it does, or to none."""
    here = ZoneInfo(zone)
    before = (change - timedelta(seconds=1)).astimezone(here).replace(tzinfo=None) + timedelta(seconds=1)
    after = change.astimezone(here).replace(tzinfo=None)
    times = [edge + step for edge in (before, after) for step in AROUND]
    first, last, never = instants_of(pa.array(times, pa.timestamp("us")), zone)
    for at, one, other, none in zip(times, first.to_pylist(), last.to_pylist(), never.to_pylist(), strict=True):
        folds = [at.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1)]
        shown = [f for f in folds if f.astimezone(here).replace(tzinfo=None) == at]
        assert none == (not shown)
        if shown:
            assert [one, other] == [f.replace(tzinfo=None) for f in (min(shown), max(shown))]
