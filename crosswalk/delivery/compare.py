"""What the target shows beside what we wrote or want to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_SLASH_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d")


def foreign(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Fields that we wrote and that the target now shows otherwise. What it does not show cannot be compared."""
    return _differences(ours, theirs, prefix, strict=False)


def shows(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether the target shows every one of our values; a value that it does not show is not there."""
    return not _differences(ours, theirs, "", strict=True)


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str, *, strict: bool) -> list[str]:
    changed = []
    for field, value in ours.items():
        if field not in theirs:
            if strict and not _nothing(value):
                changed.append(f"{prefix}{field}")
            continue
        shown = theirs[field]
        if isinstance(value, Mapping) and isinstance(shown, Mapping):
            changed += _differences(value, shown, f"{prefix}{field}.", strict=strict)
        elif isinstance(value, list) and isinstance(shown, list):
            if len(value) != len(shown):
                changed.append(f"{prefix}{field}")
                continue
            for number, (a, b) in enumerate(zip(value, shown, strict=True)):
                if isinstance(a, Mapping) and isinstance(b, Mapping):
                    changed += _differences(a, b, f"{prefix}{field}[{number}].", strict=strict)
        elif not alike(value, shown):
            changed.append(f"{prefix}{field}")
    return changed


def _nothing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, int | Decimal) and value == 0)


def alike(ours: Any, shown: Any) -> bool:
    """Whether two values mean the same: numbers by value, days by day, text without the blanks around it."""
    if shown is None or isinstance(shown, bool) or isinstance(ours, bool):
        return bool(ours == shown)
    slash = _SLASH_DATE.match(shown) if isinstance(shown, str) else None
    if slash:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(slash.group(1)))
        return not _DAY.match(str(ours)) or str(ours)[:10] == moment.date().isoformat()
    try:
        return Decimal(str(ours)) == Decimal(str(shown))
    except InvalidOperation:
        return str(ours).strip() == str(shown).strip()
