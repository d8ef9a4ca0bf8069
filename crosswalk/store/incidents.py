"""Incidents as rows: found by fingerprint, opened, changed, listed. What they mean is decided in crosswalk.alerts."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from crosswalk.errors import SettingsError
from crosswalk.store.engine import Store
from crosswalk.store.tables import INCIDENT, MUTE

OPEN = INCIDENT.c.state != "resolved"


def unresolved(connection: Connection, fingerprint: str) -> Row[Any] | None:
    """The incident of this fingerprint that is not resolved, locked until the transaction ends."""
    query = select(INCIDENT).where(INCIDENT.c.fingerprint == fingerprint, OPEN).with_for_update()
    return connection.execute(query).one_or_none()


def locked(connection: Connection, name: str) -> Row[Any] | None:
    """One incident, locked until the transaction ends."""
    return connection.execute(select(INCIDENT).where(INCIDENT.c.id == name).with_for_update()).one_or_none()


def read(connection: Connection, name: str) -> Row[Any] | None:
    """One incident as it stands."""
    return connection.execute(select(INCIDENT).where(INCIDENT.c.id == name)).one_or_none()


def put(transaction: Connection, /, **values: Any) -> Row[Any]:
    """Open an incident; the row. Raises Taken at commit or here when another process has just opened the same."""
    name = f"inc-{uuid.uuid4().hex[:8]}"
    return transaction.execute(insert(INCIDENT).values(id=name, **values).returning(INCIDENT)).one()


def change(connection: Connection, name: str, **values: Any) -> None:
    """Change some columns."""
    connection.execute(update(INCIDENT).where(INCIDENT.c.id == name).values(**values))


def known(connection: Connection, run: str) -> bool:
    """Whether an incident was opened by this run or event."""
    query = select(INCIDENT.c.id).where(INCIDENT.c.first_run == run).limit(1)
    return connection.execute(query).one_or_none() is not None


def cycles(connection: Connection, fingerprint: str, since: datetime) -> int:
    """How many incidents of this fingerprint were opened and resolved since an instant."""
    query = select(func.count()).where(
        INCIDENT.c.fingerprint == fingerprint, INCIDENT.c.state == "resolved", INCIDENT.c.resolved_at >= since
    )
    return int(connection.execute(query).scalar_one())


def matching(
    connection: Connection, environment: str, *, kinds: Collection[str] = (), binding: str = "", about: str = "",
    step: str = "", error: str = "", parent: str = "",
) -> list[Row[Any]]:  # fmt: skip
    """Unresolved incidents, locked. about: the connection's name."""
    query = select(INCIDENT).where(OPEN, INCIDENT.c.environment == environment)
    for column, value in (
        (INCIDENT.c.binding, binding), (INCIDENT.c.connection, about), (INCIDENT.c.step, step),
        (INCIDENT.c.error, error), (INCIDENT.c.parent, parent),
    ):  # fmt: skip
        if value:
            query = query.where(column == value)
    if kinds:
        query = query.where(INCIDENT.c.kind.in_(list(kinds)))
    return list(connection.execute(query.order_by(INCIDENT.c.id).with_for_update()))


def down(connection: Connection, environment: str, kind: str, connections: Collection[str]) -> str:
    """The id of an open incident of one of these connections; empty when there is none."""
    query = select(INCIDENT.c.id).where(
        OPEN, INCIDENT.c.environment == environment, INCIDENT.c.kind == kind, INCIDENT.c.connection.in_(connections)
    )
    return str(connection.execute(query.order_by(INCIDENT.c.opened_at).limit(1)).scalar() or "")


def due(store: Store, environment: str, now: datetime) -> list[str]:
    """Ids of incidents for which something may have to be told or decided by now."""
    i = INCIDENT.c
    query = select(i.id).where(
        OPEN, i.environment == environment,
        or_(
            and_(i.told_at.is_(None), i.untold.is_(False), i.due_at <= now, i.parent == ""),
            and_(i.untold.is_(True), i.told_at.is_(None)),
            and_(i.state == "open", i.remind_at <= now),
            and_(i.state == "open", i.escalated_at.is_(None), i.escalate_at <= now),
            i.quiet_since.is_not(None),
        ),
    )  # fmt: skip
    with store.reading() as connection:
        return list(connection.execute(query.order_by(i.opened_at, i.id)).scalars())


def next_due(store: Store, environment: str, now: datetime) -> datetime | None:
    """When, after now, the next incident that siblings are waited for may be told."""
    query = select(func.min(INCIDENT.c.due_at)).where(
        OPEN, INCIDENT.c.environment == environment, INCIDENT.c.told_at.is_(None), INCIDENT.c.untold.is_(False),
        INCIDENT.c.parent == "", INCIDENT.c.due_at > now,
    )  # fmt: skip
    with store.reading() as connection:
        return connection.execute(query).scalar()


def listing(store: Store, environment: str, *, resolved: bool = False, limit: int = 200) -> list[Row[Any]]:
    """Incidents, newest first; resolved ones only when asked for."""
    query = select(INCIDENT).where(INCIDENT.c.environment == environment)
    if not resolved:
        query = query.where(OPEN)
    with store.reading() as connection:
        return list(connection.execute(query.order_by(INCIDENT.c.opened_at.desc(), INCIDENT.c.id).limit(limit)))


def one(store: Store, environment: str, name: str) -> Row[Any]:
    """An incident by its id, by what begins its id, or by its fingerprint. Raises SettingsError."""
    plain = name.removeprefix("inc-")
    i = INCIDENT.c
    query = select(INCIDENT).where(
        i.environment == environment,
        or_(i.id.startswith(f"inc-{plain}", autoescape=True), i.fingerprint == plain),
    )
    with store.reading() as connection:
        found = list(connection.execute(query.order_by(i.opened_at.desc(), i.id).limit(5)))
    ids = {row.fingerprint for row in found}
    if not plain or not found or len(ids) > 1:
        what = f"{name!r} begins several incidents" if len(ids) > 1 else f"there is no incident {name!r}"
        raise SettingsError(what, safe="nothing was changed", next_command="crosswalk incidents list --all")
    return found[0]


def mute(connection: Connection, **values: Any) -> str:
    """Keep a mute; its id."""
    name = f"mute-{uuid.uuid4().hex[:8]}"
    connection.execute(insert(MUTE).values(id=name, **values))
    return name


def mutes(connection: Connection, environment: str, now: datetime) -> list[Row[Any]]:
    """The mutes that are in force, oldest first."""
    query = select(MUTE).where(MUTE.c.environment == environment, MUTE.c.until > now, MUTE.c.lifted_at.is_(None))
    return list(connection.execute(query.order_by(MUTE.c.made_at, MUTE.c.id)))


def lift(connection: Connection, name: str, by: str, now: datetime) -> bool:
    """End a mute before its time; whether it was in force."""
    mine = and_(MUTE.c.id == name, MUTE.c.lifted_at.is_(None), MUTE.c.until > now)
    return connection.execute(update(MUTE).where(mine).values(lifted_at=now, lifted_by=by)).rowcount == 1
