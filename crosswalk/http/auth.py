"""How a connection proves who it is. Token flows renew once for all threads and processes that share a token store."""

from __future__ import annotations

import random
import secrets
import select
import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from crosswalk.clock import Clock
from crosswalk.errors import ConsentNeeded, ServerFault, SettingsError, Unreachable
from crosswalk.http import redact
from crosswalk.http.answer import Answer
from crosswalk.http.grants import Application, basic, consent, token_error, token_from
from crosswalk.http.library import httpx
from crosswalk.http.protocols import Token, TokenStore
from crosswalk.http.wire import CALL, Call

Flow = Generator[httpx.Request, httpx.Response, None]
CLAIM = 60.0
TIMEOUT = 20.0
GRACE = 600.0


class Auth(httpx.Auth):
    """What adds credentials to requests. ``hosts``: addresses it talks to besides the API's own."""

    hosts: Collection[str] = ()


class ApiKey(Auth):
    """A key that does not change, in one place: a header, a query parameter, or HTTP Basic.

    pattern: user and password of Basic, with ``{key}``, e.g. ``{key}:`` or ``shop:{key}``.
    """

    def __init__(
        self, key: str, *, header: str = "", prefix: str = "", query: str = "", pattern: str = "", name: str = ""
    ) -> None:
        if sum(map(bool, (header, query, pattern))) != 1:
            raise SettingsError("an API key needs exactly one of header, query and pattern")
        if not key or not key.isascii() or not key.isprintable() or key != key.strip():
            raise SettingsError(f"{name or 'the API key'} is empty, or has blanks or characters that no key has")
        redact.register(key)
        self._header, self._value, self._query = header, prefix + key, query
        if pattern:
            self._header, self._value = "Authorization", "Basic " + basic(pattern.format(key=key))

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        if self._query:
            request.url = request.url.copy_merge_params({self._query: self._value})
        else:
            request.headers[self._header] = self._value
        yield request


class TokenAuth(Auth):
    """An access token that is renewed: the base of the OAuth flows, which only say what they ask for.

    The right to renew is claimed in the store and committed before the call; the new token is saved by compare-and-set
    before it is used. A rejected token that was thought live leads to one renewal and one retry.
    """

    def __init__(
        self,
        *,
        connection: str,
        application: Application,
        store: TokenStore,
        clock: Clock,
        scope: str = "",
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> None:
        self.connection, self.scope = connection, scope
        self.hosts = (httpx.URL(application.token_url).host,)
        self._application, self._store, self._clock = application, store, clock
        self._header, self._prefix = header, prefix
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refused: int | None = None
        self._gone: tuple[int, datetime] | None = None
        application.sign({})

    def ask(self, token: Token | None) -> dict[str, str]:
        """The form of the token request; ConsentNeeded when there is nothing to ask with."""
        raise NotImplementedError

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
        return self._clock.now() < token.expires_at - timedelta(seconds=min(60.0, life * 0.05))

    def _renew(self, stale: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        """A token other than ``stale`` that is live, renewed here or by whoever came first."""
        with self._lock:
            mine = secrets.token_hex(16)
            give_up = self._clock.boot() + 2 * CLAIM
            while self._clock.boot() < give_up:
                token = self._stored()
                if token is not None and self._usable(token, stale):
                    return token
                self._stop_if_gone(token)
                began = self._clock.boot()
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
        yield request
        answer: Answer = request.extensions[CALL].answer
        version = token.version if token else 0
        error = token_error(self.connection, answer)
        if isinstance(error, ConsentNeeded):
            if self._changed(version):
                return None
            self._gone = (version, self._clock.now())
        try:
            if error is not None:
                raise error
            renewed = token_from(self.connection, answer, token)
        except ServerFault as fault:
            raise Unreachable(f"the token could not be renewed, so nothing was sent: {fault.what}") from None
        if not self._store.save(self.connection, renewed, version):
            return None
        return self._stored()

    def _request(self, form: dict[str, str], began: float) -> httpx.Request:
        headers, form = self._application.sign(form)
        call = Call(TIMEOUT, kind="token")
        call.may_send = partial(self._may_send, began)
        url = self._application.token_url
        return httpx.Request("POST", url, data=form, headers=headers, extensions=call.extensions())

    def _may_send(self, began: float) -> None:
        """A process that was held up must not use a refresh token that another has taken over by now."""
        if self._clock.boot() >= began + CLAIM - TIMEOUT:
            raise Unreachable(f"{self.connection}: the right to renew the token has run out", safe="nothing was sent")

    def _stored(self) -> Token | None:
        token = self._store.read(self.connection)
        if token is not None and (self._token is None or token.version != self._token.version):
            redact.register(token.access, token.refresh)
            self._token = token
        return token

    def _usable(self, token: Token, stale: Token | None) -> bool:
        return self._live(token) and (stale is None or token.version != stale.version)

    def _stop_if_gone(self, token: Token | None) -> None:
        """A grant that was refused is not tried again by this process until it changes or ten minutes pass."""
        if self._gone is None or token is None or token.version != self._gone[0]:
            return
        if self._clock.now() < self._gone[1] + timedelta(seconds=GRACE):
            raise consent(self.connection, f"{self.connection}: the grant is gone", status=400)

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
        self._clock.sleep(random.uniform(0.02, 0.1))  # not for secrets
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
            raise consent(self.connection, f"{self.connection}: nobody has connected this account yet")
        if not token.refresh:
            raise consent(self.connection, f"{self.connection}: the token has ended and the grant has no refresh token")
        return {"grant_type": "refresh_token", "refresh_token": token.refresh}
