"""What the HTTP package asks of the token store, the limiter and the journal, so that it need not know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from crosswalk.errors import Away


@dataclass(frozen=True)
class Token:
    """An access token as the store keeps it; instants are UTC, by our own clock.

    expires_at: None when it does not expire by itself. refresh: empty when the grant has none.
    version: 0 before it is saved, then as the store counts.
    """

    access: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime | None = None
    refresh: str = field(default="", repr=False)
    scope: str = ""
    version: int = 0


class TokenStore(Protocol):
    """Where tokens live. No call may leave a transaction open: the request to the vendor happens between them."""

    def read(self, connection: str) -> Token | None:
        """The newest token of a connection, as committed; None when there is none."""

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        """Take the sole right to renew this connection's token, committed before it returns; False when another has it.

        It ends by ``release`` or after ``seconds``; a process of this machine that has certainly ended may be followed
        at once.
        """

    def release(self, connection: str, holder: str) -> None:
        """Give the right back; nothing happens when it is another's by now."""

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        """Compare and set: commit ``token`` as the version after ``expected_version`` (0: there is none yet).

        False, and nothing written, when the stored version is another.
        """


Outcome = Literal["answered", "lost", "unsent"]
Kind = Literal["call", "token"]


@dataclass(frozen=True)
class Sent:
    """A request about to leave. ``url`` and ``body`` are as sent: the journal redacts them."""

    connection: str
    method: str
    url: str
    at: datetime
    kind: Kind = "call"
    attempt: int = 1
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""


@dataclass(frozen=True)
class Ended:
    """How it went. lost: sent, and no whole answer came; unsent: no byte left. ``seconds`` since it was opened.

    brief: the beginning of the body is enough, since what it says can be asked for again.
    """

    outcome: Outcome
    seconds: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    detail: str = ""
    brief: bool = False


class Journal(Protocol):
    """The account of every outbound request, retries and token calls included."""

    def open(self, sent: Sent) -> int:
        """Write the entry, committed before it returns; StoreError when it cannot be written (then nothing is sent)."""

    def close(self, entry: int, ended: Ended) -> None:
        """Complete the entry. Never raises: the answer is worth more; what could not be written fails the next open."""


@dataclass(frozen=True)
class Told:
    """What an answer says about the quota; None = says nothing.

    wait: seconds until the next request may come (429). minute, day: requests left. available, maximum: points in the
    bucket; restore: points a second; spent: what this request cost in the end.
    """

    wait: float | None = None
    minute: int | None = None
    day: int | None = None
    available: float | None = None
    maximum: float | None = None
    restore: float | None = None
    spent: float | None = None


@dataclass(frozen=True)
class Quota:
    """What a system allows an account: requests, or points where calls have a price.

    rate: units a ``minute`` (seconds long, 60 unless a practice system shortens it); 0 = no pace. burst: units at once
    after a pause. share: the part of the rate that we use. concurrent, daily: requests; 0 = no such limit.
    """

    rate: float = 0
    burst: float = 1
    concurrent: int = 0
    daily: int = 0
    share: float = 0.95
    minute: float = 60

    @property
    def per_second(self) -> float:
        """The pace that we keep, in units a second."""
        return self.rate / self.minute * self.share


@dataclass(frozen=True)
class Account:
    """One quota at a vendor; everything with this ``key`` draws on it, in every process, e.g. ``xero:<tenant id>``."""

    key: str
    quota: Quota = Quota()


class Limiter(Protocol):
    """Gives every request its moment, for all processes that share an account."""

    def acquire(self, account: Account, cost: float = 1, priority: int = 0) -> str:
        """Wait for a slot and take it; the ticket is for ``release``. Throttled when the wait is above two minutes.

        priority below 0 leaves the burst to others.
        """

    def release(self, account: Account, ticket: str) -> None:
        """The request is over."""

    def feed(self, account: Account, told: Told, cost: float = 1) -> None:
        """Learn from the answer to a request that had acquired ``cost``."""


@dataclass(frozen=True)
class Admission:
    """Leave to make requests. failures: in a row until now; probe: not empty for the one that tries a system again."""

    failures: int = 0
    probe: str = ""


class Breaker(Protocol):
    """Keeps requests from a system that is away, for all processes that share a store."""

    def admit(self, connection: str) -> Admission:
        """Raises Away while the breaker is open and this is not the probe."""

    def away(self, connection: str) -> Away | None:
        """Why no request would be let through now; None when one would, if only as the probe."""

    def failed(self, connection: str, admission: Admission, why: str) -> bool:
        """The system could not be reached or is at fault. Whether the breaker is open now."""

    def passed(self, connection: str, admission: Admission) -> None:
        """The system has answered: failures in a row are over, an open breaker is closed."""

    def dropped(self, connection: str, admission: Admission) -> None:
        """Nothing was learned; another may be the probe."""
