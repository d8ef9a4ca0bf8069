"""R7: the cursor and the ledger core under a state machine, without frames."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import cursor_model
from scenario import Result

TITLE = "changes of every kind around and during reading: the target ends as the source is"


def run(folder: Path, whole: bool) -> Result:
    """2,000 sequences of 50 steps in the whole size, 60 of 30 in the short one. SEED= repeats one that was printed."""
    examples, steps = (2_000, 50) if whole else (60, 30)
    number = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    result = Result(notes=[f"seed {number}"])
    print(f"           R7 seed {number}", flush=True)
    # Nothing here has to outlast the process: memory takes what a disk would.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cursor-", dir=memory) as place:
        try:
            made, runs = cursor_model.check(Path(place), examples, steps, number)
        except AssertionError as found:
            result.lost = 1
            result.wrong = [f"{found}", *getattr(found, "__notes__", [])]
            return result
    result.faults = made * steps
    result.must(made >= examples, f"{made} sequences of {examples} were tried")
    result.notes.append(f"{made:,} sequences of up to {steps} steps, {runs:,} runs")
    return result
