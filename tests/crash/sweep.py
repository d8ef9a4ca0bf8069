"""The kill sweep: a process is killed after every write to the store and around every request, and recovered twice.

``python tests/crash/sweep.py`` sweeps every point on SQLite and PostgreSQL with batches of 1 and of 50; with
``--again N`` it kills the restart too, at N sampled pairs of points. It prints the points, the effects lost and the
effects doubled, and with ``OUT=file.json`` writes them there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import job  # noqa: E402
from job import Place  # noqa: E402

from crosswalk.clock import SharedClock  # noqa: E402
from crosswalk.http.journal import SqliteJournal  # noqa: E402
from crosswalk.sandbox import control  # noqa: E402

LATER = 600.0
KILLED = -9


@dataclass
class Report:
    """What a sweep found. points: places where a process was killed; every one was recovered twice."""

    points: int = 0
    recoveries: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    effects: int = 0

    def add(self, other: Report) -> None:
        self.points += other.points
        self.recoveries += other.recoveries
        self.lost += other.lost
        self.doubled += other.doubled
        self.wrong += other.wrong
        self.names = dict(Counter(self.names) + Counter(other.names))
        self.effects = max(self.effects, other.effects)


def place(stack: ExitStack, folder: Path, store: str) -> Place:
    """A worker's ground; ``store`` is an empty PostgreSQL database or "" for SQLite."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = SharedClock(folder / "clock", job.BEGIN)
    started = stack.enter_context(
        control.start(seed=3, orders=job.ORDERS[50], cases=job.CASES, minute=60, clock=folder / "clock")
    )
    template = None if store else job.template(folder)
    if store:
        job.Store(store, clock=clock, vault=job.Vault(job.PRACTICE_KEY)).open(migrate=True).close()
    url = store or f"sqlite:///{folder / 'store.db'}"
    return Place(folder, started.ready, control.Control(started.ready["addresses"]["control"]), clock, url, template)


def warm(ground: Place) -> None:
    """Run the job once here, so that the children that are forked from here have built what is built once."""
    ground.fresh(50)
    job.run(ground)


def unkilled(ground: Place, batch: int) -> tuple[list[str], int]:
    """The names of all points of a pass that is left alone, and how many effects it has."""
    ground.fresh(batch)
    names, errors = ground.folder / "points", ground.folder / "errors"
    code = job.child(lambda: job.run(ground), job.record(names), errors)
    if code:
        raise RuntimeError(f"the unkilled pass failed:\n{errors.read_text()}")
    wrong = ground.control.verdict("S1")
    if wrong:
        raise RuntimeError("the unkilled pass is wrong:\n" + "\n".join(wrong[:20]))
    effects = ground.control.effects()
    count = sum(len(effects[kind]) for kind in ("contacts", "invoices", "credit_notes", "payments", "allocations"))
    return names.read_text().split("\n")[:-1], count


def kill(ground: Place, batch: int, number: int, later: bool, edited: bool, report: Report, name: str) -> None:
    """Kill at one point and recover, at once or when the target has forgotten its key."""
    ground.fresh(batch)
    errors = ground.folder / "errors"
    code = job.child(lambda: job.run(ground), job.kill_at(number), errors)
    where = f"{name}#{number} batch {batch} {'later' if later else 'at once'}{' edited' if edited else ''}"
    if code != KILLED:
        report.wrong.append(f"{where}: was not killed but ended with {code}")
        return
    if later:
        ground.clock.advance(LATER)
    if edited:
        ground.control.changes(share=0.25, seed=number, kinds=job.EDITS)
    code = job.child(lambda: job.run(ground, passes=2 if edited else 1), None, errors)
    report.recoveries += 1
    if code:
        report.wrong.append(f"{where}: recovery ended with {code}: {errors.read_text()[-600:]}")
    judge(ground, where, report)


def judge(ground: Place, where: str, report: Report, kills: int = 1) -> None:
    """Compare what the practice systems hold and have counted with what they should, after this many kills."""
    wrong = ground.control.verdict("S1")
    report.lost += sum(1 for line in wrong if line.endswith("missing"))
    report.doubled += sum(1 for line in wrong if "there twice" in line or "should not be there" in line)
    report.wrong += [f"{where}: {line}" for line in wrong]
    report.wrong += [f"{where}: {line}" for line in journal_differs(ground, kills)]


