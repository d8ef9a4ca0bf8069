"""The HTTP client of one connection: retries, limits, fence and errors in one place. Sync, keep-alive, HTTP/1.1."""

from __future__ import annotations

import http.cookiejar
import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from crosswalk.clock import Clock
from crosswalk.errors import (
    AnswerLost,
    Away,
    Invalid,
    NotFound,
    ServerFault,
    SettingsError,
    Throttled,
    Transient,
    Unreachable,
    VendorError,
)
from crosswalk.http import redact
from crosswalk.http.answer import (
    LONGEST_WAIT,
    SAFE,
    Answer,
    Classify,
    Repeat,
    Retry,
    Tell,
    classify,
    retry_after,
    well_formed,
)
from crosswalk.http.auth import Auth
from crosswalk.http.breaker import NoBreaker, Watched
from crosswalk.http.library import httpx
from crosswalk.http.protocols import Account, Breaker, Journal, Limiter, Told
from crosswalk.http.urgency import urgency
from crosswalk.http.wire import Call, Fence, Wire

_json = msgspec.json.Encoder(decimal_format="number")
_RETRY = Retry()
_NO_PROOF = (Unreachable, Throttled, Invalid, NotFound)


class Client:
    """Everything that one connection sends, in one process; safe for threads.

    base_url: paths are appended to it. auth: None for none. account: the quota that calls draw on; ``tell`` reads from
    an answer what it says about that. classify: the error that an answer stands for, None if it is none. allowed_hosts:
    beside those of base_url and auth; ``host`` or ``host:port``. timeout: seconds, for each wait on the network.
    """

    def __init__(
        self,
        *,
        connection: str,
        base_url: str,
        auth: Auth | None,
        limiter: Limiter,
        account: Account,
        journal: Journal,
        clock: Clock,
        retry: Retry = _RETRY,
        timeout: float = 30,
        classify: Classify = classify,
        tell: Tell | None = None,
        allowed_hosts: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        chance: random.Random | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        redact.guard_logs()
        self.connection, self.timeout = connection, timeout
        self._base = base_url.rstrip("/")
        self._auth, self._limiter, self._account = auth, limiter, account
        self._clock, self._retry, self._classify = clock, retry, classify
        self._breaker = breaker or NoBreaker()
        self._chance = chance or random.Random()  # not for secrets, only to spread retries
        hosts = {httpx.URL(base_url).host, *allowed_hosts, *(auth.hosts if auth else ())}
        self._wire = Wire(connection, hosts, limiter=limiter, account=account, tell=tell, journal=journal, clock=clock)
        keep_none = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.Client(
            transport=self._wire,
            headers={"User-Agent": "crosswalk", **(headers or {})},
            cookies=keep_none,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def vendor_now(self) -> datetime:
        """Our wall clock corrected by the last Date header, UTC."""
        return self._wire.vendor.now()

    def away(self) -> Away | None:
        """Why no request would be let through now: the system is away. None when one would, if only as the probe."""
        return self._breaker.away(self.connection)

    @property
    def skew(self) -> float:
        """Seconds that the vendor's clock is ahead of ours, as far as the Date header proves it."""
        return self._wire.vendor.skew

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        repeat: Repeat = SAFE,
        not_after: float | None = None,
        cost: float = 1,
        priority: int | None = None,
    ) -> Answer:
        """Send until there is an answer that is no error, as often as ``repeat`` and the bounds allow.

        not_after: on ``clock.boot()``; tested immediately before the bytes leave, each time. Raises what the last try
        came to: Unreachable and Throttled only if nothing can have been carried out (or ``repeat`` is SAFE), AnswerLost
        or ServerFault if something may have been, Fenced when ``not_after`` has passed, StoreError when the journal
        cannot be written (then nothing was sent).
        """
        call = Call(self.timeout, cost=cost, priority=urgency() if priority is None else priority, repeat=repeat)
        where = f"{self.connection}: {method} {redact.url(self._url(path))}"
        fence = Fence(self._clock, not_after, where) if not_after is not None else None
        call.may_send = partial(self._may_send, repeat, fence)
        built = self._build(method, path, params, headers, json, form, content)
        with _named(self.connection):
            watched = Watched(self._breaker, self.connection)
            try:
                return self._until_answered(built, call, where, watched)
            finally:
                watched.end()

    def _until_answered(self, built: httpx.Request, call: Call, where: str, watched: Watched) -> Answer:
        tries = _Tries(self._retry, call.repeat, self._chance)
        while True:
            try:
                outcome = self._attempt(built, call, where)
            except _KeyOver:
                raise tries.key_over(where) from None
            away = watched.saw(outcome, call.answer is not None)
            if isinstance(outcome, Answer):
                return replace(outcome, repeated=tries.in_doubt)
            wait = tries.after(outcome, call)
            if away or not call.repeat.may_send(self.vendor_now() + timedelta(seconds=wait), self.timeout):
                raise tries.verdict(outcome)
            self._clock.sleep(wait)

    def _may_send(self, repeat: Repeat, fence: Fence | None) -> None:
        if not repeat.may_send(self.vendor_now(), self.timeout):
            raise _KeyOver
        if fence is not None:
            fence()

    def _attempt(self, built: httpx.Request, call: Call, where: str) -> Answer | VendorError:
        """Send once; the answer or the error that it came to. Its outcome is unknown when ``call.in_doubt`` is true."""
        call.in_doubt = False
        call.answer = None
        request = httpx.Request(
            built.method, built.url, headers=built.headers, content=built.content, extensions=call.extensions()
        )
        try:
            self._http.send(request, auth=self._auth or httpx.Auth())
        except VendorError as error:
            return error
        return self._judge(call, where)

    def _judge(self, call: Call, where: str) -> Answer | VendorError:
        answer = call.answer
        if answer is None:
            raise RuntimeError("a request came back without having passed the wire")
        try:
            error = self._classify(answer)
        except VendorError as unreadable:
            error = unreadable
        if error is None and not well_formed(answer):
            error = AnswerLost("answered with something cut or not JSON", status=answer.status, body=answer.text())
        if error is None:
            return answer
        call.in_doubt = isinstance(error, (AnswerLost, ServerFault))
        return self._finish(error, answer, where)

    def _finish(self, error: VendorError, answer: Answer, where: str) -> VendorError:
        error.what = redact.text(f"{where} {error.what}")
        error.args = (error.what,)
        error.body = redact.body(error.body.encode(), answer.header("content-type"))[:2000]
        if isinstance(error, Throttled):
            error.wait = max(error.wait, retry_after(answer) or 0.0)
            if error.scope != "concurrent":
                told = Told(wait=error.wait) if error.wait else Told(minute=0)
                self._limiter.feed(self._account, told, 0)
        return error

    def _url(self, path: str) -> str:
        return path if "://" in path else f"{self._base}/{path.lstrip('/')}" if path else self._base

    def _build(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        json: Any,
        form: Mapping[str, str] | None,
        content: bytes | None,
    ) -> httpx.Request:
        given = dict(headers or {})
        query = {name: value for name, value in params.items() if value is not None} if params else None
        if json is not None:
            content = _json.encode(json)
        if content is not None and not any(name.lower() == "content-type" for name in given):
            given["Content-Type"] = "application/json"
        try:
            return self._http.build_request(
                method, self._url(path), params=query, headers=given, data=form, content=content
            )
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise SettingsError(f"{self.connection}: the request cannot be built: {redact.text(str(error))}") from None


@contextmanager
def _named(connection: str) -> Iterator[None]:
    """An error says whose it is: an alert tells of a connection once, however many bindings it pulls down."""
    try:
        yield
    except VendorError as error:
        error.connection = error.connection or connection
        raise


class _KeyOver(Exception):
    """The key's life would end before an answer can be expected."""


class _Tries:
    """Counts what a request has cost so far and says how long to wait, or raises."""

    def __init__(self, retry: Retry, repeat: Repeat, chance: random.Random) -> None:
        self._retry, self._repeat, self._chance = retry, repeat, chance
        self._failures = self._throttles = 0
        self._failing = self._limited = 0.0
        self._last: VendorError | None = None
        self._doubt: VendorError | None = None

    def after(self, error: VendorError, call: Call) -> float:
        """Seconds to wait before the next try; raises when there is none."""
        self._last = error
        if call.in_doubt:
            self._doubt = error
        if not isinstance(error, Transient):
            raise self.verdict(error)
        if isinstance(error, Throttled):
            return self._throttled(error)
        if call.in_doubt and self._repeat.kind == "once":
            raise error
        told = (retry_after(call.answer) if call.answer else None) or 0.0
        if told > LONGEST_WAIT and self._repeat.kind == "safe":
            raise Throttled(error.what, wait=told, scope="unavailable", status=error.status, body=error.body)
        self._failures += 1
        wait = told + self._backoff(self._failures)
        self._failing += min(call.seconds, call.timeout) + wait
        tries = min(self._retry.tries, self._repeat.tries or self._retry.tries)
        if self._failures >= tries or told > LONGEST_WAIT or self._failing > self._retry.seconds:
            raise self.verdict(error)
        return wait

    def _throttled(self, error: Throttled) -> float:
        self._throttles += 1
        wait = error.wait + self._backoff(1 if error.wait else self._throttles)
        self._limited += wait
        if error.wait > LONGEST_WAIT or self._limited > self._retry.patience:
            raise self.verdict(error)
        return wait

    def _backoff(self, tries: int) -> float:
        """Full jitter."""
        return self._chance.uniform(0, min(self._retry.longest, self._retry.first * 2.0 ** (tries - 1)))

    @property
    def in_doubt(self) -> bool:
        """Whether a try may have been carried out although no good answer came."""
        return self._doubt is not None

    def verdict(self, error: VendorError) -> VendorError:
        """What is known in the end: where repeating matters, a later try proves nothing about one in doubt."""
        if self._doubt is not None and self._repeat.kind != "safe" and isinstance(error, _NO_PROOF):
            return self._doubt
        return error

    def key_over(self, where: str) -> VendorError:
        """The error when the bytes must not leave, for the sake of the key."""
        if self._last is not None and self._doubt is None:
            return self._last
        return AnswerLost(
            f"{where} is not sent (again): by the vendor's clock its key is, or will be, forgotten",
            safe="what came of earlier tries is looked up before anything is sent again",
        )
