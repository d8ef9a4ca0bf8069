"""``crosswalk list``: what there is, who owns it, and when it last ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError

if TYPE_CHECKING:
    from crosswalk.integration import Integration
    from crosswalk.settings import Settings


def register(app: App) -> None:
    app.command(list_, name="list")


def list_() -> int:
    """List the integrations in mappings/ with their bindings in this environment, owner, freshness and last run.

    Ends with 1 when an integration cannot be imported.
    """
    settings = place.settings()
    found, broken = integrations()
    last = _last(settings)
    rows: list[list[object]] = []
    for name, one in found.items():
        bindings = [b for b in settings.bindings.values() if b.integration == name]
        for binding in bindings:
            way = f"{binding.source.name} to {binding.target.name}"
            rows.append([binding.name, name, way, *_promise(one), last.get(binding.name, "never")])
        if not bindings:
            rows.append(["(none)", name, f"{one.source} to {one.target}", *_promise(one), ""])
    unknown = [b for b in settings.bindings.values() if b.integration not in found and b.integration not in broken]
    rows += [[b.name, f"{b.integration}: no such mapping", "", "", "", ""] for b in unknown]
    show.say(f"Environment {settings.environment}, {settings.home / 'crosswalk.toml'}")
    show.table(("binding", "integration", "from and to", "owner", "fresh within", "last run"), rows)
    for name, trouble in broken.items():
        show.warn(f"mappings/{name}.py cannot be used: {trouble}")
    return 1 if broken or unknown else 0


def integrations() -> tuple[dict[str, Integration], dict[str, str]]:
    """Every integration that mappings/ declares, by name, and the files that cannot be imported with the reason."""
    from crosswalk.integration import find

    good: dict[str, Integration] = {}
    broken: dict[str, str] = {}
    for name in names():
        try:
            good[name] = find(name)
        except CrosswalkError as error:
            broken[name] = str(error)
        except Exception as error:  # noqa: BLE001 - one broken file hides no other
            broken[name] = f"{type(error).__name__}: {error}"
    return good, broken


def names() -> list[str]:
    """The modules of mappings/ that declare an integration, in every folder that adds to it."""
    from pathlib import Path

    try:
        import mappings
    except ModuleNotFoundError:
        return []
    files = [f for folder in mappings.__path__ for f in Path(folder).glob("*.py")]
    return sorted({f.stem for f in files if f.stem.isidentifier() and "INTEGRATION" in f.read_text(encoding="utf-8")})


def _promise(one: Integration) -> tuple[str, str]:
    return one.owner, show.span(one.fresh_within)


def _last(settings: Settings) -> dict[str, Any]:
    """How each binding's last run ended; empty where there is no store yet."""
    if not place.has_store(settings):
        return {}
    from crosswalk.store import runs

    found = {}
    with place.store(settings) as store:
        for binding in settings.bindings.values():
            row = runs.last(store, binding.scope)
            if row is not None:
                found[binding.name] = f"{row.state}, {show.when(row.ended_at or row.started_at)}"
    return found
