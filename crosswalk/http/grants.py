"""The token endpoint's side of OAuth 2.0: how an application names itself there, and what the answers mean."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from crosswalk.errors import AnswerLost, BadCredentials, ConsentNeeded, Refused, ServerFault, VendorError
from crosswalk.http import redact
from crosswalk.http.answer import Answer, classify
from crosswalk.http.protocols import Token

ClientAuth = Literal["basic", "form"]


@dataclass(frozen=True)
class Application:
    """What the vendor knows our application by, at its token endpoint. ``how``: in HTTP Basic or in the form."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    how: ClientAuth = "form"

    def sign(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form of a token request; an application without a secret only gives its name."""
        headers = {"Accept": "application/json"}
        if not self.client_secret:
            return headers, {**form, "client_id": self.client_id}
        if self.how == "basic":
            return headers | {"Authorization": "Basic " + basic(f"{self.client_id}:{self.client_secret}")}, form
        redact.register(self.client_secret)
        return headers, {**form, "client_id": self.client_id, "client_secret": self.client_secret}


def basic(pair: str) -> str:
    """base64 of ``user:password``; both it and the password become known secrets."""
    value = base64.b64encode(pair.encode()).decode()
    redact.register(value, pair.partition(":")[2])
    return value


def token_error(connection: str, answer: Answer) -> VendorError | None:
    """The error of a token endpoint's answer: ConsentNeeded for invalid_grant, else as its status says."""
    error = classify(answer)
    if error is None:
        return None
    code = _code(answer)
    status, body = answer.status, redact.body(answer.body, answer.header("content-type"))[:2000]
    if isinstance(error, Refused) and code == "invalid_grant":
        return consent(connection, f"{connection}: the grant is gone", status=status, body=body)
    if isinstance(error, Refused) and code not in ("temporarily_unavailable", "server_error"):
        return BadCredentials(
            f"{connection}: the token request was refused ({code or status})",
            status=status,
            code=code,
            body=body,
            safe="nothing else was sent; what is pending stays pending",
            next_command=f"crosswalk connections check {named(connection)}",
        )
    error.what, error.body = f"{connection}: the token request {error.what}", body
    return ServerFault(error.what, status=status, code=code, body=body) if isinstance(error, Refused) else error


def named(connection: str) -> str:
    """The name that a person gave a connection: what stands between its environment and its account in the key."""
    pieces = connection.split("/", 2)
    return pieces[1] if len(pieces) == 3 else connection


def consent(connection: str, what: str, status: int = 0, body: str = "") -> ConsentNeeded:
    """The error that asks for a person."""
    return ConsentNeeded(
        what,
        status=status,
        code="invalid_grant" if status else "",
        body=body,
        safe="nothing was sent; what is pending stays pending",
        next_command=f"crosswalk connect {named(connection)}",
    )


def token_from(connection: str, answer: Answer, before: Token | None = None) -> Token:
    """The token of a good answer; refresh token and scope stay as ``before`` where the answer has none.

    ServerFault when there is no token in it. Its secrets are known to the redaction from here on.
    """
    try:
        found = answer.json()
        access, seconds = str(found["access_token"]), found.get("expires_in")
        life = None if seconds is None else timedelta(seconds=float(seconds))
    except (AnswerLost, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ServerFault(f"{connection}: the token answer has no token", status=answer.status) from None
    token = Token(
        access=access,
        issued_at=answer.sent_at,
        expires_at=None if life is None else answer.sent_at + life,
        refresh=str(found.get("refresh_token") or (before.refresh if before else "")),
        scope=str(found.get("scope") or (before.scope if before else "")),
    )
    redact.register(token.access, token.refresh)
    return token


def _code(answer: Answer) -> str:
    try:
        found: Any = answer.json()
        return str(found.get("error", ""))
    except (AnswerLost, AttributeError):
        return ""
