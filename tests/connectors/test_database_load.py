"""Loading, reloading, removing: what stands in the database afterwards, and the counts."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from database_cases import ORDERS, frame, orders, plain, versions

from crosswalk.clock import SharedClock
from crosswalk.connectors.database import Database, Loaded, Removed

KEYS = [f"gid://shopify/Order/{n}" for n in range(10)]


def _rows(database: Database) -> list[dict[str, Any]]:
    return sorted(plain(database.read(ORDERS)), key=lambda row: int(row["id"].rpartition("/")[2]))


def _loaded_at(database: Database) -> dict[str, Any]:
    with database.transaction() as connection:
        return dict(connection.exec_driver_sql("SELECT id, _loaded_at FROM orders").tuples().all())


def test_what_is_loaded_stands_there(database: Database) -> None:
    """Every value, list and nested list comes back exactly as it was loaded."""
    rows = orders(300)
    database.prepare(ORDERS)
    assert database.load(frame(ORDERS, rows), versions(300)) == Loaded(created=300)
    assert _rows(database) == rows


def test_sums_are_equal(database: Database) -> None:
    """The money in the tables is the money in the records, to the last digit, in the record and in its lines."""
    rows = orders(500, seed=7)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(500))
    with database.transaction() as connection:
        totals = connection.exec_driver_sql("SELECT total FROM orders").scalars().all()
        prices = connection.exec_driver_sql("SELECT price FROM orders_lines").scalars().all()
        taxes = connection.exec_driver_sql("SELECT amount FROM orders_lines_taxes").scalars().all()
    lines = [line for row in rows for line in row["lines"]]
    assert sum(map(Decimal, totals)) == sum(row["total"] for row in rows)
    assert sum(map(Decimal, prices)) == sum(line["price"] for line in lines)
    assert sum(map(Decimal, taxes)) == sum(tax["amount"] for line in lines for tax in line["taxes"])


def test_a_second_load_changes_nothing(database: Database, clock: SharedClock) -> None:
    """The same chunk again rewrites no row."""
    rows = orders(50)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(50))
    before = _loaded_at(database)
    clock.advance(60)
    assert database.load(frame(ORDERS, rows), versions(50)) == Loaded(unchanged=50)
    assert _loaded_at(database) == before
    assert _rows(database) == rows


def test_one_per_cent_changed_touches_only_these_rows(database: Database, clock: SharedClock) -> None:
    """Of 300 rows three changed, one of them only in a tax of a line: three rows are rewritten, the others not."""
    rows = orders(300)
    rows[20]["lines"][0]["taxes"] = [{"title": "BTW", "amount": Decimal("1.00")}]
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(300))
    before = _loaded_at(database)
    clock.advance(60)
    rows[10]["note"] = "changed"
    rows[20]["lines"][0]["taxes"][0]["amount"] = Decimal("1.01")
    rows[30]["lines"] = []
    assert database.load(frame(ORDERS, rows), versions(300, 2)) == Loaded(updated=3, unchanged=297)
    after = _loaded_at(database)
    assert {key for key in after if after[key] != before[key]} == {rows[n]["id"] for n in (10, 20, 30)}
    assert _rows(database) == rows


@pytest.mark.postgres
def test_an_unchanged_row_is_not_written_in_postgresql(postgres_url: str, clock: SharedClock) -> None:
    """PostgreSQL itself saw no write to the rows and lines that did not change."""
    database = Database(postgres_url, clock)
    rows = orders(100)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(100))

    def writers() -> dict[Any, Any]:
        with database.transaction() as connection:
            found = connection.exec_driver_sql("SELECT id, xmin::text FROM orders").all()
            lines = connection.exec_driver_sql("SELECT _parent || _position, xmin::text FROM orders_lines").all()
        return dict([*found, *lines])

    before = writers()
    rows[5]["name"] = "changed"
    database.load(frame(ORDERS, rows), versions(100))
    after = writers()
    assert {key for key in after if after[key] != before[key]} == {rows[5]["id"]} | {
        f"{rows[5]['id']}{n + 1}" for n in range(len(rows[5]["lines"]))
    }
    database.close()


def test_lines_are_replaced(database: Database) -> None:
    """Fewer, more and reordered lines leave exactly the new ones."""
    rows = orders(3)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(3))
    rows[0]["lines"] = rows[0]["lines"][:1]
    rows[1]["lines"] = [*rows[1]["lines"], {"sku": "new", "price": Decimal(1), "taxes": []}][::-1]
    rows[2]["refunds"] = []
    changed = database.load(frame(ORDERS, rows), versions(3, 2))
    assert changed.updated + changed.unchanged == 3
    assert [{**row, "lines": len(row["lines"])} for row in _rows(database)] == [
        {**row, "lines": len(row["lines"])} for row in rows
    ]
    assert _rows(database) == rows


def test_a_stale_version_never_overwrites(database: Database) -> None:
    """A row that is older than what stands there is counted stale and changes neither the row nor its lines."""
    old, new = orders(5, seed=1), orders(5, seed=2)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, new), versions(5, 9))
    assert database.load(frame(ORDERS, old), versions(5, 3)) == Loaded(stale=5)
    assert _rows(database) == new


def test_an_unseen_version_in_between_is_stale(database: Database) -> None:
    """A → A under a newer version → B from between the two: B is stale, although A was not rewritten."""
    first, between = orders(4, seed=1), orders(4, seed=2)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, first), versions(4, 1))
    assert database.load(frame(ORDERS, first), versions(4, 3)) == Loaded(unchanged=4)
    assert database.load(frame(ORDERS, between), versions(4, 2)) == Loaded(stale=4)
    assert _rows(database) == first


def test_the_same_version_mapped_otherwise_is_written(database: Database) -> None:
    """Other content under the same version, as after a change of the mapping, is an update."""
    database.prepare(ORDERS)
    database.load(frame(ORDERS, orders(4, seed=1)), versions(4))
    assert database.load(frame(ORDERS, orders(4, seed=2)), versions(4)) == Loaded(updated=4)


def test_back_to_an_earlier_content_is_written(database: Database) -> None:
    """A → B → A under growing versions ends with A."""
    a, b = orders(3, seed=1), orders(3, seed=2)
    database.prepare(ORDERS)
    for version, rows in enumerate((a, b, a), start=1):
        database.load(frame(ORDERS, rows), versions(3, version))
    assert _rows(database) == a


def test_every_fate_in_one_chunk(database: Database) -> None:
    """New, changed, equal, stale and doubled rows of one chunk are each counted once; the plan says the same."""
    rows = orders(5)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows[:4]), versions(4, 5))
    chunk = [rows[0], {**rows[1], "note": "new"}, {**rows[2], "note": "old"}, rows[4], {**rows[4], "note": "newer"}]
    given = pa.concat_arrays([versions(2, 6), versions(1, 4), versions(1, 6), versions(1, 7)])
    plan = database.plan(frame(ORDERS, chunk), given)
    assert plan.to_pylist() == ["unchanged", "updated", "stale", "duplicate", "created"]
    loaded = database.load(frame(ORDERS, chunk), given)
    assert loaded == Loaded(created=1, updated=1, unchanged=1, stale=1, duplicate=1)
    assert loaded.total == 5
    assert _rows(database)[4]["note"] == "newer"


def test_a_plan_writes_nothing(database: Database) -> None:
    """A dry run names the tables it would make and the fate of every row, and the database stays empty."""
    assert database.prepare(ORDERS, dry_run=True)[0] == "table orders made"
    assert database.plan(frame(ORDERS, orders(2)), versions(2)).to_pylist() == ["created", "created"]
    with database.transaction() as connection:
        assert database.dialect.standing(connection, "orders") == {}


def test_columns_that_people_added_keep_their_values(database: Database) -> None:
    """An update leaves a column that the record does not have as it is."""
    rows = orders(2)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(2))
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN reviewed_by text")
        connection.exec_driver_sql("UPDATE orders SET reviewed_by = 'Ada'")
    database.prepare(ORDERS)
    rows[0]["note"] = "changed"
    assert database.load(frame(ORDERS, rows), versions(2, 2)) == Loaded(updated=1, unchanged=1)
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT reviewed_by FROM orders").scalars().all() == ["Ada", "Ada"]


def test_an_empty_chunk_is_no_error(database: Database) -> None:
    """No rows load as nothing."""
    database.prepare(ORDERS)
    assert database.load(frame(ORDERS, []), versions(0)) == Loaded()


def test_two_chunks_in_one_transaction(database: Database) -> None:
    """Several loads and the caller's own statement commit together or not at all."""
    rows = orders(6)
    database.prepare(ORDERS)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        database.load(frame(ORDERS, rows[:3]), versions(3), connection)
        raise RuntimeError
    assert _rows(database) == []
    with database.transaction() as connection:
        database.load(frame(ORDERS, rows[:3]), versions(3), connection)
        database.load(frame(ORDERS, rows[3:]), versions(3), connection)
        connection.exec_driver_sql("CREATE TABLE cursor_of_the_caller (n bigint)")
    assert _rows(database) == rows


