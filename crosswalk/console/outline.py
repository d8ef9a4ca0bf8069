"""What an integration's file says about it, read without running it: lists must come at once, and rules take time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

WORDS = ("source", "target", "owner")


@dataclass(frozen=True)
class Outline:
    """An integration without its rules."""

    name: str
    source: str
    target: str
    owner: str
    fresh_within: timedelta


def names() -> dict[str, Path]:
    """The files of mappings/ that declare an integration, in every folder that adds to it."""
    try:
        import mappings
    except ModuleNotFoundError:
        return {}
    files = [f for folder in mappings.__path__ for f in sorted(Path(folder).glob("*.py"))]
    found: dict[str, Path] = {}
    for file in files:
        if file.stem.isidentifier() and "INTEGRATION" in file.read_text(encoding="utf-8"):
            found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def read(name: str) -> Outline:
    """An integration's outline; one that is not written plainly is imported. Raises SettingsError, or what importing it
    raises."""
    from crosswalk.integration import find

    file = names().get(name)
    plain = _plain(name, file) if file is not None else None
    if plain is not None:
        return plain
    found = find(name)
    return Outline(name, found.source, found.target, found.owner, found.fresh_within)


def _plain(name: str, file: Path) -> Outline | None:
    for given in _declared(ast.parse(file.read_text(encoding="utf-8"))):
        try:
            source, target, owner = (str(ast.literal_eval(given[word])) for word in WORDS)
            fresh = _length(given["fresh_within"])
        except (KeyError, ValueError):
            return None
        return Outline(name, source, target, owner, fresh)
    return None


def _declared(tree: ast.Module) -> Iterator[dict[str, ast.expr]]:
    """The keywords of ``INTEGRATION = Integration(...)``."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and any(isinstance(t, ast.Name) and t.id == "INTEGRATION" for t in node.targets)
        ):
            yield {k.arg: k.value for k in node.value.keywords if k.arg}


def _length(node: ast.expr) -> timedelta:
    """``timedelta(minutes=30)``. Raises ValueError for anything else."""
    if (
        not isinstance(node, ast.Call)
        or node.args
        or not (isinstance(node.func, ast.Name) and node.func.id == "timedelta")
    ):
        raise ValueError("no plain timedelta")
    return timedelta(**{k.arg: float(ast.literal_eval(k.value)) for k in node.keywords if k.arg})
