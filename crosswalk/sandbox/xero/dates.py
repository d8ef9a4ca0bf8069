"""Dates and instants as the API writes and reads them. Days are calendar dates at midnight UTC, never converted."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON_DATE = re.compile(r"^/Date\((-?\d+)([+-]\d{4})?\)/$")
_MILLISECOND = timedelta(milliseconds=1)


def stamp(instant: datetime) -> str:
    """``/Date(1539993600000+0000)/``: milliseconds since 1970, UTC."""
    return f"/Date({(instant - EPOCH) // _MILLISECOND}+0000)/"


def envelope_stamp(instant: datetime) -> str:
    """The same without an offset, as the envelope of an answer carries it."""
    return f"/Date({(instant - EPOCH) // _MILLISECOND})/"


def day_stamp(day: date) -> str:
    """A calendar day as midnight UTC."""
    return f"/Date({(day - EPOCH.date()).days * 86_400_000}+0000)/"


def day_text(day: date) -> str:
    """``2018-10-20T00:00:00``, the text beside the stamp."""
    return f"{day.isoformat()}T00:00:00"


def utc_text(instant: datetime) -> str:
    """``2019-03-11 17:58:46+00:00``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00"


def lock_text(day: date) -> str:
    """``31-Jul-2013``, as messages name a lock date; English whatever the machine's locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day:02d}-{months[day.month - 1]}-{day.year}"


def read_day(value: str) -> date:
    """A day from ``2026-11-20``, ``2026-11-20T00:00:00`` or ``/Date(...)/``; ValueError for anything else."""
    found = _JSON_DATE.match(value)
    if found:
        return (EPOCH + timedelta(milliseconds=int(found.group(1)))).date()
    if len(value) > 10 and value[10] not in "T ":
        raise ValueError(value)
    day = date.fromisoformat(value[:10])
    if len(value) > 10:
        datetime.fromisoformat(value)
    return day


def read_since(value: str) -> datetime | None:
    """``If-Modified-Since`` in ISO form (UTC unless an offset is given) or RFC 1123 form, cut to the second.

    None where it cannot be read: the header is then ignored.
    """
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            instant = parsedate_to_datetime(value)
        except ValueError:
            return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC).replace(microsecond=0)
