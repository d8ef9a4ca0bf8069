"""The practice systems on loopback sockets in this process, and connectors that speak to them as they would outside."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

from crosswalk.clock import SharedClock
from crosswalk.connectors.connect import Surroundings, connect
from crosswalk.connectors.shopify import Shopify
from crosswalk.connectors.xero import Xero
from crosswalk.http.journal import SqliteJournal
from crosswalk.http.limits import SlotLimiter
from crosswalk.http.protocols import Token
from crosswalk.sandbox import xero as practice_xero
from crosswalk.sandbox.practice import SHOP_TOKEN, Practice, Settings
from crosswalk.settings import Connection


class Tokens:
    """A token store in memory, for one process."""

    def __init__(self) -> None:
        self.kept: dict[str, Token] = {}

    def read(self, connection: str) -> Token | None:
        return self.kept.get(connection)

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        return True

    def release(self, connection: str, holder: str) -> None:
        pass

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        if (self.kept[connection].version if connection in self.kept else 0) != expected_version:
            return False
        self.kept[connection] = replace(token, version=expected_version + 1)
        return True


class Systems:
    """Both practice systems, and a connector to each."""

    def __init__(self, clock: SharedClock, folder: Path, addresses: dict[str, str], practice: Practice) -> None:
        self.clock, self.addresses, self.practice = clock, addresses, practice
        self.tokens = Tokens()
        self.journal = SqliteJournal(folder / "journal.db", clock)
        self.around = Surroundings(self.tokens, SlotLimiter(folder / "limits.db", clock), self.journal, clock)

    @property
    def shop(self) -> Any:
        return self.practice.shop

    @property
    def org(self) -> Any:
        return self.practice.org

    def shopify(self, **changes: Any) -> Shopify:
        values: dict[str, Any] = {
            "name": "shop",
            "system": "shopify",
            "environment": "sandbox",
            "account": self.shop.domain,
            "zone": "Europe/Amsterdam",
            "currency": "EUR",
            "prefix": "S1",
            "settings": {"url": self.addresses["shopify"], **changes.pop("settings", {})},
            "secrets": {"access_token": SHOP_TOKEN},
        }
        found = connect(Connection(**{**values, **changes}), self.around)
        assert isinstance(found, Shopify)
        return found

    def xero(self, **changes: Any) -> Xero:
        connection = Connection(
            **{
                "name": "books",
                "system": "xero",
                "environment": "sandbox",
                "account": self.org.tenant_id,
                "currency": "EUR",
                "settings": {"url": self.addresses["xero"]},
                "secrets": {"client_id": practice_xero.CLIENT_ID, "client_secret": practice_xero.CLIENT_SECRET},
                **changes,
            }
        )
        if self.tokens.read(connection.key) is None:
            now = self.clock.now()
            self.tokens.save(connection.key, Token("", now, now - timedelta(seconds=1), self.org.grant()), 0)
        found = connect(connection, self.around)
        assert isinstance(found, Xero)
        return found

    def arrived(self, system: str) -> int:
        return sum(self.practice.fronts[system].counts.values())


@contextmanager
def serve(clock: SharedClock, folder: Path) -> Iterator[Systems]:
    """Serve an empty shop and an empty organisation until the end."""
    practice = Practice(clock, Settings(orders=0))
    addresses: dict[str, str] = {}
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []
    for name in ("shopify", "xero"):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            practice.fronts[name],
            http="h11",
            ws="none",
            lifespan="off",
            log_level="error",
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        servers.append((server, thread))
        addresses[name] = f"http://127.0.0.1:{sock.getsockname()[1]}"
    while not all(server.started for server, _ in servers):
        time.sleep(0.01)
    try:
        yield Systems(clock, folder, addresses, practice)
    finally:
        for server, thread in servers:
            server.should_exit = True
            thread.join(5)
