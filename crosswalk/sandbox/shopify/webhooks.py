"""The practice shop's webhooks: subscriptions of apps, and deliveries that are really sent, signed and tried again.

A delivery that is not answered with 2xx within five seconds is tried eight more times within four hours, with the body
it had at first; after eight failures in a row the subscription is removed without a word. Order is not kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from crosswalk.clock import Clock
from crosswalk.sandbox.shopify.shape import Node, gid, instant

ANSWER_SECONDS = 5.0
# Our reading of "eight retries over four hours".
WAITS = (10, 60, 300, 900, 1800, 3000, 3600, 4200)
FAILURES = 8
PAUSE = 0.02
NAMES = {"orders": ("orders", "updated"), "customers": ("customers", "update"), "products": ("products", "update")}
SNAKE = {"createdAt": "created_at", "updatedAt": "updated_at", "name": "name", "email": "email", "note": "note"}


@dataclass
class Subscription:
    """One subscription. topic: as the API calls it, ORDERS_UPDATED. secret: of the app that made it."""

    id: str
    app: str
    secret: str
    topic: str
    uri: str
    created: str
    fields: tuple[str, ...] = ()
    failures: int = 0

    @property
    def header(self) -> str:
        """The topic as deliveries name it."""
        kind, _, verb = self.topic.lower().partition("_")
        return f"{kind}/{verb}"


@dataclass
class Delivery:
    """One body on its way to one address. due: seconds of the clock."""

    subscription: Subscription
    headers: dict[str, str]
    body: bytes
    due: float
    tries: int = 0


@dataclass
class Faulty:
    """What goes wrong on the way, as shares of deliveries: lost for good, sent twice, kept back for a while."""

    dropped: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_seconds: float = 2.0


@dataclass
class Webhooks:
    """All subscriptions of a shop, and the thread that sends."""

    clock: Clock
    domain: str
    seed: int = 0
    faulty: Faulty = field(default_factory=Faulty)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} webhooks")
        self.subscriptions: dict[str, Subscription] = {}
        self.sent: list[dict[str, Any]] = []
        self._queue: list[Delivery] = []
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None

    # --- subscriptions

    def subscribe(self, app: Any, topic: str, uri: str, id_: str, fields: tuple[str, ...] = ()) -> Subscription | None:
        """A new subscription of an app; None when it has the same already."""
        with self._lock:
            if any((s.app, s.topic, s.uri) == (app.client_id, topic, uri) for s in self.subscriptions.values()):
                return None
            one = Subscription(id_, app.client_id, app.client_secret, topic, uri, instant(self.clock.now()), fields)
            self.subscriptions[id_] = one
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="webhooks", daemon=True)
                self._thread.start()
            return one

    def remove(self, id_: str) -> bool:
        """Take a subscription away; whether there was one."""
        with self._lock:
            return self.subscriptions.pop(id_, None) is not None

    def remove_all(self) -> None:
        """Take every subscription away, as the vendor does to one that fails too often."""
        with self._lock:
            self.subscriptions.clear()

    def set_faulty(self, **shares: float) -> None:
        """Let deliveries go wrong from now on (the fields of `Faulty`)."""
        self.faulty = Faulty(**shares)

    def waiting(self) -> int:
        """How many deliveries are on their way, those that are tried again later included."""
        with self._lock:
            return len(self._queue)

    def deliveries(self) -> list[dict[str, Any]]:
        """What was sent: topic, id, status (0: no answer), tries."""
        with self._lock:
            return list(self.sent)

    # --- events

    def tell(self, collection: str, node: Node, kind: str) -> None:
        """Something was created, changed or deleted. kind: create, update or delete."""
        if not self.subscriptions or collection not in NAMES:
            return
        name, changed = NAMES[collection]
        header = f"{name}/{changed if kind == 'update' else kind}"
        with self._lock:
            for one in [s for s in self.subscriptions.values() if s.header == header]:
                self._put(one, node, kind)
            self._lock.notify()

    def _put(self, one: Subscription, node: Node, kind: str) -> None:
        number = int(str(node["id"]).rpartition("/")[2])
        said: dict[str, Any] = {"id": number}
        if kind != "delete":
            said["admin_graphql_api_id"] = node["id"]
            said |= {snake: node[name] for name, snake in SNAKE.items() if name in node}
            if one.fields:
                said = {name: value for name, value in said.items() if name in one.fields}
        body = json.dumps(said).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": one.header,
            "X-Shopify-Hmac-Sha256": sign(one.secret, body),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": "2026-10",
            "X-Shopify-Webhook-Id": self._uuid(),
            "X-Shopify-Event-Id": self._uuid(),
            "X-Shopify-Triggered-At": self.clock.now().isoformat().replace("+00:00", "Z"),
        }
        chance, now = self.random.random(), self.clock.boot()
        faulty = self.faulty
        if chance < faulty.dropped:
            return
        late = self.random.random() < faulty.late
        self._queue.append(Delivery(one, headers, body, now + (faulty.late_seconds if late else 0.0)))
        if self.random.random() < faulty.doubled:
            self._queue.append(Delivery(one, headers, body, now))

    def _uuid(self) -> str:
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    # --- sending

    def _send_all(self) -> None:
        while True:
            with self._lock:
                now = self.clock.boot()
                due = next((d for d in self._queue if d.due <= now), None)
                if due is None:
                    self._lock.wait(PAUSE if self._queue else 1.0)
                    continue
            status = post(due.subscription.uri, due.headers, due.body)
            with self._lock:
                self._answered(due, status)

    def _answered(self, due: Delivery, status: int) -> None:
        one = due.subscription
        due.tries += 1
        self.sent.append(
            {"topic": one.header, "id": due.headers["X-Shopify-Webhook-Id"], "status": status, "tries": due.tries}
        )
        self._queue.remove(due)
        if 200 <= status < 300:
            one.failures = 0
            return
        one.failures += 1
        if one.failures >= FAILURES:
            self.subscriptions.pop(one.id, None)
            self._queue = [d for d in self._queue if d.subscription is not one]
        elif due.tries <= len(WAITS):
            due.due = self.clock.boot() + timedelta(seconds=WAITS[due.tries - 1]).total_seconds()
            self._queue.append(due)


def sign(secret: str, body: bytes) -> str:
    """The signature that a delivery carries."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def post(uri: str, headers: dict[str, str], body: bytes) -> int:
    """Send a body; the status, 0 for none."""
    parts = urlsplit(uri)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def node(one: Subscription) -> Node:
    """A subscription as the API shows it."""
    return {
        "__typename": "WebhookSubscription", "id": one.id, "legacyResourceId": one.id.rpartition("/")[2],
        "topic": one.topic, "uri": one.uri, "callbackUrl": one.uri, "format": "JSON", "filter": None, "name": None,
        "includeFields": list(one.fields), "metafieldNamespaces": [], "createdAt": one.created,
        "updatedAt": one.created,
    }  # fmt: skip


def new_id(number: int) -> str:
    """The gid of a subscription."""
    return gid("WebhookSubscription", number)
