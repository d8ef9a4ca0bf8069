"""Worked examples: checked when a mapping is built, run through the real parse and the real rules as tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crosswalk.errors import MappingError
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.mapping.context import Context
from crosswalk.mapping.example_records import names, wire
from crosswalk.mapping.language import Example, Mapping, Remove, Rule, Skip
from crosswalk.mapping.outcome import HeldRow, Outcome, SkippedRow

CONTEXT = Context(zone="Europe/Amsterdam", prefix="EX", currency="EUR")


@dataclass(frozen=True)
class ExampleFailure:
    """An example that does not hold, and how."""

    example: str
    what: str


@dataclass(frozen=True)
class Given:
    """The source records of a mapping's examples, read together.

    frame: those that can be read.  rows: which example each row of the frame is.  refused: why another cannot be read.
    """

    frame: Frame
    rows: list[int]
    refused: dict[int, str]


def check_examples(
    mapping: Mapping, context: Context = CONTEXT, given: Given | None = None, *, first: bool = False
) -> list[ExampleFailure]:
    """Every example that the rules do not fulfil; none when all do.

    given: their records, when they are read already.  first: one failure is enough.
    Raises MappingError when the rules cannot be applied at all.
    """
    given = given or read_examples(mapping)
    found = dict(given.refused)
    judge = _Judge(mapping.apply(given.frame, context), mapping)
    for row, n in enumerate(given.rows):
        if first and found:
            break
        what = found.get(n) or judge.say(mapping.examples[n], row)
        if what:
            found[n] = what
    if not (first and found):
        judge.refused_by_target(mapping.examples, given.rows, found)
    return [ExampleFailure(mapping.examples[n].name, what) for n, what in sorted(found.items())]


def read_examples(mapping: Mapping) -> Given:
    """The examples' source records through the real parse and checks."""
    from crosswalk.frames.parse import parse
    from crosswalk.frames.validate import validate

    sent = [wire(mapping, example) for example in mapping.examples]
    parsed = parse(mapping.source, sent)
    checked = validate(parsed.frame)
    refused: dict[int, str] = {}
    for n, r in [
        *((r.index, r) for r in parsed.refused),
        *((parsed.kept[r.index].as_py(), r) for r in checked.refused),
    ]:
        refused.setdefault(n, f"the source record is refused: {r.field} {r.reason}")
    for n, one in enumerate(sent if parsed.unknown else ()):
        unknown = parse(mapping.source, [one]).unknown
        if unknown:
            refused.setdefault(n, f"the source record has unknown fields: {', '.join(sorted(unknown))}")
    return Given(checked.good, parsed.kept.take(checked.kept).to_pylist(), refused)


def apply_example(mapping: Mapping, example: Example, context: Context = CONTEXT) -> Outcome:
    """What the example's record becomes. Raises MappingError when the source's schema refuses it."""
    given = read_examples(replace(mapping, examples=(example,)))
    if given.refused:
        raise MappingError(given.refused[0])
    return mapping.apply(given.frame, context)


def example_problems(mapping: Mapping, filled: set[str], given: Iterable[Any]) -> list[str]:
    """What is wrong with the examples themselves: names that do not exist, nothing expected."""
    named = {type(d): {e.name for e in given if type(e) is type(d)} for d in given if hasattr(d, "name")}
    refusing = filled | {d.name for d in (*given, *mapping.waits) if hasattr(d, "name")}
    refusing |= {"key"} | {f.target for f in mapping.confirms}
    waits = {f"@{getattr(w.link, 'to', '')}" for w in mapping.waits}
    taken = {d.target for d in given if isinstance(d, Rule) and d.taken is not None}
    known, targets = set(names(mapping.source)), set(names(mapping.target))
    problems = []
    titles = [e.name for e in mapping.examples]
    for example in mapping.examples:
        say = f"example {example.name!r}"
        if titles.count(example.name) > 1:
            problems.append(f"{say}: two examples have this name.")
        ends = [
            bool(example.expect) and not example.removed,
            bool(example.held),
            bool(example.skipped),
            example.removed,
        ]
        if sum(ends) != 1:
            problems.append(f"{say}: say one of expect=, held=, skipped= and removed=True.")
        problems += [f"{say}: {p}" for p in _given_problems(mapping.source.name, known, example)]
        for path in example.expect:
            if path not in waits and re.sub(r"\[\d+\]", "", path) not in targets:
                problems.append(f"{say}, expect: the target {mapping.target.name} has no field {path!r}.")
        for path in example.taken.keys() - taken:
            problems.append(f"{say}, taken: no rule of {path!r} says what to send when its value is taken.")
        for name in sorted(example.held - refusing):
            problems.append(f"{say}, held: no rule or field is named {name!r}.")
        if example.skipped and example.skipped not in named.get(Skip, set()):
            problems.append(f"{say}, skipped: no Skip is named {example.skipped!r}.")
        if example.removed and not any(isinstance(d, Remove) for d in given):
            problems.append(f"{say}, removed: the mapping has no Remove.")
    return problems


def _given_problems(source: str, known: set[str], example: Example) -> list[str]:
    found = []
    for path, value in example.given.items():
        bare = re.sub(r"\[\d+\]", "", path)
        if bare not in known and not any(name.startswith(bare + ".") for name in known):
            found.append(f"given: the source {source} has no field {path!r}.")
        elif isinstance(value, float):
            found.append(
                f"given: {path!r} is a float; write it as text, or as Decimal where the source sends a number."
            )
    return found


