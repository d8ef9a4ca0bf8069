"""The page of a mapping: every rule with its reason, what nobody uses and what nobody fills. It is the rules."""

from __future__ import annotations

from pathlib import Path

from crosswalk.mapping.digest import digest
from crosswalk.mapping.language import Mapping


def page_name(mapping: Mapping) -> str:
    """The file name of the page, from the title."""
    return ""


def render(mapping: Mapping, tables: Path | None = None, overrides: Path | None = None) -> str:
    """The page, as Markdown."""
    return digest(mapping, tables, overrides)
