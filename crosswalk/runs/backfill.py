"""Reading a stretch of the past beside the schedule: its windows, and which of them are done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select

from crosswalk.errors import SettingsError
from crosswalk.settings import Binding
from crosswalk.store.engine import Store, instant_text
from crosswalk.store.tables import META, RUN

Step = Literal["month", "week", "day", "all"]


@dataclass(frozen=True)
class Window:
    """One run of a backfill, from ``since`` to ``until``, UTC. done: a run has read it since the backfill began."""

    since: datetime
    until: datetime
    done: bool = False


@dataclass(frozen=True)
class Backfill:
    """A stretch that is read by windows. It is remembered from its first window to its last, so that the same command
    goes on where it was interrupted, and begins anew when it had been ended."""

    binding: Binding
    since: datetime
    until: datetime
    by: Step

    @property
    def name(self) -> str:
        """What it is remembered under."""
        return f"backfill:{self.binding.scope}:{instant_text(self.since)}:{instant_text(self.until)}:{self.by}"

    def windows(self, store: Store) -> list[Window]:
        """Every window in its order, split at midnights in the source's zone."""
        with store.reading() as connection:
            begun = connection.execute(select(META.c.value).where(META.c.name == self.name)).scalar()
        done = _done(store, self.binding.scope, datetime.fromisoformat(begun)) if begun else set()
        ends = split(self.since, self.until, self.by, self.binding.source.zone)
        return [Window(*one, one in done) for one in ends]

    def begin(self, store: Store) -> None:
        """Remember that it is under way; one that is goes on."""
        with store.transaction("backfill") as connection:
            if connection.execute(select(META.c.value).where(META.c.name == self.name)).scalar() is None:
                connection.execute(insert(META).values(name=self.name, value=instant_text(store.clock.now())))

    def end(self, store: Store) -> None:
        """Forget it: the same command reads everything again."""
        with store.transaction("backfill") as connection:
            connection.execute(delete(META).where(META.c.name == self.name))


def split(since: datetime, until: datetime, by: Step, zone: str) -> list[tuple[datetime, datetime]]:
    """The stretch in pieces that end at a midnight in ``zone``: of a month's first day, of a Monday, of any day.

    Raises SettingsError where since is not before until.
    """
    if since >= until:
        raise SettingsError(
            "since is not before until", safe="nothing was read or written", next_command="write the earlier one first"
        )
    found, at = [], since.astimezone(UTC)
    end = until.astimezone(UTC)
    while at < end:
        past = min(_next(at, by, ZoneInfo(zone)), end) if by != "all" else end
        found.append((at, past))
        at = past
    return found


def _next(at: datetime, by: Step, zone: ZoneInfo) -> datetime:
    day = at.astimezone(zone).date()
    if by == "month":
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    else:
        day += timedelta(days=7 - day.weekday() if by == "week" else 1)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _done(store: Store, scope: str, begun: datetime) -> set[tuple[datetime, datetime]]:
    """Windows that a run has read to their end since then; what it could not send yet waits in the store."""
    query = select(RUN.c.since, RUN.c.until, RUN.c.state, RUN.c.account).where(
        RUN.c.scope == scope, RUN.c.asked == "window", RUN.c.dry_run.is_(False), RUN.c.started_at >= begun,
        RUN.c.state.in_(("completed", "queued")),
    )  # fmt: skip
    with store.reading() as connection:
        rows = list(connection.execute(query))
    return {(r.since, r.until) for r in rows if r.state == "completed" or not json.loads(r.account).get("stopped")}
