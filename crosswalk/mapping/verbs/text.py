"""Text put together, taken apart and cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import as_text
from crosswalk.mapping.verb import Made, Operand, Refusal, Verb, verb
from crosswalk.mapping.verbs.basic import textual
from crosswalk.schemas.base import TEXT, Type

JOINABLE = (pa.string(), pa.int64(), pa.date32())


@dataclass(frozen=True, init=False)
class Concat(Verb):
    """Texts, whole numbers and days one after the other; constant text is ``Const("...")``.

    Missing parts make the whole missing, or are passed over with ``skip_missing`` (all missing makes it missing).
    """

    operands: tuple[Verb, ...]
    separator: str
    skip_missing: bool

    def __init__(self, *operands: Operand, separator: str = "", skip_missing: bool = False) -> None:
        object.__setattr__(self, "operands", tuple(verb(o) for o in operands))
        object.__setattr__(self, "separator", separator)
        object.__setattr__(self, "skip_missing", skip_missing)

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if not self.operands:
            raise MappingError("Concat needs at least one operand.")
        for operand in self.operands:
            kind = operand.type(shape)
            if kind.arrow not in JOINABLE:
                raise MappingError(f"{operand.words()} is {kind.name}; Concat joins text, whole numbers and days.")
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = [o.make(scope) for o in self.operands]
        texts = [as_text(m.values) for m in made]
        joined = texts[0]
        for text in texts[1:]:
            both = pc.binary_join_element_wise(joined, text, self.separator)
            # Not null_handling="skip": Arrow 26 then drops a row in which everything is missing.
            joined = pc.coalesce(both, joined, text) if self.skip_missing else both
        refusals: list[Refusal] = [r for m in made for r in m.refusals]
        return Made(joined, tuple(refusals))

    def words(self) -> str:
        glue = f" with {self.separator!r} between" if self.separator else ""
        return " and ".join(o.inside() for o in self.operands) + f" joined{glue}"


@dataclass(frozen=True)
class Split(Verb):
    """One piece of a text: ``part`` 0 is the first, -1 the last; missing when there are not so many.

    ``most`` limits the pieces: with 2 the second is all that follows the first separator.
    """

    operand: Operand
    separator: str
    part: int = 0
    most: int | None = None

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if not self.separator:
            raise MappingError("Split needs a separator that is not empty.")
        textual(self.operand, shape)
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        splits = -1 if self.most is None else self.most - 1
        pieces = pc.split_pattern(made.values, self.separator, max_splits=splits)
        counts = pc.fill_null(pc.list_value_length(pieces), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        ends = np.cumsum(counts)
        at = ends - counts + self.part if self.part >= 0 else ends + self.part
        outside = self.part >= counts if self.part >= 0 else -self.part > counts
        return made.then(pieces.flatten().take(pa.array(np.where(outside, 0, at), mask=outside)))

    def words(self) -> str:
        which = f"part {self.part + 1}" if self.part >= 0 else f"part {-self.part} from the end"
        which = {0: "the first part", -1: "the last part"}.get(self.part, which)
        return f"{which} of {verb(self.operand).inside()} split at {self.separator!r}"


@dataclass(frozen=True)
class Cut(Verb):
    """Text, cut after ``length`` characters."""

    operand: Operand
    length: int

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if self.length < 1:
            raise MappingError("Cut needs a length of at least 1.")
        return textual(self.operand, shape, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope, want)
        return made.then(pc.utf8_slice_codeunits(made.values, 0, self.length))

    def words(self) -> str:
        return f"{verb(self.operand).inside()}, cut after {self.length} characters"
