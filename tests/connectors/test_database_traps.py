"""The traps of loading in bulk, each by name: what comes back is what was given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from database_cases import ORDERS, frame, orders, plain, versions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosswalk.clock import SharedClock
from crosswalk.connectors.database import Database, Loaded, unloadable
from crosswalk.connectors.database_rows import hashes
from crosswalk.errors import Drift, Invalid
from crosswalk.frames.frame import Frame
from crosswalk.schemas.base import ID, INSTANT, RATE, TEXT, Field, Lines, Record

NOTES = Record(
    "database.notes",
    key="id",
    version="",
    fields=(Field("id", ID), Field("note", TEXT), Lines("tags", (Field("tag", TEXT),))),
)
WRITTEN = [
    "",
    None,
    "\\",
    "\\N",
    "\\.",
    "NULL",
    "null",
    '"',
    '""',
    "a,b",
    "\r",
    "\r\n",
    "\n",
    " ",
    "a\\nb",
    "\t",
    "é\u2028",
]


def test_text_is_exact(database: Database) -> None:
    """Empty string, null, backslashes, \\N, \\., NULL, quotes and line ends stay what they are, in lines too."""
    rows = [{"id": str(n), "note": text, "tags": [{"tag": text}]} for n, text in enumerate(WRITTEN)]
    database.prepare(NOTES)
    assert database.load(frame(NOTES, rows), versions(len(rows))).created == len(rows)
    assert plain(database.read(NOTES)) == sorted(rows, key=lambda row: row["id"])
    assert database.load(frame(NOTES, rows), versions(len(rows))) == Loaded(unchanged=len(rows))


def test_null_and_empty_text_are_two_contents(database: Database) -> None:
    """A null that becomes an empty text, and back, is a change."""
    database.prepare(NOTES)
    for text, expected in (("", Loaded(created=1)), (None, Loaded(updated=1)), ("", Loaded(updated=1))):
        assert database.load(frame(NOTES, [{"id": "1", "note": text}]), versions(1)) == expected
        assert plain(database.read(NOTES))[0]["note"] == text


def test_a_line_of_nulls_stays_a_line(database: Database) -> None:
    """An element whose only column is null is a row, and is not the same as no element."""
    database.prepare(NOTES)
    database.load(frame(NOTES, [{"id": "1", "tags": [{"tag": None}, {"tag": None}]}]), versions(1))
    assert plain(database.read(NOTES))[0]["tags"] == [{"tag": None}, {"tag": None}]
    assert database.load(frame(NOTES, [{"id": "1"}]), versions(1)) == Loaded(updated=1)


def test_small_and_large_decimals_are_exact(database: Database) -> None:
    """1.0000E-8 and 19 digits come back digit by digit."""
    record = Record("database.rates", key="id", version="", fields=(Field("id", ID), Field("rate", RATE)))
    values = ["0.00000001", "0.00000010", "-0.00000001", "9999999999.99999999", "-9999999999.99999999", "0", "1E+3"]
    rows = [{"id": str(n), "rate": Decimal(value)} for n, value in enumerate(values)]
    database.prepare(record)
    database.load(frame(record, rows), versions(len(rows)))
    assert plain(database.read(record)) == rows
    with database.transaction() as connection:
        written = connection.exec_driver_sql("SELECT rate FROM rates ORDER BY id").scalars().all()
    assert [Decimal(value) for value in written] == [Decimal(value) for value in values]
    assert database.dialect.name == "postgresql" or not any("E" in value for value in written)


@pytest.mark.postgres
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_instants_do_not_depend_on_the_zone_of_the_session(postgres_url: str, clock: SharedClock, zone: str) -> None:
    """An instant is the same under any zone of the session that loads it."""
    database = Database(postgres_url, clock)
    rows = orders(20)
    database.prepare(ORDERS)
    with database.transaction() as connection:
        connection.exec_driver_sql(f"SET LOCAL TIME ZONE '{zone}'")
        database.load(frame(ORDERS, rows), versions(20), connection)
    assert [row["updated_at"] for row in plain(database.read(ORDERS, [rows[0]["id"]]))] == [rows[0]["updated_at"]]
    database.close()


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    """A column of naive instants is an error in a program: it is named and nothing is loaded."""
    good = frame(ORDERS, orders(1))
    naive = good["updated_at"].cast(pa.timestamp("us"))
    place = good.table.column_names.index("updated_at")
    bad = Frame(ORDERS, good.table.set_column(place, "updated_at", naive), good.lines)
    database.prepare(ORDERS)
    with pytest.raises(Drift, match="updated_at"):
        database.load(bad, versions(1))


def test_another_scale_is_refused(database: Database) -> None:
    """A decimal of another scale never reaches the database, which would round it without a word."""
    good = frame(ORDERS, orders(1))
    place = good.table.column_names.index("total")
    wider = pa.array([Decimal("1.23456")], pa.decimal128(19, 5))
    database.prepare(ORDERS)
    with pytest.raises(Drift, match="total"):
        database.load(Frame(ORDERS, good.table.set_column(place, "total", wider), good.lines), versions(1))


def test_a_column_has_the_declared_scale(database: Database) -> None:
    """The scale in the database is the declared one, so that it has nothing to round."""
    database.prepare(ORDERS)
    with database.transaction() as connection:
        standing = database.dialect.standing(connection, "orders")
    assert "(19,4)" in standing["total"].type
    assert "(18,8)" in standing["rate"].type


def test_lists_are_rows_and_never_text(database: Database) -> None:
    """Every list has a table of its own; no column holds JSON."""
    database.prepare(ORDERS)
    database.load(frame(ORDERS, orders(1)), versions(1))
    with database.transaction() as connection:
        kinds = {
            column.type
            for table in ("orders", "orders_lines", "orders_lines_taxes", "orders_refunds")
            for column in database.dialect.standing(connection, table).values()
        }
        assert "json" not in " ".join(kinds)
        assert connection.exec_driver_sql("SELECT count(*) FROM orders_lines").scalar() == len(orders(1)[0]["lines"])


def test_the_same_key_twice_in_a_chunk(database: Database) -> None:
    """The newest version counts wherever it stands; of equal versions the last one."""
    rows = [{"id": "1", "note": note} for note in ("second", "third", "first")] + [
        {"id": "2", "note": note} for note in ("one", "other")
    ]
    given = pa.concat_arrays([versions(1, 2), versions(1, 3), versions(1, 1), versions(2, 1)])
    database.prepare(NOTES)
    assert database.load(frame(NOTES, rows), given) == Loaded(created=2, duplicate=3)
    assert [row["note"] for row in plain(database.read(NOTES))] == ["third", "other"]


def test_the_same_key_twice_with_lines_in_any_order(database: Database) -> None:
    """Keys that do not come in their own order keep their own lines when older rows of the chunk are left out."""
    rows = [{"id": key, "note": note, "tags": [{"tag": key + note}]} for key, note in ("b1", "c1", "a1", "c2", "b2")]
    given = pa.concat_arrays([versions(3, 1), versions(2, 2)])
    database.prepare(NOTES)
    assert database.load(frame(NOTES, rows), given) == Loaded(created=3, duplicate=2)
    newest = [rows[2], rows[4], rows[3]]
    assert plain(database.read(NOTES)) == newest
    assert database.load(frame(NOTES, newest), versions(3, 2)) == Loaded(unchanged=3)


@pytest.mark.postgres
def test_loaders_prepare_no_statements(postgres_url: str, clock: SharedClock) -> None:
    """The driver never prepares a statement, whose plan an added column could break."""
    database = Database(postgres_url, clock)
    with database.transaction() as connection:
        for _ in range(10):
            connection.exec_driver_sql("SELECT 1 AS often")
        prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar()
    assert prepared == 0
    database.close()


def test_a_column_added_while_others_load(database_url: str, clock: SharedClock) -> None:
    """After many loads a column is added elsewhere; the old and the new loader both go on."""
    old, new = Database(database_url, clock), Database(database_url, clock)
    wider = Record("database.notes", key="id", version="", fields=(*NOTES.fields, Field("at", INSTANT)))
    old.prepare(NOTES)
    for n in range(12):
        old.load(frame(NOTES, [{"id": "1", "note": str(n), "tags": [{"tag": "x"}]}]), versions(1, n))
        old.read(NOTES)
    assert new.prepare(wider) == ["column notes.at added"]
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert new.load(frame(wider, [{"id": "1", "note": "11", "tags": [{"tag": "x"}], "at": at}]), versions(1, 20)) == (
        Loaded(updated=1)
    )
    assert old.load(frame(NOTES, [{"id": "1", "note": "21"}]), versions(1, 21)) == Loaded(updated=1)
    assert plain(new.read(wider)) == [{"id": "1", "note": "21", "tags": [], "at": at}]
    old.close()
    new.close()


UNFIT: list[tuple[dict[str, Any], str, str]] = [
    ({"note": "a\0b"}, "note", "NUL"),
    ({"lines": [{"sku": "fine"}, {"sku": "\0"}]}, "lines.sku", "NUL"),
    ({"lines": [{"taxes": [{"title": "x\0"}]}]}, "lines.taxes.title", "NUL"),
    ({"id": None}, "id", "no key"),
    ({"id": ""}, "id", "empty key"),
    ({"id": "x" * 1001}, "id", "longer than"),
]


@pytest.mark.parametrize(("change", "field", "reason"), UNFIT)
def test_what_no_database_takes_is_named_before(
    database: Database, change: dict[str, Any], field: str, reason: str
) -> None:
    """A row that cannot be loaded is named with its field; loading it refuses the chunk and writes nothing."""
    rows = orders(3)
    rows[1] = {**rows[1], **change}
    bad = frame(ORDERS, rows)
    mask, unfit = unloadable(bad)
    assert mask.to_pylist() == [False, True, False]
    assert [(one.row, one.field) for one in unfit] == [(1, field)]
    assert reason in unfit[0].reason
    database.prepare(ORDERS)
    with pytest.raises(Invalid, match="cannot be loaded"):
        database.load(bad, versions(3))
    assert len(database.read(ORDERS)) == 0
    good = bad.filter(pa.array([not one for one in mask.to_pylist()]))
    assert database.load(good, versions(2)) == Loaded(created=2)


def test_numbers_and_instants_out_of_range_are_named() -> None:
    """More digits than declared, and instants and dates that no calendar of ours holds, are named."""
    good = frame(ORDERS, orders(2))
    changes = {
        "total": pa.array([0, 0], pa.int64()).cast(pa.decimal128(38, 4)),
        "updated_at": pa.array([2**62, 0]).cast(pa.timestamp("us", tz="UTC")),
        "day": pa.array([0, 2**30], pa.int32()).cast(pa.date32()),
    }
    huge = pa.array([Decimal(10) ** 16, Decimal(1)], pa.decimal128(38, 4))
    changes["total"] = pa.Array.from_buffers(pa.decimal128(19, 4), 2, huge.buffers())
    table = good.table
    for name, column in changes.items():
        table = table.set_column(table.column_names.index(name), name, column)
    mask, unfit = unloadable(Frame(ORDERS, table, good.lines))
    assert {(one.row, one.field) for one in unfit} == {(0, "total"), (0, "updated_at"), (1, "day")}
    assert mask.to_pylist() == [True, True]


def test_the_hash_tells_contents_apart() -> None:
    """Values that moved between fields, lines or levels never give the same hash; a new empty column does."""
    contents: list[dict[str, Any]] = [
        {"name": "a", "note": "b"},
        {"name": "ab", "note": ""},
        {"name": "ab", "note": None},
        {"name": None, "note": "ab"},
        {"lines": [{"sku": "a"}, {"sku": "b"}]},
        {"lines": [{"sku": "b"}, {"sku": "a"}]},
        {"lines": [{"sku": "a", "taxes": [{"title": "b"}]}]},
        {"lines": [{"sku": "a", "taxes": [{"title": None}]}, {"sku": "b"}]},
        {"lines": [{}]},
        {"refunds": [{}]},
        {},
        {"total": Decimal("1.00")},
        {"rate": Decimal("1.00")},
        {"count": 1},
    ]
    found = hashes(frame(ORDERS, [{"id": "1", **content} for content in contents])).to_pylist()
    assert len(set(found)) == len(contents)
    wider = Record(ORDERS.name, key="id", version="", fields=(*ORDERS.fields, Field("new", TEXT)))
    assert hashes(frame(wider, [{"id": "1", **content} for content in contents])).to_pylist() == found


_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_rows = st.lists(
    st.fixed_dictionaries(
        {
            "note": st.none() | _text,
            "total": st.none() | st.decimals(-(10**14), 10**14, places=4),
            "count": st.none() | st.integers(-(2**63), 2**63 - 1),
            "paid": st.none() | st.booleans(),
            "day": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
            "updated_at": st.none() | st.datetimes(timezones=st.just(UTC)),
            "refunds": st.lists(st.fixed_dictionaries({"id": st.none() | _text}), max_size=3),
        }
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows)
def test_any_value_comes_back(database: Database, rows: list[dict[str, Any]]) -> None:
    """Whatever a record may hold is read back equal, and is unchanged when it is loaded again."""
    database.prepare(ORDERS)
    keys = [f"k{n}" for n in range(len(rows))]
    database.remove(ORDERS, [f"k{n}" for n in range(5)])
    full = [{**row, "id": key} for key, row in zip(keys, rows, strict=True)]
    chunk = frame(ORDERS, full)
    assert database.load(chunk, versions(len(rows))) == Loaded(created=len(rows))
    assert plain(database.read(ORDERS, keys)) == plain(chunk)
    assert database.load(chunk, versions(len(rows))) == Loaded(unchanged=len(rows))
