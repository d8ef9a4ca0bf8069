"""Group commit: one thread takes whatever waits, keeps it in one transaction, then lets all of it be answered."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crosswalk.errors import CrosswalkError, StoreError
from crosswalk.store import inbox
from crosswalk.store.engine import Store
from crosswalk.store.inbox import Arrival, Count, Kept

MOST_AT_ONCE = 500
MOST_WAITING = 5_000
IDLE = 2.0
"""Seconds after which counts are written although nothing was kept."""

Answer = Callable[[list[Kept] | CrosswalkError], None]


@dataclass(frozen=True)
class _Piece:
    arrivals: Sequence[Arrival]
    answer: Answer


@dataclass
class Writer:
    """Keeps arrivals durably. ``answer`` is called from its thread, after the commit or with what prevented it."""

    store: Store
    _waiting: queue.Queue[_Piece | None] = field(default_factory=lambda: queue.Queue(MOST_WAITING))
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _notes: dict[tuple[str, str], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def start(self) -> Writer:
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)
        self._thread.start()
        return self

    def keep(self, arrivals: Sequence[Arrival], answer: Answer) -> bool:
        """Hand in what is to be kept; False when too much waits already."""
        try:
            self._waiting.put_nowait(_Piece(arrivals, answer))
        except queue.Full:
            return False
        return True

    def count(self, account: str, kind: str, note: str = "") -> None:
        """Count a delivery; written with the next commit."""
        with self._lock:
            self._counts[(account, kind)] += 1
            self._notes[(account, kind)] = note

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def stop(self) -> None:
        """Keep what has been handed in, write the counts, and end."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(30)

    def _work(self) -> None:
        going = True
        while going:
            pieces: list[_Piece] = []
            number = 0
            try:
                piece = self._waiting.get(timeout=IDLE)
                while True:
                    if piece is None:
                        going = False
                        break
                    pieces.append(piece)
                    number += len(piece.arrivals)
                    if number >= MOST_AT_ONCE:
                        break
                    piece = self._waiting.get_nowait()
            except queue.Empty:
                pass
            self._commit(pieces)

    def _commit(self, pieces: Sequence[_Piece]) -> None:
        counts = self._taken(pieces)
        arrivals = [one for piece in pieces for one in piece.arrivals]
        if not arrivals and not counts:
            for piece in pieces:
                piece.answer([])
            return
        try:
            kept = inbox.keep(self.store, arrivals, counts)
        except CrosswalkError as error:
            self._failed(pieces, counts, error)
            return
        except Exception as error:  # noqa: BLE001 - whoever waits for an answer gets one, and the thread goes on
            self._failed(pieces, counts, StoreError(f"{type(error).__name__}: {error}"))
            return
        at = 0
        for piece in pieces:
            piece.answer(kept[at : at + len(piece.arrivals)])
            at += len(piece.arrivals)

    def _failed(self, pieces: Sequence[_Piece], counts: Sequence[Count], error: CrosswalkError) -> None:
        with self._lock:
            for one in counts:
                self._counts[(one.connection, one.kind)] += one.number
        for piece in pieces:
            piece.answer(error)

    def _taken(self, pieces: Sequence[_Piece]) -> list[Count]:
        with self._lock:
            counts = [Count(a, k, n, self._notes.get((a, k), "")) for (a, k), n in self._counts.items()]
            self._counts.clear()
            self._notes.clear()
        return counts
