"""What the tests of the watch share: a folder whose sink counts what people are told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from crosswalk.alerts.incidents import Incidents
from crosswalk.clock import SharedClock
from crosswalk.http.protocols import Token
from crosswalk.runs.account import Account
from crosswalk.runs.wiring import House
from crosswalk.sandbox.serve import in_thread
from crosswalk.sandbox.sink import HOOK, Sink, create
from crosswalk.settings import Settings, load
from crosswalk.store import runs
from crosswalk.store.engine import Store
from crosswalk.store.tokens import Tokens
from crosswalk.watch import looking
from crosswalk.watch.looking import Seen

TOML = """
[connections.shop]
system = "shopify"
account = "practice-shop.myshopify.com"
[connections.shop.secrets]
client_id = "practice-shop-app"
client_secret = "practice-shop-secret"
[connections.books]
system = "xero"
account = "practice"
[connections.books.secrets]
client_id = "practice-xero-app"
client_secret = "practice-xero-secret"
[bindings.orders]
integration = "shopify_orders_to_xero_invoices"
source = "shop"
target = "books"
[channels.hook]
kind = "slack-webhook"
url = "{url}"
[owners.finance]
channels = ["hook"]
[alerts]
digest = ""
group_wait = 0
"""
SCHEDULE = """
deployments:
  - name: orders
    parameters: {binding: orders}
    schedules: [{slug: half-hourly, cron: "10,40 * * * *", timezone: Europe/Amsterdam}]
"""


@dataclass
class Guard:
    """A folder that is watched."""

    folder: Path
    clock: SharedClock
    house: House
    sink: Sink
    url: str

    @property
    def store(self) -> Store:
        return self.house.store

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def scope(self) -> str:
        return self.settings.binding("orders").scope

    def look(self, times: int = 1, **more: Any) -> Seen:
        """Look so many times, a minute apart; what the last one saw."""
        for _ in range(times):
            seen = looking.once(self.house, **more)
            self.clock.advance(60)
        return seen

    def titles(self) -> list[str]:
        """First lines of what people were told, without the environment."""
        return [str(m.message["text"]).splitlines()[0].partition("] ")[2] for m in self.sink.messages]

    def kinds(self) -> list[str]:
        """What was found at the last look by itself."""
        return [one.trouble.kind for one in self.look().findings]

    def run(self, state: str = "completed", error: str = "", account: Account | None = None, **more: Any) -> str:
        """A run of the binding as the store keeps it, begun and ended now."""
        name = uuid.uuid4().hex
        values: dict[str, Any] = {"flow_run_id": "", "since": None, "until": None, "dry_run": False, **more}
        runs.begin(self.store, name, self.scope, "orders", **values)
        if state != "running":
            runs.end(self.store, name, state, (account or Account()).as_dict(), error)
        return name

    def good(self) -> None:
        """A whole run that ended well, with what its process tells of it."""
        self.run()
        Incidents(self.store, self.settings, self.clock).succeeded("orders", (), ())

    def later(self, hours: float) -> None:
        self.clock.advance(hours * 3600)

    def configure(self, text: str) -> None:
        """Add to crosswalk.toml and read it again."""
        file = self.folder / "crosswalk.toml"
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
        self.house.settings = replace(load(self.folder, "sandbox"), store=self.settings.store)

    def login(self, days: float) -> None:
        """Keep a login of books that was last renewed so many days ago."""
        tokens, key = Tokens(self.store), self.settings.connection("books").key
        known = tokens.read(key)
        at = self.clock.now() - timedelta(days=days)
        assert tokens.save(key, Token("", at, at, "refresh-" + "r" * 20), known.version if known else 0)


@contextmanager
def guarding(folder: Path, clock: SharedClock, database_url: str) -> Iterator[Guard]:
    """A folder with a store and a served workspace."""
    sink = Sink(clock)
    with in_thread(create(sink)) as url:
        (folder / "crosswalk.toml").write_text(TOML.format(url=url + HOOK), encoding="utf-8")
        house = House(replace(load(folder, "sandbox"), store=database_url), clock, durable=False)
        try:
            yield Guard(folder, clock, house, sink, url)
        finally:
            house.close()
