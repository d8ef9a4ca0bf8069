"""``crosswalk deploy``: a Prefect server set up from prefect.yaml."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.errors import SettingsError

Warm = Annotated[bool, Parameter(help="Runs start in forked processes with imports made; see docs/many-bindings.md.")]


def register(app: App) -> None:
    app.command(deploy)


def deploy(*, warm: Warm = False) -> int:
    """Set the Prefect server up from prefect.yaml: work pools, and a deployment with its schedules for each binding.

    May be repeated: only what the file changed is changed, and what a person paused stays paused.
    """
    from crosswalk.console.running import server

    settings = place.settings()
    api = server(settings.ui_url)
    if api is None:
        raise SettingsError(
            f"no Prefect server answers at {settings.ui_url}",
            safe="nothing was deployed",
            next_command="prefect server start, or set PREFECT_API_URL",
        )
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from crosswalk import prefect_deploy

    with temporary_settings({PREFECT_API_URL: api}):
        found = prefect_deploy.deploy(settings.home, pools="crosswalk-warm" if warm else None)
    rows = [(d.binding, d.name, "new" if d.new else "as it was, or changed", ", ".join(d.schedules)) for d in found]
    show.table(("binding", "deployment", "", "schedules"), rows)
    show.say("Next: crosswalk work, or prefect worker start --pool crosswalk")
    return 0
