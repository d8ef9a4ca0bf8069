"""The same run as a Prefect flow in this process: ``python -m bench.under_prefect FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from prefect import State, flow

from bench.peak import report
from bench.practice import INTEGRATION
from flows.sync import OPTIONS, sync


@flow(name="practice orders to database", **OPTIONS)
def practice_orders_to_database(binding: str) -> State[Any]:
    """The benchmark's binding, once."""
    return sync(INTEGRATION, binding, None, None, None, False)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    ended: Any = practice_orders_to_database("bench", return_state=True)
    if not ended.is_completed():
        sys.exit(f"{ended.name}: {ended.message}")
    account = ended.result()
    print(json.dumps({"read": account.read, "held": account.held, **report()}))
