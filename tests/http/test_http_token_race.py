from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, NoNode, running
from http_servers import Memory, client

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.errors import ConsentNeeded, VendorError
from crosswalk.http.auth import ClientCredentials, RefreshingOAuth2
from crosswalk.http.client import Client
from crosswalk.http.protocols import Token
from crosswalk.store.engine import Store
from crosswalk.store.tokens import Tokens
from crosswalk.store.vault import PRACTICE_KEY, Vault

ROUNDS = int(os.environ.get("CROSSWALK_ROUNDS", "20"))
PROCESSES, THREADS = 8, 4
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """The real authorization server."""
    try:
        with running() as server:
            yield server
    except NoNode as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


class Party:
    """What the processes of a test share: the server, the database and the clock."""

    def __init__(self, authority: Authority, url: str, folder: Path) -> None:
        self.authority, self._url, self._folder = authority, url, folder

    def clock(self) -> SharedClock:
        return SharedClock(self._folder / "clock")

    def store(self) -> Tokens:
        return Tokens(Store(self._url, clock=self.clock(), vault=Vault(PRACTICE_KEY), durable=False).open(migrate=True))

    def connect(self) -> Token:
        """Log in again and save what comes."""
        store, token = self.store(), self.authority.login("xero", self.clock(), Memory())
        before = store.read("xero")
        assert store.save("xero", token, before.version if before else 0)
        return token

    def client(self, kind: type[RefreshingOAuth2] | type[ClientCredentials] = RefreshingOAuth2) -> Caller:
        auth = kind(connection="xero", application=self.authority.application, store=self.store(), clock=self.clock())
        return Caller(client(self.authority.url, self.clock(), auth=auth, timeout=20))


class Caller:
    """Asks the guarded resource."""

    def __init__(self, http: Client) -> None:
        self.http = http

    def call(self) -> str:
        """What one request comes to, as a word."""
        try:
            self.http.request("GET", "/api")
        except VendorError as error:
            return type(error).__name__
        return "ok"


@pytest.fixture
def party(authority: Authority, tmp_path: Path, clock: SharedClock) -> Party:
    """On SQLite."""
    return begin(authority, f"sqlite:///{tmp_path / 'store.db'}", tmp_path)


def begin(authority: Authority, url: str, folder: Path) -> Party:
    """A party whose store is there, at a server that is strict."""
    authority.ask("/rotate?on")
    found = Party(authority, url, folder)
    found.store()
    return found


def serve_rounds(party: Party, start: Any, end: Any, results: multiprocessing.SimpleQueue[list[str]]) -> None:
    """One process: in every round all its threads call at once."""
    caller = party.client()
    with ThreadPoolExecutor(THREADS) as threads:
        while True:
            start.wait()
            results.put([call.result() for call in [threads.submit(caller.call) for _ in range(THREADS)]])
            end.wait()


def test_r6_one_refresh_for_all_threads_and_processes(
    authority: Authority, database_url: str, tmp_path: Path, clock: SharedClock
) -> None:
    """R6: whenever the single-use token has ended or was revoked, exactly one of 8 x 4 callers renews it for all."""
    party, server = begin(authority, database_url, tmp_path), authority
    party.connect()
    start, end, results = FORK.Barrier(PROCESSES + 1), FORK.Barrier(PROCESSES + 1), FORK.SimpleQueue()
    workers = [FORK.Process(target=serve_rounds, args=(party, start, end, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    try:
        for number in range(ROUNDS):
            revoked = number % 2 == 1
            if revoked:
                server.ask("/kill")
            else:
                clock.advance(1800)
            before = server.ask("/count")
            start.wait(30)
            words = [word for _ in workers for word in results.get()]
            after = server.ask("/count")
            end.wait(30)
            assert words == ["ok"] * PROCESSES * THREADS
            assert after["renewed"] - before["renewed"] == 1
            assert after["token"] - before["token"] == 1
            assert revoked or after["dead"] == before["dead"]
    finally:
        for worker in workers:
            worker.kill()


def crash(party: Party, name: str) -> None:
    """A process that is killed at this point of its token call."""

    def kill(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        points.install(kill)
        party.client().call()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


CRASHES = [
    ("http:before-send", "on", ["ok"]),
    ("http:after-send", "on", ["ok", "ConsentNeeded"]),
    ("http:after-answer", "on", ["ConsentNeeded"]),
    ("http:before-send", "off", ["ok"]),
    ("http:after-answer", "off", ["ok"]),
]


@pytest.mark.parametrize(("name", "rotate", "expected"), CRASHES)
def test_r6_a_crash_around_the_refresh_ends_clearly(party: Party, name: str, rotate: str, expected: list[str]) -> None:
    """R6: killed between refresh and save, the next process has a working token or asks for consent; it never loops."""
    clock, server = party.clock(), party.authority
    for _ in range(max(1, ROUNDS // 10)):
        party.connect()
        server.ask(f"/rotate?{rotate}")
        clock.advance(1800)
        crash(party, name)
        before, caller = server.ask("/count"), party.client()
        word = caller.call()
        assert word in expected
        assert [caller.call() for _ in range(5)] == [word] * 5
        assert server.ask("/count")["token"] - before["token"] == 1
        party.connect()
        assert caller.call() == "ok"


def test_r6_a_loser_reads_again_before_it_asks_a_person(party: Party) -> None:
    """R6: invalid_grant for a refresh token that another process has used meanwhile is not the end of the grant."""
    token, store, clock = party.connect(), party.store(), party.clock()
    caller = party.client()
    clock.advance(1800)

    def overtaken(name: str) -> None:
        """Another process, whose claim was taken from it while it slept, saves the good token just now."""
        if name == "http:after-answer":
            points.install(None)
            assert store.save("xero", party.authority.login("xero", clock, Memory()), 1)

    spend(party, token)
    points.install(overtaken)
    assert caller.call() == "ok"


def spend(party: Party, token: Token) -> None:
    """Use the refresh token behind the store's back."""
    headers, form = party.authority.application.sign({"grant_type": "refresh_token", "refresh_token": token.refresh})
    http = client(party.authority.url, party.clock(), timeout=20)
    assert http.request("POST", "/token", form=form, headers=headers).status == 200


def test_a_grant_that_is_gone_asks_for_a_person_once(party: Party) -> None:
    """A dead grant is ConsentNeeded with the command to run, for every caller, after one token call a process."""
    token = party.connect()
    spend(party, token)
    party.clock().advance(1800)
    before, http = party.authority.ask("/count"), party.client().http
    for _ in range(3):
        with pytest.raises(ConsentNeeded, match="crosswalk connect xero"):
            http.request("GET", "/api")
    assert party.authority.ask("/count")["token"] - before["token"] == 1


def test_client_credentials_need_no_person(party: Party) -> None:
    """An application that logs in as itself gets a first token, a next one when it ends, and one after a revocation."""
    caller, clock, before = party.client(ClientCredentials), party.clock(), party.authority.ask("/count")
    assert [caller.call() for _ in range(3)] == ["ok"] * 3
    clock.advance(1800)
    assert caller.call() == "ok"
    party.authority.ask("/kill")
    assert [caller.call() for _ in range(3)] == ["ok"] * 3
    assert party.authority.ask("/count")["renewed"] - before["renewed"] == 3