def test_two_loaders_at_once_never_mix_two_versions(database_url: str, clock: SharedClock) -> None:
    """Eight threads load versions of the same orders at once: the newest stands there, with its own lines."""
    chosen = [orders(40, seed=seed) for seed in range(8)]
    databases = [Database(database_url, clock) for _ in chosen]
    for database in databases:
        database.prepare(ORDERS)
    failures: list[Exception] = []

    def load(number: int) -> None:
        try:
            databases[number].load(frame(ORDERS, chosen[number]), versions(40, number))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _rows(databases[0]) == chosen[7]
    for database in databases:
        database.close()


def test_a_removed_row_is_gone_with_its_lines(database: Database) -> None:
    """Removal takes row and lines, once; an unknown key is absent."""
    database.prepare(ORDERS)
    rows = orders(3)
    database.load(frame(ORDERS, rows), versions(3))
    assert database.remove(ORDERS, [KEYS[1], "nobody"]) == Removed(removed=1, absent=1)
    assert database.remove(ORDERS, [KEYS[1]]) == Removed(absent=1)
    assert _rows(database) == [rows[0], rows[2]]
    with database.transaction() as connection:
        left = connection.exec_driver_sql("SELECT DISTINCT _parent FROM orders_lines ORDER BY 1").scalars().all()
    assert left == [KEYS[0], KEYS[2]]


