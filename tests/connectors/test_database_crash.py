"""A process that dies while it loads, and a connection that is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from database_cases import ORDERS, frame, orders, plain, versions

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.connectors import database_postgresql, database_sqlite
from crosswalk.connectors.database import Database, Loaded
from crosswalk.errors import (
    AnswerLost,
    Fenced,
    Invalid,
    NotFound,
    ServerFault,
    SettingsError,
    Transient,
    Unreachable,
    VendorError,
)
from crosswalk.schemas.base import TEXT, Field, Record

ROWS = orders(30)
NEW = orders(30, seed=2)


def _killed(work: Callable[[], None]) -> None:
    """Run ``work`` in a child that has to be killed by itself."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _die(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _rows(database: Database) -> list[dict[str, object]]:
    return sorted(plain(database.read(ORDERS)), key=lambda row: int(str(row["id"]).rpartition("/")[2]))


@pytest.fixture
def loaded(database: Database) -> Database:
    """A database that holds ROWS under version 1."""
    database.prepare(ORDERS)
    database.load(frame(ORDERS, ROWS), versions(30))
    database.close()
    return database


@pytest.mark.parametrize("table", ["cw_heads", "cw_keys", "orders_lines", "orders_lines_taxes", "orders_refunds"])
def test_a_kill_inside_the_transaction_leaves_the_old_rows(
    loaded: Database, database_url: str, clock: SharedClock, table: str
) -> None:
    """Killed after any of its writes, the load left nothing behind; the next one does all of it."""

    def work() -> None:
        database = Database(database_url, clock)
        database.prepare(ORDERS)
        append = database.dialect.append

        def append_and_die(connection: sa.Connection, name: str, rows: object) -> None:
            append(connection, name, rows)  # type: ignore[arg-type]
            if name == table:
                _die()

        database.dialect.append = append_and_die  # type: ignore[method-assign]
        database.load(frame(ORDERS, NEW), versions(30, 2))

    _killed(work)
    assert _rows(loaded) == ROWS
    assert loaded.load(frame(ORDERS, NEW), versions(30, 2)).updated == 30
    assert _rows(loaded) == NEW


def test_a_kill_after_the_commit_is_no_second_write(loaded: Database, database_url: str, clock: SharedClock) -> None:
    """Killed right after the commit, the chunk is in, and loading it again changes nothing."""

    def work() -> None:
        database = Database(database_url, clock)
        database.prepare(ORDERS)
        points.install(lambda name: _die() if name == "database:commit" else None)
        database.load(frame(ORDERS, NEW), versions(30, 2))

    _killed(work)
    assert _rows(loaded) == NEW
    assert loaded.load(frame(ORDERS, NEW), versions(30, 2)) == Loaded(unchanged=30)


def test_a_kill_between_two_chunks(loaded: Database, database_url: str, clock: SharedClock) -> None:
    """Killed between two chunks, the first stands; a rerun writes only the second."""

    def work() -> None:
        database = Database(database_url, clock)
        database.prepare(ORDERS)
        database.load(frame(ORDERS, NEW[:20]), versions(20, 2))
        _die()

    _killed(work)
    assert loaded.load(frame(ORDERS, NEW[:20]), versions(20, 2)) == Loaded(unchanged=20)
    assert loaded.load(frame(ORDERS, NEW[20:]), versions(10, 2)) == Loaded(updated=10)


def test_every_commit_is_a_point(database: Database) -> None:
    """Preparing, loading and removing pass the point once a commit."""
    reached: list[str] = []
    points.install(reached.append)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, ROWS), versions(30))
    database.remove(ORDERS, ["nobody"])
    with pytest.raises(ZeroDivisionError), database.transaction():
        raise ZeroDivisionError
    assert reached == ["database:commit"] * 3


def test_the_caller_s_own_check_stops_the_chunk(loaded: Database) -> None:
    """A fence check that fails in the same transaction takes the whole chunk back."""
    with pytest.raises(SettingsError), loaded.transaction() as connection:
        assert loaded.load(frame(ORDERS, NEW), versions(30, 2), connection) == Loaded(updated=30)
        raise SettingsError("the lease was lost")
    assert _rows(loaded) == ROWS


