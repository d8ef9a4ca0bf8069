"""A user's folder with a receiver in this process, and practice systems that send to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import houses

from crosswalk.clock import SystemClock
from crosswalk.runs import serving
from crosswalk.runs.wiring import House
from crosswalk.sandbox import serve
from crosswalk.sandbox.control import Started
from crosswalk.store.engine import Store
from crosswalk.webhooks.doors import doors
from crosswalk.webhooks.receiver import Receiver
from crosswalk.webhooks.writer import Writer

SHOP_SECRET = "practice-shop-secret"
XERO_KEY = "practice-webhooks-key"
APP_SECRET = "whsec_" + base64.b64encode(b"an own application's secret bytes").decode()
DOMAIN = "practice-shop.myshopify.com"
DOORS = f"""
[connections.shop.webhooks]

[connections.books.webhooks]
secrets = ["{XERO_KEY}"]

[connections.webshop]
system = "application"
account = "webshop"
[connections.webshop.webhooks]
secrets = ["{APP_SECRET}", "an older secret"]
topics = {{ "booking.created" = "application.bookings", "booking.changed" = "application.bookings" }}
"""


def home(folder: Path, started: Any) -> Path:
    """A folder whose shop, books and own application have doors."""
    houses.write(folder, started)
    file = folder / "crosswalk.toml"
    file.write_text(file.read_text(encoding="utf-8") + DOORS, encoding="utf-8")
    return folder


@dataclass
class Place:
    """An opened house and the address of its receiver."""

    house: House
    address: str
    store: Store

    def server(self) -> serving.Server:
        return serving.Server(self.house, serving.bare(self.house))

    def drain(self) -> int:
        return serving.drain(self.server())

    def post(self, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
        return post(self.address, path, body, headers, method)


def post(address: str, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
    """One request; its status and body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def place(folder: Path, started: Started) -> Iterator[Place]:
    """A receiver on a port of its own, in a thread of this process."""
    home(folder, started)
    with opened(folder, started) as found:
        yield found


@contextmanager
def opened(folder: Path, started: Started) -> Iterator[Place]:
    """The same for a folder that is written already."""
    opened = houses.house(folder, started, SystemClock())
    writer = Writer(opened.store).start()
    try:
        with serve.in_thread(Receiver(doors(opened.settings), writer, opened.clock)) as address:
            yield Place(opened, address, opened.store)
    finally:
        writer.stop()
        opened.close()


def shopify_headers(
    body: bytes, topic: str = "orders/updated", id: str = "", secret: str = SHOP_SECRET
) -> dict[str, str]:
    """What Shopify sends with a body."""
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {
        "X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": signature, "X-Shopify-Shop-Domain": DOMAIN,
        "X-Shopify-Webhook-Id": id or str(uuid.uuid4()), "Content-Type": "application/json",
    }  # fmt: skip


def xero_headers(body: bytes, key: str = XERO_KEY) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
    return {"x-xero-signature": signature, "Content-Type": "application/json"}


def own_headers(body: bytes, at: float, id: str = "", secret: str = APP_SECRET) -> dict[str, str]:
    """What an own application sends, by Standard Webhooks; at: seconds since 1970."""
    name, stamp = id or f"msg_{uuid.uuid4().hex}", str(int(at))
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name, "webhook-timestamp": stamp, "Content-Type": "application/json",
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }  # fmt: skip


def order(number: int, at: str = "2026-11-24T10:00:00Z") -> bytes:
    """A hint about an order."""
    gid = f"gid://shopify/Order/{number}"
    return json.dumps({"id": number, "admin_graphql_api_id": gid, "updated_at": at}).encode()


def until(done: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something to become true."""
    clock = SystemClock()
    end = clock.boot() + seconds
    while not (found := done()):
        assert clock.boot() < end, "it did not come about"
        clock.sleep(0.05)
    return found
