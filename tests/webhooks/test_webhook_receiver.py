"""What the receiver takes in and what it refuses."""

from __future__ import annotations

import json
import random
import resource
import socket
from urllib.parse import urlsplit

import pytest
import webhook_kit as kit

from crosswalk.clock import SystemClock
from crosswalk.store import inbox_look
from crosswalk.webhooks import signatures

SHOP, BOOKS, OWN = "/hooks/shop", "/hooks/books", "/hooks/webshop"
ITR = b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'


def now() -> float:
    return SystemClock().now().timestamp()


def stored(place: kit.Place) -> int:
    return len(inbox_look.events(place.store, limit=100_000))


def test_xeros_published_vector_is_signed_as_xero_signs() -> None:
    """The signature of the fact sheet's example comes out to the letter."""
    assert signatures.digest(b"webhook-key", ITR) == b"wcOLdy5OczU/5w5H8lzkPt8JdwIxZ8V5IrhHyLlMz3M="


def test_a_signed_delivery_is_kept_and_answered_with_nothing(place: kit.Place) -> None:
    """A vendor gets 200 with an empty body, and the event names its record without keeping its body."""
    body = kit.order(77)
    assert place.post(SHOP, body, kit.shopify_headers(body)) == (200, b"")
    (event,) = inbox_look.events(place.store)
    assert (event.resource, event.record, event.body) == ("shopify.orders", "gid://shopify/Order/77", b"")


@pytest.mark.parametrize("harm", ["byte", "secret", "missing", "garbage"])
def test_a_delivery_that_is_not_the_vendors_is_refused(place: kit.Place, harm: str) -> None:
    """One altered byte, another secret, no signature or rubbish: 401, and nothing is kept."""
    body = kit.order(77)
    headers = kit.shopify_headers(body, secret="another secret" if harm == "secret" else kit.SHOP_SECRET)
    if harm == "byte":
        body = body.replace(b"77", b"78", 1)
    if harm == "missing":
        del headers["X-Shopify-Hmac-Sha256"]
    if harm == "garbage":
        headers["X-Shopify-Hmac-Sha256"] = "\xff\xfe;--"
    assert place.post(SHOP, body, headers)[0] == 401
    assert stored(place) == 0


def test_repeated_and_replayed_deliveries_are_one_event(place: kit.Place) -> None:
    """The same delivery again, and the same content under another delivery's id, are recognised."""
    body = kit.order(5)
    for id in ("one", "one", "two"):
        assert place.post(SHOP, body, kit.shopify_headers(body, id=id))[0] == 200
    (event,) = inbox_look.events(place.store)
    assert event.times == 3


def test_routes_to_one_record_are_one_piece_of_work(place: kit.Place) -> None:
    """An order's creation, its change and its refund ask for one reading in each binding."""
    for topic, body in (
        ("orders/create", kit.order(5)), ("orders/updated", kit.order(5, "2026-11-24T10:00:01Z")),
        ("refunds/create", b'{"id": 9, "order_id": 5}'),
    ):  # fmt: skip
        assert place.post(SHOP, body, kit.shopify_headers(body, topic))[0] == 200
    found = place.server().readers(place.house.settings.connection("shop").key, "shopify.orders")
    assert len(found) == 2
    from crosswalk.store import inbox

    assert inbox.gather(place.store, place.server().readers) == 3
    assert [e.key for e in inbox_look.errands(place.store)] == ["gid://shopify/Order/5"] * 2


def test_an_unknown_topic_is_kept_and_counted(place: kit.Place) -> None:
    """A topic that nobody knows, and a signed body that is no JSON, are acknowledged and kept whole, sealed."""
    for topic, body in (("customers/redact", b'{"shop_id": 1}'), ("orders/updated", b"no json")):
        assert place.post(SHOP, body, kit.shopify_headers(body, topic))[0] == 200
    assert [place.store.vault.open(e.body) for e in inbox_look.events(place.store, state="unknown")] == [
        b"no json", b'{"shop_id": 1}',
    ]  # fmt: skip
    account = place.house.settings.connection("shop").key
    kit.until(lambda: sum(t.count for t in inbox_look.tallies(place.store, account).values()) == 2)
    assert set(inbox_look.tallies(place.store, account)) == {"unknown"}


def test_the_intent_to_receive_is_answered_as_xero_wants(place: kit.Place) -> None:
    """Rightly signed: 200 and an empty body; wrongly signed: 401 and an empty body."""
    assert place.post(BOOKS, ITR, kit.xero_headers(ITR)) == (200, b"")
    assert place.post(BOOKS, ITR, kit.xero_headers(ITR, "another key")) == (401, b"")


