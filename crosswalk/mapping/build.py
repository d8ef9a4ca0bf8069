"""What must be right before a mapping exists. Everything wrong is named at once, with the rule and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any, get_args

from crosswalk.errors import MappingError
from crosswalk.mapping.language import (
    LEAVE_OUT,
    Check,
    Confirm,
    Constant,
    Declared,
    Default,
    Hold,
    Lines,
    Mapping,
    Remove,
    Rule,
    Skip,
)
from crosswalk.mapping.refs import Shape
from crosswalk.mapping.tables import HOLD as BY_PERSON
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.values import fits, literal, numeric
from crosswalk.mapping.verb import Verb, verb
from crosswalk.mapping.verbs.arithmetic import number
from crosswalk.mapping.verbs.basic import Const, Copy, Either, If, Term, decided
from crosswalk.mapping.verbs.choices import Choose
from crosswalk.mapping.verbs.references import Link, Marker
from crosswalk.schemas.base import Field, Record, decimal
from crosswalk.schemas.base import Lines as RecordLines


@dataclass(frozen=True)
class Built:
    """The declarations by kind, and what they touch.

    used: source fields that are read, with their full dotted names; a list itself ends in ".".  filled: target fields.
    personal: names of rules that read or fill a personal field.
    """

    rules: tuple[Rule, ...]
    lines: tuple[Lines, ...]
    skips: tuple[Skip, ...]
    holds: tuple[Hold, ...]
    removes: tuple[Remove, ...]
    checks: tuple[Check, ...]
    confirms: tuple[Confirm, ...]
    used: frozenset[str]
    filled: frozenset[str]
    personal: frozenset[str]


def plain(rules: Iterable[Declared]) -> tuple[Rule, ...]:
    """The rules, constants among them as rules."""
    found = (Rule(r.target, Const(r.value), why=r.why) if isinstance(r, Constant) else r for r in rules)
    return tuple(r for r in found if isinstance(r, Rule))


def _linking(link: Verb, shape: Shape) -> None:
    if not isinstance(link, Link):
        raise MappingError("a Wait names what it waits for with Link(...)")
    link.check(shape)


def build(mapping: Mapping) -> Built:
    """The mapping's parts. Raises MappingError with everything that is wrong."""
    return _Builder(mapping).run()


