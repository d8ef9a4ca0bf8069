"""A dry run: what a run would do, with the difference field by field. It writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crosswalk.delivery import match, plan, remap
from crosswalk.delivery.match import Ask
from crosswalk.store import ledger, links
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name

if TYPE_CHECKING:
    from crosswalk.delivery.plan import Chunk
    from crosswalk.runs.session import Session
    from crosswalk.runs.transform import Validated

SAMPLES = 200


@dataclass(frozen=True)
class Change:
    """One target record that would be written.

    differences: field → (what was applied, what is wanted).  waits: a parent that is not known yet.
    unknown: what was not looked up.  adopts: the target record that would be taken over, and what it is recognised by.
    """

    key: str
    part: str
    resource: str
    operation: str
    differences: Mapping[str, tuple[Any, Any]]
    waits: str = ""
    unknown: str = ""
    adopts: str = ""


@dataclass
class Plan:
    """What a dry run found: how many of each, and the first of them in full.

    adopt: every target record that would be taken over, as an approval of the plan keeps it.
    asked: parts for which the target was asked.  waiting: parts that earlier runs hold because records there fit.
    """

    counts: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    held: list[tuple[str, str, str, str]] = field(default_factory=list)
    adopt: list[list[str]] = field(default_factory=list)
    asked: set[Name] = field(default_factory=set)
    waiting: dict[Name, Any] | None = None

    def count(self, fate: str) -> None:
        self.counts[fate] = self.counts.get(fate, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        return {
            "counts": dict(sorted(self.counts.items())),
            "changes": [
                {**vars(c), "differences": {f: [str(a), str(b)] for f, (a, b) in c.differences.items()}}
                for c in self.changes
            ],
            "held": [list(h) for h in self.held],
            "adopt": len(self.adopt),
        }


def add(session: Session, validated: Validated, chunk: Chunk) -> None:
    """Add a chunk to the session's plan."""
    found = session.plan
    with session.store.reading() as connection:
        old = ledger.existing(connection, session.scope, {n.key for n in chunk.names()})
        if not session.request.remap:
            chunk, standing = remap.standing(chunk, old)
            for _ in standing:
                found.count("unchanged")
        parents = {
            w.name: {f: session.delivery.parent(of, id, to) for f, (to, of, id) in w.links.items()}
            for w in chunk.wanted
        }
        there = links.find(connection, {p for ps in parents.values() for p in ps.values()})
    for key in validated.keys:
        session.seen.record(key)
    for hold in chunk.held:
        found.count("held")
        if len(found.held) < SAMPLES:
            found.held.append((hold.key, hold.part, hold.rule, hold.reason))
    for skip in chunk.skipped:
        decision = plan.decide_skip(old.get(skip.name), skip, session.clock.now())
        found.count("held" if isinstance(decision, Hold) else "skipped")
    if found.waiting is None:
        found.waiting = {} if session.integration.to_database else match.waiting(session.delivery)
    fits = _recognise(session, chunk, old)
    for wanted in chunk.wanted:
        row = old.get(wanted.name)
        decision = plan.decide(row, wanted, session.clock.now())
        if wanted.name in fits:
            _adopt(session, *fits[wanted.name])
            continue
        if decision.fate == "held" and wanted.name in found.waiting:
            continue  # the target is asked for it at the end
        if decision.fate != "planned":
            found.count("skipped" if decision.fate == "stale" else decision.fate)
            continue
        waits = next((p.text for p in parents[wanted.name].values() if p not in there), "")
        operation = "remove" if wanted.remove else ("update" if row is not None and row.target_id else "create")
        found.count("parked" if waits else {"create": "created", "update": "updated", "remove": "deleted"}[operation])
        if len(found.changes) < SAMPLES:
            found.changes.append(_change(session, row, wanted, operation, waits))


@dataclass(frozen=True)
class _Part:
    """A part that the target is asked for: planned in this run, or held by an earlier one."""

    ask: Ask
    resource: str
    payload: str


