"""How a connection proves who it is. Token flows renew once for all threads and processes that share a token store."""

from __future__ import annotations

import base64
import random
import select
import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx

from crosswalk.clock import Clock
from crosswalk.errors import (
    AccessDenied,
    AnswerLost,
    BadCredentials,
    ConsentNeeded,
    Invalid,
    ServerFault,
    SettingsError,
    Unreachable,
    VendorError,
)
from crosswalk.http import redact
from crosswalk.http.answer import Answer, classify
from crosswalk.http.holders import holder
from crosswalk.http.protocols import Token, TokenStore
from crosswalk.http.wire import Call, Fence

Flow = Generator[httpx.Request, httpx.Response, None]
CLAIM = 60.0
TIMEOUT = 20.0
GRACE = 600.0


class Auth(httpx.Auth):
    """What adds credentials to requests. ``hosts``: addresses it talks to besides the API's own."""

    hosts: Collection[str] = ()


class ApiKey(Auth):
    """A key that does not change, in one place: a header, a query parameter, or HTTP Basic.

    basic: the user and password pattern with ``{key}``, e.g. ``{key}:`` or ``shop:{key}``.
    """

    def __init__(
        self, key: str, *, header: str = "", prefix: str = "", query: str = "", basic: str = "", name: str = ""
    ) -> None:
        if sum(map(bool, (header, query, basic))) != 1:
            raise SettingsError("an API key needs exactly one of header, query and basic")
        if not key or not key.isascii() or not key.isprintable() or key != key.strip():
            raise SettingsError(f"{name or 'the API key'} is empty, or has blanks or characters that no key has")
        redact.register(key)
        self._header, self._value, self._query = header, prefix + key, query
        if basic:
            self._header, self._value = "Authorization", "Basic " + basic_value(basic.format(key=key))

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        if self._query:
            request.url = request.url.copy_merge_params({self._query: self._value})
        else:
            request.headers[self._header] = self._value
        yield request


def basic_value(pair: str) -> str:
    """base64 of ``user:password``, registered as a secret."""
    value = base64.b64encode(pair.encode()).decode()
    redact.register(value)
    return value