@dataclass
class _Builder:
    mapping: Mapping
    problems: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)
    personal: set[str] = field(default_factory=set)

    def run(self) -> Built:
        m = self.mapping
        given: list[Any] = [*m.rules, *m.constants, *m.skips, *m.holds, *m.removes, *m.checks, *m.confirms]
        self._kinds(given)
        rules = plain(given)
        lines = _of(Lines, given)
        self._mapping()
        self._rules(rules, m.target, self.shape)
        for block in lines:
            self._lines(block, m.target, self.shape, "")
        self._filled(m.target, [*rules, *lines])
        for kind in (Skip, Hold, Remove):
            for one in _of(kind, given):
                self._named(kind.__name__.lower(), one.name, one.why, partial(decided, one.when))
        for check in _of(Check, given):
            self._check(check)
        for confirm in _of(Confirm, given):
            self._confirm(confirm)
        self._waits_and_guards()
        named = [d for kind in (Skip, Hold, Remove, Check) for d in _of(kind, given)]
        self._distinct([d.name for d in (*named, *m.waits, *m.guards) if d.name])
        self._references(rules)
        self._examples([r.target for r in rules], given)
        if self.problems:
            listed = "\n".join(f"- {p}" for p in self.problems)
            raise MappingError(f"The mapping {m.title!r} is refused:\n{listed}")
        return Built(
            rules, lines, _of(Skip, given), _of(Hold, given), _of(Remove, given), _of(Check, given),
            _of(Confirm, given), frozenset(self.used), frozenset(self.filled), frozenset(self.personal),
        )  # fmt: skip

    def shape(self) -> Shape:
        """A row of this mapping, with nothing seen yet."""
        m = self.mapping
        root = Shape(m.source, tables=Tables(m.tables) if m.tables else None)
        return root.elements(m.each) if m.each else root

    def _try(self, where: str, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except MappingError as error:
            self.problems.append(f"{where}: {error.what}")
            return None

    def _look(self, where: str, shape: Shape | None, do: Callable[[Shape], Any], name: str = "") -> Any:
        """Do it with a row, and remember what it read for the rule of this name."""
        if shape is None:
            return None
        result = self._try(where, lambda: do(shape))
        self.used |= shape.seen
        private = {name for name, f in self.mapping.source.walk() if f.personal}
        if shape.seen & private:
            self.personal.add(name or where)
        return result

    def _kinds(self, given: Sequence[Any]) -> None:
        for item in given:
            if not isinstance(item, get_args(Declared)):
                self.problems.append(
                    f"{item!r} is not a declaration; write Rule(...), Lines(...), Skip(...) and so on."
                )

    def _mapping(self) -> None:
        m = self.mapping
        if not m.title.strip():
            self.problems.append("it has no title; say what becomes what.")
        if m.each and not self._try("each", lambda: Shape(m.source).elements(m.each or "")):
            raise MappingError(f"The mapping {m.title!r} is refused:\n- {self.problems[-1]}")
        if m.each and not m.part:
            self.problems.append("part: with each= every element is a part, which needs a name; write part='...'.")
        self._look("key", self.shape(), lambda s: s.field(m.key))
        for name in (m.source.key, m.source.version):
            if name and name in m.source:
                self.used.add(name)

    def _rules(self, rules: Sequence[Rule], target: Record, shape: Callable[[], Shape | None], at: str = "") -> None:
        for rule in rules:
            name = at + rule.target
            place = self._target(name, rule.target, target)
            if place is None:
                continue
            if name in self.filled and not at:
                self.problems.append(f"{name}: two rules fill it; keep one, or use Either or If.")
            self.filled.add(name)
            if place.personal:
                self.personal.add(name)
            self._rule(rule, name, place, shape, at)

    def _rule(self, rule: Rule, name: str, place: Field, shape: Callable[[], Shape | None], at: str) -> None:
        if rule.owner not in ("source", "target"):
            self.problems.append(f"{name}: owner={rule.owner!r} is for two-way mappings; write 'source' or 'target'.")
        if at and rule.owner == "target":
            self.problems.append(
                f"{name}: a list is sent as a whole, so owner='target' is for the record's own fields."
            )
        if not rule.why.strip() and not isinstance(rule.verb, Copy):
            self.problems.append(f"{name}: it is more than a plain copy, so say why=.")
        if rule.missing is LEAVE_OUT and place.needed(True):
            self.problems.append(f"{name}: the target requires it, so missing=LEAVE_OUT cannot be; hold or Default.")
        if isinstance(rule.missing, Default):
            value = rule.missing.value
            self._try(name, lambda: _default(value, place))
        if isinstance(rule.verb, Link):
            link = rule.verb
            if at:
                self.problems.append(f"{name}: Link is for the record's own fields, not for its lists.")
            self._look(name, shape(), link.check)
        else:
            self._look(name, shape(), lambda s: self._fits(rule.verb, place, s))
        if rule.taken is not None:
            taken = rule.taken
            if at:
                self.problems.append(f"{name}: taken= is for the record's own fields, not for its lists.")
            self._look(name, shape(), lambda s: self._fits(taken, place, s))

    def _fits(self, made_by: Verb, place: Field, shape: Shape) -> None:
        if not isinstance(made_by, Verb):
            raise MappingError(f"{made_by!r} is not a verb; write for example Copy('name') or Const('value').")
        trouble = fits(made_by.type(shape, place.type), place.type)
        if trouble:
            raise MappingError(f"{made_by.words()} {trouble}.")
        allowed(place, possible(made_by, shape))

    def _target(self, full: str, name: str, target: Record) -> Field | None:
        if name not in target:
            names = [f.name for f in target.fields]
            close = get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else f"It has {', '.join(names)}."
            self.problems.append(f"{full}: the target {target.name} has no field {name!r}. {hint}")
            return None
        place = target[name]
        if isinstance(place, RecordLines):
            self.problems.append(f"{full}: it is a list; fill it with Lines({name!r}, each=..., rules=[...]).")
            return None
        if place.read_only:
            self.problems.append(f"{full}: the target fills it itself; remove the rule, or use Confirm to compare it.")
            return None
        return place

    def _lines(self, block: Lines, target: Record, outer: Callable[[], Shape | None], at: str) -> None:
        name = at + block.target
        lists = [li.name for li in target.lists]
        if block.target not in lists:
            listed = ", ".join(lists) or "none"
            self.problems.append(f"{name}: the target {target.name} has no list {block.target!r}; its lists: {listed}.")
            return
        place = target[block.target]
        assert isinstance(place, RecordLines)
        if place.read_only:
            self.problems.append(f"{name}: the target fills this list itself; remove the Lines.")
            return

        def inner() -> Shape | None:
            shape = outer()
            return shape.elements(block.each) if shape is not None and block.each else shape

        probe = self._try(f"{name}, each", inner)
        if probe is None:
            return
        self.used |= probe.seen
        if block.when is not None:
            when = block.when
            self._look(name, inner(), lambda s: decided(when, s))
            if not block.why.strip():
                self.problems.append(f"{name}: it takes only some elements, so say why=.")
        rules, nested = plain(block.rules), [b for b in block.rules if isinstance(b, Lines)]
        self._twice(rules, name)
        self._rules(rules, place.record, inner, name + ".")
        for inside in nested:
            self._lines(inside, place.record, inner, name + ".")
        self._filled(place.record, [*rules, *nested], name + ".")
        self.filled.add(name + ".")

    def _twice(self, rules: Sequence[Rule], name: str) -> None:
        targets = [r.target for r in rules]
        for target in dict.fromkeys(t for t in targets if targets.count(t) > 1):
            self.problems.append(f"{name}.{target}: two rules fill it; keep one, or use Either or If.")

    def _filled(self, target: Record, declared: Sequence[Rule | Lines], at: str = "") -> None:
        names = {d.target for d in declared}
        for f in target.fields:
            listed = isinstance(f, RecordLines)
            needed = f.at_least > 0 and not f.read_only if isinstance(f, RecordLines) else f.needed(True)
            if needed and f.name not in names:
                what = "Lines(...)" if listed else "Rule(...)"
                self.problems.append(f"{at}{f.name}: the target requires it and nobody fills it; add a {what}.")

    def _named(self, kind: str, name: str, why: str, do: Callable[[Shape], Any]) -> None:
        say = f"{kind} {name!r}"
        if not why.strip():
            self.problems.append(f"{say}: say why=.")
        if not name.strip():
            self.problems.append(f"{say}: it needs a name, by which its rows are counted.")
        self._look(say, self.shape(), do, name)

    def _waits_and_guards(self) -> None:
        resources = []
        for wait in self.mapping.waits:
            self._named("wait", wait.name, wait.why, partial(_linking, wait.link))
            resources.append(getattr(wait.link, "to", ""))
        for name in dict.fromkeys(r for r in resources if resources.count(r) > 1):
            self.problems.append(f"waits: two wait for a record of {name!r}; one is enough, or it is another resource.")
        for guard in self.mapping.guards:
            if not guard.why.strip() or not guard.name.strip():
                self.problems.append(f"guard {guard.name!r}: it needs a name and why=.")
            if not inspect.getdoc(guard.when) or getattr(guard.when, "__name__", "") == "<lambda>":
                self.problems.append(f"guard {guard.name!r}: its function needs a name and a docstring for the page.")

    def _distinct(self, names: list[str]) -> None:
        for name in dict.fromkeys(n for n in names if names.count(n) > 1):
            self.problems.append(f"{name!r}: two declarations have this name, and rows are counted by it; rename one.")

    def _check(self, check: Check) -> None:
        left = self._try(f"check {check.name!r}, left", lambda: verb(check.left).type(Shape(self.mapping.target)))
        right = None

        def look(shape: Shape) -> None:
            nonlocal right
            right = number(check.right).type(shape)

        self._named("check", check.name, check.why, look)
        if left is None or right is None:
            return
        if numeric(left.arrow) and numeric(right.arrow):
            self._try(f"check {check.name!r}, tolerance", lambda: literal(check.tolerance, decimal(38, 12).arrow))
        elif left.arrow != right.arrow or check.tolerance:
            self.problems.append(f"check {check.name!r}: {left.name} cannot be compared with {right.name}.")

    def _confirm(self, confirm: Confirm) -> None:
        name, target = confirm.target, self.mapping.target
        if name not in target or not isinstance(target[name], Field):
            self.problems.append(f"confirm {name!r}: the target {target.name} has no such field.")
            return
        place = target[name]
        assert isinstance(place, Field)
        self._named("confirm", name, confirm.why, lambda s: self._fits(confirm.verb, place, s))

    def _references(self, rules: Sequence[Rule]) -> None:
        m, by_target = self.mapping, {r.target: r for r in rules}
        if m.marker is not None and not isinstance(getattr(by_target.get(m.marker), "verb", None), Marker):
            self.problems.append(f"marker={m.marker!r}: a rule must fill it with Marker(...), our own reference.")
        if m.match is not None and m.match not in by_target:
            self.problems.append(f"match={m.match!r}: no rule fills it, so nothing could be recognised by it.")
        elif m.match is not None and (m.match == m.marker or isinstance(by_target[m.match].verb, Link)):
            self.problems.append(f"match={m.match!r}: nobody but us fills it, so nothing could be recognised by it.")

    def _examples(self, targets: list[str], given: list[Any]) -> None:
        from crosswalk.mapping.examples import example_problems

        self.problems += example_problems(self.mapping, self.filled | set(targets), given)


def possible(made_by: Verb, shape: Shape) -> list[Any]:
    """The values that a verb can make, as far as they are known beforehand."""
    if isinstance(made_by, Const):
        return [made_by.value]
    if isinstance(made_by, Term):
        return possible(verb(made_by.operand), shape)
    if isinstance(made_by, If | Either):
        several = made_by.operands if isinstance(made_by, Either) else (made_by.then, made_by.otherwise)
        return [v for o in several for v in possible(verb(o), shape)]
    if isinstance(made_by, Choose):
        fallback = [] if made_by.otherwise is None else [made_by.otherwise]
        if made_by.values:
            return [*fallback, *(v for _, v in made_by.values if v != BY_PERSON)]
        if shape.tables is not None:
            return [*fallback, *(v for v in made_by.choices(shape.tables).values if v != BY_PERSON)]
    return []


def allowed(place: Field, values: Iterable[Any]) -> None:
    """Raises MappingError for a value that the target field does not take."""
    for value in values:
        if place.values and value not in place.values:
            raise MappingError(f"{value!r} is not one of its values: {', '.join(place.values)}.")
        if place.max_length is not None and isinstance(value, str) and len(value) > place.max_length:
            raise MappingError(f"{value!r} is longer than {place.max_length} characters.")


def _default(value: Any, place: Field) -> None:
    literal(value, place.type.arrow)
    allowed(place, [value])


def _of(kind: type, given: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(d for d in given if isinstance(d, kind))
