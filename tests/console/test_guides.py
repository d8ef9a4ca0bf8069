"""The guides say what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from crosswalk.connectors.base import address, hosts
from crosswalk.connectors.connect import connector_class, quota, way
from crosswalk.settings import load

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = sorted([*DOCS.glob("*.md"), DOCS.parent / "README.md"])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda g: g.name)
def test_every_link_of_a_guide_leads_somewhere(guide: Path) -> None:
    """A page or picture that a guide links to is there."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", guide.read_text(encoding="utf-8"))
    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_the_settings_of_the_guide_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """crosswalk.toml of the guide to real accounts is complete: connections, ways in, addresses, bindings, owner."""
    (block,) = re.findall(r"```toml\n(.*?)```", (DOCS / "connect-shopify-and-xero.md").read_text(), re.S)
    (tmp_path / "crosswalk.toml").write_text(block)
    monkeypatch.setenv("CROSSWALK_STORE", "postgresql+psycopg://x@localhost/x")
    settings = load(tmp_path, "production")
    assert set(settings.bindings) == {"customers", "orders"} and "finance" in settings.owners
    for name in ("shop", "books"):
        connection = settings.connection(name)
        system = connector_class(connection.system).system
        assert way(system, connection).flow in ("client credentials", "authorization code")
        assert quota(system, connection) == system.quota
        assert address(system, connection, system.url).startswith("https://") and all(hosts(system, connection))


def test_the_guide_names_every_setting_scope_and_secret() -> None:
    """What a connection may say is in the guide's tables, and nothing else is."""
    text = (DOCS / "connect-shopify-and-xero.md").read_text()
    for name in ("shopify", "xero"):
        system = connector_class(name).system
        for word in (*(s.name for s in system.settings), *system.scopes, *(s for a in system.auth for s in a.settings)):
            assert word in text, f"{word} of {name} is missing"
    said = tomllib.loads(re.findall(r"```toml\n(.*?)```", text, re.S)[0])
    assert {k for c in said["connections"].values() for k in c} - {"secrets"} == {
        "system", "environment", "account", "zone", "currency", "prefix",
    }  # fmt: skip


def test_every_guide_is_listed() -> None:
    """docs/README.md leads to every page of the folder."""
    listed = (DOCS / "README.md").read_text()
    assert [p.name for p in DOCS.glob("*.md") if p.name != "README.md" and p.name not in listed] == []
