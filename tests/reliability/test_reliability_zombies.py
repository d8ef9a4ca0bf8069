"""R20: processes that are killed, and processes that sleep past their lease and wake up behind their successor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pausing import FENCED, go_on, stop_self, stopped
from practising import Ground, at_point, counted, kill_self
from servers.postgres import Server
from sqlalchemy import select

from crosswalk import points
from crosswalk.delivery.context import Delivery
from crosswalk.store.leases import BEAT, SECONDS
from crosswalk.store.tables import LEASE

CASES = ("part_paid", "refund_mixed", "pending", "guest")
PAST_LEASE, PAST_CLAIM = SECONDS + 1, Delivery.claim + 60


@pytest.mark.parametrize("write", ["PUT /Invoices", "PUT /Payments"])
def test_r20_the_lease_of_a_killed_process_is_free_within_two_heartbeats(ground: Ground, write: str) -> None:
    """SIGKILL between an answer and the ledger: the next run takes over at once and nothing is lost or doubled."""
    ground.fresh(*CASES)
    ground.run("customers")
    before = ground.clock.now()
    code = ground.child(ground.run, counted(ground, write, kill_self))
    assert code == -9, ground.errors()
    assert _holder(ground), "the killed process held no lease"
    ground.run()
    assert (ground.clock.now() - before).total_seconds() <= 2 * BEAT
    assert not _holder(ground)
    assert ground.verdict() == []


@pytest.mark.parametrize(
    ("share", "asleep"), [(0.2, PAST_CLAIM), (0.5, PAST_LEASE), (0.75, PAST_CLAIM), (0.95, PAST_LEASE)]
)
def test_r20_whoever_sleeps_past_its_lease_loses_and_doubles_nothing(
    ground: Ground, share: float, asleep: float
) -> None:
    """SIGSTOP anywhere in a run, a successor over newer orders, SIGCONT: the sleeper does no harm."""
    ground.fresh(*CASES, options="batch = 2")
    ground.run("customers")
    pid = stopped(ground, at_number(max(1, round(share * _points(ground)))))
    ground.control.changes(share=0.5, seed=5)
    ground.clock.advance(asleep)
    ground.whole()
    cursor, lease = _cursor(ground), _holder(ground)
    ground.close()
    assert go_on(pid) in (0, 1, FENCED)
    assert (_cursor(ground), _holder(ground)) == (cursor, lease)
    ground.later(PAST_CLAIM).whole()
    assert ground.verdict() == []
    assert set(ground.states()) <= {"applied", "skipped", "removed"}


_counted: dict[str, int] = {}


def _points(ground: Ground) -> int:
    """How many points an undisturbed run of the orders has; the practice systems are put back after it."""
    if ground.store_url not in _counted:
        file = ground.folder.parent / "points"
        file.write_text("")

        def note(name: str) -> None:
            with file.open("a") as out:
                out.write(f"{name}\n")

        assert ground.child(ground.run, note) == 0, ground.errors()
        _counted[ground.store_url] = len(file.read_text().splitlines())
        ground.fresh(*CASES, options="batch = 2")
        ground.run("customers")
    return _counted[ground.store_url]


def at_number(number: int) -> Callable[[str], None]:
    """A hook that stops this process at its so many-th point, whatever its name."""
    reached = 0

    def hook(_: str) -> None:
        nonlocal reached
        reached += 1
        if reached == number:
            points.install(None)
            stop_self()

    return hook


def _holder(ground: Ground) -> str:
    built = ground.house()
    scope = built.settings.binding("orders").scope
    with built.store.reading() as connection:
        return str(connection.execute(select(LEASE.c.holder).where(LEASE.c.scope == scope)).scalar() or "")


def _cursor(ground: Ground) -> object:
    from crosswalk.store import cursors

    built = ground.house()
    return cursors.read(built.store, built.settings.binding("orders").scope, "shopify.orders")


@pytest.fixture(params=["sqlite", "same", pytest.param("postgresql", marks=pytest.mark.postgres)])
def loading(request: pytest.FixtureRequest, sqlite_ground: Ground, tmp_path: Path) -> Iterator[tuple[Ground, str]]:
    """A business and a database to load it into: a file beside the store, the store's own, or PostgreSQL."""
    ground = sqlite_ground
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        with server.database("zombie_" + tmp_path.name[-12:].replace("-", "_")) as url:
            yield ground, url
    else:
        yield ground, ground.store_url if request.param == "same" else f"sqlite:///{tmp_path / 'target.db'}"


@pytest.mark.parametrize("at", ["http:after-answer", "store:hold"])
def test_r20_a_sleeper_writes_nothing_to_a_database_that_its_successor_has_loaded(
    loading: tuple[Ground, str], at: str
) -> None:
    """SIGSTOP before the load, a successor with newer orders, SIGCONT: not one row is written, and the run says so."""
    ground, url = loading
    ground.fresh(*CASES)
    file = ground.folder / "crosswalk.toml"
    text = file.read_text()
    file.write_text(
        text.replace(next(li for li in text.splitlines() if li.startswith('url = "sqlite')), f'url = "{url}"')
    )
    nth = 3 if at.startswith("http") else 1  # the token and the scopes come before the page
    pid = stopped(ground, at_point(at, nth, stop_self), lambda g: g.run("orders-to-database"))
    ground.control.changes(share=0.5, seed=5)
    ground.clock.advance(PAST_LEASE)
    ground.run("orders-to-database")
    ground.close()
    before = _rows(url)
    assert go_on(pid) == FENCED
    assert _rows(url) == before
    assert len(before["orders"]) == len(ground.orders())


def _rows(url: str) -> dict[str, list[Any]]:
    """Every row of the target's tables, with the instant at which each was loaded."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        names = [n for n in sa.inspect(engine).get_table_names() if n.startswith("orders")]
        with engine.connect() as connection:
            return {n: sorted(map(str, connection.execute(sa.text(f'SELECT * FROM "{n}"')))) for n in names}
    finally:
        engine.dispose()
