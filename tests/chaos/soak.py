"""Every integration there is, going round and round while records change, requests fail and processes die.

At the end nothing may be lost or doubled, every run balances, and neither threads nor open files nor memory grow. Time
is the practice systems' own and goes faster than the wall clock; the minutes of a soak are those of the wall clock.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import statistics
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from practising import KILLED, kill_self
from scenario import Result
from sqlalchemy import func, select

from crosswalk.alerts import notify
from crosswalk.console.reconciling import compared
from crosswalk.errors import CrosswalkError, Unbalanced
from crosswalk.integration import find
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.store.tables import INCIDENT, NOTIFICATION

BINDINGS = ("customers", "orders", "orders-to-database")
SYSTEMS = ("shopify", "xero")
RATE = 0.05
AWAY_EVERY, KILL_EVERY = 12, 7
"""Rounds from one outage, and from one kill, to the next."""
FAULTS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("status", 0.3, {"status": 503}), ("status", 0.2, {"status": 429, "retry_after": 2}), ("reset", 0.2, {}),
    ("truncate", 0.1, {}), ("malformed", 0.1, {}), ("lost_answer", 0.1, {}),
)  # fmt: skip
"""Kinds of faults, each with its share of RATE."""


@dataclass(frozen=True)
class Size:
    """What the process holds after a round: threads, open files, resident megabytes."""

    threads: int
    files: int
    memory: float

    @staticmethod
    def now() -> Size:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = sum(1 for _ in Path("/proc/self/fd").iterdir())
        return Size(threading.active_count(), files, pages * resource.getpagesize() / 1e6)


def flow_run(name: str) -> Any:
    """What Prefect would say of the flow run that this is not."""
    return SimpleNamespace(id=uuid.uuid4(), name=f"{name}-soak", run_count=1, deployment_id="soak")


@dataclass
class Soak:
    """A ground with everything on it."""

    ground: Any
    seconds: float
    rounds: int
    seed: int
    orders: int = 60
    outages: int = 0
    kills: int = 0
    result: Result = field(default_factory=Result)
    sizes: list[Size] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    edits: int = 0

    @cached_property
    def drawn(self) -> random.Random:
        return random.Random(self.seed)

    def run(self) -> Result:
        ground = self.ground.fresh(orders=self.orders)
        ground.whole(1)
        ground.run("orders-to-database")
        ground.later()
        ground.control.clear_messages()
        self._faulty()
        began, number = time.monotonic(), 0
        while time.monotonic() - began < self.seconds and number < self.rounds:
            self._round(number)
            number += 1
            if number % 20 == 0:
                self._say(number, time.monotonic() - began)
        self._count()
        ground.control.clear_faults()
        self._quiet()
        self._judge(number, time.monotonic() - began)
        return self.result

    def _faulty(self) -> None:
        """From now on one request in twenty goes wrong."""
        self._count()
        for system in SYSTEMS:
            rules = [{"kind": kind, "rate": RATE * share, **how} for kind, share, how in FAULTS]
            self.ground.control.use_faults(system, rules)

    def _count(self) -> None:
        """Faults are counted anew whenever their rules are replaced."""
        rules = self.ground.control.faults("shopify") + self.ground.control.faults("xero")
        self.result.faults += sum(rule["applied"] for rule in rules)

    def _round(self, number: int) -> None:
        """Some records change, every binding runs, upkeep comes by; now and then a system is away, a process dies."""
        self.edits += len(self.ground.control.changes(share=0.06, seed=self.seed + number))
        self.ground.later(100)
        away = SYSTEMS[number // AWAY_EVERY % 2] if number % AWAY_EVERY == 2 else ""
        if away:
            self.outages += 1
            self._count()
            self.ground.control.use_faults(away, [{"kind": "status", "status": 503}])
        if number % KILL_EVERY == 4:
            self._killed()
        for binding in BINDINGS:
            self._scheduled(binding)
        self._upkeep()
        if away:
            self._faulty()
        self.ground.later(200)
        self.sizes.append(Size.now())

    def _killed(self) -> None:
        """A run of the orders dies at one of its first points."""
        last, seen = self.drawn.randint(1, 40), count(1)

        def reached(_: str) -> None:
            if next(seen) == last:
                kill_self()

        self.kills += self.ground.child(lambda: self.ground.run("orders"), reached) == KILLED

    def _scheduled(self, binding: str) -> None:
        """A run as its flow runs it, without Prefect: its end is told the same way."""
        from flows.telling import About

        house = self.ground.house()
        integration = find(house.settings.binding(binding).integration)
        about = About(integration, binding, flow_run(binding), house.settings)
        try:
            about.session = house.session(binding, Request(), integration=integration)
            account = body.run(about.session)
            state, failure = body.ended(about.session, account), None
        except CrosswalkError as error:
            state, failure = type(error).__name__, about.failure(error, "run")
            self.result.must(not isinstance(error, Unbalanced), f"{binding}: a run did not balance: {error.what}")
        self.ended[state] += 1
        trouble = notify.run_ended(about.ended(failure, state))
        self.result.must(not trouble, f"an alert was not delivered: {trouble}")
        self.ground.close()

    def _upkeep(self) -> list[str]:
        from flows import upkeep

        upkeep._flow_run = lambda: flow_run("upkeep")
        _, wrong = upkeep.tended(self.ground.house())
        self.ground.close()
        return wrong

    def _quiet(self) -> None:
        """Without faults, and with time for whatever waits: three rounds more."""
        for _ in range(3):
            self.ground.later(700)
            for binding in BINDINGS:
                self._scheduled(binding)
            self._upkeep()

    def _judge(self, rounds: int, seconds: float) -> None:
        result, ground = self.result, self.ground
        wrong = ground.verdict()
        result.lost = sum(1 for line in wrong if line.endswith("missing"))
        result.doubled = sum(1 for line in wrong if "twice" in line or "should not be there" in line)
        result.wrong += wrong[:20]
        house = ground.house()
        rows = compared(
            house, house.settings.binding("orders-to-database"), date(2026, 1, 1), date(2027, 12, 31), "month"
        )
        result.must(rows.clean, f"the database differs in {len(rows.differences)} rows: {rows.causes()}")
        result.must(rows.read > 0, "nothing was compared")
        self._alerts(house.store)
        self._growth()
        told = ", ".join(f"{count} {state}" for state, count in self.ended.most_common())
        result.notes.append(f"seed {self.seed}: {rounds} rounds in {seconds:.0f} s, {self.edits} edits; runs: {told}")
        result.notes.append(f"{self.outages} outages, {self.kills} processes killed")

    def _alerts(self, store: Any) -> None:
        """Each incident was opened once and resolved at most once, in messages that were sent."""
        with store.reading() as connection:
            opened = int(connection.execute(select(func.count()).select_from(INCIDENT)).scalar_one())
            told = (NOTIFICATION.c.incident, NOTIFICATION.c.kind, NOTIFICATION.c.channel)
            rows = list(connection.execute(select(*told, func.count()).group_by(*told)))
            twice = [row for row in rows if row[1] in ("opened", "recovered") and row[3] > 1]
        messages = [json.dumps(m["message"]) for m in self.ground.control.messages()]
        sent = sum(row[3] for row in rows if row[1] == "opened")
        self.result.alerts_expected, self.result.alerts_sent = min(sent, opened), sent
        self.result.must(not twice, f"{len(twice)} incidents were told of twice: {twice[:3]}")
        self.result.notes.append(f"{opened} incidents, {len(messages)} messages")

    def _growth(self) -> None:
        """The second half of the rounds against what came before, the first rounds left out: they warm up."""
        sizes = self.sizes[len(self.sizes) // 4 :]
        if len(sizes) < 8:
            self.result.notes.append(f"{len(self.sizes)} rounds are too few to see growth")
            return
        half = len(sizes) // 2
        for name, most in (("threads", 0.0), ("files", 1.0), ("memory", 8.0)):
            values = [float(getattr(size, name)) for size in sizes]
            early, late = statistics.median(values[:half]), statistics.median(values[half:])
            slope = statistics.linear_regression(range(len(values)), values).slope * 100
            self.result.must(late - early <= most, f"{name} grew from {early:g} to {late:g}")
            self.result.notes.append(f"{name}: {early:g}, then {late:g}; {slope:+.2f} in 100 rounds")

    def _say(self, rounds: int, seconds: float) -> None:
        size = self.sizes[-1]
        print(
            f"  {seconds:5.0f} s, {rounds} rounds, {self.result.faults} faults, {self.edits} edits, "
            f"{size.threads} threads, {size.files} files, {size.memory:.0f} MB",
            flush=True,
        )
