"""Raw records become a typed frame; what cannot is refused with field and reason, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import Drift
from crosswalk.frames.casts import cast, misfit
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.frames.reading import plan, read
from crosswalk.frames.refused import Refusals, Refused, excerpt
from crosswalk.schemas.base import Field, Lines, Record

SAMPLE = 200
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
_NUL = b"\\u0000"


@dataclass(frozen=True)
class Parsed:
    """kept: int64, the place among the raw records of every row of the frame.  unknown: wire paths that no field names.
    elements: by the dotted name of a list, how many elements every raw record has in it, as they were read.

    Every raw record is either a row or refused.
    """

    frame: Frame
    kept: pa.Array
    refused: list[Refused]
    unknown: set[str]
    elements: Mapping[str, Counts] = field(default_factory=dict)


def parse(record: Record, raws: Sequence[bytes]) -> Parsed:
    """Read raw JSON objects as ``record``; about 10,000 at a time is cheapest.

    Raises Drift when every one of two or more records lacks, or has in another type, the same required field: then the
    source has changed, and no record is to blame.
    """
    raws = [bytes(raw) for raw in raws]
    how = plan(record)
    refusals = Refusals()
    objects = [row for row, raw in enumerate(raws) if _is_object(raw, row, refusals)]
    nested, rows = read(raws, objects, how, refusals)
    _refuse_drift(record, len(raws), refusals)
    columns = _Columns(refusals, nul=_has_nul(raws), records=len(raws))
    frame = columns.frame(record, nested, pa.array(rows, pa.int64()), "")
    kept = pa.array(rows, pa.int64())
    if len(refusals):
        keep = pc.invert(pc.is_in(kept, value_set=pa.array(refusals.indexes(), pa.int64())))
        frame, kept = frame.filter(keep), kept.filter(keep)
    refused = refusals.sorted()
    if len(kept) + len(refused) != len(raws):
        raise AssertionError(f"{len(raws)} records came in, {len(kept)} + {len(refused)} went out")
    return Parsed(frame, kept, refused, unknown(record, raws), columns.elements)


def _is_object(raw: bytes, row: int, refusals: Refusals) -> bool:
    # A null as the first record kills the process inside Arrow, so nothing but objects may reach it.
    if raw[:1] == b"{":
        return True
    start = raw.lstrip()[:4]
    if start[:1] == b"{":
        return True
    refusals.add(row, "", "is null" if start == b"null" else "is no object" if start else "is empty")
    return False


def _has_nul(raws: Sequence[bytes]) -> bool:
    return any(_NUL in b"\n".join(raws[at : at + SAMPLE]) for at in range(0, len(raws), SAMPLE))


class _Columns:
    """Typed columns out of the nested read, lists into child frames; refuses records on the way."""

    def __init__(self, refusals: Refusals, nul: bool, records: int) -> None:
        self._refusals = refusals
        self._nul = nul
        self._records = records
        self.elements: dict[str, Counts] = {}

    def frame(self, record: Record, nested: pa.StructArray, roots: pa.Array, prefix: str) -> Frame:
        """The frame of these elements; ``roots`` is the raw record that each belongs to."""
        arrays = [self._scalar(field, _reach(nested, field.at), roots, prefix) for field in record.scalars]
        table = pa.Table.from_arrays(arrays, schema=record.arrow)
        lines = {li.name: self._lines(li, _reach(nested, li.at), roots, prefix) for li in record.lists}
        return Frame(record, table, lines)

    def _scalar(self, field: Field, values: pa.Array, roots: pa.Array, prefix: str) -> pa.Array:
        name = prefix + field.name
        if field.required is True and values.null_count:
            self._missing(name, pc.is_null(values), roots)
        typed, bad = cast(values, field)
        if bad is not None:
            reason = misfit(field)
            for row, value in zip(roots.filter(bad).to_pylist(), values.filter(bad).to_pylist(), strict=True):
                self._refusals.add(row, name, f"{excerpt(value, field.personal)} {reason}")
            if field.required is True:
                self._all_gone(name, bad, roots, misfit(field))
        if self._nul and pa.types.is_string(typed.type):
            self._refuse(pc.match_substring(typed, "\0"), roots, name, "holds a NUL character, which no database takes")
        return typed

    def _lines(self, lines: Lines, lists: pa.Array, roots: pa.Array, prefix: str) -> Frame:
        name = prefix + lines.name
        if lines.required and lists.null_count:
            self._missing(name, pc.is_null(lists), roots)
        if lines.whole_below is not None:
            long = pc.greater_equal(pc.list_value_length(lists), lines.whole_below)
            reason = f"was asked for with at most {lines.whole_below} elements, has as many, and may be cut"
            self._refuse(long, roots, name, reason, "whole list")
        self._count(name, lists, roots)
        parents = pc.list_parent_indices(lists).cast(pa.int64())
        elements = pc.list_flatten(lists)
        roots = roots.take(parents)
        if elements.null_count:
            self._refuse(pc.is_null(elements), roots, name, "has an element that is null")
        child = self.frame(lines.record, elements, roots, f"{name}.")
        table = child.table.add_column(0, pa.field(PARENT, pa.int64()), parents)
        return Frame(child.record, table, child.lines)

    def _count(self, name: str, lists: pa.Array, roots: pa.Array) -> None:
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        counts = np.bincount(roots.to_numpy(), weights=lengths, minlength=self._records)
        self.elements[name] = counts.astype(np.int64)

    def _missing(self, name: str, missing: pa.Array, roots: pa.Array) -> None:
        self._all_gone(name, missing, roots, "is missing")
        self._refuse(missing, roots, name, "is missing", "required")

    def _all_gone(self, name: str, gone: pa.Array, roots: pa.Array, reason: str) -> None:
        if len(gone) > 1 and pc.all(gone).as_py() and pc.count_distinct(roots).as_py() > 1:
            raise _drift(name, f"{reason} in every record")

    def _refuse(self, where: pa.Array, roots: pa.Array, name: str, reason: str, rule: str = "shape") -> None:
        self._refusals.add_all(roots.filter(where).to_pylist(), name, reason, rule)


def _reach(nested: pa.StructArray, path: str) -> pa.Array:
    return pc.struct_field(nested, path.split("."))


def _drift(field: str, what: str) -> Drift:
    return Drift(
        f"The required field {field} {what}: the source has changed its records",
        safe="nothing of this chunk was written",
        next_command="compare the declaration in crosswalk/schemas with the vendor's changes",
    )


def _refuse_drift(record: Record, total: int, refusals: Refusals) -> None:
    """When no record can be read and most fail at the same required field, that field has changed its type."""
    if total < 2 or len(refusals) < total:
        return
    (field, reason), count = Counter((r.field, r.reason) for r in refusals.sorted()).most_common(1)[0]
    if count * 2 > total and field in _required(record):
        raise _drift(field, f"{reason} in {'every record' if count == total else 'most records'}")


def _required(record: Record, prefix: str = "") -> set[str]:
    own = {prefix + f.name for f in record.fields if f.required is True}
    return own.union(*(_required(lines.record, f"{prefix}{lines.name}.") for lines in record.lists))


def unknown(record: Record, raws: Sequence[bytes]) -> set[str]:
    """Wire paths in a sample of the records that are neither declared nor known to be ignored."""
    known = plan(record).known
    found: set[str] = set()
    for raw in raws[:: max(1, len(raws) // SAMPLE)]:
        try:
            _look(msgspec.json.decode(raw), "", known, found)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
    return {path for path in found if not any(f"{path}.".startswith(f"{known}.") for known in record.ignores)}


def _look(value: Any, path: str, known: frozenset[str], found: set[str]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            if here not in known:
                found.add(here)
            elif isinstance(inner, dict | list):
                _look(inner, here, known, found)
    elif isinstance(value, list):
        for inner in value:
            _look(inner, path, known, found)