def test_a_holder_that_lost_its_lease_cannot_write(loaded: Database) -> None:
    """Once a later holder has passed the fence, an earlier one writes nothing, although the store is elsewhere."""
    for number in (1, 1, 2):
        with loaded.transaction() as connection:
            loaded.fence(connection, "binding", number, "epoch")
    with pytest.raises(Fenced, match="taken over binding"), loaded.transaction() as connection:
        loaded.load(frame(ORDERS, NEW), versions(30, 2), connection)
        loaded.fence(connection, "binding", 1, "epoch")
    assert _rows(loaded) == ROWS
    with loaded.transaction() as connection:
        loaded.fence(connection, "another binding", 1, "epoch")
        loaded.fence(connection, "binding", 1, "after a restore")


@pytest.mark.postgres
def test_an_engine_that_prepares_statements_may_be_lent(postgres_url: str, clock: SharedClock) -> None:
    """A transaction of an engine with prepared statements, such as the store's, loads chunk after chunk, also after a
    column was added."""
    database = Database(postgres_url, clock)
    lent = sa.create_engine(postgres_url, pool_size=1)
    wider = Record(ORDERS.name, key="id", version="", fields=(*ORDERS.fields, Field("extra", TEXT)))
    database.prepare(ORDERS)
    for number in range(1, 13):
        rows = [{**row, "name": str(number)} for row in ROWS]
        with lent.begin() as connection:
            assert database.load(frame(ORDERS, rows), versions(30, number), connection).total == 30
    database.prepare(wider)
    for number in range(13, 20):
        rows = [{**row, "name": str(number), "extra": "x"} for row in ROWS]
        with lent.begin() as connection:
            assert database.load(frame(wider, rows), versions(30, number), connection) == Loaded(updated=30)
    lent.dispose()
    database.close()


def test_a_value_that_the_database_refuses_takes_the_chunk_back(loaded: Database) -> None:
    """A rule that people put on a column refuses one row: nothing of the chunk is in, and the error says which rule."""
    with loaded.transaction() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_name ON orders (name)")
    with pytest.raises(Invalid, match=r"one_name|orders\.name"):
        loaded.load(frame(ORDERS, [*NEW[:5], {"id": "other", "name": "#20"}]), versions(6, 2))
    assert _rows(loaded) == ROWS


@pytest.mark.parametrize("table", ["orders", "orders_lines", "orders_lines_taxes", "cw_rows"])
def test_a_row_that_is_lost_on_the_way_is_noticed(loaded: Database, table: str) -> None:
    """A writer that swallows one row of any table fails before the commit, and nothing of the chunk is in."""
    append = loaded.dialect.append

    def swallow(connection: sa.Connection, name: str, rows: pa.Table) -> None:
        append(connection, name, rows.slice(1) if name == table else rows)

    loaded.dialect.append = swallow  # type: ignore[method-assign]
    more = [*NEW, *({**row, "id": f"{row['id']}-new"} for row in NEW)]
    with pytest.raises(Transient, match="were expected"):
        loaded.load(frame(ORDERS, more), versions(60, 2))
    assert _rows(loaded) == ROWS


def test_a_table_that_vanished_is_named(loaded: Database) -> None:
    """A table that was dropped under the load is an error that names it, and a preparation makes it anew."""
    with loaded.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE orders_refunds")
    with pytest.raises(NotFound, match="orders_refunds"):
        loaded.load(frame(ORDERS, NEW), versions(30, 2))
    assert loaded.prepare(ORDERS) == ["table orders_refunds made"]
    assert loaded.load(frame(ORDERS, NEW), versions(30, 2)).total == 30


def test_a_full_disk_is_named(tmp_path: Path, clock: SharedClock) -> None:
    """A database that may not grow says so, and holds what it held."""
    database = Database(f"sqlite:///{tmp_path}/small.db", clock)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, ROWS), versions(30))
    with pytest.raises(ServerFault, match="disk of the database is full"), database.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        database.load(frame(ORDERS, orders(5000)), versions(5000, 2), connection)
    database.close()
    assert len(database.read(ORDERS)) == 30


