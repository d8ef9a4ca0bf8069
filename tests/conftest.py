"""What every test may ask for: a clock, a database on each engine, a real PostgreSQL; and the rule about skips."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.postgres import NoPostgres, Server, serve
from skips import Skips

from crosswalk import points
from crosswalk.clock import SharedClock

if TYPE_CHECKING:
    from crosswalk.connectors.database import Database


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(), "skips")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect's tests come last: its threads live on in this process, and other tests fork it."""
    items.sort(key=lambda item: item.get_closest_marker("prefect") is not None)


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock:
    """A clock that stands still until somebody moves it; 23 November 2026, 09:00 UTC."""
    return SharedClock(tmp_path / "clock")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One real PostgreSQL for the whole session."""
    try:
        with serve() as server:
            yield server
    except NoPostgres as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    with postgres_server.database(f"test_{uuid.uuid4().hex[:12]}") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the test's own, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str, clock: SharedClock) -> Iterator[Database]:
    """An empty database target, on each engine."""
    from crosswalk.connectors.database import Database

    opened = Database(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _no_point_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("COLUMNS", raising=False)  # what a command prints does not hang on the terminal of the tests
    yield
    points.install(None)
