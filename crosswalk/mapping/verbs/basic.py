"""Copy a value, give a constant one, or choose between verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.values import fit, fits, literal, natural
from crosswalk.mapping.verb import Condition, Made, Operand, Refusal, Verb, refuse, refused_rows, shown, verb, without
from crosswalk.schemas.base import BOOLEAN, Type


@dataclass(frozen=True)
class Copy(Verb):
    """The value of a source column, as it is."""

    column: str

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        return shape.field(self.column).type

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        return Made(scope.column(self.column))

    def words(self) -> str:
        return f"`{self.column}`"


@dataclass(frozen=True)
class Const(Verb):
    """The same value for every row. A number may be written as text, never as a float."""

    value: Any

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        kind = want or natural(self.value)
        literal(self.value, kind.arrow)
        return kind

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        return Made(pa.repeat(literal(self.value, want or natural(self.value).arrow), len(scope)))

    def words(self) -> str:
        return f"always {shown(self.value)}"

    def inside(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, init=False)
class Either(Verb):
    """The first of these that has a value."""

    operands: tuple[Verb, ...]

    def __init__(self, *operands: Operand) -> None:
        object.__setattr__(self, "operands", tuple(verb(o) for o in operands))

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        return common(self.operands, shape, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        values, *others = made_alike(self.operands, scope, want)
        result, refusals = values.values, list(values.refusals)
        for made in others:
            open_ = pc.is_null(result)
            result = pc.if_else(open_, made.values, result)
            refusals += [r.where(open_) for r in made.refusals]
        return Made(result, tuple(refusals))

    def words(self) -> str:
        return "the first that is there of " + ", ".join(o.inside() for o in self.operands)

    def inside(self) -> str:
        return f"({self.words()})"


@dataclass(frozen=True)
class If(Verb):
    """One verb where a condition is true, another where it is not; a row that cannot be decided is refused."""

    when: Condition
    then: Operand
    otherwise: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        decided(self.when, shape)
        return common((verb(self.then), verb(self.otherwise)), shape, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        when = self.when.make(scope, pa.bool_())
        then, otherwise = made_alike((verb(self.then), verb(self.otherwise)), scope, want)
        refusals: list[Refusal] = [*when.refusals, *undecided(when, self.when)]
        refusals += [r.where(when.values) for r in then.refusals]
        refusals += [r.where(pc.invert(when.values)) for r in otherwise.refusals]
        return Made(pc.if_else(when.values, then.values, otherwise.values), tuple(refusals))

    def words(self) -> str:
        otherwise = verb(self.otherwise)
        # One decision after the other reads as a list; elsewhere what belongs together is in brackets.
        rest = otherwise.words() if isinstance(otherwise, If) else otherwise.inside()
        return f"{verb(self.then).inside()} if {self.when.words()}, otherwise {rest}"

    def inside(self) -> str:
        return f"({self.words()})"


def decided(when: object, shape: Shape) -> None:
    """Raises MappingError when this is not a condition over known columns."""
    if not isinstance(when, Verb) or when.type(shape, BOOLEAN).arrow != BOOLEAN.arrow:
        raise MappingError(f"{when!r} is not a condition; write for example Equals('test', True).")


def undecided(made: Made, when: Verb) -> tuple[Refusal, ...]:
    """The rows for which a condition has no answer though nothing was refused."""
    known = refused_rows(made.refusals, len(made.values))
    rows = pc.and_not(pc.is_null(made.values), known)
    return refuse(rows, f"cannot tell whether {when.words()}: a value is missing")


def common(operands: Sequence[Verb], shape: Shape, want: Type | None) -> Type:
    """The one type of several verbs: what is wanted, else that of the first that is not a constant."""
    plain = [o for o in operands if not isinstance(o, Const)] or list(operands)
    kind = want or plain[0].type(shape)
    for operand in operands:
        trouble = fits(operand.type(shape, kind), kind)
        if trouble:
            raise MappingError(f"{operand.words()} {trouble}.")
    return kind


def made_alike(operands: Sequence[Verb], scope: Scope, want: pa.DataType | None) -> list[Made]:
    """The columns of several verbs, all of the type of :func:`common`."""
    if want is None:
        plain = [o for o in operands if not isinstance(o, Const)] or list(operands)
        want = plain[0].make(scope).values.type
    return [fit(o.make(scope, want), want) for o in operands]


@dataclass(frozen=True)
class Filled(Verb):
    """Text without blanks at its ends, where nothing but blanks counts as missing."""

    operand: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        return textual(self.operand, shape, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope, want)
        trimmed = pc.utf8_trim_whitespace(made.values)
        return made.then(without(trimmed, pc.equal(trimmed, "")))

    def words(self) -> str:
        return f"{verb(self.operand).inside()} unless blank"


def textual(operand: Operand, shape: Shape, want: Type | None = None) -> Type:
    """The type of an operand that must be text. Raises MappingError."""
    kind = verb(operand).type(shape, want if want and want.arrow == pa.string() else None)
    if kind.arrow != pa.string():
        raise MappingError(f"{verb(operand).words()} is {kind.name}, and text is needed.")
    return kind


@dataclass(frozen=True)
class Term(Verb):
    """A verb with a name of its own: other rules' words use the name, and the page explains it once."""

    name: str
    operand: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if not self.name.strip():
            raise MappingError("Term needs a name, which the page explains.")
        return verb(self.operand).type(shape, want)

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        return verb(self.operand).make(scope, want)

    def words(self) -> str:
        return f"*{self.name}*"
