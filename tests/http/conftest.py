from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswalk import points
from crosswalk.clock import SharedClock


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock:
    """A clock that only moves when somebody waits or moves it."""
    return SharedClock(tmp_path / "clock")


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """The names of the points that are reached, in order."""
    names: list[str] = []
    points.install(names.append)
    yield names
    points.install(None)
