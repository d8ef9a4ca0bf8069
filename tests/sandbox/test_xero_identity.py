"""The practice Xero's identity service."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from xero_client import Got, Xero

from crosswalk.sandbox.xero import (
    CLIENT_ID,
    CLIENT_SECRET,
    CUSTOM_CLIENT_ID,
    NATIVE_CLIENT_ID,
    REDIRECT_URI,
    Organisation,
)

BASIC = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
SCOPES = "offline_access accounting.invoices accounting.contacts"
VERIFIER = "a-verifier-that-is-long-enough-to-be-one-of-43-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def xero() -> Xero:
    return Xero()


def authorize(xero: Xero, method: str = "GET", body: bytes = b"", **query: str) -> Got:
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPES,
        "state": "s-1",
        **query,
    }
    return xero.send(method, "/identity/connect/authorize", {}, body, urlencode(asked))


def back(got: Got) -> dict[str, str]:
    assert got.status == 302, got.text
    target = got.headers["location"]
    assert target.startswith(REDIRECT_URI + "?")
    return {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}


def token(xero: Xero, auth: str | None = BASIC, **form: str) -> Got:
    return xero.form("/connect/token", form, {"authorization": auth} if auth else {})


def by_code(xero: Xero, code: str, **form: str) -> Got:
    return token(xero, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, **form)


def refresh(xero: Xero, value: str) -> Got:
    return token(xero, grant_type="refresh_token", refresh_token=value)


def refused(got: Got, error: str) -> bool:
    return bool(got.status == 400 and got.json == {"error": error})


def tokens(xero: Xero) -> Any:
    return by_code(xero, back(authorize(xero))["code"]).json


def works(xero: Xero, access: str) -> int:
    return xero.call("GET", "/Contacts", token=access).status


def test_code_grant(xero: Xero) -> None:
    """Consent redirects with a code and the state; the code buys an access token for 30 minutes and a refresh token."""
    answer = back(authorize(xero))
    assert answer["state"] == "s-1"
    got = by_code(xero, answer["code"]).json
    assert (got["expires_in"], got["token_type"]) == (1800, "Bearer")
    assert set(got["scope"].split()) == set(SCOPES.split())
    assert works(xero, got["access_token"]) == 200
    assert refresh(xero, got["refresh_token"]).status == 200


def test_code_single_use(xero: Xero) -> None:
    """A code is good once; using it again also takes away what it bought."""
    code = back(authorize(xero))["code"]
    got = by_code(xero, code).json
    assert refused(by_code(xero, code), "invalid_grant")
    assert works(xero, got["access_token"]) == 401


def test_code_lives_five_minutes(xero: Xero) -> None:
    """A code that is older than 5 minutes is refused."""
    code = back(authorize(xero))["code"]
    xero.clock.sleep(301)
    assert refused(by_code(xero, code), "invalid_grant")


def test_code_other_redirect(xero: Xero) -> None:
    """The token request must name the redirect address of the consent."""
    code = back(authorize(xero))["code"]
    got = token(xero, grant_type="authorization_code", code=code, redirect_uri="http://localhost:1/other")
    assert refused(got, "invalid_grant")


def test_pkce(xero: Xero) -> None:
    """With a challenge the code is only good together with its verifier."""
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert refused(by_code(xero, back(authorize(xero, **asked))["code"]), "invalid_grant")
    wrong = by_code(xero, back(authorize(xero, **asked))["code"], code_verifier="x" * 43)
    assert refused(wrong, "invalid_grant")
    assert by_code(xero, back(authorize(xero, **asked))["code"], code_verifier=VERIFIER).status == 200


def test_pkce_plain_is_refused(xero: Xero) -> None:
    """Only S256 challenges are taken."""
    answer = back(authorize(xero, code_challenge="plain", code_challenge_method="plain"))
    assert answer == {"error": "invalid_request", "state": "s-1"}


def test_native_app_needs_pkce(xero: Xero) -> None:
    """An app without a secret gets a code only with a challenge, and names itself in the form."""
    assert back(authorize(xero, client_id=NATIVE_CLIENT_ID))["error"] == "invalid_request"
    code = back(authorize(xero, client_id=NATIVE_CLIENT_ID, code_challenge=CHALLENGE, code_challenge_method="S256"))[
        "code"
    ]
    got = token(
        xero,
        None,
        grant_type="authorization_code",
        code=code,
        redirect_uri=REDIRECT_URI,
        client_id=NATIVE_CLIENT_ID,
        code_verifier=VERIFIER,
    )
    assert got.status == 200


def test_redirect_must_be_registered(xero: Xero) -> None:
    """An address that is not registered gets a page with an error, never a redirect."""
    got = authorize(xero, redirect_uri="https://evil.example/callback")
    assert (got.status, "location" in got.headers) == (400, False)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8765/callback", "http://shop.example/callback"])
def test_redirect_https_or_localhost(uri: str) -> None:
    """Only https and http://localhost can be registered; 127.0.0.1 cannot."""
    with pytest.raises(ValueError, match="https"):
        Organisation(redirect_uris=[uri])


