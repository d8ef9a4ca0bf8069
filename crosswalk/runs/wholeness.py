"""Whether a chunk is whole after each step: rows and the elements of their lists are counted, and none may be gone.

Steps count apart from what they do, so that a mistake in one of them stops the run before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import Unbalanced
from crosswalk.frames.frame import Frame
from crosswalk.mapping.language import Lines, Mapping
from crosswalk.mapping.outcome import Outcome


def lost(what: str) -> Unbalanced:
    """The error of a chunk of which something went missing."""
    return Unbalanced(
        what, safe="the chunk was not written", next_command="report it: a mapping, a check or a join loses rows"
    )


def complete(frame: Frame, elements: Dict[str, Any], kept: pa.Array) -> None:
    """The lists of these records have as many elements as were read. Raises Unbalanced.

    elements: by the dotted name of a list, a count for every raw record; kept: the raw record of every row.
    """
    rows = kept.to_numpy()
    for name, counts in elements.items():
        there, read = len(_below(frame, name)), int(counts[rows].sum())
        if there != read:
            raise lost(f"{read} elements of {name} were read, {there} went on")


def whole(mapping: Mapping, frame: Frame, outcome: Outcome) -> None:
    """Every row came out of one of the three doors, and every line of a placed row with it. Raises Unbalanced."""
    rows = _below(frame, mapping.each or "")
    out = len(outcome.frame) + len(outcome.held) + len(outcome.skipped)
    if out != len(rows):
        raise lost(f"{mapping.title!r} was given {len(rows)} rows and placed {out}")
    if not mapping.each:
        _lines(mapping.title, mapping.built.lines, rows, outcome.source_rows, outcome.frame)


def _lines(title: str, blocks: tuple[Lines, ...], source: Frame, rows: pa.Array, target: Frame) -> None:
    """``rows`` of ``source`` are the rows of ``target``. Blocks that choose among the elements are not counted."""
    for name in {block.target for block in blocks}:
        here = [block for block in blocks if block.target == name]
        if any(block.when is not None or block.each not in source.lines for block in here):
            continue
        placed = {b.each: pc.indices_nonzero(pc.is_in(source.lines[b.each].parent, value_set=rows)) for b in here}
        given, made = sum(len(placed[block.each]) for block in here), len(target.lines[name])
        if given != made:
            raise lost(f"{title!r} was given {given} elements for {name} and placed {made}")
        if len(here) == 1:
            inner = tuple(rule for rule in here[0].rules if isinstance(rule, Lines))
            _lines(title, inner, source.lines[here[0].each], placed[here[0].each], target.lines[name])


def _below(frame: Frame, path: str) -> Frame:
    for step in path.split(".") if path else ():
        frame = frame.lines[step]
    return frame
