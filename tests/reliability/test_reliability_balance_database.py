"""R17 at a database: a loader that swallows a row or a line of one is caught by the run that swallowed it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from practising import Ground
from servers.postgres import Server

from crosswalk.connectors import database, database_load, database_postgresql
from crosswalk.connectors.database_sqlite import SQLite
from crosswalk.errors import CrosswalkError
from crosswalk.frames.frame import Frame
from crosswalk.mapping import apply as mapping
from crosswalk.runs import tables
from crosswalk.runs.transform import take
from crosswalk.store import held, runs

sys.path.insert(0, str(Path(__file__).parent))

from swallowers import Bite, Patch, around, less

CASES = ("part_paid", "two_payments", "refund_mixed", "refund_two", "bad_date", "pending", "guest")
Act = Callable[[Patch, Bite], None]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database to load into."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'target.db'}"
        return
    server: Server = request.getfixturevalue("postgres_server")
    with server.database(f"balance_{tmp_path.name[-20:].lower().replace('-', '_')}") as url:
        yield url


def a_row_on_its_way_to_the_loader(patch: Patch, bite: Bite) -> None:
    """a row on its way to the loader"""

    def change(real: Any, database: Any, outcome: Any, *more: Any) -> Any:
        count = len(outcome.frame)
        return real(database, take(outcome, range(count - 1)) if bite.first(count) else outcome, *more)

    around(patch, tables, "_write", change)


def a_row_that_can_be_loaded(patch: Patch, bite: Bite) -> None:
    """a row that can be loaded"""

    def change(real: Any, outcome: Any, *more: Any) -> Any:
        good, unfit = real(outcome, *more)
        return (take(good, range(len(good.frame) - 1)) if bite.first(len(good.frame)) else good), unfit

    around(patch, tables, "_loadable", change)


def a_held_row(patch: Patch, bite: Bite) -> None:
    """a held row"""

    def change(real: Any, connection: Any, store: Any, scope: str, run: str, holds: Any, at: Any) -> None:
        real(connection, store, scope, run, less(holds) if bite.first(holds) else holds, at)

    around(patch, held, "put", change)


def a_row_as_a_duplicate(patch: Patch, bite: Bite) -> None:
    """a row, taken for an older one of the same key"""

    def change(real: Any, keys: Any, versions: Any) -> Any:
        kept = real(keys, versions)
        return kept[:-1] if bite.first(len(kept)) else kept

    around(patch, database, "newest", change)


def a_row_in_the_comparison(patch: Patch, bite: Bite) -> None:
    """a row, called unchanged by the comparison"""

    def change(real: Any, *given: Any) -> Any:
        codes = real(*given)
        if bite.first(len(codes)):
            codes[-1] = database_load.UNCHANGED
        return codes

    around(patch, database_load, "compare", change)


def a_row_of_the_table(patch: Patch, bite: Bite) -> None:
    """a row of the table, while its rows are made"""
    _rows(patch, bite, "orders")


def the_lines_of_the_orders(patch: Patch, bite: Bite) -> None:
    """a line of an order, while the rows of the lines are made"""
    _rows(patch, bite, "orders_line_items")


def a_line_of_a_line(patch: Patch, bite: Bite) -> None:
    """a tax of a line, while the rows of the taxes are made"""
    _rows(patch, bite, "orders_line_items_tax_lines")


def _rows(patch: Patch, bite: Bite, name: str) -> None:
    def change(real: Any, *given: Any) -> Any:
        for table, data in real(*given):
            yield table, data.slice(0, len(data) - 1) if bite.first(table.name == name and len(data)) else data

    around(patch, database_load, "rows", change)


def a_line_in_the_mapping(patch: Patch, bite: Bite) -> None:
    """a line of an order, in the mapping"""

    def change(real: Any, li: Any, blocks: Any) -> Any:
        found = real(li, blocks)
        if not bite.first(len(found) and not found.lines):
            return found
        return Frame(found.record, found.table.slice(0, len(found) - 1), found.lines)

    around(patch, mapping, "_joined", change)


def a_row_of_a_copy(patch: Patch, bite: Bite) -> None:
    """a row of what the database is given: it loads less than it was sent"""

    def change(real: Any, me: Any, connection: Any, table: str, rows: Any) -> None:
        can = table.startswith("orders") and len(rows)
        real(me, connection, table, rows.slice(0, len(rows) - 1) if bite.first(can) else rows)

    for dialect in (SQLite, database_postgresql.PostgreSQL):
        around(patch, dialect, "append", change)


def a_row_behind_our_back(patch: Patch, bite: Bite) -> None:
    """a row that the database takes, says so, and does not keep"""

    def change(real: Any, me: Any, connection: Any, table: str, rows: Any) -> None:
        real(me, connection, table, rows)
        if bite.first(table == "orders" and len(rows)):
            key = rows.column("id")[0].as_py()
            connection.execute(sa.text("DELETE FROM orders WHERE id = :key"), {"key": key})

    for dialect in (SQLite, database_postgresql.PostgreSQL):
        around(patch, dialect, "append", change)


def a_changed_row(patch: Patch, bite: Bite) -> None:
    """a changed row: the update leaves it out"""

    def change(real: Any, connection: Any, dialect: Any, table: Any, root: Any) -> None:
        real(connection, dialect, table, root.slice(0, len(root) - 1) if bite.first(len(root)) else root)

    around(patch, database_load, "_update", change)


def a_newer_version(patch: Patch, bite: Bite) -> None:
    """the newer version of a row, called stale"""

    def change(real: Any, *given: Any) -> Any:
        codes = real(*given)
        if bite.first((codes == database_load.UPDATED).any()):
            codes[int(np.flatnonzero(codes == database_load.UPDATED)[0])] = database_load.STALE
        return codes

    around(patch, database_load, "compare", change)


ACTS: list[Act] = [
    a_row_on_its_way_to_the_loader, a_row_that_can_be_loaded, a_held_row, a_row_as_a_duplicate, a_row_in_the_comparison,
    a_row_of_the_table, the_lines_of_the_orders, a_line_of_a_line, a_line_in_the_mapping, a_row_of_a_copy,
    a_row_behind_our_back, a_changed_row, a_newer_version,
]  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=lambda a: a.__name__)
def test_r17_no_load_is_silent_about_a_row_that_it_swallowed(
    sqlite_ground: Ground, target: str, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    """The run fails and says that rows are missing; the next one, without the mistake, completes."""
    ground = _ground(sqlite_ground, target)
    bite, told = Bite(), ""
    for _ in range(2):
        with monkeypatch.context() as patch:
            act(patch, bite)
            told = _told(ground)
        if bite.bitten:
            break
        ground.control.changes(share=0.5, seed=4)
        ground.later()
    assert bite.bitten, "the mutant never bit"
    assert told, f"a run swallowed {act.__doc__} and nobody noticed"
    assert _told(ground.later()) == ""


def _ground(ground: Ground, target: str) -> Ground:
    ground.fresh(*CASES)
    file = ground.folder / "crosswalk.toml"
    text = file.read_text()
    old = next(line for line in text.splitlines() if line.startswith('url = "sqlite'))
    file.write_text(text.replace(old, f'url = "{target}"'))
    return ground


def _told(ground: Ground) -> str:
    try:
        ground.run("orders-to-database")
    except (CrosswalkError, pa.ArrowInvalid) as error:
        assert _last(ground) == "failed"
        return f"{type(error).__name__}: {error}"
    assert _last(ground) == "completed"
    return ""


def _last(ground: Ground) -> str:
    built = ground.house()
    row = runs.last(built.store, built.settings.binding("orders-to-database").scope)
    assert row is not None
    return str(row.state)
