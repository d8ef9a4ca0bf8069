"""A dry run: what a run would do, with the difference field by field. It writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crosswalk.delivery import plan
from crosswalk.store import ledger, links
from crosswalk.store.held import Hold

if TYPE_CHECKING:
    from crosswalk.delivery.plan import Chunk
    from crosswalk.runs.session import Session
    from crosswalk.runs.transform import Validated

SAMPLES = 200


@dataclass(frozen=True)
class Change:
    """One target record that would be written.

    differences: field → (what was applied, what is wanted).  waits: a parent that is not known yet.
    unknown: what could not be looked up without asking the target.
    """

    key: str
    part: str
    resource: str
    operation: str
    differences: Mapping[str, tuple[Any, Any]]
    waits: str = ""
    unknown: str = ""


@dataclass
class Plan:
    """What a dry run found: how many of each, and the first of them in full."""

    counts: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    held: list[tuple[str, str, str, str]] = field(default_factory=list)

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
        }


def add(session: Session, validated: Validated, chunk: Chunk) -> None:
    """Add a chunk to the session's plan."""
    found = session.plan
    with session.store.reading() as connection:
        old = ledger.existing(connection, session.scope, {n.key for n in chunk.names()})
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
    for wanted in chunk.wanted:
        row = old.get(wanted.name)
        decision = plan.decide(row, wanted, session.clock.now())
        if decision.fate != "planned":
            found.count("skipped" if decision.fate == "stale" else decision.fate)
            continue
        waits = next((p.text for p in parents[wanted.name].values() if p not in there), "")
        operation = "remove" if wanted.remove else ("update" if row is not None and row.target_id else "create")
        found.count("parked" if waits else {"create": "created", "update": "updated", "remove": "deleted"}[operation])
        if len(found.changes) < SAMPLES:
            found.changes.append(_change(session, row, wanted, operation, waits))


def _change(session: Session, row: Any, wanted: ledger.Wanted, operation: str, waits: str) -> Change:
    before = flat(ledger.load(row.applied_payload)) if row is not None else {}
    after = flat(ledger.load(wanted.payload))
    differences = {
        f: (before.get(f, ""), after.get(f, ""))
        for f in sorted({*before, *after})
        if str(before.get(f, "")) != str(after.get(f, ""))
    }
    unknown = "" if operation != "create" else "whether the target already holds it was not looked up"
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
