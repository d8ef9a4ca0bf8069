"""When a binding is due by the schedules of prefect.yaml, without Prefect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crosswalk.errors import SettingsError

YAML = "prefect.yaml"
Next = Callable[[datetime], datetime]


def schedules(home: Path) -> dict[str, Next]:
    """For each binding with a schedule, the first time after an instant at which it is due. Raises SettingsError.

    A schedule by rrule is not looked at, nor one that the file says is not active.
    """
    import yaml

    file = home / YAML
    if not file.is_file():
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        found: dict[str, list[Next]] = {}
        for one in content.get("deployments") or []:
            binding = (one.get("parameters") or {}).get("binding")
            for given in one.get("schedules") or []:
                when = _next(given)
                if binding and when is not None:
                    found.setdefault(str(binding), []).append(when)
    except (yaml.YAMLError, OSError, ValueError, AttributeError, TypeError) as error:
        raise SettingsError(f"{YAML} cannot be read: {error}", next_command=f"mend {file}") from error
    return {binding: _first(all_) for binding, all_ in found.items()}


def _first(all_: list[Next]) -> Next:
    return lambda after: min(when(after) for when in all_)


def _next(given: Mapping[str, Any]) -> Next | None:
    if not given.get("active", True):
        return None
    if cron := given.get("cron"):
        return _cron(str(cron), ZoneInfo(str(given.get("timezone") or "UTC")))
    if interval := given.get("interval"):
        length = timedelta(seconds=float(interval))
        return lambda after: after + length
    return None


def _cron(text: str, zone: ZoneInfo) -> Next:
    from cronsim import CronSim, CronSimError

    def when(after: datetime) -> datetime:
        try:
            return next(CronSim(text, after.astimezone(zone))).astimezone(UTC)
        except (CronSimError, StopIteration) as error:
            raise SettingsError(f"{YAML}: the schedule {text!r} cannot be read", next_command=f"mend {YAML}") from error

    return when
