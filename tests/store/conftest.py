"""An opened store on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from practising import ground, postgres_ground, sqlite_ground  # noqa: F401

from crosswalk.clock import SharedClock
from crosswalk.store.engine import Store
from crosswalk.store.vault import PRACTICE_KEY, Vault

Opener = Callable[[], Store]


@pytest.fixture
def opener(database_url: str, clock: SharedClock) -> Iterator[Opener]:
    """Opens the same store again and again, as other processes do."""
    opened: list[Store] = []

    def open_one() -> Store:
        store = Store(database_url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open(migrate=True)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Opener) -> Store:
    """A migrated, empty store, on each engine."""
    return opener()
