from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from http_servers import InTurn, Reply, Server, client, reply

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.errors import AnswerLost, Invalid, StoreError
from crosswalk.http.answer import ONCE
from crosswalk.http.auth import ApiKey, ClientCredentials
from crosswalk.http.grants import Application
from crosswalk.http.journal import Bodies, SqliteJournal, tagged
from crosswalk.http.protocols import Ended, Sent, Token

FORK = multiprocessing.get_context("fork")


def sent(clock: SharedClock, **more: object) -> Sent:
    return Sent("shop", "GET", "https://host/a", clock.now(), **more)  # type: ignore[arg-type]


def test_an_entry_tells_the_whole_story(tmp_path: Path, clock: SharedClock) -> None:
    """An entry says who asked what, when, for which run and delivery, and how it ended, without the secrets."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies"))
    answer = reply({"ok": 1}, X_MinLimit_Remaining="57", X_Powered_By="x")
    with Server(InTurn(answer), clock) as server, tagged(run="r1"), tagged(delivery="d1"):
        client(server.url, clock, journal=journal).request("POST", "/a?page=2", json={"password": "x"})
    (entry,) = journal.entries("run = ? AND delivery = ?", ("r1", "d1"))
    assert (entry.connection, entry.kind, entry.method, entry.attempt) == ("test", "call", "POST", 1)
    assert entry.url == f"{server.url}/a?page=2"
    assert (entry.outcome, entry.status, entry.bytes_out, entry.bytes_in) == ("answered", 200, 16, 9)
    assert entry.headers["x-minlimit-remaining"] == "57" and "x-powered-by" not in entry.headers
    assert entry.at == clock.now()
    assert journal.body(entry) == ('{"password":"[redacted]"}', '{"ok":1}')


def test_every_try_is_an_entry(tmp_path: Path, clock: SharedClock) -> None:
    """Retries are entries of their own, counted, and lost answers are told apart from answers."""
    journal = SqliteJournal(tmp_path / "journal.db", clock)
    with Server(InTurn(Reply(cut=0), reply({}, 503), reply({})), clock) as server:
        client(server.url, clock, journal=journal).request("GET", "/a")
    told = [(entry.attempt, entry.outcome, entry.status) for entry in journal.entries()]
    assert told == [(1, "lost", None), (2, "answered", 503), (3, "answered", 200)]


class OneToken:
    """A token store of one token that nobody else uses."""

    token: Token | None = None

    def read(self, connection: str) -> Token | None:
        return self.token

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        return True

    def release(self, connection: str, holder: str) -> None:
        pass

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        self.token = token
        return True


def test_token_calls_pass_the_same_way(tmp_path: Path, clock: SharedClock, reached: list[str]) -> None:
    """A token call has its entry and its points, as every request."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies"))
    token = reply({"access_token": "fresh-token-1", "expires_in": 60})
    with Server(InTurn(token, reply({})), clock) as server:
        application = Application(f"{server.url}/token", "id", "the-secret-99")
        auth = ClientCredentials(connection="test", application=application, store=OneToken(), clock=clock)
        client(server.url, clock, auth=auth, journal=journal).request("GET", "/a")
    entries = journal.entries()
    assert [entry.kind for entry in entries] == ["token", "call"]
    assert reached == ["http:before-send", "http:after-send", "http:after-answer"] * 2
    assert journal.body(entries[0]) == (
        "grant_type=client_credentials&client_id=id&client_secret=[redacted]",
        '{"access_token":"[redacted]","expires_in":60}',
    )


@pytest.mark.parametrize("name", ["http:before-send", "http:after-send", "http:after-answer"])
def test_after_a_kill_the_journal_tells_what_was_sent(tmp_path: Path, clock: SharedClock, name: str) -> None:
    """Killed at any point, the journal has an entry exactly if the request left; open if the answer was not read."""
    path = tmp_path / "journal.db"
    with Server(InTurn(reply({})), clock) as server:
        child = os.fork()
        if child == 0:
            points.install(lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == name else None)
            client(server.url, clock, journal=SqliteJournal(path, clock), timeout=5).request("GET", "/a")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        entries = SqliteJournal(path, clock).entries()
        told = {"http:before-send": [], "http:after-send": [None], "http:after-answer": ["answered"]}
        assert [entry.outcome for entry in entries] == told[name]
        client(server.url, clock, journal=SqliteJournal(path, clock), timeout=5).request("GET", "/b")
        assert len(server.arrived) == len(SqliteJournal(path, clock).entries())


def write(path: Path, clock_path: Path, number: int) -> None:
    journal = SqliteJournal(path, SharedClock(clock_path))
    with tagged(run=str(number)):
        for _ in range(100):
            entry = journal.open(sent(SharedClock(clock_path)))
            journal.close(entry, Ended("answered", 0.1, 200))