class TokenAuth(Auth):
    """An access token that is renewed: the base of the OAuth flows, which only say what they ask for.

    The right to renew is claimed in the store and committed before the call; the new token is saved by compare-and-set
    before it is used. A rejected token that was thought live leads to one renewal and one retry.
    """

    def __init__(
        self,
        *,
        connection: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        store: TokenStore,
        clock: Clock,
        scope: str = "",
        client_auth: Literal["basic", "form"] = "form",
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> None:
        self.connection, self.token_url, self.clock, self.scope = connection, token_url, clock, scope
        self.hosts = (httpx.URL(token_url).host,)
        self._id, self._secret, self._client_auth = client_id, client_secret, client_auth
        self._store, self._header, self._prefix = store, header, prefix
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refused: int | None = None
        self._gone: tuple[int, datetime] | None = None
        if client_secret:
            redact.register(client_secret, basic_value(f"{client_id}:{client_secret}"))

    def ask(self, token: Token | None) -> dict[str, str]:
        """The form of the token request; ConsentNeeded when there is nothing to ask with."""
        raise NotImplementedError

    def refused(self, code: str, answer: Answer) -> VendorError:
        """The error of a 400 or 401 that does not say that the grant is gone."""
        return BadCredentials(
            f"{self.connection}: the token request was refused ({code or answer.status})",
            status=answer.status,
            code=code,
            body=redact.body(answer.body, answer.header("content-type"))[:2000],
            next_command=f"crosswalk connections check {self.connection}",
        )

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        token = self._token
        if token is None or not self._live(token):
            token = yield from self._renew(token)
        request.headers[self._header] = self._prefix + token.access
        response = yield request
        if response.status_code != 401 or "insufficient_scope" in response.headers.get("www-authenticate", ""):
            return
        if token.version == self._refused:
            return
        fresh = yield from self._renew(token)
        request.headers[self._header] = self._prefix + fresh.access
        response = yield request
        if response.status_code == 401:
            self._refused = fresh.version

    def _live(self, token: Token) -> bool:
        """Whether it will still do for a request; the leeway is small against its life."""
        if token.expires_at is None:
            return True
        life = (token.expires_at - token.issued_at).total_seconds()
        return self.clock.now() < token.expires_at - timedelta(seconds=min(60.0, life * 0.05))

    def _renew(self, stale: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        """A token other than ``stale`` that is live, renewed here or by whoever came first."""
        with self._lock:
            mine = holder()
            give_up = self.clock.boot() + 2 * CLAIM
            while self.clock.boot() < give_up:
                token = self._stored()
                if token is not None and self._usable(token, stale):
                    return token
                self._stop_if_gone(token)
                began = self.clock.boot()
                if not self._store.claim(self.connection, mine, CLAIM):
                    self._pause()
                    continue
                with self._released(mine):
                    token = self._stored()
                    if token is not None and self._usable(token, stale):
                        return token
                    renewed = yield from self._call(token, began)
                if renewed is not None:
                    return renewed
            raise Unreachable(
                f"{self.connection}: another process has been renewing the token for {2 * CLAIM:g} seconds",
                safe="nothing was sent",
            )

    def _call(self, token: Token | None, began: float) -> Generator[httpx.Request, httpx.Response, Token | None]:
        """Ask for a token and save it; None when another process turns out to have saved one."""
        request = self._request(self.ask(token), began)
        response = yield request
        answer: Answer = request.extensions["crosswalk"].answer
        version = token.version if token else 0
        try:
            renewed = self.understand(answer, token)
        except ConsentNeeded:
            if self._changed(version):
                return None
            self._gone = (version, self.clock.now())
            raise
        finally:
            response.close()
        redact.register(renewed.access, renewed.refresh)
        if not self._store.save(self.connection, renewed, version):
            return None
        return self._stored()

    def _request(self, form: dict[str, str], began: float) -> httpx.Request:
        headers = {"Accept": "application/json"}
        if self._client_auth == "basic" and self._secret:
            headers["Authorization"] = "Basic " + basic_value(f"{self._id}:{self._secret}")
        else:
            form = {**form, "client_id": self._id, **({"client_secret": self._secret} if self._secret else {})}
        call = Call(TIMEOUT, kind="token")
        call.may_send = Fence(self.clock, began + CLAIM - TIMEOUT, f"{self.connection}: token request")
        return httpx.Request("POST", self.token_url, data=form, headers=headers, extensions=call.extensions())

    def understand(self, answer: Answer, before: Token | None) -> Token:
        """The token of an answer. The refresh token stays when no new one comes."""
        error = classify(answer)
        if error is not None:
            raise self._token_error(error, answer)
        try:
            found = answer.json()
            access, seconds = str(found["access_token"]), found.get("expires_in")
            life = None if seconds is None else timedelta(seconds=float(seconds))
        except (AnswerLost, KeyError, TypeError, ValueError, AttributeError):
            raise ServerFault(f"{self.connection}: the token answer has no token", status=answer.status) from None
        return Token(
            access=access,
            issued_at=answer.sent_at,
            expires_at=None if life is None else answer.sent_at + life,
            refresh=str(found.get("refresh_token") or (before.refresh if before else "")),
            scope=str(found.get("scope") or (before.scope if before else self.scope)),
        )

    def _token_error(self, error: VendorError, answer: Answer) -> VendorError:
        if not isinstance(error, (Invalid, BadCredentials, AccessDenied)):
            error.what = f"{self.connection}: the token request {error.what}"
            error.body = redact.body(error.body.encode(), answer.header("content-type"))
            return error
        code = _error_code(answer)
        if code == "invalid_grant":
            return self.consent(f"{self.connection}: the grant is gone", answer.status)
        if code in ("temporarily_unavailable", "server_error"):
            return ServerFault(f"{self.connection}: the token request failed ({code})", status=answer.status, code=code)
        return self.refused(code, answer)

    def consent(self, what: str, status: int = 0) -> ConsentNeeded:
        """The error that asks for a person."""
        return ConsentNeeded(
            what,
            status=status,
            code="invalid_grant" if status else "",
            safe="nothing was sent; what is pending stays pending",
            next_command=f"crosswalk connect {self.connection}",
        )

    def _stored(self) -> Token | None:
        token = self._store.read(self.connection)
        if token is not None:
            redact.register(token.access, token.refresh)
            self._token = token
        return token

    def _usable(self, token: Token, stale: Token | None) -> bool:
        return self._live(token) and (stale is None or token.version != stale.version)

    def _stop_if_gone(self, token: Token | None) -> None:
        """A grant that was refused is not tried again by this process until it changes or ten minutes pass."""
        if self._gone is None or token is None or token.version != self._gone[0]:
            return
        if self.clock.now() < self._gone[1] + timedelta(seconds=GRACE):
            raise self.consent(f"{self.connection}: the grant is gone", 400)

    def _changed(self, version: int) -> bool:
        """Whether another process has saved a token meanwhile; it gets a moment to do so."""
        for _ in range(3):
            token = self._stored()
            if token is not None and token.version != version:
                return True
            self._pause()
        return False

    def _pause(self) -> None:
        """Give another process a moment; a clock that stands still does not give it one."""
        self.clock.sleep(random.uniform(0.02, 0.1))  # not for secrets
        select.select([], [], [], 0.005)

    @contextmanager
    def _released(self, mine: str) -> Iterator[None]:
        try:
            yield
        finally:
            self._store.release(self.connection, mine)


class ClientCredentials(TokenAuth):
    """Machine to machine: asks for a new token whenever the old one ends (Shopify: after 24 hours)."""

    def ask(self, token: Token | None) -> dict[str, str]:
        return {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}


class RefreshingOAuth2(TokenAuth):
    """A person's grant, kept alive by a refresh token that may change each time it is used."""

    def ask(self, token: Token | None) -> dict[str, str]:
        if token is None:
            raise self.consent(f"{self.connection}: nobody has connected this account yet")
        if not token.refresh:
            raise self.consent(f"{self.connection}: the token has ended and the grant has no refresh token")
        return {"grant_type": "refresh_token", "refresh_token": token.refresh}


def _error_code(answer: Answer) -> str:
    try:
        found: Any = answer.json()
        return str(found.get("error", ""))
    except (AnswerLost, AttributeError):
        return ""
