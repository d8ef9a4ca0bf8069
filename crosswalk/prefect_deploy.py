"""Setting a Prefect server up from ``prefect.yaml``, from nothing and again without harm, in one process.

A second time changes only what the file changed: a deployment or schedule that a person paused stays paused.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from crosswalk.errors import SettingsError
from crosswalk.settings import FILE, Settings, load

YAML = "prefect.yaml"
UPKEEP = "upkeep"
"""The deployment that belongs to no binding."""


@dataclass(frozen=True)
class Deployed:
    """A deployment as it stands now. name: ``flow/deployment``. new: it was not there before."""

    name: str
    binding: str
    id: str
    new: bool
    schedules: tuple[str, ...]


def deploy(home: Path | None = None, *, pools: str | None = None) -> list[Deployed]:
    """Make the work pools and deployments of ``prefect.yaml`` that belong to this environment.

    home: the user's folder, the one of crosswalk.toml by default. pools: the type that work pools are to have; by
    default new ones are of type process and others stay as they are. Raises SettingsError for whatever does not fit;
    nothing is deployed then.
    """
    settings = load(home)
    if str(settings.home) not in sys.path:
        sys.path.insert(0, str(settings.home))
    content = read(settings.home)
    ours = [one for one in content.get("deployments") or [] if _ours(one, settings)]
    flows = {one["name"]: _flow(one, settings) for one in ours}
    with get_client(sync_client=True) as client:
        for name in sorted({pool(one) for one in ours}):
            _make_pool(client, name, pools)
        return [_deploy(client, one, flows[one["name"]], content, settings.home) for one in ours]


def wanted(settings: Settings) -> list[tuple[dict[str, Any], str]]:
    """The deployments of ``prefect.yaml`` that belong to this environment, each with its full name.

    Raises SettingsError for whatever does not fit.
    """
    content = read(settings.home)
    ours = [one for one in content.get("deployments") or [] if _ours(one, settings)]
    return [(one, f"{_flow(one, settings).name}/{one['name']}") for one in ours]


def read(home: Path) -> dict[str, Any]:
    """The content of ``prefect.yaml``. Raises SettingsError."""
    try:
        content = yaml.safe_load((home / YAML).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"no {YAML} in {home}", safe="nothing was deployed") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{YAML} cannot be read: {error}", next_command=f"mend {home / YAML}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{YAML} holds no deployments", next_command=f"mend {home / YAML}")
    return content


def _ours(one: dict[str, Any], settings: Settings) -> bool:
    """Whether a deployment's binding is of this environment. Raises SettingsError for one that is nowhere."""
    name, binding = str(one.get("name", "")), (one.get("parameters") or {}).get("binding")
    if name == UPKEEP and not binding:
        return True
    if not name or not binding:
        raise SettingsError(f"{YAML}: a deployment needs a name and the parameter binding", safe="nothing was deployed")
    if binding in settings.bindings:
        return True
    declared = tomllib.loads((settings.home / FILE).read_text(encoding="utf-8")).get("bindings", {})
    if binding in declared:
        return False
    raise SettingsError(
        f"{YAML}: the deployment {name!r} is for the binding {binding!r}, which {FILE} does not declare",
        safe="nothing was deployed",
        next_command=f"add [bindings.{binding}] to {FILE}",
    )


def _flow(one: dict[str, Any], settings: Settings) -> Flow[..., Any]:
    binding = (one.get("parameters") or {}).get("binding")
    wanted = settings.binding(binding).integration if binding else UPKEEP
    shipped = f"flows.{wanted}.{wanted}"
    if one.get("entrypoint") == shipped:  # as the installed wheel holds it; a file of the folder is named by its path
        return load_flow_from_entrypoint(shipped)
    path, _, name = str(one.get("entrypoint", "")).partition(":")
    if name != wanted or not (settings.home / path).is_file():
        raise SettingsError(
            f"{YAML}: the deployment {one['name']!r} starts {path}:{name}, but it needs flows/{wanted}.py:{wanted}",
            safe="nothing was deployed",
            next_command=f"mend the entrypoint in {YAML}",
        )
    return load_flow_from_entrypoint(f"{settings.home / path}:{name}")


