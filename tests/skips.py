"""Skipped tests are few and say why, or the suite fails."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

MOST_SKIPS = 8
SPECS = Path(os.environ.get("CROSSWALK_SPECS", Path(__file__).resolve().parents[2] / "shared" / "specs"))
WITHOUT_SPECS = "the vendors' contracts are not in ../shared/specs"


def contract_is_asked() -> bool:
    """CROSSWALK_CONTRACT=1: a contract test that cannot run is a failure."""
    return os.environ.get("CROSSWALK_CONTRACT", "") not in ("", "0")


class Skips:
    """A pytest plugin: counts skips, fails the session when they are too many or silent."""

    def __init__(self) -> None:
        self.contract: list[str] = []
        self.others: list[str] = []
        self.silent: list[str] = []

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item.get_closest_marker("contract") and not SPECS.is_dir():
            pytest.skip(WITHOUT_SPECS)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.skipped and contract_is_asked() and item.get_closest_marker("contract"):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {_reason(report)}"
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._count(report.nodeid, _reason(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._count(report.nodeid, _reason(report))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (self.silent or len(self.others) > MOST_SKIPS) and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        if self.contract:
            write(f"{len(self.contract)} contract tests skipped: {WITHOUT_SPECS}")
        if len(self.others) > MOST_SKIPS:
            write(f"{len(self.others)} tests skipped, at most {MOST_SKIPS} may be", red=True)
        for name in self.silent:
            write(f"skipped without a reason: {name}", red=True)

    def _count(self, name: str, reason: str) -> None:
        (self.contract if reason == WITHOUT_SPECS else self.others).append(name)
        if reason in ("", "unconditional skip"):
            self.silent.append(name)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    return said.removeprefix("Skipped").removeprefix(":").strip()
