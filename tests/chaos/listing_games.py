"""A proxy between us and the practice shop that plays with the pages of its listings, and the games."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class Proxy:
    """Hands every request on; ``game`` sees what is asked of a listing and may change the question and the answer."""

    def __init__(self, address: str) -> None:
        self.upstream, self.game = address, Game()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = proxy.hand_on(self.path, dict(self.headers.items()), asked)
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hand_on(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        question = self._question(body)
        if question is None:
            return self._forward(path, headers, body)
        with self.game.lock:
            self.game.ask(question)
            status, told, answer = self._forward(path, headers, json.dumps(question).encode())
            found = json.loads(answer)
            if found.get("data"):
                self.game.answer(found, question)
            return status, told, json.dumps(found).encode()

    def _question(self, body: bytes) -> Json | None:
        """A listing of orders, or a count of them; None for anything else."""
        try:
            found = json.loads(body)
        except ValueError:
            return None
        text = found.get("query", "") if isinstance(found, dict) else ""
        listing = "after" in (found.get("variables") or {}) and "orders(" in text if text else False
        return found if listing or "ordersCount" in text else None

    def _forward(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {n: v for n, v in headers.items() if n.lower() not in ("host", "content-length", "accept-encoding")}
        request = urllib.request.Request(self.upstream + path, body, kept, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _told(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, _told(error.headers), error.read()


def _told(headers: Any) -> dict[str, str]:
    dropped = ("content-length", "transfer-encoding", "connection", "content-encoding", "server")
    return {name: value for name, value in headers.items() if name.lower() not in dropped}


class Game:
    """Plays nothing. asked: how often a listing was asked for a page since the game began; played: changed answers."""

    stops = ""
    """The error that the run is to end with; empty when it is to go well."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked = self.played = 0

    def ask(self, question: Json) -> None:
        """Change the question."""

    def answer(self, found: Json, question: Json) -> None:
        """Change the answer."""
        if "orders" in found["data"]:
            self.asked += 1
            self.page(found["data"]["orders"], question)
        else:
            self.count(found["data"]["count"])

    def page(self, orders: Json, question: Json) -> None:
        """Change a page."""

    def count(self, count: Json) -> None:
        """Change the total."""


class SameCursor(Game):
    """Every page says that the next one begins where it began itself."""

    stops = "Incomplete"

    def page(self, orders: Json, question: Json) -> None:
        after = question["variables"]["after"]
        if after and self.asked > 1:
            orders["pageInfo"] = {"hasNextPage": True, "endCursor": after}
            self.played += 1


class TwoCursors(Game):
    """Two pages point to each other."""

    stops = "Incomplete"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def page(self, orders: Json, question: Json) -> None:
        if len(self.seen) == 2:
            here = question["variables"]["after"]
            orders["pageInfo"] = {"hasNextPage": True, "endCursor": self.seen[here == self.seen[0]]}
            self.played += 1
        elif orders["pageInfo"]["hasNextPage"]:
            self.seen.append(orders["pageInfo"]["endCursor"])


class EmptyMiddle(Game):
    """Behind the first page comes an empty one that goes on."""

    MARK = "empty:"

    def ask(self, question: Json) -> None:
        after = (question.get("variables") or {}).get("after") or ""
        question["marked"] = after.startswith(self.MARK)
        if question["marked"]:
            question["variables"]["after"] = after.removeprefix(self.MARK)

    def page(self, orders: Json, question: Json) -> None:
        after = question["variables"]["after"]
        if after and not question["marked"] and not self.played:
            orders.update(nodes=[], pageInfo={"hasNextPage": True, "endCursor": self.MARK + after})
            self.played += 1


class NoList(Game):
    """The list is null, or is not there at all, on the second page."""

    stops = "BrokenPage"

    def __init__(self, missing: bool) -> None:
        super().__init__()
        self.missing = missing

    def page(self, orders: Json, question: Json) -> None:
        if self.asked > 1:
            orders["nodes"] = None
            self.played += 1
            if self.missing:
                del orders["nodes"]


class NoEnd(NoList):
    """A page does not say whether it goes on."""

    def page(self, orders: Json, question: Json) -> None:
        if self.asked > 1:
            orders["pageInfo"] = {"endCursor": None} if self.missing else None
            self.played += 1


class Total(Game):
    """The total is a lie."""

    def __init__(self, off: int) -> None:
        super().__init__()
        self.off, self.stops = off, "Unbalanced" if off > 0 else ""

    def count(self, count: Json) -> None:
        count["count"] += self.off
        self.played += 1


class Moving(Game):
    """Before every page records move: they leave where they stood and come again at the end."""

    def __init__(self, move: Callable[[], None]) -> None:
        super().__init__()
        self.move = move

    def ask(self, question: Json) -> None:
        self.move()
        self.played += 1


class Ceiling(Game):
    """A listing is refused beyond its first so many objects; played: how often it was begun anew before that."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.given = most, 0

    def page(self, orders: Json, question: Json) -> None:
        if not question["variables"]["after"]:
            self.played += self.asked > 1
            self.given = 0
        self.given += len(orders["nodes"])
        if self.given > self.most:
            orders["nodes"] = None
