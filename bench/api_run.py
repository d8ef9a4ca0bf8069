"""One run that writes contacts to the practice Xero, in a process of its own: ``python -m bench.api_run FOLDER``."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from bench.peak import report
from bench.practice import Order
from crosswalk.integration import Integration
from crosswalk.mapping import Copy, Mapping, Marker, Rule
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.runs.wiring import House
from crosswalk.schemas import xero

TOML = """
[connections.source]
system = "practice_orders"
account = "bench"
zone = "Europe/Amsterdam"
currency = "EUR"
prefix = "B1"
[connections.source.settings]
url = "{source}"
[connections.source.secrets]
token = "bench"

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

[bindings.bench]
integration = "practice_orders_to_contacts"
source = "source"
target = "books"
"""

INTEGRATION = Integration(
    name="practice_orders_to_contacts",
    title="Practice orders become Xero contacts",
    source="practice_orders.orders",
    target="xero",
    parts=(
        Mapping(
            "Practice orders become Xero contacts",
            source=Order,
            target=xero.Contact,
            key="id",
            marker="ContactNumber",
            rules=[
                Rule("ContactNumber", Marker("number"), why="our own reference"),
                Rule("Name", Copy("id")),
                Rule("FirstName", Copy("customer.first_name")),
                Rule("LastName", Copy("fulfilment")),
                Rule("EmailAddress", Copy("customer.email")),
            ],
        ),
    ),
    owner="finance",
    fresh_within=timedelta(hours=1),
)


def run(folder: Path) -> dict[str, object]:
    """Run the binding once; what it read, wrote and asked."""
    began = time.process_time()
    with closing(House.here(folder)) as house:
        opened = time.process_time()
        session = house.session("bench", Request(), integration=INTEGRATION)
        account = body.run(session)
        asked = [entry.connection for entry in house.journal.entries("run = ?", (session.run,))]
    fates = {"created": account.created, "updated": account.updated, "unchanged": account.unchanged}
    work = time.process_time() - opened
    return {"read": account.read, "requests": sum("books" in name for name in asked), "work_s": work,
            "open_s": opened - began, **fates, **report()}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
