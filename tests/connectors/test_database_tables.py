"""Making tables from a record, and what is refused of those that stand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from database_cases import ORDERS, frame, orders, plain, versions

from crosswalk.clock import SharedClock
from crosswalk.connectors.database import Database, Loaded
from crosswalk.connectors.database_layout import layout
from crosswalk.errors import Drift, MappingError, SettingsError
from crosswalk.schemas import shopify
from crosswalk.schemas.base import DATE, ID, INTEGER, TEXT, Field, Lines, Record, decimal
from crosswalk.schemas.tables import table_record

SMALL = Record("database.notes", key="id", version="", fields=(Field("id", ID), Field("note", TEXT)))
WIDER = Record(
    "database.notes",
    key="id",
    version="",
    fields=(*SMALL.fields, Field("day", DATE), Lines("tags", (Field("t", TEXT),))),
)


def _run(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(statement)


def test_tables_are_made_once(database: Database) -> None:
    """The first preparation makes a table for the record and one for every list, the second nothing."""
    made = [f"table {name} made" for name in ("orders", "orders_lines", "orders_lines_taxes", "orders_refunds")]
    assert database.prepare(ORDERS) == made
    assert database.prepare(ORDERS) == []


def test_two_workers_prepare_at_once(database_url: str, clock: SharedClock) -> None:
    """Of six workers that start together one makes the tables and none fails."""
    databases = [Database(database_url, clock) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda database: database.prepare(ORDERS), databases))
    assert sorted(map(len, made)) == [0, 0, 0, 0, 0, 4]
    for database in databases:
        database.close()


def test_types_and_keys_are_real(database: Database) -> None:
    """The key of a record is the key of its table; a line's key is its parent's and its position, level by level."""
    database.prepare(ORDERS)
    with database.transaction() as connection:
        standing = {table.name: database.dialect.standing(connection, table.name) for table in layout(ORDERS).walk()}
    keys = {table: [name for name, column in columns.items() if column.key] for table, columns in standing.items()}
    assert keys == {
        "orders": ["id"],
        "orders_lines": ["_parent", "_position"],
        "orders_lines_taxes": ["_parent", "_position", "_position_2"],
        "orders_refunds": ["_parent", "_position"],
    }
    kinds = {name: column.type for name, column in standing["orders"].items()}
    if database.dialect.name == "postgresql":
        assert kinds == {
            "id": "text",
            "name": "text",
            "note": "text",
            "total": "numeric(19,4)",
            "rate": "numeric(18,8)",
            "count": "bigint",
            "paid": "boolean",
            "day": "date",
            "updated_at": "timestamp with time zone",
            "_source_version": "text",
            "_row_hash": "text",
            "_loaded_at": "timestamp with time zone",
        }


def test_shopify_records_become_tables(database: Database) -> None:
    """Every Shopify record can be derived, made and loaded empty."""
    for source in (shopify.Order, shopify.Customer, shopify.Product):
        record = table_record(source, f"database.{source.resource}")
        assert database.prepare(record)
        assert database.load(frame(record, [{record.key: "1"}]), versions(1)) == Loaded(created=1)


def test_a_new_column_is_added(database: Database) -> None:
    """A field and a list that are new become a column and a table; rows that stand there keep theirs, unchanged."""
    database.prepare(SMALL)
    database.load(frame(SMALL, [{"id": "1", "note": "a"}]), versions(1))
    assert database.prepare(WIDER) == ["column notes.day added", "table notes_tags made"]
    assert database.load(frame(WIDER, [{"id": "1", "note": "a"}]), versions(1)) == Loaded(unchanged=1)
    assert plain(database.read(WIDER)) == [{"id": "1", "note": "a", "day": None, "tags": []}]


def test_a_new_column_is_refused_when_it_may_not_be_added(database: Database) -> None:
    """Without permission a missing column is an error that carries the statement; nothing is changed."""
    database.prepare(SMALL)
    with pytest.raises(Drift, match="column day of table notes") as caught:
        database.prepare(WIDER, allow_new_columns=False)
    assert 'ALTER TABLE "notes" ADD COLUMN "day"' in caught.value.next_command
    assert database.prepare(SMALL, allow_new_columns=False) == []


def test_a_first_preparation_needs_no_permission(database: Database) -> None:
    """The tables of a record that was never loaded are made without permission for new columns."""
    assert len(database.prepare(WIDER, allow_new_columns=False)) == 2


@pytest.mark.parametrize("kind", [INTEGER, decimal(10, 2)])
def test_a_changed_type_is_refused(database: Database, kind: object) -> None:
    """A column that stands there with another type, or scale, is named with both types."""
    before = Record("database.notes", key="id", version="", fields=(Field("id", ID), Field("note", kind)))  # type: ignore[arg-type]
    database.prepare(before)
    with pytest.raises(Drift, match=r"column note of table notes is .*the record declares text") as caught:
        database.prepare(SMALL)
    assert caught.value.safe == "nothing was written"


def test_another_key_is_refused(database: Database) -> None:
    """A table whose key is another column is not loaded into."""
    database.prepare(SMALL)
    with pytest.raises(Drift, match="its key is"):
        database.prepare(Record("database.notes", key="note", version="", fields=SMALL.fields))


def test_a_stranger_s_table_is_never_taken_over(database: Database) -> None:
    """A table of the same name that Crosswalk did not make is refused, whatever it holds, and stays as it is."""
    _run(database, "CREATE TABLE notes (id text PRIMARY KEY, note text)")
    with pytest.raises(Drift, match="is not Crosswalk's"):
        database.prepare(SMALL)
    assert database.prepare(SMALL, schema_prefix="shop_") == ["table shop_notes made"]


def test_a_column_that_must_be_filled_is_refused(database: Database) -> None:
    """A column that people added and that no load can fill is named before the first row."""
    database.prepare(SMALL)
    _run(database, "ALTER TABLE notes ADD COLUMN checked text NOT NULL DEFAULT 'no'")
    assert database.prepare(SMALL) == []
    if database.dialect.name == "postgresql":
        _run(database, "ALTER TABLE notes ALTER COLUMN checked DROP DEFAULT")
        with pytest.raises(Drift, match="checked of table notes must be filled"):
            database.prepare(SMALL)


def test_two_shops_do_not_share_a_table(database: Database) -> None:
    """Tables of one owner are refused to another, and a prefix keeps both apart."""
    database.prepare(ORDERS, owner="shop one")
    database.prepare(ORDERS, owner="shop one")
    with pytest.raises(SettingsError, match="holds the records of shop one"):
        database.prepare(ORDERS, owner="shop two")
    database.prepare(ORDERS, schema_prefix="two_", owner="shop two")
    database.load(frame(ORDERS, orders(2)), versions(2))
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM two_orders").scalar() == 2
        assert connection.exec_driver_sql("SELECT count(*) FROM orders").scalar() == 0


def test_words_of_sql_are_names(database: Database) -> None:
    """Columns called order, group or select are columns like others."""
    record = Record(
        "database.order",
        key="select",
        version="",
        fields=(Field("select", ID), Field("group", TEXT), Lines("table", (Field("from", TEXT),))),
    )
    row = {"select": "1", "group": "g", "table": [{"from": "f"}]}
    database.prepare(record)
    assert database.load(frame(record, [row]), versions(1)) == Loaded(created=1)
    assert plain(database.read(record)) == [row]
    database.remove(record, ["1"])


def test_a_key_may_be_a_number(database: Database) -> None:
    """An integer key is compared as a number, is removed and stays removed."""
    record = Record("database.n", key="id", version="", fields=(Field("id", INTEGER), Lines("l", (Field("t", TEXT),))))
    database.prepare(record)
    rows = [{"id": 10, "l": []}, {"id": 9, "l": [{"t": "x"}]}]
    assert database.load(frame(record, rows), versions(2, 2)) == Loaded(created=2)
    assert plain(database.read(record)) == rows[::-1]
    assert database.remove(record, [9]).removed == 1
    assert database.load(frame(record, rows), versions(2, 1)) == Loaded(stale=2)


def test_a_load_needs_a_preparation(database: Database) -> None:
    """Loading a record that was not prepared says so."""
    with pytest.raises(LookupError, match=r"prepare database\.orders"):
        database.load(frame(ORDERS, []), versions(0))


@pytest.mark.parametrize(
    ("record", "prefix", "says"),
    [
        (Record("database.Orders", "id", "", (Field("id", ID),)), "", "'Orders' is not snake_case"),
        (Record("database.o", "id", "", (Field("id", ID), Field("a.b", TEXT))), "", "is not snake_case"),
        (Record("database.o", "id", "", (Field("id", ID), Field("totalPrice", TEXT))), "", "'totalPrice'"),
        (Record("database.o", "id", "", (Field("id", ID), Field("_row_hash", TEXT))), "", "'_row_hash'"),
        (Record("database.o", "id", "", (Field("id", ID), Field("x" * 64, TEXT))), "", "longer than 63"),
        (Record("database.o", "id", "", (Field("id", ID),)), "x" * 63, "longer than 63"),
        (Record("database.o", "id", "", (Field("id", ID),)), "Shop-", "the prefix"),
        (Record("database.o", "nothing", "", (Field("id", ID),)), "", "its key 'nothing'"),
        (Record("database.o", "day", "", (Field("day", DATE),)), "", "its key 'day'"),
        (
            Record(
                "database.o",
                "id",
                "",
                (Field("id", ID), Lines("a_b", (Field("x", TEXT),)), Lines("a", (Lines("b", (Field("x", TEXT),)),))),
            ),
            "",
            "share the table 'o_a_b'",
        ),
    ],
)
def test_what_cannot_be_a_table(record: Record, prefix: str, says: str) -> None:
    """A record that cannot be a table is refused with the name that stands in the way."""
    with pytest.raises(MappingError, match=says):
        layout(record, prefix)


def test_the_same_database(tmp_path: object, clock: SharedClock) -> None:
    """Two addresses are one database only when that is certain."""
    database = Database(f"sqlite:///{tmp_path}/a.db", clock)
    assert database.same_database(f"sqlite:///{tmp_path}/../{str(tmp_path).rpartition('/')[2]}/a.db")
    assert not database.same_database(f"sqlite:///{tmp_path}/b.db")
    assert not database.same_database("postgresql://host/a")
    assert not Database("sqlite://", clock).same_database("sqlite://")
    remote = Database("postgresql+psycopg://one:secret@host/a", clock)
    assert remote.same_database("postgresql://other:word@host:5432/a")
    for other in ("postgresql://host/b", "postgresql://host:5433/a", "postgresql://else/a", "sqlite:///a"):
        assert not remote.same_database(other)
    assert not remote.same_database("postgresql://host/a?options=-csearch_path%3Dother")
    assert "secret" not in remote.where
