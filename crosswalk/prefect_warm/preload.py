"""What is imported once, before the first fork. Nothing here may start a thread or open a connection."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

# Imported by every run sooner or later; most of it on demand, which a fork would pay each time.
LIBRARIES = (
    "prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.artifacts", "prefect.client.orchestration",
    "prefect.deployments.steps.core", "prefect.deployments.steps.pull", "prefect.events.worker", "prefect.filesystems",
    "prefect.logging.handlers", "prefect.task_runners", "prefect.results", "prefect.blocks.system",
    "prefect.utilities.visualization", "prefect._vendor.croniter",
    "fastapi", "fastapi.encoders", "starlette.staticfiles", "anyio._backends._asyncio", "anyio.streams.tls",
    "opentelemetry.metrics", "opentelemetry._logs",
    "numpy", "pandas", "pandera.pandas", "pyarrow.compute", "pyarrow.csv", "pyarrow.json", "sqlmodel", "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite", "alembic.command",
    "alembic.runtime.migration", "cryptography.fernet", "httpx", "slack_sdk.webhook",
)  # fmt: skip

# Ours that no run imports.
APART = ("crosswalk.console", "crosswalk.sandbox", "crosswalk.prefect_warm")


def libraries() -> list[str]:
    """Import the libraries and the engine. Returns what could not be imported, with the reason."""
    found = import_module("crosswalk")
    ours = [
        module.name
        for module in pkgutil.walk_packages(found.__path__, "crosswalk.", onerror=lambda _: None)
        if not module.name.startswith(APART) and "migrations" not in module.name
    ]
    failed = _import((*LIBRARIES, *ours))
    from prefect.logging.configuration import setup_logging

    setup_logging()
    return failed


def flows(folder: Path) -> list[str]:
    """Import the flows of a user's folder, and those installed, with all that they import. Returns what could not be.

    A flow that does not import shows its error in its own run; the others start warm all the same.
    """
    sys.path.insert(0, str(folder))
    failed = _import(["flows"])
    places = getattr(sys.modules.get("flows"), "__path__", ())
    return failed + _import([f"flows.{module.name}" for module in pkgutil.iter_modules(places)])


def _import(names: Sequence[str]) -> list[str]:
    failed = []
    for name in names:
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 - whoever needs it hears of it in its own run
            failed.append(f"{name}: {type(error).__name__}: {error}")
    return failed
