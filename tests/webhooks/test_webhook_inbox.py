"""R12 in short: a storm of deliveries on a receiver that is killed again and again; and an own application's events."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import houses
import pytest
import webhook_kit as kit

from crosswalk.clock import SystemClock
from crosswalk.runs.wiring import House
from crosswalk.sandbox.control import Started
from crosswalk.store import inbox, inbox_look

DELIVERIES, RECORDS, KILLS = 2_000, 200, 4


class Killed:
    """A receiver in a process of its own that is killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "crosswalk.console.main", "receive", "--port", str(self.port)]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        kit.until(self.up)
        return process

    def up(self) -> bool:
        try:
            return kit.post(self.address, "/health", b"", {}, "GET")[0] == 200
        except (OSError, HTTPException):
            return False

    def again(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = self.start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def receiver(tmp_path: Path, webhook_practice: Started) -> Iterator[Killed]:
    running = Killed(kit.home(tmp_path / "home", webhook_practice))
    yield running
    running.stop()


def storm(rng: random.Random) -> list[tuple[str, bytes, dict[str, str]]]:
    """(kind, body, headers): 20 % sent twice, 10 % out of order, 5 % badly signed, 1 % altered, one old."""
    made: list[tuple[str, bytes, dict[str, str]]] = []
    for number in range(DELIVERIES):
        body = kit.order(rng.randrange(RECORDS), f"2026-11-24T10:00:00.{number:06d}Z")
        chance = rng.random()
        if chance < 0.05:
            made.append(("forged", body, kit.shopify_headers(body, secret="not the shop's")))
        elif chance < 0.06:
            made.append(("altered", body + b" ", kit.shopify_headers(body)))
        else:
            one = ("good", body, kit.shopify_headers(body))
            made += [one, one] if rng.random() < 0.2 else [one]
    for at in range(len(made) - 10):
        if rng.random() < 0.1:
            other = at + rng.randrange(10)
            made[at], made[other] = made[other], made[at]
    return made


def test_r12_nothing_acknowledged_is_lost_and_nothing_forged_accepted(
    receiver: Killed, webhook_practice: Started
) -> None:
    """2,000 deliveries, the receiver killed four times: what got 200 is kept once, what is forged never."""
    rng = random.Random(12)
    sent = storm(rng)
    acknowledged: set[str] = set()
    answers: Counter[tuple[str, int]] = Counter()

    def deliver(one: tuple[str, bytes, dict[str, str]]) -> None:
        kind, body, headers = one
        try:
            status = kit.post(receiver.address, "/hooks/shop", body, headers)[0]
        except (OSError, HTTPException):
            status = 0
        answers[(kind, status)] += 1
        if status == 200:
            acknowledged.add(headers["X-Shopify-Webhook-Id"])

    with ThreadPoolExecutor(8) as pool:
        for part in range(KILLS + 1):
            some = sent[part :: KILLS + 1]
            jobs = [pool.submit(deliver, one) for one in some]
            if part < KILLS:
                kit.until(lambda jobs=jobs: sum(job.done() for job in jobs) > len(jobs) // 3)
                receiver.again()
            for job in jobs:
                job.result()
        before = set(acknowledged)
        # The vendor sends again what was not acknowledged.
        list(pool.map(deliver, [one for one in sent if one[2]["X-Shopify-Webhook-Id"] not in before]))
    assert {kind for kind, status in answers if status == 200} == {"good"}
    assert not [status for _, status in answers if status >= 500]
    house = houses.house(receiver.folder, webhook_practice, SystemClock())
    kept = Counter(event.delivery for event in inbox_look.events(house.store, limit=10_000))
    assert set(kept.values()) == {1}
    assert len(before) > DELIVERIES * 0.2
    assert acknowledged == {headers["X-Shopify-Webhook-Id"] for kind, _, headers in sent if kind == "good"} == set(kept)
    effective_once(house)
    house.close()


def effective_once(house: House) -> None:
    """Every event asks for its record, and every record is one piece of work in a binding."""
    account = house.settings.connection("shop").key
    scope = house.settings.binding("orders").scope
    while inbox.gather(house.store, lambda who, what: [scope] if (who, what) == (account, "shopify.orders") else []):
        pass
    events = inbox_look.events(house.store, limit=10_000)
    newest = {record: max(e.number for e in events if e.record == record) for record in {e.record for e in events}}
    errands = inbox_look.errands(house.store, scope, limit=10_000)
    assert {row.key: row.asked for row in errands} == newest


MAPPING = """
from datetime import timedelta

from crosswalk.integration import Integration
from crosswalk.mapping import LEAVE_OUT, Copy, Example, Mapping, Marker, Rule
from crosswalk.schemas import xero
from crosswalk.schemas.base import ID, INSTANT, TEXT, Field, Record

Booking = Record(
    "application.bookings", key="id", version="changedAt",
    fields=(
        Field("id", ID, required=True), Field("changedAt", INSTANT, required=True), Field("name", TEXT, required=True),
        Field("mail", TEXT),
    ),
)
bookings = Mapping(
    "Bookings of the course site become Xero contacts", source=Booking, target=xero.Contact, key="id",
    marker="ContactNumber",
    rules=[
        Rule("ContactNumber", Marker("id"), why="ours alone: by it a lost answer is looked up"),
        Rule("Name", Copy("name")),
        Rule("EmailAddress", Copy("mail"), missing=LEAVE_OUT),
    ],
    base={"id": "b1", "changedAt": "2026-11-24T10:00:00Z", "name": "Anna Visser"},
    examples=[Example("a booking", expect={"ContactNumber": "EX-b1", "Name": "Anna Visser"})],
)
INTEGRATION = Integration(
    name="bookings_to_xero_contacts", title="Bookings become Xero contacts", source="application.bookings",
    target="xero", parts=(bookings,), owner="finance", fresh_within=timedelta(minutes=5),
)
"""
BINDING = """
[bindings.bookings]
integration = "bookings_to_xero_contacts"
source = "webshop"
target = "books"
"""


def test_an_own_applications_event_carries_its_record_and_can_be_asked_for(
    tmp_path: Path, webhook_practice: Started
) -> None:
    """A booking is posted, becomes a contact, and its fate is told by its id; an older one that comes late is stale."""
    webhook_practice.ready["credentials"] = webhook_practice.control.reset(orders=0, cases=None)["credentials"]
    folder = kit.home(tmp_path / "home", webhook_practice)
    (folder / "mappings").mkdir()
    (folder / "mappings" / "bookings_to_xero_contacts.py").write_text(MAPPING, encoding="utf-8")
    file = folder / "crosswalk.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace('account = "webshop"', 'account = "webshop"\nprefix = "W"') + BINDING,
        encoding="utf-8",
    )
    with kit.opened(folder, webhook_practice) as place:
        newer = event(place, "2026-11-24T10:00:02Z", "Anna de Vries")
        older = event(place, "2026-11-24T10:00:01Z", "Anna Visser")
        assert fate(place, newer)["state"] == "waiting"
        SystemClock().sleep(0.4)
        assert place.drain() == 1
        for id in (newer, older):
            told = fate(place, id)
            assert told["state"] == "worked"
            assert told["bindings"]["bookings"]["records"] == [{"resource": "xero.contacts", "state": "applied"}]
            assert "Anna" not in json.dumps(told)
        names = [c["name"] for c in webhook_practice.control.effects()["contacts"]]
        assert names == ["Anna de Vries"]


def event(place: kit.Place, at: str, name: str) -> str:
    """Post a booking; the id of its event."""
    body = json.dumps({"type": "booking.created", "data": {"id": "b1", "changedAt": at, "name": name}}).encode()
    headers = kit.own_headers(body, SystemClock().now().timestamp())
    status, told = place.post("/hooks/webshop", body, headers)
    assert status == 202, told
    return str(json.loads(told)["id"])


def fate(place: kit.Place, id: str) -> dict[str, object]:
    status, told = place.post(f"/hooks/webshop/events/{id}", b"", {}, "GET")
    assert status == 200
    found: dict[str, object] = json.loads(told)
    return found
