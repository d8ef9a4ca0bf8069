"""Frames as rows of a database: their text, their hashes, what no database takes, the newest of each key.

The hash of a row is worked out here and not in SQL: SQLite has no hash function, both databases must agree on it, and
a row whose hash is known need not be sent at all when the target already shows it. Arrow joins the columns; the only
Python-level step a row is one SHA-256, about a microsecond.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.connectors.database_layout import Table
from crosswalk.frames.frame import Frame
from crosswalk.schemas.base import Field

SCHEME = "r1:"
KEY_BYTES = 1000  # An index entry of PostgreSQL holds 2,704 bytes; a key is far below, or it is no key.
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that no database takes. row: in the frame; field: dotted through the lists; reason: for a person."""

    row: int
    field: str
    reason: str


def text(column: pa.Array) -> pa.Array:
    """A column as text that every database reads back exactly: decimals without exponent, instants ending in Z."""
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_timestamp(column.type):
        # Without its zone, which is UTC, the cast is thirty times cheaper.
        return pc.binary_join_element_wise(column.cast(pa.timestamp("us")).cast(pa.string()), "Z", "")
    written = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        exponent = pc.match_substring(written, "E")
        if pc.any(exponent).as_py():
            plain = [format(Decimal(value), "f") for value in written.filter(exponent).to_pylist()]
            written = pc.replace_with_mask(written, pc.fill_null(exponent, False), pa.array(plain, pa.string()))
    return written


def hashes(frame: Frame) -> pa.Array:
    """A hash of every row with its lines, in their order; equal content, equal hash.

    A null counts as an absent field, so that a new column changes only the rows that have a value for it.
    """
    content = _content(frame).cast(pa.binary()).to_pylist()
    return pa.array([SCHEME + hashlib.sha256(row).hexdigest()[:40] for row in content], pa.string())


def _content(frame: Frame) -> pa.Array:
    """One string a row: name NUL value for every field that has one. NUL never stands in a value (see unloadable)."""
    # Without a first piece that is never null, Arrow drops the rows where every piece is.
    pieces: list[object] = [""]
    for field in sorted(frame.record.scalars, key=lambda field: field.name):
        column = frame[field.name]
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = column.view(pa.int64() if column.type.bit_width == 64 else pa.int32())
        pieces.append(pc.binary_join_element_wise(field.name, text(column), "\0"))
    for name in sorted(frame.lines):
        joined = _joined(frame.lines[name], len(frame))
        filled = pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)
        pieces.append(pc.binary_join_element_wise(name, filled, "\0"))
    return pc.binary_join_element_wise(*pieces, "\0", null_handling="skip")


def _joined(lines: Frame, parents: int) -> pa.Array:
    """The elements of every parent, each after its length so that no two lists look alike."""
    content = _content(lines)
    counted = pc.binary_join_element_wise(pc.binary_length(content).cast(pa.string()), content, ":")
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(_starts(lines, parents)), counted), "")


def _starts(lines: Frame, parents: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Where the elements of every parent begin; one more than there are parents."""
    return np.searchsorted(lines.parent.to_numpy(), np.arange(parents + 1)).astype(np.int32)


def newest(keys: pa.Array, versions: pa.Array) -> pa.Array:
    """The rows that are the newest of their key, ascending; of equal versions the last one."""
    rows = pa.array(np.arange(len(keys)))
    if pc.count_distinct(keys).as_py() == len(keys):
        return rows
    table = pa.table({"key": keys, "version": versions, "row": rows})
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    sorted_keys = keys.take(order)
    last = pc.not_equal(sorted_keys[:-1], sorted_keys[1:])
    kept = order.filter(pa.concat_arrays([last, pa.array([True])])).cast(pa.int64())
    return kept.take(pc.sort_indices(kept))


def rows(frame: Frame, table: Table) -> Iterator[tuple[Table, pa.Table]]:
    """Every table below ``table`` with its rows, keys included; the table of ``frame`` itself first."""
    yield table, frame.table.select(list(table.columns))
    above = {"_parent": frame[table.key[0]]}
    for name, child in table.lists.items():
        yield from _child_rows(frame.lines[name], child, above, len(frame))


def _child_rows(
    frame: Frame, table: Table, above: dict[str, pa.Array], parents: int
) -> Iterator[tuple[Table, pa.Table]]:
    parent = frame.parent
    key = {name: column.take(parent) for name, column in above.items()}
    starts = _starts(frame, parents)
    key[table.key[-1]] = pa.array(np.arange(len(frame)) - starts[parent.to_numpy()] + 1, pa.int64())
    values = {name: frame[name] for name in table.columns if name not in key}
    yield table, pa.table(key | values)
    for name, child in table.lists.items():
        yield from _child_rows(frame.lines[name], child, key, len(frame))


def unloadable(frame: Frame) -> tuple[pa.Array, list[Unfit]]:
    """The rows that no database takes, as a mask over ``frame``, and why: to be held before ``load``.

    NUL in text, a missing or oversized key, a number with more digits than declared, an instant or date outside the
    years 1 to 9999; in the row itself or in its lines.
    """
    found = [*_unfit_key(frame), *_unfit(frame, "", pa.array(np.arange(len(frame))))]
    mask = np.zeros(len(frame), dtype=bool)
    mask[[one.row for one in found]] = True
    return pa.array(mask), found


def _unfit_key(frame: Frame) -> Iterator[Unfit]:
    name = frame.record.key
    keys = frame[name]
    for row in pc.indices_nonzero(pc.is_null(keys)).to_pylist():
        yield Unfit(row, name, "the record has no key")
    if pa.types.is_string(keys.type):
        for row in pc.indices_nonzero(pc.equal(keys, "")).to_pylist():
            yield Unfit(row, name, "the record has an empty key")
        for row in pc.indices_nonzero(pc.greater(pc.binary_length(keys), KEY_BYTES)).to_pylist():
            yield Unfit(row, name, f"the key is longer than {KEY_BYTES} bytes")


def _unfit(frame: Frame, path: str, roots: pa.Array) -> Iterator[Unfit]:
    for field in frame.record.scalars:
        if (mask := _bad(field, frame[field.name])) is None:
            continue
        bad, reason = mask
        for row in roots.filter(pc.fill_null(bad, False)).to_pylist():
            yield Unfit(row, path + field.name, reason)
    for name, lines in frame.lines.items():
        yield from _unfit(lines, f"{path}{name}.", roots.take(lines.parent))


def _bad(field: Field, column: pa.Array) -> tuple[pa.Array, str] | None:
    """Which values of a column do not fit, null where there is none, and why; None when all fit."""
    kind = column.type
    if pa.types.is_string(kind):
        mask, reason = pc.match_substring(column, "\0"), "the text holds a NUL character"
    elif pa.types.is_decimal(kind):
        most = (Decimal(10) ** kind.precision - 1).scaleb(-kind.scale)
        mask = pc.or_(pc.greater(column, pa.scalar(most, kind)), pc.less(column, pa.scalar(-most, kind)))
        reason = f"the number has more digits than {field.type.name} holds"
    elif pa.types.is_timestamp(kind):
        mask = pc.or_(pc.less(column, pa.scalar(_EARLIEST, kind)), pc.greater(column, pa.scalar(_LATEST, kind)))
        reason = "the instant is outside the years 1 to 9999"
    elif pa.types.is_date(kind):
        mask = pc.or_(pc.less(column, pa.scalar(date.min, kind)), pc.greater(column, pa.scalar(date.max, kind)))
        reason = "the date is outside the years 1 to 9999"
    else:
        return None
    return (mask, reason) if pc.any(mask).as_py() else None
