"""The practice organisation: its settings, its books, the switches a test or a demo may turn, its ledger of effects."""

from __future__ import annotations

import pickle
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from crosswalk.clock import Clock, SystemClock
from crosswalk.sandbox.xero.books import Books
from crosswalk.sandbox.xero.chart import (
    PRACTICE_RATES,
    Account,
    Item,
    TaxRate,
    practice_accounts,
    practice_tax_rates,
)
from crosswalk.sandbox.xero.effects import ledger
from crosswalk.sandbox.xero.grants import DEFAULT_SCOPES, App, Grants
from crosswalk.sandbox.xero.webhooks import Webhooks

CLIENT_ID = "practice-xero-app"
CLIENT_SECRET = "practice-xero-secret"  # noqa: S105 - the practice app's, good for nothing else
NATIVE_CLIENT_ID = "practice-xero-native"
CUSTOM_CLIENT_ID = "practice-xero-custom"
REDIRECT_URI = "http://localhost:8765/callback"
PRACTICE_APPS = (
    App(CLIENT_ID, CLIENT_SECRET),
    App(NATIVE_CLIENT_ID, "", "native"),
    App(CUSTOM_CLIENT_ID, CLIENT_SECRET, "custom"),
)


@dataclass
class Limits:
    """per tenant: a minute, a day, at the same time; app_minute: of the app over all tenants."""

    minute: int = 60
    day: int = 5_000
    concurrent: int = 5
    app_minute: int = 10_000


@dataclass
class Connection:
    id: str
    created: datetime
    event: str


@dataclass
class Kept:
    """An answer kept under an idempotency key. answer is None while the request is still being worked on."""

    fingerprint: bytes
    at: datetime
    answer: Any = None


@dataclass
class State:
    """All that changes while the organisation is used; a snapshot is a copy of it."""

    books: Books
    grants: Grants
    accounts: dict[str, Account]
    tax_rates: dict[str, TaxRate]
    currencies: list[str]
    items: dict[str, Item] = field(default_factory=dict)
    period_lock: date | None = None
    year_lock: date | None = None
    connection: Connection | None = None
    keys: dict[tuple[str, str], Kept] = field(default_factory=dict)
    calls: deque[float] = field(default_factory=deque)
    day_start: float = 0.0
    day_calls: int = 0
    waiting: list[tuple[float, Any]] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)


@dataclass(eq=False)
class Switches:
    """What may be changed at any time.

    minute: seconds the "minute" of the limits lasts.  key_life: seconds an idempotency key is remembered.
    latency: seconds every API request takes, really.  rates: how much of a currency one unit of the base currency buys.
    revoke_on_reuse: a refresh token used twice takes the whole grant with it.
    consent_page: authorising shows a page instead of approving by itself.
    not_modified_304: an incremental read without news is answered 304.
    broad_scopes: the app is older than the granular scopes.  offline: every API request is answered 503.
    reverse_answers: batch answers come in reverse order.
    unique_note_numbers: a credit note number that exists is refused.
    """

    minute: float = 60.0
    key_life: float = 360.0
    latency: float = 0.0
    limits: Limits = field(default_factory=Limits)
    rates: dict[str, Decimal] = field(default_factory=lambda: dict(PRACTICE_RATES))
    revoke_on_reuse: bool = False
    consent_page: bool = False
    not_modified_304: bool = False
    broad_scopes: bool = False
    offline: bool = False
    reverse_answers: bool = False
    unique_note_numbers: bool = True


