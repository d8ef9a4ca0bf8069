"""A user's folder with channels that lead to the practice workspace, a store on each engine, and a clock to move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.trouble import Trouble
from crosswalk.clock import SharedClock
from crosswalk.sandbox.serve import in_thread
from crosswalk.sandbox.sink import CHANNEL, HOOK, TOKEN, Posted, Sink, create
from crosswalk.sandbox.sink_teams import URL
from crosswalk.settings import Settings, load
from crosswalk.store.engine import Store
from crosswalk.store.vault import PRACTICE_KEY, Vault

BOT = f'[channels.bot]\nkind = "slack"\ntoken = "{TOKEN}"\nchannel = "{CHANNEL}"\napi_url = "{{url}}/api"\n'
HOOKED = f'[channels.hook]\nkind = "slack-webhook"\nurl = "{{url}}{HOOK}"\n'
TEAMS = f'[channels.teams]\nkind = "teams"\nurl = "{{url}}{URL}"\n'
BINDINGS = """
[connections.shop]
system = "shopify"
account = "practice-shop.myshopify.com"
[connections.books]
system = "xero"
account = "practice"
[bindings.customers]
integration = "shopify_customers_to_xero_contacts"
source = "shop"
target = "books"
[bindings.orders]
integration = "shopify_orders_to_xero_invoices"
source = "shop"
target = "books"
"""


@dataclass
class World:
    """Everything an alert test needs. sinks: by name of channel; each channel may have a workspace of its own."""

    folder: Path
    clock: SharedClock
    store: Store
    sink: Sink
    url: str
    extra: list[Sink] = field(default_factory=list)

    def settings(self, *parts: str, owners: str = "", alerts: str = "") -> Settings:
        """Settings with these channels; owners: lines of [owners.finance], which names all of them by default."""
        names = [part.partition("]")[0].removeprefix("[channels.") for part in parts]
        text = BINDINGS + "".join(part.replace("{url}", self.url) for part in parts)
        text += "[owners.finance]\n" + (owners or f"channels = {names!r}\n".replace("'", '"'))
        text += f'[alerts]\ndigest = ""\n{alerts}\n' if "digest" not in alerts else f"[alerts]\n{alerts}\n"
        (self.folder / "crosswalk.toml").write_text(text, encoding="utf-8")
        return load(self.folder, "sandbox")

    def incidents(self, *parts: str, **more: str) -> Incidents:
        """The incidents of such settings."""
        return Incidents(self.store, self.settings(*parts, **more), self.clock)

    def later(self, incidents: Incidents, seconds: float, step: float = 60) -> None:
        """Let time pass, telling what becomes due every minute."""
        until = self.clock.now().timestamp() + seconds
        while self.clock.now().timestamp() < until:
            self.clock.advance(min(step, until - self.clock.now().timestamp()))
            incidents.send_due()

    def titles(self, via: str = "") -> list[str]:
        """First lines of what stands in the workspace, without the environment."""
        found = [m for m in self.sink.messages if not via or m.via == via]
        return [title(m) for m in found]

    def thread(self) -> list[tuple[str, bool]]:
        """Titles, and whether each is in a thread."""
        return [(title(m), "thread_ts" in m.message) for m in self.sink.messages]


def title(posted: Posted) -> str:
    return str(posted.message["text"]).splitlines()[0].partition("] ")[2]


def failed(binding: str = "orders", error: str = "MappingError", **more: Any) -> Trouble:
    """A run that failed."""
    values: dict[str, Any] = {"code": "no rule for 4711", "what": "no rule for 4711", "owner": "finance", **more}
    return Trouble("run_failed", f"{binding} failed: {error}", binding=binding, step="transform", error=error, **values)


@contextmanager
def world(folder: Path, clock: SharedClock, database_url: str) -> Iterator[World]:
    """A served workspace and a migrated store."""
    sink = Sink(clock)
    store = Store(database_url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open(migrate=True)
    try:
        with in_thread(create(sink)) as url:
            yield World(folder, clock, store, sink, url)
    finally:
        store.close()
