"""Mappings that are wrong in one place each: a declaration dropped, another column, another constant, another zone, …

Columns are exchanged for every other one of the same type that the examples fill, because only such a mistake looks
right. What a mutant does is judged by the mapping's own examples.
"""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from crosswalk.errors import MappingError
from crosswalk.frames.frame import Frame
from crosswalk.mapping import (
    HOLD,
    LEAVE_OUT,
    And,
    Arithmetic,
    Check,
    Choose,
    Compare,
    Concat,
    Confirm,
    Const,
    Constant,
    Copy,
    Count,
    Cut,
    Default,
    Either,
    Filled,
    First,
    Hold,
    If,
    In,
    IsNull,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Match,
    MatchSum,
    Not,
    Or,
    Remove,
    Rule,
    Skip,
    Split,
    Sum,
    Term,
    Verb,
    Wait,
    check_examples,
)
from crosswalk.mapping.digest import table_names
from crosswalk.mapping.examples import CONTEXT, Given
from crosswalk.mapping.refs import Shape
from crosswalk.mapping.tables import HOLD as BY_PERSON
from crosswalk.mapping.tables import Tables
from crosswalk.schemas.base import Field, Record

Variant = tuple[str, Any]
OTHER_SIGN = {"==": "!=", "!=": "==", ">": ">=", ">=": ">", "<": "<=", "<=": "<", "+": "-", "-": "+", "*": "+"}
RESOURCES = ("xero.contacts", "xero.invoices", "xero.credit_notes", "shopify.orders", "shopify.customers")


@dataclass(frozen=True)
class Mutant:
    """What is wrong, and the mapping's fields that make it so."""

    label: str
    fields: dict[str, Any]

    def survives(self, mapping: Mapping, given: Given) -> bool:
        """Whether it can be built and every example holds all the same."""
        try:
            return not check_examples(replace(mapping, **self.fields), given=given, first=True)
        except MappingError:
            return False


def mutants(mapping: Mapping, given: Given) -> Iterator[Mutant]:
    """Every mutant of a mapping but those of its value tables and guards."""
    m = _Mutator(mapping, given)
    for kind in ("rules", "skips", "holds", "removes", "checks", "confirms", "waits"):
        for label, items in m.listed(getattr(mapping, kind), m.shape, mapping.target):
            yield Mutant(label, {kind: items})
    for key in m.columns(mapping.key, m.shape):
        yield Mutant(f"key: {key[0]}", {"key": key[1]})
    for name in ("marker", "match"):
        if getattr(mapping, name):
            yield Mutant(f"{name}: none", {name: None})
    if mapping.part:
        yield Mutant("part: renamed", {"part": mapping.part + "s"})


