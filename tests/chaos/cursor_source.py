"""A source and a target in memory, for the cursor and the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

from crosswalk.connectors.base import Page, Window
from crosswalk.connectors.facts import Resource
from crosswalk.connectors.wire import instant
from crosswalk.errors import Unreachable

LOOKBACK, SETTLE = 600, 60
PAGE = 3


@dataclass
class World:
    """The true time, and how far our own clock is off it."""

    at: datetime
    skew: float = 0.0

    def now(self) -> datetime:
        """Our clock."""
        return self.at + timedelta(seconds=self.skew)

    def boot(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


@dataclass(frozen=True)
class Version:
    """A committed version. stamp: what the record says of its change; seen: from when a reader finds it."""

    stamp: datetime
    seen: datetime
    value: int
    removed: bool = False


@dataclass
class Source:
    """Records by key. zone: in which it writes its instants; grain: seconds to which it cuts the bounds of a window.

    between: called before each page.  fails: pages until it breaks off; None: never.
    """

    world: World
    zone: tzinfo = UTC
    grain: int = 1
    rows: dict[str, list[Version]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    between: Callable[[], None] = lambda: None
    fails: int | None = None
    pages: int = 0

    def __post_init__(self) -> None:
        record: Any = SimpleNamespace(name="memory.things", key="id", version="changed", resource="things")
        facts = Resource(record, order="keyset", lookback=LOOKBACK, settle=SETTLE, grain=self.grain)
        self.system = SimpleNamespace(timeout=30, resource=lambda name: facts)

    # changing

    def commit(
        self, key: str, value: int, late: float, stamp: datetime | None = None, *, removed: bool = False
    ) -> None:
        """Commit a version that readers see ``late`` seconds after the instant it is stamped with, at most LOOKBACK."""
        before = self.rows.setdefault(key, [])
        stamp = max([stamp or self.world.at, *(v.stamp for v in before)])
        seen = max([self.world.at, stamp + timedelta(seconds=min(late, LOOKBACK)), *(v.seen for v in before)])
        if seen - stamp > timedelta(seconds=LOOKBACK):
            stamp = seen - timedelta(seconds=LOOKBACK)
        before.append(Version(stamp, seen, value, removed))

    def vanish(self, key: str) -> None:
        """Delete a record without any signal."""
        self.gone.add(key)

    def visible(self) -> dict[str, Version]:
        """What a reader finds now."""
        newest = {}
        for key, versions in self.rows.items():
            seen = [v for v in versions if v.seen <= self.world.at]
            if seen and key not in self.gone:
                newest[key] = seen[-1]
        return newest

    # what a run asks

    def now(self) -> datetime:
        return self.world.at

    def away(self) -> None:
        return None

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        since, until = self._bound(window.since), self._bound(window.until)
        after = tuple(json.loads(resume)) if resume else ("", "")
        while True:
            self.between()
            self.pages += 1
            if self.fails is not None and self.pages > self.fails:
                raise Unreachable("the source broke off")
            rows = sorted(
                (v.stamp.isoformat(timespec="microseconds"), key, v)
                for key, v in self.visible().items()
                if (since is None or v.stamp >= since) and (until is None or v.stamp < until)
            )
            rest = [row for row in rows if row[:2] > after]
            here, more = rest[:PAGE], len(rest) > PAGE
            after = here[-1][:2] if here else after
            yield Page(
                [self._raw(k, v) for _, k, v in here], json.dumps(after) if more else None, None, self.now(), window
            )
            if not more:
                return

    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        visible = self.visible()
        return [self._raw(key, visible[key]) for key in ids if key in visible]

    def _bound(self, bound: datetime | None) -> datetime | None:
        """A bound as it travels: text in the source's own zone, cut to its grain."""
        if bound is None or bound.year < 1900:
            return None
        there = instant(bound.astimezone(self.zone).isoformat())
        assert there == bound
        return datetime.fromtimestamp(there.timestamp() // self.grain * self.grain, UTC)

    def _raw(self, key: str, version: Version) -> bytes:
        changed = version.stamp.astimezone(self.zone).isoformat(timespec="microseconds")
        return json.dumps({"id": key, "changed": changed, "value": version.value, "removed": version.removed}).encode()


@dataclass
class Target:
    """What has been written, by key. newest: the version of the last write; taken: that of the last removal."""

    held: dict[str, tuple[str, int]] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    away_now: bool = False
    system: Any = field(default_factory=lambda: SimpleNamespace(timeout=30))

    def write(self, key: str, version: str, value: int | None) -> None:
        """None takes the record away. An older version than what was written before is an error of ours."""
        assert version >= self.newest.get(key, ""), f"{key} went back from {self.newest[key]} to {version}"
        self.newest[key] = version
        if value is None:
            self.held.pop(key, None)
            self.taken[key] = version
        else:
            self.held[key] = (version, value)
