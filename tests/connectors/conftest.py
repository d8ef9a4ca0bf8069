from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from practice_systems import Systems, serve

from crosswalk.clock import SharedClock


@pytest.fixture
def systems(clock: SharedClock, tmp_path: Path) -> Iterator[Systems]:
    """An empty practice shop and an empty practice organisation, on real sockets."""
    with serve(clock, tmp_path) as found:
        yield found
