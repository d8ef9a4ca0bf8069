"""R19: the whole way from source to database holds a few chunks in memory and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def peak(count: int, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    script = Path(__file__).parent / "made_shop.py"
    done = subprocess.run(
        [sys.executable, script, str(count), str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["created"] == found["read"] == count
    return found


def test_four_times_the_orders_take_no_more_memory(tmp_path: Path) -> None:
    """40,000 orders peak within 10 % of 10,000, and below 300 MB."""
    few, many = peak(10_000, tmp_path / "few"), peak(40_000, tmp_path / "many")
    assert many["peak"] < 300
    assert many["peak"] < few["peak"] * 1.1
