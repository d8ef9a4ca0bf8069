"""From columns back to one object a record, and to the exact bytes of a request's body."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from crosswalk.frames.frame import Frame

Payload = dict[str, Any]

_encoder = msgspec.json.Encoder(decimal_format="number")


def payloads(frame: Frame) -> list[Payload]:
    """One nested dict a row, by wire paths. Decimals, dates and instants (aware, UTC) stay what they are.

    Nulls are left out, and so are lists without elements: a column nobody filled says nothing.
    """
    rows: list[Payload] = [{} for _ in range(len(frame))]
    for field in frame.record.scalars:
        *branches, leaf = field.at.split(".")
        column = frame[field.name]
        if column.null_count == len(column):
            continue
        for row, value in zip(rows, column.to_pylist(), strict=True):
            if value is not None:
                _place(row, branches)[leaf] = value
    for name, child in frame.lines.items():
        *branches, leaf = next(lines.at for lines in frame.record.lists if lines.name == name).split(".")
        for parent, element in zip(child.parent.to_pylist(), payloads(child), strict=True):
            _place(rows[parent], branches).setdefault(leaf, []).append(element)
    return rows


def render(value: object) -> bytes:
    """JSON bytes: decimals as exact numbers, dates and instants as ISO 8601, members in their order.

    Raises TypeError for a float and ValueError for a decimal that is no number: neither may reach a vendor.
    """
    _refuse_inexact(value)
    return _encoder.encode(value)


def _place(row: Payload, branches: list[str]) -> Payload:
    for branch in branches:
        row = row.setdefault(branch, {})
    return row


def _refuse_inexact(value: object) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_inexact(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_inexact(inner)
    elif isinstance(value, float):
        raise TypeError(f"a float ({value!r}) in a payload; numbers are int or Decimal")
    elif isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is no JSON number")