def test_a_removed_row_is_not_brought_back_by_an_older_reading(database: Database) -> None:
    """What was read before the removal is stale; what was restored afterwards with the same content is created."""
    database.prepare(ORDERS)
    rows = orders(1)
    database.load(frame(ORDERS, rows), versions(1, 3))
    database.remove(ORDERS, [KEYS[0]], versions(1, 5))
    assert database.load(frame(ORDERS, rows), versions(1, 4)) == Loaded(stale=1)
    assert database.load(frame(ORDERS, rows), versions(1, 6)) == Loaded(created=1)
    assert database.load(frame(ORDERS, rows), versions(1, 6)) == Loaded(unchanged=1)


def test_a_restored_row_with_its_old_version_returns(database: Database) -> None:
    """A removal without a version of its own does not stand in the way of the very row it removed."""
    database.prepare(ORDERS)
    rows = orders(1)
    database.load(frame(ORDERS, rows), versions(1, 3))
    database.remove(ORDERS, [KEYS[0]])
    assert database.load(frame(ORDERS, rows), versions(1, 2)) == Loaded(stale=1)
    assert database.load(frame(ORDERS, rows), versions(1, 3)) == Loaded(created=1)


def test_a_removal_older_than_the_row_is_stale(database: Database) -> None:
    """A removal that is older than the row does not remove it."""
    database.prepare(ORDERS)
    database.load(frame(ORDERS, orders(1)), versions(1, 5))
    assert database.remove(ORDERS, [KEYS[0]], versions(1, 4)) == Removed(stale=1)
    assert len(_rows(database)) == 1


def test_a_removal_that_overtakes_its_record(database: Database) -> None:
    """A removal of a key that has not arrived yet keeps the older record out."""
    database.prepare(ORDERS)
    assert database.remove(ORDERS, [KEYS[0]], versions(1, 5)) == Removed(absent=1)
    assert database.load(frame(ORDERS, orders(1)), versions(1, 4)) == Loaded(stale=1)


def test_an_older_removal_does_not_weaken_a_newer_one(database: Database) -> None:
    """Removals that arrive out of order keep the newest: what lies between the two is still stale."""
    database.prepare(ORDERS)
    database.remove(ORDERS, [KEYS[0]], versions(1, 7))
    database.remove(ORDERS, [KEYS[0]], versions(1, 3))
    assert database.load(frame(ORDERS, orders(1)), versions(1, 5)) == Loaded(stale=1)


def test_notes_of_removals_are_pruned(database: Database, clock: SharedClock) -> None:
    """What was removed is remembered for 90 days."""
    database.prepare(ORDERS)
    database.remove(ORDERS, ["one"], versions(1))
    clock.advance(91 * 86_400)
    database.remove(ORDERS, ["two"], versions(1))
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT key FROM crosswalk_removed").scalars().all() == ["two"]


def test_reading_by_key(database: Database) -> None:
    """Only the rows that are asked for come back, and an unknown key is left out."""
    rows = orders(4)
    database.prepare(ORDERS)
    database.load(frame(ORDERS, rows), versions(4))
    assert plain(database.read(ORDERS, [KEYS[3], "nobody", KEYS[1]])) == [rows[1], rows[3]]
    assert len(database.read(ORDERS, [])) == 0
