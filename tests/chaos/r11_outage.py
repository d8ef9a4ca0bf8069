"""R11: the target is down for six hours of the injected clock while customers go on changing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from practising import Ground
from scenario import Result

from crosswalk.alerts import outages
from crosswalk.alerts.incidents import Incidents
from crosswalk.runs import draining
from crosswalk.runs.session import Request
from crosswalk.store.breakers import Breakers

TITLE = "the target is down for six hours"
HOURS = 6


def run(folder: Path, whole: bool) -> Result:
    """50,000 edits in the whole size, 500 in the short one."""
    edits, orders, every = (50_000, 900, 15) if whole else (500, 250, 60)
    ground = Ground(folder / "home", f"sqlite:///{folder / 'store.db'}")
    try:
        return _Outage(ground, edits, orders, every).run()
    finally:
        ground.close()
        ground.control.clear_faults()


@dataclass
class _Outage:
    """every: minutes from one scheduled run to the next; upkeep comes three times as often."""

    ground: Ground
    edits: int
    orders: int
    every: int
    names: dict[str, str] = field(default_factory=dict)
    made: int = 0
    result: Result = field(default_factory=Result)

    def run(self) -> Result:
        ground, result = self.ground.fresh(orders=self.orders, options="batch = 1"), self.result
        ground.run("customers")
        ids = self._delivered()
        ground.later()
        ground.control.clear_messages()
        before = self._asked()
        ground.control.add_fault("xero", "status", status=503)
        self._down(cycle(ids), before)
        result.faults = self._asked() - before
        ground.control.clear_faults()
        self._up()
        self._judge()
        return result

    def _down(self, ids: Any, before: int) -> None:
        """Six hours: edits, scheduled runs and upkeep go on; nothing reaches the target."""
        result, rounds = self.result, HOURS * 60 // self.every
        for number in range(rounds):
            self._edit(ids, self.edits * (number + 1) // rounds)
            self.ground.clock.advance(200)  # what is read must have settled at the source
            account = self.ground.run("customers")
            if number == 0:
                result.must(self._asked() - before <= 5, f"{self._asked() - before} requests before the breaker opened")
                result.must(bool(Breakers(self.ground.store).outages()), "the breaker did not open")
            result.must(account.waiting > 0 and "wait to be delivered" in account.queue(), "the account names no queue")
            for _ in range(3):
                self._upkeep()
                self.ground.clock.advance(self.every * 20)
        probes = self._asked() - before - 5
        result.must(probes <= HOURS * 60, f"{probes} probes in {HOURS} hours")
        self.result.notes.append(f"{self.made:,} edits, {probes} probes, {account.waiting} records waited")

    def _up(self) -> None:
        """The target answers again: upkeep drains, and one more run reads what changed last."""
        clock, began = self.ground.clock, self.ground.clock.boot()
        requests = self._asked()
        while self._upkeep() and clock.boot() - began < 86_400:
            clock.advance(5)
        minutes = (clock.boot() - began) / 60
        asked = self._asked() - requests
        used = asked / (60 * minutes)
        self.result.notes.append(f"drained in {minutes:.1f} min with {asked} requests: {used:.0%} of the quota")
        self.result.must(used >= 0.8, f"the drain used {used:.0%} of the quota")
        self.ground.later()
        account = self.ground.run("customers")
        self.result.must(account.waiting == 0, f"{account.waiting} records wait at the end")
        self._upkeep()

    def _edit(self, ids: Any, until: int) -> None:
        while self.made < until:
            self.made += 1
            id_ = next(ids)
            self.names[id_] = f"Edited {self.made}"
            person = {"firstName": "Edited", "lastName": str(self.made), "displayName": self.names[id_]}
            self.ground.control.edit("customers", id_, person)

    def _upkeep(self) -> bool:
        """What the upkeep flow does, without Prefect; whether anything waits."""
        house = self.ground.house()
        done = draining.drain(house.session("customers", Request()))
        incidents = Incidents(house.store, house.settings, house.clock)
        outages.keep(incidents)
        incidents.send_due()
        self.ground.close()
        return done is not None and done.left.count > 0

    def _delivered(self) -> list[str]:
        """The customers that have become contacts."""
        return [
            str(r.key)
            for r in self.ground.records("customers").values()
            if r.applied_hash and not r.held and "gid:" in r.key
        ]

    def _asked(self) -> int:
        return int(self.ground.control.counts()["xero"]["total"])

    def _judge(self) -> None:
        result = self.result
        names = Counter(c["name"] for c in self.ground.control.effects()["contacts"])
        wanted = set(self.names.values())
        result.lost = len(wanted - set(names))
        result.doubled = sum(n - 1 for name, n in names.items() if name in wanted)
        older = [name for name in names if name.startswith("Edited ") and name not in wanted]
        result.must(not older, f"{len(older)} contacts show an older edit than the last")
        told = [json.dumps(m["message"]) for m in self.ground.control.messages()]
        opened = [t for t in told if "books is away" in t and "Recovered" not in t and "recovered" not in t]
        result.alerts_expected, result.alerts_sent = 2, len(told)
        result.must(len(opened) == 1, f"{len(opened)} alerts of the outage: {told[:3]}")
        result.recovered = len(told) - len(opened) == 1 and not Breakers(self.ground.store).outages()
