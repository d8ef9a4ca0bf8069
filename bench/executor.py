"""What it costs to start a run: the process worker and the warm worker, one empty run each in turn.

``python -m bench.executor [--runs 8] [--out FILE]``. A run is empty when its binding has nothing to do: it opens the
store, asks the source for changes, finds none, and says so. CPU is that of the worker with all that it starts, less
what the worker takes when it idles; the Prefect server's is counted apart. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import houses  # noqa: E402

from crosswalk import prefect_server  # noqa: E402
from crosswalk.clock import SystemClock  # noqa: E402
from crosswalk.sandbox import control  # noqa: E402

WORKERS = {"process": "process", "warm": "crosswalk-warm"}
BINDING = "orders-to-database"
ORDERS = 24
IDLE_SECONDS = 20.0
SETTLE_SECONDS = 3.0
CORES, EVERY_SECONDS = 2, 300
TICK = os.sysconf("SC_CLK_TCK")

YAML = """
deployments:
{deployments}
"""
DEPLOYMENT = """
  - name: {name}
    entrypoint: flows/shopify_orders_to_database.py:shopify_orders_to_database
    parameters: {{binding: {binding}}}
    work_pool: {{name: {name}}}
"""


class Tree:
    """A process with all that it started and still has."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu(self) -> float:
        """CPU seconds so far, those of ended processes included once their parent has noted their end."""
        return sum(sum(map(int, self._stat(pid)[11:15])) for pid in self.pids()) / TICK

    def own(self) -> float:
        """CPU seconds of the process itself."""
        return sum(map(int, self._stat(self.pid)[11:13])) / TICK

    def memory(self) -> float:
        """Megabytes, shared pages counted once."""
        total = 0
        for pid in self.pids():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total / 1024

    def pids(self) -> list[int]:
        parents = {int(p.name): self._stat(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
        found, level = [self.pid], [self.pid]
        while level:
            level = [pid for pid, stat in parents.items() if stat and int(stat[1]) in level]
            found += level
        return [pid for pid in found if self._stat(pid)]

    def _stat(self, pid: int) -> list[str]:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return []


class Ground:
    """Practice systems, a user's folder, a Prefect server, and a worker of each kind."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        started = stack.enter_context(control.start(orders=ORDERS, minute=10_000))
        self.home = houses.write(folder / "home", started)
        for name in ("flows", "tasks", "mappings"):
            (self.home / name).symlink_to(ROOT / name)
        houses.house(self.home, started, SystemClock()).close()
        os.chdir(ROOT)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a worker that compiles again each time would look worse
        server = stack.enter_context(prefect_server.start(folder / "prefect"))
        os.environ.update(server.environment, PREFECT_LOGGING_LEVEL="WARNING")
        self.server = Tree(server.process.pid)
        self.deployments = self._deploy()
        environment = {
            **server.environment, "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }  # fmt: skip
        self.trees = {
            name: Tree(
                stack.enter_context(
                    prefect_server.start_worker(
                        environment, pool=name, log=folder / f"{name}.log", folder=ROOT, type=type
                    )
                ).process.pid
            )
            for name, type in WORKERS.items()
        }

    def _deploy(self) -> dict[str, UUID]:
        from prefect.client.orchestration import get_client

        from crosswalk import prefect_deploy

        text = "".join(DEPLOYMENT.format(name=name, binding=BINDING) for name in WORKERS)
        (self.home / "prefect.yaml").write_text(YAML.format(deployments=text), encoding="utf-8")
        with get_client(sync_client=True) as client:
            for name, type in WORKERS.items():
                prefect_deploy._make_pool(client, name, type)
        return {d.name.rpartition("/")[2]: UUID(d.id) for d in prefect_deploy.deploy(self.home)}

    def run(self, name: str) -> dict[str, float]:
        """One run through a worker: seconds of CPU and of the wall, and the worker's memory at its most."""
        from prefect.client.orchestration import get_client

        worker, peak = self.trees[name], 0.0
        before, server, own, began = worker.cpu(), self.server.cpu(), worker.own(), time.monotonic()
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self.deployments[name])
            while not (state := client.read_flow_run(run.id).state) or not state.is_final():
                peak = max(peak, worker.memory())
                time.sleep(0.25)
        wall = time.monotonic() - began
        if state.name != "Completed":
            raise SystemExit(f"a run of {name} ended as {state.name}: {state.message}")
        time.sleep(SETTLE_SECONDS)
        took = time.monotonic() - began
        return {
            "cpu_s": worker.cpu() - before, "own_cpu_s": worker.own() - own,
            "server_cpu_s": self.server.cpu() - server, "wall_s": wall, "took_s": took, "peak_mb": peak,
        }  # fmt: skip


def measure(runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of both workers, one run each in turn, after one each that does not count."""
    with tempfile.TemporaryDirectory(prefix="bench-executor-") as folder, ExitStack() as stack:
        ground = Ground(stack, Path(folder))
        for name in WORKERS:
            ground.run(name)  # loads the orders, makes byte code, starts the zygote
            ground.run(name)
        idle = _idle(ground)
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in WORKERS}
        for number in range(runs):
            for name in WORKERS:
                one = ground.run(name)
                one["cpu_s"] -= idle[name] * one["took_s"]
                one["own_cpu_s"] -= idle[name] * one["took_s"]
                one["server_cpu_s"] -= idle["server"] * one["took_s"]
                taken[name].append(one)
                say(f"{number + 1} of {runs}, {name}: {one['cpu_s']:.2f} CPU s, {one['wall_s']:.1f} s")
    return {"runs": runs, "idle_cpu_per_minute_s": {k: 60 * v for k, v in idle.items()}, **_summary(taken)}


def _idle(ground: Ground) -> dict[str, float]:
    """CPU seconds a second of each worker and of the server when nothing runs."""
    trees = {**ground.trees, "server": ground.server}
    time.sleep(SETTLE_SECONDS)
    before, began = {name: tree.cpu() for name, tree in trees.items()}, time.monotonic()
    time.sleep(IDLE_SECONDS)
    return {name: (tree.cpu() - before[name]) / (time.monotonic() - began) for name, tree in trees.items()}


def _summary(taken: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, ones in taken.items():
        figures = {
            key: median(one[key] for one in ones) for key in ("cpu_s", "own_cpu_s", "server_cpu_s", "wall_s", "peak_mb")
        }
        figures["spread_cpu_s"] = max(o["cpu_s"] for o in ones) - min(o["cpu_s"] for o in ones)
        figures["bindings"] = int(CORES * EVERY_SECONDS / figures["cpu_s"])
        figures["bindings_with_server"] = int(CORES * EVERY_SECONDS / (figures["cpu_s"] + figures["server_cpu_s"]))
        found[name] = figures
    return found


LINES = {
    "cpu_s": ("CPU of one empty run, worker and its processes, s", "{:.2f}"),
    "own_cpu_s": ("  of which the worker itself, s", "{:.2f}"),
    "spread_cpu_s": ("  between the least and the most, s", "{:.2f}"),
    "server_cpu_s": ("CPU of the Prefect server for it, s", "{:.2f}"),
    "wall_s": ("from asking for a run to its end, s", "{:.1f}"),
    "peak_mb": ("memory of the worker and its processes, MB", "{:.0f}"),
    "bindings": (f"bindings that {CORES} cores carry every {EVERY_SECONDS // 60} minutes", "{}"),
    "bindings_with_server": ("  with the Prefect server on the same cores", "{}"),
}


def table(found: dict[str, Any]) -> str:
    """The figures as a table of Markdown."""
    lines = ["| | process | warm |", "|---|---:|---:|"]
    for key, (words, form) in LINES.items():
        lines.append(f"| {words} | {form.format(found['process'][key])} | {form.format(found['warm'][key])} |")
    return "\n".join(lines)


def about() -> dict[str, Any]:
    """Where and with what this was measured."""
    names = ("prefect", "pandas", "pyarrow", "pandera", "sqlmodel")
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()), "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors", "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in names},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    found = {**about(), **measure(options.runs, lambda line: print(line, flush=True))}
    print(table(found))
    if options.out:
        Path(options.out).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
