"""R23: the store is locked, full or cut off at many moments of a run; it says so, and the next run is whole."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from practising import PREFIX, Ground, at_point
from scenario import Result
from servers import postgres
from sqlalchemy import event

from crosswalk import points
from crosswalk.errors import StoreError
from crosswalk.runs import body
from crosswalk.store.engine import Store
from crosswalk.store.vault import PRACTICE_KEY, Vault

TITLE = "the store locked, full, and cut off at statements"
CASES = ("part_paid", "refund_mixed", "pending", "guest", "two_payments")
POINT = "store:freeze"
STATEMENTS = 150
"""About as many as the run of these cases makes before its last write."""


def run(folder: Path, whole: bool) -> Result:
    """Each kind of trouble at so many moments, each followed by one run that must end with the books as expected."""
    result, times = Result(), 8 if whole else 1
    ground = Ground(folder / "home", f"sqlite:///{folder / 'store.db'}")
    try:
        for nth in range(1, times + 1):
            _hit(
                ground,
                result,
                f"locked at {POINT} {nth}",
                "is locked by another process",
                lambda n=nth: _locked(ground, n),
            )
            _hit(ground, result, f"full at {POINT} {nth}", "the disk of the", lambda n=nth: _full(ground, n))
    finally:
        ground.close()
    with postgres.serve() as server, server.database("chaos_r23") as url:
        Store(url, clock=ground.clock, vault=Vault(PRACTICE_KEY)).open(migrate=True).close()
        ground = Ground(folder / "pg", url)
        many = 24 if whole else 2
        try:
            for number in range(1, many + 1):
                at = 1 + (number - 1) * STATEMENTS // many
                _hit(ground, result, f"cut at statement {at}", "cannot be reached", lambda n=at: _cut(ground, url, n))
        finally:
            ground.close()
    return result


def _hit(ground: Ground, result: Result, what: str, named: str, trouble: Callable[[], str]) -> None:
    """One moment of trouble, then a run without any."""
    ground.fresh(*CASES)
    ground.run("customers")
    said = trouble()
    result.faults += 1
    result.must(named in said, f"{what}: the error names no cause: {said[-300:] or 'there was none'}")
    ground.close()
    ground.later(600)
    ground.run("orders")
    ground.later()
    ground.run("orders")
    verdict = [line for line in ground.control.verdict(PREFIX) if "guests" not in line]
    result.lost += sum(1 for line in verdict if line.endswith("missing"))
    result.doubled += sum(1 for line in verdict if "there twice" in line or "should not be there" in line)
    result.wrong += [f"{what}: {line}" for line in verdict]


def _locked(ground: Ground, nth: int) -> str:
    """Another process holds the store's file for writing from this moment on, until the run has ended."""
    session = ground.session("orders")
    engine = session.store.engine
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=100"))
    other = sqlite3.connect(ground.store_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        with _hooked(at_point(POINT, nth, lambda: other.execute("BEGIN IMMEDIATE"))):
            return _ended(session)
    finally:
        other.close()


def _full(ground: Ground, nth: int) -> str:
    """No file of the process may grow from this moment on: a disk that is full, as the system tells it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    said = ground.folder / "said"

    def work() -> None:
        words = _ended(ground.session("orders"))
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )
        said.write_text(words)

    ground.child(work, at_point(POINT, nth, limit))
    return said.read_text() if said.exists() else ground.errors()


def _cut(ground: Ground, url: str, nth: int) -> str:
    """The server ends the connection just before this statement, once."""
    session, seen = ground.session("orders"), 0
    address = url.replace("+psycopg", "")

    def before(connection: Any, *_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            pid = connection.connection.dbapi_connection.info.backend_pid
            with psycopg.connect(address, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    engine = session.store.engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        return _ended(session)
    finally:
        event.remove(engine, "before_cursor_execute", before)


def _ended(session: Any) -> str:
    """What the run said when it failed; nothing when it did not."""
    try:
        body.run(session)
    except StoreError as error:
        return str(error)
    return ""


@contextmanager
def _hooked(hook: Callable[[str], None]) -> Iterator[None]:
    points.install(hook)
    try:
        yield
    finally:
        points.install(None)
