"""Everything that can go wrong, in one tree.

CrosswalkError
├── SettingsError              a setting is missing or does not fit
│   └── KeyTrouble             the encryption key is missing or is not the one the store was written with
├── MappingError               a mapping is refused when it is built
│   ├── TableError             a value table cannot be read as meant
│   └── NotApproved            the mapping or the first plan has no sign-off where one is needed
├── StoreError                 the store is away, full, locked
│   ├── StoreVersion           the store was written by another release
│   └── Fenced                 the lease was lost; another process has taken over
├── VendorError                another system's answer, or the lack of one
│   ├── Transient              may pass by itself
│   │   ├── Unreachable        no connection; the request was not sent
│   │   │   └── Away           the connection's breaker is open: no request is made until a probe has passed
│   │   ├── AnswerLost         sent, and no whole answer came back: the outcome is unknown
│   │   │   └── BrokenPage     a page is cut, garbled or without its list; nothing of it was used
│   │   ├── ServerFault        the system says that the fault is its own
│   │   └── Throttled          over the limit; carries how long to wait
│   └── Refused                will not pass by itself
│       ├── BadCredentials     the credentials are not accepted
│       │   └── ConsentNeeded  the grant is gone; a person has to connect again
│       ├── AccessDenied       the credentials lack a scope or the account is another one
│       ├── NotFound           no such record
│       └── Invalid            the system does not accept the content
├── SourceError                what was read cannot be trusted as a whole
│   ├── Drift                  a required field vanished, or changed its type
│   ├── FilterIgnored          the system read our filter and did not use it
│   └── Incomplete             a listing or a nested list may be cut
├── AlertLost                  an alert could not be delivered
└── RunFailed                  a run that must not be called a success
    ├── TooManyHeld            more rows held than the thresholds allow
    ├── TooManyDeleted         more rows to be deleted within a week than the binding lets go
    ├── Unbalanced             the account of the run does not add up
    └── Busy                   another process plans this binding
"""

from __future__ import annotations

from datetime import datetime


class CrosswalkError(Exception):
    """What happened, to which record, what is safe, and the next command."""

    def __init__(self, what: str, *, record: str = "", safe: str = "", next_command: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.record = record
        self.safe = safe
        self.next_command = next_command

    def __str__(self) -> str:
        lines = [self.what]
        if self.record:
            lines.append(f"Record: {self.record}")
        if self.safe:
            lines.append(f"Safe: {self.safe}")
        if self.next_command:
            lines.append(f"Next: {self.next_command}")
        return "\n".join(lines)


class SettingsError(CrosswalkError):
    """A setting is missing or does not fit."""


class KeyTrouble(SettingsError):
    """The encryption key is missing, or is not the one that the store was written with."""


class MappingError(CrosswalkError):
    """A mapping is refused when it is built."""


class TableError(MappingError):
    """A value table cannot be read as meant."""


class NotApproved(MappingError):
    """The mapping or the first plan has no sign-off where one is needed."""


class StoreError(CrosswalkError):
    """The store is away, full, locked or damaged."""


class StoreVersion(StoreError):
    """The store was written by another release."""


class Fenced(StoreError):
    """The lease was lost; another process has taken over."""


class VendorError(CrosswalkError):
    """Another system's answer, or the lack of one. connection: the key of the account it came from, once known."""

    connection = ""

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        code: str = "",
        body: str = "",
        record: str = "",
        safe: str = "",
        next_command: str = "",
    ) -> None:
        super().__init__(what, record=record, safe=safe, next_command=next_command)
        self.status = status
        self.code = code
        self.body = body


class Transient(VendorError):
    """May pass by itself."""


class Unreachable(Transient):
    """No connection; the request was not sent."""


class Away(Unreachable):
    """The connection failed several times in a row: no request is made until a probe has passed.

    since: when it was found to be away; next_try: when the next probe may be made; both UTC. wait: seconds until then.
    """

    def __init__(self, what: str, *, since: datetime, next_try: datetime, wait: float = 0.0) -> None:
        super().__init__(
            what,
            safe="nothing was sent; what is to be delivered waits in the store",
            next_command="nothing: it goes on by itself once the system answers; crosswalk status shows what waits",
        )
        self.since = since
        self.next_try = next_try
        self.wait = wait


class AnswerLost(Transient):
    """Sent, and no whole answer came back: the outcome is unknown."""


class BrokenPage(AnswerLost):
    """A page came back cut, garbled or without its list; nothing of it was used and the request may be repeated."""


class ServerFault(Transient):
    """The system says that the fault is its own."""


class Throttled(Transient):
    """Over the limit."""

    def __init__(
        self, what: str, *, wait: float, scope: str = "", status: int = 429, code: str = "", body: str = ""
    ) -> None:
        super().__init__(what, status=status, code=code, body=body)
        self.wait = wait
        self.scope = scope


class Refused(VendorError):
    """Will not pass by itself."""


class BadCredentials(Refused):
    """The credentials are not accepted."""


class ConsentNeeded(BadCredentials):
    """The grant is gone; a person has to connect again."""


class AccessDenied(Refused):
    """The credentials lack a scope, or the account is another one."""


class NotFound(Refused):
    """No such record."""


class Invalid(Refused):
    """The system does not accept the content."""


class SourceError(CrosswalkError):
    """What was read cannot be trusted as a whole."""


class Drift(SourceError):
    """A required field vanished, or changed its type."""


class FilterIgnored(SourceError):
    """The system read our filter and did not use it."""


class Incomplete(SourceError):
    """A listing or a nested list may be cut."""


class AlertLost(CrosswalkError):
    """An alert could not be delivered."""


class RunFailed(CrosswalkError):
    """A run that must not be called a success."""


class TooManyHeld(RunFailed):
    """More rows held than the thresholds allow."""


class TooManyDeleted(RunFailed):
    """More rows to be deleted within a week than the binding lets go."""


class Unbalanced(RunFailed):
    """The account of the run does not add up."""


class Busy(RunFailed):
    """Another process plans this binding."""
