"""Extracting: pages of raw records, gathered to chunks; never more than one chunk in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crosswalk.connectors.base import Page
from crosswalk.errors import Transient
from crosswalk.runs import remapping
from crosswalk.runs.session import Session, lasts

CHUNK_BYTES = 8_000_000
CHUNK_SECONDS = 20.0
IDS = 100


@dataclass(frozen=True)
class Raw:
    """A chunk of raw records, counted before the parse. last: nothing follows."""

    records: list[bytes]
    last: bool
    stand_ins: int = 0


@dataclass
class Extraction:
    """Reads a session's window or ids. After an error ``next`` goes on behind the last page that was whole."""

    session: Session
    done: bool = False
    _pages: Iterator[Page] | None = None
    _resume: str | None = None
    _gathered: list[bytes] = field(default_factory=list)
    _ids: int = 0
    _wanted: Sequence[str] | None = None
    _began: bool = False
    _standing_in: int = 0

    def next(self) -> Raw:
        """The next chunk."""
        self._stand_in()
        size = sum(map(len, self._gathered))
        began = self.session.clock.boot()
        while not self.done and len(self._gathered) < self.session.integration.chunk_rows and size < CHUNK_BYTES:
            page = self._page_or_end()
            if page is None:
                break
            self.session.read += len(page)  # counted as it came, before anything may lose a record
            self._gathered += page
            size += sum(map(len, page))
            if self._gathered and self.session.clock.boot() - began > CHUNK_SECONDS:
                break
        records, self._gathered = self._gathered, []
        stand_ins, self._standing_in = self._standing_in, 0
        self.session.stand_ins += stand_ins
        return Raw(records, self.done, stand_ins)

    def _stand_in(self) -> None:
        if self._began:
            return
        self._began = True
        if not self.session.request.ids or self.session.request.remap:
            self._gathered += self.session.integration.stand_ins
        self._standing_in = len(self._gathered)

    def _page_or_end(self) -> list[bytes] | None:
        """A page; None when the source is away or asks for a long wait, while there is something to go on with.

        What was read and counted goes its way; the next call meets the same trouble, or goes on behind it.
        """
        try:
            return self._page()
        except Transient as trouble:
            if self._gathered and lasts(self.session, trouble):
                return None
            raise

    def _page(self) -> list[bytes]:
        request = self.session.request
        return self._fetch() if request.ids or request.remap else self._list()

    def _fetch(self) -> list[bytes]:
        if self._wanted is None:
            request = self.session.request
            self._wanted = remapping.keys(self.session) if request.remap else request.ids
        ids = self._wanted[self._ids : self._ids + IDS]
        records = self.session.source.fetch(self.session.resource, ids) if ids else []
        self._ids += IDS
        self.done = self._ids >= len(self._wanted)
        return records

    def _list(self) -> list[bytes]:
        if self._pages is None:
            self._pages = self.session.source.read(self.session.resource, self.session.window, self._resume)
        try:
            page = next(self._pages, None)
        except BaseException:
            self._pages = None  # a generator that raised is over; the next call begins behind the last whole page
            raise
        if page is None:
            self.done = True
            return []
        self._resume = page.resume
        self.done = page.resume is None
        self.session.asked = page.window or self.session.asked
        if page.total is not None:
            self.session.total = page.total
        return page.records
