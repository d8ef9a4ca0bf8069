"""Attempts: requests with their exact bytes, frozen before they are sent and open until every member is resolved."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from crosswalk.errors import Fenced, Unbalanced
from crosswalk.store.engine import Store
from crosswalk.store.leases import Process, gone
from crosswalk.store.ledger import Name, mark
from crosswalk.store.tables import BATCH, MEMBER, RECORD


@dataclass(frozen=True)
class Attempt:
    """A frozen request and its members, in the order of its bytes."""

    batch: Row[Any]
    members: tuple[Row[Any], ...]

    @property
    def unresolved(self) -> list[Row[Any]]:
        return [m for m in self.members if not m.outcome]


@dataclass(frozen=True)
class Draft:
    """A member to be frozen."""

    name: Name
    generation: int
    payload_hash: str
    payload: str
    version: str
    digest: str
    marker: str
    target_id: str
    expects: str


def idempotency_key(epoch: str, scope: str, operation: str, drafts: Sequence[Draft]) -> str:
    """Made when an attempt is frozen, used by every re-send of it and by no other attempt."""
    text = json.dumps(
        [epoch, scope, operation, [(d.name.key, d.name.part, d.generation, d.payload_hash) for d in drafts]]
    )
    return "cw-" + hashlib.sha256(text.encode()).hexdigest()[:48]


def freeze(
    connection: Connection,
    scope: str,
    resource: str,
    operation: str,
    request: tuple[str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], bytes],
    drafts: Sequence[Draft],
    *,
    key: str,
    process: Process,
    now: datetime,
    key_until: datetime | None,
    not_after: datetime,
) -> str:
    """Write the intent: the batch, its members, and the rows' one open attempt. Returns the batch's id."""
    _once(drafts)
    batch = uuid.uuid4().hex
    method, path, params, headers, body = request
    connection.execute(
        insert(BATCH).values(
            id=batch, scope=scope, resource=resource, operation=operation, key=key, method=method, path=path,
            params=json.dumps(params), headers=json.dumps(headers), body=body, frozen_at=now, key_until=key_until,
            sends=0, owner=process.token, owner_host=process.host, owner_boot=process.boot_id, owner_pid=process.pid,
            not_after=not_after, open=True,
        )
    )  # fmt: skip
    connection.execute(
        insert(MEMBER),
        [
            {
                "batch": batch, "position": position, "scope": scope, "key": d.name.key, "part": d.name.part,
                "generation": d.generation, "payload_hash": d.payload_hash, "payload": d.payload,
                "version": d.version, "digest": d.digest, "marker": d.marker, "target_id": d.target_id,
                "expects": d.expects, "outcome": "",
            }
            for position, d in enumerate(drafts)
        ],
    )  # fmt: skip
    mark(connection, scope, [d.name for d in drafts], batch=batch, generation=RECORD.c.generation + 1, changed_at=now)
    return batch


def _once(drafts: Sequence[Draft]) -> None:
    """Refuse a request that would carry a record twice: its answer would be taken for two. Raises Unbalanced."""
    names, markers = [d.name for d in drafts], [d.marker for d in drafts if d.marker]
    twice = [n.key for n in names if names.count(n) > 1] if len(set(names)) < len(names) else []
    if len(set(markers)) < len(markers):
        twice += [d.name.key for d in drafts if markers.count(d.marker) > 1]
    if twice:
        raise Unbalanced(
            f"one request would carry {len(twice)} records under the name or the reference of another",
            record=", ".join(sorted(set(twice))[:5]),
            safe="the request was not made and nothing was sent",
            next_command="report it: two records bear one reference, or one was chosen twice",
        )


def read(connection: Connection, batch: str) -> Attempt:
    row = connection.execute(select(BATCH).where(BATCH.c.id == batch)).one()
    members = connection.execute(select(MEMBER).where(MEMBER.c.batch == batch).order_by(MEMBER.c.position))
    return Attempt(row, tuple(members))


def open_attempts(store: Store, scope: str) -> list[Attempt]:
    """Every attempt of this binding that is not resolved, oldest first."""
    with store.reading() as connection:
        ids = connection.execute(
            select(BATCH.c.id).where(BATCH.c.scope == scope, BATCH.c.open.is_(True)).order_by(BATCH.c.frozen_at)
        ).scalars()
        return [read(connection, batch) for batch in list(ids)]


def takeable(row: Row[Any], process: Process, now: datetime) -> bool:
    """Whether this process may resolve the attempt: it is ours, its owner is dead, or its time to send is over."""
    if row.owner == process.token or not row.owner:
        return True
    return bool(gone(row.owner_host, row.owner_boot, row.owner_pid) or row.not_after is None or row.not_after < now)


def claim(store: Store, row: Row[Any], process: Process, ended: datetime, not_after: datetime) -> Attempt | None:
    """Take an open attempt over by compare-and-set on its owner; None when another was quicker.

    ended: when the last send of its former owner was over at the latest.
    """
    with store.transaction("claim") as connection:
        taken = connection.execute(
            update(BATCH)
            .where(BATCH.c.id == row.id, BATCH.c.owner == row.owner, BATCH.c.open.is_(True))
            .values(
                owner=process.token,
                owner_host=process.host,
                owner_boot=process.boot_id,
                owner_pid=process.pid,
                last_send_end=ended,
                not_after=not_after,
            )
        ).rowcount
        return read(connection, row.id) if taken == 1 else None


def let_go(store: Store, attempt: Attempt, process: Process) -> None:
    """Leave an attempt that cannot be resolved yet to whoever comes next."""
    with store.transaction("let-go") as connection:
        mine = (BATCH.c.id == attempt.batch.id, BATCH.c.owner == process.token, BATCH.c.open.is_(True))
        connection.execute(update(BATCH).where(*mine).values(owner=""))


def mine(connection: Connection, batch: str, process: Process) -> list[Row[Any]]:
    """The members of an attempt as they stand, locked for settling. Raises Fenced when another has taken it over.

    Whoever slept while somebody else resolved the attempt must not settle it a second time over what came after.
    """
    row = connection.execute(select(BATCH).where(BATCH.c.id == batch).with_for_update()).one_or_none()
    if row is None or not row.open or row.owner not in (process.token, ""):
        raise Fenced(
            "another process has resolved what this one had sent",
            record=row.scope if row is not None else "",
            safe="its outcome stands in the store; this process writes nothing more",
            next_command="crosswalk status",
        )
    return list(connection.execute(select(MEMBER).where(MEMBER.c.batch == batch).order_by(MEMBER.c.position)))


def sent(connection: Connection, batch: str, process: Process, at: datetime, due_at: datetime | None) -> None:
    """Note that a send ended in doubt, and from when absence would be proof. Nobody is sending it now."""
    connection.execute(
        update(BATCH)
        .where(BATCH.c.id == batch, BATCH.c.owner.in_((process.token, "")), BATCH.c.open.is_(True))
        .values(sends=BATCH.c.sends + 1, last_send_end=at, due_at=due_at, owner="")
    )


def resolve(connection: Connection, batch: str, outcomes: dict[int, str]) -> bool:
    """Write members' outcomes; close the batch when none is left open. Returns whether it closed."""
    for outcome in sorted(set(outcomes.values())):
        positions = [p for p, o in outcomes.items() if o == outcome]
        connection.execute(
            update(MEMBER).where(MEMBER.c.batch == batch, MEMBER.c.position.in_(positions)).values(outcome=outcome)
        )
    left = connection.execute(select(func.count()).where(MEMBER.c.batch == batch, MEMBER.c.outcome == "")).scalar_one()
    if not left:
        connection.execute(update(BATCH).where(BATCH.c.id == batch).values(open=False, body=b""))
    return not left
