"""Pruning a folder's store and journal by the periods of ``[retention]`` in crosswalk.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from crosswalk.errors import SettingsError
from crosswalk.runs.wiring import House
from crosswalk.settings import FILE
from crosswalk.store import retention
from crosswalk.store.retention import LEAST, NAMES, Periods, Pruned


def prune(house: House, *, dry_run: bool = False) -> Pruned:
    """Take out, or count, what is older than its period. Raises SettingsError and StoreError."""
    return retention.prune(house.store, periods(house.settings.home), house.journal, dry_run=dry_run)


def periods(home: Path) -> Periods:
    """The periods of the folder that holds crosswalk.toml. Raises SettingsError for what is no number of days."""
    given = tomllib.loads((home / FILE).read_text(encoding="utf-8")).get("retention", {})
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        raise _unfit(f"[retention] names {unknown[0]!r}, which is kept nowhere; known: {', '.join(NAMES)}", home)
    for name, days in given.items():
        least = LEAST.get(name, 0)
        if isinstance(days, bool) or not isinstance(days, int) or days < least:
            raise _unfit(f"[retention]: {name} = {days!r} is no number of days from {least} on", home)
    return Periods(**given)


def _unfit(what: str, home: Path) -> SettingsError:
    return SettingsError(what, safe="nothing was pruned", next_command=f"mend {home / FILE}")
