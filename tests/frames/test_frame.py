"""Rows are taken together with everything that hangs on them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from frame_samples import Sale, raw, sale
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswalk.frames.frame import Frame
from crosswalk.frames.parse import parse
from crosswalk.frames.payload import payloads
from crosswalk.frames.validate import same_types

counts = st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=8)


def frame(shape: list[list[int]]) -> Frame:
    """A sale for every entry, with a line for every number in it and as many taxes on the line."""

    def lines(numbers: list[int]) -> dict[str, Any]:
        return {
            "nodes": [
                {"sku": f"{at}", "quantity": taxes, "taxes": [{"title": f"{at}.{t}"} for t in range(taxes)]}
                for at, taxes in enumerate(numbers)
            ]
        }

    return parse(Sale, [raw(sale(n, lines=lines(numbers))) for n, numbers in enumerate(shape)]).frame


@settings(max_examples=60, deadline=None)
@given(counts, st.data())
def test_taking_rows_takes_their_lines(shape: list[list[int]], data: st.DataObject) -> None:
    """The rows that are taken are those objects, lists in lists included; the rest leaves nothing behind."""
    whole = frame(shape)
    keep = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    rows = [row for row, kept in enumerate(keep) if kept]
    expected = [payload for payload, kept in zip(payloads(whole), keep, strict=True) if kept]
    for part in (whole.filter(pa.array(keep, pa.bool_())), whole.take(pa.array(rows, pa.int64()))):
        same_types(part)
        assert payloads(part) == expected
        assert len(part.lines["lines"]) == sum(len(shape[row]) for row in rows)


def test_an_empty_frame_has_every_column() -> None:
    """No rows, all columns, all lists."""
    same_types(Frame.empty(Sale))
    assert len(Frame.empty(Sale)) == 0