def journal_differs(ground: Place, kills: int = 1) -> list[str]:
    """Where the journal and the practice systems' own counts disagree.

    A request that was under way when its process was killed may or may not have arrived; the journal shows it as
    open. Every other one is in both.
    """
    entries = SqliteJournal(ground.folder / "home" / ".crosswalk" / "journal.db", ground.clock).entries()
    counts = ground.control.counts()
    arrived = sum(counts[system]["total"] for system in ("shopify", "xero"))
    answered = sum(1 for e in entries if e.outcome in ("answered", "lost"))
    under_way = sum(1 for e in entries if e.outcome is None)
    if under_way > kills:
        return [f"the journal shows {under_way} requests under way, and {kills} processes were killed"]
    if not answered <= arrived <= answered + under_way:
        return [f"the journal has {answered} requests and {under_way} under way, the systems counted {arrived}"]
    return []


def _work(task: tuple[str, str, int, int, int, list[int], list[str]]) -> Report:
    """One worker's share of the points of one database and batch size."""
    folder, store, batch, worker, of, picked, names = task
    report = Report()
    with ExitStack() as stack:
        ground = place(stack, Path(folder) / f"worker{worker}-{batch}", store)
        warm(ground)
        for number in picked[worker::of]:
            name = names[number - 1]
            edited = number % 2 == 0
            for later in (False, True):
                kill(ground, batch, number, later, edited, report, name)
            report.points += 1
            report.names[name] = report.names.get(name, 0) + 1
    return report


def sweep(folder: Path, stores: list[str], batch: int, every: int) -> Report:
    """Sweep one database, in as many processes as ``stores`` has places; every so many-th point."""
    with ExitStack() as stack:
        names, effects = unkilled(place(stack, folder / f"unkilled-{batch}", stores[0]), batch)
    picked = [n for n in range(1, len(names) + 1) if n % every == 0 or n in (1, len(names))]
    total = Report(effects=effects)
    tasks = [(str(folder), store, batch, worker, len(stores), picked, names) for worker, store in enumerate(stores)]
    if len(tasks) == 1:
        total.add(_work(tasks[0]))
        return total
    with get_context("spawn").Pool(len(tasks)) as pool:
        for report in pool.imap_unordered(_work, tasks):
            total.add(report)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--batches", default="1,50")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th point")
    parser.add_argument("--again", type=int, default=0, help="instead, so many restarts that are killed as well")
    parser.add_argument("--seed", type=int, default=1, help="of the points that --again chooses")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    total, by_database = Report(), {}
    # A killed process is no power loss: memory keeps what a disk would, and no write waits for one.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crash", dir=memory) as folder, ExitStack() as stack:
        for database in options.databases.split(","):
            stores = stores_of(stack, database, options.workers)
            found = Report()
            for batch in map(int, options.batches.split(",")):
                began = time.monotonic()
                report = _one(Path(folder) / database, stores, batch, options)
                print(
                    f"{database}, batches of {batch}: {report.points} points, {report.recoveries} recoveries, "
                    f"{report.effects} effects each, {report.lost} lost, {report.doubled} doubled, "
                    f"{len(report.wrong)} differences, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
                for line in report.wrong[:10]:
                    print(f"  {line}", flush=True)
                found.add(report)
            by_database[database] = {k: v for k, v in asdict(found).items() if k != "wrong"}
            total.add(found)
    print(f"points {total.points}, lost {total.lost}, doubled {total.doubled}, differences {len(total.wrong)}")
    out: dict[str, Any] = {
        "points": total.points, "lost": total.lost, "doubled": total.doubled, "databases": by_database
    }  # fmt: skip
    if os.environ.get("OUT"):
        Path(os.environ["OUT"]).write_text(json.dumps(out, indent=1))
    return 1 if total.wrong else 0


def _one(folder: Path, stores: list[str], batch: int, options: argparse.Namespace) -> Report:
    if not options.again:
        return sweep(folder, stores, batch, options.every)
    import again

    parts = len(options.databases.split(",")) * len(options.batches.split(","))
    return again.again(folder, stores, batch, -(-options.again // parts), options.seed)


def stores_of(stack: ExitStack, database: str, workers: int) -> list[str]:
    """A store for each worker: "" for SQLite, or the URL of an empty database, there as long as the stack."""
    if database == "sqlite":
        return [""] * workers
    from servers.postgres import serve

    server = stack.enter_context(serve())
    return [stack.enter_context(server.database(f"crash_{n}")) for n in range(workers)]


if __name__ == "__main__":
    raise SystemExit(main())
