"""Runs one command and takes it down, with everything it started, when whoever wanted it is gone.

``python guard.py NAME.pid COMMAND...`` Standard input is the lifeline: when it closes, the command's process
group is ended, gently first. The word ``keep`` on it cuts the lifeline loose; from then on SIGTERM ends the command.
While the guard lives it holds a lock on NAME.pid, which holds its number: nobody mistakes another process for it.

Standard library only, so that it starts at once.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GENTLY = 8.0
TICK = 0.1


class Guard:
    """One command under watch."""

    def __init__(self, pid_file: Path, command: list[str]) -> None:
        self.lock = os.open(pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, str(os.getpid()).encode(), 0)
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        # A shell that starts jobs in the background has SIGINT ignored, and a Prefect worker then ignores SIGTERM too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def watch(self) -> int:
        """Until the command ends, the lifeline closes or SIGTERM comes; the command's exit code."""
        lifeline = True
        while self.process.poll() is None and not self.asked:
            if not lifeline:
                time.sleep(TICK)
                continue
            if select.select([sys.stdin], [], [], TICK)[0]:
                word = os.read(sys.stdin.fileno(), 100)
                lifeline = b"keep" not in word
                self.asked = not word
        self.end()
        return self.process.returncode

    def end(self) -> None:
        """End the command's process group: SIGTERM, and after a while SIGKILL."""
        until = time.monotonic() + GENTLY
        self._signal(signal.SIGTERM)
        while time.monotonic() < until and self._signal(0):
            self.process.poll()
            time.sleep(TICK / 2)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> bool:
        """Whether the group still has a member."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS: only zombies are left
            return False
        return True


if __name__ == "__main__":
    sys.exit(Guard(Path(sys.argv[1]), sys.argv[2:]).watch())
