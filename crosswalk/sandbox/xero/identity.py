"""The identity service: consent, tokens, revocation, connections."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from crosswalk.sandbox.xero.errors import NOT_FOUND, Refusal, problem
from crosswalk.sandbox.xero.grants import (
    ACCESS_LIFE,
    BROAD_SCOPES,
    CODE_LIFE,
    GRANULAR_SCOPES,
    App,
    Code,
)
from crosswalk.sandbox.xero.organisation import Organisation

_PAGE = """<!doctype html><title>Practice Xero</title>
<h1>{app} wants access to {org}</h1><p>{scopes}</p>
<form method="post"><button name="answer" value="allow">Allow access</button>
<button name="answer" value="deny">Cancel</button></form>"""


class Identity:
    """login.xero.com, identity.xero.com and api.xero.com/connections on one origin."""

    def __init__(self, org: Organisation) -> None:
        self.org = org

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/identity/connect/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/connect/token", self.token, methods=["POST"]),
            Route("/connect/revocation", self.revocation, methods=["POST"]),
            *(Route(path, self.connections, methods=["GET"]) for path in ("/connections", "/Connections")),
            *(
                Route(f"{path}/{{id}}", self.disconnect, methods=["DELETE"])
                for path in ("/connections", "/Connections")
            ),
        ]

    async def authorize(self, request: Request) -> Response:
        """Consent: given by itself, or on a page with ``prompt=consent`` or where the organisation wants one."""
        org, query = self.org, request.query_params
        self._count(request)
        app = org.apps.get(query.get("client_id", ""))
        target = query.get("redirect_uri", "")
        if app is None or app.kind == "custom" or target not in org.redirect_uris:
            wrong = "unknown client" if app is None or app.kind == "custom" else "invalid redirect_uri"
            return PlainTextResponse(f"Sorry, something went wrong: unauthorized_client, {wrong}", 400)
        trouble = self._authorize_trouble(app, query)
        if trouble:
            return self._back(target, {"error": trouble}, query)
        scopes = frozenset(query.get("scope", "").split())
        if request.method == "POST":
            answer = dict(parse_qsl((await request.body()).decode())).get("answer")
            if answer != "allow":
                return self._back(target, {"error": "access_denied"}, query)
        elif org.consent_page or query.get("prompt") == "consent":
            page = _PAGE.format(
                app=html.escape(app.name), org=html.escape(org.name), scopes=html.escape(" ".join(sorted(scopes)))
            )
            return HTMLResponse(page)
        with org.lock:
            code = org.state.grants.token("code_")
            until = org.now() + timedelta(seconds=CODE_LIFE)
            challenge = query.get("code_challenge", "")
            org.state.grants.codes[code] = Code(app.id, target, scopes, challenge, until)
        return self._back(target, {"code": code}, query)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        with self.org.lock:
            self._count(request)
            app = self._client(request, form)
            if isinstance(app, str):
                return _oauth_error(app)
            kind = form.get("grant_type")
            if kind == "authorization_code":
                return self._by_code(app, form)
            if kind == "refresh_token":
                return self._by_refresh(app, form)
            if kind == "client_credentials":
                return self._by_credentials(app, form)
            return _oauth_error("unsupported_grant_type")

    async def revocation(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        with self.org.lock:
            self._count(request)
            app = self._client(request, form)
            if isinstance(app, str):
                return _oauth_error(app)
            found = self.org.state.grants.refresh.get(form.get("token", ""))
            if found is not None:
                self.org.state.grants.grants[found.grant].revoked = True
            return Response(status_code=200)

    async def connections(self, request: Request) -> Response:
        org = self.org
        with org.lock:
            self._count(request)
            refused = self._bearer(request)
            if refused is not None:
                return refused
            held = org.state.connection
            made = f"{held.created:%Y-%m-%dT%H:%M:%S.%f}0" if held else ""
            return JSONResponse(
                [
                    {
                        "id": held.id,
                        "authEventId": held.event,
                        "tenantId": org.tenant_id,
                        "tenantType": "ORGANISATION",
                        "tenantName": org.name,
                        "createdDateUtc": made,
                        "updatedDateUtc": made,
                    }
                ]
                if held
                else []
            )

    async def disconnect(self, request: Request) -> Response:
        with self.org.lock:
            self._count(request)
            refused = self._bearer(request)
            if refused is not None:
                return refused
            held = self.org.state.connection
            if held is None or held.id != request.path_params["id"]:
                return PlainTextResponse(NOT_FOUND, 404)
            self.org.state.connection = None
            return Response(status_code=204)

    def _authorize_trouble(self, app: App, query: Mapping[str, str]) -> str:
        known = GRANULAR_SCOPES | (BROAD_SCOPES if self.org.broad_scopes else set())
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if not query.get("scope") or set(query["scope"].split()) - known:
            return "invalid_scope"
        challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
        if (challenge and method != "S256") or (app.kind == "native" and not challenge):
            return "invalid_request"
        return ""

    def _back(self, target: str, answer: dict[str, str], query: Mapping[str, str]) -> Response:
        if "state" in query:
            answer["state"] = query["state"]
        joint = "&" if "?" in target else "?"
        return RedirectResponse(f"{target}{joint}{urlencode(answer)}", 302)

    def _client(self, request: Request, form: Mapping[str, str]) -> App | str:
        """The app that asks, by Basic authentication, or by its id alone where it has no secret."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "invalid_client"
            app = self.org.apps.get(unquote(name))
            return app if app and app.secret and app.secret == unquote(secret) else "invalid_client"
        app = self.org.apps.get(form.get("client_id", ""))
        return app if app is not None and app.kind == "native" else "invalid_client"

    def _by_code(self, app: App, form: Mapping[str, str]) -> Response:
        org = self.org
        if app.kind == "custom":
            return _oauth_error("unauthorized_client")
        code = org.state.grants.codes.get(form.get("code", ""))
        if code is not None and code.used and code.grant:
            org.state.grants.grants[code.grant].revoked = True
        if code is None or code.used or code.until < org.now() or code.app != app.id:
            return _oauth_error("invalid_grant")
        code.used = True
        if form.get("redirect_uri") != code.redirect_uri or not _verified(code.challenge, form.get("code_verifier")):
            return _oauth_error("invalid_grant")
        code.grant = org.state.grants.new_grant(app.id, code.scopes, org.connect().id)
        return self._tokens(code.grant)

    def _by_refresh(self, app: App, form: Mapping[str, str]) -> Response:
        org = self.org
        if app.kind == "custom":
            return _oauth_error("unauthorized_client")
        grant = org.state.grants.exchange(form.get("refresh_token", ""), app.id, org.now(), org.revoke_on_reuse)
        return self._tokens(grant) if grant else _oauth_error("invalid_grant")

    def _by_credentials(self, app: App, form: Mapping[str, str]) -> Response:
        """A custom connection: one organisation, no refresh token."""
        if app.kind != "custom":
            return _oauth_error("unauthorized_client")
        scopes = frozenset(form.get("scope", "").split()) or GRANULAR_SCOPES
        if scopes - GRANULAR_SCOPES:
            return _oauth_error("invalid_scope")
        scopes -= {"offline_access"}
        return self._tokens(self.org.state.grants.new_grant(app.id, frozenset(scopes), self.org.connect().id))

    def _tokens(self, grant: str) -> Response:
        org = self.org
        scopes = org.state.grants.grants[grant].scopes
        answer: dict[str, Any] = {
            "access_token": org.state.grants.new_access(grant, org.now()),
            "expires_in": ACCESS_LIFE,
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }
        if "offline_access" in scopes:
            answer["refresh_token"] = org.state.grants.new_refresh(grant, org.now())
        if "openid" in scopes:
            answer["id_token"] = org.state.grants.token("eyJhbGciOiJSUzI1NiJ9.")
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _bearer(self, request: Request) -> Response | None:
        """None where the access token is good."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = self.org.state.grants.behind(token) if scheme.lower() == "bearer" else None
        if found is not None and found[1].until > self.org.now():
            return None
        expired = f"TokenExpired: token expired at {found[1].until:%m/%d/%Y %H:%M:%S}" if found else ""
        refusal: Refusal = problem(
            401, "Unauthorized", expired or "AuthenticationUnsuccessful", self.org.books.new_id()
        )
        return JSONResponse(refusal.payload, refusal.status)

    def _count(self, request: Request) -> None:
        path = "/connections/{id}" if request.path_params.get("id") else request.url.path.lower()
        self.org.requests[f"{request.method} {path}"] += 1


def _verified(challenge: str, verifier: str | None) -> bool:
    if not challenge:
        return not verifier
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def _oauth_error(error: str) -> Response:
    return JSONResponse({"error": error}, 400, headers={"Cache-Control": "no-store"})
