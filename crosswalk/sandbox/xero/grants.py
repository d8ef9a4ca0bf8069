"""Apps, grants and tokens: who may do what, and for how long."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ACCESS_LIFE = 1800
CODE_LIFE = 300
GRACE = timedelta(minutes=30)
REFRESH_LIFE = timedelta(days=60)
RESOURCES = ("invoices", "payments", "contacts", "settings", "banktransactions", "manualjournals", "attachments")
IDENTITY_SCOPES = {"openid", "profile", "email", "offline_access"}
GRANULAR_SCOPES = IDENTITY_SCOPES | {f"accounting.{r}{suffix}" for r in RESOURCES for suffix in ("", ".read")}
BROAD_SCOPES = {"accounting.transactions", "accounting.transactions.read", "accounting.reports.read"}
DEFAULT_SCOPES = (
    "openid offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read"
)


@dataclass(frozen=True, slots=True)
class App:
    """An app of the developer portal. kind: ``web`` (has a secret), ``native`` (PKCE), ``custom`` (one tenant)."""

    id: str
    secret: str
    kind: str = "web"
    name: str = "Crosswalk practice app"


@dataclass(slots=True)
class Code:
    app: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    until: datetime
    used: bool = False
    grant: str = ""


@dataclass(slots=True)
class Refresh:
    """used: when it was first exchanged; None while it is the newest."""

    grant: str
    since: datetime
    used: datetime | None = None


@dataclass(slots=True)
class Access:
    grant: str
    until: datetime


@dataclass(slots=True)
class Grant:
    app: str
    scopes: frozenset[str]
    connection: str
    revoked: bool = False


@dataclass
class Grants:
    """Everything that has been granted; ``random`` makes tokens that a seed repeats."""

    random: random.Random
    codes: dict[str, Code] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)

    def token(self, kind: str) -> str:
        """An opaque text that looks like what the vendor gives out."""
        return f"{kind}{self.random.getrandbits(256):064x}"

    def new_grant(self, app: str, scopes: frozenset[str], connection: str) -> str:
        grant = self.token("grant_")
        self.grants[grant] = Grant(app, scopes, connection)
        return grant

    def new_refresh(self, grant: str, now: datetime) -> str:
        token = self.token("rt_")
        self.refresh[token] = Refresh(grant, now)
        return token

    def new_access(self, grant: str, now: datetime) -> str:
        token = self.token("eyJhbGciOiJSUzI1NiJ9.")
        self.access[token] = Access(grant, now + timedelta(seconds=ACCESS_LIFE))
        return token

    def exchange(self, token: str, app: str, now: datetime, revoke_on_reuse: bool) -> str | None:
        """The grant behind a refresh token, which is used up by it; None where it is not valid.

        One that has been used is accepted for 30 minutes more, for an answer that was lost.
        """
        found = self.refresh.get(token)
        if found is None or found.since + REFRESH_LIFE < now:
            return None
        grant = self.grants[found.grant]
        if grant.revoked or grant.app != app:
            return None
        if found.used is None:
            found.used = now
        elif revoke_on_reuse:
            grant.revoked = True
            return None
        elif now > found.used + GRACE:
            return None
        return found.grant

    def behind(self, token: str) -> tuple[Grant, Access] | None:
        """The grant of an access token, expired or not; None for an unknown or a revoked one."""
        access = self.access.get(token)
        if access is None or self.grants[access.grant].revoked:
            return None
        return self.grants[access.grant], access