class _Mutator:
    def __init__(self, mapping: Mapping, given: Given) -> None:
        self.mapping = mapping
        outcome = mapping.apply(given.frame, CONTEXT)
        self.frames: dict[str, Frame] = {mapping.source.name: given.frame, mapping.target.name: outcome.frame}

    @property
    def shape(self) -> Shape:
        root = Shape(self.mapping.source, tables=Tables(self.mapping.tables) if self.mapping.tables else None)
        return root.elements(self.mapping.each) if self.mapping.each else root

    # declarations

    def listed(self, items: Sequence[Any], shape: Shape, target: Record) -> Iterator[tuple[str, list[Any]]]:
        """Each left out, each changed; of two blocks for one list, each in the other's place."""
        for n, item in enumerate(items):
            label = _name(item)
            yield f"{label} | dropped", [*items[:n], *items[n + 1 :]]
            for what, new in self.declared(item, shape, target):
                yield f"{label} | {what}", [*items[:n], new, *items[n + 1 :]]
            after = items[n + 1] if n + 1 < len(items) else None
            if isinstance(item, Lines) and isinstance(after, Lines) and after.target == item.target:
                yield f"{label} | after the next", [*items[:n], after, item, *items[n + 2 :]]

    def declared(self, item: Any, shape: Shape, target: Record) -> Iterator[Variant]:
        if isinstance(item, Constant):
            for value in others(item.value, target[item.target]):
                yield f"{value!r}", replace(item, value=value)
        elif isinstance(item, Rule):
            yield from self.rule(item, shape, target)
        elif isinstance(item, Lines):
            yield from self.lines(item, shape, target)
        elif isinstance(item, Skip | Hold | Remove):
            yield from self.fields(item, shape, "when")
        elif isinstance(item, Check):
            yield from self.fields(item, Shape(target), "left")
            yield from self.fields(item, shape, "right")
            yield "tolerance", replace(item, tolerance=Decimal("0.01"))
        elif isinstance(item, Confirm):
            yield from self.fields(item, shape, "verb")
        elif isinstance(item, Wait):
            yield from self.fields(item, shape, "link")
        else:
            raise TypeError(f"no mutants of {item!r}")

    def rule(self, rule: Rule, shape: Shape, target: Record) -> Iterator[Variant]:
        yield from self.fields(rule, shape, "verb")
        if isinstance(rule.missing, Default):
            for value in (rule.missing.value, *others(rule.missing.value, target[rule.target])):
                missing = HOLD if value == rule.missing.value else Default(value)
                yield f"missing={missing}", replace(rule, missing=missing)
        else:
            missing = LEAVE_OUT if rule.missing is HOLD else HOLD
            yield f"missing={missing.value}", replace(rule, missing=missing)
        if rule.taken is not None:
            yield "taken=None", replace(rule, taken=None)
            yield from self.fields(rule, shape, "taken")
        yield "owner=target", replace(rule, owner="target")

    def lines(self, block: Lines, shape: Shape, target: Record) -> Iterator[Variant]:
        inner = shape.elements(block.each) if block.each else shape
        element = target[block.target].record  # type: ignore[union-attr]
        if block.when is not None:
            yield "when=None", replace(block, when=None)
            yield from self.fields(block, inner, "when")
        for label, rules in self.listed(block.rules, inner, element):
            yield label, replace(block, rules=rules)

    def fields(self, item: Any, shape: Shape, *names: str) -> Iterator[Variant]:
        """The variants of these fields, which are operands."""
        for name in names:
            for label, new in self.operand(getattr(item, name), shape):
                yield f"{name}: {label}", put(item, name, new)

    # operands: a column's name or a verb

    def operand(self, value: Any, shape: Shape) -> Iterator[Variant]:
        if isinstance(value, str):
            yield from self.columns(value, shape)
            return
        make = VERBS.get(type(value))
        if make is None:
            raise TypeError(f"no mutants of {value!r}")
        yield from make(self, value, shape)

    def columns(self, path: str, shape: Shape) -> Iterator[Variant]:
        """Every other column beside it of the same type in which the examples have a value."""
        stem, here = "", shape
        while path.startswith("^."):
            stem, path, here = stem + "^.", path[2:], here.above
        kind = here.record[path].type  # type: ignore[union-attr]
        frame = self.frame(here)
        for field in here.record.scalars:
            if field.name != path and field.type.arrow == kind.arrow and frame[field.name].null_count < len(frame):
                yield f"{stem}{path} → {field.name}", stem + field.name

    def listed_column(self, path: str, shape: Shape) -> Iterator[Variant]:
        """The same of a path into a list: ``list.column``."""
        inner, rest = shape.into(path)
        if rest:
            for label, other in self.columns(rest, inner):
                yield label, path.removesuffix(rest) + other

    def frame(self, shape: Shape) -> Frame:
        top = shape
        while top.up is not None:
            top = top.up
        frame = self.frames[top.record.name]
        for name in shape.at.split(".")[:-1]:
            frame = frame.lines[name]
        return frame

    # verbs

    def copy(self, v: Copy, shape: Shape) -> Iterator[Variant]:
        for label, other in self.columns(v.column, shape):
            yield label, Copy(other)

    def const(self, v: Const, shape: Shape) -> Iterator[Variant]:
        for value in others(v.value):
            yield f"{v.value!r} → {value!r}", Const(value)

    def several(self, v: Any, shape: Shape) -> Iterator[Variant]:
        name = type(v).__name__
        for n, operand in enumerate(v.operands):
            rest = (*v.operands[:n], *v.operands[n + 1 :])
            if rest:
                yield f"{name} without {n}", put(v, "operands", rest)
            for label, new in self.operand(operand, shape):
                yield f"{name} {n}: {label}", put(v, "operands", (*v.operands[:n], new, *v.operands[n + 1 :]))
        if isinstance(v, Either | Concat):
            yield f"{name} turned round", put(v, "operands", v.operands[::-1])
        if isinstance(v, Concat):
            yield "Concat: separator", put(v, "separator", v.separator + "/")
            yield "Concat: skip_missing", put(v, "skip_missing", not v.skip_missing)

    def if_(self, v: If, shape: Shape) -> Iterator[Variant]:
        yield "If: always then", v.then
        yield "If: always otherwise", v.otherwise
        yield "If: turned round", If(v.when, v.otherwise, v.then)
        yield from self.fields(v, shape, "when", "then", "otherwise")

    def choose(self, v: Choose, shape: Shape) -> Iterator[Variant]:
        if v.otherwise is not None:
            yield "Choose: otherwise=None", put(v, "otherwise", None)
            yield "Choose: otherwise", put(v, "otherwise", others(v.otherwise)[0])
        for n, (key, outcome) in enumerate(v.values):
            yield f"Choose: without {key!r}", put(v, "values", (*v.values[:n], *v.values[n + 1 :]))
            other = next(o for _, o in v.values if o != outcome)
            yield f"Choose: {key!r} → {other!r}", put(v, "values", (*v.values[:n], (key, other), *v.values[n + 1 :]))
        for n, (name, operand) in enumerate(v.keys):
            for label, new in self.operand(operand, shape):
                yield f"Choose {name}: {label}", put(v, "keys", (*v.keys[:n], (name, new), *v.keys[n + 1 :]))

    def compare(self, v: Compare, shape: Shape) -> Iterator[Variant]:
        yield f"{v.sign} → {OTHER_SIGN[v.sign]}", replace(v, sign=OTHER_SIGN[v.sign])  # type: ignore[arg-type]
        yield from self.fields(v, shape, "left")
        if isinstance(v.right, Verb):
            yield from self.fields(v, shape, "right")
        else:
            for value in others(v.right):
                yield f"{v.sign} {v.right!r} → {value!r}", replace(v, right=value)

    def in_(self, v: In, shape: Shape) -> Iterator[Variant]:
        for value in v.values:
            yield f"In without {value!r}", In(v.operand, tuple(x for x in v.values if x != value))
        yield from self.fields(v, shape, "operand")

    def is_null(self, v: IsNull, shape: Shape) -> Iterator[Variant]:
        yield "IsNull: not", Not(v)
        yield from self.fields(v, shape, "operand")

    def not_(self, v: Not, shape: Shape) -> Iterator[Variant]:
        yield "Not: dropped", v.operand
        yield from self.fields(v, shape, "operand")

    def local_date(self, v: LocalDate, shape: Shape) -> Iterator[Variant]:
        yield "zone UTC", replace(v, zone="UTC")
        yield from self.fields(v, shape, "operand")

    def of_list(self, v: Any, shape: Shape) -> Iterator[Variant]:
        inner, _ = shape.into(v.path)
        name = type(v).__name__
        if v.where is not None:
            yield f"{name}: where=None", put(v, "where", None)
            for label, new in self.fields(v, inner, "where"):
                yield f"{name} {label}", new
        for label, path in self.listed_column(v.path, shape):
            yield f"{name}: {label}", put(v, "path", path)
        if getattr(v, "of", None) is not None:
            yield from self.fields(v, inner, "of")
        if isinstance(v, Sum):
            yield from self.empty(v)
        if isinstance(v, First):
            yield "First: the last", put(v, "last", not v.last)

    def match(self, v: Any, shape: Shape) -> Iterator[Variant]:
        inner = shape.elements(v.path)
        yield from self.fields(v, inner, "key", "value")
        yield from self.fields(v, shape, "by")
        if isinstance(v, MatchSum):
            yield from self.empty(v)

    def empty(self, v: Any) -> Iterator[Variant]:
        name = type(v).__name__
        if v.empty is None:
            yield f"{name}: empty=0", put(v, "empty", 0)
        else:
            yield f"{name}: empty=None", put(v, "empty", None)
            yield f"{name}: empty={v.empty + 1}", put(v, "empty", v.empty + 1)

    def link(self, v: Link, shape: Shape) -> Iterator[Variant]:
        for name in ("to", "of"):
            other = next(
                r for r in RESOURCES if r != getattr(v, name) and r.split(".")[0] == getattr(v, name).split(".")[0]
            )
            yield f"Link {name}={other}", put(v, name, other)
        if v.part:
            yield "Link: part=''", put(v, "part", "")
        if isinstance(v.part, Verb):
            yield from self.fields(v, shape, "part")
        yield from self.fields(v, shape, "operand")

    def marker(self, v: Marker, shape: Shape) -> Iterator[Variant]:
        yield "Marker: kind", replace(v, kind="X") if not v.bare else replace(v, bare=False)
        yield "Marker: bare", replace(v, bare=not v.bare)
        yield from self.fields(v, shape, "operand")

    def term(self, v: Term, shape: Shape) -> Iterator[Variant]:
        for label, new in self.operand(v.operand, shape):
            yield label, replace(v, operand=new)

    def filled(self, v: Filled, shape: Shape) -> Iterator[Variant]:
        yield "Filled: not", v.operand if isinstance(v.operand, Verb) else Copy(v.operand)
        yield from self.fields(v, shape, "operand")

    def cut(self, v: Cut, shape: Shape) -> Iterator[Variant]:
        yield "Cut: not", v.operand if isinstance(v.operand, Verb) else Copy(v.operand)
        yield f"Cut: {v.length - 1}", replace(v, length=v.length - 1)
        yield from self.fields(v, shape, "operand")

    def split(self, v: Split, shape: Shape) -> Iterator[Variant]:
        yield "Split: another part", replace(v, part=v.part - 1)
        yield "Split: separator", replace(v, separator=v.separator * 2)
        yield from self.fields(v, shape, "operand")

    def arithmetic(self, v: Arithmetic, shape: Shape) -> Iterator[Variant]:
        other = OTHER_SIGN[v.sign]
        yield f"{v.sign} → {other}", replace(v, sign=other)  # type: ignore[arg-type]
        yield f"without what follows {v.sign}", v.left
        if v.sign != "-":
            yield f"without what stands before {v.sign}", v.right
        yield from self.fields(v, shape, "left", "right")


