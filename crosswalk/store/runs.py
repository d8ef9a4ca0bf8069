"""Runs: when a binding ran, how it ended, and its account."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from crosswalk.store import overtaking
from crosswalk.store.engine import Store
from crosswalk.store.ledger import Name
from crosswalk.store.tables import APPROVAL, RUN


def begin(
    store: Store, run: str, scope: str, binding: str, *, flow_run_id: str, since: datetime | None,
    until: datetime | None, dry_run: bool, asked: str = "",
) -> None:  # fmt: skip
    """Note that a run has begun. asked: ``records`` or ``window``; empty for one that goes on from the cursor."""
    with store.transaction("run") as connection:
        connection.execute(
            insert(RUN).values(
                id=run, scope=scope, binding=binding, flow_run_id=flow_run_id, started_at=store.clock.now(),
                state="running", since=since, until=until, dry_run=dry_run, account="{}", error="", asked=asked,
            )
        )  # fmt: skip


def end(store: Store, run: str, state: str, account: dict[str, Any], error: str = "") -> None:
    """State: completed, queued, failed."""
    with store.transaction("run") as connection:
        connection.execute(
            update(RUN)
            .where(RUN.c.id == run)
            .values(ended_at=store.clock.now(), state=state, account=json.dumps(account), error=error[:4000])
        )
        overtaking.forget(connection, run)


def last(store: Store, scope: str, *states: str, whole: bool = False) -> Row[Any] | None:
    """The newest run of a binding, or the newest in one of these states. whole: of those that go on from the cursor."""
    query = select(RUN).where(RUN.c.scope == scope, RUN.c.dry_run.is_(False))
    if whole:
        query = query.where(RUN.c.asked == "")
    if states:
        query = query.where(RUN.c.state.in_(states))
    with store.reading() as connection:
        return connection.execute(query.order_by(RUN.c.started_at.desc(), RUN.c.id).limit(1)).one_or_none()


def failing_since(store: Store, scope: str) -> datetime | None:
    """When the present row of failures began; None when the last run was good."""
    good = last(store, scope, "completed", "queued")
    with store.reading() as connection:
        query = select(RUN.c.started_at).where(RUN.c.scope == scope, RUN.c.state == "failed")
        if good is not None:
            query = query.where(RUN.c.started_at > good.started_at)
        return connection.execute(query.order_by(RUN.c.started_at).limit(1)).scalar()


def propose(store: Store, plan: str, scope: str, digest: str, summary: dict[str, Any]) -> None:
    """Keep a plan that was shown, for approval."""
    with store.transaction("plan-shown") as connection:
        connection.execute(
            insert(APPROVAL).values(
                id=plan, scope=scope, digest=digest, summary=json.dumps(summary), made_at=store.clock.now(),
                approved_by="", approved_at=None,
            )
        )  # fmt: skip


def plan(store: Store, name: str) -> Row[Any] | None:
    with store.reading() as connection:
        return connection.execute(select(APPROVAL).where(APPROVAL.c.id == name)).one_or_none()


def approve(store: Store, name: str, by: str) -> None:
    with store.transaction("approve") as connection:
        connection.execute(
            update(APPROVAL).where(APPROVAL.c.id == name).values(approved_by=by, approved_at=store.clock.now())
        )


def approved(store: Store, scope: str) -> bool:
    """Whether a first plan of this binding was approved."""
    with store.reading() as connection:
        query = select(APPROVAL.c.id).where(APPROVAL.c.scope == scope, APPROVAL.c.approved_by != "").limit(1)
        return connection.execute(query).one_or_none() is not None


def adoptions(store: Store, scope: str) -> dict[Name, tuple[str, str]]:
    """What approved plans take over: part → id and version of the record that a person saw; the newest counts."""
    with store.reading() as connection:
        query = select(APPROVAL.c.summary).where(APPROVAL.c.scope == scope, APPROVAL.c.approved_by != "")
        plans = connection.execute(query.order_by(APPROVAL.c.approved_at, APPROVAL.c.id)).scalars().all()
    return {
        Name(key, part): (id, version) for text in plans for key, part, id, version in json.loads(text).get("adopt", ())
    }


def deleted(store: Store, scope: str, since: datetime, *, but: str = "") -> int:
    """How many records the runs of a binding deleted since then, but for one run."""
    with store.reading() as connection:
        query = select(RUN.c.account).where(RUN.c.scope == scope, RUN.c.started_at >= since, RUN.c.id != but)
        accounts = connection.execute(query.where(RUN.c.dry_run.is_(False))).scalars().all()
    return sum(int(json.loads(text).get("deleted", 0)) for text in accounts)
