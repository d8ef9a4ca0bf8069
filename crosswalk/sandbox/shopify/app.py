"""The practice shop's API over HTTP: GraphQL, tokens, versions, points, and the three layers of errors."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crosswalk.clock import Clock
from crosswalk.sandbox.shopify import documents
from crosswalk.sandbox.shopify.access import TOKEN_LIFE, App, Grant, answered_version
from crosswalk.sandbox.shopify.cost import MOST, SCALES, Bucket
from crosswalk.sandbox.shopify.resolvers import Context
from crosswalk.sandbox.shopify.shop import Shop

OPERATION = re.compile(r"\b(?:query|mutation)\s+([A-Za-z_]\w*)")
STATES = {
    "frozen": (402, "Unavailable Shop"),
    "forbidden": (403, "[API] This action requires merchant approval for read_orders scope."),
    "locked": (423, "Unavailable Shop"),
}
UNAUTHORISED = "[API] Invalid API key or access token (unrecognized login or wrong password)"
LIMITS = "https://shopify.dev/api/usage/rate-limits"
TOO_DEAR = """Query cost is {cost}, which exceeds the single query max cost limit ({most}).

See https://shopify.dev/concepts/about-apis/rate-limits for more information on how the
cost of a query is calculated.

To query larger amounts of data with fewer limits, bulk operations should be used instead.
See https://shopify.dev/tutorials/perform-bulk-operations-with-admin-api for usage details.
"""


def create(shop: Shop, clock: Clock) -> Starlette:
    """The shop as an ASGI application; time is the clock's. Sets no Date header: the server in front does."""
    door = _Door(shop, clock)
    return Starlette(
        routes=[
            Route("/admin/api/{version}/graphql.json", door.graphql, methods=["POST"]),
            Route("/admin/oauth/access_token", door.token, methods=["POST"]),
            Route("/admin/oauth/access_scopes.json", door.scopes, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )


def _answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json; charset=utf-8")


async def _not_found(request: Request, error: Exception) -> Response:
    return _answer(404, {"errors": "Not Found"})


class _Door:
    def __init__(self, shop: Shop, clock: Clock) -> None:
        self.shop = shop
        self.clock = clock
        self._buckets: dict[str, Bucket] = {}
        # For the ids of requests only, so that the shop's own ids do not depend on how often it is asked.
        self._noise = random.Random(shop.seed)

    # --- tokens

    async def token(self, request: Request) -> Response:
        """POST /admin/oauth/access_token: client credentials, or a code of the login."""
        self.shop.count("token")
        if not self._right_host(request):
            return _answer(404, {"errors": "Not Found"})
        raw = await request.body()
        kind = request.headers.get("content-type", "")
        try:
            sent = msgspec.json.decode(raw) if "json" in kind else {k: v[0] for k, v in parse_qs(raw.decode()).items()}
        except (ValueError, msgspec.DecodeError):
            sent = {}
        return self._issue(request, sent if isinstance(sent, dict) else {})

    def _issue(self, request: Request, sent: dict[str, Any]) -> Response:
        accounts = self.shop.accounts
        app = accounts.apps.get(str(sent.get("client_id")))
        if app is None:
            return _oauth_error(request, "application_cannot_be_found", "Could not find Shopify API application")
        if app.client_secret != sent.get("client_secret"):
            return _oauth_error(request, "invalid_client", "The client secret is not the app's")
        scope = ",".join(sorted(app.scopes))
        if "code" in sent:
            if accounts.codes.pop(str(sent["code"]), None) is not app:
                return _oauth_error(request, "invalid_request", "The authorization code was not found or was used")
            return _answer(200, {"access_token": accounts.issue(app, lasting=True), "scope": scope})
        if sent.get("grant_type") != "client_credentials":
            return _oauth_error(request, "unsupported_grant_type", "The grant type is not supported")
        life = int(TOKEN_LIFE.total_seconds()) - 1
        return _answer(200, {"access_token": accounts.issue(app), "scope": scope, "expires_in": life})

    async def scopes(self, request: Request) -> Response:
        """GET /admin/oauth/access_scopes.json: what the token may do."""
        self.shop.count("access_scopes")
        grant = self._grant(request)
        if grant is None:
            return _answer(401, {"errors": UNAUTHORISED})
        return _answer(200, {"access_scopes": [{"handle": scope} for scope in sorted(grant.app.scopes)]})

    def _grant(self, request: Request) -> Grant | None:
        return self.shop.accounts.grant(request.headers.get("x-shopify-access-token"))

    def _right_host(self, request: Request) -> bool:
        # A name says which shop is meant; an address or a test's name means this one.
        host = request.headers.get("host", "").split(":")[0].lower()
        if host.endswith((".myshopify.com", ".localhost")):
            return host.split(".")[0] == self.shop.domain.split(".")[0]
        return True

    # --- GraphQL

    async def graphql(self, request: Request) -> Response:
        """POST /admin/api/{version}/graphql.json."""
        body = await request.body()
        sent = _document(body)
        text = sent["query"] if sent else ""
        named = OPERATION.search(text)
        self.shop.count((sent or {}).get("operationName") or (named.group(1) if named else "anonymous"))
        if not self._right_host(request):
            return _answer(404, {"errors": "Not Found"})
        if self.shop.switches.state in STATES:
            status, message = STATES[self.shop.switches.state]
            return _answer(status, {"errors": message})
        version = answered_version(request.path_params["version"], self.clock.now())
        if version is None:
            return _answer(404, {"errors": "Not Found"})
        headers = {"X-Shopify-API-Version": version, "X-Request-Id": f"{self._noise.getrandbits(64):016x}"}
        grant = self._grant(request)
        if grant is None:
            return _answer(401, {"errors": UNAUTHORISED}, headers)
        if sent is None:
            return _answer(400, {"errors": {"query": "Required parameter missing or invalid"}}, headers)
        return _answer(200, await run_in_threadpool(self._execute, request, grant, sent), headers)

    def _execute(self, request: Request, grant: Grant, sent: dict[str, Any]) -> dict[str, Any]:
        with self.shop.lock:
            return self._execute_locked(request, grant, sent)

    def _execute_locked(self, request: Request, grant: Grant, sent: dict[str, Any]) -> dict[str, Any]:
        switches = self.shop.switches
        if switches.state == "inactive":
            return _failed("Shop is inactive", "SHOP_INACTIVE")
        if switches.internal_errors > 0:
            switches.internal_errors -= 1
            return {"errors": [documents.internal_error(self._noise)]}
        document = documents.read(sent["query"])
        variables = sent.get("variables") or {}
        plan = document.plan(sent.get("operationName"))
        if document.errors or plan is None:
            return {"errors": document.errors or [{"message": "No operation of that name"}]}
        now = self.clock.now()
        scale = SCALES[switches.cost]
        requested = plan.requested(variables, scale)
        bill = _Bill(self.shop, self._bucket(grant.app), now, requested)
        if request.headers.get("shopify-graphql-cost-debug"):
            bill.fields = plan.breakdown(variables, scale)
        if requested > MOST:
            return bill.too_dear()
        if not bill.take():
            return bill.throttled()
        debug = bool(request.headers.get("shopify-search-query-debug"))
        context = Context(self.shop, grant, now, debug_search=debug)
        answer = document.execute(context, variables, sent.get("operationName"), self._noise)
        bill.settle(min(requested, plan.actual(answer.get("data"), scale)))
        extensions = {"cost": bill.cost, **({"search": context.searches} if context.searches else {})}
        return {**answer, "extensions": extensions}

    def _bucket(self, app: App) -> Bucket:
        return self._buckets.setdefault(app.client_id, Bucket())


class _Bill:
    """The points of one query."""

    def __init__(self, shop: Shop, bucket: Bucket, now: datetime, requested: int) -> None:
        self.shop, self.bucket, self.requested = shop, bucket, requested
        self.level = bucket.level(now.timestamp(), shop.bucket, shop.restore_rate)
        self.actual: int | None = None
        self.fields: list[dict[str, Any]] | None = None

    def take(self) -> bool:
        """Take what is requested; False when there is not enough."""
        if self.level < self.requested:
            return False
        self.bucket.take(self.requested)
        return True

    def settle(self, actual: int) -> None:
        """Give back what was taken too much."""
        self.bucket.take(actual - self.requested)
        self.actual = actual
        self.level -= actual

    @property
    def cost(self) -> dict[str, Any]:
        """``extensions.cost``."""
        status = {
            "maximumAvailable": self.shop.bucket,
            "currentlyAvailable": int(self.level),
            "restoreRate": float(self.shop.restore_rate),
        }
        fields = {"fields": self.fields} if self.fields is not None else {}
        asked = {"requestedQueryCost": self.requested, "actualQueryCost": self.actual}
        return {**asked, "throttleStatus": status, **fields}

    def throttled(self) -> dict[str, Any]:
        """Not enough points."""
        extensions = {"code": "THROTTLED", "documentation": LIMITS}
        return {"errors": [{"message": "Throttled", "extensions": extensions}], "extensions": {"cost": self.cost}}

    def too_dear(self) -> dict[str, Any]:
        """More than one query may cost."""
        error = {
            "message": TOO_DEAR.format(cost=self.requested, most=MOST),
            "extensions": {
                "code": "MAX_COST_EXCEEDED",
                "cost": self.requested,
                "maxCost": MOST,
                "documentation": "https://shopify.dev/api/usage/limits#rate-limits",
            },
        }
        return {"errors": [error], "extensions": {"cost": self.cost}}


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        sent = msgspec.json.decode(body)
    except (ValueError, msgspec.DecodeError):
        return None
    return sent if isinstance(sent, dict) and isinstance(sent.get("query"), str) and sent["query"].strip() else None


def _failed(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _oauth_error(request: Request, code: str, description: str) -> Response:
    # A browser's page unless JSON is asked for by name.
    if "application/json" in request.headers.get("accept", ""):
        return _answer(400, {"error": code, "error_description": description})
    page = f"<html><head><title>400 - Oauth error {code}</title></head><body>{description}</body></html>"
    return Response(page, 400, media_type="text/html")
