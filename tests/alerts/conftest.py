"""The world of an alert, on each engine and on SQLite alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_kit import World
from alert_kit import world as made

from crosswalk.clock import SharedClock


@pytest.fixture
def world(tmp_path: Path, clock: SharedClock, database_url: str) -> Iterator[World]:
    """On SQLite and on PostgreSQL."""
    with made(tmp_path, clock, database_url) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path, clock: SharedClock) -> Iterator[World]:
    """On SQLite only, where the engine plays no part."""
    with made(tmp_path, clock, f"sqlite:///{tmp_path / 'test.db'}") as found:
        yield found
