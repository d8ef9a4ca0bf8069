"""Serves the orders over HTTP/1.1 by hand, so that it takes next to no time: ``python -m bench.server ROWS``.

``GET /orders?limit=250&updated_since=...&cursor=...`` answers ``{"orders": [...], "next_cursor": "250"}``, oldest
change first. ``POST /changed`` changes one order in a hundred, now; ``POST /reset`` takes that back.
"""

from __future__ import annotations

import asyncio
import bisect
import json
import mmap
import sys
import tempfile
from array import array
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from bench.orders import orders


class Listing:
    """Orders in one file, with where each begins; a page is one slice of it."""

    def __init__(self, rows: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._rows = rows
        self._begins, self._updated = array("q", [0]), [""] * 0
        self._add(range(rows), None)

    def _add(self, numbers: range, changed: datetime | None) -> None:
        self._file.seek(self._begins[-1])
        at = self._begins[-1]
        for raw in orders(numbers, changed):
            self._file.write(raw + b",")
            at += len(raw) + 1
            self._begins.append(at)
            self._updated.append(raw.partition(b'"updated_at":"')[2][:27].decode())
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def change(self) -> int:
        """Change one in a hundred; how many."""
        self.reset()
        numbers = range(3, self._rows, 100)
        self._add(numbers, datetime.now(UTC))
        return len(numbers)

    def reset(self) -> None:
        """As at the beginning."""
        del self._updated[self._rows :], self._begins[self._rows + 1 :]

    def page(self, since: str, cursor: int, limit: int) -> bytes:
        first = cursor or (bisect.bisect_left(self._updated, _plain(since)) if since else 0)
        last = min(first + limit, len(self._updated))
        following = f'"{last}"' if last < len(self._updated) else "null"
        rows = self._map[self._begins[first] : self._begins[last] - 1] if last > first else b""
        return b'{"orders":[' + rows + b'],"next_cursor":' + following.encode() + b"}"


def _plain(moment: str) -> str:
    """Any way of writing an instant, as the orders write it."""
    return datetime.fromisoformat(moment.replace(" ", "+")).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one at a time and have no body."""

    def __init__(self, listing: Listing) -> None:
        self._listing, self._received = listing, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            body = self._answer(*head.split(b" ", 2)[:2])
            date = formatdate(usegmt=True)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: %s\r\n\r\n"
                % (len(body), date.encode())
            )
            self._transport.write(body)

    def _answer(self, method: bytes, target: bytes) -> bytes:
        address = urlsplit(target.decode())
        if method == b"POST":
            done = self._listing.change() if address.path == "/changed" else self._listing.reset()
            return json.dumps(done).encode()
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        return self._listing.page(
            asked.get("updated_since", ""), int(asked.get("cursor") or 0), int(asked.get("limit", "250"))
        )


async def main(rows: int) -> None:
    listing = Listing(rows)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(listing), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
