"""Leases: one process plans a binding at a time, and the one that lost its lease cannot write.

A lease belongs to a process attempt (a random token), never to a Prefect run, so that a rerun of a run that still
works is another holder. A dead process of this machine is taken over at once, any other when its time is up.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, Row, insert, select, text, update

from crosswalk.errors import Busy, Fenced
from crosswalk.store.engine import Store, Taken
from crosswalk.store.tables import LEASE

SECONDS = 180.0
"""A lease's life; it is prolonged between batches, and a wait inside one is at most two minutes."""
BEAT = 20.0
EVENTS = "#events"
"""Ends the scope of the second lease of a binding: events are planned beside a long run, by one process at a time."""
BACKFILL = "#backfill"
"""Ends the scope of the third: a stretch of the past is read beside the schedule, by one process at a time."""


def bound(scope: str) -> str:
    """The scope of the binding that a lease belongs to."""
    return scope.removesuffix(EVENTS).removesuffix(BACKFILL)


@dataclass(frozen=True)
class Process:
    """Who we are: this process attempt on this machine since its last start."""

    token: str
    host: str
    boot_id: str
    pid: int

    @staticmethod
    def this() -> Process:
        return Process(uuid.uuid4().hex, here(), boot_id(), os.getpid())


@lru_cache(maxsize=1)
def here() -> str:
    """Names this machine, or this container on it: where a process id means the same process."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names the machine's last start; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def gone(host: str, boot: str, pid: int) -> bool:
    """Whether that process is known to be dead: it ran on this machine and is no more, or the machine restarted."""
    if host != here() or not boot or not boot_id():
        return False
    if boot != boot_id():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _zombie(pid)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


@dataclass
class Lease:
    """A held lease; ``check`` it inside every planning transaction.

    beaten: when it was last prolonged, on the clock's boot time.
    """

    store: Store
    scope: str
    process: Process
    fence: int
    beaten: float = 0.0

    def check(self, connection: Connection) -> None:
        """Prove inside this transaction that the lease is still ours, and prolong it. Raises Fenced."""
        self.beaten = self.store.clock.boot()
        alone(connection, self.scope)
        expires = self.store.clock.now() + timedelta(seconds=SECONDS)
        mine = (LEASE.c.scope == self.scope) & (LEASE.c.holder == self.process.token) & (LEASE.c.fence == self.fence)
        if connection.execute(update(LEASE).where(mine).values(expires_at=expires)).rowcount != 1:
            raise Fenced(
                f"another process has taken over the planning of {self.scope}",
                safe="this process writes nothing more; the other goes on where the last commit stands",
                next_command="crosswalk status",
            )

    def beat(self) -> None:
        """Prolong the lease when it was not done lately. Raises Fenced when it is lost."""
        now = self.store.clock.boot()
        if now - self.beaten < BEAT:
            return
        with self.store.transaction("lease") as connection:
            self.check(connection)

    def release(self) -> None:
        """Let the next run begin at once. A lease that was lost meanwhile is left alone."""
        mine = (LEASE.c.scope == self.scope) & (LEASE.c.holder == self.process.token) & (LEASE.c.fence == self.fence)
        with self.store.transaction("lease") as connection:
            connection.execute(update(LEASE).where(mine).values(holder="", expires_at=None))


def alone(connection: Connection, scope: str) -> None:
    """Let one transaction at a time plan a binding, whoever holds which of its leases. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        name = f"crosswalk plan {bound(scope)}"
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})


def take(store: Store, scope: str, process: Process, run: str = "") -> Lease:
    """Take the lease for planning, for a run if one is named. Raises Busy while another process holds it and may be
    alive."""
    try:
        return _take(store, scope, process, run)
    except Taken:
        return _take(store, scope, process, run)  # two began the first lease at once: there is a row to look at now


def _take(store: Store, scope: str, process: Process, run: str) -> Lease:
    now = store.clock.now()
    ours = {
        "holder": process.token,
        "host": process.host,
        "boot_id": process.boot_id,
        "pid": process.pid,
        "expires_at": now + timedelta(seconds=SECONDS),
        "run": run,
    }
    with store.transaction("lease") as connection:
        row = connection.execute(select(LEASE).where(LEASE.c.scope == scope)).one_or_none()
        if row is None:
            connection.execute(insert(LEASE).values(scope=scope, fence=1, **ours))
            return Lease(store, scope, process, 1, store.clock.boot())
        if row.holder and row.expires_at > now and not gone(row.host, row.boot_id, row.pid):
            raise _busy(scope, row)
        same = (LEASE.c.scope == scope) & (LEASE.c.fence == row.fence) & (LEASE.c.holder == row.holder)
        if connection.execute(update(LEASE).where(same).values(fence=row.fence + 1, **ours)).rowcount != 1:
            raise _busy(scope, row)
    return Lease(store, scope, process, row.fence + 1, store.clock.boot())


def _busy(scope: str, row: Row[tuple[object, ...]]) -> Busy:
    return Busy(
        f"another process (pid {row.pid} on {row.host}) is running {scope}; its lease ends at {row.expires_at}",
        safe="nothing was read or written",
        next_command="wait for it to end, then run again",
    )
