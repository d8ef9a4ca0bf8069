"""A mapping on a frame: columns of the target, and for every row that does not get there the rule that says why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError
from crosswalk.frames.casts import iso
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.mapping.build import Built, plain
from crosswalk.mapping.context import Context
from crosswalk.mapping.language import HOLD, Check, Confirm, Default, Lines, Mapping, Rule, Skip, Wait
from crosswalk.mapping.outcome import HeldRow, Links, Outcome, SkippedRow
from crosswalk.mapping.refs import Scope
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.values import as_text, coded, fit, literal
from crosswalk.mapping.verb import Condition, Made, Refusal, Verb, refuse, refused_rows, verb, without
from crosswalk.mapping.verbs.arithmetic import number
from crosswalk.mapping.verbs.basic import undecided
from crosswalk.mapping.verbs.conditions import alike
from crosswalk.mapping.verbs.references import Link
from crosswalk.schemas.base import Field, Record
from crosswalk.schemas.base import Lines as RecordLines

EXCERPT = 60


def apply(mapping: Mapping, frame: Frame, context: Context) -> Outcome:
    """The target records of a frame of source records, and every row that is held or skipped.

    Raises MappingError when the frame is of another record, or a table that the rules need is not there.
    """
    return _Run(mapping, mapping.built, in_scope(mapping, frame, context)).outcome()


def in_scope(mapping: Mapping, frame: Frame, context: Context) -> Scope:
    """The rows that a mapping sees of a frame. Raises MappingError."""
    if frame.record.name != mapping.source.name:
        raise MappingError(f"{mapping.title!r} maps {mapping.source.name}, and was given {frame.record.name}.")
    tables = Tables(context.tables_dir or mapping.tables, context.overrides)
    scope = Scope(frame, context, tables)
    return scope.into(mapping.each)[0] if mapping.each else scope


@dataclass(frozen=True)
class _Refused:
    rule: str
    field: str
    refusal: Refusal


@dataclass
class _Run:
    """One application. Everything is made for all rows, and only then divided into placed, held and skipped."""

    mapping: Mapping
    built: Built
    scope: Scope
    refused: list[_Refused] = field(default_factory=list)
    links: dict[str, Links] = field(default_factory=dict)
    alternatives: dict[str, pa.Array] = field(default_factory=dict)
    expects: dict[str, pa.Array] = field(default_factory=dict)

    def outcome(self) -> Outcome:
        keys, parts, versions = self._names()
        # A row that cannot be named cannot be counted as left out either.
        skipped = without(self._skips(), refused_rows((r.refusal for r in self.refused), len(self.scope)))
        for hold in self.built.holds:
            made = self._condition(hold.name, hold.when)
            self._refuse(hold.name, "", refuse(made, hold.why))
        remove = pa.repeat(pa.scalar(False), len(self.scope))
        for named in self.built.removes:
            remove = pc.or_(remove, self._condition(named.name, named.when))
        decided = len(self.refused)
        target = self._target()
        for check in self.built.checks:
            self._check(check, target)
        for confirm in self.built.confirms:
            self._confirm(confirm)
        for wait in self.mapping.waits:
            self._wait(wait)
        self._forgive(remove, decided)
        skip = pc.is_valid(skipped)
        held = pc.and_not(refused_rows((r.refusal for r in self.refused), len(self.scope)), skip)
        place = pc.invert(pc.or_(skip, held))
        return Outcome(
            frame=target.filter(place),
            keys=keys.filter(place),
            parts=parts.filter(place),
            versions=versions.filter(place),
            remove=remove.filter(place),
            source_rows=self.scope.top_rows.filter(place),
            links={n: _filtered(links, place) for n, links in self.links.items()},
            alternatives={n: values.filter(place) for n, values in self.alternatives.items()},
            expects={n: values.filter(place) for n, values in self.expects.items()},
            create_only=tuple(r.target for r in self.built.rules if r.owner == "target"),
            held=self._held(held, keys, parts),
            skipped=self._skipped(skipped, keys, parts),
        )

    def _names(self) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Source key, part key and version of every row; a row without a key, or with another's, is held."""
        m, scope = self.mapping, self.scope
        own = as_text(scope.column(m.key))
        self._refuse("key", m.key, refuse(pc.is_null(own), f"{m.key} is missing, so the row cannot be named"))
        record = _record(scope)
        keys = as_text(record.column(m.source.key)) if m.each else own
        if m.each:
            parts = pc.binary_join_element_wise(pa.scalar(f"{m.part}:"), pc.fill_null(own, "?"), "")
            twice = refuse(_twice(parts, scope.top_rows), f"several {m.each} of the record have this {m.key}", own)
            self._refuse("key", m.key, twice)
        else:
            parts = pa.repeat(pa.scalar(m.part), len(scope))
        return pc.fill_null(keys, ""), parts, pc.fill_null(_versions(record), "")

    def _skips(self) -> pa.Array:
        """For every row the number of the first Skip that is true, null where none is."""
        first = pa.nulls(len(self.scope), pa.int64())
        for number_, skip in enumerate(self.built.skips):
            true = self._condition(skip.name, skip.when)
            first = pc.if_else(pc.and_(true, pc.is_null(first)), pa.scalar(number_, pa.int64()), first)
        return first

    def _condition(self, name: str, when: Condition) -> pa.Array:
        made = when.make(self.scope, pa.bool_())
        self._refuse(name, "", (*made.refusals, *undecided(made, when)))
        return pc.fill_null(made.values, False)

    def _refuse(self, rule: str, field_: str, refusals: Sequence[Refusal]) -> None:
        self.refused += [_Refused(rule, field_, r) for r in refusals if r.rows.true_count]

    def _target(self) -> Frame:
        record = self.mapping.target
        columns = self._columns(self.built.rules, record, self.scope)
        for rule in self.built.rules:
            if rule.taken is not None:
                place = record[rule.target]
                assert isinstance(place, Field)
                self.alternatives[rule.target] = _placed(rule.taken, place, self.scope).values
        lines = self._lists(self.built.lines, record, self.scope, "", None)
        return Frame(record, pa.table(columns, schema=record.arrow), lines)

    def _columns(
        self, rules: Sequence[Rule], record: Record, scope: Scope, at: str = "", home: pa.Array | None = None
    ) -> list[pa.Array]:
        """Every scalar of the record; ``home`` is the mapping's row that each row here belongs to."""
        by_target = {rule.target: rule for rule in rules}
        columns = []
        for place in record.scalars:
            rule = by_target.get(place.name)
            if rule is None:
                columns.append(pa.nulls(len(scope), place.type.arrow))
                continue
            made = self._answered(rule, place, scope)
            lifted = made.refusals if home is None else tuple(r.lift(home, len(self.scope)) for r in made.refusals)
            self._refuse(at + rule.target, at + rule.target, lifted)
            if isinstance(rule.verb, Link):
                self.links[rule.target] = rule.verb.links(scope, made.values)
                columns.append(pa.nulls(len(scope), place.type.arrow))
            else:
                columns.append(made.values)
        return columns

    def _answered(self, rule: Rule, place: Field, scope: Scope) -> Made:
        """The column of a rule, with its answer for what is missing."""
        made = _placed(rule.verb, place, scope)
        values = made.values
        missing = pc.and_not(pc.is_null(values), refused_rows(made.refusals, len(scope)))
        if isinstance(rule.missing, Default):
            return made.then(pc.if_else(missing, literal(rule.missing.value, values.type), values))
        if rule.missing is HOLD:
            return made.then(values, *refuse(missing, f"there is no value: {rule.verb.words()}"))
        return made

    def _lists(
        self, blocks: Sequence[Lines], record: Record, scope: Scope, at: str, home: pa.Array | None
    ) -> dict[str, Frame]:
        return {
            li.name: _joined(li, [self._block(b, li, scope, at, home) for b in blocks if b.target == li.name])
            for li in record.lists
        }

    def _block(self, block: Lines, li: RecordLines, scope: Scope, at: str, home: pa.Array | None) -> Frame:
        """The elements that one Lines block makes, ``_parent`` being the row of ``scope``."""
        if block.each:
            inner, parent, _ = scope.into(block.each)
        else:
            inner, parent = scope, pa.array(np.arange(len(scope), dtype=np.int64))
        rows = parent if home is None else home.take(parent)
        if block.when is not None:
            made = block.when.make(inner, pa.bool_())
            refusals = (*made.refusals, *undecided(made, block.when))
            name = at + block.target
            self._refuse(name, name, tuple(r.lift(rows, len(self.scope)) for r in refusals))
            keep = pc.fill_null(made.values, False)
            inner, parent, rows = inner.filter(keep), parent.filter(keep), rows.filter(keep)
        element, deeper = li.record, f"{at}{li.name}."
        columns = self._columns(plain(block.rules), element, inner, deeper, rows)
        nested = self._lists([b for b in block.rules if isinstance(b, Lines)], element, inner, deeper, rows)
        schema = element.arrow.insert(0, pa.field(PARENT, pa.int64()))
        return Frame(element, pa.table([parent, *columns], schema=schema), nested)

    def _check(self, check: Check, target: Frame) -> None:
        left = verb(check.left).make(Scope(target, self.scope.context, self.scope.tables))
        right = number(check.right).make(self.scope)
        a, b = alike(left.values, right.values)
        if pa.types.is_decimal(a.type) or pa.types.is_int64(a.type):
            wide = pa.decimal256(76, 12)
            apart = pc.abs(pc.subtract(_wide(a), _wide(b)))
            same = pc.less_equal(apart.cast(wide), literal(check.tolerance, wide))
        else:
            same = pc.equal(a, b)
        # What a rule has refused already need not be compared.
        known = refused_rows((r.refusal for r in self.refused), len(self.scope))
        both = pc.or_(known, refused_rows((*left.refusals, *right.refusals), len(self.scope)))
        unknown = pc.and_not(pc.is_null(same), both)
        wrong = pc.and_not(pc.invert(same), both)
        texts = [pc.fill_null(v.values.cast(pa.string()), "nothing") for v in (left, right)]
        shown = pc.binary_join_element_wise(*texts, " ≠ ")
        self._refuse(check.name, "", (*left.refusals, *right.refusals))
        self._refuse(check.name, "", refuse(unknown, "one side has no value, so it cannot be compared", shown))
        self._refuse(check.name, "", refuse(wrong, check.why, shown))

    def _confirm(self, confirm: Confirm) -> None:
        place = self.mapping.target[confirm.target]
        assert isinstance(place, Field)
        rule = Rule(confirm.target, confirm.verb, missing=confirm.missing)
        made = self._answered(rule, place, self.scope)
        self._refuse(confirm.target, confirm.target, made.refusals)
        self.expects[confirm.target] = made.values

    def _wait(self, wait: Wait) -> None:
        """A link that fills no field; its name begins with "@"."""
        assert isinstance(wait.link, Link)
        made = wait.link.make(self.scope)
        missing = pc.and_not(pc.is_null(made.values), refused_rows(made.refusals, len(self.scope)))
        self._refuse(wait.name, "", (*made.refusals, *refuse(missing, f"there is no value: {wait.link.words()}")))
        self.links[f"@{wait.link.to}"] = wait.link.links(self.scope, made.values)

    def _forgive(self, remove: pa.Array, since: int) -> None:
        """A record that is to be removed needs no values, so rules that refuse it do not hold it."""
        if remove.true_count:
            stay = pc.invert(remove)
            kept = [_Refused(r.rule, r.field, r.refusal.where(stay)) for r in self.refused[since:]]
            self.refused[since:] = [r for r in kept if r.refusal.rows.true_count]

    def _held(self, held: pa.Array, keys: pa.Array, parts: pa.Array) -> list[HeldRow]:
        """One HeldRow a row, by the first rule that refused it and is not a person's decision, if there is one."""
        found: dict[int, list[tuple[_Refused, int]]] = defaultdict(list)
        for refused in self.refused:
            for row in pc.indices_nonzero(pc.and_(refused.refusal.rows, held)).to_pylist():
                found[row].append((refused, row))
        tops = self.scope.top_rows
        result = []
        for row in sorted(found):
            reasons = [r for r, _ in found[row]]
            first = next((r for r in reasons if not r.refusal.by_person), reasons[0])
            also = tuple(dict.fromkeys(r.rule for r in reasons if r.rule != first.rule))
            result.append(
                HeldRow(
                    keys[row].as_py(), parts[row].as_py(), first.rule, first.field, _reason(first.refusal, row),
                    self._excerpt(first, row), first.refusal.by_person, tops[row].as_py(), also,
                )
            )  # fmt: skip
        return result

    def _excerpt(self, refused: _Refused, row: int) -> str:
        shown = refused.refusal.shown
        if shown is None or not shown[row].is_valid:
            return ""
        if refused.rule in self.built.personal:
            return "(personal)"
        text = str(shown[row].as_py())
        return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"

    def _skipped(self, skipped: pa.Array, keys: pa.Array, parts: pa.Array) -> list[SkippedRow]:
        skips: tuple[Skip, ...] = self.built.skips
        rows = pc.indices_nonzero(pc.is_valid(skipped))
        columns = (keys.take(rows), parts.take(rows), skipped.take(rows), self.scope.top_rows.take(rows))
        lists = (c.to_pylist() for c in columns)
        return [SkippedRow(key, part, skips[n].name, top) for key, part, n, top in zip(*lists, strict=True)]


