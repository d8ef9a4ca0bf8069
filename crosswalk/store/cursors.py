"""Cursors: how far a source has been read, moved only inside the transaction that made the reading durable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from crosswalk.errors import Fenced
from crosswalk.store.engine import Store
from crosswalk.store.tables import CURSOR


@dataclass(frozen=True)
class Position:
    """A cursor's value, UTC, and the version that the next move must find."""

    value: datetime | None
    version: int


def read(store: Store, scope: str, resource: str) -> Position:
    with store.reading() as connection:
        row = connection.execute(
            select(CURSOR.c.value, CURSOR.c.version).where(CURSOR.c.scope == scope, CURSOR.c.resource == resource)
        ).one_or_none()
    return Position(row.value, row.version) if row else Position(None, 0)


def move(
    connection: Connection, scope: str, resource: str, position: Position, value: datetime, at: datetime
) -> Position:
    """Move the cursor forward by compare-and-set; it never moves back here. Raises Fenced when another did."""
    if position.value is not None and value <= position.value:
        return position
    if position.version == 0:
        connection.execute(insert(CURSOR).values(scope=scope, resource=resource, value=value, version=1, moved_at=at))
        return Position(value, 1)
    same = (CURSOR.c.scope == scope) & (CURSOR.c.resource == resource) & (CURSOR.c.version == position.version)
    moved = connection.execute(
        update(CURSOR).where(same).values(value=value, version=position.version + 1, moved_at=at)
    ).rowcount
    if moved != 1:
        raise _fenced(scope, resource, "nothing of this chunk was written")
    return Position(value, position.version + 1)


def put(connection: Connection, scope: str, resource: str, position: Position, value: datetime, at: datetime) -> None:
    """Set a cursor by hand, also back, unless it has moved since ``position`` was read. Raises Fenced then."""
    if position.value is None or value > position.value:
        move(connection, scope, resource, position, value, at)
        return
    same = (CURSOR.c.scope == scope) & (CURSOR.c.resource == resource) & (CURSOR.c.version == position.version)
    values = {"value": value, "version": position.version + 1, "moved_at": at}
    if connection.execute(update(CURSOR).where(same).values(**values)).rowcount != 1:
        raise _fenced(scope, resource, "nothing was changed")


def _fenced(scope: str, resource: str, safe: str) -> Fenced:
    return Fenced(
        f"the cursor of {resource} was moved by somebody else", record=scope, safe=safe, next_command="run again"
    )
