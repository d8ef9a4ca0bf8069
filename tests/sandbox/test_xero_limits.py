"""Limits and idempotency keys of the practice Xero."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from xero_client import Got, Xero, call, invoice, payment


@pytest.fixture
def xero() -> Xero:
    made = Xero()
    made.some_contact()
    return made


def put(xero: Xero, key: str, **fields: Any) -> Got:
    return xero.call("PUT", "/Invoices", invoice(xero.some_contact(), **fields), headers={"Idempotency-Key": key})


def count(xero: Xero) -> int:
    return len(xero.org.effects()["invoices"])


def test_headers_tell_what_is_left(xero: Xero) -> None:
    """Every answer tells what is left of the minute, the day and the app's minute."""
    xero.org.limits.minute = 60
    first, second = xero.call("GET", "/Contacts"), xero.call("GET", "/Nowhere")
    assert (first.headers["x-minlimit-remaining"], second.headers["x-minlimit-remaining"]) == ("58", "57")
    assert (first.headers["x-daylimit-remaining"], first.headers["x-appminlimit-remaining"]) == ("4998", "9998")


def test_minute_limit(xero: Xero) -> None:
    """The 61st request of a minute is answered 429 with the problem and the seconds to wait, and does not count."""
    xero.org.limits.minute = 60
    xero.clock.sleep(20)
    for _ in range(59):
        assert xero.call("GET", "/Contacts").status == 200
    got = xero.call("GET", "/Contacts")
    assert (got.status, got.body, got.headers["x-rate-limit-problem"]) == (429, b"", "minute")
    assert (got.headers["retry-after"], got.headers["x-minlimit-remaining"]) == ("40", "0")
    xero.clock.sleep(39)
    assert xero.call("GET", "/Contacts").status == 429
    xero.clock.sleep(1)
    assert [xero.call("GET", "/Contacts").status for _ in range(2)] == [200, 429]


def test_shorter_minute(xero: Xero) -> None:
    """The minute may be made to last some seconds only."""
    xero.org.limits.minute, xero.org.minute = 1, 6
    got = xero.call("GET", "/Contacts")
    assert (got.status, got.headers["retry-after"]) == (429, "6")
    xero.clock.sleep(6)
    assert xero.call("GET", "/Contacts").status == 200


def test_day_limit(xero: Xero) -> None:
    """Over the daily limit the problem is the day and the wait its rest."""
    xero.org.limits.day = 3
    assert [xero.call("GET", "/Contacts").status for _ in range(3)] == [200, 200, 429]
    xero.clock.sleep(1000)
    got = xero.call("GET", "/Contacts")
    assert (got.headers["x-rate-limit-problem"], got.headers["retry-after"]) == ("day", str(86400 - 1000))
    xero.wait(86400)
    assert xero.call("GET", "/Contacts").status == 200


def test_app_minute_limit(xero: Xero) -> None:
    """The app's own minute over all organisations has a limit of its own."""
    xero.org.limits.app_minute = 1
    assert xero.call("GET", "/Contacts").headers["x-rate-limit-problem"] == "appminute"


def test_five_at_the_same_time(xero: Xero) -> None:
    """Of seven requests at the same time five are answered and two get 429 with the problem concurrent."""
    xero.org.latency = 0.02
    headers = {
        "authorization": f"Bearer {xero.token}",
        "xero-tenant-id": xero.org.tenant_id,
        "accept": "application/json",
    }

    async def seven() -> list[Got]:
        asked = (call(xero.app, "GET", "/api.xro/2.0/Contacts", headers, b"", "") for _ in range(7))
        return await asyncio.gather(*asked)

    got = asyncio.run(seven())
    assert sorted(g.status for g in got) == [200] * 5 + [429] * 2
    refused = [g for g in got if g.status == 429]
    assert {g.headers["x-rate-limit-problem"] for g in refused} == {"concurrent"}
    assert "retry-after" not in refused[0].headers
    assert xero.call("GET", "/Contacts").status == 200


def test_refused_tokens_do_not_count(xero: Xero) -> None:
    """A request that is not authorised does not count against the limits."""
    xero.call("GET", "/Contacts", token="wrong")
    assert xero.org.state.day_calls == 1


def test_key_replays(xero: Xero) -> None:
    """The same request under the same key is answered from memory, byte by byte, and nothing is written twice."""
    first = put(xero, "k-1", InvoiceNumber="N-1")
    xero.clock.sleep(359)
    again = put(xero, "k-1", InvoiceNumber="N-1")
    assert (again.status, again.body) == (200, first.body)
    assert count(xero) == 1


def test_key_is_forgotten_after_six_minutes(xero: Xero) -> None:
    """After 6 minutes the key is new: a payment is made a second time, an invoice of that number refused."""
    shown = put(xero, "k-1", InvoiceNumber="N-1").json["Invoices"][0]
    body = payment(shown["InvoiceID"], 21, Reference="tx-1")
    headers = {"Idempotency-Key": "k-2"}
    assert xero.call("PUT", "/Payments", body, headers=headers).status == 200
    xero.clock.sleep(360)
    assert xero.call("PUT", "/Payments", body, headers=headers).status == 200
    assert xero.org.effects()["totals"]["payments"] == Decimal("42.00")
    assert put(xero, "k-1", InvoiceNumber="N-1").status == 400


def test_key_life_can_be_set_and_keys_forgotten(xero: Xero) -> None:
    """The memory's length is a setting, and a switch empties it at once."""
    xero.org.key_life = 10
    put(xero, "k-1")
    xero.clock.sleep(10)
    put(xero, "k-1")
    assert count(xero) == 2
    put(xero, "k-1")
    assert count(xero) == 2
    xero.org.forget_keys()
    put(xero, "k-1")
    assert count(xero) == 3


