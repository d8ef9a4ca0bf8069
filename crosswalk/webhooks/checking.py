"""Whether events still come: subscriptions that vanished, webhooks that are silent against their usual rhythm."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from crosswalk.connectors.base import Connector
from crosswalk.connectors.facts import Topic
from crosswalk.connectors.shopify import Shopify
from crosswalk.connectors.shopify_webhooks import Subscription, subscribe, subscriptions
from crosswalk.errors import SettingsError
from crosswalk.settings import Connection, Settings
from crosswalk.store import inbox_look
from crosswalk.store.engine import Store
from crosswalk.webhooks.doors import facts_of

GONE, SILENT, FORGED = "subscription_gone", "silent_webhook", "forged_webhooks"
KINDS = (GONE, SILENT, FORGED)

RHYTHM = timedelta(days=14)
ENOUGH = 20
LEAST, MOST, FACTOR = timedelta(hours=1), timedelta(days=3), 1.5
"""Silence is longer than one and a half times the longest pause of two weeks, and at least an hour."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a connection's events. kind: one of KINDS; topic: what it is about."""

    kind: str
    connection: str
    topic: str
    what: str
    command: str


def wanted(connection: Connection, resources: Collection[str]) -> list[Topic]:
    """The topics that tell of these resources and can be subscribed to."""
    return [t for t in facts_of(connection).topics if t.subscribe and t.resource in resources]


def address(settings: Settings, connection: Connection, given: str = "") -> str:
    """Where the sender reaches this connection's door. Raises SettingsError."""
    public = (given or str(settings.receiver.get("address", ""))).rstrip("/")
    if not public.startswith(("https://", "http://")):
        raise SettingsError(
            "nobody knows the receiver's public address",
            next_command='write address = "https://hooks.example.com" under [receiver] in crosswalk.toml',
        )
    return f"{public}/hooks/{connection.name}"


def register(shop: Connector, topics: Sequence[Topic], uri: str) -> list[str]:
    """Subscribe to what is not subscribed to yet; the names of the new ones. Raises Refused, SettingsError."""
    if not isinstance(shop, Shopify):
        raise SettingsError(f"{shop.system.title} has no API for subscriptions")
    there = {(s.topic, s.uri) for s in subscriptions(shop)}
    new = [t.subscribe for t in topics if (t.subscribe, uri) not in there]
    for topic in new:
        subscribe(shop, topic, uri)
    return new


def listed(shop: Connector) -> list[Subscription]:
    """The subscriptions that the system tells of; none for a system that has no API for them."""
    return subscriptions(shop) if isinstance(shop, Shopify) else []


def check(
    store: Store, now: datetime, connection: Connection, source: Connector, topics: Sequence[Topic], uri: str
) -> list[Finding]:
    """What is wrong with the events of a connection. Raises what the system's API raises."""
    found = []
    if isinstance(source, Shopify):
        there = {(s.topic, s.uri) for s in subscriptions(source)}
        found = [
            Finding(
                GONE, connection.name, t.subscribe,
                f"the subscription to {t.subscribe} at {uri} is not there: the shop removes one that fails eight times",
                f"crosswalk webhooks register {connection.name}",
            )
            for t in topics if (t.subscribe, uri) not in there
        ]  # fmt: skip
    for resource in sorted({t.resource for t in topics or facts_of(connection).topics}):
        found += _silent(store, now, connection, resource)
    return found + _forged(store, now, connection)


def _silent(store: Store, now: datetime, connection: Connection, resource: str) -> list[Finding]:
    came = inbox_look.arrivals(store, connection.key, now - RHYTHM, resource)
    if len(came) < ENOUGH:
        return []
    longest = max(b - a for a, b in pairwise(came))
    limit = min(MOST, max(LEAST, longest * FACTOR))
    if now - came[-1] <= limit:
        return []
    hours = (now - came[-1]).total_seconds() / 3600
    return [
        Finding(
            SILENT, connection.name, resource,
            f"no event about {resource} for {hours:.1f} hours; in the last two weeks no pause was longer than "
            f"{longest.total_seconds() / 3600:.1f}",
            f"crosswalk webhooks list {connection.name}; the scheduled runs read what is missing meanwhile",
        )
    ]  # fmt: skip


def _forged(store: Store, now: datetime, connection: Connection) -> list[Finding]:
    """Signatures that do not fit, lately, and nothing good since: a secret that was changed on one side."""
    counts = inbox_look.tallies(store, connection.key)
    bad, good = counts.get("forged"), counts.get("kept")
    if bad is None or now - bad.last_at > timedelta(days=1) or (good is not None and good.last_at > bad.last_at):
        return []
    return [
        Finding(
            FORGED, connection.name, "",
            f"{bad.count} deliveries so far had a signature that does not fit, and none was good since the last one",
            f"compare the secret of [connections.{connection.name}.webhooks] with the sender's",
        )
    ]  # fmt: skip
