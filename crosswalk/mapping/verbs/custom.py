"""A function of the author's own, named and documented, over Arrow arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.verb import Made, Operand, Verb, refuse, verb
from crosswalk.schemas.base import Type


@dataclass(frozen=True, init=False)
class Custom(Verb):
    """What ``function`` makes of columns. Its docstring is required: it is what the page says.

    The function gets one Arrow array for each operand, without iterating over rows, and returns an array of ``returns``
    and as long, or ``(array, refused, reason)``: a boolean array and a sentence (or an array of sentences) for the rows
    that it refuses. with_scope: it gets the Scope first, for lists (``scope.into("lines.amount")``); ``reads`` names
    what it reads there.
    """

    function: Callable[..., Any]
    operands: tuple[Verb, ...]
    returns: Type
    with_scope: bool
    reads: tuple[str, ...]

    def __init__(
        self,
        function: Callable[..., Any],
        *operands: Operand,
        returns: Type,
        with_scope: bool = False,
        reads: tuple[str, ...] = (),
    ) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "operands", tuple(verb(o) for o in operands))
        object.__setattr__(self, "returns", returns)
        object.__setattr__(self, "with_scope", with_scope)
        object.__setattr__(self, "reads", tuple(reads))

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", repr(self.function)))

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if not inspect.getdoc(self.function) or self.name == "<lambda>":
            raise MappingError(f"The function {self.name} needs a name and a docstring that says what it does and why.")
        try:
            inspect.signature(self.function).bind(*range(len(self.operands) + self.with_scope))
        except TypeError as error:
            raise MappingError(
                f"The function {self.name} cannot take {len(self.operands)} columns: {error}."
            ) from error
        for operand in self.operands:
            operand.type(shape)
        for path in self.reads:
            inner, rest = shape.into(path) if not _plain(shape, path) else (shape, path)
            if rest:
                inner.field(rest)
        return self.returns

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = [o.make(scope) for o in self.operands]
        before = tuple(r for m in made for r in m.refusals)
        arguments: list[Any] = [scope] if self.with_scope else []
        result = self.function(*arguments, *(m.values for m in made))
        values, refused, reason = result if isinstance(result, tuple) else (result, None, "")
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if not isinstance(values, pa.Array) or values.type != self.returns.arrow or len(values) != len(scope):
            have = f"{values.type} of {len(values)}" if isinstance(values, pa.Array) else type(values).__name__
            raise MappingError(
                f"{self.name} returned {have} rows; {self.returns.arrow} of {len(scope)} rows is declared."
            )
        if refused is None:
            return Made(values, before)
        shown = made[0].values if made else None
        refused = pc.fill_null(refused, False)
        return Made(values, (*before, *refuse(refused, reason, shown)))

    def words(self) -> str:
        text = " ".join((inspect.getdoc(self.function) or "").split("\n\n")[0].split())
        of = ", ".join([*(o.inside() for o in self.operands), *(f"`{p}`" for p in self.reads)])
        return f"{self.name} of {of}: {text}"


def _plain(shape: Shape, path: str) -> bool:
    from crosswalk.mapping.refs import UP, route

    while path.startswith(UP):
        shape, path = shape.above, path[len(UP) :]
    return not route(shape.record, path)[0]
