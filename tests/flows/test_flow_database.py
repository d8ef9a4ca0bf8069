"""Orders into a database, on both engines, against the seed's own oracle. No server: the bare body."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import houses
import pytest
import sqlalchemy as sa

from crosswalk.clock import SharedClock
from crosswalk.runs import body, report
from crosswalk.runs.account import Account
from crosswalk.runs.session import Request, Session
from crosswalk.runs.wiring import House
from crosswalk.sandbox import control
from crosswalk.sandbox.control import Started
from crosswalk.sandbox.seed import verdict
from crosswalk.sandbox.seed.oracle import Database

BAD = ("bad_money", "bad_no_date", "bad_null", "bad_quantity_negative", "bad_quantity_text", "bad_id_number")
GOOD = ("many_lines", "refund_two", "gift_card_part", "edited_before", "test_order", "zero_total", "presentment_jpy")
ORDERS = 60
SETTLED = 75


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    clock = tmp_path_factory.mktemp("practice") / "clock"
    SharedClock(clock)
    with control.start(orders=ORDERS, minute=60, clock=clock) as practice:
        practice.ready["clock"] = str(clock)
        yield practice


@pytest.fixture
def house(started: Started, tmp_path: Path, database_url: str) -> Iterator[House]:
    about = started.control.reset(orders=ORDERS, cases=[*BAD, *GOOD])
    started.credentials.update(about["credentials"])
    started.ready["credentials"] = started.credentials
    made = houses.house(tmp_path / "house", started, SharedClock(Path(started.ready["clock"])), database=database_url)
    yield made
    made.close()


def run(house: House, **wanted: bool) -> tuple[Session, Account]:
    session = house.session("orders-to-database", Request(**wanted))
    return session, body.run(session)


def differences(house: House, started: Started) -> list[str]:
    """Where counts and sums in the database differ from what the seed's own sales say."""
    with sa.create_engine(house.settings.connection("warehouse").secret("url")).connect() as connection:
        orders, total, current = _sums(connection, "orders", "total_price", "current_total_price")
        lines, units = _sums(connection, "orders_line_items", "quantity")
    found = {"orders": orders, "lines": lines, "units": units, "total": 100 * total, "current": 100 * current}
    return verdict.database(Database(**started.control.expected()["database"]), {k: int(v) for k, v in found.items()})


def _sums(connection: sa.Connection, table: str, *columns: str) -> list[Decimal]:
    rows = connection.execute(sa.select(*(sa.column(c) for c in columns)).select_from(sa.table(table))).all()
    return [Decimal(len(rows)), *(sum((Decimal(str(row[n])) for row in rows), Decimal()) for n in range(len(columns)))]


def test_the_database_agrees_with_the_oracle(house: House, started: Started) -> None:
    """Counts, units and money are the seed's to the cent, at first and after changes; bad rows are held by name."""
    _, account = run(house)
    assert account.held == len(BAD) and account.created == ORDERS - len(BAD)
    assert differences(house, started) == []
    _, again = run(house)
    assert (again.created, again.updated, again.held) == (0, 0, 0)
    started.control.changes(0.2)
    started.control.advance(SETTLED)
    _, later = run(house)
    assert later.created and later.updated
    assert differences(house, started) == []


def test_a_dry_run_asks_the_database_and_writes_nothing(house: House, started: Started) -> None:
    """Before the first run it would make tables and every row; after changes it shows the difference of each row."""
    session, account = run(house, dry_run=True)
    assert report.line(session, account).startswith(f"it would be: {ORDERS - len(BAD)} created, {len(BAD)} held;")
    assert "table orders made" in session.plan.changes[0].operation
    with sa.create_engine(house.settings.connection("warehouse").secret("url")).connect() as connection:
        assert not sa.inspect(connection).has_table("orders")
    run(house)
    started.control.changes(0.2)
    started.control.advance(SETTLED)
    session, _ = run(house, dry_run=True)
    changed = [c for c in session.plan.changes if c.operation == "update"]
    assert changed and all(c.differences for c in changed)
    assert len(changed) == session.plan.counts["updated"]
    assert "→" in report.page(session, Account())
    assert differences(house, started), "the database still holds what it held"
