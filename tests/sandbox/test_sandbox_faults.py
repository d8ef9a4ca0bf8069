"""Faults as a client of a real server sees them, and the count of what arrived."""

from __future__ import annotations

import asyncio
import email.utils
import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from crosswalk.clock import SharedClock
from crosswalk.sandbox.faults import Faults, Rule, default_rules, template
from crosswalk.sandbox.serve import in_thread

CREATED = {"created": "x" * 3000}


class Counter:
    """An application that counts what it did; its answer is a long piece of JSON."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.done.append(f"{scope['method']} {scope['path']} {body.decode()}")
        if scope["path"] == "/broken":
            raise ZeroDivisionError
        headers = [(b"content-type", b"application/json"), (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")]
        status = 204 if scope["path"] == "/empty" else 200
        answer = b"" if status == 204 else json.dumps(CREATED).encode()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Case:
    """A counter behind faults behind a server, and a client."""

    def __init__(self, faults: Faults, app: Counter, port: int) -> None:
        self.faults, self.app, self.port = faults, app, port

    def ask(
        self, method: str = "PUT", path: str = "/things", body: str = "{}", **headers: str
    ) -> tuple[int, bytes, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()


@pytest.fixture
def case(clock: SharedClock) -> Iterator[Case]:
    app = Counter()
    faults = Faults(app, clock, seed=4, system="practice")
    with in_thread(faults) as address:
        yield Case(faults, app, int(address.rpartition(":")[2]))


def test_without_rules_answers_come_through_with_the_clocks_date(case: Case, clock: SharedClock) -> None:
    """The answer is the application's, except that Date is the injected clock's, once."""
    clock.advance(timedelta(days=400).total_seconds())
    status, body, headers = case.ask()
    assert (status, json.loads(body)) == (200, CREATED)
    assert [email.utils.parsedate_to_datetime(d) for d in headers.get_all("date")] == [
        clock.now().replace(microsecond=0)
    ]
    assert case.ask(path="/empty")[:2] == (204, b"")


def test_a_status_is_answered_without_the_system_seeing_the_request(case: Case, clock: SharedClock) -> None:
    """A refusal carries its headers and body, Retry-After in seconds or as a date, and changes nothing."""
    case.faults.use([
        Rule("status", status=429, retry_after=7, body="slow", headers={"X-Rate-Limit-Problem": "minute"}, nth=1),
        Rule("status", status=503, retry_after=90, retry_date=True, nth=2),
    ])  # fmt: skip
    status, body, headers = case.ask()
    assert (status, body, headers["Retry-After"], headers["X-Rate-Limit-Problem"]) == (429, b"slow", "7", "minute")
    status, _, headers = case.ask()
    until = email.utils.parsedate_to_datetime(headers["Retry-After"])
    assert (status, until) == (503, clock.now() + timedelta(seconds=90))
    assert case.app.done == [] and case.ask()[0] == 200


def test_a_delay_only_takes_time(case: Case) -> None:
    """The answer is right and late."""
    case.faults.use([Rule("delay", seconds=0.3, times=1)])
    began = time.monotonic()
    assert case.ask()[0] == 200
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    assert case.ask()[0] == 200
    assert time.monotonic() - began < 0.3


def test_a_reset_ends_the_connection_before_the_system_sees_the_request(case: Case) -> None:
    """The client gets a TCP reset; nothing was done."""
    case.faults.use([Rule("reset", nth=1)])
    with pytest.raises(ConnectionResetError) as raised:
        case.ask()
    # RemoteDisconnected, a plain close, is a ConnectionResetError too: this is the real thing.
    assert not isinstance(raised.value, http.client.RemoteDisconnected)
    assert case.app.done == [] and case.ask()[0] == 200


def test_a_truncated_answer_breaks_off_after_the_work_is_done(case: Case) -> None:
    """Half of the announced length comes, then the connection ends; the work is done."""
    case.faults.use([Rule("truncate", nth=1)])
    with pytest.raises(http.client.IncompleteRead) as raised:
        case.ask()
    assert 0 < len(raised.value.partial) < len(json.dumps(CREATED)) and raised.value.expected
    assert len(case.app.done) == 1


def test_a_malformed_answer_is_whole_http_and_broken_json(case: Case) -> None:
    """The client reads a 200 to its end and cannot parse it; the work is done."""
    case.faults.use([Rule("malformed", nth=1)])
    status, body, headers = case.ask()
    assert status == 200 and int(headers["Content-Length"]) == len(body)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert len(case.app.done) == 1


def test_a_lost_answer_leaves_the_work_done(case: Case) -> None:
    """The connection closes without a byte, and the system has done it."""
    case.faults.use([Rule("lost_answer", nth=1)])
    with pytest.raises(http.client.RemoteDisconnected):
        case.ask(body='{"n": 1}')
    assert case.app.done == ['PUT /things {"n": 1}']


def test_a_connection_kept_alive_goes_on_after_faults_elsewhere(case: Case) -> None:
    """A fault ends its own connection and no other."""
    other = http.client.HTTPConnection("127.0.0.1", case.port, timeout=5)
    other.request("GET", "/things", "")
    other.getresponse().read()
    before = other.sock
    case.faults.use([Rule("lost_answer", method="PUT")])
    with pytest.raises(http.client.RemoteDisconnected):
        case.ask()
    other.request("GET", "/things", "")
    assert other.getresponse().status == 200 and other.sock is before
    other.close()


def test_rules_choose_by_method_path_and_body(case: Case) -> None:
    """Only a request that fits all three is touched; times bounds it."""
    case.faults.use([Rule("status", method="PUT", path="/a/*", contains="Order", status=500, times=2)])
    asked = [("GET", "/a/1", "Order"), ("PUT", "/b/1", "Order"), ("PUT", "/a/1", "x")]
    assert [case.ask(*a)[0] for a in asked] == [200, 200, 200]
    assert [case.ask("PUT", "/a/1", "an Order")[0] for _ in range(3)] == [500, 500, 200]
    assert case.faults.state()[0]["matched"] == 3 and case.faults.state()[0]["applied"] == 2


def test_each_loses_every_different_request_once(case: Case) -> None:
    """The first of every different request is lost, its repetition is answered."""
    case.faults.use([Rule("lost_answer", each=True)])
    for body in ("one", "two"):
        with pytest.raises(http.client.RemoteDisconnected):
            case.ask(body=body)
        assert case.ask(body=body)[0] == 200


def test_a_rate_is_the_seeds(clock: SharedClock) -> None:
    """The same seed touches the same requests, another seed others, about as many as asked for."""

    def touched(seed: int) -> list[int]:
        faults = Faults(Counter(), clock, seed, "xero", [Rule("status", status=500, rate=0.2)])
        statuses = [asyncio.run(_one(faults)) for _ in range(300)]
        return [index for index, status in enumerate(statuses) if status == 500]

    first = touched(1)
    assert first == touched(1) != touched(2)
    assert 30 <= len(first) <= 90


async def _one(faults: Faults) -> int:
    got: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            got.append(message["status"])

    await faults({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}, receive, send)
    return got[0]


def test_every_request_is_counted_and_logged_with_its_fate(case: Case) -> None:
    """What the system did not see, and what nobody heard of, stands in the log beside the rest."""
    case.faults.use([Rule("reset", nth=2), Rule("lost_answer", nth=3)])
    case.ask("PUT", "/api.xro/2.0/Invoices?page=1", "{}", **{"Idempotency-Key": "k-1"})
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            case.ask("POST", "/api.xro/2.0/Contacts/5cc8cf28-567e-4d43-b287-687cfcaec47c")
    case.ask("GET", "/broken")
    log = list(case.faults.log)
    assert [(e.number, e.status, e.fault, e.delivered) for e in log] == [
        (1, 200, "", True), (2, None, "reset", False), (3, 200, "lost_answer", False), (4, 500, "", False),
    ]  # fmt: skip
    assert (log[0].key, log[0].query, log[0].size) == ("k-1", "page=1", 2)
    assert case.faults.counts["POST", "/api.xro/2.0/Contacts/{id}"] == 2 and case.faults.total == 4


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api.xro/2.0/Invoices", "/api.xro/2.0/Invoices"),
        ("/api.xro/2.0/Invoices/SHOP-9107199254741001", "/api.xro/2.0/Invoices/{id}"),
        ("/api.xro/2.0/CreditNotes/5cc8cf28-567e-4d43-b287-687cfcaec47c/Allocations",
         "/api.xro/2.0/CreditNotes/{id}/Allocations"),
        ("/admin/api/2026-10/graphql.json", "/admin/api/2026-10/graphql.json"),
        ("/connect/token", "/connect/token"),
    ],
)  # fmt: skip
def test_templates_hide_ids_only(path: str, shown: str) -> None:
    """Requests for different records count as one kind."""
    assert template(path) == shown


def test_a_rule_that_does_not_exist_is_refused() -> None:
    """A wrong kind or setting is named."""
    with pytest.raises(ValueError, match="explode"):
        Rule.read({"kind": "explode"})
    with pytest.raises(ValueError, match="often"):
        Rule.read({"kind": "reset", "often": 3})


def test_the_default_rules_are_plain_data() -> None:
    """They can be written to a file and read again."""
    for system in ("xero", "shopify", "sink"):
        for rule in default_rules(system):
            assert Rule.read(json.loads(json.dumps(asdict(rule)))) == rule
