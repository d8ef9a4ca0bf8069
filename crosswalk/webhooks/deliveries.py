"""Reading a delivery: who sent it, which it is, and which records it is about. Nothing is kept here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from crosswalk.connectors.facts import Topic
from crosswalk.store.inbox import Arrival
from crosswalk.webhooks import signatures
from crosswalk.webhooks.doors import Door

Headers = Mapping[bytes, bytes]
MOST_EVENTS = 1_000


@dataclass(frozen=True)
class Refused:
    """Why a delivery is not kept. kind: what it is counted as."""

    status: int
    kind: str
    reason: str


def read(door: Door, headers: Headers, body: bytes, now: datetime) -> list[Arrival] | Refused:
    """The events of a delivery, verified on its raw bytes before anything is parsed."""
    if door.facts.scheme == "standard":
        return _standard(door, headers, body, now)
    if door.facts.scheme == "xero":
        return _xero(door, headers, body, now)
    return _shopify(door, headers, body, now)


FORGED = Refused(401, "forged", "the signature does not fit")


def _shopify(door: Door, headers: Headers, body: bytes, now: datetime) -> list[Arrival] | Refused:
    if not signatures.hmac_good(door.secrets, headers.get(b"x-shopify-hmac-sha256", b""), body):
        return FORGED
    topic = text(headers.get(b"x-shopify-topic", b""))
    shop = text(headers.get(b"x-shopify-shop-domain", b""))
    if shop and door.account.rpartition("/")[2].endswith(".myshopify.com") and not door.account.endswith(f"/{shop}"):
        return Refused(404, "another account", f"the delivery is for {shop}")
    content = fingerprint(topic.encode(), body)
    facts = door.facts.topic(topic)
    found = _record(facts, parsed(body)) if facts is not None else ""
    return [
        Arrival(
            connection=door.account, delivery=text(headers.get(b"x-shopify-webhook-id", b"")) or content,
            content=content, topic=topic, resource=facts.resource if facts and found else "", record=found,
            received_at=now, happened_at=instant(text(headers.get(b"x-shopify-triggered-at", b""))),
            body=b"" if found else body,
        )
    ]  # fmt: skip


def _xero(door: Door, headers: Headers, body: bytes, now: datetime) -> list[Arrival] | Refused:
    if not signatures.hmac_good(door.secrets, headers.get(b"x-xero-signature", b""), body):
        return FORGED
    content = fingerprint(b"", body)
    said = parsed(body)
    events = said.get("events") if isinstance(said, dict) else None
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        return [_unknown(door, content, "unreadable", body, now)]
    tenant = door.account.rpartition("/")[2]
    arrivals = []
    for number, event in enumerate(events):
        event = event if isinstance(event, dict) else {}
        topic = f"{event.get('eventCategory')}.{event.get('eventType')}"[:200]
        facts = door.facts.topic(topic)
        found = _record(facts, event) if facts is not None and event.get("tenantId") == tenant else ""
        arrivals.append(
            Arrival(
                connection=door.account, delivery=f"{content}:{number}", content="", topic=topic,
                resource=facts.resource if facts and found else "", record=found, received_at=now,
                happened_at=instant(str(event.get("eventDateUtc", ""))),
                body=b"" if found else msgspec.json.encode(event),
            )
        )  # fmt: skip
    return arrivals


def _standard(door: Door, headers: Headers, body: bytes, now: datetime) -> list[Arrival] | Refused:
    id, timestamp = headers.get(b"webhook-id", b""), headers.get(b"webhook-timestamp", b"")
    if not id or not timestamp or b"webhook-signature" not in headers:
        return Refused(401, "forged", "webhook-id, webhook-timestamp or webhook-signature is missing")
    verdict = signatures.standard(door.secrets, id, timestamp, headers[b"webhook-signature"], body, now)
    if verdict == "forged":
        return FORGED
    if verdict == "old":
        return Refused(401, "old", "the timestamp is more than five minutes from now")
    said = parsed(body)
    if not isinstance(said, dict) or not isinstance(said.get("data"), dict):
        return Refused(422, "unreadable", 'the body is no JSON object with "type" and "data"')
    topic = str(said.get("type", ""))[:200]
    facts = door.facts.topic(topic)
    if facts is None:
        known = ", ".join(t.name for t in door.facts.topics)
        return (
            [_unknown(door, "", topic, body, now, text(id))] if topic else Refused(422, "unreadable", f"known: {known}")
        )
    record = _record(facts, said["data"])
    if not record:
        return Refused(422, "without a record", f"data.{facts.id[0]} is missing: it names the record")
    return [
        Arrival(
            connection=door.account, delivery=text(id), content="", topic=topic, resource=facts.resource,
            record=record, received_at=now, happened_at=instant(str(said.get("timestamp", ""))), body=body,
        )
    ]  # fmt: skip


def _unknown(door: Door, content: str, topic: str, body: bytes, now: datetime, delivery: str = "") -> Arrival:
    return Arrival(
        connection=door.account, delivery=delivery or content, content=content, topic=topic, resource="", record="",
        received_at=now, body=body,
    )  # fmt: skip


def parsed(body: bytes) -> Any:
    """The body as JSON; None when it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _record(topic: Topic, body: Any) -> str:
    """The key of the record that an event is about; empty when it does not say."""
    for path in topic.id:
        value = _at(body, path.split("."))
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
            key = str(value)[:500]
            if "\0" not in key:
                return key if key.startswith(topic.form.partition("{}")[0] or "\0") else topic.form.format(key)
    return ""


def _at(body: Any, path: Sequence[str]) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def text(value: bytes) -> str:
    """A header as text that every database takes."""
    return value[:200].decode("ascii", "replace").replace("\0", "\ufffd")


def fingerprint(*parts: bytes) -> str:
    """Names a content."""
    return "sha256:" + hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:40]


def instant(said: str) -> datetime | None:
    """An instant as a sender writes it; without a zone it is UTC. None for what is none."""
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
