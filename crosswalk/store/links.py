"""The cross-reference: which record of a source is which record of a target, shared by integrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, tuple_, update

from crosswalk.store import held
from crosswalk.store.ledger import PARENT, chunked
from crosswalk.store.tables import LINK, RECORD


@dataclass(frozen=True)
class Parent:
    """A record at the source whose counterpart at the target is asked for. Accounts are connection keys."""

    source: str
    source_resource: str
    source_id: str
    target: str
    target_resource: str

    @property
    def text(self) -> str:
        """How a parked record names what it waits for."""
        return "|".join((self.source, self.source_resource, self.source_id, self.target, self.target_resource))


def find(connection: Connection, parents: Iterable[Parent]) -> dict[Parent, str]:
    """The target ids of those that have one and whose link is not broken."""
    found: dict[Parent, str] = {}
    columns = (LINK.c.source, LINK.c.source_resource, LINK.c.source_id, LINK.c.target, LINK.c.target_resource)
    for some in chunked(sorted(set(parents), key=lambda p: p.text), 150):
        wanted = [(p.source, p.source_resource, p.source_id, p.target, p.target_resource) for p in some]
        for row in connection.execute(
            select(*columns, LINK.c.target_id).where(tuple_(*columns).in_(wanted), LINK.c.broken.is_(False))
        ):
            found[Parent(*row[:5])] = str(row[5])
    return found


def broken(connection: Connection, parents: Iterable[Parent]) -> dict[Parent, str]:
    """The target ids of those whose record the target says is gone."""
    found: dict[Parent, str] = {}
    columns = (LINK.c.source, LINK.c.source_resource, LINK.c.source_id, LINK.c.target, LINK.c.target_resource)
    for some in chunked(sorted(set(parents), key=lambda p: p.text), 150):
        wanted = [(p.source, p.source_resource, p.source_id, p.target, p.target_resource) for p in some]
        query = select(*columns, LINK.c.target_id).where(tuple_(*columns).in_(wanted), LINK.c.broken.is_(True))
        found |= {Parent(*row[:5]): str(row[5]) for row in connection.execute(query)}
    return found


def break_(connection: Connection, parents: Iterable[Parent]) -> int:
    """Mark these links: the target says that one of their records is gone. The number of links that were there."""
    columns = (LINK.c.source, LINK.c.source_resource, LINK.c.source_id, LINK.c.target, LINK.c.target_resource)
    done = 0
    for some in chunked(sorted(set(parents), key=lambda p: p.text), 150):
        wanted = [(p.source, p.source_resource, p.source_id, p.target, p.target_resource) for p in some]
        done += connection.execute(update(LINK).where(tuple_(*columns).in_(wanted)).values(broken=True)).rowcount
    return done


def markers(connection: Connection, known: Mapping[Parent, str]) -> dict[Parent, str]:
    """Our reference on each of these target records, as the ledger of whichever binding made it knows it."""
    found: dict[Parent, str] = {}
    for parent, target_id in known.items():
        mine = (RECORD.c.resource == parent.target_resource, RECORD.c.target_id == target_id, RECORD.c.marker != "")
        query = select(RECORD.c.marker).where(*mine, *_from(parent)).limit(1)
        if marker := connection.execute(query).scalar():
            found[parent] = str(marker)
    return found


def moved(connection: Connection, parent: Parent, old: str, new: str) -> None:
    """Another target record is the counterpart now: whichever binding keeps it knows."""
    if old != new:
        mine = (RECORD.c.resource == parent.target_resource, RECORD.c.target_id == old, *_from(parent))
        connection.execute(update(RECORD).where(*mine).values(target_id=new, target_version=""))


def _from(parent: Parent) -> tuple[Any, ...]:
    return (RECORD.c.source_resource == parent.source_resource, RECORD.c.source_id == parent.source_id)


def created_here(connection: Connection, parents: Iterable[Parent], since: datetime) -> set[Parent]:
    """Those whose counterpart this store had created since then, so that nothing can hang on it unknown to us."""
    columns = (LINK.c.source, LINK.c.source_resource, LINK.c.source_id, LINK.c.target, LINK.c.target_resource)
    found: set[Parent] = set()
    for some in chunked(sorted(set(parents), key=lambda p: p.text), 150):
        wanted = [(p.source, p.source_resource, p.source_id, p.target, p.target_resource) for p in some]
        mine = (LINK.c.adopted.is_(False), LINK.c.made_at >= since)
        found.update(
            Parent(*row) for row in connection.execute(select(*columns).where(tuple_(*columns).in_(wanted), *mine))
        )
    return found


def claimed(connection: Connection, target: str, resource: str, ids: Sequence[str]) -> dict[str, Parent]:
    """Which source record already claims each of these target ids."""
    found: dict[str, Parent] = {}
    for some in chunked(sorted(set(ids))):
        for row in connection.execute(
            select(LINK).where(LINK.c.target == target, LINK.c.target_resource == resource, LINK.c.target_id.in_(some))
        ):
            found[row.target_id] = Parent(row.source, row.source_resource, row.source_id, target, resource)
    return found


def commit(
    connection: Connection, parent: Parent, target_id: str, made_by: str, at: datetime, *, adopted: bool = False
) -> None:
    """Write a link and wake whoever waits for it. A broken link is mended."""
    same = (
        (LINK.c.source == parent.source)
        & (LINK.c.source_resource == parent.source_resource)
        & (LINK.c.source_id == parent.source_id)
        & (LINK.c.target == parent.target)
        & (LINK.c.target_resource == parent.target_resource)
    )
    if not connection.execute(update(LINK).where(same).values(target_id=target_id, broken=False)).rowcount:
        connection.execute(
            insert(LINK).values(
                source=parent.source,
                source_resource=parent.source_resource,
                source_id=parent.source_id,
                target=parent.target,
                target_resource=parent.target_resource,
                target_id=target_id,
                made_by=made_by,
                made_at=at,
                adopted=adopted,
                broken=False,
            )
        )
    wake(connection, [parent])


def wake(connection: Connection, parents: Sequence[Parent]) -> int:
    """Put back to pending what waits for these, what was held for having waited too long included; the number woken."""
    woken = 0
    for some in chunked([p.text for p in parents]):
        mine = RECORD.c.needs.in_(some)
        overdue = select(RECORD.c.scope, RECORD.c.key, RECORD.c.part).where(mine, RECORD.c.held_because == PARENT)
        for scope, key, part in connection.execute(overdue).all():
            held.close(connection, scope, [(key, part)])
            name = (RECORD.c.scope == scope) & (RECORD.c.key == key) & (RECORD.c.part == part)
            connection.execute(update(RECORD).where(name).values(held="", held_because=""))
        woken += connection.execute(
            update(RECORD).where(mine).values(needs="", parked_at=None, fate="planned")
        ).rowcount
    return woken


def missed(connection: Connection, scope: str) -> list[Parent]:
    """Parents that are there although records of this binding still wait for them: they came in the same moment."""
    needs = connection.execute(select(RECORD.c.needs).distinct().where(RECORD.c.scope == scope, RECORD.c.needs != ""))
    waits = [Parent(*text.split("|")) for text in needs.scalars()]
    return sorted(find(connection, waits), key=lambda p: p.text)


def waited_for(connection: Connection, scope: str) -> dict[str, int]:
    """What this binding's parked records wait for, and how many wait."""
    rows = connection.execute(
        select(RECORD.c.needs, func.count())
        .where(RECORD.c.scope == scope, RECORD.c.needs != "", RECORD.c.held == "")
        .group_by(RECORD.c.needs)
    )
    return {str(needs): int(count) for needs, count in rows}
