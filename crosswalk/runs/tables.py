"""Loading into a database target, set by set. The target's rows are the ledger: key, source version and row hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from crosswalk.connectors.database import Database, Loaded, unloadable
from crosswalk.delivery.plan import Chunk, Seen
from crosswalk.errors import TooManyDeleted
from crosswalk.mapping.outcome import Outcome
from crosswalk.runs import errands, loading
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated, take
from crosswalk.runs.wholeness import lost
from crosswalk.schemas.base import Record
from crosswalk.store import held, runs
from crosswalk.store.cursors import Position
from crosswalk.store.held import Hold
from crosswalk.store.tables import HELD


def prepare(session: Session, record: Record, dry_run: bool = False) -> list[str]:
    """Make or check the tables of a record, as the binding's options say; what was changed, or would be, in words."""
    options, database = session.binding.options, session.target
    assert isinstance(database, Database)
    return database.prepare(
        record,
        allow_new_columns=bool(options.get("new_columns", True)),
        schema_prefix=str(options.get("table_prefix", "")),
        owner=session.binding.source.key,
        dry_run=dry_run,
    )


def load(session: Session, validated: Validated, chunk: Chunk) -> None:
    """Load a chunk's rows, keep its held ones, move the cursor: in one transaction where the store is that database.

    Elsewhere the rows go first: loading them again does no harm, and the cursor moves only after them.
    After an error of a database it may be called again for the same chunk.
    """
    database: Database = session.target
    seen = session.seen.fork()
    first = seen.record_all(validated.keys)
    loading.whole(
        session, validated, {n.key for n in chunk.names()}.union(*(o.keys.to_pylist() for _, o in chunk.tables))
    )
    holds = list(chunk.held)
    parts: list[Outcome] = []
    for mapping, outcome in chunk.tables:
        prepare(session, mapping.target)
        good, unfit = _loadable(outcome, validated)
        holds += unfit
        parts.append(good)
    _hold(session, holds, seen)
    if database.same_database(session.store.url):
        with session.store.transaction("load") as connection:
            loaded = _rows(database, parts, first, connection)
            _capped(session, loaded)
            position = _books(session, validated, parts, connection)
    else:
        assert session.lease is not None
        with database.transaction() as connection:
            database.fence(connection, session.lease.scope, session.lease.fence, session.store.epoch())
            loaded = _rows(database, parts, first, connection)
            _capped(session, loaded)
        with session.store.transaction("load") as connection:
            position = _books(session, validated, parts, connection)
    session.position = position
    session.seen.join(seen)
    _count(session, chunk, holds, loaded, first)
    errands.missed(session, validated)


def _hold(session: Session, holds: Sequence[Hold], seen: Seen) -> None:
    """Keep the held rows before anything is loaded. Raises TooManyHeld, Fenced."""
    assert session.lease is not None
    with session.store.transaction("hold") as connection:
        session.lease.check(connection)
        held.put(connection, session.store, session.scope, session.run, holds, session.clock.now())
        gone = held.missing(connection, session.scope, holds)
        if gone:
            raise lost(f"{len(gone)} held rows did not get into the quarantine, {gone[0]} among them")
        held_now = held.new(connection, session.scope, session.run)
    if session.integration.thresholds.crossed(held_now, seen.distinct):
        session.seen.join(seen)
        raise loading.too_many(session, held_now)


def _loadable(outcome: Outcome, validated: Validated) -> tuple[Outcome, list[Hold]]:
    mask, unfit = unloadable(outcome.frame)
    # A row that is to go carries no values.
    unfit = [one for one in unfit if not outcome.remove[one.row].as_py()]
    mask = pc.and_(mask, pc.invert(outcome.remove))
    if not unfit:
        return outcome, []
    holds = []
    for one in {u.row: u for u in unfit}.values():
        row = outcome.source_rows[one.row].as_py()
        holds.append(
            Hold(
                outcome.keys[one.row].as_py(), outcome.parts[one.row].as_py() or "", "load", "fits the database",
                one.field, one.reason, raw=validated.raws[row], version=validated.versions[row],
            )
        )  # fmt: skip
    return take(outcome, pc.indices_nonzero(pc.invert(mask)).to_pylist()), holds


