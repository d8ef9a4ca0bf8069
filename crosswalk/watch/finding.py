"""What a check of the watch is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crosswalk.alerts.trouble import Trouble
from crosswalk.clock import Clock
from crosswalk.errors import CrosswalkError
from crosswalk.integration import Integration, find
from crosswalk.runs.wiring import House
from crosswalk.settings import Binding, Settings
from crosswalk.store.engine import Store


@dataclass(frozen=True)
class Finding:
    """Something that is wrong now. stage: people are told anew, in the same incident, when it changes.

    yields: it opens no incident where the runs of its binding are known to fail: they are its cause.
    quiet: it opens none now, since its cause is told of or being mended.
    """

    trouble: Trouble
    stage: str = ""
    yields: bool = False
    quiet: bool = False

    @property
    def about(self) -> str:
        return self.trouble.binding or self.trouble.connection or self.trouble.step


class Unknown(CrosswalkError):
    """Nothing can be said now, and nothing is wrong with that: what is open stays open."""


@dataclass
class Look:
    """One look: what a check may ask. ask: systems may be asked too, not the store alone.

    late: bindings that nobody runs, as far as that has been found out.
    """

    house: House
    ask: bool = False
    late: set[str] = field(default_factory=set)

    @property
    def store(self) -> Store:
        return self.house.store

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def clock(self) -> Clock:
        return self.house.clock

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    def bindings(self) -> list[tuple[Binding, Integration]]:
        """Every binding with its integration. Raises SettingsError for one that cannot be imported."""
        return [(bound, find(bound.integration)) for bound in self.settings.bindings.values()]


@dataclass(frozen=True)
class Check:
    """One thing that is looked at. kinds: of incidents that are over when it no longer finds them.

    find raises Unknown, or what kept it from looking; then nothing is over.
    asks: it asks systems, not the store alone.
    """

    name: str
    kinds: tuple[str, ...]
    find: Callable[[Look], Sequence[Finding]]
    asks: bool = False


def ago(since: datetime, now: datetime) -> str:
    """A length of time in its largest unit, as words."""
    seconds = max(0.0, (now - since).total_seconds())
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