def test_key_of_another_request(xero: Xero) -> None:
    """The key of another request, by body, path or query, is refused with 400 and nothing is written."""
    put(xero, "k-1", Reference="a")
    got = put(xero, "k-1", Reference="b")
    assert (got.status, got.json["Message"]) == (400, "Idempotency Key: k-1 is used with a different request.")
    element = invoice(xero.some_contact(), Reference="a")
    headers = {"Idempotency-Key": "k-1"}
    assert xero.call("PUT", "/Invoices", element, headers=headers, summarizeErrors="false").status == 400
    assert xero.call("POST", "/Invoices", element, headers=headers).status == 400
    assert count(xero) == 1


def test_key_length(xero: Xero) -> None:
    """A key has at most 128 characters."""
    assert put(xero, "k" * 128).status == 200
    assert put(xero, "k" * 129).status == 400


def test_refusals_are_remembered_too(xero: Xero) -> None:
    """A refusal is remembered like any answer: the cause may be gone, the same key still gets it."""
    xero.org.archive_account("4020")
    assert put(xero, "k-1").status == 400
    xero.org.restore_account("4020")
    assert put(xero, "k-1").status == 400
    assert put(xero, "k-2").status == 200


def test_throttled_requests_are_not_remembered(xero: Xero) -> None:
    """A request that was answered 429 was not looked at: its key is still free."""
    xero.org.limits.minute = 1
    assert put(xero, "k-1").status == 429
    xero.org.limits.minute = 60
    assert put(xero, "k-1").status == 200


def test_replays_count_against_limits(xero: Xero) -> None:
    """A replay is a request like any other for the limits."""
    xero.org.limits.minute = 60
    first, again = put(xero, "k-1"), put(xero, "k-1")
    assert int(first.headers["x-minlimit-remaining"]) - int(again.headers["x-minlimit-remaining"]) == 1


def test_keys_hold_for_put_and_post_only(xero: Xero) -> None:
    """GET and DELETE know no keys; history notes do."""
    headers = {"Idempotency-Key": "k-1"}
    assert xero.call("GET", "/Contacts", headers=headers).status == 200
    assert xero.call("GET", "/Invoices", headers=headers).status == 200
    path = f"/Contacts/{xero.some_contact()}/History"
    for _ in range(2):
        assert xero.call("PUT", path, {"HistoryRecords": [{"Details": "x"}]}, headers=headers).status == 200
    assert len(xero.call("GET", path).json["HistoryRecords"]) == 1


def test_keys_of_a_batch(xero: Xero) -> None:
    """A key stands for the whole batch: the same batch is replayed, one member changed is another request."""
    elements = [invoice(xero.some_contact(), InvoiceNumber=f"N-{n}") for n in range(3)]
    headers = {"Idempotency-Key": "k-1"}
    sent = {"Invoices": elements}
    assert xero.call("PUT", "/Invoices", sent, headers=headers, summarizeErrors="false").status == 200
    assert xero.call("PUT", "/Invoices", sent, headers=headers, summarizeErrors="false").status == 200
    elements[1]["Reference"] = "edited"
    assert xero.call("PUT", "/Invoices", sent, headers=headers, summarizeErrors="false").status == 400
    assert count(xero) == 3


def test_delayed_commit(xero: Xero) -> None:
    """A write may be committed some seconds after its caller was told 504: until then a look-up finds nothing."""
    xero.org.delay_commits(35)
    assert put(xero, "k-1", InvoiceNumber="N-1").status == 504
    assert put(xero, "k-1", InvoiceNumber="N-1").status == 504
    xero.clock.sleep(34)
    assert xero.call("GET", "/Invoices", InvoiceNumbers="N-1").json["Invoices"] == []
    xero.clock.sleep(1)
    assert len(xero.call("GET", "/Invoices", InvoiceNumbers="N-1").json["Invoices"]) == 1
    assert put(xero, "k-1", InvoiceNumber="N-1").json["Invoices"][0]["InvoiceNumber"] == "N-1"
    assert count(xero) == 1


def test_delayed_commit_behind_a_second_create(xero: Xero) -> None:
    """Whoever takes "not found" for "not there" within the delay makes a second one."""
    shown = put(xero, "k-1").json["Invoices"][0]
    body = payment(shown["InvoiceID"], 21, Reference="tx-1")
    xero.org.delay_commits(35)
    assert xero.call("PUT", "/Payments", body, headers={"Idempotency-Key": "k-2"}).status == 504
    assert xero.call("PUT", "/Payments", body, headers={"Idempotency-Key": "k-3"}).status == 200
    xero.clock.sleep(35)
    assert [p["reference"] for p in xero.org.effects()["payments"]] == ["tx-1", "tx-1"]


def test_requests_are_counted(xero: Xero) -> None:
    """Every request that arrives is counted by method and path, whatever its answer."""
    before = dict(xero.org.requests)
    xero.call("GET", "/Invoices", page="1")
    xero.call("GET", "/Invoices/none")
    xero.call("GET", "/Invoices", token="wrong")
    xero.call("GET", "/Nowhere/at/all")
    now = {k: v - before.get(k, 0) for k, v in xero.org.requests.items() if v != before.get(k, 0)}
    assert now == {"GET /Invoices": 2, "GET /Invoices/{id}": 1, "GET unknown": 1}
    assert json.dumps(dict(xero.org.statuses))
