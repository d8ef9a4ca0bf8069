"""The practice systems in a process of their own, as the demo starts them."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crosswalk.clock import SharedClock
from crosswalk.sandbox.control import ControlError, Started, start
from crosswalk.sandbox.seed.generate import generate
from crosswalk.sandbox.seed.oracle import expect

QUERY = """query($q: String) { orders(first: 100, query: $q, sortKey: UPDATED_AT) { nodes {
  id name processedAt legacyResourceId totalPriceSet { shopMoney { amount } }
  lineItems(first: 5) { nodes { id quantity } } } } }"""


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """120 orders with every case, on a shared clock."""
    folder = tmp_path_factory.mktemp("practice")
    with start(seed=3, orders=120, minute=6, clock=folder / "clock", ready=folder / "ready.json") as started:
        started.folder = folder  # type: ignore[attr-defined]
        yield started


@pytest.fixture(autouse=True)
def _afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "practice" in request.fixturenames:
        request.getfixturevalue("practice").control.clear_faults()


def post(url: str, body: object, **headers: str) -> tuple[int, Any, Any]:
    sent = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(body).encode(), sent)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(), refused.headers


def shop(practice: Started, query: str = QUERY, **variables: str) -> tuple[int, Any, Any]:
    token = {"X-Shopify-Access-Token": practice.credentials["shopify"]["token"]}
    url = practice.addresses["shopify"] + "/admin/api/2026-10/graphql.json"
    return post(url, {"query": query, "variables": variables}, **token)


def test_it_says_when_it_is_ready_and_where(practice: Started) -> None:
    """One line of JSON, and the same in a file; every address answers."""
    written = json.loads((practice.folder / "ready.json").read_text())  # type: ignore[attr-defined]
    assert written == practice.ready and set(practice.addresses) == {"shopify", "xero", "sink", "control"}
    assert practice.control.about()["pid"] == practice.process.pid
    status, body, _ = shop(practice, "{ shop { name currencyCode } }")
    assert (status, body["data"]["shop"]["currencyCode"]) == (200, "EUR")


def test_date_and_clock_are_the_shared_ones(practice: Started) -> None:
    """Date is the file's time; moving it through the API moves it for everybody."""
    clock = SharedClock(practice.folder / "clock")  # type: ignore[attr-defined]
    before = clock.now()
    practice.control.advance(600)
    assert (clock.now() - before).total_seconds() == 600 and practice.control.now() == clock.now().isoformat()
    _, _, headers = shop(practice)
    assert email.utils.parsedate_to_datetime(headers["Date"]) == clock.now().replace(microsecond=0)
    practice.control.move_to(before.isoformat())
    assert clock.now() == before


def test_every_request_is_counted_where_it_arrives(practice: Started) -> None:
    """The log holds what the client sent, and what a fault did to it."""
    practice.control.forget_requests()
    practice.control.add_fault("shopify", "status", status=502, times=1)
    assert shop(practice)[0] == 502 and shop(practice)[0] == 200
    log = practice.control.requests("shopify")
    assert [(e["status"], e["fault"]) for e in log] == [(502, "status"), (200, "")]
    counts = practice.control.counts()
    assert counts["shopify"] == {"total": 2, "paths": {"POST /admin/api/2026-10/graphql.json": 2}}
    assert counts["xero"]["total"] == 0 and practice.control.requests("shopify", since=1) == log[1:]


def test_a_lost_answer_to_a_write_has_its_effect(practice: Started) -> None:
    """Xero keeps what it was told although nobody heard that it did."""
    practice.control.reset()
    practice.control.add_fault("xero", "lost_answer", method="PUT", path="*/Contacts", nth=1)
    token = practice.control.call("xero.access_token")
    host = practice.addresses["xero"].removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    headers = {"Authorization": f"Bearer {token}", "xero-tenant-id": practice.control.connect()["xero"]["tenant_id"]}
    body = json.dumps({"Contacts": [{"Name": "Lost and found", "ContactNumber": "T-1"}]})
    connection.request("PUT", "/api.xro/2.0/Contacts", body, headers | {"Content-Type": "application/json"})
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
    contacts = practice.control.effects()["contacts"]
    assert [c["name"] for c in contacts if c["number"] == "T-1"] == ["Lost and found"]
    practice.control.reset()
    assert "T-1" not in [c["number"] for c in practice.control.effects()["contacts"]]


