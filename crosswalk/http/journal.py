"""The journal: every outbound request, opened before its bytes leave and closed after. Redacted here, and only here.

It has a file of its own, so that its many writes never wait for the store's or make them wait.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crosswalk.clock import Clock
from crosswalk.errors import StoreError
from crosswalk.http import redact
from crosswalk.http.protocols import Ended, Sent
from crosswalk.http.sqlite import File

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    run TEXT NOT NULL,
    delivery TEXT NOT NULL,
    bytes_out INTEGER NOT NULL,
    outcome TEXT,
    status INTEGER,
    seconds REAL,
    bytes_in INTEGER,
    headers TEXT,
    detail TEXT
);
CREATE INDEX IF NOT EXISTS request_at ON request (at);
CREATE INDEX IF NOT EXISTS request_run ON request (run);
"""
_OPEN = """
INSERT INTO request (at, connection, kind, method, url, attempt, run, delivery, bytes_out)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CLOSE = "UPDATE request SET outcome = ?, status = ?, seconds = ?, bytes_in = ?, headers = ?, detail = ? WHERE id = ?"
_TELLING = re.compile(r"limit|retry-after|remaining|quota|request-?id|correlation|^date$", re.IGNORECASE)
_run: ContextVar[str] = ContextVar("run", default="")
_delivery: ContextVar[str] = ContextVar("delivery", default="")


@contextmanager
def tagged(*, run: str | None = None, delivery: str | None = None) -> Iterator[None]:
    """Requests inside belong to this run and delivery. A thread starts without tags: open it inside the thread."""
    tokens = [(var, var.set(value)) for var, value in ((_run, run), (_delivery, delivery)) if value is not None]
    try:
        yield
    finally:
        for var, token in tokens:
            var.reset(token)


@dataclass(frozen=True)
class Bodies:
    """Where bodies are kept, compressed, one file a request; each side is cut at ``longest`` characters.

    The good answer to a request that may be sent any number of times is cut at ``brief``: it can be asked for again.
    """

    folder: Path
    longest: int = 64 * 1024
    brief: int = 4 * 1024


@dataclass(frozen=True)
class Entry:
    """A request as the journal tells it; ``outcome`` None: it was under way when its process ended, or still is."""

    id: int
    at: datetime
    connection: str
    kind: str
    method: str
    url: str
    attempt: int
    run: str
    delivery: str
    bytes_out: int
    outcome: str | None
    status: int | None
    seconds: float | None
    bytes_in: int | None
    headers: dict[str, str]
    detail: str | None


_COLUMNS = tuple(column.name for column in fields(Entry))


class SqliteJournal:
    """A journal in an SQLite file that any number of processes may write."""

    def __init__(self, path: Path, clock: Clock, bodies: Bodies | None = None) -> None:
        self._clock, self._bodies = clock, bodies
        self._file = File(path, _SCHEMA, what="the journal")
        self._owed: deque[tuple[object, ...]] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def open(self, sent: Sent) -> int:
        """See ``Journal``. What an earlier close could not write is written first, or fails this."""
        with self._lock:
            while self._owed:
                self._file.write(_CLOSE, self._owed[0])
                self._owed.popleft()
        entry = self._file.write(
            _OPEN,
            (
                sent.at.astimezone(UTC).isoformat(timespec="microseconds"),
                sent.connection,
                sent.kind,
                sent.method,
                redact.url(sent.url),
                sent.attempt,
                _run.get(),
                _delivery.get(),
                len(sent.body),
            ),
        )
        if self._bodies and sent.body:
            try:
                content = redact.body(sent.body, sent.content_type, self._bodies.longest)
                self._keep(entry, sent.at, "out", content, self._bodies.longest)
            except StoreError as error:
                self.close(entry, Ended("unsent", 0.0, detail=error.what))
                raise
        return entry

    def close(self, entry: int, ended: Ended) -> None:
        """See ``Journal``."""
        headers = redact.headers({name: value for name, value in ended.headers.items() if _TELLING.search(name)})
        values = (
            ended.outcome,
            ended.status,
            ended.seconds,
            len(ended.body),
            json.dumps(headers),
            redact.text(ended.detail),
            entry,
        )
        try:
            if self._bodies and ended.body:
                longest = self._bodies.brief if ended.brief else self._bodies.longest
                content = redact.body(ended.body, ended.headers.get("content-type", ""), longest)
                self._keep(entry, self._clock.now(), "in", content, longest)
            self._file.write(_CLOSE, values)
        except StoreError:
            with self._lock:
                self._owed.append(values)

    def _keep(self, entry: int, at: datetime, side: str, content: str, longest: int) -> None:
        assert self._bodies is not None
        path = self._bodies.folder / at.date().isoformat() / f"{entry}.{side}.gz"
        cut = content[:longest].encode("utf-8", "replace")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(cut, 1, mtime=0))
        except OSError as error:
            raise StoreError(f"the journal cannot keep a body in {path}: {error}", safe="nothing was sent") from None

    def entries(self, where: str = "1", values: tuple[object, ...] = ()) -> list[Entry]:
        """Entries in the order they were opened; ``where`` is SQL over the columns, e.g. ``run = ?``."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM request WHERE {where} ORDER BY id"  # noqa: S608
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in self._file.run(query, values)]
        for row in found:
            row |= {"at": datetime.fromisoformat(row["at"]), "headers": json.loads(row["headers"] or "{}")}
        return [Entry(**row) for row in found]

    def count(self, run: str) -> int:
        """How many requests a run has made so far."""
        return int(self._file.run("SELECT count(*) FROM request WHERE run = ?", (run,))[0][0])

    def answered(self, run: str) -> set[str]:
        """The connections that gave a run at least one answer that is no error."""
        query = "SELECT DISTINCT connection FROM request WHERE run = ? AND status BETWEEN 200 AND 299"
        return {str(row[0]) for row in self._file.run(query, (run,))}

    def body(self, entry: Entry) -> tuple[str, str]:
        """What was kept of the request's and the answer's body."""
        found = {"out": "", "in": ""}
        if self._bodies is not None:
            for side in found:
                for path in self._bodies.folder.glob(f"*/{entry.id}.{side}.gz"):
                    found[side] = gzip.decompress(path.read_bytes()).decode()
        return found["out"], found["in"]

    def prune(self, keep: timedelta = timedelta(days=30), keep_bodies: timedelta = timedelta(days=7)) -> int:
        """Forget what is older, in small batches; the number of entries that went."""
        before = (self._clock.now() - keep).isoformat(timespec="microseconds")
        gone = 0
        while True:
            batch = "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE at < ? LIMIT 1000) RETURNING id"
            count = len(self._file.run(batch, (before,)))
            gone += count
            if count < 1000:
                break
        for day in self._old_days(keep_bodies):
            for path in day.iterdir():
                path.unlink(missing_ok=True)
            with suppress(OSError):
                day.rmdir()
        return gone

    def older(self, keep: timedelta, keep_bodies: timedelta) -> tuple[int, int]:
        """How many entries and bodies ``prune`` would take out."""
        before = (self._clock.now() - keep).isoformat(timespec="microseconds")
        (entries,) = self._file.run("SELECT count(*) FROM request WHERE at < ?", (before,))[0]
        return int(entries), sum(1 for day in self._old_days(keep_bodies) for _ in day.iterdir())

    def forget(self, within: Callable[[str], bool], without: Callable[[str], str]) -> tuple[int, int]:
        """Take a person out: words out of entries, and every body in which one stands.

        within: whether a text holds such words; without: the text without them. Returns how many entries and bodies.
        """
        self._file.run("PRAGMA secure_delete=ON")
        entries = 0
        for number, *texts in self._file.run("SELECT id, url, headers, detail FROM request"):
            new = [without(text) if text else text for text in texts]
            if new != texts:
                self._file.write("UPDATE request SET url = ?, headers = ?, detail = ? WHERE id = ?", (*new, number))
                entries += 1
        bodies = 0
        for path in sorted(self._bodies.folder.glob("????-??-??/*.gz")) if self._bodies else []:
            try:
                spoken = within(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
            except (OSError, EOFError, zlib.error):
                spoken = True  # what cannot be read cannot be shown to be free of it
            if spoken:
                path.unlink(missing_ok=True)
                bodies += 1
        return entries, bodies

    def compact(self) -> bool:
        """Have SQLite give up the pages that still hold what was erased; False when somebody else uses the file."""
        try:
            self._file.run("VACUUM")
            return not self._file.run("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
        except StoreError:
            return False

    def _old_days(self, keep: timedelta) -> list[Path]:
        if self._bodies is None:
            return []
        last = (self._clock.now() - keep).date().isoformat()
        return [day for day in sorted(self._bodies.folder.glob("????-??-??")) if day.name < last]


class NoJournal:
    """Keeps no account: for tests of other things."""

    def open(self, sent: Sent) -> int:
        return 0

    def close(self, entry: int, ended: Ended) -> None:
        pass
