"""The one clock. Leases, backoff, limits, freshness and the practice systems all ask it; a test finds any other.

Instants are aware datetimes in UTC, durations are seconds.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> datetime:
        """The wall clock, UTC."""

    def boot(self) -> float:
        """Seconds since the machine started, sleep included; never set back. For deadlines inside one machine."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot(self) -> float:
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class SharedClock:
    """A clock in a file that stands still until somebody sleeps or moves it; every process that opens it agrees.

    Tests use it to pass ten minutes in no time, in the engine and in the practice systems alike.
    """

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._path = path
        if start is not None or os.fstat(self._file).st_size < 8:
            self._write((start or datetime(2026, 11, 23, 9, 0, tzinfo=UTC)).timestamp())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._read(), UTC)

    def boot(self) -> float:
        return self._read()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock on for everybody."""
        own = os.open(self._path, os.O_RDWR)  # a lock belongs to what was opened: only so it excludes threads and forks
        try:
            fcntl.flock(own, fcntl.LOCK_EX)
            self._write(self._read() + seconds)
        finally:
            os.close(own)

    def move(self, instant: datetime) -> None:
        """Set the clock for everybody, also back."""
        self._write(instant.timestamp())

    def _read(self) -> float:
        return float(struct.unpack("<d", os.pread(self._file, 8, 0))[0])

    def _write(self, instant: float) -> None:
        os.pwrite(self._file, struct.pack("<d", instant), 0)
