"""The folder that a command works in: its settings, its store, its house. Opened only as far as a command needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from crosswalk.settings import Binding, Settings, load

if TYPE_CHECKING:
    from crosswalk.integration import Integration
    from crosswalk.runs.wiring import House
    from crosswalk.store.engine import Store


def settings() -> Settings:
    """The settings of this folder, whose mappings and flows can be imported from now on."""
    found = load()
    if str(found.home) not in sys.path:
        sys.path.insert(0, str(found.home))
    return found


@contextmanager
def house() -> Iterator[House]:
    """Everything a run needs."""
    from crosswalk.runs.wiring import House

    with closing(House(settings())) as opened:
        yield opened


@contextmanager
def store(of: Settings, *, migrate: bool | None = None) -> Iterator[Store]:
    """The opened store alone; the sandbox's is brought up to this release by itself."""
    from crosswalk.clock import SystemClock
    from crosswalk.store.engine import Store
    from crosswalk.store.vault import Vault

    made = Store(of.store, clock=SystemClock(), vault=Vault.from_environment(of.environment))
    with closing(made):
        yield made.open(migrate=of.environment == "sandbox" if migrate is None else migrate)


def has_store(of: Settings) -> bool:
    """Whether there is a store to look at: asking for a list makes none."""
    from pathlib import Path

    kind, _, path = of.store.partition(":///")
    return kind != "sqlite" or Path(path).is_file()


def integration(binding: Binding) -> Integration:
    """The integration that a binding applies. Raises SettingsError."""
    from crosswalk.integration import find

    return find(binding.integration)
