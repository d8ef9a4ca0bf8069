"""How a connector is spoken to.

A connector never decides what to send or when: it reads windows and records, freezes what it is given into exact
bytes, sends those bytes, says what an answer means for each member, and looks up what became of a lost answer.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from crosswalk.clock import Clock
from crosswalk.connectors.facts import (
    AuthWay,
    Key,
    LookUp,
    Measure,
    Never,
    Operation,
    Order,
    Repeat,
    Resource,
    Safe,
    Setting,
    Stream,
    System,
    Verb,
)
from crosswalk.errors import Away, SettingsError
from crosswalk.http.answer import Answer
from crosswalk.http.answer import Repeat as Again
from crosswalk.settings import Connection

if TYPE_CHECKING:
    from crosswalk.http.client import Client

__all__ = [
    "Answer",
    "AuthWay",
    "Check",
    "Checked",
    "Connection",
    "Connector",
    "Found",
    "Frozen",
    "Item",
    "Key",
    "LookUp",
    "Measure",
    "Never",
    "Operation",
    "Order",
    "Outcome",
    "Page",
    "Repeat",
    "Resource",
    "Result",
    "Safe",
    "Setting",
    "Stream",
    "System",
    "Verb",
    "Window",
    "address",
    "cut",
    "hosts",
    "setting",
]

Outcome = Literal["applied", "refused", "taken", "conflict", "gone", "alone", "retry", "doubt"]


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since`` (inclusive; None: the beginning) to ``until`` (exclusive; None: the vendor's now). Aware UTC."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    records: raw JSON of each, untouched but for nested lists that were read to their end. resume: hand it to ``read``
    to go on after this page; None on the last page. total: how many the vendor says the window holds, only when it says
    so exactly. vendor_now: the vendor's clock when it answered. window: the one that was asked for.
    """

    records: list[bytes]
    resume: str | None
    total: int | None
    vendor_now: datetime
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One target record to write.

    key: our own ledger key. marker: our reference as the target record carries it, empty when it carries none.
    payload: nested values under the target's own names, decimals and dates as Python objects. target_id: for an update
    or a removal.
    """

    key: str
    marker: str
    payload: Mapping[str, Any]
    target_id: str | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """An exact request. Sent as it stands, as often as needed; the path is relative to the connection's address."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def pack(self) -> bytes:
        """For the store; equal requests give equal bytes."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpack(packed: bytes) -> Frozen:
        return msgspec.msgpack.decode(packed, type=Frozen)


@dataclass(frozen=True, slots=True)
class Result:
    """What an answer says about one member.

    item: its position in what was sent. outcome:
    applied   the target did it.
    refused   the target does not accept it and will not; ``message`` is the target's own.
    taken     a value that must be unique belongs to another record; ``field`` names it.
    conflict  a record with our own reference is there already: look it up before anything else.
    gone      the record that was to be changed, or the one it hangs on, is not there.
    alone     the request was refused as a whole and does not say for which member: send each in one of its own.
    retry     the target did not do it and may do so later.
    doubt     the answer does not say: resolve it by look-up.
    echo: the target's answer for this member, decimals exact.
    """

    item: int
    outcome: Outcome
    target_id: str | None = None
    target_version: str | None = None
    message: str = ""
    field: str = ""
    echo: Mapping[str, Any] = default(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A target record as it stands now.

    carries_marker: it carries the reference that was asked for, so it is ours. applied: it shows the effect of the
    operation that was asked about. status: the target's own word. gone: it is archived, voided or deleted, so that
    nothing can hang on it. body: raw JSON.
    """

    target_id: str
    target_version: str | None
    carries_marker: bool
    echo: Mapping[str, Any]
    body: bytes
    applied: bool = True
    status: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked. ok None: could not be looked at."""

    what: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """The health of a connection."""

    items: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        return all(i.ok is not False for i in self.items)


class Connector(abc.ABC):
    """One connection, spoken to. Resources are named in full (``xero.invoices``), operations by Operation.name."""

    system: System

    def __init__(self, connection: Connection, client: Client, clock: Clock) -> None:
        self.connection = connection
        self.client = client
        self.clock = clock

    # reading

    @abc.abstractmethod
    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        """The records of a window in the resource's order, at least one page (which may be empty)."""

    @abc.abstractmethod
    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        """These records afresh, raw; an id that the system does not know is left out."""

    @abc.abstractmethod
    def check(self) -> Check:
        """Credentials, scopes, account, currency, clock and quota, without changing anything."""

    def accounts(self) -> dict[str, str]:
        """What these credentials reach, name by account id; empty where an account is named by its address."""
        return {}

    def now(self) -> datetime:
        """The system's own clock, UTC, as its last answer told it; ours before the first answer."""
        return self.client.vendor_now()

    def away(self) -> Away | None:
        """Why nothing is asked of the system now: it failed several times in a row. None when it may be asked."""
        return self.client.away()

    # writing

    def operation(self, resource: str, op: str) -> Operation:
        """The facts of an operation."""
        return self.system.operation(resource, op)

    def batches(self, resource: str, op: str, items: Sequence[Item]) -> Iterator[list[Item]]:
        """``items`` cut, in order, into what one request may carry: members, bytes, one parent."""
        raise self._cannot(resource, op)

    def freeze(self, resource: str, op: str, items: Sequence[Item]) -> Frozen:
        """One request for all of ``items``. Pure; the same items give the same bytes."""
        raise self._cannot(resource, op)

    def send(
        self, resource: str, op: str, frozen: Frozen, *, key: str, repeat: Again, not_after: float | None = None
    ) -> Answer:
        """Send these bytes. Raises crosswalk.errors: Unreachable, Throttled, Refused (nothing was done), AnswerLost,
        ServerFault (unknown), Fenced (nothing was sent)."""
        raise self._cannot(resource, op)

    def read_answer(self, resource: str, op: str, items: Sequence[Item], answer: Answer) -> list[Result]:
        """A result for every item, in the order of ``items``, matched by id or reference and never by position."""
        raise self._cannot(resource, op)

    def look_up(self, resource: str, op: str, items: Sequence[Item]) -> list[Found | None]:
        """What the target holds under each item's marker now; None: nothing. Errors are raised, never None."""
        raise self._cannot(resource, op)

    def find(self, resource: str, field: str, values: Sequence[str]) -> dict[str, list[Found]]:
        """Living records by the value of one of the fields that the resource ``finds``, as many requests as sets of
        values need. A value that the system cannot be asked for is left out."""
        raise self._cannot(resource, "find")

    def current(self, resource: str, ids: Sequence[str]) -> dict[str, Found]:
        """Target records by id as they stand now; one that is gone is left out."""
        raise self._cannot(resource, "current")

    def standing(self, resource: str, first: date, past: date) -> Iterator[Found]:
        """Every target record whose ``Measure.date`` lies from ``first`` to the day before ``past``, read as a listing,
        those that are gone among them; all of the resource where its measure has no date."""
        raise self._cannot(resource, "standing")

    def _cannot(self, resource: str, op: str) -> SettingsError:
        return SettingsError(f"{self.system.title} is not written to by {op!r} of {resource}")


