"""The practice business under a real engine: one practice process for all tests, a fresh ledger for each."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import houses
import pytest
from servers.postgres import Server
from sqlalchemy import Row, create_engine, select, text

import mappings.shopify_customers_to_xero_contacts
import mappings.shopify_orders_to_xero_invoices  # noqa: F401 - forked children run what their parent has imported
from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.runs import body
from crosswalk.runs.account import Account
from crosswalk.runs.session import Request, Session
from crosswalk.runs.wiring import House
from crosswalk.sandbox import control
from crosswalk.store import backup, engine, links, migrate  # noqa: F401
from crosswalk.store.engine import Store
from crosswalk.store.ledger import STATE
from crosswalk.store.tables import HELD, METADATA, RECORD
from crosswalk.store.vault import PRACTICE_KEY, Vault

BEGIN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KILLED = -signal.SIGKILL
PREFIX = "S1"


@lru_cache(maxsize=1)
def practice() -> tuple[control.Started, SharedClock, Path]:
    """One process of practice systems, its clock, and a migrated, empty SQLite store to copy from."""
    folder = Path(tempfile.mkdtemp(prefix="cw-ground-"))
    clock = SharedClock(folder / "clock", BEGIN)
    started = control.start(orders=0, minute=60, clock=folder / "clock")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.stop)
    store = Store(f"sqlite:///{folder / 'template.db'}", clock=clock, vault=Vault(PRACTICE_KEY), durable=False)
    store.open(migrate=True)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return started, clock, folder / "template.db"


@dataclass
class Ground:
    """A user's folder, a store, and the practice systems, all at the beginning of time."""

    folder: Path
    store_url: str
    _houses: list[House] = field(default_factory=list)
    _ready: dict[str, Any] = field(default_factory=dict)

    @property
    def control(self) -> control.Control:
        return practice()[0].control

    @property
    def clock(self) -> SharedClock:
        return practice()[1]

    # beginning

    def fresh(self, *cases: str, orders: int = 0, seed: int = 3, options: str = "") -> Ground:
        """A business of these cases and ``orders`` in all, an empty ledger. options: lines for each binding."""
        self.close()
        self.clock.move(BEGIN)
        wanted = {"seed": seed, "orders": max(orders, len(cases)), "cases": list(cases)}
        self._ready = {**practice()[0].ready, "credentials": self.control.reset(**wanted)["credentials"]}
        shutil.rmtree(self.folder, ignore_errors=True)
        home = houses.write(self.folder, self._started)
        if options:
            file = home / "crosswalk.toml"
            file.write_text(file.read_text().replace('target = "books"', f'target = "books"\n{options}'))
        self.empty_store()
        return self

    def empty_store(self) -> None:
        """An empty, migrated ledger without a key of its own; the grant of the practice Xero is kept."""
        self.close()
        if self.store_url.startswith("sqlite"):
            file = Path(self.store_url.removeprefix("sqlite:///"))
            for end in ("", "-wal", "-shm"):
                Path(f"{file}{end}").unlink(missing_ok=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(practice()[2], file)
        else:
            at = create_engine(self.store_url)
            with at.begin() as connection:
                names = ", ".join(f'"{t}"' for t in METADATA.tables)
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
            at.dispose()

    @property
    def _started(self) -> Any:
        return SimpleNamespace(ready=self._ready)

    # running

    def house(self) -> House:
        """The folder opened anew, as another process would."""
        built = houses.house(self.folder, self._started, self.clock, store=self.store_url)
        self._houses.append(built)
        return built

    def session(self, binding: str = "orders", integration: Any = None, **request: Any) -> Session:
        return self.house().session(binding, Request(**request), integration=integration)

    def run(self, binding: str = "orders", **request: Any) -> Account:
        """One run of a binding to its end."""
        return body.run(self.session(binding, **request))

    def whole(self, passes: int = 1) -> list[Account]:
        """The customers, then the orders; more time than a window needs to settle goes by between two passes."""
        accounts = []
        for number in range(passes):
            if number:
                self.clock.advance(200)
            accounts += [self.run("customers"), self.run("orders")]
        return accounts

    def later(self, seconds: float = 200.0) -> Ground:
        """Let time go by: more than a window needs to settle, and than a claim lasts."""
        self.clock.advance(seconds)
        return self

    def child(self, work: Callable[[], object], hook: Callable[[str], None] | None = None) -> int:
        """Run something in a forked child; its exit status, negative for a signal."""
        self.close()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                points.install(hook)
                work()
                code = 0
            except BaseException:
                (self.folder / "errors").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def killed(self, at: str, nth: int = 1, work: Callable[[], object] | None = None) -> None:
        """Run the orders in a child that is killed when it reaches a point for the nth time."""
        code = self.child(work or self.run, at_point(at, nth, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        assert code == KILLED, f"the child was not killed but ended with {code}\n{self.errors()}"

    def errors(self) -> str:
        """What the last child raised."""
        file = self.folder / "errors"
        return file.read_text() if file.exists() else ""

    def close(self) -> None:
        for one in self._houses:
            one.close()
        self._houses.clear()

    # looking

    @property
    def store(self) -> Store:
        return self._houses[-1].store if self._houses else self.house().store

    def verdict(self) -> list[str]:
        """Where the practice Xero differs from what the seed's own oracle expects.

        The contact that collects guests is there even when a small business has none.
        """
        wrong = self.control.verdict(PREFIX)
        return [line for line in wrong if line != "contact guests: should not be there"]

    def records(self, binding: str = "orders") -> dict[tuple[str, str], Row[Any]]:
        """The ledger's rows of a binding by (last part of the key, part's kind)."""
        house = self.house()
        scope = house.settings.binding(binding).scope
        query = select(RECORD, STATE.label("state")).where(RECORD.c.scope == scope)
        with house.store.reading() as connection:
            return {(number(r.key), r.part): r for r in connection.execute(query)}

    def states(self, binding: str = "orders") -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self.records(binding).values():
            counts[row.state] = counts.get(row.state, 0) + 1
        return counts

    def held(self, *, closed: bool = False) -> list[Row[Any]]:
        """Held rows, oldest first."""
        query = select(HELD).order_by(HELD.c.first_at, HELD.c.key, HELD.c.part)
        if not closed:
            query = query.where(HELD.c.open.is_(True))
        with self.house().store.reading() as connection:
            return list(connection.execute(query))

    def orders(self, case: str = "") -> list[dict[str, Any]]:
        """The shop's orders, oldest first."""
        nodes = [self.control.node("orders", one) for one in self.control.ids("orders")]
        return sorted((n for n in nodes if n), key=lambda n: str(n["id"]))

    def wrote(self, before: dict[str, Any] | None = None) -> dict[str, int]:
        """Writes that reached the practice Xero, by method and path, since ``before`` (an earlier ``counts``)."""
        paths = self.control.counts()["xero"]["paths"]
        old = (before or {}).get("xero", {}).get("paths", {})
        wanted = {p: n - old.get(p, 0) for p, n in paths.items() if p.startswith(("PUT", "POST /api"))}
        return {p.replace("/api.xro/2.0", ""): n for p, n in wanted.items() if n}

    def invoices(self) -> dict[str, dict[str, Any]]:
        """The practice Xero's invoices by number."""
        return {i["number"]: i for i in self.control.effects()["invoices"]}

    def payments(self) -> list[dict[str, Any]]:
        return [p for p in self.control.effects()["payments"] if p["status"] != "DELETED"]


@pytest.fixture(scope="module")
def postgres_ground(postgres_server: Server) -> Iterator[str]:
    """A migrated PostgreSQL store that tests empty and fill."""
    with postgres_server.database(f"ground_{uuid.uuid4().hex[:8]}") as url:
        Store(url, clock=practice()[1], vault=Vault(PRACTICE_KEY)).open(migrate=True).close()
        yield url


@pytest.fixture
def sqlite_ground(tmp_path: Path) -> Iterator[Ground]:
    """The engine on SQLite."""
    yield from _ground(tmp_path, f"sqlite:///{tmp_path / 'store.db'}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """The engine on SQLite and on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    yield from _ground(
        tmp_path, f"sqlite:///{tmp_path / 'store.db'}" if on_sqlite else request.getfixturevalue("postgres_ground")
    )


def _ground(folder: Path, url: str) -> Iterator[Ground]:
    made = Ground(folder / "home", url)
    yield made
    made.close()
    made.control.clear_faults()


def number(key: str) -> str:
    """``gid://shopify/Order/7`` → ``7``."""
    return key.rpartition("/")[2]


def at_point(name: str, nth: int, act: Callable[[], object]) -> Callable[[str], None]:
    """A hook that acts once, when a point is reached for the nth time."""
    seen = 0

    def hook(reached: str) -> None:
        nonlocal seen
        if reached == name:
            seen += 1
            if seen == nth:
                act()

    return hook


def first(rows: Iterable[Any]) -> Any:
    return next(iter(rows))


def counted(ground: Ground, write: str, act: Callable[[], object], nth: int = 1) -> Callable[[str], None]:
    """A hook that acts when the nth answer to a write (``PUT /Payments``) has come and is not settled yet."""
    done = False

    def hook(reached: str) -> None:
        nonlocal done
        if reached == "http:after-answer" and not done and ground.wrote().get(write, 0) >= nth:
            done = True
            act()

    return hook


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def once(act: Callable[[], object]) -> Callable[..., None]:
    """Does something the first time it is called."""
    left = [act]

    def call(*_: object) -> None:
        if left:
            left.pop()()

    return call


class Altered:
    """A connector with other facts: operations that repeat otherwise, keys that the target does not see.

    repeats: resource → how its creates may be repeated.  keyless: every send carries a key of its own, as if the target
    knew none.  before: called when a batch has been chosen and not yet been frozen.
    """

    def __init__(
        self, real: Any, repeats: dict[str, Any] | None = None, *, keyless: bool = False,
        before: Callable[[str], object] | None = None,
    ) -> None:  # fmt: skip
        self._real, self._repeats, self._keyless, self._before = real, repeats or {}, keyless, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def operation(self, resource: str, op: str) -> Any:
        facts = self._real.operation(resource, op)
        changed = self._repeats.get(resource) if op == "create" else None
        return replace(facts, repeat=changed) if changed is not None else facts

    def batches(self, resource: str, op: str, items: Any) -> Any:
        if self._before is not None:
            self._before(resource)
        return self._real.batches(resource, op, items)

    def send(self, resource: str, op: str, frozen: Any, *, key: str, **how: Any) -> Any:
        key = uuid.uuid4().hex if self._keyless else key
        return self._real.send(resource, op, frozen, key=key, **how)
