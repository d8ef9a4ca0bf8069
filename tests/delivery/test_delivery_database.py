"""Rows of a database that are to go: taken away with their lines, counted, capped, and back when they are restored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from practising import Ground
from servers.postgres import Server

from crosswalk.errors import TooManyDeleted
from crosswalk.integration import find
from crosswalk.mapping import IsNull, Not, Remove
from crosswalk.runs import body
from crosswalk.runs.account import Account
from crosswalk.runs.session import Session

PLAIN = find("shopify_orders_to_database")
GOING = Remove("cancelled", Not(IsNull("cancelledAt")), why="a cancelled order is no row")
REMOVING = replace(PLAIN, parts=(replace(PLAIN.parts[0], removes=[GOING]),))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database to load into."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'target.db'}"
        return
    server: Server = request.getfixturevalue("postgres_server")
    with server.database(f"going_{abs(hash(tmp_path)) % 10**9}") as url:
        yield url


def shop(ground: Ground, warehouse: str, count: int = 4, options: str = "") -> list[dict[str, Any]]:
    """A business of so many orders, loaded; their nodes."""
    ground.fresh(*["pending"] * count)
    file = ground.folder / "crosswalk.toml"
    text = file.read_text().replace(f"sqlite:///{ground.folder / 'warehouse.db'}", warehouse)
    file.write_text(text.replace('target = "warehouse"', f'target = "warehouse"\n{options}'))
    assert run(ground).created == count
    return ground.orders()


def session(ground: Ground, **request: Any) -> Session:
    return ground.session("orders-to-database", REMOVING, **request)


def run(ground: Ground, **request: Any) -> Account:
    return body.run(session(ground, **request))


def cancel(ground: Ground, order: dict[str, Any], at: str | None = "2026-11-23T09:30:00Z") -> None:
    ground.control.edit("orders", order["id"], {"cancelledAt": at})


def counts(warehouse: str) -> tuple[int, int]:
    """Orders and lines that stand in the database."""
    engine = sa.create_engine(warehouse)
    with engine.connect() as connection:
        found = [connection.execute(sa.text(f"SELECT count(*) FROM {t}")).scalar_one() for t in TABLES]
    engine.dispose()
    return found[0], found[1]


TABLES = ("orders", "orders_line_items")


def test_a_row_that_is_to_go_goes_with_its_lines_and_is_counted(sqlite_ground: Ground, warehouse: str) -> None:
    """The cancelled order is deleted once; read again, there is nothing to remove, and the account adds up."""
    first, *_ = shop(sqlite_ground, warehouse)
    lines = counts(warehouse)[1]
    cancel(sqlite_ground, first)
    account = run(sqlite_ground.later(), ids=(first["id"],))
    assert (account.deleted, account.created, account.updated) == (1, 0, 0)
    assert counts(warehouse) == (3, lines - len(first["lineItems"]))
    again = run(sqlite_ground.later(), ids=(first["id"],))
    assert again.deleted == 0 and again.skipped_by == {"nothing to remove": 1}


def test_a_row_that_is_restored_comes_back(sqlite_ground: Ground, warehouse: str) -> None:
    """Taken back at the source under a newer version, it is created again with its lines."""
    first, *_ = shop(sqlite_ground, warehouse)
    whole = counts(warehouse)
    cancel(sqlite_ground, first)
    run(sqlite_ground.later(), ids=(first["id"],))
    cancel(sqlite_ground, first, None)
    assert run(sqlite_ground.later(), ids=(first["id"],)).created == 1
    assert counts(warehouse) == whole


def test_the_plan_shows_what_would_go_and_deletes_nothing(sqlite_ground: Ground, warehouse: str) -> None:
    """A dry run names the row and what it holds."""
    first, *_ = shop(sqlite_ground, warehouse)
    cancel(sqlite_ground, first)
    dry = session(sqlite_ground.later(), ids=(first["id"],), dry_run=True)
    body.run(dry)
    assert dry.plan.counts == {"deleted": 1}
    [change] = dry.plan.changes
    assert (change.operation, change.key, change.differences["name"]) == ("remove", first["id"], (first["name"], ""))
    assert counts(warehouse)[0] == 4


def test_more_than_a_weeks_cap_stops_the_run_and_deletes_nothing(sqlite_ground: Ground, warehouse: str) -> None:
    """Two may go within a week: one goes, two more do not, and a week later they do."""
    first, second, third, _ = shop(sqlite_ground, warehouse, options="deletes = 2")
    cancel(sqlite_ground, first)
    assert run(sqlite_ground.later(), ids=(first["id"],)).deleted == 1
    for order in (second, third):
        cancel(sqlite_ground, order)
    with pytest.raises(TooManyDeleted, match="2 rows were to be deleted on top of 1") as stopped:
        run(sqlite_ground.later(), ids=(second["id"], third["id"]))
    assert "deletes = N" in str(stopped.value)
    assert counts(warehouse)[0] == 3
    sqlite_ground.later(8 * 86400)
    assert run(sqlite_ground, ids=(second["id"], third["id"])).deleted == 2
    assert counts(warehouse)[0] == 1


def test_what_never_stood_there_is_left_out_by_name(sqlite_ground: Ground) -> None:
    """An order that was cancelled before it was first read is no row and no deletion."""
    sqlite_ground.fresh("pending", "pending")
    first, _ = sqlite_ground.orders()
    cancel(sqlite_ground, first)
    account = run(sqlite_ground.later())
    assert (account.created, account.deleted) == (1, 0)
    assert account.skipped_by == {"nothing to remove": 1}
