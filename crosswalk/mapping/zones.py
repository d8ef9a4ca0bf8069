"""What the clocks of a zone show, for whole columns.

Arrow's own zone functions know no summer time after 2037 and need the machine's zone files; these use Python's
zoneinfo, which has neither limit. Each year of a zone is worked out once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_US = timedelta(microseconds=1)


def local_times(instants: pa.Array, zone: str) -> pa.Array:
    """What the clock in the zone shows at these instants: timestamps without a zone. Nulls stay."""
    starts, offsets = _table(pc.year(instants), zone, around=0)
    numbers = instants.cast(pa.int64()).fill_null(0).to_numpy()
    shown = numbers + offsets[np.clip(np.searchsorted(starts, numbers, side="right") - 1, 0, None)]
    return _timestamps(shown, instants)


def instants_of(local: pa.Array, zone: str) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The first and the last instant at which the clock in the zone shows these times, and whether it never does.

    Where it never does, the instants mean nothing. Nulls stay.
    """
    starts, offsets = _table(pc.year(local), zone, around=1)
    numbers = local.cast(pa.int64()).fill_null(0).to_numpy()
    ends = np.append(starts[1:], np.iinfo(np.int64).max // 2) + offsets
    first = np.clip(np.searchsorted(ends, numbers, side="right"), 0, len(offsets) - 1)
    last = np.clip(np.searchsorted(starts + offsets, numbers, side="right") - 1, 0, None)
    never = pc.and_(pc.is_valid(local), pa.array(first > last))
    return _timestamps(numbers - offsets[first], local), _timestamps(numbers - offsets[last], local), never


def _timestamps(numbers: np.ndarray, like: pa.Array) -> pa.Array:
    nulls = like.is_null().to_numpy(zero_copy_only=False)
    return pa.array(numbers, pa.int64(), mask=nulls).cast(pa.timestamp("us"))


def _table(years: pa.Array, zone: str, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts (microseconds, UTC) and offsets (microseconds) of all spans of these years and ``around`` years beside."""
    wanted = {year + more for year in years.unique().drop_null().to_pylist() for more in range(-around, around + 1)}
    spans = [span for year in sorted(wanted or {1970}) for span in _year(zone, year)]
    table = np.array(spans, dtype=np.int64)
    return table[:, 0], table[:, 1]


@lru_cache(maxsize=16384)
def _year(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """(start, offset) of each span of a year in UTC. Outside of the years that Python counts, the nearest one's."""
    here = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(here).utcoffset() or timedelta()

    counted = min(max(year, 2), 9998)
    begin = datetime(counted, 1, 1, tzinfo=UTC)
    days = [begin + _DAY * n for n in range((datetime(counted + 1, 1, 1, tzinfo=UTC) - begin).days + 1)]
    spans = [((begin - _EPOCH) // _US, offset(begin) // _US)]
    for before, after in pairwise(days):
        low, high = before, after
        while offset(low) != offset(after) and high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            low, high = (middle, high) if offset(middle) == offset(before) else (low, middle)
        if offset(before) != offset(after):
            start = high.replace(microsecond=0)
            spans.append(((start - _EPOCH) // _US, offset(after) // _US))
    return tuple(spans)
