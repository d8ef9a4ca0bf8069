"""Who may ask: apps with client credentials, tokens with their scopes and end; and which API versions there are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crosswalk.clock import Clock

TOKEN_LIFE = timedelta(hours=24)
# The version whose schema is served; the quarters around it follow the clock.
SERVED = "2026-10"


@dataclass
class App:
    """An installed app. Its points are shared by all its tokens."""

    client_id: str
    client_secret: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Grant:
    """What a token stands for; ends is None for a token made in the shop's admin."""

    app: App
    ends: datetime | None

    def allows(self, scope: str) -> bool:
        """Whether the scope is granted; a write scope brings its read scope."""
        return scope in self.app.scopes or scope.replace("read_", "write_", 1) in self.app.scopes


@dataclass
class Account:
    """The shop's apps and the tokens that are out. seed fixes the tokens it makes up."""

    clock: Clock
    seed: int

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Grant] = {}
        self.codes: dict[str, App] = {}

    def install(self, client_id: str, client_secret: str, scopes: frozenset[str] | set[str]) -> App:
        """Install an app that gets its tokens by client credentials."""
        app = self.apps[client_id] = App(client_id, client_secret, frozenset(scopes))
        return app

    def static_token(self, token: str, scopes: frozenset[str] | set[str]) -> App:
        """Make a token without end, as for an app made in the shop's admin."""
        app = App(f"admin-{token[-6:]}", "", frozenset(scopes))
        self.tokens[token] = Grant(app, None)
        return app

    def rescope(self, token: str, scopes: frozenset[str] | set[str]) -> None:
        """Grant the app of this token these scopes from now on, for all its tokens; KeyError for an unknown token."""
        self.tokens[token].app.scopes = frozenset(scopes)

    def revoke(self, token: str) -> None:
        """Take a token back."""
        self.tokens.pop(token, None)

    def grant(self, token: str | None) -> Grant | None:
        """What a token stands for now, or None."""
        grant = self.tokens.get(token or "")
        if grant is None or (grant.ends is not None and self.clock.now() >= grant.ends):
            return None
        return grant

    def issue(self, app: App, lasting: bool = False) -> str:
        """A new token; 24 hours unless lasting. Earlier ones go on until their end."""
        token = f"shpat_{self._random.getrandbits(128):032x}"
        self.tokens[token] = Grant(app, None if lasting else self.clock.now() + TOKEN_LIFE)
        return token


def versions(now: datetime) -> list[str]:
    """The versions that are supported, oldest first: each for twelve months from its quarter's start."""
    now = max(now, datetime(2026, 10, 1, tzinfo=UTC))
    quarters = [(year, month) for year in (now.year - 1, now.year) for month in (1, 4, 7, 10)]
    return [
        f"{year}-{month:02d}"
        for year, month in quarters
        if datetime(year, month, 1, tzinfo=UTC) <= now < datetime(year + 1, month, 1, tzinfo=UTC)
    ]


def answered_version(asked: str, now: datetime) -> str | None:
    """The version that answers: what was asked for, the oldest supported for a retired one, None for none such."""
    if asked == "unstable":
        return asked
    known = versions(now)
    if asked in known:
        return asked
    year, _, month = asked.partition("-")
    if not (len(year) == 4 and year.isdigit() and month in ("01", "04", "07", "10")):
        return None
    return known[0] if asked < known[0] else None
