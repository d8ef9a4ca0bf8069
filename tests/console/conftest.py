"""One process of practice systems for all tests of the console; a user's folder for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import houses
import pytest
from console_kit import CASES, MINUTE, ORDERS, Folder, connected

from crosswalk.sandbox import control
from crosswalk.sandbox.control import Started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the start of a command costs is told and not tested: machines differ."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "start-up":
                terminalreporter.write_line(str(value))


@pytest.fixture(scope="session")
def console_practice() -> Iterator[Started]:
    """The practice systems by the machine's own clock: commands know no other."""
    with control.start(orders=0, minute=MINUTE) as started:
        yield started


@pytest.fixture
def folder(
    console_practice: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Folder]:
    """The current folder is a user's own, connected to practice systems that are as at the beginning."""
    for name in ("CROSSWALK_ENV", "CROSSWALK_STORE", "CROSSWALK_KEY", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    practice = console_practice
    about = practice.control.reset(seed=3, orders=ORDERS, cases=list(CASES), minute=MINUTE)
    practice.credentials.update(about["credentials"])
    practice.ready["credentials"] = practice.credentials
    path = houses.write(tmp_path / "house", practice)
    monkeypatch.chdir(path)
    made = Folder(path, practice, capsys, monkeypatch)
    connected(made)
    yield made
    practice.control.clear_faults()