def _recognise(session: Session, chunk: Chunk, old: Mapping[Name, Any]) -> dict[Name, tuple[_Part, match.Fits]]:
    """What the target holds that first creates of a chunk may be; those that nothing fits are left out."""
    parts = []
    for wanted in chunk.wanted:
        row = old.get(wanted.name)
        ask = match.asked(wanted.name, wanted.marker, {"match": wanted.match})
        first = row is None or not (row.generation or row.target_id)
        if ask and first and plan.decide(row, wanted, session.clock.now()).fate == "planned":
            parts.append(_Part(ask, wanted.resource, wanted.payload))
    return _look(session, parts)


def _look(session: Session, parts: list[_Part]) -> dict[Name, tuple[_Part, match.Fits]]:
    found: dict[Name, tuple[_Part, match.Fits]] = {}
    for resource in sorted({p.resource for p in parts}):
        mine = {p.ask.name: p for p in parts if p.resource == resource}
        session.plan.asked.update(mine)
        fits = match.look(session.delivery, resource, [p.ask for p in mine.values()])
        found |= {name: (mine[name], fit) for name, fit in fits.items() if fit.found or fit.unknown}
    return found


def finish(session: Session) -> None:
    """Ask the target once more for what earlier runs hold because records there fit, and drop what is claimed twice."""
    found = session.plan
    if session.integration.to_database:
        return
    left = match.waiting(session.delivery) if found.waiting is None else found.waiting
    parts = []
    for name, row in left.items():
        ask = match.asked(name, row.marker, ledger.load(row.wanted_extra))
        if ask is not None and name not in found.asked and not row.generation:
            parts.append(_Part(ask, row.resource, row.wanted_payload))
    fits = _look(session, parts)
    for part in parts:
        if part.ask.name in fits:
            _adopt(session, *fits[part.ask.name])
        else:
            found.count("created")
    _drop_claimed_twice(found)


def _adopt(session: Session, part: _Part, fit: match.Fits) -> None:
    """Show what would be taken over, field by field; what a person has to decide otherwise is shown as held."""
    found, name, one = session.plan, part.ask.name, fit.ours or fit.one
    if one is None:
        found.count("held")
        if len(found.held) < SAMPLES:
            found.held.append((*vars(name).values(), match.RULE, match.objection(session.delivery, part.ask, fit, {})))
        return
    found.count("adopted")
    found.adopt.append(match.proposal(name, one))
    if len(found.changes) < SAMPLES:
        words = f"would adopt {one.target_id}, recognised by {part.ask.field}"
        payload = ledger.load(part.payload)
        shown = {field: one.echo[field] for field in payload if field in one.echo}
        differences = _different(flat(shown), flat(payload))
        found.changes.append(Change(name.key, name.part, part.resource, "adopt", differences, adopts=words))


def _drop_claimed_twice(found: Plan) -> None:
    """A target record that several source records may be is nobody's until a person says whose."""
    claims = Counter(target for _, _, target, _ in found.adopt)
    for key, part, target, _ in found.adopt:
        if claims[target] > 1:
            found.counts["adopted"] -= 1
            found.count("held")
            found.held.append(
                (key, part, match.RULE, f"several records of the source fit the target's record {target}")
            )
    twice = {(key, part) for key, part, target, _ in found.adopt if claims[target] > 1}
    found.adopt = [a for a in found.adopt if claims[a[2]] == 1]
    found.changes = [c for c in found.changes if (c.key, c.part) not in twice or not c.adopts]


def _different(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        f: (before.get(f, ""), after.get(f, ""))
        for f in sorted({*before, *after})
        if str(before.get(f, "")) != str(after.get(f, ""))
    }


def _change(session: Session, row: Any, wanted: ledger.Wanted, operation: str, waits: str) -> Change:
    before = flat(ledger.load(row.applied_payload)) if row is not None else {}
    differences = _different(before, flat(ledger.load(wanted.payload)))
    unknown = (
        ""
        if wanted.name in session.plan.asked or operation != "create"
        else "whether the target already holds it was not looked up"
    )
    name = wanted.name
    return Change(name.key, name.part, wanted.resource, operation, differences, waits, unknown)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name, ``LineItems[0].Quantity``."""
    found: dict[str, Any] = {}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            found |= flat(inner, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found |= flat(inner, f"{prefix}[{number}]")
    else:
        found[prefix] = value
    return found
