"""``crosswalk work``: a worker of the work pool, in the folder of crosswalk.toml."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from cyclopts import App, Parameter

from crosswalk.console import place
from crosswalk.errors import SettingsError

EACH = 2

Pool = Annotated[str, Parameter(help="The work pool of prefect.yaml.", show_default=True)]
Limit = Annotated[int | None, Parameter(help="How many runs at once; twice the number of processors by default.")]
Name = Annotated[str | None, Parameter(help="How the worker is called in Prefect's pages.")]


def register(app: App) -> None:
    app.command(work)


def work(*, pool: Pool = "crosswalk", limit: Limit = None, name: Name = None) -> int:
    """Take runs from a work pool and run them, until SIGTERM or Ctrl-C: Prefect's worker of the pool's own type.

    Becomes ``prefect worker start``. Start it under a supervisor, on as many machines as are needed.
    """
    from crosswalk.console.running import server

    settings = place.settings()
    api = server(settings.ui_url)
    if api is None:
        raise SettingsError(
            f"no Prefect server answers at {settings.ui_url}",
            safe="nothing was run",
            next_command="prefect server start, or set PREFECT_API_URL",
        )
    runs = EACH * (os.cpu_count() or 1) if limit is None else limit
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", _type(api, pool)]
    command += ["--limit", str(runs), "--install-policy", "never", *(["--name", name] if name else [])]
    os.chdir(settings.home)
    os.execve(command[0], command, {**os.environ, "PREFECT_API_URL": api})


def _type(api: str, pool: str) -> str:
    """The type of a work pool. Raises SettingsError for none."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        try:
            return client.read_work_pool(pool).type
        except ObjectNotFound as error:
            raise SettingsError(
                f"the Prefect server at {api} has no work pool {pool!r}",
                safe="nothing was run",
                next_command="crosswalk deploy, or crosswalk deploy --warm",
            ) from error