def test_unknown_scope(xero: Xero) -> None:
    """A scope that does not exist, or a broad one for a new app, is refused."""
    for scope in ("accounting.everything", "accounting.transactions"):
        assert back(authorize(xero, scope=scope))["error"] == "invalid_scope"
    xero.org.broad_scopes = True
    assert "code" in back(authorize(xero, scope="accounting.transactions"))


def test_consent_page(xero: Xero) -> None:
    """With prompt=consent a page asks; allowing gives a code, cancelling gives access_denied."""
    page = authorize(xero, prompt="consent")
    assert page.status == 200 and "Practice BV" in page.text
    assert "code" in back(authorize(xero, "POST", b"answer=allow", prompt="consent"))
    assert back(authorize(xero, "POST", b"answer=deny"))["error"] == "access_denied"
    xero.org.consent_page = True
    assert authorize(xero).status == 200


def test_no_refresh_without_offline_access(xero: Xero) -> None:
    """Without offline_access there is no refresh token."""
    code = back(authorize(xero, scope="accounting.invoices"))["code"]
    assert "refresh_token" not in by_code(xero, code).json


def test_access_token_expires(xero: Xero) -> None:
    """After 30 minutes the API answers 401 and names when the token expired."""
    got = tokens(xero)
    xero.clock.sleep(1799)
    assert works(xero, got["access_token"]) == 200
    xero.clock.sleep(1)
    refusal = xero.call("GET", "/Contacts", token=got["access_token"])
    assert refusal.status == 401
    assert refusal.json["Detail"] == "TokenExpired: token expired at 11/23/2026 09:30:00"
    assert refusal.json["Title"] == "Unauthorized" and refusal.json["Extensions"] == {}


def test_refresh_rotates(xero: Xero) -> None:
    """Every refresh gives a new refresh token, which is the one to keep."""
    first = tokens(xero)["refresh_token"]
    second = refresh(xero, first).json["refresh_token"]
    assert second != first
    xero.clock.sleep(1801)
    assert refused(refresh(xero, first), "invalid_grant")
    assert refresh(xero, second).status == 200


def test_refresh_grace(xero: Xero) -> None:
    """For 30 minutes the previous refresh token is still taken, because the answer may have been lost."""
    first = tokens(xero)["refresh_token"]
    lost = refresh(xero, first).json
    xero.clock.sleep(1800)
    again = refresh(xero, first)
    assert again.status == 200
    assert refresh(xero, again.json["refresh_token"]).status == 200
    assert refresh(xero, lost["refresh_token"]).status == 200


def test_revoke_on_reuse(xero: Xero) -> None:
    """With the switch on, a refresh token that comes twice takes the whole grant with it."""
    xero.org.revoke_on_reuse = True
    first = tokens(xero)["refresh_token"]
    got = refresh(xero, first).json
    assert refused(refresh(xero, first), "invalid_grant")
    assert refused(refresh(xero, got["refresh_token"]), "invalid_grant")
    assert works(xero, got["access_token"]) == 401


