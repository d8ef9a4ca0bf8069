"""The cursor and the ledger under a state machine: whatever changes when, the target ends as the source is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from cursor_source import LOOKBACK, SETTLE, Source, Target, World
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from crosswalk.connectors.wire import peek, version
from crosswalk.delivery.plan import Chunk
from crosswalk.errors import Unreachable
from crosswalk.frames.canonical import content_hash
from crosswalk.runs import body, loading
from crosswalk.runs.extract import Raw
from crosswalk.runs.session import Request, Session
from crosswalk.runs.transform import Validated
from crosswalk.store import cursors, ledger
from crosswalk.store.engine import Store
from crosswalk.store.ledger import Name, Wanted
from crosswalk.store.vault import PRACTICE_KEY, Vault

ZONES: tuple[tzinfo, ...] = (
    UTC, ZoneInfo("Europe/Amsterdam"), ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("America/St_Johns"), timezone(timedelta(hours=-14)), timezone(timedelta(hours=14)),
)  # fmt: skip
# Shortly before clocks are set back or forward, and an ordinary day.
DAYS = (
    datetime(2026, 10, 25, 0, 20, tzinfo=UTC), datetime(2027, 3, 28, 0, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 14, 20, tzinfo=UTC), datetime(2026, 11, 1, 3, 40, tzinfo=UTC),
    datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
)  # fmt: skip
RESOURCE = "memory.things"


@dataclass
class Bare(Session):
    """A run without frames: a mapping that copies, so there is nothing to digest."""

    def digests(self) -> dict[str, str]:
        return {}

    @property
    def schema_digest(self) -> str:
        return ""


def _validate(session: Session, raw: Raw) -> Validated:
    newest: dict[str, tuple[str, bytes]] = {}
    keys = []
    for one in raw.records:
        key, at = peek(one, "id"), version(peek(one, "changed")) or ""
        keys.append(key)
        if key not in newest or at >= newest[key][0]:
            newest[key] = (at, one)
    versions = [at for at, _ in newest.values()]
    frame: Any = {"id": SimpleNamespace(to_pylist=lambda: list(newest))}
    return Validated(frame, [o for _, o in newest.values()], versions, [], keys, raw.last, max(versions, default=""))


def _transform(session: Session, validated: Validated) -> Chunk:
    chunk = Chunk()
    for raw, at in zip(validated.raws, validated.versions, strict=True):
        record = json.loads(raw)
        key, value, removed = record["id"], record["value"], record["removed"]
        payload = "" if removed else json.dumps({"value": value})
        name = Name(key, "")
        wanted = Wanted(
            name, RESOURCE, 0, RESOURCE, key, "", at, content_hash([key, payload]), payload, "", removed, rule="gone"
        )
        chunk.wanted.append(wanted)
    return chunk


def _load(session: Session, validated: Validated, chunk: Chunk) -> None:
    if not chunk.committed:
        loading.commit(session, validated, chunk)
        chunk.committed = True
    _send(session)


def _send(session: Session) -> None:
    """Write what waits to the target in memory, unless it is away."""
    target = session.target
    if target.away_now:
        return
    with session.store.transaction("settle") as connection:
        for row in ledger.pending(connection, session.scope, datetime.max.replace(tzinfo=UTC), 1_000):
            fate = "deleted" if row.wanted_remove else "updated" if row.applied_hash else "created"
            target.write(
                row.key, row.wanted_version, None if row.wanted_remove else json.loads(row.wanted_payload)["value"]
            )
            done = {"applied_hash": row.wanted_hash, "applied_version": row.wanted_version, "target_id": row.key}
            ledger.mark(connection, session.scope, [Name(row.key, row.part)], fate=fate, **done)


STEPS = body.Steps(validate=_validate, transform=_transform, load=_load, send=_send)


class Cursor(RuleBasedStateMachine):
    """One source, one target, any changes, any runs."""

    store: Store
    made = 0
    runs = 0

    @initialize(day=st.sampled_from(DAYS), zone=st.sampled_from(ZONES), grain=st.sampled_from((1, 60)))
    def begin(self, day: datetime, zone: tzinfo, grain: int) -> None:
        self.world = World(day)
        self.source, self.target = Source(self.world, zone, grain), Target()
        connection = SimpleNamespace(environment="sandbox", name="m", account="a", key="m", webhooks=None)
        scope = {"name": uuid.uuid4().hex, "scope": uuid.uuid4().hex, "start": None, "options": {}, "tables": None}
        self.binding: Any = SimpleNamespace(**scope, source=connection, target=connection)
        self.keys = 0
        self.high: datetime | None = None

    # changing

    @rule(
        value=st.integers(0, 3),
        late=st.sampled_from((0, 0, 1, 59, 300, LOOKBACK)),
        off=st.sampled_from((0, 0, -300, 300)),
    )
    def insert(self, value: int, late: int, off: int) -> None:
        self._insert(value, late, self.world.at + timedelta(seconds=off))

    @rule(count=st.integers(2, 8), late=st.lists(st.sampled_from((0, LOOKBACK)), min_size=8, max_size=8))
    def tie(self, count: int, late: list[int]) -> None:
        """More records of one instant than a page holds; some are seen late."""
        for number in range(count):
            self._insert(number, late[number], self.world.at.replace(microsecond=0))

    @rule(
        at=st.integers(0, 30), value=st.integers(0, 3), late=st.sampled_from((0, 0, 30, LOOKBACK)), second=st.booleans()
    )
    def update(self, at: int, value: int, late: int, second: bool) -> None:
        """second: stamped to the whole second, as many sources do."""
        for key in self._pick(at):
            stamp = self.world.at.replace(microsecond=0) if second else self.world.at
            self.source.commit(key, value, late, stamp)

    @rule(at=st.integers(0, 30))
    def remove(self, at: int) -> None:
        """The record says itself that it is to go."""
        for key in self._pick(at):
            self.source.commit(key, -1, 0, removed=True)

    @rule(at=st.integers(0, 30))
    def vanish(self, at: int) -> None:
        """The record is not there any more, and nothing tells why."""
        for key in self._pick(at):
            self.source.vanish(key)

    @rule(seconds=st.sampled_from((0.001, 1, 59, 60, 61, 300, 600, 661, 3600, 7200, 90_000)))
    def wait(self, seconds: float) -> None:
        self.world.sleep(seconds)

    @rule(skew=st.integers(-300, 300))
    def skew(self, skew: int) -> None:
        self.world.skew = float(skew)

    @rule(zone=st.sampled_from(ZONES))
    def zone(self, zone: tzinfo) -> None:
        self.source.zone = zone

    # running

    @rule(moves=st.lists(st.tuples(st.integers(0, 30), st.sampled_from((0, 1, 40))), max_size=4), away=st.booleans())
    def run(self, moves: list[tuple[int, int]], away: bool) -> None:
        """A scheduled run; before each page a record changes and time goes by."""
        self.target.away_now = away
        with self._paging(moves):
            self._run()

    @rule(pages=st.integers(0, 3), moves=st.lists(st.tuples(st.integers(0, 30), st.just(1)), max_size=3))
    def break_off(self, pages: int, moves: list[tuple[int, int]]) -> None:
        """A run whose source breaks off; what was read whole stands."""
        self.source.fails, self.source.pages = pages, 0
        try:
            with self._paging(moves), suppress(Unreachable):
                self._run()
        finally:
            self.source.fails = None

    @precondition(lambda self: self.keys > 2)
    @rule(back=st.integers(600, 90_000), length=st.integers(60, 90_000))
    def backfill(self, back: int, length: int) -> None:
        """A stretch of the past is read again beside the schedule; the cursor stays."""
        since = self.world.at - timedelta(seconds=back)
        before = self._cursor()
        self._run(Request(since=since, until=since + timedelta(seconds=length)))
        assert self._cursor() == before

    def teardown(self) -> None:
        if not hasattr(self, "source"):
            return
        type(self).made += 1
        self.target.away_now = False
        for _ in range(2):
            self.world.sleep(2 * (LOOKBACK + SETTLE))
            self._run()
        expected = {key: v.value for key, v in self.source.visible().items() if not v.removed}
        held = {key: value for key, (_, value) in self.target.held.items()}
        known = {key: value for key, value in held.items() if key not in self.source.gone}
        assert known == expected, f"target {known}, source {expected}"
        for key, at in self.target.taken.items():
            said = {v.stamp.isoformat(timespec="microseconds") for v in self.source.rows[key] if v.removed}
            assert at in said, f"{key} was taken away and had not said that it was to go"

    # below

    def _insert(self, value: int, late: int, stamp: datetime) -> None:
        self.keys += 1
        self.source.commit(f"k{self.keys}", value, late, stamp)

    def _pick(self, at: int) -> list[str]:
        alive = [key for key in self.source.rows if key not in self.source.gone]
        return [alive[at % len(alive)]] if alive else []

    @contextmanager
    def _paging(self, moves: list[tuple[int, int]]) -> Iterator[None]:
        waiting = list(moves)

        def between() -> None:
            if waiting:
                at, seconds = waiting.pop()
                self.world.sleep(seconds)
                self._touch(at, seconds)

        self.source.between = between
        try:
            yield
        finally:
            self.source.between = lambda: None

    def _touch(self, at: int, value: int) -> None:
        for key in self._pick(at):
            self.source.commit(key, value % 4, 0)

    def _cursor(self) -> datetime | None:
        return cursors.read(self.store, self.binding.scope, RESOURCE).value

    def _run(self, request: Request | None = None) -> None:
        type(self).runs += 1
        integration: Any = SimpleNamespace(
            name="memory", source=RESOURCE, target="memory", parts=(SimpleNamespace(each=None),), chunk_rows=4,
            stand_ins=(), to_database=False, outbox_limit=50_000, park_limit=timedelta(days=9),
            thresholds=SimpleNamespace(crossed=lambda held, rows: False),
        )  # fmt: skip
        source: Any = self.source
        self.store.clock = self.world
        session = Bare(
            binding=self.binding, integration=integration, store=self.store, clock=self.world, source=source,
            target=self.target, request=request or Request(),
        )  # fmt: skip
        try:
            body.run(session, STEPS)  # settles: its account balances, or it raises
        finally:
            now = self._cursor()
            assert self.high is None or (now is not None and now >= self.high), "the cursor went back"
            assert now is None or now <= self.world.at - timedelta(seconds=SETTLE), "the cursor stands in the unsettled"
            self.high = now


def check(folder: Path, examples: int, steps: int, number: int) -> tuple[int, int]:
    """Run the machine; how many sequences and runs there were. Raises what it found, with the steps that lead to it."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(DAYS[0])
    store = Store(f"sqlite:///{folder / 'cursor.db'}", clock=world, vault=Vault(PRACTICE_KEY), durable=False)
    store.open(migrate=True)
    machine = type("Machine", (Cursor,), {"store": store, "made": 0, "runs": 0})
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        run_state_machine_as_test(seed(number)(machine), settings=chosen)
    finally:
        store.close()
    return machine.made, machine.runs
