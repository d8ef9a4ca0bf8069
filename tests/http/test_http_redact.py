from __future__ import annotations

import base64
import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from http_servers import Arrived, InTurn, Reply, Server, client, reply
from hypothesis import given
from hypothesis import strategies as st

from crosswalk.clock import SharedClock
from crosswalk.errors import CrosswalkError, VendorError
from crosswalk.http import redact
from crosswalk.http.answer import ONCE
from crosswalk.http.auth import ApiKey
from crosswalk.http.journal import Bodies, SqliteJournal, tagged

SECRET = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=6, max_size=40).filter(
    lambda value: len(set(value)) > 3 and value == value.strip()
)
AROUND = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
WRAPPINGS = {
    "plain": str,
    "url": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "lower": lambda value: re.sub("%..", lambda match: match[0].lower(), quote(value, safe="")),
    "json": json.dumps,
    "utf-8 json": lambda value: json.dumps(value, ensure_ascii=False),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(b"id:" + value.encode()).decode(),
    "basic of a name": lambda value: base64.b64encode(b"name:" + value.encode() + b"!").decode(),
    "urlsafe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "repr": repr,
}


@pytest.mark.parametrize("wrap", WRAPPINGS)
@given(SECRET, AROUND, AROUND)
def test_a_known_value_never_comes_out(wrap: str, secret: str, before: str, after: str) -> None:
    """A registered secret is taken out of any text, in the forms in which it travels."""
    redact.register(secret)
    wrapped = WRAPPINGS[wrap](secret)
    core = wrapped.strip("=\"'")
    safe = redact.text(f"{before} {wrapped} {after}")
    around = f"{before}{redact.GONE}{after}"
    assert secret not in safe or secret in around
    if not wrap.startswith("basic"):
        assert core not in safe or core in around
    assert not any(secret.encode() in found for found in decoded(safe)) or secret in around