def test_one_delivery_of_xero_holds_many_events(place: kit.Place) -> None:
    """Events of this organisation name their records; those of another are kept as unknown."""
    tenant = place.house.settings.connection("books").account
    body = json.dumps(
        {
            "events": [
                {"resourceId": "c1", "tenantId": tenant, "eventCategory": "CONTACT", "eventType": "UPDATE"},
                {"resourceId": "i1", "tenantId": "another", "eventCategory": "INVOICE", "eventType": "CREATE"},
            ]
        }
    ).encode()
    assert place.post(BOOKS, body, kit.xero_headers(body))[0] == 200
    assert place.post(BOOKS, body, kit.xero_headers(body))[0] == 200
    assert [(e.resource, e.record, e.times) for e in inbox_look.events(place.store)] == [
        ("", "", 2), ("xero.contacts", "c1", 2),
    ]  # fmt: skip


def test_an_old_timestamp_is_refused_however_well_it_is_signed(place: kit.Place) -> None:
    """Standard Webhooks: a signature of ten minutes ago or ahead is not accepted; either secret is good now."""
    body = b'{"type": "booking.created", "data": {"id": "b1"}}'
    assert place.post(OWN, body, kit.own_headers(body, now() - 600))[0] == 401
    assert place.post(OWN, body, kit.own_headers(body, now() + 600))[0] == 401
    assert place.post(OWN, body, kit.own_headers(body, now(), secret="an older secret"))[0] == 202
    status, told = place.post(OWN, body, kit.own_headers(body, now(), id="msg_1"))
    assert status == 202 and json.loads(told)["again"] is False
    assert json.loads(place.post(OWN, body, kit.own_headers(body, now(), id="msg_1"))[1])["again"] is True


def test_an_own_event_without_its_record_is_told_why(place: kit.Place) -> None:
    """The author of an application is told what is missing; nothing is kept."""
    for body, word in ((b'{"type": "booking.created", "data": {}}', "data.id"), (b"[]", "data")):
        status, told = place.post(OWN, body, kit.own_headers(body, now()))
        assert status == 422 and word in json.loads(told)["error"]
    assert stored(place) == 0


def test_what_does_not_fit_is_refused_with_4xx(place: kit.Place) -> None:
    """Wrong path, method and size; nothing of it is kept."""
    body = kit.order(1)
    assert place.post("/hooks/nobody", body, {})[0] == 404
    assert place.post(SHOP + "/events/" + "0" * 32, b"", {}, "GET")[0] == 404
    assert place.post(OWN + "/events/" + "0" * 32, b"", {}, "GET")[0] == 404
    assert place.post(SHOP, b"", {}, "GET")[0] == 405
    large = b"x" * 2_000_001
    assert place.post(SHOP, large, kit.shopify_headers(large))[0] == 413
    assert stored(place) == 0


def raw(address: str, sent: bytes) -> bytes:
    """What comes back for these bytes on a connection of their own."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as wire:
        try:
            wire.sendall(sent)
            wire.shutdown(socket.SHUT_WR)
            back = b""
            while chunk := wire.recv(65536):
                back += chunk
        except (ConnectionResetError, BrokenPipeError):
            return b""
    return back


def mutated(rng: random.Random, good: bytes) -> bytes:
    """A request with something wrong in it."""
    made = bytearray(good)
    for _ in range(rng.randrange(1, 6)):
        if not made:
            break
        at = rng.randrange(len(made))
        match rng.randrange(5):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                del made[at : at + rng.randrange(1, 40)]
            case 2:
                made[at:at] = rng.randbytes(rng.randrange(1, 40))
            case 3:
                made[at:at] = made[max(0, at - 60) : at]
            case _:
                made = made[: at + 1]
    return bytes(made)


def test_raw_rubbish_gets_no_5xx_and_is_never_accepted(place: kit.Place) -> None:
    """900 damaged requests on raw sockets: no 5xx, no event of another content than was signed, no memory kept."""
    rng = random.Random(12)
    body = kit.order(42)
    seeds = [(SHOP, kit.shopify_headers(body), body), (BOOKS, kit.xero_headers(ITR), ITR)]
    own = b'{"type": "booking.created", "data": {"id": "b1"}}'
    seeds.append((OWN, kit.own_headers(own, now(), id="msg_f"), own))
    used = 0
    for number in range(900):
        path, headers, sent = rng.choice(seeds)
        lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(sent)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        back = raw(place.address, mutated(rng, "\r\n".join(lines).encode() + b"\r\n\r\n" + sent))
        assert not back.startswith(b"HTTP/1.1 5"), back[:200]
        if number == 300:
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 20_000  # kilobytes
    for event in inbox_look.events(place.store, limit=10_000):
        # A header that no signature covers may have been damaged; the signed bytes never.
        assert event.record in ("gid://shopify/Order/42", "b1") or place.store.vault.open(event.body) in (body, own)
