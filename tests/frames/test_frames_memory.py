"""Memory stays flat however many records pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STREAM = """
from pathlib import Path
from frame_samples import Sale, raw, sale
from crosswalk.frames.parse import parse
from crosswalk.frames.dedupe import dedupe
from crosswalk.frames.validate import validate


def peak():
    # Not ru_maxrss, which a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


template = raw(sale(1)).split(b"sale-000001")
peaks, rows = [], 0
for first in range(0, 100_000, 5_000):
    raws = [(b"sale-%06d" % n).join(template) for n in range(first, first + 5_000)]
    raws[::500] = [b"null"] * 10
    parsed = parse(Sale, raws)
    rows += len(validate(dedupe(parsed.frame, parsed.kept).frame).good)
    peaks.append(peak())
print(rows, peaks[3], peaks[-1])
"""


def test_memory_is_flat_after_the_first_chunks() -> None:
    """A hundred thousand records through parse, deduplication and validation add under a tenth to the peak."""
    done = subprocess.run(
        [sys.executable, "-c", STREAM], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    rows, early, late = map(int, done.stdout.split())
    assert rows == 100_000 - 200
    assert late < early * 1.1, f"{early} MB after a fifth, {late} MB at the end"
    assert late < 400
