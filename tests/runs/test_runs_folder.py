"""The engine runs on somebody else's folder of mappings, which adds to ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOML = """
[connections.shop]
system = "shopify"
account = "other.myshopify.com"
[connections.books]
system = "xero"
account = "tenant"
[bindings.other]
integration = "other"
source = "shop"
target = "books"
"""
MAPPING = """
from datetime import timedelta
from crosswalk.integration import Integration
INTEGRATION = Integration(
    name="other", title="Other", source="shopify.orders", target="xero", parts=(), owner="me",
    fresh_within=timedelta(hours=1),
)
"""
SCRIPT = """
from crosswalk.runs.wiring import House
from crosswalk.integration import find
house = House.here()
print(find(house.settings.binding("other").integration).title)
"""


def test_another_folder_needs_only_its_settings_and_mappings(tmp_path: Path) -> None:
    """In an empty folder with crosswalk.toml and a mapping, the integration is found without any path being set."""
    (tmp_path / "crosswalk.toml").write_text(TOML)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "other.py").write_text(MAPPING)
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Other", done.stderr
