"""One run of the engine, in a process of its own: ``python -m bench.engine FOLDER``, whose crosswalk.toml says all."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

from bench.peak import report
from bench.practice import INTEGRATION
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.runs.wiring import House

TOML = """
[connections.source]
system = "practice_orders"
account = "bench"
zone = "Europe/Amsterdam"
currency = "EUR"
prefix = "B1"
[connections.source.settings]
url = "{url}"
[connections.source.secrets]
token = "bench"

[connections.warehouse]
system = "database"
account = "warehouse"
[connections.warehouse.secrets]
url = "{database}"

[bindings.bench]
integration = "practice_orders_to_database"
source = "source"
target = "warehouse"
"""


def run(folder: Path) -> dict[str, object]:
    """Run the binding once; what it read and held."""
    with closing(House.here(folder)) as house:
        account = body.run(house.session("bench", Request(), integration=INTEGRATION))
    return {"read": account.read, "held": account.held, **report()}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