def _twice(names: pa.Array, records: pa.Array) -> pa.Array:
    """The rows whose name another row of the same record has; ``records`` says which that is."""
    rows, _ = coded([names], [names], (records, records))
    counts = rows.drop_null().value_counts()
    return pc.is_in(rows, value_set=counts.field(0).filter(pc.greater(counts.field(1), 1)))


def _placed(made_by: Verb, place: Field, scope: Scope) -> Made:
    """A verb's column as the target field takes it: its type, its length, its values."""
    made = fit(made_by.make(scope, place.type.arrow), place.type.arrow)
    values = made.values
    more: list[Refusal] = []
    if place.max_length is not None and pa.types.is_string(values.type):
        longer = pc.greater(pc.utf8_length(values), place.max_length)
        more += refuse(longer, f"longer than {place.max_length} characters", values)
    if place.values:
        other = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(place.values))))
        more += refuse(other, f"not one of {', '.join(place.values)}", values)
    return made.then(values, *more)


def _joined(li: RecordLines, blocks: list[Frame]) -> Frame:
    """The elements of several blocks in one frame, by parent, then in declared order."""
    if not blocks:
        return Frame.empty(li.record, child=True)
    if len(blocks) == 1:
        return blocks[0]
    return _ordered(_stacked(li.record, blocks))


