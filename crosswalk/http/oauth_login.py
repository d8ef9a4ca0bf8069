"""A person connects an account in the browser: authorization code with PKCE, called back on http://localhost."""

from __future__ import annotations

import base64
import hashlib
import html
import http.server
import secrets
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit

from crosswalk.clock import Clock
from crosswalk.errors import ConsentNeeded, SettingsError
from crosswalk.http import redact
from crosswalk.http.answer import ONCE
from crosswalk.http.client import Client
from crosswalk.http.grants import Application, named, token_error, token_from
from crosswalk.http.limits import NoLimit
from crosswalk.http.protocols import Account, Journal, Token


@dataclass(frozen=True)
class App:
    """An application that people log in to. ``port`` and ``path`` make the redirect address registered at the vendor.

    extra: further parameters of the authorize address. issuer: checked when the vendor says who it is.
    """

    authorize_url: str
    application: Application
    scope: str = ""
    port: int = 8765
    path: str = "/callback"
    extra: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""

    @property
    def redirect(self) -> str:
        """The address to register with the vendor."""
        return f"http://localhost:{self.port}{self.path}"


def login(
    app: App,
    *,
    connection: str,
    journal: Journal,
    clock: Clock,
    browser: bool = True,
    timeout: float = 300,
    say: Callable[[str], None] = print,
) -> Token:
    """Send the person to the vendor, wait for the way back, and exchange the code; the token is not saved here.

    ConsentNeeded: refused by the person or not done within ``timeout`` seconds. SettingsError: the port is taken.
    BadCredentials: the vendor does not accept our application.
    """
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(24)
    redact.register(verifier, state)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": app.application.client_id,
        "redirect_uri": app.redirect,
        "scope": app.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **app.extra,
    }
    address = f"{app.authorize_url}{'&' if '?' in app.authorize_url else '?'}{urlencode(query)}"
    with _Callback(app, connection, state) as callback:
        say(f"Open this address to connect {connection}:\n{address}")
        if browser:
            webbrowser.open(address)
        code = callback.wait(clock, timeout)
    redact.register(code)
    return _exchange(app, connection, code, verifier, journal, clock)


def _exchange(app: App, connection: str, code: str, verifier: str, journal: Journal, clock: Clock) -> Token:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect,
        "code_verifier": verifier,
    }
    headers, form = app.application.sign(form)
    client = Client(
        connection=connection,
        base_url=app.application.token_url,
        auth=None,
        limiter=NoLimit(),
        account=Account(connection),
        journal=journal,
        clock=clock,
        classify=partial(token_error, connection),
    )
    with client:
        return token_from(connection, client.request("POST", "", form=form, headers=headers, repeat=ONCE))


class _Callback(http.server.HTTPServer):
    """Answers the browser until the vendor's redirect with our state has come; nothing else counts."""

    def __init__(self, app: App, connection: str, state: str) -> None:
        try:
            super().__init__(("127.0.0.1", app.port), _Page)
        except OSError as error:
            raise SettingsError(
                f"the login of {connection} needs port {app.port} of this machine, which is taken: {error}",
                safe="nothing has changed",
            ) from None
        self.timeout = 0.2
        self.app, self.connection, self.state = app, connection, state
        self.code, self.error, self.strangers = "", "", 0

    def wait(self, clock: Clock, timeout: float) -> str:
        until = clock.boot() + timeout
        while not self.code and not self.error and clock.boot() < until:
            self.handle_request()
        if self.code:
            return self.code
        if self.error:
            what = f"the login of {self.connection} was refused: {self.error}"
        else:
            what = f"nobody finished the login of {self.connection} within {timeout:g} seconds"
            if self.strangers:
                what += f"; answers came that did not belong to this login: {self.strangers}"
        raise ConsentNeeded(
            what, safe="nothing has changed", next_command=f"crosswalk connect {named(self.connection)}"
        )

    def take(self, query: dict[str, str]) -> bool:
        """Whether this is the answer to our question."""
        issuer = query.get("iss", "")
        ours = secrets.compare_digest(query.get("state", "").encode(), self.state.encode())
        if not ours or (self.app.issuer and issuer and issuer != self.app.issuer):
            self.strangers += 1
            return False
        self.code = query.get("code", "")
        if not self.code:
            self.error = redact.text(" ".join(filter(None, (query.get("error"), query.get("error_description")))))
            self.error = self.error or "the answer has no code"
        return True


class _Page(http.server.BaseHTTPRequestHandler):
    """The page that the person sees last."""

    server: _Callback
    timeout = 5

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != self.server.app.path:
            return self._say(404, "Nothing here.")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self.server.take(query):
            return self._say(400, "This answer does not belong to the login that is waiting. Please start again.")
        if self.server.error:
            return self._say(200, f"{self.server.connection} was not connected: {self.server.error}")
        return self._say(200, f"{self.server.connection} is nearly connected. You can close this page.")

    def _say(self, status: int, sentence: str) -> None:
        body = f"<!doctype html><meta charset=utf-8><title>Crosswalk</title><p>{html.escape(sentence)}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The address carries the code: nothing is logged."""
