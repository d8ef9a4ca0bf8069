"""The demo as a person runs it, small: it ends well, its verdict is a real one, and it leaves nothing running."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswalk.console.demo.processes import holder
from crosswalk.sandbox.control import Control

SECONDS = 600


@dataclass(frozen=True)
class Kept:
    """A demo that was left running. said: what it printed."""

    folder: Path
    said: str

    @property
    def control(self) -> Control:
        ready = json.loads((self.folder / "practice.json").read_text())
        return Control(ready["addresses"]["control"])

    def verdict(self) -> subprocess.CompletedProcess[str]:
        """Compare again."""
        return demo("--verdict", folder=self.folder)


def demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "KEEP"}
    return subprocess.run(
        [sys.executable, "-m", "crosswalk.console.demo", "--folder", str(folder), *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A demo over 100 orders that was asked to keep everything running."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    try:
        done = demo("--orders", "100", "--keep", folder=folder)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        yield Kept(folder, done.stdout)
    finally:
        demo("--stop", folder=folder)


@pytest.mark.prefect
@pytest.mark.timeout(SECONDS)
def test_the_demo_tells_the_whole_story(kept: Kept) -> None:
    """Every run is accounted for, one went through the worker, one failed, was mended and recovered by Retry."""
    for words in (
        "orders to database: through the worker", "held", "skipped", "1 POST Invoices",
        "[sandbox] orders failed: ConsentNeeded", "crosswalk connect books", "orders to invoices: attempt 2 of",
        "they agree to the cent", "/runs/flow-run/", "crosswalk held list orders", "make demo-stop",
    ):  # fmt: skip
        assert words in kept.said
    assert "Traceback" not in kept.said


@pytest.mark.prefect
@pytest.mark.timeout(SECONDS)
def test_a_payment_taken_out_of_the_books_is_a_difference(kept: Kept) -> None:
    """The verdict is empty at first; with one payment deleted it names what is missing and ends with 1."""
    agreed = kept.verdict()
    assert agreed.returncode == 0, agreed.stdout
    kept.control.snapshot("whole")
    payment = next(p for p in kept.control.effects()["payments"] if p["status"] == "AUTHORISED" and p["invoice"])
    kept.control.call("xero.edit", f"Payments/{payment['id']}", {"Status": "DELETED"})
    try:
        found = kept.verdict()
    finally:
        kept.control.restore("whole")
    assert found.returncode == 1
    assert f"payment {payment['reference']}: missing" in found.stdout


@pytest.mark.prefect
@pytest.mark.timeout(SECONDS)
def test_a_row_taken_out_of_the_database_is_a_difference(kept: Kept) -> None:
    """With one order's row gone the verdict names count and sum, and ends with 1."""
    file = kept.folder / "warehouse.db"
    whole = file.read_bytes()
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM orders WHERE id = (SELECT id FROM orders WHERE total_price <> '0' LIMIT 1)")
    found = kept.verdict()
    file.write_bytes(whole)
    assert found.returncode == 1
    assert "database: orders is" in found.stdout and "database: total is" in found.stdout


@pytest.mark.prefect
@pytest.mark.timeout(SECONDS)
def test_stopping_leaves_no_process_and_nothing_outside_the_folder(kept: Kept) -> None:
    """After the stop no guard holds its lock and no process carries the folder in its environment."""
    assert demo("--stop", folder=kept.folder).returncode == 0
    assert not [file for file in (kept.folder / "logs").glob("*.pid") if holder(file) is not None]
    assert not [pid for pid in running(str(kept.folder)) if pid != os.getpid()]
    assert kept.verdict().returncode == 1


def running(folder: str) -> list[int]:
    """Processes whose environment names the folder; empty where the system does not tell."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if folder.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found
