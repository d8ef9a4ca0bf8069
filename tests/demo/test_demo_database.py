"""A database that somebody lends to the demo is counted to the cent, and never harmed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from crosswalk.console.demo import verdict
from crosswalk.console.demo.home import Home, Options
from crosswalk.console.demo.processes import DemoError, Processes
from crosswalk.console.demo.show import Show
from crosswalk.console.demo.story import Story


def story(tmp_path: Path, address: str) -> Story:
    options = Options(database=address, folder=tmp_path / "demo")
    return Story(Home(options, 0, 0), Processes(tmp_path / "logs"), Show())


def execute(address: str, *statements: str) -> None:
    engine = create_engine(address)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_a_database_with_tables_is_refused_and_left_as_it_is(tmp_path: Path, database_url: str) -> None:
    """Somebody's own orders are still there after the demo has refused the database and ended."""
    execute(database_url, "CREATE TABLE orders (id integer)", "INSERT INTO orders VALUES (1)")
    ours = story(tmp_path, database_url)
    with pytest.raises(DemoError, match="holds tables already"):
        ours.claim()
    ours.give_back()
    assert verdict.tables(database_url) == {"orders"}


def test_an_empty_database_is_given_back_empty(tmp_path: Path, database_url: str) -> None:
    """What the demo made in it is taken out; what came meanwhile under another name stays."""
    ours = story(tmp_path, database_url)
    ours.claim()
    names = ("orders", "orders_line_items", "crosswalk_tables", "theirs")
    execute(database_url, *(f"CREATE TABLE {name} (id integer)" for name in names))
    ours.give_back()
    assert verdict.tables(database_url) == {"theirs"}


def test_sums_are_exact(tmp_path: Path) -> None:
    """Amounts kept as text of any scale add up in cents."""
    file = tmp_path / "warehouse.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE orders (total_price text, current_total_price text)")
        connection.execute("CREATE TABLE orders_line_items (quantity integer)")
        connection.execute("INSERT INTO orders VALUES ('0.1', '0.1000'), ('0.20', '-0.05')")
        connection.execute("INSERT INTO orders_line_items VALUES (2), (3)")
    held = verdict.held(f"sqlite:///{file}")
    assert held == {"orders": 2, "lines": 2, "units": 5, "total": 30, "current": 5}


def test_a_database_that_is_away_is_said_so(tmp_path: Path) -> None:
    """An address where nobody listens is refused in words before anything starts."""
    from crosswalk.console.demo.processes import free_port

    with pytest.raises(DemoError, match="cannot be used"):
        story(tmp_path, f"postgresql+psycopg://a:b@127.0.0.1:{free_port()}/c").claim()