def _rows(
    database: Database, parts: Sequence[Outcome], first: set[str], connection: Connection | None
) -> tuple[Loaded, Loaded]:
    """Load every part; what this run sees for the first time apart from what it has seen before."""
    counted, again = Loaded(), Loaded()
    for outcome in parts:
        keys = outcome.keys.to_pylist()
        if first.issuperset(keys):
            counted += _write(database, outcome, connection)
            continue
        new = pa.array([key in first for key in keys], pa.bool_())
        for mask, repeated in ((new, False), (pc.invert(new), True)):
            rows = pc.indices_nonzero(mask).to_pylist()
            if not rows:
                continue
            loaded = _write(database, take(outcome, rows), connection)
            counted, again = (counted, again + loaded) if repeated else (counted + loaded, again)
    return counted, again


def _write(database: Database, outcome: Outcome, connection: Connection | None) -> Loaded:
    """Load what is wanted and take away what is to go, with its lines."""
    going = pc.indices_nonzero(outcome.remove).to_pylist()
    if not going:
        return database.load(outcome.frame, outcome.versions, connection)
    gone, stays = take(outcome, going), take(outcome, pc.indices_nonzero(pc.invert(outcome.remove)).to_pylist())
    loaded = database.load(stays.frame, stays.versions, connection) if len(stays.keys) else Loaded()
    removed = database.remove(gone.frame.record, gone.keys, gone.versions, connection)
    return loaded + Loaded(deleted=removed.removed, absent=removed.absent, stale=removed.stale)


def _capped(session: Session, loaded: tuple[Loaded, Loaded]) -> None:
    """Raises TooManyDeleted when a week's rows that went are more than the binding lets go; the caller rolls back."""
    deleted = sum(part.deleted for part in loaded)
    if not deleted:
        return
    week = session.clock.now() - timedelta(days=7)
    before = runs.deleted(session.store, session.scope, week, but=session.run) + session.seen.loaded.get("deleted", 0)
    limit = int(session.binding.options.get("deletes", session.integration.thresholds.deletes))
    if before + deleted > limit:
        name = session.binding.name
        raise TooManyDeleted(
            f"{deleted} rows were to be deleted on top of {before} within a week, and {limit} may be",
            record=session.integration.name,
            safe="nothing of this chunk was written or deleted; the cursor stands before it",
            next_command=f"crosswalk plan {name}; if they are to go, set deletes = N in [bindings.{name}], run again",
        )


def _books(session: Session, validated: Validated, parts: Sequence[Outcome], connection: Connection) -> Position:
    """The store's side of a chunk: fence, released rows, cursor."""
    assert session.lease is not None
    session.lease.check(connection)
    _release(session, parts, connection)
    errands.serve(session, connection, validated, session.clock.now())
    return loading.move_cursor(session, connection, validated, session.clock.now())


def _release(session: Session, parts: Sequence[Outcome], connection: Connection) -> None:
    """What was held before and is loaded now is held no more."""
    query = select(HELD.c.key, HELD.c.part).where(HELD.c.scope == session.scope, HELD.c.open.is_(True))
    open_now = {(row.key, row.part) for row in connection.execute(query)}
    if not open_now:
        return
    loaded = {
        (key, part or "")
        for outcome in parts
        for key, part in zip(outcome.keys.to_pylist(), outcome.parts.to_pylist(), strict=True)
    }
    held.close(connection, session.scope, sorted(open_now & loaded))


def _count(
    session: Session, chunk: Chunk, holds: Sequence[Hold], loaded: tuple[Loaded, Loaded], first: set[str]
) -> None:
    """Count what was decided; records that this run had read before are duplicates and are not counted twice."""
    seen, counted = session.seen, loaded[0]
    seen.count("created", counted.created)
    seen.count("updated", counted.updated)
    seen.count("unchanged", counted.unchanged)
    seen.count("stale", counted.stale + counted.duplicate)
    seen.count("deleted", counted.deleted)
    seen.count("held", len([h for h in holds if h.key in first]))
    left_out = Counter(s.rule for s in chunk.skipped if s.name.key in first)
    if counted.absent:
        left_out["nothing to remove"] += counted.absent
    seen.count("skipped", left_out.total())
    seen.left_out += left_out
    seen.yielded += len([n for n in chunk.names() if n.key in first])
    seen.yielded += sum(sum(map(first.__contains__, o.keys.to_pylist())) for _, o in chunk.tables)
