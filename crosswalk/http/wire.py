"""The place every outbound request passes, token calls and retries included: limit, journal, points, fence.

Nothing else in the project opens a connection to a vendor, and only this package imports the HTTP library.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswalk.clock import Clock
from crosswalk.errors import AnswerLost, Fenced, SettingsError, StoreError, Unreachable, VendorError
from crosswalk.http import redact
from crosswalk.http.answer import SAFE, Answer, Repeat, Tell, http_date
from crosswalk.http.library import httpx
from crosswalk.http.protocols import Account, Ended, Journal, Kind, Limiter, Sent, Told
from crosswalk.points import point

LARGEST_ANSWER = 64 * 1024 * 1024
SLOWEST_ANSWER = 600.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CALL = "crosswalk"


@dataclass
class Call:
    """What belongs to one request while it is under way.

    may_send: raises when the bytes must not leave (any more); asked immediately before each time they do.
    in_doubt: bytes may have left and no whole answer came. seconds: how long the last try was under way.
    """

    timeout: float
    kind: Kind = "call"
    may_send: Callable[[], None] | None = None
    cost: float = 1
    priority: int = 0
    repeat: Repeat = SAFE
    attempt: int = 0
    in_doubt: bool = False
    seconds: float = 0.0
    answer: Answer | None = None

    def extensions(self) -> dict[str, Any]:
        """For the HTTP library's request: this, and the time-outs."""
        limits = httpx.Timeout(self.timeout, connect=min(10.0, self.timeout))
        return {CALL: self, "timeout": limits.as_dict()}


class VendorClock:
    """Our wall clock corrected by the vendor's Date header, by as little as the header's whole seconds prove."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.skew = 0.0

    def now(self) -> datetime:
        """The vendor's time, UTC."""
        return self._clock.now() + timedelta(seconds=self.skew)

    def learn(self, answer: Answer) -> None:
        """Take the Date of an answer that no cache has kept."""
        date = http_date(answer.header("date"))
        if date is None or answer.header("age"):
            return
        ahead = (date - answer.ended_at).total_seconds()
        behind = (date + timedelta(seconds=1) - answer.sent_at).total_seconds()
        self.skew = ahead if ahead > 0 else min(behind, 0.0)


class Fence:
    """Refuses to send once a moment on ``clock.boot()`` has passed."""

    def __init__(self, clock: Clock, not_after: float, what: str) -> None:
        self._clock, self._not_after, self._what = clock, not_after, what

    def __call__(self) -> None:
        if self._clock.boot() >= self._not_after:
            raise Fenced(
                f"{self._what}: the time in which this request might be sent is over, so it was not sent",
                safe="whoever has taken over finds out what came of earlier tries",
            )


