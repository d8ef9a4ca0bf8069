"""Secrets that lie in Prefect's secret blocks."""

from __future__ import annotations

import json
from typing import Any


def secret(name: str) -> str:
    """The value of the Prefect secret block ``name``. Raises ValueError when there is none."""
    from prefect.blocks.system import Secret

    block: Any = Secret.load(name)
    value = block.get()
    return value if isinstance(value, str) else json.dumps(value)
