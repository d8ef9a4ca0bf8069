"""``crosswalk docs``: the pages that are made from code, and whether the committed ones are fresh."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError, MappingError

if TYPE_CHECKING:
    from crosswalk.integration import Integration
    from crosswalk.settings import Settings

MAPPINGS = Path("docs") / "mappings"


def register(app: App) -> None:
    app.command(docs)


def docs(*, check: bool = False) -> int:
    """Make the pages in docs/: one for each mapping, the systems, and the commands.

    Args:
        check: Write nothing; end with 1 when a page is missing, stale or superfluous, and name it.
    """
    settings = place.settings()
    wanted = pages(settings)
    superfluous = [p for p in sorted((settings.home / MAPPINGS).glob("*.md")) if p not in wanted]
    missing = [p for p in wanted if not p.is_file()]
    stale = [p for p, text in wanted.items() if p.is_file() and p.read_text(encoding="utf-8") != text]
    if check:
        for word, paths in (("missing", missing), ("stale", stale), ("superfluous", superfluous)):
            for path in paths:
                show.warn(f"{path.relative_to(settings.home)} is {word}")
        if missing or stale or superfluous:
            show.warn("Next: crosswalk docs, then commit what has changed")
            return 1
        show.say(f"{len(wanted)} pages are fresh.")
        return 0
    for path in (*missing, *stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    for path in superfluous:
        path.unlink()
    show.say(f"{len(wanted)} pages, {len(missing)} new, {len(stale)} changed, {len(superfluous)} removed.")
    return 0


def pages(settings: Settings) -> dict[Path, str]:
    """Every generated page by its place: of this folder's mappings, and of the shipped ones that a binding uses.

    Raises MappingError for a mapping that cannot be imported.
    """
    from crosswalk.console import systems
    from crosswalk.console.outline import names
    from crosswalk.mapping.docs import page_name, render

    bound = {binding.integration for binding in settings.bindings.values()}
    found = {name: _find(name) for name, file in names().items() if name in bound or _inside(file, settings.home)}
    wanted: dict[Path, str] = {}
    folder = settings.home / MAPPINGS
    for one in found.values():
        for mapping in one.parts:
            wanted[folder / page_name(mapping)] = render(mapping)
    for binding in settings.bindings.values():
        if binding.tables is not None and binding.integration in found:
            for mapping in found[binding.integration].parts:
                name = page_name(mapping).removesuffix(".md") + f"-for-{binding.name}.md"
                wanted[folder / name] = render(mapping, overrides=binding.tables)
    wanted[settings.home / "docs" / "systems.md"] = systems.page()
    if (settings.home / "crosswalk" / "console").is_dir():
        wanted[settings.home / "docs" / "reference-commands.md"] = commands()
    return wanted


def _inside(file: Path, home: Path) -> bool:
    return file.resolve().is_relative_to(home.resolve())


def _find(name: str) -> Integration:
    from crosswalk.integration import find

    try:
        return find(name)
    except CrosswalkError:
        raise
    except Exception as error:
        raise MappingError(
            f"mappings/{name}.py cannot be used: {type(error).__name__}: {error}",
            safe="no page was written",
            next_command=f"mend mappings/{name}.py",
        ) from error


def commands() -> str:
    """The page of all commands, as their own help tells them."""
    from crosswalk.console.main import application

    running, sys.argv = sys.argv, ["crosswalk"]  # the library writes the running program's name into the usage
    try:
        text = application().generate_docs("markdown", recursive=True, usage_name="crosswalk")
    finally:
        sys.argv = running
    lines = [line.rstrip() for line in text.strip().splitlines()]
    note = "Made from the commands' own help by `crosswalk docs`; change the command, not this page."
    return "\n".join([lines[0], "", note, *lines[1:]]) + "\n"
