"""All practice systems of one process: their state, their applications behind faults, and the seeded business."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crosswalk.clock import Clock
from crosswalk.sandbox import shopify, sink, xero
from crosswalk.sandbox.faults import App, Faults, Rule, default_rules
from crosswalk.sandbox.seed import verdict
from crosswalk.sandbox.seed.change import apply, changes
from crosswalk.sandbox.seed.generate import generate
from crosswalk.sandbox.seed.oracle import Expected, expect
from crosswalk.sandbox.seed.sales import Business, Change
from crosswalk.sandbox.seed.to_shopify import fill, gid, tell
from crosswalk.sandbox.shopify.shop import ALL_SCOPES, PLANS, Shop
from crosswalk.sandbox.spoil import Spoil

SYSTEMS = ("shopify", "xero", "sink")
SHOP_TOKEN = "shpat_practice"  # noqa: S105 - the practice shop's, good for nothing else
SHOP_CLIENT = ("practice-shop-app", "practice-shop-secret")
_STORED = ("products", "customers", "orders")
REDIRECTS = ("http://localhost:8765/callback",)


@dataclass(frozen=True)
class Settings:
    """orders 0 is an empty shop. cases: as for `generate`. minute: seconds the vendors' minute lasts."""

    seed: int = 1
    orders: int = 1000
    cases: tuple[str, ...] | None = None
    minute: float = 60.0
    faults: bool = False


class Practice:
    """Builds everything from its settings, and again on reset. The applications' addresses stay the same."""

    def __init__(self, clock: Clock, settings: Settings | None = None) -> None:
        self.clock, self.settings = clock, settings or Settings()
        self.fronts = {name: Faults(_nobody, clock, self.settings.seed, name) for name in SYSTEMS}
        self.reset()

    def reset(self, **settings: Any) -> None:
        """Start anew from the seed, with these settings changed; counts and logs included. The clock stays."""
        self.settings = replace(self.settings, **settings)
        self._snapshots: dict[str, tuple[bytes, dict[str, list[Any]], Business, list[sink.Posted]]] = {}
        self.shop = Shop(self.clock, seed=self.settings.seed)
        self.org = xero.Organisation(redirect_uris=REDIRECTS, seed=self.settings.seed)
        self.sink = sink.Sink(self.clock)
        self.spoil = Spoil(shopify.create(self.shop, self.clock))
        self.shop.accounts.static_token(SHOP_TOKEN, ALL_SCOPES)
        self.shop.accounts.install(*SHOP_CLIENT, ALL_SCOPES)
        apps: dict[str, App] = {
            "shopify": self.spoil,
            "xero": xero.create(self.org, self.clock),
            "sink": sink.create(self.sink),
        }
        for name, front in self.fronts.items():
            front.app, front.seed = apps[name], self.settings.seed
            front.forget()
            front.use(default_rules(name) if self.settings.faults else ())
        self.last_minute(self.settings.minute)
        self.business = Business(self.settings.seed, (), (), ())
        if self.settings.orders:
            self._sell(generate(self.settings.seed, self.settings.orders, self.settings.cases))

    def last_minute(self, seconds: float) -> None:
        """Let the vendors' minute last so many seconds: limits come back that much faster."""
        self.org.minute = seconds
        self.shop.switches.restore_rate = PLANS[self.shop.plan] * 60.0 / seconds

    def _sell(self, business: Business) -> None:
        self.business = business
        fill(self.shop, business)
        for name in business.strangers:
            self.org.edit("Contacts", {"Name": name})
        self.spoil.rows = spoiled(business)

    def change(
        self, share: float, seed: int, at: datetime | None = None, kinds: Iterable[str] = ()
    ) -> tuple[Change, ...]:
        """Let this share of the orders change, now by the clock unless an instant is given; all kinds or these."""
        made = changes(self.business, seed, share, at or self.clock.now().replace(microsecond=0), kinds)
        self.business = apply(self.business, made)
        tell(self.shop, made)
        return made

    def snapshot(self, name: str) -> None:
        """Remember what shop, books and sink hold, under a name."""
        nodes = {c: [self.shop.get(c, id_) for id_ in self.shop.ids(c)] for c in _STORED}
        self._snapshots[name] = (self.org.snapshot(), nodes, self.business, copy.deepcopy(self.sink.messages))

    def restore(self, name: str) -> None:
        """Go back to a snapshot since the last reset; KeyError for an unknown one. Clock, faults and counts stay."""
        books, nodes, self.business, messages = self._snapshots[name]
        self.org.restore(books)
        self.sink.messages = copy.deepcopy(messages)
        for collection in reversed(_STORED):
            kept = {node["id"] for node in nodes[collection]}
            for id_ in self.shop.ids(collection):
                if id_ not in kept:
                    self.shop.delete(collection, id_)
        for collection in _STORED:
            for node in nodes[collection]:
                self.shop.put(collection, node)

    def expected(self) -> Expected:
        """What the oracle expects of the business as it is now."""
        return expect(self.business)

    def verdict(self, prefix: str) -> list[str]:
        """Where the practice Xero differs from that."""
        return verdict.books(self.expected(), self.org.effects(), prefix)

    def connect(self) -> dict[str, dict[str, str]]:
        """Credentials for both systems; Xero's refresh token is a new grant, as if a person had just consented."""
        return {
            "shopify": {
                "token": SHOP_TOKEN, "client_id": SHOP_CLIENT[0], "client_secret": SHOP_CLIENT[1],
                "domain": self.shop.domain,
            },
            "xero": {
                "client_id": xero.CLIENT_ID, "client_secret": xero.CLIENT_SECRET, "refresh_token": self.org.grant(),
                "tenant_id": self.org.tenant_id,
            },
            "sink": {"token": sink.TOKEN, "channel": sink.CHANNEL, "hook": sink.HOOK},
        }  # fmt: skip

    def use_faults(self, system: str, rules: Iterable[Rule]) -> None:
        self.fronts[system].use(rules)

    def part(self, name: str) -> Any:
        """The state of a system, or something in it: ``xero``, ``xero.limits``, ``shopify.switches``, …"""
        parts = {"shopify": self.shop, "xero": self.org, "sink": self.sink}
        head, *rest = name.split(".")
        if head not in parts or any(not piece or piece.startswith("_") for piece in rest):
            raise KeyError(name)
        found: Any = parts[head]
        for piece in rest:
            found = getattr(found, piece)
        return found


def spoiled(business: Business) -> dict[str, str]:
    """gid → damage, for `Spoil`."""
    rows = {gid("Order", sale.id): sale.spoil for sale in business.sales if sale.spoil}
    return rows | {gid("Customer", person.id): person.spoil for person in business.people if person.spoil}


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("not built yet")
