from __future__ import annotations

from collections.abc import Iterator

import pytest

from crosswalk import points
from crosswalk.http import redact


@pytest.fixture(autouse=True)
def _no_secret_outlives_its_test() -> Iterator[None]:
    yield
    redact.forget_all()


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """The names of the points that are reached, in order."""
    names: list[str] = []
    points.install(names.append)
    yield names
    points.install(None)
