"""References: to records of another resource, and our own mark on a record."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.outcome import Links
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import as_text
from crosswalk.mapping.verb import Made, Operand, Verb, verb
from crosswalk.mapping.verbs.basic import textual
from crosswalk.schemas.base import TEXT, Type


@dataclass(frozen=True)
class Link(Verb):
    """A reference to the record of ``to`` that the source record ``operand`` of ``of`` has become.

    Makes no value: the delivery engine finds it in the cross-reference, and a record whose parent is not there yet
    waits. A missing id is a missing value. part: part key of the record that is meant, text or a verb; "" its main one.
    """

    operand: Operand
    to: str
    of: str
    part: str | Verb = ""

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        raise MappingError("Link stands alone as the verb of a rule; it makes no value that another verb could use.")

    def check(self, shape: Shape) -> None:
        """Raises MappingError when the id is not text."""
        textual(self.operand, shape)
        if isinstance(self.part, Verb):
            textual(self.part, shape)
        for resource in (self.to, self.of):
            if "." not in resource:
                raise MappingError(f"{resource!r} is not a resource; write for example 'xero.contacts'.")

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        """The ids."""
        return verb(self.operand).make(scope)

    def links(self, scope: Scope, ids: pa.Array) -> Links:
        """The references, with ids that may have had a default."""
        part = verb(self.part).make(scope).values if isinstance(self.part, Verb) else None
        if isinstance(self.part, str) and self.part:
            part = pa.repeat(pa.scalar(self.part), len(scope))
        return Links(self.to, self.of, ids, part)

    def words(self) -> str:
        which = ""
        if self.part:
            which = f", part {self.part.inside() if isinstance(self.part, Verb) else f'`{self.part}`'}"
        return f"the {self.to} record that {verb(self.operand).inside()} of {self.of} became{which}"


@dataclass(frozen=True)
class Marker(Verb):
    """Our own reference: the connection's prefix, ``kind`` where one is given, and the source id, joined with "-".

    Never cut: a mark that is too long for its field is held. bare: the source id alone, for a record that is only ever
    looked for among the children of one of ours.
    """

    operand: Operand
    kind: str = ""
    bare: bool = False

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        kind = verb(self.operand).type(shape)
        if kind.arrow not in (pa.string(), pa.int64()):
            raise MappingError(f"{verb(self.operand).words()} is {kind.name}; Marker needs an id.")
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        if self.bare:
            return made.then(as_text(made.values))
        if not scope.context.prefix:
            raise MappingError("The connection has no prefix, and a marker without one could be anybody's.")
        start = f"{scope.context.prefix}-{self.kind}-" if self.kind else f"{scope.context.prefix}-"
        return made.then(pc.binary_join_element_wise(pa.scalar(start), as_text(made.values), ""))

    def words(self) -> str:
        if self.bare:
            return f"our mark: {verb(self.operand).inside()}, and nothing else"
        kind = f"`{self.kind}`, " if self.kind else ""
        return f"our mark: the connection’s prefix, {kind}{verb(self.operand).inside()}, joined with `-`"