def decoded(text: str) -> Iterator[bytes]:
    """What an attacker reads out of the base64 in a text, at any offset."""
    for run in re.findall(r"[A-Za-z0-9+/]{6,}", text):
        for start in range(4):
            piece = run[start:]
            yield base64.b64decode(piece[: len(piece) // 4 * 4] + "A" * 4)


NAMES = ["access_token", "refreshToken", "X-Shopify-Access-Token", "client_secret", "password", "Authorization", "sig"]
NAMES += ["Set-Cookie", "api_key", "apiKey", "id_token", "code_verifier", "client_assertion", "hmac"]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_under_a_secret_name_never_comes_out(name: str) -> None:
    """What stands under a secret name goes, known or not, in headers, addresses, forms and JSON at any depth."""
    value = "Zq9-unseen-value-77"
    assert value not in redact.headers({name: value})[name]
    assert value not in redact.url(f"https://user:pw@host/a?x=1&{name}={value}&y=2#{value}")
    assert value not in redact.body(f"grant=x&{name}={value}".encode(), "application/x-www-form-urlencoded")
    for content in ({name: value}, {"a": [{"b": {name: value}}]}, {name: {"deep": [value]}}):
        assert value not in redact.body(json.dumps(content).encode(), "application/json")
    assert value not in redact.text(f"it said {name}={value}, then stopped")
    assert value not in redact.text(f'cut {{"{name}": "{value}", "x')


def test_what_explains_an_error_stays() -> None:
    """Error codes, account codes, idempotency keys and plain keys are no secrets, and amounts keep their digits."""
    body = {"errors": [{"extensions": {"code": "THROTTLED"}}], "AccountCode": "4010", "key": "sku", "Code": "4010"}
    assert json.loads(redact.body(json.dumps(body).encode(), "application/json")) == body
    assert redact.headers({"Idempotency-Key": "h1:0123456789abcdef"})["Idempotency-Key"] == "h1:0123456789abcdef"
    assert redact.body(b'{"Total": 1.10}', "application/json") == '{"Total":1.10}'
    assert redact.url("https://host/a?code=4%2F0AbCdEf12345&page=2") == "https://host/a?code=[redacted]&page=2"
    assert "page=2" in redact.url("https://host/a?key=AIzaSyD-12345678&page=2")


def test_forgetting_is_bounded_and_oldest_first() -> None:
    """Registering tokens for ever does not grow without bound; what is registered again stays."""
    redact.register("the-client-secret-itself")
    for number in range(redact.KEPT * 2):
        redact.register(f"rotated-token-number-{number}")
        redact.register("the-client-secret-itself")
    assert redact.text("the-client-secret-itself") == redact.GONE
    assert redact.text(f"rotated-token-number-{redact.KEPT * 2 - 1}") == redact.GONE


CANARIES = [f"canary{number:02d}-Qx7Lm{number * 7919}zR" for number in range(40)]


def spread(request: Arrived) -> Reply:
    """A vendor that echoes everything it was sent, in every place an answer has."""
    echoed = {"said": request.body.decode(), "path": request.path, "headers": dict(request.headers)}
    headers = {"X-Request-Id": request.headers.get("x-custom", "-"), "Set-Cookie": f"session={CANARIES[3]}"}
    return Reply(400, json.dumps(echoed).encode(), {"Content-Type": "application/json", **headers})


def canary_calls(url: str, clock: SharedClock, journal: SqliteJournal) -> list[CrosswalkError]:
    """Requests that carry each canary somewhere, all refused with an echo; then lost, and then impossible ones."""
    errors: list[CrosswalkError] = []
    known, named = CANARIES[:10], CANARIES[10:]
    redact.register(*known)
    keys = [
        ApiKey(named[0], header="X-Shopify-Access-Token"),
        ApiKey(named[1], query="api_key"),
        ApiKey(named[2], pattern="shop:{key}"),
        ApiKey(named[3], header="Authorization", prefix="Bearer "),
    ]
    for key in keys:
        with client(url, clock, auth=key, journal=journal) as http:
            for canary in CANARIES:
                ways = [
                    {"json": {"token": canary, "deep": [{"client_secret": canary}]}},
                    {"form": {"refresh_token": canary, "password": canary}},
                    {"json": {}, "params": {"access_token": canary}},
                    {"json": {}, "headers": {"Authorization": f"Bearer {canary}"}},
                ]
                if canary in known:
                    ways += [{"json": {"note": f"see {canary}"}}, {"json": {}, "headers": {"X-Custom": canary}}]
                    ways += [{"path": f"/reset/{canary}"}, {"path": "/bad", "headers": {"X-A": f"{canary}\n"}}]
                for way in ways:
                    path = str(way.pop("path", "/echo"))
                    try:
                        http.request("POST", path, repeat=ONCE, **way)  # type: ignore[arg-type]
                    except CrosswalkError as error:
                        errors.append(error)
    return errors


def test_r18_planted_secrets_are_found_nowhere(
    tmp_path: Path, clock: SharedClock, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """R18: forty canaries in headers, addresses, bodies, tokens and errors are in no log, file, error or traceback."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies"))

    def behave(request: Arrived) -> Reply:
        return Reply(reset=True) if request.path.startswith("/reset") else spread(request)

    with caplog.at_level(logging.DEBUG), Server(behave, clock) as server, tagged(run="r18"):
        errors = canary_calls(server.url, clock, journal)
        arrived = len(server.arrived)
    assert arrived > 600
    told = [caplog.text, *capfd.readouterr()]
    for error in errors:
        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
        told += [error.body] if isinstance(error, VendorError) else []
    entries = journal.entries()
    told += [repr(entry) for entry in entries] + [text for entry in entries for text in journal.body(entry)]
    told += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("journal.db*")]
    everything = "\n".join(told)
    assert [canary for canary in CANARIES if canary in everything] == []
    assert sum(entry.outcome != "unsent" for entry in entries) == arrived
    assert len(errors) > 600 and "answered 400" in everything


def test_logs_of_the_http_library_are_guarded(clock: SharedClock, caplog: pytest.LogCaptureFixture) -> None:
    """The HTTP library logs addresses; what reaches a handler has no secret, and still says what happened."""
    key = ApiKey("log-secret-4711x", query="api_key")
    with caplog.at_level(logging.DEBUG), Server(InTurn(reply({})), clock) as server:
        client(server.url, clock, auth=key).request("GET", "/orders")
    assert "log-secret-4711x" not in caplog.text
    assert "/orders?api_key=[redacted]" in caplog.text


def test_long_text_costs_no_more_than_its_length() -> None:
    """Long text without a blank is redacted in linear time, and a second pass changes nothing."""
    began = time.process_time()
    redact.text("x" * 200_000)
    assert time.process_time() - began < 5
    once = redact.text("password=swordfish9 at https://u:hunter22@host/x?token=tok_998877")
    assert redact.text(once) == once


@pytest.mark.parametrize("longest", range(1, 700, 7))
def test_a_shortened_body_is_whole_values_and_tells_no_secret(longest: int) -> None:
    """However JSON is cut, what is kept is its beginning, closed, and neither names nor known values slip through."""
    redact.register("swordfish-4711")
    rows = [{"id": n, "a": 'x}"]', "password": 123456, "inner": {"token": ["t" * 9], "b": "is swordfish-4711"}}
            for n in range(9)]  # fmt: skip
    whole = redact.body(json.dumps({"orders": rows, "next": None}).encode(), "application/json")
    short = redact.body(json.dumps({"orders": rows, "next": None}).encode(), "application/json", longest)
    found = json.loads(short)["orders"]
    assert found == json.loads(whole)["orders"][: len(found) - 1] + found[-1:]
    assert "swordfish" not in short and "ttttttttt" not in short and "123456" not in short
    assert len(short) <= longest + 20 or short == whole


def test_a_pair_is_found_whatever_its_value_begins_with() -> None:
    """Instants pass quickly; a secret that begins with a digit does not."""
    assert redact.text("2026-11-24T01:02:03.000004Z") == "2026-11-24T01:02:03.000004Z"
    for text in ("password:123456", "password = 1", "token: 2026-11-24T01:02:03Z", "Bearer 123456"):
        assert redact.text(text).endswith(redact.GONE)
