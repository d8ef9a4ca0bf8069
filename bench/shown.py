"""The figures as a table for people and as the file that OUT names."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

from bench.measure import Cost

NAMED = ("engine", "floor", "dlt_rest_api", "dlt_arrow")
WORDS = {
    "engine": "engine", "floor": "floor (by hand)", "dlt_rest_api": "dlt rest_api, parquet",
    "dlt_arrow": "dlt, hand-made Arrow", "engine_prefect": "engine in a Prefect flow",
}  # fmt: skip


def surroundings() -> str:
    """The machine and the versions, without its name."""
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "pandas", "pandera", "httpx", "prefect"))
    return (
        f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, Linux {platform.release().split('-')[0]}; "
        f"Python {platform.python_version()}, {libraries}"
    )


def table(target: str, rows: int, costs: Mapping[str, Mapping[str, list[Cost]]]) -> str:
    """One target: a line for each phase and tool, with ratios to the engine's total."""
    lines = [
        f"\n{rows:,} orders into {target}",
        f"{'':37}{'client':>8}{'database':>9}{'total':>8}  {'of floor':>8}{'of engine':>10}{'rows/s':>9}{'peak':>8}",
    ]
    for phase, tools in costs.items():
        lines.append(phase)
        base = {tool: mean(c.cpu for c in found) for tool, found in tools.items() if found}
        for tool, found in tools.items():
            if not found:
                continue
            client, database = mean(c.client for c in found), mean(c.database for c in found)
            floor = mean(c.client for c in tools["floor"]) if tools.get("floor") else 0
            ours = base.get("engine", 0)
            lines.append(
                f"  {WORDS[tool]:35}{client:7.2f}s{database:8.2f}s{base[tool]:7.2f}s"
                f"  {f'{client / floor:.2f}x' if floor else '':>8}"
                f"{f'{base[tool] / ours:.2f}x' if ours else '':>10}"
                f"{mean(c.read / c.wall for c in found):>9,.0f}{max(c.peak for c in found):>5,.0f} MB"
            )
    lines.append("of floor: the client's CPU; of engine: client and database together")
    return "\n".join(lines)


def exact(found: Mapping[str, Any]) -> dict[str, Any]:
    """What OUT holds. Of changed and unchanged runs the engine's figure is the one with Prefect's client in it."""
    told: dict[str, Any] = {"rows": found["rows"]}
    for target in ("postgresql", "sqlite"):
        if target not in found:
            continue
        part = found[target]
        told[target] = _four(part, "engine")
        for phase in ("incremental", "unchanged"):
            told[target][phase] = _four(part[phase], "engine_prefect")
    return told


def _four(part: Mapping[str, Any], engine: str) -> dict[str, Any]:
    figures = {name: part.get(engine, part.get(name)) if name == "engine" else part.get(name) for name in NAMED}
    return {
        name: {"cpu_s": round(found["cpu_s"], 3), "rows_per_s": round(found["rows_per_s"]),
               "peak_mb": round(found["peak_mb"], 1)}
        for name, found in figures.items() if found
    }  # fmt: skip