def test_refresh_token_dies_after_60_days(xero: Xero) -> None:
    """A refresh token that nobody used for 60 days is gone."""
    first = xero.org.grant()
    xero.clock.sleep(60 * 86400 + 1)
    assert refused(refresh(xero, first), "invalid_grant")


def test_wrong_secret(xero: Xero) -> None:
    """An unknown app and a wrong secret are invalid_client."""
    wrong = "Basic " + base64.b64encode(f"{CLIENT_ID}:wrong".encode()).decode()
    for auth in (wrong, "Basic !!", None):
        assert refused(token(xero, auth, grant_type="refresh_token", refresh_token="x"), "invalid_client")


def test_refresh_token_of_another_app(xero: Xero) -> None:
    """A refresh token belongs to the app that got it."""
    assert refused(refresh(xero, xero.org.grant(client_id=NATIVE_CLIENT_ID)), "invalid_grant")


def test_client_credentials(xero: Xero) -> None:
    """A custom connection gets an access token without a refresh token and needs no tenant header."""
    custom = "Basic " + base64.b64encode(f"{CUSTOM_CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    got = token(xero, custom, grant_type="client_credentials", scope="accounting.contacts").json
    assert "refresh_token" not in got
    assert xero.call("GET", "/Contacts", token=got["access_token"], headers={"xero-tenant-id": ""}).status == 200


def test_wrong_kind_of_app(xero: Xero) -> None:
    """A web app gets no client credentials and a custom one no code: unauthorized_client."""
    custom = "Basic " + base64.b64encode(f"{CUSTOM_CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert refused(token(xero, grant_type="client_credentials"), "unauthorized_client")
    assert refused(token(xero, custom, grant_type="authorization_code", code="x"), "unauthorized_client")
    assert authorize(xero, client_id=CUSTOM_CLIENT_ID).status == 400


def test_unsupported_grant(xero: Xero) -> None:
    """Another grant type is refused by name."""
    assert refused(token(xero, grant_type="password"), "unsupported_grant_type")


def test_revocation(xero: Xero) -> None:
    """Revoking a refresh token ends the grant; revoking nonsense is answered 200 too."""
    got = tokens(xero)
    assert xero.form("/connect/revocation", {"token": "nonsense"}, {"authorization": BASIC}).status == 200
    assert works(xero, got["access_token"]) == 200
    form = {"token": got["refresh_token"]}
    assert xero.form("/connect/revocation", form, {"authorization": BASIC}).status == 200
    assert works(xero, got["access_token"]) == 401
    assert refused(refresh(xero, got["refresh_token"]), "invalid_grant")


def test_connections(xero: Xero) -> None:
    """The connection names the tenant; without a token the list is refused."""
    auth = {"authorization": f"Bearer {xero.token}"}
    (held,) = xero.send("GET", "/connections", auth).json
    assert (held["tenantId"], held["tenantType"], held["tenantName"]) == (
        xero.org.tenant_id,
        "ORGANISATION",
        "Practice BV",
    )
    assert xero.send("GET", "/connections", {}).status == 401


def test_disconnect(xero: Xero) -> None:
    """After DELETE /connections/{id} the token still lives but the tenant answers 403, until somebody consents anew."""
    auth = {"authorization": f"Bearer {xero.token}"}
    assert xero.send("DELETE", "/connections/00000000-0000-0000-0000-000000000000", auth).status == 404
    (held,) = xero.send("GET", "/connections", auth).json
    assert xero.send("DELETE", f"/connections/{held['id']}", auth).status == 204
    got = xero.call("GET", "/Contacts")
    assert (got.status, got.json["Detail"]) == (403, "AuthenticationUnsuccessful")
    assert xero.send("GET", "/connections", auth).json == []
    assert works(xero, tokens(xero)["access_token"]) == 200


def test_ready_grant(xero: Xero) -> None:
    """A test or demo gets a refresh token without a browser, and can have every grant revoked."""
    ready = xero.org.grant()
    access = refresh(xero, ready).json["access_token"]
    assert works(xero, access) == 200
    xero.org.revoke_all()
    assert works(xero, access) == 401