def pool(one: dict[str, Any]) -> str:
    """The work pool of a deployment of the file."""
    return str((one.get("work_pool") or {}).get("name") or "crosswalk")


def _make_pool(client: SyncPrefectClient, name: str, type: str | None) -> None:
    """A work pool whose workers start processes; one that is there is left as it is. Raises SettingsError."""
    try:
        there = client.read_work_pool(name).type
    except ObjectNotFound:
        template = _template(type or "process")
        client.create_work_pool(WorkPoolCreate(name=name, type=type or "process", base_job_template=template))
        return
    if type not in (None, there):
        raise SettingsError(
            f"the work pool {name!r} is there already, of type {there!r} and not {type!r}; Prefect changes no type",
            safe="nothing was deployed",
            next_command=f"stop its workers, prefect work-pool delete {name}, then the same command again",
        )


def _template(type: str) -> dict[str, Any]:
    from prefect.workers.base import BaseWorker

    found = BaseWorker.get_worker_class_from_type(type)
    if found is None:
        raise SettingsError(f"no worker of type {type!r} is installed here", safe="nothing was deployed")
    return found.get_default_base_job_template()


def _deploy(
    client: SyncPrefectClient, one: dict[str, Any], flow: Flow[..., Any], content: dict[str, Any], home: Path
) -> Deployed:
    name = f"{flow.name}/{one['name']}"
    try:
        before: DeploymentResponse | None = client.read_deployment_by_name(name)
    except ObjectNotFound:
        before = None
    limit = one.get("concurrency_limit") or {}
    schedules = [schedule(given, before) for given in one.get("schedules") or []]
    id = client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=one["name"],
        version=_version(),
        description=one.get("description") or flow.description,
        entrypoint=one["entrypoint"],
        path=".",
        parameters=one.get("parameters") or {},
        parameter_openapi_schema=form(flow),
        enforce_parameter_schema=True,
        tags=one.get("tags") or [],
        work_pool_name=pool(one),
        job_variables=(one.get("work_pool") or {}).get("job_variables") or {},
        pull_steps=content.get("pull") or _here(home),
        schedules=schedules,
        concurrency_limit=limit.get("limit"),
        concurrency_options=ConcurrencyOptions(collision_strategy=limit.get("collision_strategy", "ENQUEUE")),
        paused=before.paused if before else False,
    )
    slugs = tuple(str(s.slug) for s in schedules)
    return Deployed(name, (one.get("parameters") or {}).get("binding", ""), str(id), before is None, slugs)


def form(flow: Flow[..., Any]) -> dict[str, Any]:
    """The schema of a flow's parameters, from which Prefect's pages make a form; with the words of each annotation."""
    schema = parameter_schema(flow).model_dump_for_openapi()
    for name, parameter in inspect.signature(flow.fn).parameters.items():
        for note in getattr(parameter.annotation, "__metadata__", ()):
            if getattr(note, "description", None):
                schema["properties"][name]["description"] = note.description
    return schema


def _here(home: Path) -> list[dict[str, Any]]:
    """A worker on this machine runs in the user's own folder."""
    return [{"prefect.deployments.steps.set_working_directory": {"directory": str(home)}}]


def schedule(given: dict[str, Any], before: DeploymentResponse | None = None) -> DeploymentScheduleCreate:
    """A schedule of the file; whether it is active a person may have decided meanwhile."""
    zone, slug = given.get("timezone"), given.get("slug")
    if not zone or not slug:
        raise SettingsError(f"{YAML}: every schedule needs a timezone and a slug", safe="nothing more was deployed")
    found: Any
    if cron := given.get("cron"):
        found = CronSchedule(cron=cron, timezone=zone)
    elif interval := given.get("interval"):
        found = IntervalSchedule(interval=interval, timezone=zone)
    else:
        found = RRuleSchedule(rrule=given["rrule"], timezone=zone)
    known = {s.slug: s.active for s in before.schedules} if before else {}
    return DeploymentScheduleCreate(schedule=found, slug=slug, active=known.get(slug, given.get("active", True)))


def _version() -> str:
    try:
        return version("crosswalk-sync")
    except PackageNotFoundError:
        return "source"
