"""Who holds a claim: one attempt of one process on one machine, and whether that process still lives."""

from __future__ import annotations

import functools
import os
import secrets
import socket
from pathlib import Path


def holder() -> str:
    """A name for this moment of this process: ``host|boot id|pid|start|random``."""
    return "|".join((socket.gethostname(), _boot_id(), str(os.getpid()), _started(os.getpid()), secrets.token_hex(8)))


def gone(name: str) -> bool:
    """True only if ``name`` is a process of this machine that has certainly ended; another machine's is never gone."""
    host, boot, pid, started, _ = (name.split("|") + [""] * 5)[:5]
    if host != socket.gethostname() or not boot or not pid.isdigit():
        return False
    return boot != _boot_id() or _started(int(pid)) != started


@functools.cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Clock tick at which the process began, empty when it does not run (a zombie does not)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
