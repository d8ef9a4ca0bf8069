"""What a trouble means for a binding, asked of the store: rows, money, since when; and which rows are newly held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import and_, case, func, select

from crosswalk.alerts.message import KEYS, HeldRows, Impact
from crosswalk.store import held, ledger, runs
from crosswalk.store.engine import Store
from crosswalk.store.tables import HELD, RECORD, RUN

WAITING = ("pending", "in doubt", "parked", "held")
AMOUNTS = ("Total", "Amount")
MOST = 5_000


def impact(store: Store, scope: str, currency: str) -> Impact:
    """What waits in a binding and since when it fails. Raises StoreError."""
    states = ledger.states(store, scope)
    since, failures = _failing(store, scope)
    good = runs.last(store, scope, "completed", "queued")
    return Impact(
        rows=tuple((state, states[state]) for state in WAITING if states.get(state)),
        money=_money(store, scope, currency),
        since=since,
        failures=max(failures, 1),
        last_good=good.ended_at if good else None,
    )


def _failing(store: Store, scope: str) -> tuple[datetime | None, int]:
    """When the first run failed after the last good one, and how many did."""
    good = runs.last(store, scope, "completed", "queued")
    query = select(func.min(RUN.c.started_at), func.count()).where(
        RUN.c.scope == scope, RUN.c.dry_run.is_(False), RUN.c.state == "failed"
    )
    if good is not None:
        query = query.where(RUN.c.started_at > good.started_at)
    with store.reading() as connection:
        first, count = connection.execute(query).one()
    return first, int(count)


def _money(store: Store, scope: str, currency: str) -> tuple[tuple[str, Decimal, str], ...]:
    """By resource, the amounts of what waits: the total the target must show, or the amount that is sent."""
    query = (
        select(RECORD.c.resource, RECORD.c.wanted_payload, RECORD.c.wanted_extra)
        .where(RECORD.c.scope == scope, RECORD.c.wanted_payload != "", ledger.STATE.in_(WAITING))
        .limit(MOST)
    )
    sums: dict[str, Decimal] = defaultdict(Decimal)
    with store.reading() as connection:
        for row in connection.execute(query):
            amount = _amount(ledger.load(row.wanted_extra).get("expects", {}), ledger.load(row.wanted_payload))
            if amount is not None:
                sums[row.resource.partition(".")[2].replace("_", " ")] += amount
    return tuple((name, amount, currency) for name, amount in sorted(sums.items()))


def _amount(*places: Mapping[str, Any]) -> Decimal | None:
    for place in places:
        for name in AMOUNTS:
            try:
                return Decimal(str(place[name]))
            except (KeyError, InvalidOperation):
                continue
    return None


def newly_held(
    store: Store, scope: str, run: str, *, binding: str, environment: str, title: str = "", link: str = ""
) -> list[HeldRows]:
    """The rows that are held since this run, or since one that ended without a word, by rule. Raises StoreError."""
    with store.reading() as connection:
        fresh = and_(
            HELD.c.scope == scope, HELD.c.open.is_(True), HELD.c.first_run.in_([run, *_silent(store, scope, run)])
        )
        rules = connection.execute(
            select(
                HELD.c.rule,
                func.min(HELD.c.field),
                func.min(HELD.c.reason),
                func.count(),
                func.sum(case((HELD.c.by_person, 1), else_=0)),
                func.count(HELD.c.reason.distinct()),
            )
            .where(fresh)
            .group_by(HELD.c.rule)
            .order_by(func.count().desc(), HELD.c.rule)
        ).all()
        keys = {
            rule: tuple(
                connection.execute(
                    select(HELD.c.key).distinct().where(fresh, HELD.c.rule == rule).order_by(HELD.c.key).limit(KEYS)
                ).scalars()
            )
            for rule, *_ in rules
        }
    return [
        HeldRows(
            binding, environment, rule, field, held.one_of(reason, int(kinds)), int(count), keys[rule],
            by_person == count, title, link,
        )
        for rule, field, reason, count, by_person, kinds in rules
    ]  # fmt: skip


def _silent(store: Store, scope: str, run: str) -> list[str]:
    """Runs after the last one that ended before this, which were killed before they could warn of anything."""
    with store.reading() as connection:
        ended = connection.execute(
            select(func.max(RUN.c.started_at)).where(RUN.c.scope == scope, RUN.c.id != run, RUN.c.ended_at.is_not(None))
        ).scalar()
        query = select(RUN.c.id).where(RUN.c.scope == scope, RUN.c.id != run, RUN.c.ended_at.is_(None))
        if ended is not None:
            query = query.where(RUN.c.started_at >= ended)
        return list(connection.execute(query).scalars())
