"""A chunk of records in columns: a table, and a child frame for every list field. Arrow carries, pandas validates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.schemas.base import Record

PARENT = "_parent"

# A run is a long row of chunks: the system's allocator gives their memory back, Arrow's own keeps a tenth of it.
pa.set_memory_pool(pa.system_memory_pool())


@dataclass(frozen=True)
class Frame:
    """Records of one kind, at most about 10,000.

    table: the scalar columns of ``record``, named and typed as declared (``record.arrow``), one row a record.
    lines: for every list field a frame of its elements, whose table begins with ``_parent``: int64, the row number in
    this table, ascending; elements keep their order.
    """

    record: Record
    table: pa.Table
    lines: Mapping[str, Frame] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, name: str) -> pa.Array:
        """A column as one array."""
        column = self.table.column(name)
        return (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )

    @property
    def parent(self) -> pa.Array:
        """The row number of the parent of every row."""
        return self[PARENT]

    def filter(self, keep: pa.Array) -> Frame:
        """The rows where ``keep`` is true, with their lines."""
        return self.take(pc.indices_nonzero(keep))

    def take(self, rows: pa.Array) -> Frame:
        """These rows, in ascending order, each at most once, with their lines renumbered."""
        rows = rows.cast(pa.int64())
        lines = {}
        for name, child in self.lines.items():
            position = pc.index_in(child.parent, value_set=rows)
            kept = child.take(pc.indices_nonzero(pc.is_valid(position)))
            numbers = position.drop_null().cast(pa.int64())
            lines[name] = Frame(kept.record, kept.table.set_column(0, PARENT, numbers), kept.lines)
        return Frame(self.record, self.table.take(rows), lines)

    @staticmethod
    def empty(record: Record, child: bool = False) -> Frame:
        """No rows, all columns."""
        schema = record.arrow.insert(0, pa.field(PARENT, pa.int64())) if child else record.arrow
        return Frame(record, schema.empty_table(), {li.name: Frame.empty(li.record, child=True) for li in record.lists})
