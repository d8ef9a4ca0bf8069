"""The Accounting API: a request comes in as text, is authorised, counted, remembered by its key, and answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import unquote

from crosswalk.sandbox.xero import limits, resources, settings
from crosswalk.sandbox.xero.answers import Reply, read_body, reply, wants_json
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.dates import envelope_stamp, read_since
from crosswalk.sandbox.xero.documents import INVOICE, NOTE
from crosswalk.sandbox.xero.errors import Refusal, not_found, problem
from crosswalk.sandbox.xero.grants import Grant
from crosswalk.sandbox.xero.organisation import Kept, Organisation

HARDEST_LIMIT = 10 * 1024 * 1024
LONGEST_KEY = 128


@dataclass(frozen=True, slots=True)
class Route:
    """template: as counted in ``Organisation.requests``.  scope: any of these, in their short form."""

    template: str
    scope: str
    handler: Any
    status: int = 200


_PLAIN: list[tuple[str, str, str, Any]] = [
    ("GET", "/Contacts", "contacts", resources.list_contacts),
    ("PUT", "/Contacts", "contacts", resources.put_contacts),
    ("POST", "/Contacts", "contacts", resources.post_contacts),
    ("GET", "/Contacts/{id}", "contacts", resources.get_contact),
    ("POST", "/Contacts/{id}", "contacts", resources.post_contact),
    ("GET", "/Invoices", "invoices", resources.list_invoices),
    ("GET", "/CreditNotes", "invoices", resources.list_notes),
    ("POST", "/Invoices/{id}/Email", "invoices", resources.email_invoice),
    ("PUT", "/CreditNotes/{id}/Allocations", "invoices", resources.put_allocations),
    ("DELETE", "/CreditNotes/{id}/Allocations/{id}", "invoices", resources.delete_allocation),
    ("GET", "/Payments", "payments", resources.list_payments),
    ("PUT", "/Payments", "payments", resources.put_payments),
    ("POST", "/Payments", "payments", resources.post_payments),
    ("GET", "/Payments/{id}", "payments", resources.get_payment),
    ("POST", "/Payments/{id}", "payments", resources.post_payment),
    ("GET", "/Accounts", "settings", settings.list_accounts),
    ("GET", "/Accounts/{id}", "settings", settings.get_account),
    ("GET", "/TaxRates", "settings", settings.list_tax_rates),
    ("GET", "/Currencies", "settings", settings.list_currencies),
    ("GET", "/Organisation", "settings", settings.get_organisation),
    ("GET", "/Items", "invoices settings", settings.list_items),
    ("PUT", "/Items", "invoices settings", settings.put_items),
    ("POST", "/Items", "invoices settings", settings.post_items),
    ("GET", "/Items/{id}", "invoices settings", settings.get_item),
    ("DELETE", "/Items/{id}", "invoices settings", settings.delete_item),
]
_BARE = {("POST", "/Invoices/{id}/Email"), ("DELETE", "/Items/{id}")}


def _routes() -> dict[tuple[str, ...], Route]:
    r, s = resources, settings
    plain = list(_PLAIN)
    for name, kind in (("Invoices", INVOICE), ("CreditNotes", NOTE)):
        plain += [
            ("PUT", f"/{name}", "invoices", partial(r.write_documents, kind=kind, create_only=True)),
            ("POST", f"/{name}", "invoices", partial(r.write_documents, kind=kind, create_only=False)),
            ("GET", f"/{name}/{{id}}", "invoices", lambda c, key, kind=kind: r.get_document(c, kind, key)),
            ("POST", f"/{name}/{{id}}", "invoices", lambda c, key, kind=kind: r.post_document(c, kind, key)),
        ]
    for name, scope in (("Contacts", "contacts"), ("Invoices", "invoices"), ("CreditNotes", "invoices")):
        low = name.lower()
        plain += [
            ("GET", f"/{name}/{{id}}/History", scope, lambda c, key, low=low: s.get_history(c, low, key)),
            ("PUT", f"/{name}/{{id}}/History", scope, lambda c, key, low=low: s.put_history(c, low, key)),
        ]
    return {
        (method, *template.lower().strip("/").split("/")): Route(
            template, scope, handler, 204 if (method, template) in _BARE else 200
        )
        for method, template, scope, handler in plain
    }


ROUTES = _routes()


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived. headers have lower-case names; path is below ``/api.xro/2.0``, its escapes still in it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def fingerprint(self) -> bytes:
        head = f"{self.method} {self.path} {sorted(self.query)} ".encode()
        return hashlib.sha256(head + self.body).digest()


def find_route(method: str, path: str) -> tuple[Route | None, list[str]]:
    """The route and the keys in the path; paths are matched without regard to case."""
    parts = [unquote(p) for p in path.split("/") if p]
    for shape in (parts, [p if i % 2 == 0 else "{id}" for i, p in enumerate(parts)]):
        route = ROUTES.get((method, *(p.lower() for p in shape)))
        if route is not None:
            return route, [p for p, s in zip(parts, shape, strict=True) if s == "{id}"]
    return None, []


class Api:
    """The Accounting API of one organisation."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        org.settle = self.settle
        org.write = self.write_as_person

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        org = self.org
        as_json = wants_json(request.headers.get("accept", ""))
        headers: dict[str, str] = {}
        with org.lock:
            route, keys = find_route(request.method, request.path)
            org.requests[f"{request.method} {route.template if route else 'unknown'}"] += 1
            self.settle()
            try:
                if org.offline:
                    raise Refusal(503, "The Xero API is currently offline for maintenance")
                grant = self._authorise(request, route)
                headers = limits.admit(org, org.clock.now().timestamp())
                if route is None:
                    raise not_found()
                answer = self._remembered(request, route, keys, grant, as_json)
                answer = Reply(answer.status, answer.body, answer.content_type, {**answer.headers, **headers})
            except Refusal as refusal:
                answer = reply(refusal.status, refusal.payload, as_json, {**headers, **refusal.headers})
            org.statuses[answer.status] += 1
            return answer

    def settle(self) -> None:
        """Carry out the delayed writes that are due."""
        waiting = self.org.state.waiting
        now = self.org.clock.now().timestamp()
        while waiting and waiting[0][0] <= now:
            due, (request, app, key) = waiting.pop(0)
            answer = self._run(request, app, datetime.fromtimestamp(due, UTC), as_json=True)
            if key is not None and key in self.org.state.keys:
                self.org.state.keys[key].answer = answer

    def write_as_person(self, method: str, resource: str, element: dict[str, Any]) -> dict[str, Any]:
        """What a person does in the screens; ``resource`` may name a record (``Payments/<id>``). Raises Refusal."""
        route, keys = find_route(method, f"/{resource}")
        if route is None:
            raise not_found()
        call = Call(self.org, self.org.now(), {}, body=element)
        payload: dict[str, Any] = route.handler(call, *keys)
        written: dict[str, Any] = payload[resource.split("/")[0]][0]
        return written

    def _authorise(self, request: Request, route: Route | None) -> Grant:
        org = self.org
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = org.state.grants.behind(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise problem(401, "Unauthorized", "AuthenticationUnsuccessful", org.books.new_id())
        grant, access = found
        if access.until <= org.now():
            detail = f"TokenExpired: token expired at {access.until:%m/%d/%Y %H:%M:%S}"
            raise problem(401, "Unauthorized", detail, org.books.new_id())
        tenant = request.headers.get("xero-tenant-id", "")
        custom = org.apps[grant.app].kind == "custom"
        connection = org.state.connection
        connected = connection is not None and connection.id == grant.connection
        if not connected or (tenant.lower() != org.tenant_id and not (custom and not tenant)):
            raise problem(403, "Forbidden", "AuthenticationUnsuccessful", org.books.new_id())
        if route is not None and not _allowed(grant, route.scope, request.method):
            headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
            raise problem(401, "Unauthorized", "AuthorizationUnsuccessful", org.books.new_id(), headers)
        return grant

    def _remembered(self, request: Request, route: Route, keys: list[str], grant: Grant, as_json: bool) -> Reply:
        """Answer a write whose key is known from memory, and remember the others that carry a key."""
        org, writes = self.org, request.method in ("PUT", "POST")
        given = request.headers.get("idempotency-key", "")
        if not writes:
            return self._run(request, grant.app, org.now(), as_json)
        key = (grant.app, given) if given else None
        if key is not None:
            known = self._known(request, key)
            if known is not None:
                return known
            self._forget_old()
            org.state.keys[key] = Kept(request.fingerprint, org.now())
        if org.delayed_left > 0 and org.commit_delay is not None:
            org.delayed_left -= 1
            due = org.clock.now().timestamp() + org.commit_delay
            org.state.waiting.append((due, (request, grant.app, key)))
            org.state.waiting.sort(key=lambda w: w[0])
            raise Refusal(504, "The request timed out")
        try:
            answer = self._run(request, grant.app, org.now(), as_json)
        except BaseException:
            if key is not None:
                del org.state.keys[key]
            raise
        if key is not None:
            org.state.keys[key].answer = answer
        return answer

    def _forget_old(self) -> None:
        """Drop the keys whose time is over; the oldest stand first."""
        keys, now = self.org.state.keys, self.org.now()
        for key in list(keys):
            if (now - keys[key].at).total_seconds() < self.org.key_life:
                return
            del keys[key]

    def _known(self, request: Request, key: tuple[str, str]) -> Reply | None:
        org = self.org
        if len(key[1]) > LONGEST_KEY:
            raise _key_trouble(f"Idempotency Key exceeds the maximum length of {LONGEST_KEY} characters.")
        kept = org.state.keys.get(key)
        if kept is None or (org.now() - kept.at).total_seconds() >= org.key_life:
            return None
        if kept.fingerprint != request.fingerprint:
            raise _key_trouble(f"Idempotency Key: {key[1]} is used with a different request.")
        if kept.answer is None:
            raise Refusal(504, "The request timed out")
        found: Reply = kept.answer
        return found

    def _run(self, request: Request, app: str, now: datetime, as_json: bool) -> Reply:
        """Do what the request asks for; refusals are answers too, and are remembered like them."""
        route, keys = find_route(request.method, request.path)
        assert route is not None
        query = {k.lower(): v for k, v in request.query}
        call = Call(self.org, now, query, app=app)
        try:
            if len(request.body) > HARDEST_LIMIT:
                raise Refusal(413, "Request Entity Too Large")
            if request.method in ("PUT", "POST") and (request.body or route.status != 204):
                call.body = read_body(request.body, request.headers.get("content-type", ""))
            since = request.headers.get("if-modified-since")
            call.since = read_since(since) if since and request.method == "GET" else None
            payload = route.handler(call, *keys)
        except Refusal as refusal:
            return reply(refusal.status, refusal.payload, as_json, refusal.headers)
        if route.status == 204:
            return Reply(204, content_type="")
        envelope = {
            "Id": self.org.books.new_id(),
            "Status": "OK",
            "ProviderName": self.org.apps[app].name,
            "DateTimeUTC": envelope_stamp(now),
        }
        return reply(200, {**envelope, **payload}, as_json, {})


def _allowed(grant: Grant, scopes: str, method: str) -> bool:
    accepted = {f"accounting.{name}" for name in scopes.split()}
    if accepted & {"accounting.invoices", "accounting.payments"}:
        accepted.add("accounting.transactions")
    if method == "GET":
        accepted |= {f"{name}.read" for name in accepted}
    return bool(accepted & grant.scopes)


def _key_trouble(message: str) -> Refusal:
    return Refusal(400, {"ErrorNumber": 0, "Type": "BadRequestException", "Message": message})
