"""A user's folder with a store and a channel, and a watch that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from watch_kit import Guard, guarding

from crosswalk.clock import SharedClock


@pytest.fixture
def guard(tmp_path: Path, clock: SharedClock, database_url: str) -> Iterator[Guard]:
    """On SQLite and on PostgreSQL."""
    with guarding(tmp_path, clock, database_url) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path, clock: SharedClock) -> Iterator[Guard]:
    """On SQLite only, where the engine plays no part."""
    with guarding(tmp_path, clock, f"sqlite:///{tmp_path / 'test.db'}") as found:
        yield found