def test_broken_rows_are_broken_on_the_wire(practice: Started) -> None:
    """Each damage of the seed arrives as such, and the shop's own node is whole."""
    practice.control.reset()
    business = generate(3, 120)
    nodes: dict[str, Any] = {}
    for sale in business.sales:
        if sale.spoil:
            instant = sale.updated.strftime("%Y-%m-%dT%H:%M:%SZ")
            status, body, _ = shop(practice, q=f"updated_at:>='{instant}' updated_at:<='{instant}'")
            assert status == 200 and "errors" not in body, body
            found = body["data"]["orders"]["nodes"]
            nodes[sale.spoil] = next((n for n in found if n and n["id"].endswith(str(sale.id))), None)
            assert sale.spoil != "bad_null" or None in found
    assert nodes["bad_null"] is None and nodes["bad_no_date"]["processedAt"] is None
    assert nodes["bad_date"]["processedAt"] == "yesterday" and nodes["bad_money_null"]["totalPriceSet"] is None
    assert nodes["bad_money"]["totalPriceSet"]["shopMoney"]["amount"] == "12,50"
    assert nodes["bad_quantity_text"]["lineItems"]["nodes"][0]["quantity"] == "two"
    assert nodes["bad_quantity_negative"]["lineItems"]["nodes"][0]["quantity"] == -1
    assert isinstance(nodes["bad_id_number"]["legacyResourceId"], int)
    assert nodes["bad_line_null"]["lineItems"]["nodes"][0] is None and nodes["bad_surrogate"]["name"] == "#\ud83d"
    gid = practice.control.ids("orders")[0]
    node = practice.control.node("orders", gid)
    assert node is not None and node["processedAt"]


def test_changes_reach_shop_and_oracle(practice: Started) -> None:
    """The changed orders carry the clock's time and are found by it; the oracle expects what follows from them."""
    practice.control.reset()
    practice.control.advance(3600)
    before = practice.control.expected()["totals"]
    made = practice.control.changes(share=0.1, seed=4)
    assert len(made) == 12 and practice.control.expected()["totals"] != before
    since = datetime.fromisoformat(practice.control.now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    _, body, _ = shop(practice, q=f"updated_at:>='2026-11-23T08:00:00Z' updated_at:<='{since}:59Z'")
    assert {n["name"] for n in body["data"]["orders"]["nodes"]} == {c["name"] for c in made if c["name"]}


def test_nodes_and_switches_can_be_turned(practice: Started) -> None:
    """A person's edit, a switch, a method of a system's state; what is private or unknown is refused."""
    control = practice.control
    gid = control.ids("orders")[0]
    assert control.edit("orders", gid, {"note": "call first"})["note"] == "call first"
    control.delete("orders", gid)
    assert control.node("orders", gid) is None
    control.set("xero.limits.day", 3)
    control.call("xero.archive_account", "4010")
    for bad in (
        lambda: control.set("xero._lock", 1),
        lambda: control.call("xero.nothing"),
        lambda: control.faults("sap"),
    ):
        with pytest.raises(ControlError):
            bad()
    with pytest.raises(ControlError, match="explode"):
        control.add_fault("xero", "explode")
    control.reset()
    assert control.node("orders", gid) is not None


def test_a_snapshot_brings_shop_books_and_oracle_back(practice: Started) -> None:
    """What came, went and changed since then is as it was."""
    control = practice.control
    control.reset()
    control.snapshot("fresh")
    seen = [control.node("orders", gid) for gid in control.ids("orders")], control.effects(), control.expected()
    control.changes(share=0.1)
    control.delete("orders", control.ids("orders")[5])
    control.call("xero.edit", "Contacts", {"Name": "Somebody"})
    control.restore("fresh")
    assert sorted(control.ids("orders")) == sorted(node["id"] for node in seen[0] if node)
    assert [control.node("orders", node["id"]) for node in seen[0] if node] == seen[0]
    assert (control.effects(), control.expected()) == seen[1:]
    with pytest.raises(ControlError, match="none"):
        control.restore("none")


def test_the_minute_is_a_setting(practice: Started) -> None:
    """Six seconds instead of sixty: points come back ten times as fast."""
    _, body, _ = shop(practice, "{ shop { name } }")
    assert body["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 1000.0


def test_a_reset_can_change_the_business(practice: Started) -> None:
    """Another seed and size, named cases, new credentials; then back."""
    about = practice.control.reset(seed=9, orders=4, cases=["refund_mixed", "locked"])
    assert about["orders"] == 4 and about["credentials"]["xero"]["refresh_token"]
    expected = expect(generate(9, 4, ("refund_mixed", "locked")))
    assert practice.control.expected()["totals"] == expected.totals()
    assert len(practice.control.verdict("X")) > 0
    practice.control.reset(seed=3, orders=120, cases=None)


def test_it_stops_when_told_to(tmp_path: Path) -> None:
    """SIGTERM ends it soon and without complaint, open connections or not."""
    with start(orders=0) as started:
        idle = http.client.HTTPConnection(started.addresses["control"].removeprefix("http://"), timeout=5)
        idle.request("GET", "/_control/clock")
        idle.getresponse().read()
        began = time.monotonic()
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(10) == 0 and time.monotonic() - began < 5
        idle.close()


def test_it_dies_with_its_parent() -> None:
    """When the process that started it is killed, it is gone soon."""
    code = "import time; from crosswalk.sandbox.control import start\n"
    code += "p = start(orders=0); print(p.process.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that is over but not yet reaped by its new parent counts as gone.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
