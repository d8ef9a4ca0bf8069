"""A short sweep of kill points in every run of the tests; `make crash` sweeps them all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers.postgres import Server

sys.path.insert(0, str(Path(__file__).parent))

import sweep


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("database", "batch", "every"), [("sqlite", 50, 13), ("sqlite", 1, 61), ("postgresql", 50, 31)]
)
def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(
    database: str, batch: int, every: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Killed at one point and recovered at once or ten minutes later, the books are as if nothing had happened."""
    store = ""
    if database == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        with server.database("crash_short") as store:
            report = sweep.sweep(tmp_path, [store], batch, every)
    else:
        report = sweep.sweep(tmp_path, [store], batch, every)
    assert report.wrong == []
    assert report.points >= 4
    assert report.recoveries == 2 * report.points
    assert report.effects > 30
