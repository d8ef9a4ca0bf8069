"""What is to go at the target although the ledger knows nothing there: it is looked up by our reference first.

An empty or restored store does not know what was delivered before its memory began, and a cancelled order whose
invoice it has forgotten must still have it voided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, select

from crosswalk.connectors.base import Found, Item
from crosswalk.connectors.facts import Key, LookUp
from crosswalk.delivery import prepare
from crosswalk.errors import Transient
from crosswalk.frames.canonical import content_hash
from crosswalk.runs.session import Session
from crosswalk.store import ledger, links
from crosswalk.store.ledger import Name
from crosswalk.store.tables import RECORD

LIMIT = 2_000
BATCH = 50
LEFT_OUT = and_(RECORD.c.wanted_remove, RECORD.c.skipped != "", RECORD.c.marker != "", RECORD.c.target_id == "")


def find(current: Session) -> int:
    """Look up what was left out because nothing was known of it; what the target holds is taken away by this run.

    Each is asked for once in an epoch. Returns how many are there. A target that is away is asked by the next run.
    """
    query = select(RECORD).where(RECORD.c.scope == current.scope, LEFT_OUT, RECORD.c.look_first.is_(True))
    with current.store.reading() as connection:
        rows = list(connection.execute(query.order_by(RECORD.c.resource, RECORD.c.key, RECORD.c.part).limit(LIMIT)))
    there = 0
    for resource in sorted({row.resource for row in rows}):
        mine = [row for row in rows if row.resource == resource]
        repeat = current.target.operation(resource, "create").repeat
        if not (isinstance(repeat, LookUp) or (isinstance(repeat, Key) and repeat.lookup)):
            continue
        for some in ledger.chunked(mine, BATCH):
            current.delivery.beat()
            try:
                found, absent = look(current, some)
            except Transient:
                return there
            there += len(found)
            with current.store.transaction("absent") as connection:
                ledger.mark(connection, current.scope, [prepare.name(row) for row in absent], look_first=False)
    return there


def look(current: Session, rows: Sequence[Row[Any]]) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Which of these, all of one resource, the target holds under our reference, and which it does not.

    Those it holds are known from now on, and to be taken away.
    """
    parents = _parents(current, rows)
    known = [row for row in rows if prepare.name(row) in parents]
    absent = [row for row in rows if prepare.name(row) not in parents]
    items = [Item(f"{r.key}#{r.part}", r.marker, parents[prepare.name(r)]) for r in known]
    there = current.delivery.target.look_up(rows[0].resource, "create", items) if items else []
    found = []
    for row, one in zip(known, there, strict=True):
        if one is None or not one.carries_marker:
            absent.append(row)
        else:
            _keep(current, row, one)
            found.append(row)
    return found, absent


def _parents(current: Session, rows: Sequence[Row[Any]]) -> dict[Name, dict[str, Any]]:
    """The ids of the records that each of these hangs on, nested as in a payload; rows that lack one are left out."""
    wanted = {
        prepare.name(row): {
            at: current.delivery.parent(of, id, to)
            for at, (to, of, id) in ledger.load(row.wanted_extra).get("links", {}).items()
        }
        for row in rows
    }
    with current.store.reading() as connection:
        there = links.find(connection, {p for parents in wanted.values() for p in parents.values()})
    return {
        one: _nested({at: there[p] for at, p in parents.items() if not at.startswith("@")})
        for one, parents in wanted.items()
        if all(p in there for p in parents.values())
    }


def _nested(values: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for dotted, value in values.items():
        *folders, last = dotted.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return found


def _keep(current: Session, row: Row[Any], there: Found) -> None:
    delivery, now = current.delivery, current.clock.now()
    with current.store.transaction("adopt") as connection:
        parent = delivery.parent(row.source_resource, row.source_id, row.resource)
        links.commit(connection, parent, there.target_id, delivery.binding.name, now, adopted=True)
        ledger.mark(
            connection, current.scope, [prepare.name(row)],
            target_id=there.target_id, target_version=there.target_version or "", look_first=False, skipped="",
            wanted_hash=content_hash([row.resource, "removed"]), applied_hash=ledger.FOUND, fate="planned",
            changed_at=now,
        )  # fmt: skip
