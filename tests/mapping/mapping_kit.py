"""A record with every type, frames from plain rows, and the comparison of a verb with a plain function per row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from crosswalk.frames.frame import PARENT, Frame
from crosswalk.mapping import Context, Verb
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.verb import Made, refused_rows
from crosswalk.schemas.base import (
    BOOLEAN,
    DATE,
    ID,
    INSTANT,
    INTEGER,
    MONEY,
    RATE,
    TEXT,
    Field,
    Lines,
    Record,
)

CONTEXT = Context(zone="Europe/Amsterdam", prefix="PS", currency="EUR")
REFUSED = "refused"

_line = (
    Field("id", ID),
    Field("title", TEXT),
    Field("amount", MONEY),
    Field("count", INTEGER),
    Field("flag", BOOLEAN),
    Lines("taxes", (Field("name", TEXT), Field("amount", MONEY)), key="name"),
)

THING = Record(
    "test.things",
    key="id",
    version="changed",
    fields=(
        Field("id", ID, required=True),
        Field("changed", INSTANT, required=True),
        Field("name", TEXT),
        Field("other.name", TEXT),
        Field("amount", MONEY),
        Field("rate", RATE),
        Field("count", INTEGER),
        Field("flag", BOOLEAN),
        Field("at", INSTANT),
        Field("day", DATE),
        Field("secret", TEXT, personal=True),
        Lines("lines", _line, key="id"),
        Lines("returns", (Field("id", ID), Field("line", ID), Field("count", INTEGER)), key="id"),
    ),
)

PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

texts = st.text(max_size=12) | st.sampled_from(["", " ", "a b c", "Zoë 😀 Ñandú", "ß", " x ", "\u00a0x", "İ", "0012"])
money = st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=4, allow_nan=False) | st.sampled_from(
    [
        Decimal(n)
        for n in ("0", "0.005", "-0.005", "2.5", "2.25", "999999999999999.9999", "-999999999999999.9999", "1.0050")
    ]
)
rates = st.decimals(min_value=-100, max_value=100, places=8, allow_nan=False) | st.sampled_from(
    [Decimal(n) for n in ("0", "0.21", "9999999999.99999999", "-9999999999.99999999")]
)
integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
_edges = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
]
instants = st.datetimes(datetime(1905, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)) | st.builds(
    lambda edge, seconds: edge + timedelta(seconds=seconds), st.sampled_from(_edges), st.integers(-7300, 7300)
)
days = st.dates(date(1, 1, 1), date(9999, 12, 31))
keys = st.sampled_from(["a", "b", "c", "d"])


def row_of(fields: tuple[Field | Lines, ...], few: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """A row with any values, nulls among them; key fields come from a few values, so that they meet."""
    kinds = {
        TEXT: texts,
        ID: keys,
        MONEY: money,
        RATE: rates,
        INTEGER: integers,
        BOOLEAN: st.booleans(),
        INSTANT: instants,
        DATE: days,
    }
    shape: dict[str, Any] = {}
    for f in fields:
        if isinstance(f, Lines):
            shape[f.name] = st.lists(row_of(f.fields), max_size=4)
        else:
            shape[f.name] = kinds[f.type] if f.required else st.none() | kinds[f.type]
    return st.fixed_dictionaries(shape)


things = st.lists(row_of(THING.fields), max_size=8)
flat_things = st.lists(row_of(tuple(THING.scalars)), max_size=8)


def frame_of(record: Record, rows: list[dict[str, Any]], parents: list[int] | None = None) -> Frame:
    """A frame of rows by column names; lists are lists of rows; what a row leaves out is null."""
    arrays = [pa.array([row.get(f.name) for row in rows], f.type.arrow) for f in record.scalars]
    schema = record.arrow
    if parents is not None:
        arrays = [pa.array(parents, pa.int64()), *arrays]
        schema = schema.insert(0, pa.field(PARENT, pa.int64()))
    lines = {}
    for li in record.lists:
        children = [(n, child) for n, row in enumerate(rows) for child in row.get(li.name) or ()]
        lines[li.name] = frame_of(li.record, [c for _, c in children], [n for n, _ in children])
    return Frame(record, pa.table(arrays, schema=schema), lines)


def scope_of(
    rows: list[dict[str, Any]], context: Context = CONTEXT, tables: Tables | None = None, record: Record = THING
) -> Scope:
    return Scope(frame_of(record, rows), context, tables or Tables())


def values_of(made: Made) -> list[Any]:
    """The values, REFUSED where the verb refused; a refused row's value must be null."""
    refused = refused_rows(made.refusals, len(made.values)).to_pylist()
    values = made.values.to_pylist()
    assert all(v is None for v, r in zip(values, refused, strict=True) if r), "a refused row has a value"
    return [REFUSED if r else v for v, r in zip(values, refused, strict=True)]


def agrees(verb: Verb, scope: Scope, rows: list[dict[str, Any]], reference: Callable[[dict[str, Any]], Any]) -> None:
    """The verb makes what the reference makes of each row, in the type that it declares."""
    declared = verb.type(Shape(scope.record, tables=scope.tables)).arrow
    made = verb.make(scope)
    assert made.values.type == declared
    assert values_of(made) == [reference(row) for row in rows]
    assert isinstance(verb.words(), str) and verb.words()
