from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from http_servers import Arrived, InTurn, Memory, Reply, Server, client, reply

from crosswalk.clock import SharedClock
from crosswalk.errors import (
    AccessDenied,
    AnswerLost,
    BadCredentials,
    ConsentNeeded,
    Invalid,
    SettingsError,
    Throttled,
    Unreachable,
)
from crosswalk.http.answer import ONCE, Retry
from crosswalk.http.auth import ApiKey, ClientCredentials, RefreshingOAuth2
from crosswalk.http.grants import Application
from crosswalk.http.protocols import Token

KEY = "key-0123456789"


@pytest.mark.parametrize(
    ("key", "header", "value"),
    [
        (ApiKey(KEY, header="X-Shopify-Access-Token"), "x-shopify-access-token", KEY),
        (ApiKey(KEY, header="Authorization", prefix="Bearer "), "authorization", f"Bearer {KEY}"),
        (ApiKey(KEY, pattern="{key}:"), "authorization", "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()),
        (ApiKey(KEY, pattern="me:{key}"), "authorization", "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()),
    ],
)
def test_a_key_goes_where_the_system_wants_it(clock: SharedClock, key: ApiKey, header: str, value: str) -> None:
    """An API key travels in the named header, with its prefix, or in Basic by its pattern."""
    with Server(InTurn(reply({})), clock) as server:
        client(server.url, clock, auth=key).request("GET", "/a")
    assert server.arrived[0].headers[header] == value


def test_a_key_in_the_query_leaves_other_parameters_alone(clock: SharedClock) -> None:
    """An API key in the query is added to what is there."""
    with Server(InTurn(reply({})), clock) as server:
        client(server.url, clock, auth=ApiKey(KEY, query="api_key")).request("GET", "/a", params={"page": 2, "x": None})
    assert server.arrived[0].path == f"/a?page=2&api_key={KEY}"


@pytest.mark.parametrize("wrong", ["", " key", "key\n", "kéy", "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused_at_once(wrong: str) -> None:
    """An empty key, or one with blanks or a line's end from a spreadsheet, is refused by the setting's name."""
    with pytest.raises(SettingsError, match="SHOPIFY_TOKEN"):
        ApiKey(wrong, header="X-Key", name="SHOPIFY_TOKEN")


def test_other_hosts_are_not_talked_to(clock: SharedClock) -> None:
    """Neither an address in the path nor a redirect takes credentials to a host that was not allowed."""
    with Server(InTurn(reply({})), clock) as other, Server(InTurn(reply({})), clock) as server:
        away = Server(InTurn(reply({}, 307, Location=f"{other.url}/steal")), clock)
        with client(away.url, clock, auth=ApiKey(KEY, header="X-Key"), allowed_hosts=["example.com"]) as http:
            with pytest.raises(Invalid, match="redirected"):
                http.request("GET", "/a")
            for address in ("http://localhost.evil.example/", "https://127.0.0.2/", "https://user@evil.example/"):
                with pytest.raises(SettingsError, match="not one of the addresses"):
                    http.request("GET", address)
            with pytest.raises(SettingsError, match="not encrypted"):
                http.request("GET", "http://example.com/")
            assert http.request("GET", f"{server.url}/b", repeat=ONCE).status == 200
        away.close()
        assert other.arrived == []


class Shelf:
    """A token store of one connection in memory, with the rules of the real one."""

    def __init__(self, token: Token | None = None) -> None:
        self.token = token
        self.holder = ""
        self.log: list[str] = []

    def read(self, connection: str) -> Token | None:
        return self.token

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        if self.holder:
            return False
        self.holder = holder
        self.log.append("claim")
        return True

    def release(self, connection: str, holder: str) -> None:
        if self.holder == holder:
            self.holder = ""
            self.log.append("release")

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        if (self.token.version if self.token else 0) != expected_version:
            return False
        self.token = Token(
            token.access, token.issued_at, token.expires_at, token.refresh, token.scope, expected_version + 1
        )
        self.log.append("save")
        return True


class Vendor:
    """An API that wants the newest token, and a token endpoint that gives replies in turn, then good tokens."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.count = 0
        self.always_401 = False

    def __call__(self, request: Arrived) -> Reply:
        if request.path != "/token":
            wanted = f"Bearer access-{self.count}"
            good = request.headers.get("authorization") == wanted and not self.always_401
            return reply({"ok": 1}) if good else reply({"error": "expired"}, 401)
        if self.replies:
            return self.replies.pop(0)
        self.count += 1
        return reply({"access_token": f"access-{self.count}", "expires_in": 1800, "refresh_token": f"re-{self.count}"})


def connected(clock: SharedClock) -> Shelf:
    return Shelf(Token("access-0", clock.now(), clock.now(), "refresh-0", "accounting", 7))


def auth(server: Server, shelf: Shelf, clock: SharedClock, **more: str) -> RefreshingOAuth2:
    application = Application(f"{server.url}/token", "id", "the-secret-1", **more)  # type: ignore[arg-type]
    return RefreshingOAuth2(connection="xero", application=application, store=shelf, clock=clock)


@pytest.mark.parametrize("how", ["basic", "form"])
def test_the_rotated_token_is_saved_before_it_is_used(clock: SharedClock, how: str) -> None:
    """A refresh claims, asks with the stored token, saves what comes, and only then is the new token used."""
    shelf, vendor = connected(clock), Vendor()

    def behave(request: Arrived) -> Reply:
        shelf.log.append(request.path)
        return vendor(request)

    with Server(behave, clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock, how=how))
        assert http.request("GET", "/a").status == 200
    assert shelf.log == ["claim", "/token", "save", "release", "/a"]
    form = parse_qs(server.arrived[0].body.decode())
    assert form["grant_type"] == ["refresh_token"] and form["refresh_token"] == ["refresh-0"]
    assert ("client_secret" in form) == (how == "form")
    assert ("authorization" in server.arrived[0].headers) == (how == "basic")
    token = shelf.token
    assert token is not None and (token.access, token.refresh, token.version) == ("access-1", "re-1", 8)
    assert token.scope == "accounting"


def test_threads_of_a_process_do_not_crowd_the_store(clock: SharedClock) -> None:
    """Of many threads that need a new token, one asks the store for the claim; the others wait for its result."""
    shelf, asked = connected(clock), []
    claim = shelf.claim
    shelf.claim = lambda *values: asked.append(values) or claim(*values)  # type: ignore[method-assign,func-returns-value]
    with Server(Vendor(), clock) as server, ThreadPoolExecutor(16) as threads:
        http = client(server.url, clock, auth=auth(server, shelf, clock), timeout=10)
        calls = [threads.submit(http.request, "GET", "/a") for _ in range(32)]
        assert [call.result().status for call in calls] == [200] * 32
    assert len(asked) == 1


def test_the_leeway_is_small_against_the_life(clock: SharedClock) -> None:
    """A token is used until shortly before its end, also one that lives for seconds only."""
    for life, early, late in ((1800.0, 1730, 1745), (10.0, 9, 9.8)):
        clock.advance(100)
        now = clock.now()
        shelf = Shelf(Token("access-0", now, now.fromtimestamp(now.timestamp() + life, now.tzinfo), "r", "", 1))
        with Server(Vendor(), clock) as server:
            http = client(server.url, clock, auth=auth(server, shelf, clock))
            clock.advance(early)
            http.request("GET", "/a")
            assert [request.path for request in server.arrived] == ["/a"]
            clock.advance(late - early)
            http.request("GET", "/a")
            assert [request.path for request in server.arrived] == ["/a", "/token", "/a"]


def test_a_write_is_repeated_after_a_401_once(clock: SharedClock) -> None:
    """A 401 with a token that was thought live means one renewal and one more try, for a ONCE request too."""
    shelf = Shelf(Token("stale", clock.now(), None, "refresh-0", "", 1))
    with Server(Vendor(), clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock))
        assert http.request("POST", "/a", json={}, repeat=ONCE).status == 200
        assert [request.path for request in server.arrived] == ["/a", "/token", "/a"]


def test_an_api_that_refuses_every_token_is_not_asked_for_ever(clock: SharedClock) -> None:
    """When a fresh token is refused as well the credentials are bad; later requests do not renew it again."""
    vendor, shelf = Vendor(), connected(clock)
    vendor.always_401 = True
    with Server(vendor, clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock))
        for _ in range(5):
            with pytest.raises(BadCredentials):
                http.request("GET", "/a")
        assert [request.path for request in server.arrived].count("/token") == 2


def test_a_missing_scope_is_not_an_expired_token(clock: SharedClock) -> None:
    """A 401 or 403 that says that a scope is missing is AccessDenied and renews nothing."""
    shelf = Shelf(Token("good", clock.now(), None, "refresh-0", "", 1))
    missing = reply({}, 401, WWW_Authenticate='Bearer error="insufficient_scope"')
    with Server(InTurn(missing, reply({}, 403)), clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock))
        for _ in range(2):
            with pytest.raises(AccessDenied):
                http.request("GET", "/a")
        assert [request.path for request in server.arrived] == ["/a", "/a"]


TROUBLE = {
    "lost": Reply(cut=0),
    "reset": Reply(reset=True),
    "503": reply({}, 503),
    "server_error": reply({"error": "server_error"}, 400),
    "no token": reply({"no": "token"}),
    "throttled": reply({}, 429, Retry_After="5"),
    "a page": Reply(body=b"<html>"),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
def test_trouble_at_the_token_endpoint_passes(clock: SharedClock, trouble: Reply) -> None:
    """A token call that fails in passing is tried again with the same refresh token, for a ONCE request too."""
    shelf, vendor = connected(clock), Vendor(trouble, trouble)
    with Server(vendor, clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock))
        assert http.request("POST", "/a", json={}, repeat=ONCE).status == 200
        asked = [parse_qs(request.body.decode()) for request in server.arrived if request.path == "/token"]
    assert len(asked) == 3 and all(form["refresh_token"] == ["refresh-0"] for form in asked)
    assert shelf.holder == ""


def test_a_token_call_that_stays_lost_sent_nothing_of_ours(clock: SharedClock) -> None:
    """When only the token call was lost, the request itself was not sent, and the error says so."""
    shelf, journal = connected(clock), Memory()
    with Server(InTurn(Reply(cut=0)), clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock), journal=journal, retry=Retry(tries=2))
        with pytest.raises(Unreachable, match="nothing was sent"):
            http.request("POST", "/a", json={}, repeat=ONCE)
    assert [sent.kind for sent in journal.sent] == ["token", "token"]


def test_wrong_application_credentials_are_no_matter_of_consent(clock: SharedClock) -> None:
    """invalid_client is BadCredentials with the next command; a missing grant is ConsentNeeded; neither is retried."""
    refused = reply({"error": "invalid_client", "error_description": "the-secret-1 is wrong"}, 401)
    with Server(Vendor(refused), clock) as server:
        http = client(server.url, clock, auth=auth(server, connected(clock), clock))
        with pytest.raises(BadCredentials, match="crosswalk connections check xero") as caught:
            http.request("GET", "/a")
        assert not isinstance(caught.value, ConsentNeeded)
        assert "the-secret-1" not in caught.value.body and "[redacted] is wrong" in caught.value.body
        http = client(server.url, clock, auth=auth(server, Shelf(), clock))
        with pytest.raises(ConsentNeeded, match="crosswalk connect xero"):
            http.request("GET", "/a")
        assert len(server.arrived) == 1


def test_a_long_wait_at_the_token_endpoint_hands_the_work_back(clock: SharedClock) -> None:
    """A token endpoint that wants an hour's pause gets it: Throttled carries the wait."""
    with Server(Vendor(reply({}, 429, Retry_After="3600")), clock) as server:
        http = client(server.url, clock, auth=auth(server, connected(clock), clock))
        with pytest.raises(Throttled) as caught:
            http.request("GET", "/a")
        assert caught.value.wait == 3600


def test_a_process_that_was_held_up_does_not_use_the_refresh_token(clock: SharedClock) -> None:
    """When the claim ran out before the token call could leave, it does not leave; the claim is made anew."""
    from crosswalk.points import install

    shelf, vendor, held = connected(clock), Vendor(), []

    def hold_up(name: str) -> None:
        if name == "http:before-send" and not held:
            held.append(clock.advance(90))

    with Server(vendor, clock) as server:
        install(hold_up)
        client(server.url, clock, auth=auth(server, shelf, clock)).request("GET", "/a")
        assert [request.path for request in server.arrived] == ["/token", "/a"]
    assert shelf.log.count("claim") == 2


def test_client_credentials_in_shopifys_header(clock: SharedClock) -> None:
    """The 24-hour token travels in the header that the system names, without a prefix."""
    shelf = Shelf()
    with Server(InTurn(reply({"access_token": "shpat_1", "expires_in": 86399}), reply({})), clock) as server:
        application = Application(f"{server.url}/token", "id", "the-secret-1")
        way = ClientCredentials(
            connection="shop",
            application=application,
            store=shelf,
            clock=clock,
            header="X-Shopify-Access-Token",
            prefix="",
        )
        client(server.url, clock, auth=way).request("GET", "/a")
    assert server.arrived[1].headers["x-shopify-access-token"] == "shpat_1"
    assert shelf.token is not None and shelf.token.expires_at is not None
    assert (shelf.token.expires_at - shelf.token.issued_at).total_seconds() == 86399


def test_a_lost_write_is_in_doubt_even_after_a_renewal(clock: SharedClock, tmp_path: Path) -> None:
    """A write whose second try, after a renewal, is lost is AnswerLost: it may have been carried out."""
    shelf = Shelf(Token("stale", clock.now(), None, "refresh-0", "", 1))
    replies = InTurn(reply({}, 401), reply({"access_token": "a-2", "expires_in": 60}), Reply(cut=0))
    with Server(replies, clock) as server:
        http = client(server.url, clock, auth=auth(server, shelf, clock))
        with pytest.raises(AnswerLost):
            http.request("POST", "/a", json={}, repeat=ONCE)
        assert len(server.arrived) == 3
