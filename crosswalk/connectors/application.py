"""The user's own applications: their events carry their records, and the inbox is where these are read from.

An application is never asked for anything. Its schema is the record that the integration's mapping declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import msgspec

from crosswalk.clock import Clock
from crosswalk.connectors.base import Check, Checked, Connector, Page, Resource, System, Window
from crosswalk.connectors.facts import Webhooks
from crosswalk.errors import Away, SettingsError
from crosswalk.http.protocols import Quota
from crosswalk.schemas.base import Record
from crosswalk.settings import Connection

PAGE = 500

SYSTEM = System(
    name="application",
    title="An application of your own",
    kind="own application",
    url="",
    hosts=(),
    settings=(),
    auth=(),
    quota=Quota(),
    quota_of="nothing: it is never asked",
    scopes=(),
    resources={},
    webhooks=Webhooks("standard", ()),
    remarks=("Its events carry their records, signed as Standard Webhooks; see docs/webhooks.md.",),
)


class Kept(Protocol):
    """Where events are kept with their records."""

    def newest(self, resource: str, keys: Sequence[str]) -> list[bytes]:
        """The bodies of the last events of each of these records, oldest first."""

    def received(
        self, resource: str, since: datetime | None, until: datetime | None, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        """The bodies of events that came in a window, with their numbers, after this number."""


class _Event(msgspec.Struct):
    data: msgspec.Raw


class Application(Connector):
    """One application. records: those that its events carry."""

    system = SYSTEM

    def __init__(self, connection: Connection, kept: Kept, clock: Clock, records: Sequence[Record] = ()) -> None:
        self.connection, self.clock, self._kept = connection, clock, kept
        for record in records:
            if not record.version:
                raise SettingsError(
                    f"{record.name} declares no version; of two events about one record the newer could not be told",
                    safe="nothing was read or written",
                    next_command="name the field that grows with every change as version=",
                )
        # An event may be behind its neighbours by the time that it takes to be kept.
        facts = {r.resource: Resource(r, stream="event log", lookback=60, settle=5) for r in records}
        self.system = replace(SYSTEM, resources=facts)

    def now(self) -> datetime:
        return self.clock.now()

    def away(self) -> Away | None:
        return None

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        """The records of the events that came in a window, in the order in which they came."""
        after = int(resume or 0)
        while True:
            rows = self._kept.received(resource, window.since, window.until, after, PAGE)
            last = len(rows) < PAGE
            after = rows[-1][0] if rows else after
            yield Page([_data(body) for _, body in rows], None if last else str(after), None, self.now(), window)
            if last:
                return

    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        """What the last events of these records carried; the newest version is taken from them."""
        return [_data(body) for body in self._kept.newest(resource, ids)]

    def check(self) -> Check:
        return Check((Checked("application", None, "it is never asked for anything: look at what it sent"),))


def _data(body: bytes) -> bytes:
    return bytes(msgspec.json.decode(body, type=_Event).data)


CONNECTOR = Application