VERBS: dict[type, Callable[[_Mutator, Any, Shape], Iterator[Variant]]] = {
    Copy: _Mutator.copy, Const: _Mutator.const, Either: _Mutator.several, And: _Mutator.several,
    Concat: _Mutator.several, If: _Mutator.if_, Choose: _Mutator.choose, Compare: _Mutator.compare, In: _Mutator.in_,
    IsNull: _Mutator.is_null, Not: _Mutator.not_, LocalDate: _Mutator.local_date, Count: _Mutator.of_list,
    Sum: _Mutator.of_list, First: _Mutator.of_list, Match: _Mutator.match, MatchSum: _Mutator.match,
    Link: _Mutator.link, Marker: _Mutator.marker, Cut: _Mutator.cut, Split: _Mutator.split,
    Arithmetic: _Mutator.arithmetic, Filled: _Mutator.filled, Or: _Mutator.several,
    Term: _Mutator.term,
}  # fmt: skip


def others(value: Any, place: Field | Any = None) -> list[Any]:
    """Other values of its kind, one or two."""
    allowed = getattr(place, "values", ())
    if allowed:
        return [v for v in allowed if v != value][:2]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | Decimal):
        return [value + 1]
    return ["4999" if str(value).isdigit() else f"{value}x"]


def put(item: Any, name: str, value: Any) -> Any:
    """A copy of a frozen declaration with one field changed, past its ``__init__``."""
    changed = copy.copy(item)
    object.__setattr__(changed, name, value)
    return changed


def _name(item: Any) -> str:
    if isinstance(item, Lines):
        return f"{item.target} of {item.each}"
    return str(getattr(item, "target", "") or item.name)


def table_mutants(mapping: Mapping, folder: Path) -> Iterator[tuple[str, str, Path]]:
    """(table, what is wrong, a folder that holds the wrong table) for every row: dropped, and with another outcome."""
    for name in table_names(mapping):
        header, *rows = Tables(mapping.tables).read(name).rows()
        at = header.index("outcome")
        for n, row in enumerate(rows):
            other = next((r[at] for r in rows if r[at] not in (row[at], BY_PERSON)), BY_PERSON)
            changed = (*row[:at], other, *row[at + 1 :])
            label = " / ".join(row[:at])
            for what, body in (("dropped", []), (f"→ {other}", [changed])):
                home = folder / f"{name}-{n}-{bool(body)}"
                home.mkdir()
                with (home / name).open("w", newline="") as file:
                    csv.writer(file).writerows([header, *rows[:n], *body, *rows[n + 1 :]])
                yield name, f"{label} {what}", home