def setting(connection: Connection, name: str, default: str | None = None) -> str:
    """A plain setting of a connection; SettingsError when it is missing and has no default."""
    value = connection.settings.get(name, default)
    if value is None or value == "":
        raise SettingsError(
            f"connection {connection.name!r} ({connection.system}, {connection.environment}) lacks {name!r}",
            safe="nothing was read or sent",
            next_command=f'add {name} = "..." under [connections.{connection.name}.settings] in crosswalk.toml',
        )
    return str(value)


def address(system: System, connection: Connection, fact: str) -> str:
    """An address of the system, with this connection's settings filled in.

    A connection with the setting ``url`` speaks to that origin instead of the vendor's hosts: a practice copy.
    """
    usual = {s.name: s.default or connection.account for s in system.settings}
    filled = fact.format_map({**usual, **connection.settings})
    origin = str(connection.settings.get("url", "")).rstrip("/")
    return f"{origin}{urlsplit(filled).path}" if origin else filled


def hosts(system: System, connection: Connection) -> tuple[str, ...]:
    """Where this connection's credentials may be sent."""
    origin = str(connection.settings.get("url", ""))
    if origin:
        return (urlsplit(origin).hostname or "",)
    return tuple(address(system, connection, host) for host in system.hosts)


def cut(
    items: Sequence[Item], sizes: Sequence[int], groups: Sequence[str], operation: Operation
) -> Iterator[list[Item]]:
    """``items`` in order, cut at the operation's batch, at its bytes and wherever the group changes."""
    members: list[Item] = []
    used, group = 0, ""
    for item, size, belongs in zip(items, sizes, groups, strict=True):
        full = len(members) >= operation.batch or used + size > operation.max_bytes or belongs != group
        if members and full:
            yield members
            members, used = [], 0
        members.append(item)
        used, group = used + size, belongs
    if members:
        yield members
