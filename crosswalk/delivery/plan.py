"""Planning: what the newest version of a chunk's records means for the ledger, committed with the cursor.

Every part ends with a fate: ``planned`` (to be sent), or one that is final for this run and is decided here:
unchanged, held, skipped, stale. A row that does not change is not written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from crosswalk.delivery import remap as remapping
from crosswalk.delivery.names import Names
from crosswalk.errors import Unbalanced
from crosswalk.mapping.language import Mapping
from crosswalk.mapping.outcome import Outcome
from crosswalk.store import held, ledger, overtaking
from crosswalk.store.corrections import DISMISSED
from crosswalk.store.engine import Store, instant_text
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name, Wanted

COLUMNS = (
    "resource", "rank", "source_resource", "source_id", "marker", "wanted_version", "wanted_hash", "wanted_payload",
    "wanted_extra", "wanted_remove", "wanted_digest", "needs", "parked_at", "skipped", "held", "held_because", "tries",
    "next_try_at", "last_error", "alone", "alternative", "seen_run", "fate", "changed_at",
)  # fmt: skip
NEW: dict[str, Any] = {
    "applied_version": "", "applied_hash": "", "applied_payload": "", "applied_digest": "", "target_id": "",
    "target_version": "", "generation": 0, "alternative": False, "look_first": False, "batch": "",
}  # fmt: skip


@dataclass(frozen=True)
class Skip:
    """A part that a named rule leaves out. digest: of the rules that say so."""

    name: Name
    rule: str
    version: str
    resource: str = ""
    rank: int = 0
    digest: str = ""


@dataclass
class Chunk:
    """What the records of a chunk yield: each part in exactly one of the lists.

    tables: for a database target, the mapping and its outcome, whose rows are loaded as a set.
    committed: the plan stands in the store; only sending may still have to be tried again.
    """

    wanted: list[Wanted] = field(default_factory=list)
    tables: list[tuple[Mapping, Outcome]] = field(default_factory=list)
    held: list[Hold] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    committed: bool = False

    def names(self) -> Iterable[Name]:
        yield from (w.name for w in self.wanted)
        yield from (Name(h.key, h.part) for h in self.held)
        yield from (s.name for s in self.skipped)


@dataclass
class Seen:
    """What a run has seen: how many parts its records yielded, and the fate of those whose row did not change.

    Names are kept as hashes, so that a long run stays small.  loaded, yielded, left_out (by rule): of sets that went
    into a database.
    A chunk counts in a ``fork`` that is joined when its commit stands, so that a chunk can be tried again.
    """

    records: Names = field(default_factory=Names)
    parts: set[int] = field(default_factory=set)
    still: dict[int, str] = field(default_factory=dict)
    loaded: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    yielded: int = 0
    read: int = 0
    before: Seen | None = None

    def fork(self) -> Seen:
        """What one more chunk adds."""
        return Seen(before=self)

    def join(self, chunk: Seen) -> None:
        """Take in what a chunk added."""
        self.records.join(chunk.records)
        self.parts |= chunk.parts
        for name in chunk.parts:
            self.still.pop(name, None)
        self.still.update(chunk.still)
        for fate, number in chunk.loaded.items():
            self.count(fate, number)
        self.left_out += chunk.left_out
        self.yielded += chunk.yielded
        self.read += chunk.read

    def record(self, key: str) -> bool:
        """Note a record that was read; False when this run has read it before."""
        self.read += 1
        name = hash(key)
        if name in self.records or (self.before is not None and name in self.before.records):
            return False
        self.records.add(name)
        return True

    def record_all(self, keys: Sequence[str]) -> set[str]:
        """As ``record``, for many at once; those that this run had not read before."""
        numbers = set(map(hash, keys))
        whole = len(numbers) == len(keys) and not self.records.meets(numbers)
        if not whole or (self.before is not None and self.before.records.meets(numbers)):
            return {key for key in keys if self.record(key)}
        self.read += len(keys)
        self.records.join(Names(numbers))
        return set(keys)

    def wrote(self, name: Name) -> bool:
        """Whether the fate of this part stands in a row that this run, or an earlier chunk of it, has written."""
        number = hash(name)
        if number in self.parts:
            return number not in self.still
        return self.before is not None and self.before.wrote(name)

    def count(self, fate: str, number: int) -> None:
        """Note parts of a set that was loaded as a whole."""
        self.loaded[fate] = self.loaded.get(fate, 0) + number

    @property
    def distinct(self) -> int:
        return len(self.records) + (self.before.distinct if self.before is not None else 0)

    @property
    def duplicate(self) -> int:
        return self.read - len(self.records)

    def part(self, name: Name, fate: str | None) -> None:
        """Note a part; ``fate`` when its row is not written, None when the row says it."""
        number = hash(name)
        self.parts.add(number)
        if fate is None:
            self.still.pop(number, None)
        else:
            self.still[number] = fate


@dataclass(frozen=True)
class Decision:
    """fate, and the values to write; None leaves the row as it is.

    renamed: another value is wanted where the first one was taken, so that it is tried before its alternative.
    """

    fate: str
    values: dict[str, Any] | None
    renamed: bool = False


def decide(old: Row[Any] | None, wanted: Wanted, now: datetime) -> Decision:
    """What a wanted version means for its row."""
    if old is None:
        return _fresh(wanted, now, nothing_there=True)
    if old.wanted_version > wanted.version:
        return Decision("stale", None)
    refused = old.held_because in (f"refused:{wanted.hash}", ledger.PARENT)
    if old.wanted_hash == wanted.hash and (not old.held or refused):
        return _same(old, wanted)
    if wanted.remove and not old.target_id and not old.applied_hash and not old.batch:
        return _fresh(wanted, now, nothing_there=True)
    fresh = _fresh(wanted, now, nothing_there=False, reached=old.applied_hash == wanted.hash and not old.batch)
    return replace(fresh, renamed=bool(old.alternative) and _renamed(old, wanted))


def _renamed(old: Row[Any], wanted: Wanted) -> bool:
    before, now = ledger.load(old.wanted_payload), ledger.load(wanted.payload)
    return any(_at(before, field) != _at(now, field) for field in wanted.alternatives)


def _at(payload: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def _same(old: Row[Any], wanted: Wanted) -> Decision:
    """Nothing new is wanted."""
    version = {"wanted_version": wanted.version}
    if old.batch:
        return Decision("planned", version)
    if old.held:
        return Decision("held", version)
    if old.applied_hash == wanted.hash:
        # A newer version of the same content is noted, so that one between the two is known to be stale.
        return Decision("unchanged", None if old.wanted_version == wanted.version else version)
    return Decision("planned", version)


def _fresh(wanted: Wanted, now: datetime, *, nothing_there: bool, reached: bool = False) -> Decision:
    values = {
        "resource": wanted.resource, "rank": wanted.rank, "source_resource": wanted.source_resource,
        "source_id": wanted.source_id, "marker": wanted.marker, "wanted_version": wanted.version,
        "wanted_hash": wanted.hash, "wanted_payload": wanted.payload, "wanted_extra": wanted.extra,
        "wanted_remove": wanted.remove, "wanted_digest": wanted.digest, "needs": "", "parked_at": None,
        "skipped": "", "held": "", "held_because": "", "tries": 0, "next_try_at": None, "last_error": "",
        "alone": False, "changed_at": now,
    }  # fmt: skip
    if wanted.remove and nothing_there:
        return Decision("skipped", values | {"wanted_hash": "", "wanted_payload": "", "skipped": wanted.rule})
    return Decision("unchanged" if reached else "planned", values)


def decide_skip(old: Row[Any] | None, skip: Skip, now: datetime) -> Decision | Hold:
    """A rule leaves this part out; a person decides when it was delivered before."""
    if old is not None and old.wanted_version > skip.version:
        return Decision("stale", None)
    if old is not None and (old.batch or (old.target_id and skip.rule != DISMISSED)):
        return Hold(
            skip.name.key, skip.name.part, "plan", skip.rule, "",
            f"was delivered before, and its newest version is left out by the rule {skip.rule!r}: a person decides",
            version=skip.version,
        )  # fmt: skip
    if old is not None and old.skipped == skip.rule and not old.held:
        return Decision("skipped", None if old.wanted_version == skip.version else {"wanted_version": skip.version})
    blank = Wanted(skip.name, skip.resource, skip.rank, "", "", "", skip.version, "", "", "")
    values = _fresh(blank, now, nothing_there=False).values
    assert values is not None
    return Decision("skipped", values | {"skipped": skip.rule})


def _sound(old: Row[Any] | None, wanted: Wanted, decision: Decision) -> None:
    """What is not going to be sent is there already, or is older than what is known. Raises Unbalanced."""
    same = old is not None and old.applied_hash == wanted.hash
    older = old is not None and old.wanted_version > wanted.version
    if (decision.fate == "unchanged" and not same) or (decision.fate == "stale" and not older):
        raise Unbalanced(
            f"a part is called {decision.fate}, and the target is not known to hold it",
            record=f"{wanted.name.key} {wanted.name.part}".strip(),
            safe="the chunk was not written",
            next_command="report it: the plan loses a change",
        )


def commit(
    connection: Connection, store: Store, scope: str, run: str, chunk: Chunk, seen: Seen, now: datetime, *,
    remap: bool = False,
) -> None:  # fmt: skip
    """Write the outcome of every part of a chunk; the caller's transaction holds the fence check and the cursor too.

    remap: what is delivered and made with other rules is planned anew, too; otherwise it stands.
    """
    since = instant_text(store.since())
    # What belongs to another part may be as old as that: no version of the record tells when it came to be.
    hanging = {w.name for w in chunk.wanted if w.hangs}
    old = ledger.existing(connection, scope, {n.key for n in chunk.names()})
    chunk, standing = (chunk, []) if remap else remapping.standing(chunk, old)
    holds = list(chunk.held)
    new_rows: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    touched: dict[tuple[str, str], list[Name]] = {}
    released: list[tuple[str, str]] = []
    rivals = overtaking.rivals(connection, scope, run)
    taken = [r for r in old.values() if r.seen_run in rivals]
    writes: set[Name] = set()

    def note(name: Name, decision: Decision) -> None:
        row = old.get(name)
        told = row is not None and row.seen_run == run
        if decision.values is None:
            # What this run has decided before stands in the row and is counted there, or was taken over with its fate.
            seen.part(name, None if told or seen.wrote(name) else decision.fate)
            return
        seen.part(name, None)
        writes.add(name)
        if row is not None and row.held and decision.fate != "held":
            released.append((name.key, name.part))
        values = decision.values | {"seen_run": run, "fate": decision.fate}
        if row is not None and len(decision.values) == 1:
            fate = row.fate if told and decision.fate in ("unchanged", "skipped") else decision.fate
            touched.setdefault((fate, values["wanted_version"]), []).append(name)
            return
        full = {"scope": scope, "key": name.key, "part": name.part, "first_seen_at": now, **NEW, **values}
        full["alternative"] = row is not None and row.alternative and not decision.renamed
        # What is left out because nothing is known of it at the target may be there all the same.
        left_out = bool(values.get("wanted_remove") and values.get("skipped"))
        full["look_first"] = values["wanted_version"] < since or name in hanging or left_out
        (changed if row is not None else new_rows).append(full)

    for name in standing:
        note(name, Decision("unchanged", None))
    for wanted in chunk.wanted:
        planned = decide(old.get(wanted.name), wanted, now)
        _sound(old.get(wanted.name), wanted, planned)
        note(wanted.name, planned)
    for skip in chunk.skipped:
        decision = decide_skip(old.get(skip.name), skip, now)
        if isinstance(decision, Hold):
            holds.append(decision)
        else:
            note(skip.name, decision)
    ledger.add(connection, new_rows)
    ledger.upsert(connection, changed, COLUMNS)
    for (fate, version), names in touched.items():
        ledger.mark(connection, scope, names, seen_run=run, fate=fate, wanted_version=version)
    held.close(connection, scope, released)
    writes |= _hold(connection, store, scope, run, holds, old, seen, now)
    back = [(n.key, n.part) for n in writes if seen.before is not None and seen.before.wrote(n)]
    overtaking.take(connection, run, [r for r in taken if Name(r.key, r.part) in writes], back)


def _hold(
    connection: Connection, store: Store, scope: str, run: str, holds: Sequence[Hold],
    old: dict[Name, Row[Any]], seen: Seen, now: datetime,
) -> set[Name]:  # fmt: skip
    """Keep held parts: in quarantine with their raw bytes, and in the ledger so that nothing older is sent.

    Returns the parts whose rows were written.
    """
    kept = []
    for hold in holds:
        name = Name(hold.key, hold.part)
        row = old.get(name)
        if row is not None and hold.version and row.wanted_version > hold.version:
            seen.part(name, None if row.seen_run == run or seen.wrote(name) else "stale")
            continue
        seen.part(name, None)
        kept.append(hold)
    held.put(connection, store, scope, run, kept, now)
    held.close(connection, scope, [(h.key, h.part) for h in kept], keep={h.id(scope) for h in kept})
    rows: dict[Name, dict[str, Any]] = {}
    for hold in kept:
        name = Name(hold.key, hold.part)
        rows[name] = {
            "scope": scope, "key": hold.key, "part": hold.part, "resource": "", "held": ledger.clean(hold.reason),
            "held_because": hold.because or "person", "wanted_version": hold.version, "seen_run": run, "fate": "held",
            "first_seen_at": now, "changed_at": now,
        }  # fmt: skip
    ledger.upsert(
        connection,
        [_blank() | row for row in rows.values()],
        ("held", "held_because", "wanted_version", "seen_run", "fate", "changed_at"),
    )
    return set(rows)


def _blank() -> dict[str, Any]:
    return {
        "rank": 0, "source_resource": "", "source_id": "", "marker": "", "wanted_hash": "", "wanted_payload": "",
        "wanted_extra": "", "wanted_remove": False, "wanted_digest": "", "needs": "", "parked_at": None, "skipped": "",
        "tries": 0, "next_try_at": None, "last_error": "", "alone": False, **NEW,
    }  # fmt: skip
