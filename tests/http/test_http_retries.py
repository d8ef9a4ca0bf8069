from __future__ import annotations

import socket
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import pairwise

import pytest
from http_servers import InTurn, Memory, Reply, Server, client, reply

from crosswalk.clock import SharedClock
from crosswalk.errors import AnswerLost, Fenced, Invalid, Refused, ServerFault, Throttled, Unreachable, VendorError
from crosswalk.http.answer import ONCE, SAFE, Answer, Repeat, Retry, retry_after, until
from crosswalk.points import install

LOST = Reply(cut=0)
DOWN = reply({}, 503)
OFTEN = Retry(tries=5, seconds=1000)


def slow(seconds: float, **more: str) -> Reply:
    return reply({"error": "slow down"}, 429, Retry_After=str(seconds), **more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


BROKEN = {
    "reset": Reply(reset=True),
    "no answer": LOST,
    "half a head": Reply(cut=30),
    "half a body": Reply(body=b'{"a": 1}' * 9, cut=130),
    "half JSON": Reply(body=b'{"a": [1, 2', headers={"Content-Type": "application/json; charset=utf-8"}),
    "not gzip": Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    "black hole": Reply(silent=True),
    "503": DOWN,
    "500": reply({}, 500),
    "408": reply({}, 408),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_safe_request_outlives_every_passing_fault(clock: SharedClock, broken: Reply) -> None:
    """A safe request is sent again after whatever may pass by itself, and comes back with the whole answer."""
    with Server(InTurn(broken, reply({"a": "1.10"})), clock) as server, client(server.url, clock, timeout=0.2) as http:
        assert http.request("GET", "/a").json() == {"a": "1.10"}
    assert len(server.arrived) == 2


@pytest.mark.parametrize("broken", [Reply(reset=True), LOST, DOWN, Reply(silent=True)])
def test_once_means_once(clock: SharedClock, broken: Reply) -> None:
    """A request that must not be repeated is not sent again once its bytes may have left."""
    with Server(InTurn(broken, reply({})), clock) as server, client(server.url, clock, timeout=0.2) as http:
        with pytest.raises((AnswerLost, ServerFault)):
            http.request("POST", "/a", json={}, repeat=ONCE)
        assert len(server.arrived) == 1


def test_once_still_waits_out_a_throttle_and_a_closed_door(clock: SharedClock) -> None:
    """A request that must not be repeated is retried where it cannot have been carried out: no connection, or 429."""
    port = free_port()
    servers: list[Server] = []

    class Opening(SharedClock):
        """The server comes up while the client waits."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if not servers:
                servers.append(Server(InTurn(slow(7), reply({"done": True})), clock))
                forward(port, servers[0].port)

    clock.__class__ = Opening
    with client(f"http://127.0.0.1:{port}", clock) as http:
        assert http.request("POST", "/a", json={}, repeat=ONCE).json() == {"done": True}
    assert len(servers[0].arrived) == 2
    servers[0].close()


def forward(port: int, to: int) -> None:
    """Carry connections from one port to another."""
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, target: socket.socket) -> None:
        while chunk := source.recv(65536):
            target.sendall(chunk)

    def accept() -> None:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", to))
        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        pump(far, near)

    threading.Thread(target=accept, daemon=True).start()


def test_a_key_is_trusted_only_within_its_life(clock: SharedClock) -> None:
    """A request with a key is sent again while an answer can come within the key's life, and never after that."""
    server_clock = clock.now()
    with Server(InTurn(LOST), clock) as server, client(server.url, clock, retry=OFTEN) as http:
        with pytest.raises(AnswerLost):
            http.request("PUT", "/a", json={}, repeat=until(server_clock + timedelta(seconds=3)))
        assert len(server.arrived) > 1
        assert clock.now() < server_clock + timedelta(seconds=3)
        assert max(r.at for r in server.arrived) < server_clock + timedelta(seconds=2.5)
        before = len(server.arrived)
        with pytest.raises(AnswerLost):
            http.request("PUT", "/a", json={}, repeat=until(clock.now() + timedelta(seconds=0.4)))
        assert len(server.arrived) == before


def test_the_vendors_clock_decides_on_a_keys_life(clock: SharedClock) -> None:
    """A vendor whose clock is ten minutes ahead has forgotten a key that our own clock would still trust."""
    ahead = Reply(date=600.0)
    with Server(InTurn(ahead), clock) as server, client(server.url, clock) as http:
        http.request("GET", "/")
        assert 599 <= http.skew <= 600
        assert abs((http.vendor_now() - clock.now()).total_seconds() - 600) <= 1
        with pytest.raises(AnswerLost):
            http.request("PUT", "/a", json={}, repeat=until(clock.now() + timedelta(seconds=360)))
        assert len(server.arrived) == 1


@pytest.mark.parametrize("shift", [0.0, -0.4, 0.6])
def test_whole_seconds_in_the_date_are_no_skew(clock: SharedClock, shift: float) -> None:
    """A difference below the second that the Date header cannot show is not taken for skew."""
    with Server(InTurn(Reply(date=shift)), clock) as server, client(server.url, clock) as http:
        http.request("GET", "/")
        assert abs(http.skew) <= max(0.0, abs(shift))


def test_a_fenced_request_does_not_leave(clock: SharedClock) -> None:
    """After its moment nothing is sent, neither at first nor again."""
    with Server(InTurn(LOST), clock) as server, client(server.url, clock, retry=OFTEN) as http:
        with pytest.raises(Fenced):
            http.request("PUT", "/a", json={}, not_after=clock.boot())
        assert server.arrived == []
        moment = clock.boot() + 1.5
        with pytest.raises((Fenced, AnswerLost)):
            http.request("PUT", "/a", json={}, not_after=moment)
        assert server.arrived and max(r.at.timestamp() for r in server.arrived) < moment


def test_the_fence_is_asked_last(clock: SharedClock) -> None:
    """A process that is stopped just before the bytes leave, and wakes up too late, sends nothing."""
    journal = Memory()
    with Server(InTurn(reply({})), clock) as server, client(server.url, clock, journal=journal) as http:
        install(lambda name: clock.advance(90) if name == "http:before-send" else None)
        try:
            with pytest.raises(Fenced):
                http.request("PUT", "/a", json={}, not_after=clock.boot() + 60)
        finally:
            install(None)
    assert server.arrived == []
    assert journal.ended[0].outcome == "unsent"


def answer(value: str, clock: SharedClock, date: datetime | None = None) -> Answer:
    headers = {"retry-after": value} if value else {}
    if date is not None:
        headers["date"] = format_datetime(date, usegmt=True)
    return Answer(429, headers, b"", clock.now(), clock.now())


DATE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("0.25", None, 0.25),
        ("0", None, 0.0),
        ("3600", None, 3600.0),
        (" 12 ", None, 12.0),
        (format_datetime(DATE + timedelta(seconds=42), usegmt=True), DATE, 42.0),
        (format_datetime(DATE - timedelta(days=9), usegmt=True), DATE, 0.0),
        ("Mon, 23 Nov 2026 13:00:30 +0100", DATE, 30.0),
        ("", None, None),
        ("soon", None, None),
        ("-5", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("1e999", None, None),
        ("Mon, 99 Nov 2026 25:61:61 GMT", None, None),
    ],
)
def test_retry_after_is_read_in_every_form(
    clock: SharedClock, value: str, date: datetime | None, seconds: float | None
) -> None:
    """Retry-After counts in whole and broken seconds and as a date on the vendor's clock; garbage counts as nothing."""
    assert retry_after(answer(value, clock, date)) == seconds


@pytest.mark.parametrize("seconds", [0.5, 7, 119])
def test_a_told_wait_is_waited_whole(clock: SharedClock, seconds: float) -> None:
    """The next try comes no earlier than Retry-After says, and only a little later."""
    with Server(InTurn(slow(seconds), slow(seconds), reply({})), clock) as server, client(server.url, clock) as http:
        http.request("POST", "/a", json={}, repeat=ONCE)
    times = [request.at for request in server.arrived]
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    assert len(gaps) == 2
    assert all(seconds <= gap <= seconds + 0.5 for gap in gaps)


def test_a_long_wait_hands_the_work_back(clock: SharedClock) -> None:
    """A wait above two minutes is raised, not waited and never cut, whether 429 or 503 asks for it."""
    before = clock.now()
    unavailable = reply({}, 503, Retry_After="3600")
    with Server(InTurn(slow(3600), unavailable, unavailable), clock) as server, client(server.url, clock) as http:
        for repeat in (ONCE, SAFE):
            with pytest.raises(Throttled) as caught:
                http.request("POST", "/a", json={}, repeat=repeat)
            assert caught.value.wait == 3600
        with pytest.raises(ServerFault):
            http.request("POST", "/a", json={}, repeat=until(before + timedelta(days=1)))
        assert len(server.arrived) == 3
    assert clock.now() == before


def test_waiting_for_a_limit_is_no_failure(clock: SharedClock) -> None:
    """More throttled answers than the tries allow do not fail a request; the time they may take is bounded."""
    slow_down = [slow(2)] * 12
    retry = Retry(tries=2, patience=60)
    with Server(InTurn(*slow_down, DOWN, reply({})), clock) as server, client(server.url, clock, retry=retry) as http:
        http.request("GET", "/a")
        assert len(server.arrived) == 14
    with Server(InTurn(slow(2)), clock) as server, client(server.url, clock, retry=retry) as http:
        with pytest.raises(Throttled):
            http.request("GET", "/a")
        assert 20 <= len(server.arrived) <= 30


def test_tries_and_time_are_bounded(clock: SharedClock) -> None:
    """A request that keeps failing ends after its tries or its seconds, whichever is first."""
    with Server(InTurn(DOWN), clock) as server:
        with client(server.url, clock, retry=Retry(tries=4)) as http, pytest.raises(ServerFault):
            http.request("GET", "/a")
        assert len(server.arrived) == 4
        before, retry = clock.now(), Retry(tries=10_000, seconds=100)
        with client(server.url, clock, retry=retry) as http, pytest.raises(ServerFault):
            http.request("GET", "/a")
        assert 0 < (clock.now() - before).total_seconds() <= 100


def test_doubt_outweighs_what_comes_after_it(clock: SharedClock) -> None:
    """When a lost answer is followed only by tries that were not carried out, the outcome is still unknown."""
    throttled = slow(3600)
    with Server(InTurn(LOST, throttled), clock) as server, client(server.url, clock) as http:
        with pytest.raises(AnswerLost):
            http.request("PUT", "/a", json={}, repeat=until(clock.now() + timedelta(hours=9)))
        assert len(server.arrived) == 2


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_proves_nothing_about_a_lost_try(clock: SharedClock, status: int) -> None:
    """A repeated create that is refused, perhaps since the lost one exists, stays in doubt; a first one does not."""
    taken, life = reply({"Message": "must be unique"}, status), until(clock.now() + timedelta(hours=1))
    with Server(InTurn(DOWN, taken), clock) as server, client(server.url, clock) as http:
        with pytest.raises(ServerFault):
            http.request("PUT", "/a", json={}, repeat=life)
        with pytest.raises(Refused):
            http.request("PUT", "/a", json={}, repeat=life)
        assert len(server.arrived) == 3


def test_an_answer_says_whether_an_earlier_try_is_in_doubt(clock: SharedClock) -> None:
    """The answer after a lost one is marked as repeated; the one after a throttle is not."""
    with Server(InTurn(LOST, reply({}), slow(1), reply({})), clock) as server, client(server.url, clock) as http:
        assert http.request("PUT", "/a", json={}).repeated
        assert not http.request("PUT", "/a", json={}).repeated


def test_no_connection_says_that_nothing_was_sent(clock: SharedClock) -> None:
    """An address where nobody listens is Unreachable, after the tries, and says that nothing was sent."""
    journal = Memory()
    http = client(f"http://127.0.0.1:{free_port()}", clock, journal=journal, retry=Retry(tries=3))
    with http, pytest.raises(Unreachable, match="nothing was sent"):
        http.request("GET", "/a", repeat=ONCE)
    assert [ended.outcome for ended in journal.ended.values()] == ["unsent"] * 3


def test_a_refusal_is_not_tried_again(clock: SharedClock) -> None:
    """A request that the system does not accept is sent once, and the error carries the system's own words."""
    refusal = reply({"Message": "A validation exception occurred"}, 400)
    with Server(InTurn(refusal), clock) as server, client(server.url, clock) as http:
        with pytest.raises(Invalid) as caught:
            http.request("POST", "/a", json={})
        assert "validation exception" in caught.value.body
        assert caught.value.status == 400
        assert len(server.arrived) == 1


def test_a_connector_may_read_errors_out_of_a_good_status(clock: SharedClock) -> None:
    """A throttle told in the body of a 200, with a wait of its own, is waited like any other."""

    def shopify(answer: Answer) -> VendorError | None:
        errors = answer.json().get("errors")
        return Throttled("throttled", wait=6.5, status=200) if errors else None

    throttled = reply({"errors": [{"extensions": {"code": "THROTTLED"}}]})
    with Server(InTurn(throttled, reply({"data": {}})), clock) as server:
        with client(server.url, clock, classify=shopify) as http:
            assert http.request("POST", "/graphql.json", json={}).json() == {"data": {}}
        assert (server.arrived[1].at - server.arrived[0].at).total_seconds() >= 6.5


def test_a_connector_that_cannot_read_an_answer_leaves_it_in_doubt(clock: SharedClock) -> None:
    """When an answer to a write is no JSON for the connector, the outcome is unknown, never "not sent"."""

    def reads(answer: Answer) -> None:
        answer.json()

    with Server(InTurn(Reply(body=b"<html>")), clock) as server:
        with client(server.url, clock, tell=reads, classify=reads) as http, pytest.raises(AnswerLost):
            http.request("POST", "/a", json={}, repeat=ONCE)
        with client(server.url, clock, tell=reads) as http:
            assert http.request("POST", "/a", json={}, repeat=ONCE).body == b"<html>"
        assert len(server.arrived) == 2


def test_repeat_knows_its_own_life() -> None:
    """Only a repeat with an instant minds the clock."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert Repeat("safe").may_send(now, 30)
    assert until(now + timedelta(seconds=31)).may_send(now, 30)
    assert not until(now + timedelta(seconds=30)).may_send(now, 30)


def test_money_travels_exactly(clock: SharedClock) -> None:
    """Decimals go out as the numbers they are and come back as Decimal, digit for digit."""
    body = Reply(body=b'{"Total": 12345678901234567890.12}', headers={"Content-Type": "application/json"})
    with Server(InTurn(body), clock) as server, client(server.url, clock) as http:
        answer = http.request("PUT", "/a", json={"UnitAmount": Decimal("0.10"), "Date": date(2026, 11, 23)})
    assert answer.json() == {"Total": Decimal("12345678901234567890.12")}
    assert server.arrived[0].body == b'{"UnitAmount":0.10,"Date":"2026-11-23"}'