class Wire(httpx.BaseTransport):
    """A transport that keeps the account of every request it carries."""

    def __init__(
        self,
        connection: str,
        allowed: Collection[str],
        *,
        limiter: Limiter,
        account: Account,
        tell: Tell | None,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._allowed = frozenset(host.lower() for host in allowed)
        self._limiter, self._account, self._tell = limiter, account, tell
        self._journal, self._clock = journal, clock
        self._inner: dict[str, httpx.HTTPTransport] = {}
        self.vendor = VendorClock(clock)

    def close(self) -> None:
        for inner in self._inner.values():
            inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions[CALL]
        self._check(request.url)
        if call.kind == "token":
            return self._carry_token(request, call)
        ticket = self._limiter.acquire(self._account, call.cost, call.priority)
        told: Told | None = None
        try:
            response, answer = self._carry(request, call)
            told = self._told(answer)
            return response
        except Unreachable:
            told = Told(spent=0)
            raise
        finally:
            self._limiter.release(self._account, ticket)
            if told is not None:
                with suppress(StoreError):  # an answer is worth more; the next acquire fails for the same reason
                    self._limiter.feed(self._account, told, call.cost)

    def _carry_token(self, request: httpx.Request, call: Call) -> httpx.Response:
        """Whatever happens to a token call, the request that needs the token has not been sent."""
        try:
            return self._carry(request, call)[0]
        except AnswerLost as error:
            raise Unreachable(f"the token could not be renewed, so nothing was sent: {error.what}") from None

    def _told(self, answer: Answer) -> Told | None:
        """What the connector reads about the quota; an answer that it cannot read says nothing."""
        try:
            return self._tell(answer) if self._tell else None
        except (VendorError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return None

    def _carry(self, request: httpx.Request, call: Call) -> tuple[httpx.Response, Answer]:
        passage = _Passage(self._connection, request, call, self._journal, self._clock)
        request.extensions = {**request.extensions, "trace": passage.trace}
        try:
            answer = passage.exchange(self._transport(request.url))
        except BaseException as error:
            passage.close("lost" if passage.sent else "unsent", detail=type(error).__name__)
            raise
        if not passage.sent:
            raise RuntimeError("the HTTP library no longer says when it sends: the journal would have a hole")
        self.vendor.learn(answer)
        call.answer, call.in_doubt = answer, False
        passage.close("answered", answer)
        point("http:after-answer")
        headers = httpx.Headers(answer.headers)
        for name in ("content-encoding", "transfer-encoding", "content-length"):
            headers.pop(name, None)
        return httpx.Response(answer.status, headers=headers, content=answer.body, request=request), answer

    def _check(self, url: httpx.URL) -> None:
        host, netloc = url.host.lower(), url.netloc.decode("ascii").lower()
        if host not in self._allowed and netloc not in self._allowed:
            raise SettingsError(
                f"{self._connection}: {netloc} is not one of the addresses that this connection may talk to "
                f"({', '.join(sorted(self._allowed))})",
                safe="nothing was sent",
            )
        if url.scheme != "https" and host not in LOOPBACK:
            raise SettingsError(
                f"{self._connection}: {url.scheme}://{netloc} is not encrypted; credentials only travel by https",
                safe="nothing was sent",
            )

    def _transport(self, url: httpx.URL) -> httpx.HTTPTransport:
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if origin not in self._inner:
            proxies = urllib.request.getproxies()
            bypass = url.host in LOOPBACK or bool(urllib.request.proxy_bypass(url.host))
            self._inner[origin] = httpx.HTTPTransport(
                verify=_tls() if url.scheme == "https" else False,
                proxy=None if bypass else proxies.get(url.scheme),
                limits=httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=4.0),
            )
        return self._inner[origin]


class _Passage:
    """One request on its way out and its answer on the way back."""

    def __init__(self, connection: str, request: httpx.Request, call: Call, journal: Journal, clock: Clock) -> None:
        self._connection, self._request, self._call = connection, request, call
        self._journal, self._clock = journal, clock
        self._entry: int | None = None
        self._began = clock.boot()
        self._at = clock.now()
        self.sent = False
        call.attempt += 1

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Called by the HTTP library as it works; a proxy's CONNECT is not the request."""
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            point("http:before-send")
            self._open()
            if self._call.may_send is not None:
                self._call.may_send()
            self._at = self._clock.now()
            self.sent = self._call.in_doubt = True
        elif event.endswith(".send_request_body.complete") and self.sent:
            point("http:after-send")

    def _open(self) -> None:
        request = self._request
        self._entry = self._journal.open(
            Sent(
                connection=self._connection,
                method=request.method,
                url=str(request.url),
                at=self._clock.now(),
                kind=self._call.kind,
                attempt=self._call.attempt,
                body=request.content,
                content_type=request.headers.get("content-type", ""),
            )
        )

    def exchange(self, transport: httpx.HTTPTransport) -> Answer:
        """Send and read the whole answer. Unreachable: no byte left. AnswerLost: the outcome is unknown."""
        where = f"{self._connection}: {self._request.method} {redact.url(str(self._request.url))}"
        try:
            response = transport.handle_request(self._request)
            try:
                return self._read(response)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
                self.sent = self._call.in_doubt = False  # refused before it is written
                raise SettingsError(f"{where}: a header or the address has a character that HTTP forbids") from None
            why = redact.text(f"{type(error).__name__} {error}".strip())
            if self.sent:
                raise AnswerLost(
                    f"{where} was sent and no whole answer came back ({why})",
                    safe="it may have been carried out; what came of it is looked up before anything is sent again",
                ) from None
            raise Unreachable(f"{where}: no connection ({why})", safe="nothing was sent") from None

    def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        limit = max(SLOWEST_ANSWER, self._call.timeout)
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise AnswerLost(f"{self._connection}: the answer is larger than {LARGEST_ANSWER} bytes")
            if self._clock.boot() - self._began > limit:
                raise AnswerLost(f"{self._connection}: the answer did not end within {limit:g} seconds")
        return Answer(response.status_code, response.headers, bytes(body), self._at, self._clock.now())

    def close(self, outcome: Any, answer: Answer | None = None, detail: str = "") -> None:
        """Complete the journal's entry; a connection that failed before any byte left gets one as well."""
        seconds = self._call.seconds = max(0.0, self._clock.boot() - self._began)
        if self._entry is None and detail == Unreachable.__name__:
            self._open()
        if self._entry is not None:
            status, headers, body = (answer.status, answer.headers, answer.body) if answer else (None, {}, b"")
            brief = self._call.repeat.kind == "safe" and status is not None and status < 300
            self._journal.close(self._entry, Ended(outcome, seconds, status, headers, body, detail, brief))


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
