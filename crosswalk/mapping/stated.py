"""What the source says of a few target fields, for every row: of those that a mapping holds or leaves out too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from crosswalk.frames.frame import Frame
from crosswalk.mapping.apply import _Run, in_scope
from crosswalk.mapping.context import Context
from crosswalk.mapping.language import LEAVE_OUT, Mapping, Rule
from crosswalk.mapping.verb import Verb, refused_rows
from crosswalk.schemas.base import Field


def stated(
    mapping: Mapping, frame: Frame, context: Context, fields: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """By source key and part key, the values of these target fields: what the mapping confirms, else what its rule
    says. A field that nothing fills, and one whose value a rule refuses, is left out.

    Raises MappingError as ``Mapping.apply`` does.
    """
    run = _Run(mapping, mapping.built, in_scope(mapping, frame, context))
    keys, parts, _ = run._names()
    found: list[dict[str, Any]] = [{} for _ in range(len(keys))]
    for field in fields:
        how, place = _verb(mapping, field), mapping.target[field]
        if how is None or not isinstance(place, Field):
            continue
        made = run._answered(Rule(field, how, missing=LEAVE_OUT, why="stated"), place, run.scope)
        good = pc.invert(refused_rows(made.refusals, len(keys)))
        for row, (value, kept) in enumerate(zip(made.values.to_pylist(), good.to_pylist(), strict=True)):
            if kept and value is not None:
                found[row][field] = value
    return dict(zip(zip(keys.to_pylist(), parts.to_pylist(), strict=True), found, strict=True))


def _verb(mapping: Mapping, field: str) -> Verb | None:
    for confirm in mapping.built.confirms:
        if confirm.target == field:
            return confirm.verb
    return next((rule.verb for rule in mapping.built.rules if rule.target == field), None)