class Organisation(Switches):
    """An organisation in the practice Xero; what is said of ``Switches`` may be set on it."""

    def __init__(
        self,
        name: str = "Practice BV",
        *,
        base_currency: str = "EUR",
        currencies: Iterable[str] = ("EUR", "GBP"),
        country: str = "NL",
        timezone: str = "WEUROPESTANDARDTIME",
        zone: str = "Europe/Amsterdam",
        accounts: Iterable[Account] | None = None,
        tax_rates: Iterable[TaxRate] | None = None,
        period_lock: date | None = date(2026, 6, 30),
        year_lock: date | None = date(2025, 12, 31),
        redirect_uris: Iterable[str] = (REDIRECT_URI,),
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.name, self.country, self.timezone = name, country, timezone
        self.base_currency, self.zone = base_currency, ZoneInfo(zone)
        self.clock: Clock = SystemClock()
        self.lock = threading.RLock()
        self.apps = {app.id: app for app in PRACTICE_APPS}
        self.redirect_uris: set[str] = set()
        for uri in redirect_uris:
            self.register(uri)
        self.requests, self.statuses = Counter[str](), Counter[int]()
        self.in_flight = 0
        self.commit_delay: float | None = None
        self.delayed_left = 0
        self.settle: Callable[[], None] = lambda: None
        self.write: Callable[[str, str, dict[str, Any]], dict[str, Any]] = _not_served
        books = Books(seed)
        self.tenant_id = books.new_id()
        self.webhooks = Webhooks(self)
        chart = list(practice_accounts() if accounts is None else accounts)
        for account in chart:
            account.id = account.id or books.new_id()
        rates = practice_tax_rates() if tax_rates is None else tax_rates
        grants = Grants(random.Random(seed + 1))
        self.state = State(books, grants, {a.code: a for a in chart}, {t.type: t for t in rates}, list(currencies))
        self.state.period_lock, self.state.year_lock = period_lock, year_lock

    @property
    def books(self) -> Books:
        return self.state.books

    def now(self) -> datetime:
        return self.clock.now().astimezone(UTC)

    def today(self) -> date:
        """The calendar day in the organisation's own zone."""
        return self.clock.now().astimezone(self.zone).date()

    # Access for demos and tests

    def register(self, redirect_uri: str) -> None:
        """Let the apps redirect to this address: https, or http on localhost (not 127.0.0.1); ValueError otherwise."""
        parts = urlsplit(redirect_uri)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname == "localhost"):
            raise ValueError(f"{redirect_uri} is neither https nor http://localhost")
        self.redirect_uris.add(redirect_uri)

    def connect(self) -> Connection:
        """The app's connection with this organisation, made when there is none."""
        if self.state.connection is None:
            self.state.connection = Connection(self.books.new_id(), self.now(), self.books.new_id())
        return self.state.connection

    def grant(self, scopes: str = DEFAULT_SCOPES, client_id: str = CLIENT_ID) -> str:
        """A refresh token as if a person had consented just now."""
        with self.lock:
            grant = self.state.grants.new_grant(client_id, frozenset(scopes.split()), self.connect().id)
            return self.state.grants.new_refresh(grant, self.now())

    def access_token(self, scopes: str = DEFAULT_SCOPES, client_id: str = CLIENT_ID) -> str:
        """An access token that lives for 30 minutes."""
        with self.lock:
            grant = self.state.grants.new_grant(client_id, frozenset(scopes.split()), self.connect().id)
            return self.state.grants.new_access(grant, self.now())

    def revoke_all(self) -> None:
        """Take every grant away, as a person does who disconnects the app."""
        with self.lock:
            for grant in self.state.grants.grants.values():
                grant.revoked = True

    # Switches

    def lock_period(self, day: date | None) -> None:
        """Let nobody change anything on or before this day."""
        self.state.period_lock = day

    def lock_year(self, day: date | None) -> None:
        """The same by the end-of-year lock."""
        self.state.year_lock = day

    def archive_account(self, code: str) -> None:
        self.state.accounts[code].status = "ARCHIVED"

    def restore_account(self, code: str) -> None:
        self.state.accounts[code].status = "ACTIVE"

    def subscribe(self, currency: str) -> None:
        """Add a currency to those the organisation may use."""
        if currency not in self.state.currencies:
            self.state.currencies.append(currency)

    def forget_keys(self) -> None:
        """Forget every idempotency key at once."""
        with self.lock:
            self.state.keys.clear()

    def delay_commits(self, seconds: float, count: int = 1) -> None:
        """Answer the next ``count`` writes 504 and commit them ``seconds`` later by the clock."""
        self.commit_delay, self.delayed_left = seconds, count

    def edit(self, resource: str, element: dict[str, Any]) -> dict[str, Any]:
        """Write ``element`` to Contacts, Invoices, CreditNotes or Payments as a person does in the screens.

        Creates, or updates what its id or number names; ``Payments/<id>`` names one record. No scopes, limits or keys
        apply, the ledger's rules do. Returns the record as the API shows it; raises errors.Refusal.
        """
        with self.lock:
            return self.write("POST", resource, element)

    # Ledger of effects

    def effects(self) -> dict[str, Any]:
        """What the books hold: lists of plain dicts, and ``counts`` and ``totals`` over what counts in the ledger.

        Amounts are Decimal with 2 places, days are dates. ``totals`` leaves out deleted and voided records.
        """
        with self.lock:
            self.settle()
            return ledger(self.books)

    def snapshot(self) -> bytes:
        """All that changes, in one piece."""
        with self.lock:
            return pickle.dumps(self.state)

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot of this process, counters of requests included in neither."""
        with self.lock:
            self.state = pickle.loads(snapshot)


def _not_served(method: str, resource: str, element: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("create() has not been called with this organisation yet")
