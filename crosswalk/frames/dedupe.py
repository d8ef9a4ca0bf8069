"""The same record read twice in one chunk, because pages overlap, counts once, in its newest version."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.frames.frame import Frame


@dataclass(frozen=True)
class Distinct:
    """One row a key, in the order they were read.  duplicates: the places, as in ``kept``, of what was dropped."""

    frame: Frame
    kept: pa.Array
    duplicates: pa.Array


def dedupe(frame: Frame, kept: pa.Array) -> Distinct:
    """Keep the newest version of every key, of equal versions the one read last.

    ``kept`` names the raw record of each row, as in Parsed. A null version is older than any.
    """
    record = frame.record
    keys = frame[record.key]
    if pc.count_distinct(keys, mode="all").as_py() == len(keys):
        return Distinct(frame, kept, pa.array([], pa.int64()))
    rows = pa.array(range(len(frame)), pa.int64())
    columns = {"key": keys, "row": rows}
    by = [("key", "ascending"), ("row", "ascending")]
    if record.version:
        columns["version"] = frame[record.version]
        columns["known"] = pc.is_valid(columns["version"]).cast(pa.int8())
        by[1:1] = [("known", "ascending"), ("version", "ascending")]
    order = pc.sort_indices(pa.table(columns), sort_keys=by)
    ordered = keys.take(order)
    same = pc.fill_null(pc.equal(ordered[:-1], ordered[1:]), False)
    last = pa.concat_arrays([pc.invert(same), pa.array([True])])
    newest = order.filter(last).cast(pa.int64())
    stays = pc.is_in(rows, value_set=newest)
    return Distinct(frame.filter(stays), kept.filter(stays), kept.filter(pc.invert(stays)))
