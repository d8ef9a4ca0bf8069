"""Where a name leads: ``name`` in the row itself, ``^.name`` in the record the row belongs to, ``list.name`` in a list.

A Shape answers for a record's declaration when a mapping is built, a Scope for a frame's columns when it is applied.
Both follow the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.frames.frame import Frame
from crosswalk.mapping.context import Context
from crosswalk.mapping.tables import Tables
from crosswalk.schemas.base import Field, Record

UP = "^."


def route(record: Record, path: str) -> tuple[tuple[str, ...], str]:
    """The lists that ``path`` passes through, and the name that is left ("" when it names a list)."""
    if path in record and isinstance(record[path], Field):
        return (), path
    for li in record.lists:
        if path == li.name:
            return (li.name,), ""
        if path.startswith(li.name + "."):
            lists, rest = route(li.record, path[len(li.name) + 1 :])
            return (li.name, *lists), rest
    return (), path


@dataclass(frozen=True)
class Shape:
    """A record's declaration seen from one of its rows. ``seen`` collects every field that was asked for."""

    record: Record
    up: Shape | None = None
    at: str = ""
    seen: set[str] = field(default_factory=set)
    tables: Tables | None = None

    @property
    def above(self) -> Shape:
        """The record that the row belongs to. Raises MappingError at the top."""
        if self.up is None:
            raise MappingError(f"{self.record.name} is the whole record, so '^.' leads nowhere.")
        return self.up

    def field(self, path: str) -> Field:
        """The field that ``path`` names. Raises MappingError with close matches when there is none."""
        if path.startswith(UP):
            return self.above.field(path[len(UP) :])
        lists, rest = route(self.record, path)
        if lists:
            raise MappingError(
                f"{path!r} lies in the list {'.'.join(lists)!r}, which has many values for one row; "
                f"use Sum, Count, First or Match, or a Lines block."
            )
        if rest not in self.record:
            raise MappingError(f"{self.record.name} has no field {path!r}.{self._close(rest)}")
        self.seen.add(self.at + rest)
        found = self.record[rest]
        assert isinstance(found, Field)
        return found

    def into(self, path: str) -> tuple[Shape, str]:
        """The elements of the list that ``path`` leads to, and the name that is left. Raises MappingError."""
        if path.startswith(UP):
            return self.above.into(path[len(UP) :])
        lists, rest = route(self.record, path)
        if not lists:
            names = ", ".join(li.name for li in self.record.lists) or "none"
            raise MappingError(f"{path!r} does not lead to a list of {self.record.name}; its lists are: {names}.")
        shape = self
        for name in lists:
            inner = next(li for li in shape.record.lists if li.name == name)
            shape = Shape(inner.record, shape, f"{shape.at}{name}.", self.seen, self.tables)
        self.seen.add(shape.at)
        return shape, rest

    def elements(self, path: str) -> Shape:
        """The elements of the list that ``path`` names. Raises MappingError when it names something else."""
        shape, rest = self.into(path)
        if rest:
            raise MappingError(f"{path!r} is a field, not a list; {shape.record.name!r} is the list.")
        return shape

    def _close(self, name: str) -> str:
        names = [*(f.name for f in self.record.scalars), *(li.name for li in self.record.lists)]
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        tails = [n for n in names if n.rpartition(".")[2] == name.rpartition(".")[2] and n not in close][:2]
        found = [*close, *tails]
        if found:
            return f" Did you mean {' or '.join(repr(n) for n in found)}?"
        return f" Its fields are: {', '.join(sorted(names)[:12])}{', …' if len(names) > 12 else ''}."


@dataclass(frozen=True)
class Scope:
    """Rows of a frame. ``rows`` are their numbers in the frame (all of them when None), ``parents`` the position of
    each row's parent among the rows of ``up``."""

    frame: Frame
    context: Context
    tables: Tables
    up: Scope | None = None
    parents: pa.Array | None = None
    rows: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.frame) if self.rows is None else len(self.rows)

    @property
    def record(self) -> Record:
        return self.frame.record

    @cached_property
    def above(self) -> Scope:
        """The records that the rows belong to, one for each row."""
        if self.up is None or self.parents is None:
            raise MappingError(f"{self.record.name} is the whole record, so '^.' leads nowhere.")
        up = self.up
        rows = self.parents if up.rows is None else up.rows.take(self.parents)
        parents = None if up.parents is None else up.parents.take(self.parents)
        return Scope(up.frame, self.context, self.tables, up.up, parents, rows)

    @property
    def whole(self) -> Scope:
        """All rows of the frame that these rows are in."""
        if self.up is None:
            return Scope(self.frame, self.context, self.tables)
        return Scope(self.frame, self.context, self.tables, self.up.whole, self.frame.parent)

    @property
    def top_rows(self) -> pa.Array:
        """The row of the whole record in its frame, for each row; int64."""
        scope = self
        while scope.up is not None:
            scope = scope.above
        return scope.rows if scope.rows is not None else pa.array(np.arange(len(scope), dtype=np.int64))

    def column(self, path: str) -> pa.Array:
        """The values of the field that ``path`` names, one for each row."""
        if path.startswith(UP):
            return self.above.column(path[len(UP) :])
        values = self.frame[path]
        return values if self.rows is None else values.take(self.rows)

    def into(self, path: str) -> tuple[Scope, pa.Array, str]:
        """The elements of the list that ``path`` leads to, the position of each one's row here (int64, ascending),
        and the name that is left."""
        if path.startswith(UP):
            return self.above.into(path[len(UP) :])
        lists, rest = route(self.record, path)
        scope, positions = self, None
        for name in lists:
            scope = scope._elements(name)
            positions = scope.parents if positions is None else positions.take(scope.parents)
        assert positions is not None
        return scope, positions, rest

    def filter(self, keep: pa.Array) -> Scope:
        """The rows where ``keep`` is true."""
        numbers = pc.indices_nonzero(keep).cast(pa.int64())
        rows = numbers if self.rows is None else self.rows.take(numbers)
        return replace(self, rows=rows, parents=None if self.parents is None else self.parents.take(numbers))

    def _elements(self, name: str) -> Scope:
        child = self.frame.lines[name]
        if self.rows is None:
            return Scope(child, self.context, self.tables, self, child.parent)
        parent = child.parent.to_numpy()
        starts = np.searchsorted(parent, np.arange(len(self.frame) + 1))
        rows = self.rows.to_numpy()
        counts = starts[rows + 1] - starts[rows]
        parents = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
        first = np.repeat(starts[rows] - (np.cumsum(counts) - counts), counts)
        numbers = np.arange(len(parents), dtype=np.int64) + first
        return Scope(child, self.context, self.tables, self, pa.array(parents), pa.array(numbers, pa.int64()))
