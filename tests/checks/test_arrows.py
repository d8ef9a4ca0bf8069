"""Arrows point one way, time comes from one clock, and the HTTP library enters by one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A folder or module, and what of ours it may import besides itself.
MAY = {
    "crosswalk.clock": set(),
    "crosswalk.points": set(),
    "crosswalk.errors": set(),
    "crosswalk.settings": {"crosswalk.errors", "crosswalk.prefect_blocks", "crosswalk.settings_channels"},
    "crosswalk.settings_channels": {"crosswalk.errors"},
    "crosswalk.schemas": {"crosswalk.errors"},
    "crosswalk.frames": {"crosswalk.schemas", "crosswalk.errors"},
    "crosswalk.mapping": {"crosswalk.frames", "crosswalk.schemas", "crosswalk.errors"},
    "crosswalk.integration": {"crosswalk.errors", "crosswalk.mapping"},
    "crosswalk.http": {"crosswalk.clock", "crosswalk.points", "crosswalk.errors", "crosswalk"},
    "crosswalk.connectors": {
        "crosswalk.http", "crosswalk.schemas", "crosswalk.frames", "crosswalk.clock", "crosswalk.points",
        "crosswalk.errors", "crosswalk.settings",
    },
    "crosswalk.store": {"crosswalk.clock", "crosswalk.points", "crosswalk.errors", "crosswalk.http"},
    "crosswalk.delivery": {
        "crosswalk.store", "crosswalk.connectors", "crosswalk.mapping", "crosswalk.frames", "crosswalk.http",
        "crosswalk.clock", "crosswalk.errors", "crosswalk.settings", "crosswalk.integration",
    },
    "crosswalk.runs": {
        "crosswalk.delivery", "crosswalk.store", "crosswalk.connectors", "crosswalk.mapping", "crosswalk.frames",
        "crosswalk.schemas", "crosswalk.http", "crosswalk.clock", "crosswalk.errors", "crosswalk.settings",
        "crosswalk.integration", "crosswalk.webhooks",
    },
    "crosswalk.alerts": {
        "crosswalk.store", "crosswalk.http", "crosswalk.clock", "crosswalk.points", "crosswalk.errors",
        "crosswalk.settings", "crosswalk.settings_channels", "crosswalk.integration",
    },
    "crosswalk.webhooks": {
        "crosswalk.store", "crosswalk.connectors", "crosswalk.clock", "crosswalk.errors", "crosswalk.settings",
    },
    "crosswalk.watch": {
        "crosswalk.alerts", "crosswalk.runs", "crosswalk.webhooks", "crosswalk.store", "crosswalk.connectors",
        "crosswalk.http", "crosswalk.clock", "crosswalk.errors", "crosswalk.settings", "crosswalk.integration",
    },
    "crosswalk.sandbox": {"crosswalk.clock"},
    "mappings": {"crosswalk.mapping", "crosswalk.schemas", "crosswalk.integration"},
    "tasks": {"crosswalk"},
    "flows": {"crosswalk", "tasks", "mappings"},
}  # fmt: skip
ANYTHING = (
    "crosswalk.console",
    "crosswalk.prefect_deploy",
    "crosswalk.prefect_blocks",
    "crosswalk.prefect_run",
    "crosswalk.prefect_server",
    "crosswalk.prefect_warm",
    "crosswalk",
)


# They start processes of this machine and wait for them; no test could move the time of those.
WAITS_FOR_PROCESSES = ("crosswalk.console.demo", "crosswalk.prefect_server", "crosswalk.sandbox.serve")


def modules() -> Iterator[tuple[str, Path]]:
    for top in ("crosswalk", "flows", "tasks", "mappings"):
        for file in sorted((ROOT / top).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(p for p in parts if p != "__init__"), file


def imports(file: Path, module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if file.name == "__init__.py" else module.rpartition(".")[0]
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            yield ".".join(p for p in (base, node.module or "") if p)


def home(module: str) -> str:
    """The folder or lone module that a module belongs to."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "crosswalk" and len(parts) > 1 else parts[0]


def test_every_arrow_points_one_way() -> None:
    """A folder imports only what stands below it; the practice systems know nobody."""
    wrong = []
    for module, file in modules():
        place = home(module)
        if place in ANYTHING:
            continue
        allowed = MAY.get(place)
        assert allowed is not None, f"{place} has no line in the table of arrows"
        for imported in imports(file, module):
            other = home(imported)
            ours = imported.split(".")[0] in ("crosswalk", "flows", "tasks", "mappings")
            if ours and other != place and other not in allowed and other.split(".")[0] not in allowed:
                wrong.append(f"{module} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "where"),
    [
        ("httpx", ("crosswalk.http.library",)),
        ("prefect", ("flows", "tasks", "crosswalk.prefect", "crosswalk.console")),
        ("slack_sdk", ("crosswalk.alerts",)),
        ("graphql", ("crosswalk.sandbox",)),
        ("psycopg", ("crosswalk.connectors.database", "crosswalk.store", "crosswalk.http.limits_postgresql")),
    ],
)
def test_a_library_enters_by_one_door(library: str, where: tuple[str, ...]) -> None:
    """A library with a successor or a price is imported where the design says and nowhere else."""
    wrong = [
        module
        for module, file in modules()
        if library in {name.split(".")[0] for name in imports(file, module)} and not module.startswith(where)
    ]
    assert wrong == []


def test_time_comes_from_the_one_clock() -> None:
    """Nothing but crosswalk/clock.py asks the machine for the time or sleeps, but for what waits for a process."""
    wrong = []
    for module, file in modules():
        if module == "crosswalk.clock" or module.startswith(WAITS_FOR_PROCESSES):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Attribute):
                continue
            name = f"{getattr(node.value, 'id', getattr(node.value, 'attr', ''))}.{node.attr}"
            if name in {
                "time.time", "time.sleep", "time.monotonic", "time.time_ns", "time.monotonic_ns", "time.clock_gettime",
                "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
            }:  # fmt: skip
                wrong.append(f"{module}: {name} on line {node.lineno}")
    assert wrong == []


def test_no_file_grows_past_what_a_head_holds() -> None:
    """Modules stay under 450 lines."""
    long = [
        f"{file.relative_to(ROOT)}: {n}" for _, file in modules() if (n := len(file.read_text().splitlines())) > 450
    ]
    assert long == []
