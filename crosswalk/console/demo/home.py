"""The folder that the demo works in: a user's folder like any other, whose settings point at practice systems."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
LINKED = ("flows", "tasks", "mappings", "pyproject.toml")
DATABASE = "CROSSWALK_DEMO_DATABASE"
PREFIX = "S1"
READY = "practice.json"

SETTINGS = """\
# Written by the demo. Practice systems on this machine; their secrets are good for nothing else.
prefect_ui = "{ui}"

[connections.shop]
system = "shopify"
account = "{shop}"
zone = "Europe/Amsterdam"
currency = "EUR"
prefix = "{prefix}"
[connections.shop.settings]
url = "{shopify}"
[connections.shop.settings.quota]
minute = {minute}
[connections.shop.secrets]
client_id = "{shop_id}"
client_secret = "{shop_secret}"

[connections.books]
system = "xero"
account = "{tenant}"
zone = "Europe/Amsterdam"
currency = "EUR"
[connections.books.settings]
url = "{xero}"
login_port = {callback}
[connections.books.settings.quota]
minute = {minute}
[connections.books.secrets]
client_id = "{xero_id}"
client_secret = "{xero_secret}"

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

# A bot keeps a thread for each incident; a webhook can only post.
[channels.finance]
kind = "slack"
token = "{token}"
channel = "{channel}"
api_url = "{sink}/api"

[channels.data]
kind = "slack-webhook"
url = "{sink}{hook}"

[owners.finance]
channels = ["finance"]

[owners.data]
channels = ["data"]

[alerts]
group_wait = 2
digest = ""
"""


@dataclass(frozen=True)
class Options:
    """What may be asked of the demo. minute: seconds that the practice systems' minute lasts."""

    orders: int = 1000
    seed: int = 1
    minute: float = 6.0
    share: float = 0.01
    keep: bool = False
    database: str = ""
    folder: Path = field(default_factory=lambda: ROOT / ".crosswalk" / "demo")


@dataclass(frozen=True)
class Home:
    """The demo's folder and the addresses in it."""

    options: Options
    port: int
    callback: int

    @property
    def folder(self) -> Path:
        return self.options.folder

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        """The address of the warehouse."""
        return self.options.database or f"sqlite:///{self.folder / 'warehouse.db'}"

    def environment(self) -> dict[str, str]:
        """The variables of every process of the demo. Nothing of the user's own Prefect or Crosswalk reaches it."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CROSSWALK_"))}
        return plain | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": f"{self.ui}/api",
            "PREFECT_UI_URL": self.ui,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
            "DO_NOT_TRACK": "1",
            "TMPDIR": str(self.folder / "tmp"),
            DATABASE: self.database,
        }

    def prepare(self) -> None:
        """Make the folder anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.logs.mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        for name in LINKED:
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "prefect.yaml").write_text(deployments(), encoding="utf-8")

    def settle(self, ready: Mapping[str, Any]) -> None:
        """Write the settings once the practice systems have said where they are and which credentials they take."""
        addresses, credentials = ready["addresses"], ready["credentials"]
        text = SETTINGS.format(
            ui=self.ui, prefix=PREFIX, minute=ready["minute"], callback=self.callback,
            shopify=addresses["shopify"], shop=credentials["shopify"]["domain"],
            shop_id=credentials["shopify"]["client_id"], shop_secret=credentials["shopify"]["client_secret"],
            xero=addresses["xero"], tenant=credentials["xero"]["tenant_id"],
            xero_id=credentials["xero"]["client_id"], xero_secret=credentials["xero"]["client_secret"],
            database=f"env:{DATABASE}", sink=addresses["sink"],
            hook=credentials["sink"]["hook"], token=credentials["sink"]["token"],
            channel=credentials["sink"]["channel"],
        )  # fmt: skip
        (self.folder / "crosswalk.toml").write_text(text, encoding="utf-8")


def deployments() -> str:
    """The project's own ``prefect.yaml`` with its schedules switched off: the demo starts every run itself."""
    import yaml

    content = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    for deployment in content["deployments"]:
        for schedule in deployment.get("schedules", ()):
            schedule["active"] = False
    return str(yaml.safe_dump(content, sort_keys=False))
