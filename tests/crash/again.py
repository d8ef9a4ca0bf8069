"""A second kill while the first is being recovered: pairs of points, sampled over a run and over its restart."""

from __future__ import annotations

import random
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import job
import sweep
from job import Place
from sweep import KILLED, LATER, Report

TRIES = 4


def again(folder: Path, stores: list[str], batch: int, count: int, seed: int) -> Report:
    """Kill twice and recover, ``count`` times, in as many processes as ``stores`` has places."""
    with ExitStack() as stack:
        names, effects = sweep.unkilled(sweep.place(stack, folder / f"whole-{batch}", stores[0]), batch)
    drawn = random.Random(seed)
    pairs = [(drawn.randint(1, len(names)), drawn.randint(1, len(names))) for _ in range(count)]
    total = Report(effects=effects)
    tasks = [(str(folder), store, batch, worker, pairs[worker :: len(stores)]) for worker, store in enumerate(stores)]
    if len(tasks) == 1:
        total.add(_work(tasks[0]))
        return total
    with get_context("spawn").Pool(len(tasks)) as pool:
        for report in pool.imap_unordered(_work, tasks):
            total.add(report)
    return total


def _work(task: tuple[str, str, int, int, list[tuple[int, int]]]) -> Report:
    folder, store, batch, worker, pairs = task
    report = Report()
    with ExitStack() as stack:
        ground = sweep.place(stack, Path(folder) / f"again{worker}-{batch}", store)
        sweep.warm(ground)
        for first, second in pairs:
            kill_twice(ground, batch, first, second, report)
    return report


def kill_twice(ground: Place, batch: int, first: int, second: int, report: Report) -> None:
    """Kill a run at its point ``first``, its restart at the point ``second`` (counted round), and let a third recover.

    Half of the restarts and half of the third runs begin when the target has forgotten its key.
    """
    where = f"#{first}, then #{second}, batch {batch}"
    errors = ground.folder / "errors"
    for _ in range(TRIES):
        ground.fresh(batch)
        code = job.child(lambda: job.run(ground), job.kill_at(first), errors)
        if code != KILLED:
            report.wrong.append(f"{where}: the run was not killed but ended with {code}")
            return
        if first % 2:
            ground.clock.advance(LATER)
        reached, code = _restart(ground, second, errors)
        if code == KILLED:
            break
        if code or not reached:
            report.wrong.append(f"{where}: the restart ended with {code}: {errors.read_text()[-600:]}")
            return
        second = second % reached + 1
    else:
        report.wrong.append(f"{where}: the restart could not be killed in {TRIES} tries")
        return
    if second % 2:
        ground.clock.advance(LATER)
    code = job.child(lambda: job.run(ground), None, errors)
    report.recoveries += 1
    report.points += 1
    if code:
        report.wrong.append(f"{where}: recovery ended with {code}: {errors.read_text()[-600:]}")
    sweep.judge(ground, where, report, kills=2)


def _restart(ground: Place, number: int, errors: Path) -> tuple[int, int]:
    """Run once more and die at a point; how many points were reached, and the exit status."""
    names = ground.folder / "restart"
    record, kill = job.record(names), job.kill_at(number)

    def reached(name: str) -> None:
        record(name)
        kill(name)

    code = job.child(lambda: job.run(ground), reached, errors)
    return len(names.read_text().splitlines()), code
