"""Adopting: an empty or older ledger learns what the target holds under our references. Nothing is written there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from crosswalk.connectors.base import Window
from crosswalk.delivery import prepare
from crosswalk.errors import SettingsError
from crosswalk.runs import going, loading, transform
from crosswalk.runs.extract import Extraction
from crosswalk.runs.session import Session, finish
from crosswalk.store import cursors, leases, ledger, runs
from crosswalk.store.ledger import PENDING, Name
from crosswalk.store.tables import RECORD

BATCH = 50


@dataclass
class Adopted:
    """What was found out, by target resource.

    found: the target holds it under our reference, and its id is kept. changed: of these, whose values differ; the next
    run updates them. absent: the target does not hold it; the next run creates it. foreign: something else stands
    there, or another record claims it; held. waiting: the record it hangs on is not known. doubt: an attempt is open.
    """

    read: int = 0
    known: int = 0
    found: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    doubt: int = 0

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """Every outcome that a record can have, with its numbers by resource."""
        names = ("found", "changed", "absent", "foreign", "waiting")
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        return {"read": self.read, "known": self.known, "in doubt": self.doubt} | {
            name: dict(counts) for name, counts in self.counts.items()
        }


def adopt(current: Session) -> Adopted:
    """Read the source from the binding's start, map it, and look up every record that has no target id by its marker.

    The cursor stays. May be repeated at any time. Raises Busy while the binding runs, TooManyHeld and Unbalanced as a
    run does, and what the systems answer.
    """
    if current.integration.to_database:
        raise SettingsError(
            f"binding {current.binding.name!r} writes to a database, whose rows are the ledger: nothing to adopt",
            safe="nothing was read or written",
            next_command=f"crosswalk run {current.binding.name}",
        )
    _begin(current)
    done = Adopted()
    try:
        _plan(current, done)
        _look(current, done)
    except BaseException as error:
        finish(current, "adopt failed", done.as_dict(), f"{type(error).__name__}: {error}")
        raise
    finish(current, "adopted", done.as_dict())
    return done


def _begin(current: Session) -> None:
    """As a run begins, but for the approval: nothing is written to the target. Noted as a run that delivers nothing."""
    resource = current.source.system.resource(current.resource)
    current.lease = leases.take(current.store, current.scope, current.process, current.run)
    try:
        current.position = cursors.read(current.store, current.scope, current.resource)
        # What changed just now is read too: the cursor stays, and the next run reads it again.
        until = current.source.now() + timedelta(seconds=max(resource.grain, 1))
        current.window = Window(current.request.since or current.binding.start, until)
        runs.begin(
            current.store, current.run, current.scope, current.binding.name, flow_run_id="",
            since=current.window.since, until=until, dry_run=True,
        )  # fmt: skip
    except BaseException:
        current.lease.release()
        raise


def _plan(current: Session, done: Adopted) -> None:
    """Everything the source holds becomes wanted, as in a run; the cursor is left alone."""
    current.request = replace(current.request, until=current.window.until)  # so it moves no cursor
    extraction = Extraction(current)
    while True:
        raw = extraction.next()
        validated = transform.validate(current, raw)
        loading.commit(current, validated, transform.transform(current, validated))
        if raw.last:
            break
    done.read = current.read


def _look(current: Session, done: Adopted) -> None:
    store, scope = current.store, current.scope
    with store.reading() as connection:
        known = select(func.count()).where(RECORD.c.scope == scope, RECORD.c.target_id != "")
        done.known = int(connection.execute(known).scalar_one())
        doubt = select(func.count()).where(RECORD.c.scope == scope, RECORD.c.batch != "")
        done.doubt = int(connection.execute(doubt).scalar_one())
    for rank in _ranks(current):
        for names in _names(current, rank):
            current.delivery.beat()
            _some(current, names, done)
    with store.reading() as connection:
        query = select(RECORD.c.resource).where(RECORD.c.scope == scope, RECORD.c.needs != "", RECORD.c.target_id == "")
        done.waiting = Counter(connection.execute(query).scalars())


def _ranks(current: Session) -> list[int]:
    """Parents first: what hangs on a record is found through it."""
    with current.store.reading() as connection:
        query = select(RECORD.c.rank).distinct().where(RECORD.c.scope == current.scope).order_by(RECORD.c.rank)
        return list(connection.execute(query).scalars())


def _names(current: Session, rank: int) -> Iterator[list[Name]]:
    """What is wanted, or left out because it is to go, and has no target id, in pieces of one resource.

    From now on the next run looks it up too before it creates.
    """
    mine = (RECORD.c.scope == current.scope, RECORD.c.rank == rank, RECORD.c.target_id == "", RECORD.c.batch == "")
    with current.store.transaction("look-first") as connection:
        connection.execute(update(RECORD).where(*mine).values(look_first=True))
        query = select(RECORD.c.resource, RECORD.c.key, RECORD.c.part).where(*mine, or_(PENDING, going.LEFT_OUT))
        rows = list(connection.execute(query.order_by(RECORD.c.resource, RECORD.c.key, RECORD.c.part)))
    for resource in sorted({r.resource for r in rows}):
        yield from map(list, ledger.chunked([Name(r.key, r.part) for r in rows if r.resource == resource], BATCH))


def _some(current: Session, names: Sequence[Name], done: Adopted) -> None:
    """Look these up and keep what is found, in the way an ordinary run does before it creates."""
    rows = _rows(current, names)
    coming = [r for r in rows if not r.wanted_remove]
    absent = prepare.ready(current.delivery, coming, "create") if coming else []
    done.absent.update(r.row.resource for r in absent)
    _going(current, [r for r in rows if r.wanted_remove], done)
    for row in _rows(current, [prepare.name(r) for r in coming]):
        if row.target_id:
            done.found[row.resource] += 1
            done.changed[row.resource] += row.applied_hash != row.wanted_hash
        elif row.held:
            done.foreign[row.resource] += 1


def _going(current: Session, rows: Sequence[Row[Any]], done: Adopted) -> None:
    """What is to go at the target was left out as long as nothing was known there: where the target holds it under our
    reference, the next run takes it away."""
    if not rows:
        return
    found, absent = going.look(current, rows)
    done.absent.update(row.resource for row in absent)
    for row in found:
        done.found[row.resource] += 1
        done.changed[row.resource] += 1


def _rows(current: Session, names: Sequence[Name]) -> list[Row[Any]]:
    if not names:
        return []
    with current.store.reading() as connection:
        return list(connection.execute(select(RECORD).where(ledger.named(current.scope, names))))