def test_several_processes_write_one_journal(tmp_path: Path, clock: SharedClock) -> None:
    """Processes that write at once lose nothing and do not mix up their entries."""
    workers = [FORK.Process(target=write, args=(tmp_path / "j.db", tmp_path / "clock", n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    entries = SqliteJournal(tmp_path / "j.db", clock).entries()
    assert len(entries) == 400 and {entry.outcome for entry in entries} == {"answered"}
    assert {number: sum(entry.run == str(number) for entry in entries) for number in range(4)} == dict.fromkeys(
        range(4), 100
    )


def full_disk(path: Path, clock: SharedClock, url: str, results: multiprocessing.SimpleQueue[str]) -> None:
    """No file may grow any more, as on a full disk."""
    journal = SqliteJournal(path, clock)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    with client(url, clock, journal=journal) as http:
        try:
            http.request("POST", "/a", json={})
            results.put("sent")
        except StoreError as error:
            results.put(str(error))


def test_a_full_disk_stops_requests_before_they_leave(tmp_path: Path, clock: SharedClock) -> None:
    """When the journal cannot be written nothing is sent, and the error names the file and the cause."""
    results = FORK.SimpleQueue()
    with Server(InTurn(reply({})), clock) as server:
        child = FORK.Process(target=full_disk, args=(tmp_path / "journal.db", clock, server.url, results))
        child.start()
        child.join()
        told = results.get()
        assert str(tmp_path / "journal.db") in told and "not sent" in told
        assert server.arrived == []


def test_a_close_that_fails_is_owed(tmp_path: Path, clock: SharedClock) -> None:
    """When an entry cannot be closed the answer still comes back; the next request waits until it is written."""
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, clock)
    entry = journal.open(sent(clock))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("ALTER TABLE request RENAME TO away")
    journal.close(entry, Ended("answered", 0.1, 200))
    with pytest.raises(StoreError):
        journal.open(sent(clock))
    other.execute("ALTER TABLE away RENAME TO request")
    journal.open(sent(clock))
    assert [entry.outcome for entry in journal.entries()] == ["answered", None]


def test_bodies_are_bounded_and_old_entries_go(tmp_path: Path, clock: SharedClock) -> None:
    """A kept body is cut at its bound; entries and bodies older than their time are forgotten, younger ones stay."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies", longest=100))
    old = journal.open(sent(clock, body=b"x" * 5000))
    clock.advance(timedelta(days=20).total_seconds())
    middle = journal.open(sent(clock, body=b"y" * 50))
    clock.advance(timedelta(days=15).total_seconds())
    new = journal.open(sent(clock, body=b"z"))
    bodies = {entry.id: journal.body(entry)[0] for entry in journal.entries()}
    assert bodies == {old: "x" * 100, middle: "y" * 50, new: "z"}
    assert journal.prune(timedelta(days=30), timedelta(days=7)) == 1
    assert {entry.id: journal.body(entry)[0] for entry in journal.entries()} == {middle: "", new: "z"}


def test_what_can_be_read_again_is_kept_in_brief(tmp_path: Path, clock: SharedClock) -> None:
    """Of a page that can be asked for again the beginning is kept; of a refusal or a write all that fits."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies", brief=100))
    rows = reply({"orders": [{"id": n} for n in range(100)]})
    refused = reply({"errors": [{"id": n} for n in range(100)]}, 400)
    with Server(InTurn(rows, rows, refused), clock) as server:
        http = client(server.url, clock, journal=journal)
        http.request("GET", "/orders")
        http.request("POST", "/orders", json={}, repeat=ONCE)
        with pytest.raises(Invalid):
            http.request("GET", "/orders")
    read, written, wrong = (journal.body(entry)[1] for entry in journal.entries())
    assert written.startswith(read[:-2]) and read.endswith("]}") and len(read) <= 102
    assert written.count("id") == wrong.count("id") == 100


def test_no_request_leaves_without_the_journal(clock: SharedClock, reached: list[str]) -> None:
    """The engine imports no other way out, and what the server counts is what the journal and the points say."""
    root = Path(__file__).parents[2]
    ways = ("httpx", "requests", "aiohttp", "httpcore", "urllib3", "http.client", "urllib.request")
    banned = tuple(f"{word} {way}" for way in ways for word in ("import", "from"))
    engine = [
        f"crosswalk/{name}" for name in ("connectors", "delivery", "frames", "mapping", "runs", "schemas", "store")
    ]
    for folder in (*engine, "flows", "tasks", "mappings"):
        for path in (root / folder).rglob("*.py"):
            lines = path.read_text().splitlines()
            assert not any(line.strip().startswith(banned) for line in lines), path
    replies = InTurn(Reply(reset=True), reply({}, 429, Retry_After="1"), reply({}), reply({}, 400), Reply(cut=0))
    with Server(replies, clock) as server:
        http = client(server.url, clock, auth=ApiKey("abcdefgh", header="X-Key"))
        journal = http._wire._journal
        http.request("GET", "/a")
        with pytest.raises(Invalid):
            http.request("GET", "/b")
        with pytest.raises(AnswerLost):
            http.request("POST", "/c", json={}, repeat=ONCE)
    assert len(server.arrived) == 5 == len(journal.sent) == len(journal.ended)  # type: ignore[attr-defined]
    assert reached.count("http:before-send") == reached.count("http:after-send") == 5
    assert reached.count("http:after-answer") == 3
