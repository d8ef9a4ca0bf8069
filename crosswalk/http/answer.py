"""An answer, and what may be done when it does not come: values without I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

from crosswalk.errors import (
    AccessDenied,
    AnswerLost,
    BadCredentials,
    Invalid,
    NotFound,
    ServerFault,
    Throttled,
    VendorError,
)
from crosswalk.http.protocols import Told

LONGEST_WAIT = 120.0
"""Seconds; a longer wait hands the work back instead."""


@dataclass(frozen=True)
class Answer:
    """A whole answer. ``headers`` is case-insensitive; ``sent_at`` and ``ended_at`` are UTC by our own clock.

    repeated: an earlier try of the same request may have been carried out.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: datetime
    ended_at: datetime
    repeated: bool = False

    def json(self) -> Any:
        """The body, with Decimal for every number that has a fraction; AnswerLost when it is not JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError:
            raise AnswerLost("the answer is not JSON", status=self.status, body=self.text()) from None

    def text(self, limit: int = 2000) -> str:
        """The beginning of the body; not redacted."""
        return self.body[:limit].decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """A header, empty when it is not there."""
        return self.headers.get(name, "")


Classify = Callable[[Answer], VendorError | None]
Tell = Callable[[Answer], Told | None]


@dataclass(frozen=True)
class Repeat:
    """Whether a request may be sent again when its outcome is unknown.

    tries: how often at most, where that is less than the client's own bound.
    """

    kind: Literal["safe", "once", "until"]
    instant: datetime | None = None
    tries: int | None = None

    def may_send(self, vendor_now: datetime, timeout: float) -> bool:
        """Whether the key, if there is one, lives until an answer can be expected."""
        return self.instant is None or vendor_now + timedelta(seconds=timeout) < self.instant


SAFE = Repeat("safe")
"""Repeating is harmless: any transient error is retried."""
ONCE = Repeat("once")
"""Never sent again once bytes may have left; only a failed connection and a throttled request are retried."""


def until(instant: datetime) -> Repeat:
    """Sent, and sent again, only while the vendor's clock plus the time-out is before ``instant`` (a key's life)."""
    return Repeat("until", instant)


@dataclass(frozen=True)
class Retry:
    """Bounds of one request: failures in tries and seconds, waiting for limits in seconds (it is no failure).

    The backoff before try n + 1 is drawn evenly from 0 to ``first`` * 2**n, at most ``longest`` seconds.
    """

    tries: int = 5
    seconds: float = 120
    first: float = 0.5
    longest: float = 30
    patience: float = 600


def classify(answer: Answer) -> VendorError | None:
    """The error of a status, None for 2xx and 304. 408 and 425 are the server's own; a redirect is not followed."""
    status = answer.status
    if 200 <= status < 300 or status == 304:
        return None
    body = answer.text()
    what = f"answered {status}"
    if status == 401 and "insufficient_scope" not in answer.header("www-authenticate"):
        return BadCredentials(f"{what}: the credentials are not accepted", status=status, body=body)
    if status in (401, 403):
        return AccessDenied(f"{what}: the credentials do not allow this", status=status, body=body)
    if status == 404:
        return NotFound(f"{what}: there is no such record or address", status=status, body=body)
    if status == 429:
        return Throttled(f"{what}: over the limit", wait=retry_after(answer) or 0.0, status=status, body=body)
    if status >= 500 or status in (408, 425):
        return ServerFault(f"{what}: the system says that the fault is its own", status=status, body=body)
    if 300 <= status < 400:
        return Invalid(f"{what}: redirected elsewhere, which is not followed", status=status, body=body)
    return Invalid(f"{what}: the request is not accepted", status=status, body=body)


def retry_after(answer: Answer) -> float | None:
    """Seconds that the Retry-After header asks for, from the end of the answer; None when it is missing or garbage.

    Seconds may have a fraction. A date is taken against the answer's own Date, so that our clock does not matter; a
    past one gives 0.
    """
    value = answer.header("retry-after").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        at = http_date(value)
        if at is None:
            return None
        return max(0.0, (at - (http_date(answer.header("date")) or answer.ended_at)).total_seconds())
    return seconds if 0 <= seconds < float("inf") else None


def http_date(value: str) -> datetime | None:
    """An HTTP date as UTC; None when it is none."""
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def well_formed(answer: Answer) -> bool:
    """False when an answer that calls itself JSON is cut or broken. Lone surrogates and NaN pass: they are a row's."""
    if not answer.body or "json" not in answer.header("content-type"):
        return True
    try:
        msgspec.json.decode(answer.body, type=msgspec.Raw)
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        json.loads(answer.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return True
