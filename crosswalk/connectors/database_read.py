"""Reading the tables of a record back as a frame, values exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from crosswalk.connectors.database_dialect import Dialect
from crosswalk.connectors.database_layout import PARENT, Table
from crosswalk.connectors.database_load import staged
from crosswalk.connectors.database_schema import target
from crosswalk.frames.frame import Frame
from crosswalk.schemas.base import Record


def read(
    connection: sa.Connection, dialect: Dialect, record: Record, table: Table, keys: Sequence[str | int] | None
) -> Frame:
    """All rows, or those of ``keys``, by ascending key."""
    if keys is None:
        return _read(connection, dialect, record, table, None)
    with staged(connection, dialect, "cw_keys", {"key": pa.array(keys, table.columns[table.key[0]])}) as stage:
        return _read(connection, dialect, record, table, stage)


def _read(connection: sa.Connection, dialect: Dialect, record: Record, table: Table, only: sa.Table | None) -> Frame:
    values = _columns(connection, dialect, table, only)
    order = pc.sort_indices(values[table.key[0]])
    values = values.take(order)
    places = {key: row for row, key in enumerate(values[table.key[0]].to_pylist())}
    lines = {}
    for line in record.lists:
        lines[line.name] = _lines(connection, dialect, line.record, table.lists[line.name], only, places)
    return Frame(record, values.select(record.arrow.names), lines)


def _lines(
    connection: sa.Connection,
    dialect: Dialect,
    record: Record,
    table: Table,
    only: sa.Table | None,
    places: Mapping[Any, int],
) -> Frame:
    """The elements below the rows at ``places`` (key of the row above → its number), in their order."""
    values = _columns(connection, dialect, table, only)
    above = list(zip(*(values[name].to_pylist() for name in table.key[:-1]), strict=True))
    parents = np.array([places.get(key if len(key) > 1 else key[0], -1) for key in above], dtype=np.int64)
    order = np.lexsort((values[table.key[-1]].to_numpy(), parents)) if len(parents) else np.array([], dtype=np.int64)
    order = order[parents[order] >= 0]
    values = values.take(pa.array(order, pa.int64()))
    below = {key: row for row, key in enumerate(zip(*(values[name].to_pylist() for name in table.key), strict=True))}
    lines = {
        line.name: _lines(connection, dialect, line.record, table.lists[line.name], only, below)
        for line in record.lists
    }
    content = values.select(record.arrow.names).add_column(0, PARENT, pa.array(parents[order], pa.int64()))
    return Frame(record, content, lines)


def _columns(connection: sa.Connection, dialect: Dialect, table: Table, only: sa.Table | None) -> pa.Table:
    there = target(table, dialect)
    chosen = sa.select(*(there.c[name] for name in table.columns))
    if only is not None:
        chosen = chosen.where(there.c[table.key[0]].in_(sa.select(only.c.key)))
    found = connection.execute(chosen).all()
    columns = zip(*found, strict=True) if found else ((),) * len(table.columns)
    return pa.table(
        {name: _array(values, kind) for (name, kind), values in zip(table.columns.items(), columns, strict=True)}
    )


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Values as the driver gives them: what SQLite keeps as text is cast back."""
    if pa.types.is_boolean(kind):
        return pa.array([None if value is None else bool(value) for value in values], kind)
    if not pa.types.is_string(kind) and any(isinstance(value, str) for value in values):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)
