"""Kill points through a real Prefect worker: the flow's process dies, the run is retried the way the UI does it.

``python tests/crash/worker.py`` prints how many points were tried and what was lost or doubled.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent), str(ROOT)]

import houses  # noqa: E402
import job  # noqa: E402

from crosswalk import points, prefect_server  # noqa: E402
from crosswalk.clock import SystemClock  # noqa: E402
from crosswalk.runs import body  # noqa: E402
from crosswalk.runs.session import Request  # noqa: E402
from crosswalk.sandbox import control  # noqa: E402
from crosswalk.sandbox.control import Started  # noqa: E402

KILLER = Path(__file__).parent / "killer"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PATIENCE = 600.0


class Ground:
    """A user's folder, practice systems, a Prefect server with its deployments, and a worker that may be killed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.kill_file = folder / "kill"
        self.practice: Started = stack.enter_context(control.start(seed=3, orders=job.ORDERS[1], cases=job.CASES))
        self.fresh()
        self.server = stack.enter_context(prefect_server.start(folder / "prefect"))
        environment = {
            **self.server.environment, "KILL_FILE": str(self.kill_file), "PYTHONPATH": str(KILLER),
        }  # fmt: skip
        os.environ.update(self.server.environment)
        from crosswalk.prefect_deploy import deploy

        self.deployments = {d.binding: d.id for d in deploy(self.home)}
        stack.enter_context(prefect_server.start_worker(environment, log=folder / "worker.log", folder=self.home))

    def fresh(self) -> None:
        """An empty ledger and an empty practice Xero, with the contacts already there."""
        about = self.practice.control.reset()
        self.practice.ready["credentials"] = about["credentials"]
        shutil.rmtree(self.home, ignore_errors=True)
        houses.write(self.home, self.practice)
        for name in ("flows", "tasks", "mappings", "prefect.yaml"):
            (self.home / name).symlink_to(ROOT / name)
        house = houses.house(self.home, self.practice, SystemClock())
        body.run(house.session("customers", Request()))
        house.close()

    def points(self) -> int:
        """How many points an unkilled run of the orders has."""
        self.fresh()
        names = self.folder / "points"
        points.install(job.record(names))
        house = houses.house(self.home, self.practice, SystemClock())
        body.run(house.session("orders", Request()))
        house.close()
        points.install(None)
        return len(names.read_text().splitlines())

    def run_and_kill(self, number: int) -> tuple[str, str]:
        """Run the orders' deployment, die at this point, retry; the states that both attempts ended in."""
        from prefect.client.orchestration import get_client

        self.fresh()
        self.kill_file.write_text(str(number))
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self.deployments["orders"])
            first = self._ended(client, run.id, after=0)
            _retry(client, run.id)
            return first, self._ended(client, run.id, after=1)

    def _ended(self, client: Any, run: Any, after: int) -> str:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            found = client.read_flow_run(run)
            if found.run_count > after and found.state and found.state.type.value in ENDED:
                return str(found.state.name)
            time.sleep(0.5)
        return "nothing"


def _retry(client: Any, run: Any) -> None:
    """What the Retry button of the UI sends."""
    from prefect.states import Scheduled

    client.set_flow_run_state(run, Scheduled(name="AwaitingRetry", message="Retry from the UI"), force=True)


def sweep(folder: Path, count: int) -> tuple[int, list[str]]:
    """Kill at ``count`` points spread over a run; the points tried and what was wrong."""
    wrong: list[str] = []
    with ExitStack() as stack:
        ground = Ground(stack, folder)
        total = ground.points()
        picked = sorted({max(1, round((n + 0.5) * total / count)) for n in range(count)})
        for number in picked:
            began = time.monotonic()
            first, second = ground.run_and_kill(number)
            if first != "Crashed" or ground.kill_file.exists():
                wrong.append(f"point {number}: the first attempt ended as {first}")
            if second not in ("Completed", "Queued"):
                wrong.append(f"point {number}: the retry ended as {second}")
            wrong += [f"point {number}: {line}" for line in ground.practice.control.verdict("S1")]
            took = f"{time.monotonic() - began:.0f} s"
            print(f"worker, point {number} of {total}: {first}, then {second}, {took}", flush=True)
    return len(picked), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crash-worker") as folder:
        count, wrong = sweep(Path(folder), options.points)
    for line in wrong[:20]:
        print(f"  {line}")
    print(f"worker: {count} points, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
