"""``crosswalk list``: what there is, who owns it, and when it last ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cyclopts import App

from crosswalk.console import place, show

if TYPE_CHECKING:
    from crosswalk.settings import Settings


def register(app: App) -> None:
    app.command(list_, name="list")


def list_() -> int:
    """List the integrations in mappings/ with their bindings in this environment, owner, freshness and last run.

    Ends with 1 when an integration cannot be read, or a binding names one that is not there.
    """
    from crosswalk.console import outline

    settings = place.settings()
    last = _last(settings)
    rows: list[list[object]] = []
    broken: dict[str, str] = {}
    for name in outline.names():
        bindings = [b for b in settings.bindings.values() if b.integration == name]
        try:
            one = outline.read(name)
        except Exception as error:  # noqa: BLE001 - one broken file hides no other
            broken[name] = str(error) or type(error).__name__
            continue
        promise = (one.owner, show.span(one.fresh_within))
        for binding in bindings:
            way = f"{binding.source.name} to {binding.target.name}"
            rows.append([binding.name, name, way, *promise, last.get(binding.name, "never")])
        if not bindings:
            rows.append(["(none)", name, f"{one.source} to {one.target}", *promise, ""])
    show.say(f"Environment {settings.environment}, {settings.home / 'crosswalk.toml'}")
    show.table(("binding", "integration", "from and to", "owner", "fresh within", "last run"), rows)
    for name, trouble in broken.items():
        show.warn(f"mappings/{name}.py cannot be used: {trouble}")
    unknown = [b for b in settings.bindings.values() if b.integration not in outline.names()]
    for binding in unknown:
        show.warn(f"binding {binding.name!r} names {binding.integration!r}, and mappings/ has no such file")
    return 1 if broken or unknown else 0


def _last(settings: Settings) -> dict[str, Any]:
    """How each binding's last run ended; empty where there is no store yet."""
    if not place.has_store(settings):
        return {}
    from crosswalk.console import glance

    quick = glance.last_runs(settings.store, [b.scope for b in settings.bindings.values()])
    if quick is not None:
        names = {b.scope: b.name for b in settings.bindings.values()}
        return {names[scope]: f"{state}, {show.when(at)}" for scope, (state, at) in quick.items()}
    from crosswalk.store import runs

    found = {}
    with place.store(settings) as store:
        for binding in settings.bindings.values():
            row = runs.last(store, binding.scope)
            if row is not None:
                found[binding.name] = f"{row.state}, {show.when(row.ended_at or row.started_at)}"
    return found
