"""The ASGI application: identity, connections and the Accounting API on one origin."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crosswalk.clock import Clock
from crosswalk.sandbox.xero import api
from crosswalk.sandbox.xero.errors import NOT_FOUND
from crosswalk.sandbox.xero.identity import Identity
from crosswalk.sandbox.xero.organisation import Organisation

BASE = "/api.xro/2.0"


def create(org: Organisation, clock: Clock) -> Starlette:
    """The practice Xero of ``org``: ``/identity/connect/authorize``, ``/connect/token``, ``/connect/revocation``,
    ``/connections`` and ``/api.xro/2.0``. All time comes from ``clock``."""
    org.clock = clock
    accounting = api.Api(org)

    async def endpoint(request: Request) -> Response:
        org.in_flight += 1
        try:
            if org.latency:
                await asyncio.sleep(org.latency)
            arrived = api.Request(
                method=request.method,
                path=_path(request),
                query=tuple(parse_qsl(request.url.query, keep_blank_values=True)),
                headers={k.decode("latin-1").lower(): v.decode("latin-1") for k, v in request.scope["headers"]},
                body=await request.body(),
            )
            answer = accounting.handle(arrived)
        finally:
            org.in_flight -= 1
        headers = dict(answer.headers)
        if answer.content_type:
            headers["Content-Type"] = answer.content_type
        return Response(answer.body, answer.status, headers)

    methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
    routes = [*Identity(org).routes, Route(BASE + "/{path:path}", endpoint, methods=methods)]
    return Starlette(routes=routes, exception_handlers={404: _nowhere})


async def _nowhere(request: Request, error: Exception) -> Response:
    return PlainTextResponse(NOT_FOUND, 404)


def _path(request: Request) -> str:
    """The path below the base as it was sent, so that a number with a slash in it stays one part."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.decode("latin-1").partition("?")[0].partition(BASE)[2]
