"""Nothing that the demo starts outlives it, unless it was asked to keep it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crosswalk.console.demo.processes import DemoError, Processes, alone, free_port, holder, stop_kept

# A process that starts another, writes both numbers to a file and waits.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
half = sys.argv[1] + ".part"
open(half, "w").write(f"{os.getpid()} {child.pid}")
os.rename(half, sys.argv[1])
time.sleep(600)
"""
STARTER = """
import sys, time
from pathlib import Path
from crosswalk.console.demo.processes import Processes
processes = Processes(Path(sys.argv[1]))
processes.start("family", [sys.executable, "-c", sys.argv[3], sys.argv[2]], {}, Path(sys.argv[1]))
time.sleep(600)
"""


def until(there: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if there():
            return True
        time.sleep(0.05)
    return False


def numbers(file: Path) -> list[int]:
    assert until(file.exists)
    return [int(n) for n in file.read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def start(folder: Path) -> tuple[Processes, list[int]]:
    processes = Processes(folder)
    processes.start("family", [sys.executable, "-c", FAMILY, str(folder / "numbers")], {}, folder)
    return processes, numbers(folder / "numbers")


def test_what_was_started_ends_with_all_that_it_started(tmp_path: Path) -> None:
    """Stopping ends the command and its children, and leaves no lock held."""
    processes, family = start(tmp_path)
    assert all(map(alive, family))
    processes.stop()
    assert not any(map(alive, family))
    assert holder(tmp_path / "family.pid") is None


def test_a_killed_starter_takes_everything_with_it(tmp_path: Path) -> None:
    """After SIGKILL of the process that started it, nothing of the family is left."""
    command = [sys.executable, "-c", STARTER, str(tmp_path), str(tmp_path / "numbers"), FAMILY]
    with subprocess.Popen(command) as starter:
        family = numbers(tmp_path / "numbers")
        starter.kill()
    assert until(lambda: not any(map(alive, family)))


def test_what_is_kept_outlives_its_starter_and_is_stopped_by_name(tmp_path: Path) -> None:
    """A kept family goes on without its lifeline; stopping ends it, and a second time there is nothing to stop."""
    processes, family = start(tmp_path)
    processes.keep()
    lifeline = processes.all[0].guard.stdin
    assert lifeline is not None
    lifeline.close()
    assert not until(lambda: not all(map(alive, family)), 1)
    assert stop_kept(tmp_path) == ["family"]
    assert not any(map(alive, family))
    assert stop_kept(tmp_path) == []


def test_a_stale_number_is_nobody(tmp_path: Path) -> None:
    """A file with the number of a process that does not hold its lock stops nobody."""
    (tmp_path / "old.pid").write_text(str(os.getpid()))
    assert stop_kept(tmp_path) == []


def test_a_command_that_ended_says_what_it_said_last(tmp_path: Path) -> None:
    """The error of a command that ended too soon carries its exit code and its last words."""
    processes = Processes(tmp_path)
    command = [sys.executable, "-c", "print('no room'); raise SystemExit(3)"]
    process = processes.start("short", command, {}, tmp_path)
    assert until(lambda: not process.running)
    with pytest.raises(DemoError, match=r"short ended with exit code 3:\nno room"):
        process.check()
    processes.stop()


def test_a_starter_that_ignores_interrupts_hands_that_down_to_nobody(tmp_path: Path) -> None:
    """In a background job SIGINT is ignored; what the demo starts has it as usual, or a worker would not end."""
    asks = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = Processes(tmp_path).start("asks", [sys.executable, "-c", asks], {}, tmp_path)
        assert until(lambda: not process.running)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.tail() == "True"


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second one is refused while the first holds the folder, and not afterwards."""
    with alone(tmp_path / "demo"), pytest.raises(DemoError, match="another demo"), alone(tmp_path / "demo"):
        pass
    with alone(tmp_path / "demo"):
        pass


def test_a_taken_port_is_left_alone() -> None:
    """A free port is taken as asked; a taken one is passed over."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_who_reads_a_starters_output_does_not_wait_for_what_it_kept(tmp_path: Path) -> None:
    """The output of a process that keeps something running ends with that process."""
    keeping = STARTER.replace("time.sleep(600)", "processes.keep()")
    command = [sys.executable, "-c", keeping, str(tmp_path), str(tmp_path / "numbers"), FAMILY]
    try:
        subprocess.run(command, capture_output=True, timeout=20, check=True)
        assert all(map(alive, numbers(tmp_path / "numbers")))
    finally:
        assert stop_kept(tmp_path) == ["family"]
