"""``make bench``: the same job by the engine, by hand and by dlt, side by side; a table, and with OUT a file.

ROWS (100,000): how many orders. ROUNDS (2): how often everything is done; the order of the tools turns round each time.
TARGETS (postgresql,sqlite,api), TOOLS (all): what is measured. API_ROWS (20,000): how many records go to the API.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

from bench import api, compare, shown
from bench.engine import TOML
from bench.measure import ROOT, Cost, Failed, python, run

TOOLS = ("engine", "floor", "dlt_rest_api", "dlt_arrow", "engine_prefect")
PHASES = ("full", "incremental", "unchanged")
PEERS = str(ROOT / ".bench" / "bin" / "python")
FLAGS = ("fsync=on", "autovacuum=off", "shared_buffers=512MB", "max_wal_size=4GB", "listen_addresses=127.0.0.1")


class Bench:
    """One target: a server of pages, a database for each tool, and what everything cost."""

    def __init__(self, rows: int, target: str, tools: list[str], folder: Path, postgres: Any, prefect: Any) -> None:
        self.rows, self.target, self.tools, self.folder = rows, target, tools, folder
        self.postgres, self.prefect = postgres, prefect
        self.costs: dict[str, dict[str, list[Cost]]] = {phase: {tool: [] for tool in tools} for phase in PHASES}

    def round(self, number: int) -> None:
        """Every tool once, from nothing to unchanged."""
        order = self.tools if number % 2 == 0 else self.tools[::-1]
        with serving(self.rows) as address, ExitStack() as stack:
            urls = {tool: self._database(stack, tool, number) for tool in order}
            for phase in PHASES:
                if phase == "incremental":
                    _post(f"{address}/changed")
                for tool in order:
                    cost = run(self._command(tool, address, urls[tool], number), self._server, self._surroundings(tool))
                    self.costs[phase][tool].append(cost)
                    print(f"{self.target:11}{phase:12}{tool:15}{cost.client:8.2f} +{cost.database:6.2f} s CPU"
                          f"{cost.peak:8.0f} MB{cost.read:10,} read", file=sys.stderr, flush=True)  # fmt: skip
                if phase != "incremental":
                    self._same(urls)

    @property
    def _server(self) -> int | None:
        return self.postgres.pid if self.target == "postgresql" else None

    def _database(self, stack: ExitStack, tool: str, number: int) -> str:
        if self.target == "postgresql":
            return str(stack.enter_context(self.postgres.database(f"{tool}_{number}")))
        return f"sqlite:///{self.folder}/{tool}_{number}.db"

    def _command(self, tool: str, address: str, url: str, number: int) -> list[str]:
        home = self.folder / f"{self.target}-{tool}-{number}"
        home.mkdir(exist_ok=True)
        if tool.startswith("engine"):
            (home / "crosswalk.toml").write_text(TOML.format(url=address, database=url))
            return [python(), "-m", "bench.engine" if tool == "engine" else "bench.under_prefect", str(home)]
        if tool == "floor":
            return [PEERS, "-m", "bench.floor", address, url, str(home / "state")]
        return [PEERS, "-m", "bench.peers", "arrow" if tool == "dlt_arrow" else "rest", address, url, str(home)]

    def _surroundings(self, tool: str) -> dict[str, str]:
        return dict(self.prefect.environment) if tool == "engine_prefect" else {}

    def _same(self, urls: dict[str, str]) -> None:
        """Nothing counts unless all have left the same."""
        found = {tool: compare.sums(tool, url) for tool, url in urls.items()}
        first = next(iter(found.values()))
        for tool, values in found.items():
            if values != first or values["count(*) of orders"] != self.rows:
                raise Failed(f"{tool} has left something else: {values} instead of {first}")
        if {"engine", "floor"} <= set(urls) and compare.digest(urls["engine"]) != compare.digest(urls["floor"]):
            raise Failed("engine and floor have left other rows")

    def figures(self) -> dict[str, Any]:
        """As in OUT: the full load at the top, the other two beside it, each the mean of the rounds."""
        told: dict[str, Any] = {}
        for phase in PHASES:
            part = {tool: _mean(costs) for tool, costs in self.costs[phase].items() if costs}
            told |= part if phase == "full" else {phase: part}
        return told


def _mean(costs: list[Cost]) -> dict[str, float]:
    return {
        "cpu_s": mean(c.cpu for c in costs),
        "client_s": mean(c.client for c in costs),
        "rows_per_s": mean(c.read / c.wall for c in costs),
        "peak_mb": max(c.peak for c in costs),
    }


@contextmanager
def serving(rows: int) -> Iterator[str]:
    """The server of pages, in a process of its own; its address."""
    process = subprocess.Popen(
        [python(), "-m", "bench.server", str(rows)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def _post(address: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(address, method="POST")) as answer:
        answer.read()


def tables(rows: int, rounds: int, targets: list[str], tools: list[str]) -> dict[str, Any]:
    """Both database targets."""
    from servers import postgres, prefect

    found: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="cw-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(postgres.serve(FLAGS)) if "postgresql" in targets else None
        pages = stack.enter_context(prefect.serve()) if "engine_prefect" in tools else None
        benches = [Bench(rows, target, tools, folder, server, pages) for target in targets]
        for number in range(rounds):
            for one in benches:
                one.round(number)
        for one in benches:
            found[one.target] = one.figures()
            print(shown.table(one.target, rows, one.costs))
    return found


def main() -> None:
    rows, rounds = int(os.environ.get("ROWS") or 100_000), int(os.environ.get("ROUNDS") or 2)
    targets = (os.environ.get("TARGETS") or "postgresql,sqlite,api").split(",")
    tools = (os.environ.get("TOOLS") or ",".join(TOOLS)).split(",")
    print(shown.surroundings())
    databases = [target for target in targets if target != "api"]
    found: dict[str, Any] = {"rows": rows, **(tables(rows, rounds, databases, tools) if databases else {})}
    if "api" in targets:
        print(api.measure(int(os.environ.get("API_ROWS") or 20_000), serving))
    if out := os.environ.get("OUT"):
        Path(out).write_text(json.dumps(shown.exact(found), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
