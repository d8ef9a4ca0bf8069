"""Practice systems of this folder's tests, on the machine's clock: deliveries are really sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import webhook_kit as kit

from crosswalk.sandbox import control


@pytest.fixture(scope="session")
def webhook_practice() -> Iterator[control.Started]:
    with control.start(orders=0, minute=6) as started:
        yield started


@pytest.fixture
def place(tmp_path: Path, webhook_practice: control.Started) -> Iterator[kit.Place]:
    """A receiver beside an empty practice shop."""
    ready = webhook_practice.control.reset(orders=0, cases=None, seed=3)
    webhook_practice.ready["credentials"] = ready["credentials"]
    with kit.place(tmp_path / "home", webhook_practice) as opened:
        yield opened
