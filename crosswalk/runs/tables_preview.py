"""A dry run against a database: what loading would do, asked of the database itself. It writes nothing."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.connectors.database import Database, unloadable
from crosswalk.delivery.plan import Chunk
from crosswalk.frames.payload import payloads
from crosswalk.mapping.outcome import Outcome
from crosswalk.runs.preview import SAMPLES, Change, flat
from crosswalk.runs.session import Session
from crosswalk.runs.tables import prepare
from crosswalk.runs.transform import take

OPERATIONS = {"created": "create", "updated": "update"}


def add(session: Session, chunk: Chunk) -> None:
    """Add a chunk's rows to the session's plan: new tables and columns, and the difference of every changed row."""
    found = session.plan
    for mapping, outcome in chunk.tables:
        for words in prepare(session, mapping.target, dry_run=True):
            change = Change("", "", mapping.target.name, words, {})
            if change not in found.changes:
                found.changes.append(change)
        _going(session, take(outcome, pc.indices_nonzero(outcome.remove).to_pylist()))
        outcome = take(outcome, pc.indices_nonzero(pc.invert(outcome.remove)).to_pylist())
        mask, unfit = unloadable(outcome.frame)
        for one in {u.row: u for u in unfit}.values():
            found.count("held")
            found.held.append((outcome.keys[one.row].as_py(), "", "fits the database", one.reason))
        _rows(session, take(outcome, pc.indices_nonzero(pc.invert(mask)).to_pylist()))


def _going(session: Session, outcome: Outcome) -> None:
    """Rows that are to go: those that stand there, with what they hold."""
    if not len(outcome.keys):
        return
    made = session.target.standing(outcome.frame.record)
    standing = _there(session, outcome, ["updated"] * len(outcome.keys)) if made else {}
    for key in outcome.keys.to_pylist():
        session.plan.count("deleted" if key in standing else "skipped")
        if key in standing and len(session.plan.changes) < SAMPLES:
            held = {f: (v, "") for f, v in flat(standing[key]).items()}
            session.plan.changes.append(Change(key, "", outcome.frame.record.name, "remove", held))


def _rows(session: Session, outcome: Outcome) -> None:
    database: Database = session.target
    fates = database.plan(outcome.frame, outcome.versions).to_pylist()
    for fate in fates:
        session.plan.count("skipped" if fate in ("stale", "duplicate") else fate)
    room = max(0, SAMPLES - len(session.plan.changes))
    changed = [n for n, fate in enumerate(fates) if fate in OPERATIONS][:room]
    if not changed:
        return
    some = take(outcome, changed)
    before = _there(session, some, [fates[n] for n in changed])
    for n, key, after in zip(changed, some.keys.to_pylist(), payloads(some.frame), strict=True):
        old, new = flat(before.get(key, {})), flat(after)
        differences = {
            f: (old.get(f, ""), new.get(f, "")) for f in sorted({*old, *new}) if old.get(f, "") != new.get(f, "")
        }
        operation = OPERATIONS[fates[n]]
        session.plan.changes.append(Change(key, "", some.frame.record.name, operation, differences))


def _there(session: Session, outcome: Outcome, fates: list[str]) -> dict[str, Any]:
    """The rows that stand and would be changed, by key; a table that is still to be made is not read."""
    wanted = pc.filter(outcome.keys, pa.array([fate == "updated" for fate in fates], pa.bool_())).to_pylist()
    if not wanted:
        return {}
    record = outcome.frame.record
    database: Database = session.target
    frame = database.read(record, wanted)
    return dict(zip(frame[record.key].to_pylist(), payloads(frame), strict=True))
