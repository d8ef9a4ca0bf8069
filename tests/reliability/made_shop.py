"""Runs so many orders of a made-up shop into a database and prints the peak of the process's memory, in MB."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crosswalk.clock import SystemClock
from crosswalk.connectors.base import Page, Window
from crosswalk.connectors.database import Database
from crosswalk.connectors.shopify import Shopify
from crosswalk.integration import find
from crosswalk.runs import body
from crosswalk.runs.session import Session
from crosswalk.settings import Binding, Connection
from crosswalk.store.engine import Store
from crosswalk.store.vault import PRACTICE_KEY, Vault
from mappings.shopify_orders import worked

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BEGIN = NOW - timedelta(days=30)


class Made(Shopify):
    """A shop that makes its orders while they are read."""

    count = 0

    def now(self) -> datetime:
        return NOW

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        for start in range(0, self.count, 250):
            rows = [_order(n) for n in range(start, min(start + 250, self.count))]
            more = str(start) if start + 250 < self.count else None
            yield Page(rows, more, self.count, NOW)


def _order(number: int) -> bytes:
    at = (BEGIN + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    own = {"id": f"gid://shopify/Order/{number}", "legacyResourceId": str(number), "updatedAt": at}
    return json.dumps({**worked.ORDER, **own}, default=float).encode()


def main(count: int, folder: Path) -> dict[str, Any]:
    clock = SystemClock()
    store = Store(f"sqlite:///{folder}/store.db", clock=clock, vault=Vault(PRACTICE_KEY)).open(migrate=True)
    shop = Connection("shop", "shopify", "sandbox", "made.myshopify.com", "Europe/Amsterdam", "EUR", "M1")
    warehouse = Connection("warehouse", "database", "sandbox", "warehouse")
    integration = find("shopify_orders_to_database")
    source = Made(shop, None, clock)
    source.count = count
    binding = Binding("made", integration.name, shop, warehouse)
    target = Database(f"sqlite:///{folder}/warehouse.db", clock)
    account = body.run(Session(binding, integration, store, clock, source, target))
    # Not ru_maxrss, which a process takes over from the one that started it.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return {"peak": peak, "created": account.created, "read": account.read}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
