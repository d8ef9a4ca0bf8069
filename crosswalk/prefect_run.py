"""Running a binding's flow in this process, with the same history and the same Retry in Prefect's pages.

Where the binding has a deployment the run is made from it, so that a retry is picked up by a worker. Where it has
none, Prefect's pages show the run and a rerun is the same command again; progress lives in the store either way.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import chdir
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Flow, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.flow_engine import run_flow
from prefect.states import Pending

from crosswalk.errors import SettingsError
from crosswalk.settings import Settings, load


def run(
    binding: str, *, since: datetime | None = None, until: datetime | None = None, ids: Sequence[str] = (),
    dry_run: bool = False, full: bool = False, home: Path | None = None,
) -> State[Any]:  # fmt: skip
    """Run a binding once in this process and return how it ended; its account is the state's result.

    since, until: aware. Raises SettingsError before anything runs when there is no such binding or flow.
    """
    settings = load(home)
    flow = flow_of(settings.binding(binding).integration, settings.home)
    given = {"binding": binding, "since": since, "until": until, "ids": list(ids) or None, "dry_run": dry_run}
    if full:
        given["full"] = _takes(flow, "full")
    with chdir(settings.home):  # as a worker does
        return here(flow, settings, given)


def _takes(flow: Flow[..., Any], parameter: str) -> bool:
    """Raises SettingsError for a flow of the user's own that does not know the parameter yet."""
    if parameter not in flow.parameters.properties:
        raise SettingsError(
            f"the flow {flow.name!r} has no parameter {parameter!r}",
            safe="nothing was read or written",
            next_command=f"add it as the flows that come with Crosswalk have it, or give --bare with --{parameter}",
        )
    return True


def flow_of(integration: str, home: Path) -> Flow[..., Any]:
    """The flow in ``flows/<integration>.py``. Raises SettingsError for none."""
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    try:
        found = getattr(import_module(f"flows.{integration}"), integration, None)
    except ModuleNotFoundError as error:
        if error.name not in ("flows", f"flows.{integration}"):
            raise
        found = None
    if not isinstance(found, Flow):
        raise SettingsError(
            f"there is no flow for the integration {integration!r}: flows/{integration}.py declares none",
            safe="nothing was read or written",
            next_command="see docs/add-an-integration.md",
        )
    return found


def here(flow: Flow[..., Any], settings: Settings, parameters: dict[str, Any]) -> State[Any]:
    """Run a flow in this process, as a run of the binding's deployment where there is one."""
    given = {name: value for name, value in parameters.items() if value is not None}
    found = _from_deployment(f"{flow.name}/{given['binding']}", flow.serialize_parameters(given))
    if found is not None:
        run_it: Any = run_flow
        state: State[Any] = run_it(flow, flow_run=found, return_type="state")
        return state
    with tags(*tags_of(settings, given["binding"])):
        call: Any = flow
        ended: State[Any] = call(**given, return_state=True)
    return ended


def tags_of(settings: Settings, binding: str) -> list[str]:
    """What a run can be found by: binding, systems, environment."""
    bound = settings.bindings.get(binding)
    if bound is None:
        return [binding, settings.environment]
    return [binding, bound.source.system, bound.target.system, settings.environment]


def _from_deployment(name: str, parameters: dict[str, Any]) -> FlowRun | None:
    """A run of this deployment that no worker takes, because it is already under way; None without a deployment."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(name)
        except ObjectNotFound:
            return None
        return client.create_flow_run_from_deployment(deployment.id, parameters=parameters, state=Pending())


def alone(flow: Flow[..., Any]) -> None:
    """``python -m flows.NAME`` for a flow that belongs to no binding."""
    call: Any = flow
    state: State[Any] = call(return_state=True)
    print(f"{state.name}: {state.message}")
    sys.exit(0 if state.is_completed() else 1)


def main(flow: Flow[..., Any], arguments: Sequence[str] | None = None) -> None:
    """``python -m flows.NAME``: run a flow's binding once; exit code 0 when it completed."""
    settings = load()
    own = [b.name for b in settings.bindings.values() if b.integration == flow.fn.__name__]
    parser = argparse.ArgumentParser(prog=f"python -m flows.{flow.fn.__name__}", description=flow.description)
    parser.add_argument("--binding", default=own[0] if len(own) == 1 else None, required=len(own) != 1)
    parser.add_argument("--since", type=datetime.fromisoformat, help="2026-01-01T00:00:00Z")
    parser.add_argument("--until", type=datetime.fromisoformat, help="2026-01-01T00:00:00Z")
    parser.add_argument("--ids", type=lambda text: [i for i in text.split(",") if i], help="source keys, with commas")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and write nothing")
    state = here(flow, settings, vars(parser.parse_args(arguments)))
    print(f"{state.name}: {state.message}")
    sys.exit(0 if state.is_completed() else 1)