class _Judge:
    """Compares the outcome of all examples with what each expects. A row is its number in the source frame."""

    def __init__(self, outcome: Outcome, mapping: Mapping) -> None:
        self.outcome, self.mapping = outcome, mapping
        self.placed: dict[int, list[int]] = defaultdict(list)
        for n, row in enumerate(outcome.source_rows.to_pylist()):
            self.placed[row].append(n)
        self.parts = outcome.parts.to_pylist()

    def say(self, example: Example, row: int) -> str:
        """What differs, "" when nothing does."""
        rows = [n for n in self.placed.get(row, ()) if example.part in ("", self.parts[n])]
        held = [h for h in self.outcome.held if h.source_row == row and example.part in ("", h.part)]
        skipped = [s for s in self.outcome.skipped if s.source_row == row and example.part in ("", s.part)]
        if len(rows) + len(held) + len(skipped) != 1:
            parts = [*(self.parts[n] for n in rows), *(h.part for h in held), *(s.part for s in skipped)]
            return f"one part is needed and there are {len(parts)}; name it with part=, one of {parts}"
        actual, wanted = _fate(rows, held, skipped, self.outcome), _wanted(example)
        if actual != wanted:
            return f"it should be {wanted}, and it is {actual}"
        return self._differences(example, rows[0]) if wanted == "placed" else ""

    def refused_by_target(self, examples: Sequence[Example], rows: list[int], found: dict[int, str]) -> None:
        """Add what the target's schema does not take. A link has no value yet, so the id it is looked up by stands for
        it."""
        from crosswalk.frames.validate import validate

        frame = self.outcome.frame
        table = frame.table
        for name, links in self.outcome.links.items():
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, links.ids)
        placed = {n: rows[row] for row, numbers in self.placed.items() for n in numbers}
        for r in validate(Frame(frame.record, table, frame.lines), written=True).refused:
            n = placed[r.index]
            mine = examples[n].part in ("", self.parts[r.index])
            if mine and not self.outcome.remove[r.index].as_py():
                found.setdefault(n, f"the target does not take it: {r.field} {r.reason}")

    def _differences(self, example: Example, row: int) -> str:
        wrong = []
        for path, wanted in example.expect.items():
            actual = self._value(path, row)
            if not _same(actual, wanted):
                wrong.append(f"{path} should be {wanted!r} and is {_show(actual)}")
        for path, wanted in example.taken.items():
            actual = self.outcome.alternatives[path][row].as_py()
            if not _same(actual, wanted):
                wrong.append(f"{path}, if taken, should be {wanted!r} and is {_show(actual)}")
        return "; ".join(wrong)

    def _value(self, path: str, row: int) -> Any:
        """A target value, the id that a link looks up (``id#part`` for a part), or what the answer must show."""
        if path in self.outcome.links:
            links = self.outcome.links[path]
            part = links.parts[row].as_py() if links.parts is not None else None
            found = links.ids[row].as_py()
            return f"{found}#{part}" if found is not None and part else found
        if path in self.outcome.expects and path not in self.mapping.built.filled:
            return self.outcome.expects[path][row].as_py()
        return _value(self.outcome.frame, row, path)


def _wanted(example: Example) -> str:
    if example.held:
        return f"held by {', '.join(sorted(example.held))}"
    if example.skipped:
        return f"skipped by {example.skipped}"
    return "removed" if example.removed else "placed"


def _fate(rows: list[int], held: list[HeldRow], skipped: list[SkippedRow], outcome: Outcome) -> str:
    if held:
        return f"held by {', '.join(sorted({held[0].rule, *held[0].also}))}"
    if skipped:
        return f"skipped by {skipped[0].rule}"
    return "removed" if outcome.remove[rows[0]].as_py() else "placed"


def _value(frame: Frame, row: int, path: str) -> Any:
    """A target value by its dotted name; MISSING beyond the end of a list, the length for the list itself."""
    found = re.match(r"([^\[]+)\[(\d+)\]\.(.+)", path)
    if found is None:
        if path in frame.lines:
            return frame.lines[path].parent.to_pylist().count(row)
        return frame[path][row].as_py()
    name, position, rest = found[1], int(found[2]), found[3]
    child = frame.lines[name]
    mine = [n for n, parent in enumerate(child.table.column(PARENT).to_pylist()) if parent == row]
    return _value(child, mine[position], rest) if position < len(mine) else f"no {name}[{position}]"


def _same(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, Decimal) and not isinstance(wanted, (bool, float)) and wanted is not None:
        try:
            return actual == Decimal(wanted)
        except (InvalidOperation, TypeError, ValueError):
            return False
    if isinstance(actual, datetime) and isinstance(wanted, str):
        try:
            return actual == datetime.fromisoformat(wanted)
        except (TypeError, ValueError):
            return False
    if isinstance(actual, date) and isinstance(wanted, str):
        return actual.isoformat() == wanted
    return type(actual) is type(wanted) and bool(actual == wanted)


def _show(actual: Any) -> str:
    return str(actual) if isinstance(actual, (Decimal, date)) else repr(actual)
