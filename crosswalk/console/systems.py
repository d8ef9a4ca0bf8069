"""``crosswalk systems``: what each system is and can do, from the facts that its connector declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from crosswalk.console import show

if TYPE_CHECKING:
    from crosswalk.connectors.facts import AuthWay, Operation, Repeat, Resource, System
    from crosswalk.http.protocols import Quota


def register(app: App) -> None:
    app.command(systems)


def systems(name: str | None = None, /, *, json_: Annotated[bool, Parameter(name="--json")] = False) -> int:
    """Show what each system is and can do: auth, reads, writes and how a lost answer is resolved, limits, remarks.

    Args:
        name: Only this system.
        json_: Print JSON.
    """
    found = [describe(s) for s in declared() if name in (None, s.name)]
    if name and not found:
        from crosswalk.connectors.connect import connector_class

        connector_class(name)  # raises, and names the next command
    if json_:
        show.as_json(found)
        return 0
    for one in found:
        show.say(f"{one['title']}: {one['kind']}" + (f", version {one['version']}" if one["version"] else ""))
        show.facts([("proves itself by", a) for a in one["ways"]] + [("limits", one["limits"])])
        show.table(("reads", "changes found by", "listed", "scopes"), _reads(one))
        if one["writes"]:
            show.table(("writes", "does", "at once", "a lost answer"), _writes(one))
        for remark in one["remarks"]:
            show.say(f"  {remark}")
    return 0


def declared() -> Iterator[System]:
    """The facts of every connector, by name."""
    from importlib import import_module
    from pathlib import Path

    import crosswalk.connectors

    folder = Path(crosswalk.connectors.__path__[0])
    for file in sorted(folder.glob("*.py")):
        if "\nCONNECTOR" in file.read_text(encoding="utf-8"):
            yield import_module(f"crosswalk.connectors.{file.stem}").CONNECTOR.system


def describe(system: System) -> dict[str, Any]:
    """A system's facts as plain values."""
    resources = system.resources.values()
    return {
        "name": system.name,
        "title": system.title,
        "kind": system.kind,
        "version": system.version,
        "ways": [_auth(way) for way in system.auth],
        "scopes": list(system.scopes),
        "settings": [
            {"name": s.name, "about": s.about, "needed": s.needed, "default": s.default} for s in system.settings
        ],
        "reads": [_read(r) for r in resources],
        "writes": [_write(r, o) for r in resources for o in r.operations],
        "limits": limits(system.quota, system.quota_of),
        "remarks": list(system.remarks),
    }


def _auth(way: AuthWay) -> str:
    secrets = ", ".join(way.settings)
    extra = ", with PKCE" if way.pkce else ""
    extra += ", rotating refresh tokens" if way.rotates else ""
    return f"{way.flow}{extra} ({secrets})" + (f": {way.about}" if way.about else "")


def _read(resource: Resource) -> dict[str, Any]:
    return {
        "resource": resource.name,
        "stream": resource.stream,
        "order": resource.order,
        "lookback": resource.lookback,
        "scopes": list(resource.scopes),
    }


def _write(resource: Resource, operation: Operation) -> dict[str, Any]:
    return {
        "resource": resource.name,
        "operation": operation.name,
        "call": f"{operation.verb} {operation.path}",
        "batch": operation.batch,
        "repeat": repeat(operation.repeat),
        "marker": operation.marker,
        "found_by": resource.found_by,
    }


def repeat(how: Repeat) -> str:
    """How a lost answer is resolved, in words."""
    from crosswalk.connectors.facts import Key, LookUp, Safe

    if isinstance(how, Safe):
        return "is sent again: absolute values"
    if isinstance(how, Key):
        then = f", then looked up; absence counts after {how.settles_after:g} s" if how.lookup else ""
        return f"is sent again with its key for {show.span(how.life)}{then}"
    if isinstance(how, LookUp):
        return f"is looked up; absence counts after {how.settles_after:g} s"
    return "cannot be resolved: the integration says what to do; a paused process leaves a window"


def limits(quota: Quota, of: str) -> str:
    """A quota in words."""
    found = [f"{quota.rate:g} a minute" if quota.rate else "no pace"]
    found += [f"{quota.burst:g} at once after a pause"] if quota.burst > 1 else []
    found += [f"{quota.concurrent} concurrent"] if quota.concurrent else []
    found += [f"{quota.daily:,} a day"] if quota.daily else []
    return ", ".join(found) + f", per {of}"


def _reads(one: dict[str, Any]) -> list[Sequence[object]]:
    return [(r["resource"], r["stream"], r["order"], ", ".join(r["scopes"])) for r in one["reads"]]


def _writes(one: dict[str, Any]) -> list[Sequence[object]]:
    return [(w["resource"], w["operation"], w["batch"], w["repeat"]) for w in one["writes"]]


def page() -> str:
    """The page docs/systems.md."""
    parts = ["# Systems", "Made from the connectors' facts by `crosswalk docs`; change the connector, not this page."]
    for system in declared():
        one = describe(system)
        parts.append(f"## {one['title']}")
        facts = [("kind", one["kind"]), ("version", one["version"]), *(("proves itself by", a) for a in one["ways"])]
        facts += [("scopes", ", ".join(f"`{s}`" for s in one["scopes"])), ("limits", one["limits"])]
        parts.append(_table(("", ""), facts))
        settings = [
            (f"`{s['name']}`", s["about"], "yes" if s["needed"] else f"no{s['default'] and ', ' + s['default']}")
            for s in one["settings"]
        ]
        parts.append("### Settings\n\n" + _table(("setting", "what", "needed"), settings))
        reads = [(f"`{r['resource']}`", r["stream"], r["order"], f"{r['lookback']:g} s") for r in one["reads"]]
        parts.append("### Reads\n\n" + _table(("resource", "changes found by", "listed", "read again"), reads))
        if one["writes"]:
            head = ("resource", "does", "call", "at once", "a lost answer", "found by")
            writes = [
                (f"`{w['resource']}`", w["operation"], f"`{w['call']}`", w["batch"], w["repeat"], w["found_by"])
                for w in one["writes"]
            ]
            parts.append("### Writes\n\n" + _table(head, writes))
        if one["remarks"]:
            parts.append("### Remarks\n\n" + "\n".join(f"- {r}" for r in one["remarks"]))
    parts.append(DATABASE)
    return "\n\n".join(parts) + "\n"


DATABASE = """## Database

PostgreSQL and SQLite as targets, through the setting `url`. A row carries its key, the version of the source record and
a hash of its content, so a chunk that is loaded twice changes nothing: no key and no look-up are needed."""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in line) + " |" for line in lines)
