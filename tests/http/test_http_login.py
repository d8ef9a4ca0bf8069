from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from authority import Authority, NoNode, browse, free_port, running
from http_servers import InTurn, Memory, Server, client, reply

from crosswalk.clock import SharedClock, SystemClock
from crosswalk.errors import BadCredentials, ConsentNeeded, SettingsError
from crosswalk.http import redact
from crosswalk.http.grants import Application, consent
from crosswalk.http.journal import SqliteJournal
from crosswalk.http.oauth_login import App, login


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """The real authorization server."""
    try:
        with running() as server:
            yield server
    except NoNode as reason:
        pytest.skip(str(reason))


def test_a_person_logs_in_and_the_token_works(authority: Authority, tmp_path: Path) -> None:
    """Against the certified server, which insists on PKCE: the login gives a token that its API accepts."""
    clock = SystemClock()
    journal = SqliteJournal(tmp_path / "journal.db", clock)
    token = authority.login("xero", clock, journal)
    assert token.refresh and "offline_access" in token.scope
    headers = {"Authorization": f"Bearer {token.access}"}
    assert client(authority.url, clock).request("GET", "/api", headers=headers).json() == {"ok": True}
    assert redact.text(f"{token.access} {token.refresh}") == "[redacted] [redacted]"
    assert [(entry.method, entry.status) for entry in journal.entries()] == [("POST", 200)]


def test_a_login_that_the_vendor_refuses_says_why(authority: Authority) -> None:
    """What the vendor sends back instead of a code is the error, and no code is exchanged."""
    journal = Memory()
    with pytest.raises(ConsentNeeded, match="was refused: invalid_request"):
        authority.login("xero", SystemClock(), journal, **{"code_challenge_method=S256": "code_challenge_method=none"})
    assert journal.sent == []


def test_an_answer_to_another_login_does_not_count() -> None:
    """A callback with another state is shown the door; the login ends by its time, and says that one came."""
    app = App("https://vendor.example/a", Application("https://vendor.example/t", "id"), port=free_port())
    pages: list[str] = []

    def stranger(_: str) -> None:
        address = f"http://127.0.0.1:{app.port}/callback?code=abc&state=guessed"
        threading.Thread(target=lambda: pages.append(browse(address, {})), daemon=True).start()

    with pytest.raises(ConsentNeeded, match="did not belong to this login: 1"):
        login(app, connection="x", journal=Memory(), clock=SystemClock(), browser=False, timeout=1.5, say=stranger)
    assert "does not belong" in pages[0]


def test_the_address_asks_for_what_it_should(clock: SharedClock) -> None:
    """The address carries the state, the challenge, the scopes and the redirect that is registered, and no secret."""
    said: list[str] = []
    app = App("https://vendor.example/authorize?x=1", Application("https://vendor.example/t", "id", "secret-1"), "a b")

    class Impatient(SharedClock):
        def boot(self) -> float:
            self.advance(200)
            return super().boot()

    clock.__class__ = Impatient
    with pytest.raises(ConsentNeeded, match="nobody finished the login of x within 300 seconds"):
        login(app, connection="x", journal=Memory(), clock=clock, browser=False, say=said.append)
    query = {name: values[0] for name, values in parse_qs(urlsplit(said[0].splitlines()[-1]).query).items()}
    assert query["redirect_uri"] == "http://localhost:8765/callback" == app.redirect
    assert (query["x"], query["scope"], query["response_type"]) == ("1", "a b", "code")
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43 and len(query["state"]) >= 32
    assert "secret-1" not in said[0]


def test_a_port_that_is_taken_is_named(clock: SharedClock) -> None:
    """When the callback's port is taken the error names it, before anything is opened."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = App("https://vendor.example/a", Application("https://vendor.example/t", "id"), port=port)
        with pytest.raises(SettingsError, match=str(port)):
            login(app, connection="x", journal=Memory(), clock=clock, browser=False, say=lambda _: pytest.fail("asked"))


@pytest.mark.parametrize(
    ("status", "error", "expected"), [(400, "invalid_grant", ConsentNeeded), (401, "invalid_client", BadCredentials)]
)
def test_a_code_that_is_refused_is_not_sent_twice(status: int, error: str, expected: type[Exception]) -> None:
    """A code works once: when its exchange is refused there is one request and a clear error."""
    clock = SystemClock()
    with Server(InTurn(reply({"error": error}, status)), clock) as server:
        app = App(f"{server.url}/a", Application(f"{server.url}/t", "id", "secret-1"), port=free_port())

        def back(said: str) -> None:
            state = parse_qs(urlsplit(said.splitlines()[-1]).query)["state"][0]
            address = f"http://127.0.0.1:{app.port}/callback?code=the-code-123&state={state}"
            threading.Thread(target=browse, args=(address, {}), daemon=True).start()

        with pytest.raises(expected):
            login(app, connection="x", journal=Memory(), clock=clock, browser=False, timeout=20, say=back)
        assert len(server.arrived) == 1
        form = parse_qs(server.arrived[0].body.decode())
        assert form["code"] == ["the-code-123"] and len(form["code_verifier"][0]) >= 43


@pytest.mark.parametrize(
    ("connection", "name"), [("production/books/9f1c/2", "books"), ("books", "books"), ("a/b", "a/b")]
)
def test_the_next_command_names_the_connection_as_a_person_does(connection: str, name: str) -> None:
    """A key of environment, name and account is told by its name alone, which is what the command takes."""
    assert consent(connection, "gone").next_command == f"crosswalk connect {name}"
