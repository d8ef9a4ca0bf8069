"""The rule about skipped tests, tried on small suites in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CONFTEST = "from skips import Skips\ndef pytest_configure(config):\n config.pluginmanager.register(Skips())\n"


def _run(folder: Path, body: str, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = contract: x\n")
    (folder / "test_it.py").write_text("import pytest\n" + body)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "PYTHONPATH": str(TESTS), **env},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("count", "passes"), [(8, True), (9, False)])
def test_too_many_skips_fail(tmp_path: Path, count: int, passes: bool) -> None:
    """Eight skipped tests pass, nine do not."""
    many = f"@pytest.mark.parametrize('n', range({count}))\ndef test_a(n):\n pytest.skip('a reason')\n"
    done = _run(tmp_path, many + "def test_b(): pass\n")
    assert (done.returncode == 0) is passes, done.stdout


@pytest.mark.parametrize("skip", ["pytest.skip()", "pytest.skip('')"])
def test_a_silent_skip_fails(tmp_path: Path, skip: str) -> None:
    """A skip that does not say why fails the suite."""
    done = _run(tmp_path, f"def test_a():\n {skip}\ndef test_b(): pass\n")
    assert done.returncode == 1
    assert "without a reason" in done.stdout


def test_a_silent_mark_fails(tmp_path: Path) -> None:
    """A skip mark without a reason fails the suite."""
    done = _run(tmp_path, "@pytest.mark.skip\ndef test_a(): pass\ndef test_b(): pass\n")
    assert done.returncode == 1


def test_contract_tests_count_apart(tmp_path: Path) -> None:
    """Without the vendors' contracts any number of contract tests is skipped, once printed with the reason."""
    body = "@pytest.mark.contract\n@pytest.mark.parametrize('n', range(20))\ndef test_a(n): pass\ndef test_b(): pass\n"
    done = _run(tmp_path, body, CROSSWALK_SPECS=str(tmp_path / "none"), CROSSWALK_CONTRACT="")
    assert done.returncode == 0, done.stdout
    assert "20 contract tests skipped: the vendors' contracts are not in" in done.stdout


def test_contract_skips_can_be_failures(tmp_path: Path) -> None:
    """With CROSSWALK_CONTRACT=1 a contract test that cannot run fails."""
    body = "@pytest.mark.contract\ndef test_a(): pass\n"
    done = _run(tmp_path, body, CROSSWALK_SPECS=str(tmp_path / "none"), CROSSWALK_CONTRACT="1")
    assert done.returncode == 1
    assert "not in ../shared/specs" in done.stdout
