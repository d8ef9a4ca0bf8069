"""What held rows remember of the schema stays the same from one process to the next."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from types import SimpleNamespace
from crosswalk.connectors.shopify import CONNECTOR
from crosswalk.runs.session import Session
session = SimpleNamespace(source=SimpleNamespace(system=CONNECTOR.system), resource="shopify.orders")
print(Session.schema_digest.fget(session))
"""


def test_the_schema_digest_is_the_same_in_every_process() -> None:
    """Two processes give one digest, so that held rows are read again after a change and not after every start."""
    said = {
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(said) == 1
    assert next(iter(said)).startswith("schema:")
