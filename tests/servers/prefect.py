"""A real Prefect server for the suite, gone with its data at the end, or of this process if it is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crosswalk import prefect_server
from crosswalk.prefect_server import Child, Server

REPOSITORY = Path(__file__).parents[2]
OURS = ("PREFECT_HOME", "PREFECT_API_URL", "PREFECT_UI_URL", "PREFECT_SERVER_API_PORT", "PREFECT_PROFILES_PATH")


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """A server on a free port, with the settings of the repository's pyproject.toml."""
    home = Path(tempfile.mkdtemp(prefix="cw-prefect-"))
    before = Path.cwd()
    os.chdir(REPOSITORY)
    try:
        server = prefect_server.start(home)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    finally:
        os.chdir(before)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def work(server: Server, folder: Path, **environment: str) -> Iterator[Child]:
    """A worker of the pool ``crosswalk`` that looks for runs every second; its log is ``worker.log`` in the folder."""
    settings = {**server.environment, "PREFECT_WORKER_QUERY_SECONDS": "1", **environment}
    child = prefect_server.start_worker(settings, log=folder / "worker.log", folder=REPOSITORY)
    try:
        yield child
    finally:
        child.stop()
