"""What was held or parked and may go on: rules that changed, parents that took too long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from crosswalk.delivery.match import RULE as RECOGNISED
from crosswalk.delivery.prepare import OWN_VERSION
from crosswalk.errors import Transient
from crosswalk.runs.correcting import AGAIN
from crosswalk.store import audit, held, ledger, links
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name
from crosswalk.store.tables import HELD, RECORD

if TYPE_CHECKING:
    from crosswalk.runs.body import Steps
    from crosswalk.runs.session import Session

LIMIT = 2_000


def due(current: Session) -> list[str]:
    """Source keys that were held under rules or tables that are no longer in force, or that a person released."""
    if not current.incremental:
        return []
    in_force = {*current.digests().values(), current.schema_digest, ""}
    with current.store.reading() as connection:
        query = (
            select(HELD.c.key)
            .distinct()
            .where(HELD.c.scope == current.scope, HELD.c.open.is_(True), HELD.c.because.not_in(in_force))
            .where(HELD.c.key.not_like("raw:%"), or_(HELD.c.step != "load", HELD.c.because == AGAIN))
            .order_by(HELD.c.key)
            .limit(LIMIT)
        )
        return list(connection.execute(query).scalars())


def again(current: Session, keys: list[str], steps: Steps) -> None:
    """Read these records afresh and take them through the same steps; they are part of this run's account."""
    from dataclasses import replace

    from crosswalk.runs.extract import Extraction
    from crosswalk.runs.session import stop_reading

    window, request = current.window, current.request
    current.request = replace(request, ids=tuple(keys))
    try:
        extraction = Extraction(current)
        while True:
            try:
                raw = steps.extract(extraction)
            except Transient as trouble:
                stop_reading(current, trouble)
                break
            validated = steps.validate(current, raw)
            steps.load(current, validated, steps.transform(current, validated))
            if raw.last:
                break
    finally:
        current.request, current.window = request, window


def rouse(current: Session) -> int:
    """Put back to pending what waits for a parent that has come without waking it; the number woken."""
    if current.request.dry_run or current.integration.to_database:
        return 0
    with current.store.reading() as connection:
        missed = links.missed(connection, current.scope)
    if not missed:
        return 0
    with current.store.transaction("wake") as connection:
        return links.wake(connection, missed)


def overdue(current: Session) -> int:
    """Hold what has waited for its parent longer than the integration allows; the number held."""
    now = current.clock.now()
    limit = now - timedelta(seconds=current.integration.park_limit.total_seconds())
    with current.store.transaction("overdue") as connection:
        rows = list(
            connection.execute(
                select(RECORD)
                .where(RECORD.c.scope == current.scope, RECORD.c.needs != "", RECORD.c.held == "")
                .where(RECORD.c.parked_at < limit)
                .limit(LIMIT)
            )
        )
        holds = []
        for row in rows:
            parent = row.needs.split("|")
            reason = f"waited since {row.parked_at:%Y-%m-%d} for {parent[1]} {parent[2]}, which has not come"
            ledger.mark(
                connection, current.scope, [Name(row.key, row.part)],
                held=ledger.clean(reason), held_because=ledger.PARENT, fate="held", changed_at=now,
            )  # fmt: skip
            holds.append(Hold(row.key, row.part, "load", "parent missing", "", reason, version=row.wanted_version))
        held.put(connection, current.store, current.scope, current.run, holds, now)
    return len(rows)


def approved(current: Session, parts: Iterable[tuple[str, str]]) -> int:
    """Let go on what was held until a plan that adopts it is approved. Returns how many."""
    with current.store.reading() as connection:
        waiting = held.named(connection, current.scope, RECOGNISED)
    mine = {Name(*p) for p in parts}
    keys = sorted({n.key for n in waiting if n in mine})
    return sum(retry(current, RECOGNISED, tuple(some)) for some in ledger.chunked(keys, 400))


def retry(
    current: Session, rule: str = "", keys: tuple[str, ...] = (), *, new: bool = False, by: str = "", reason: str = ""
) -> int:
    """Let held rows be tried again: those of a rule, or of these keys, or all. Returns how many.

    A row that the target refused becomes pending; one that our rules refused is read afresh by the next run.
    new: only rows for which the target has records that fit; they get records of their own all the same.
    by: the person who asked for it, for the audit trail, with the reason.
    """
    rule = RECOGNISED if new else rule
    from sqlalchemy import update

    with current.store.transaction("retry") as connection:
        query = select(HELD).where(HELD.c.scope == current.scope, HELD.c.open.is_(True))
        if rule:
            query = query.where(HELD.c.rule == rule)
        if keys:
            query = query.where(HELD.c.key.in_(keys))
        rows = list(connection.execute(query))
        for row in rows:
            if row.step == "load":
                ledger.mark(
                    connection, current.scope, [Name(row.key, row.part)],
                    held="", held_because="", needs="", parked_at=None, tries=0, next_try_at=None, fate="planned",
                )  # fmt: skip
                if row.rule == OWN_VERSION:
                    # Whoever lets it be tried again has seen what the target shows instead: it is overwritten.
                    ledger.mark(connection, current.scope, [Name(row.key, row.part)], applied_payload="")
                if new:
                    # What is no first contact any more is not asked for.
                    again = {"generation": RECORD.c.generation + 1}
                    ledger.mark(connection, current.scope, [Name(row.key, row.part)], **again)
                held.close(connection, current.scope, [(row.key, row.part)])
            else:
                connection.execute(update(HELD).where(HELD.c.id == row.id).values(because="retry"))
        if by and rows:
            asked = {"rule": rule, "keys": sorted({r.key for r in rows})[:100], "rows": len(rows), "new": new}
            now, name = current.clock.now(), current.binding.name
            audit.write(connection, now, by, "held.retry", name, reason=reason, after=asked)
    return len(rows)