def test_a_database_that_others_hold_is_waited_for(
    tmp_path: Path, clock: SharedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that does not let go is a transient error after the wait."""
    monkeypatch.setattr(database_sqlite, "WAIT_SECONDS", 0.1)
    url = f"sqlite:///{tmp_path}/held.db"
    one, other = Database(url, clock), Database(url, clock)
    one.prepare(ORDERS)
    other.prepare(ORDERS)
    with one.transaction() as connection:
        one.load(frame(ORDERS, ROWS), versions(30), connection)
        with pytest.raises(Transient, match="another process holds"):
            other.load(frame(ORDERS, ROWS), versions(30))
    assert other.load(frame(ORDERS, ROWS), versions(30)) == Loaded(unchanged=30)


@pytest.mark.postgres
def test_a_process_that_stands_still_loses_its_transaction(
    postgres_url: str, clock: SharedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loader that stops inside its transaction does not hold the next one up for ever, and writes nothing when
    it goes on."""
    monkeypatch.setattr(database_postgresql, "IDLE", "300ms")
    stopped, other = Database(postgres_url, clock), Database(postgres_url, clock)
    for database in (stopped, other):
        database.prepare(ORDERS)
    with pytest.raises(VendorError) as caught, stopped.transaction() as connection:
        stopped.load(frame(ORDERS, ROWS), versions(30), connection)
        time.sleep(0.6)
        assert other.load(frame(ORDERS, NEW), versions(30)) == Loaded(created=30)
        stopped.load(frame(ORDERS, ROWS), versions(30, 2), connection)
    assert isinstance(caught.value, Transient)
    assert _rows(other) == NEW
    stopped.close()
    other.close()


@pytest.mark.postgres
def test_a_connection_lost_in_the_commit_is_an_answer_lost(postgres_url: str, clock: SharedClock) -> None:
    """A connection that breaks during the commit leaves the outcome open; the error says that a reload is safe."""
    database, killer = Database(postgres_url, clock), Database(postgres_url, clock)
    database.prepare(ORDERS)
    with pytest.raises(AnswerLost, match="during the commit") as caught, database.transaction() as connection:
        database.load(frame(ORDERS, ROWS), versions(30), connection)
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with killer.transaction() as own:
            own.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
    assert "does no harm" in caught.value.safe
    assert database.load(frame(ORDERS, ROWS), versions(30)) == Loaded(created=30)
    database.close()
    killer.close()


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_told_apart(postgres_url: str, clock: SharedClock) -> None:
    """No server, no such database and no such user are three errors; none carries the password."""
    address = sa.make_url(postgres_url)
    cases: list[tuple[sa.URL, type[VendorError]]] = [
        (address.set(port=9, password="pass-word"), Unreachable),
        (address.set(database="nowhere", password="pass-word"), NotFound),
        (address.set(host="nowhere.invalid", password="pass-word"), Unreachable),
    ]
    for url, kind in cases:
        with pytest.raises(kind) as caught:
            Database(url.render_as_string(hide_password=False), clock).prepare(ORDERS)
        assert type(caught.value) is kind
        assert "pass-word" not in str(caught.value)


def test_files_that_are_no_database(tmp_path: Path, clock: SharedClock) -> None:
    """A missing folder and a file of something else are named."""
    with pytest.raises(Unreachable, match="cannot be opened"):
        Database(f"sqlite:///{tmp_path}/none/a.db", clock).prepare(ORDERS)
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)
    with pytest.raises(Invalid, match="no SQLite database"):
        Database(f"sqlite:///{tmp_path}/letter.txt", clock).prepare(ORDERS)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/a"])
def test_other_addresses_are_refused(url: str, clock: SharedClock) -> None:
    """What is no PostgreSQL or SQLite address is refused before anything is opened."""
    with pytest.raises(SettingsError):
        Database(url, clock)