def _stacked(record: Record, frames: list[Frame]) -> Frame:
    table = pa.concat_tables([f.table for f in frames]).combine_chunks()
    starts = np.cumsum([0, *(len(f) for f in frames[:-1])])
    lines = {}
    for li in record.lists:
        children = []
        for start, f in zip(starts, frames, strict=True):
            child = f.lines[li.name]
            moved = pc.add(child.parent, pa.scalar(int(start), pa.int64()))
            children.append(Frame(child.record, child.table.set_column(0, PARENT, moved), child.lines))
        lines[li.name] = _stacked(li.record, children)
    return Frame(record, table, lines)


def _ordered(frame: Frame) -> Frame:
    """The rows in stable order of their parent, and so on inside."""
    order = pc.sort_indices(frame.parent)
    place = np.empty(len(order), dtype=np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    lines = {}
    for name, child in frame.lines.items():
        parent = pa.array(place).take(child.parent)
        lines[name] = _ordered(Frame(child.record, child.table.set_column(0, PARENT, parent), child.lines))
    return Frame(frame.record, frame.table.take(order), lines)


def _record(scope: Scope) -> Scope:
    while scope.up is not None:
        scope = scope.above
    return scope


def _versions(record: Scope) -> pa.Array:
    """Sortable text: instants in ISO form to the microsecond, whole numbers with leading zeros."""
    name = record.record.version
    if not name:
        return pa.repeat(pa.scalar(""), len(record))
    values = record.column(name)
    if pa.types.is_timestamp(values.type):
        return iso(values)
    text = values.cast(pa.string())
    return pc.utf8_lpad(text, 20, "0") if pa.types.is_int64(values.type) else text


def _filtered(links: Links, place: pa.Array) -> Links:
    return Links(
        links.to, links.of, links.ids.filter(place), None if links.parts is None else links.parts.filter(place)
    )


def _wide(values: pa.Array) -> pa.Array:
    return values.cast(pa.decimal256(70, 12 if not pa.types.is_decimal(values.type) else max(12, values.type.scale)))


def _reason(refusal: Refusal, row: int) -> str:
    if isinstance(refusal.reason, str):
        return refusal.reason
    return refusal.reason[row].as_py() or "refused"
