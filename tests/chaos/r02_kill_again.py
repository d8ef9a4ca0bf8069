"""R2: a process is killed, and the one that recovers is killed too."""

from __future__ import annotations

import os
import random
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import again
import sweep
from scenario import Result

TITLE = "killed while recovering from a kill"


def run(folder: Path, whole: bool) -> Result:
    """500 pairs of points over both databases and batch sizes in the whole size, 6 on SQLite in the short one."""
    number = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    result = Result(notes=[f"seed {number}"])
    found = sweep.Report()
    for database in ("sqlite", "postgresql") if whole else ("sqlite",):
        with ExitStack() as stack:
            stores = sweep.stores_of(stack, database, 2 if whole else 1)
            for batch in (1, 50) if whole else (50,):
                found.add(again.again(folder / database, stores, batch, 125 if whole else 6, number))
    result.faults = 2 * found.points
    result.lost, result.doubled, result.wrong = found.lost, found.doubled, found.wrong[:20]
    result.recovered = found.recoveries == found.points == (500 if whole else 6)
    result.notes.append(f"{found.points} pairs of points, {found.effects} effects each")
    return result
