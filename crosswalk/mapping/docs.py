"""The page of a mapping: every rule with its reason, what nobody reads and what nobody fills. Made from the rules."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crosswalk.mapping.build import Built, plain
from crosswalk.mapping.digest import digest, table_names, verbs
from crosswalk.mapping.example_records import differences, usual
from crosswalk.mapping.language import Default, Example, Lines, Mapping, Missing, Rule
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.verb import shown, verb
from crosswalk.mapping.verbs.arithmetic import number
from crosswalk.mapping.verbs.basic import Term
from crosswalk.mapping.verbs.choices import Choose
from crosswalk.mapping.verbs.custom import Custom
from crosswalk.mapping.verbs.references import Link
from crosswalk.schemas.base import Field, Record
from crosswalk.schemas.base import Lines as RecordLines

LONGEST = 60


def page_name(mapping: Mapping) -> str:
    """The file name of the page: the title in small letters, ``.md``."""
    return re.sub(r"[^a-z0-9]+", "-", mapping.title.lower()).strip("-") + ".md"


def render(mapping: Mapping, tables: Path | None = None, overrides: Path | None = None) -> str:
    """The page, as Markdown. tables, overrides: the folders of value tables, the mapping's own by default.

    Raises TableError when a value table cannot be read.
    """
    built = mapping.built
    parts = [
        f"# {mapping.title}\n\nMade from the rules by `crosswalk docs`; change the mapping, not this page.",
        _facts(mapping),
        _sign_off(mapping, tables, overrides),
        _named("Left out", "Counted by name, never sent.", built.skips),
        _named("Held", "Left to a person.", built.holds),
        _named("Removed", "The target record is removed or voided.", built.removes),
        f"## Fields of {mapping.target.name}\n\n{_rules(built.rules, mapping.target)}",
        *_blocks(built.lines, mapping.target, ""),
        _checks(built),
        _waits(mapping),
        _guards(mapping),
        _terms(mapping),
        *_tables(mapping, tables, overrides),
        _functions(mapping),
        _examples(mapping),
        _rest("Source fields that no rule reads", _unread(mapping.source, built.used)),
        _rest("Target fields that nobody fills", _unfilled(mapping.target, built.filled)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(mapping: Mapping) -> str:
    each = f"each element of `{mapping.each}` of a {mapping.source.name} record" if mapping.each else "each record"
    alone = "its mark alone" if mapping.marker else "nothing: what was sent stands in the ledger"
    rows = [
        ("source", f"`{mapping.source.name}`, {each}"),
        ("target", f"`{mapping.target.name}`"),
        ("named by", f"`{mapping.key}`" + (f", part `{mapping.part}`" if mapping.part else "")),
        ("our own mark", f"`{mapping.marker}`" if mapping.marker else "none"),
        ("recognised on first contact by", f"`{mapping.match}`" if mapping.match else alone),
    ]
    facts = _table(("", ""), rows)
    inside = mapping.each or mapping.built.lines
    return f"{facts}\n\n`^.` leads from an element of a list to the record that it stands in." if inside else facts


def _sign_off(mapping: Mapping, tables: Path | None, overrides: Path | None) -> str:
    now = digest(mapping, tables, overrides)
    given = mapping.approved
    signed = () if given is None else given if isinstance(given, tuple) else (given,)
    fitting = [f"Signed off by {a.by} on {a.on}." for a in signed if a.digest == now]
    older = [f"Changed since {a.by} signed off on {a.on}." for a in signed[-1:]]
    words = (fitting or older or ["Not signed off."])[0]
    return f"## Sign-off\n\n{words}\n\nDigest of rules and tables: `{now}`"


def _named(title: str, what: str, declared: Sequence[Any]) -> str:
    if not declared:
        return ""
    rows = [(d.name, d.when.words(), d.why) for d in declared]
    return f"## {title}\n\n{what}\n\n{_table(('name', 'when', 'why'), rows)}"


def _rules(rules: Iterable[Rule], target: Record) -> str:
    order = {f.name: n for n, f in enumerate(target.fields)}
    rows = []
    for rule in sorted(rules, key=lambda r: order[r.target]):
        words = rule.verb.words() + (f"; if that is taken, {rule.taken.words()}" if rule.taken else "")
        owner = "source" if rule.owner == "source" else "target: set once"
        rows.append((f"`{rule.target}`", words, _missing(rule.missing), _no_equivalent(rule), owner, rule.why))
    return _table(("target", "comes from", "if missing", "no equivalent", "owner", "why"), rows)


def _missing(missing: Missing | Default) -> str:
    return f"`{missing.value}`" if isinstance(missing, Default) else missing.value


def _no_equivalent(rule: Rule) -> str:
    """What happens to a value that a table has no row for; for references, to a record that is not there."""
    if isinstance(rule.verb, Link):
        return "waits"
    found = [v for v in verbs(rule.verb) if isinstance(v, Choose)]
    return ", ".join(dict.fromkeys("hold" if c.otherwise is None else f"`{c.otherwise}`" for c in found))


def _blocks(blocks: Iterable[Lines], target: Record, at: str) -> list[str]:
    pages = []
    for block in blocks:
        place = target[block.target]
        assert isinstance(place, RecordLines)
        source = f"each of `{block.each}`" if block.each else "the record itself"
        when = f" where {block.when.words()}" if block.when else ""
        why = f"\n\n{block.why}" if block.why else ""
        title = f"## {at}{block.target}: one from {source}{when}"
        pages.append(f"{title}{why}\n\n{_rules(plain(block.rules), place.record)}")
        inner = [b for b in block.rules if isinstance(b, Lines)]
        pages += _blocks(inner, place.record, f"{at}{block.target}.")
    return pages


def _checks(built: Built) -> str:
    rows = []
    for c in built.checks:
        within = f", within {c.tolerance}" if c.tolerance else ""
        rows.append((c.name, verb(c.left).words(), number(c.right).words() + within, c.why))
    rows += [(f"`{c.target}` of the answer", f"`{c.target}` as the target shows it", c.verb.words(), c.why)
             for c in built.confirms]  # fmt: skip
    header = ("check", "of the target", "equals, of the source", "why")
    return f"## Checks\n\nWhat does not hold is held.\n\n{_table(header, rows)}" if rows else ""


def _waits(mapping: Mapping) -> str:
    if not mapping.waits:
        return ""
    rows = [(w.name, w.link.words(), w.why) for w in mapping.waits]
    what = "A record waits until these are at the target, although no field carries them."
    return f"## Waits\n\n{what}\n\n{_table(('name', 'for', 'why'), rows)}"


def _guards(mapping: Mapping) -> str:
    if not mapping.guards:
        return ""
    rows = [(g.name, " ".join((inspect.getdoc(g.when) or "").split()), g.why) for g in mapping.guards]
    what = "Before a delivered record is changed, the target's own record is looked at; then the change is held."
    return f"## Guards\n\n{what}\n\n{_table(('name', 'when', 'why'), rows)}"


def _tables(mapping: Mapping, tables: Path | None, overrides: Path | None) -> list[str]:
    folder = Tables(tables or mapping.tables, overrides)
    pages = []
    for name in table_names(mapping):
        header, *rows = folder.read(name).rows()
        pages.append(f"## Table {name}\n\n{_table(header, rows)}")
    return pages


def _functions(mapping: Mapping) -> str:
    found = {v.name: v for v in verbs(mapping) if isinstance(v, Custom)}
    rows = [
        (f"`{name}`", v.returns.name, " ".join((inspect.getdoc(v.function) or "").split())) for name, v in found.items()
    ]
    return f"## Functions\n\n{_table(('function', 'makes', 'what it does'), rows)}" if rows else ""


def _terms(mapping: Mapping) -> str:
    found = {v.name: v for v in verbs(mapping) if isinstance(v, Term)}
    rows = [(f"*{name}*", verb(term.operand).words()) for name, term in found.items()]
    return (
        f"## Terms\n\nWords in *italics* above stand for this.\n\n{_table(('term', 'what it is'), rows)}"
        if rows
        else ""
    )


def _examples(mapping: Mapping) -> str:
    if not mapping.examples:
        return ""
    hint = "\n\nGiven is what differs from the usual record." if mapping.base else ""
    rows = [(e.name, _pairs(differences(mapping, e)) or "the usual record", _ends(e)) for e in mapping.examples]
    cases = f"## Examples{hint}\n\n{_table(('case', 'given', 'becomes'), rows)}"
    if not mapping.base:
        return cases
    return f"{cases}\n\n## The usual record\n\n{_pairs(usual(mapping))}"


def _ends(example: Example) -> str:
    part = f"part `{example.part}`: " if example.part else ""
    if example.held:
        return part + "held by " + ", ".join(f"`{h}`" for h in sorted(example.held))
    if example.skipped:
        return f"{part}left out by `{example.skipped}`"
    if example.removed:
        return part + "removed"
    taken = _pairs({f"{name}, if that is taken,": value for name, value in example.taken.items()})
    return part + "<br>".join(filter(None, (_pairs(example.expect), taken)))


def _pairs(values: Any) -> str:
    return "<br>".join(_waited(k, v) if k.startswith("@") else f"{_path(k)} {_is(v)}" for k, v in values.items())


def _waited(name: str, value: Any) -> str:
    return f"waits until `{value}` is in `{name[1:]}`"


def _path(name: str) -> str:
    field, comma, more = name.partition(",")
    return f"`{field}`{comma}{more}"


def _is(value: Any) -> str:
    if value is None:
        return "is empty"
    text = str(value)
    if len(text) > LONGEST:
        return f"is `{text[:LONGEST]}…` ({len(text):,} characters)"
    return f"is {shown(value)}" if isinstance(value, bool) else f"= `{text}`"


def _unread(source: Record, used: frozenset[str], at: str = "") -> list[str]:
    """Fields that nobody reads; a list that nobody reads counts as one."""
    found = []
    for f in source.fields:
        name = at + f.name
        if isinstance(f, Field):
            found += [] if name in used else [name]
        elif any(u.startswith(name + ".") for u in used):
            found += _unread(f.record, used, name + ".")
        else:
            found.append(f"{name} (list)")
    return found


def _unfilled(target: Record, filled: frozenset[str], at: str = "") -> list[str]:
    """Fields that nobody fills and that the target does not fill itself."""
    found = []
    for f in target.fields:
        name = at + f.name
        if f.read_only:
            continue
        if isinstance(f, Field):
            found += [] if name in filled else [name]
        elif name + "." in filled:
            found += _unfilled(f.record, filled, name + ".")
        else:
            found.append(f"{name} (list)")
    return found


def _rest(title: str, names: list[str]) -> str:
    return f"## {title}\n\n" + (", ".join(f"`{n}`" for n in names) if names else "None.")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).replace("|", "\\|").split())
