"""dlt on the same job, two ways: ``python -m bench.peers rest|arrow ADDRESS DATABASE FOLDER``, in its own environment.

rest: the declarative rest_api source at its best known setting (parquet, which goes through ADBC on PostgreSQL).
arrow: a resource of our own that yields Arrow tables, typed and flattened by hand, the fastest way into dlt.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.peak import report

MONEY: dict[str, Any] = {"data_type": "decimal", "precision": 19, "scale": 4}
# dlt writes into what it is given, so every column has its own.
ORDERS = {name: dict(MONEY) for name in ("subtotal", "discount", "shipping", "tax", "total")}
ORDERS["closed_at"] = {"data_type": "timestamp"}


def pipeline(database: str, folder: Path) -> Any:
    """A pipeline into the database, with its state in ``folder``."""
    import dlt

    os.environ.update({"RUNTIME__LOG_LEVEL": "ERROR", "RUNTIME__DLTHUB_TELEMETRY": "false",
                       "DATA_WRITER__DISABLE_COMPRESSION": "true"})  # fmt: skip
    if database.startswith("postgresql"):
        target: Any = dlt.destinations.postgres(database.replace("+psycopg", "").replace("postgres@", "postgres:none@"))
    else:
        target = dlt.destinations.sqlalchemy(database)
    return dlt.pipeline("bench", pipelines_dir=str(folder), destination=target, dataset_name="dlt")


def rest(address: str, strategy: str) -> Any:
    """The declared source."""
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": address,
                "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "id",
                    "write_disposition": {"disposition": "merge", "strategy": strategy},
                    "columns": ORDERS,
                    "endpoint": {
                        "path": "orders",
                        "data_selector": "orders",
                        "params": {
                            "limit": 250,
                            "updated_since": {
                                "type": "incremental",
                                "cursor_path": "updated_at",
                                "initial_value": "2025-01-01T00:00:00.000000Z",
                            },
                        },
                    },
                }
            ],
        }
    )
    source.resources["orders"].apply_hints(
        nested_hints={"lines": dlt.mark.make_nested_hints(columns=[{"name": "price", **MONEY}])}
    )
    return source


def arrow(address: str, strategy: str) -> Any:
    """Tables made by hand, as the floor makes them."""
    import dlt
    import pyarrow.compute as pc

    from bench.floor import PAGES, columns, pages

    def bodies(since: str) -> Iterator[bytes]:
        gathered: list[bytes] = []
        asyncio.run(pages(address, since, gathered.append))
        for at in range(0, len(gathered), PAGES):
            some = [page.replace(b"]},{", b"]}\n{") for page in gathered[at : at + PAGES] if page]
            if some:
                yield b"\n".join(some)

    @dlt.resource(name="orders_and_lines")
    def both() -> Iterator[Any]:
        state = dlt.current.resource_state()
        for body in bodies(state.get("since", "")):
            tables = columns(body)
            newest = pc.max(tables["orders"].column("updated_at")).as_py().isoformat()
            state["since"] = max(state.get("since", ""), newest)
            for name, key in (("orders", ["id"]), ("orders_lines", ["_parent", "_position"])):
                how = dlt.mark.make_hints(
                    table_name=name, primary_key=key, write_disposition={"disposition": "merge", "strategy": strategy}
                )
                yield dlt.mark.with_hints(tables[name], how, create_table_variant=True)

    return both()


def main(kind: str, address: str, database: str, folder: Path) -> None:
    # Upserts are cheaper, and dlt has none for SQLite.
    strategy = os.environ.get("DLT_STRATEGY") or ("upsert" if database.startswith("postgresql") else "delete-insert")
    source = rest(address, strategy) if kind == "rest" else arrow(address, strategy)
    running = pipeline(database, folder)
    running.run(source, loader_file_format="parquet")
    counts = running.last_trace.last_normalize_info.row_counts
    print(json.dumps({"read": counts.get("orders", 0), **report()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
