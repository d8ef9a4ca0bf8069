"""A user's folder for tests: settings that point at started practice systems, a store, and a clock."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from crosswalk.clock import Clock
from crosswalk.http.protocols import Token
from crosswalk.runs.wiring import House
from crosswalk.sandbox.control import Started
from crosswalk.settings import load

TOML = """
[connections.shop]
system = "shopify"
account = "practice-shop.myshopify.com"
zone = "Europe/Amsterdam"
currency = "EUR"
prefix = "S1"
[connections.shop.settings]
url = "{shopify}"
[connections.shop.settings.quota]
minute = {minute}
[connections.shop.secrets]
client_id = "practice-shop-app"
client_secret = "practice-shop-secret"

[connections.books]
system = "xero"
account = "{tenant}"
zone = "Europe/Amsterdam"
currency = "EUR"
[connections.books.settings]
url = "{xero}"
[connections.books.settings.quota]
minute = {minute}
[connections.books.secrets]
client_id = "practice-xero-app"
client_secret = "practice-xero-secret"

[connections.warehouse]
system = "database"
account = "warehouse"
[connections.warehouse.secrets]
url = "{database}"

[bindings.customers]
integration = "shopify_customers_to_xero_contacts"
source = "shop"
target = "books"

[bindings.orders]
integration = "shopify_orders_to_xero_invoices"
source = "shop"
target = "books"

[bindings.orders-to-database]
integration = "shopify_orders_to_database"
source = "shop"
target = "warehouse"

[owners.finance]
slack_webhook = "{sink}"

[owners.data]
slack_webhook = "{sink}"

[alerts]
group_wait = 0
digest = ""
"""


def write(folder: Path, started: Started, database: str = "") -> Path:
    """Write the folder's settings; returns the folder."""
    ready = started.ready
    folder.mkdir(parents=True, exist_ok=True)
    text = TOML.format(
        shopify=ready["addresses"]["shopify"],
        xero=ready["addresses"]["xero"],
        sink=ready["addresses"]["sink"] + ready["credentials"]["sink"]["hook"],
        tenant=ready["credentials"]["xero"]["tenant_id"],
        minute=ready["minute"],
        database=database or f"sqlite:///{folder / 'warehouse.db'}",
    )
    (folder / "crosswalk.toml").write_text(text, encoding="utf-8")
    return folder


def house(folder: Path, started: Started, clock: Clock, store: str = "", database: str = "") -> House:
    """An opened house whose connections are ready to be used; a second one on the same folder shares everything."""
    if not (folder / "crosswalk.toml").exists():
        write(folder, started, database)
    settings = load(folder, "sandbox")
    if store:
        settings = _with(settings, store=store)
    built = House(settings, clock, durable=False)
    books = settings.connection("books")
    if built.around.tokens.read(books.key) is None:
        consent(built, started)
    return built


def consent(built: House, started: Started) -> None:
    """Keep a refresh token, as after a person's login."""
    now = built.clock.now()
    refresh = started.ready["credentials"]["xero"]["refresh_token"]
    token = Token("", now, now - timedelta(seconds=1), refresh)
    books = built.settings.connection("books")
    assert built.around.tokens.save(books.key, token, 0)


def _with(settings: Any, **values: Any) -> Any:
    from dataclasses import replace

    return replace(settings, **values)


os.environ.pop("CROSSWALK_ENV", None)
