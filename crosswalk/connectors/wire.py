"""JSON at the wire, exactly: decimals stay decimals in both directions, equal values give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from crosswalk.frames import payload
from crosswalk.frames.split import split

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_SLASH_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")


def decode(body: bytes) -> Any:
    """A JSON value; a number with a point or an exponent is a Decimal. ValueError when it is no JSON."""
    return _DECODER.decode(body)


def render(value: Any) -> bytes:
    """JSON with keys sorted, decimals as the numbers they are, dates as ``2026-11-20``. TypeError for a float."""
    return payload.render(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list | tuple) else value


def instant(text: Any) -> datetime | None:
    """An instant from ISO text or ``/Date(ms)/``, UTC; None when it is neither. A text without zone is taken as UTC."""
    if not isinstance(text, str):
        return None
    slash = _SLASH_DATE.match(text)
    if slash:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(slash.group(1)))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def version(text: Any) -> str | None:
    """An instant as sortable text in UTC with microseconds."""
    found = instant(text)
    return found.isoformat(timespec="microseconds") if found else None


def at(value: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where a step is missing or no object."""
    found: Any = value
    for step in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found


def peek(raw: bytes, name: str) -> Any:
    """One member of a raw record; None where it is missing or the record is no object. Never refuses a record."""
    try:
        record = _MEMBERS.decode(raw)
        return _DECODER.decode(record[name]) if name in record else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        loose = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return loose.get(name) if isinstance(loose, dict) else None


def rows(body: bytes, path: str) -> tuple[list[bytes], dict[str, Any]]:
    """The raw records of the list at ``path`` and the rest of the answer. BrokenPage when there is no such list."""
    found = split(body, path)
    return found.records, dict(found.rest)
