"""Breakers: which connections are away, shared by every process of a store, and who tries them again.

After ``LIMIT`` failures in a row a connection's breaker opens and nothing is asked of it but one probe at a time, first
after half a minute and then less and less often. The probe is a real request that somebody wanted to make.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from crosswalk.errors import Away
from crosswalk.http.protocols import Admission
from crosswalk.store.engine import Store, Taken
from crosswalk.store.leases import Process, gone
from crosswalk.store.ledger import clean
from crosswalk.store.tables import BREAKER

LIMIT = 5
FIRST_PROBE = 30.0
LAST_PROBE = 300.0
JITTER = 0.1
PROBING = 180.0
"""Seconds for which a probe is another's: a request's longest wait and time-out."""

_CLOSED: dict[str, Any] = {
    "opened_at": None, "probe_at": None, "trips": 0, "probing_by": "", "probing_until": None, "probing_host": "",
    "probing_boot": "", "probing_pid": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Outage:
    """A connection whose breaker is open. since: when it opened; probes: how many have failed since."""

    connection: str
    since: datetime
    next_try: datetime
    probes: int
    why: str


class Breakers:
    """The store's side of ``crosswalk.http.protocols.Breaker``. Connections are connection keys."""

    def __init__(self, store: Store, chance: random.Random | None = None) -> None:
        self._store = store
        self._process = Process.this()
        self._chance = chance or random.Random()  # not for secrets, only to spread probes

    def admit(self, connection: str) -> Admission:
        row = self._row(connection)
        if row is None or row.opened_at is None:
            return Admission(row.failures if row is not None else 0)
        now = self._store.clock.now()
        probe = uuid.uuid4().hex if _free(row, now) else ""
        if not probe or not self._claim(row, probe, now):
            raise _away(row, now)
        return Admission(row.failures, probe)

    def away(self, connection: str) -> Away | None:
        """Why no request would be made now; None when one would, if only as the probe."""
        row, now = self._row(connection), self._store.clock.now()
        return None if row is None or row.opened_at is None or _free(row, now) else _away(row, now)

    def failed(self, connection: str, admission: Admission, why: str) -> bool:
        try:
            return self._failed(connection, admission, why)
        except Taken:
            return self._failed(connection, admission, why)  # two saw its first failure at once

    def _failed(self, connection: str, admission: Admission, why: str) -> bool:
        now, why = self._store.clock.now(), clean(why, 300)
        with self._store.transaction("breaker") as writing:
            row = _locked(writing, connection)
            if row is None:
                writing.execute(
                    insert(BREAKER).values(connection=connection, failures=1, why=why, changed_at=now, **_CLOSED)
                )
                return False
            if row.opened_at is not None and row.probing_by != (admission.probe or None):
                return True  # somebody else has opened it, or is the probe by now
            trips = row.trips + 1 if row.opened_at is not None else 0
            values: dict[str, Any] = {"failures": row.failures + 1, "why": why, "changed_at": now}
            if row.failures + 1 >= LIMIT:
                wait = min(LAST_PROBE, FIRST_PROBE * 2.0**trips) * (1 + self._chance.uniform(-JITTER, JITTER))
                values |= {
                    "opened_at": row.opened_at or now, "probe_at": now + timedelta(seconds=wait), "trips": trips,
                    "probing_by": "", "probing_until": None,
                }  # fmt: skip
            writing.execute(update(BREAKER).where(BREAKER.c.connection == connection).values(**values))
            return "opened_at" in values

    def passed(self, connection: str, admission: Admission) -> None:
        if not admission.failures and not admission.probe:
            return
        # An answer to what was asked before the breaker opened does not close it; the probe's does.
        open_by = BREAKER.c.probing_by == admission.probe if admission.probe else BREAKER.c.opened_at.is_(None)
        mine = (BREAKER.c.connection == connection, open_by)
        with self._store.transaction("breaker") as writing:
            writing.execute(
                update(BREAKER).where(*mine).values(
                    failures=0, why="", changed_at=self._store.clock.now(), **_CLOSED
                )
            )  # fmt: skip

    def dropped(self, connection: str, admission: Admission) -> None:
        mine = (BREAKER.c.connection == connection, BREAKER.c.probing_by == admission.probe)
        with self._store.transaction("breaker") as writing:
            writing.execute(update(BREAKER).where(*mine).values(probing_by="", probing_until=None))

    def ask_now(self, connection: str) -> None:
        """Let the next request be the probe without waiting for its time: a person wants to know."""
        now = self._store.clock.now()
        away = (BREAKER.c.connection == connection, BREAKER.c.opened_at.is_not(None))
        with self._store.transaction("breaker") as writing:
            writing.execute(update(BREAKER).where(*away).values(probe_at=now))

    def outages(self) -> list[Outage]:
        """Every connection that is away now, longest first."""
        with self._store.reading() as reading:
            rows = reading.execute(
                select(BREAKER).where(BREAKER.c.opened_at.is_not(None)).order_by(BREAKER.c.opened_at)
            )
            return [Outage(r.connection, r.opened_at, r.probe_at, r.trips, r.why) for r in rows]

    def _row(self, connection: str) -> Row[Any] | None:
        with self._store.reading() as reading:
            return reading.execute(select(BREAKER).where(BREAKER.c.connection == connection)).one_or_none()

    def _claim(self, row: Row[Any], probe: str, now: datetime) -> bool:
        """Become the probe by compare-and-set on whoever was it before."""
        same = (
            BREAKER.c.connection == row.connection, BREAKER.c.probing_by == row.probing_by,
            BREAKER.c.probe_at == row.probe_at, BREAKER.c.opened_at.is_not(None),
        )  # fmt: skip
        who = self._process
        with self._store.transaction("breaker") as writing:
            taken = writing.execute(
                update(BREAKER).where(*same).values(
                    probing_by=probe, probing_until=now + timedelta(seconds=PROBING), probing_host=who.host,
                    probing_boot=who.boot_id, probing_pid=who.pid,
                )
            ).rowcount  # fmt: skip
        return bool(taken == 1)


def _locked(writing: Connection, connection: str) -> Row[Any] | None:
    return writing.execute(select(BREAKER).where(BREAKER.c.connection == connection).with_for_update()).one_or_none()


def _free(row: Row[Any], now: datetime) -> bool:
    """Whether a probe is due and nobody alive makes it."""
    if row.probe_at > now:
        return False
    taken = row.probing_by and row.probing_until > now
    return not taken or gone(row.probing_host, row.probing_boot, row.probing_pid)


def _away(row: Row[Any], now: datetime) -> Away:
    name = row.connection.split("/")[1] if row.connection.count("/") > 1 else row.connection
    probe = max(row.probe_at, now)
    due = "is being tried by another process" if row.probe_at <= now else f"is tried again at {probe:%H:%M:%S} UTC"
    return Away(
        f"{name} is away since {row.opened_at:%Y-%m-%d %H:%M} UTC and {due} ({row.why})",
        since=row.opened_at,
        next_try=probe,
        wait=(probe - now).total_seconds(),
    )
