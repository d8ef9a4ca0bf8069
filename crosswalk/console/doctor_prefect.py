"""What the doctor asks of Prefect: server, version, deployments as prefect.yaml has them, schedules, workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from crosswalk import prefect_deploy
from crosswalk.console.doctor_line import FAIL, OK, WARN, Line
from crosswalk.console.running import server
from crosswalk.errors import CrosswalkError
from crosswalk.settings import Settings

SILENT = timedelta(minutes=3)
DEPLOY = "crosswalk deploy"


def examine(settings: Settings, now: datetime) -> Iterator[Line]:
    """Every line about Prefect; only the first where no server answers."""
    try:
        api = server(settings.ui_url)
    except CrosswalkError as error:
        yield Line("prefect", FAIL, error.what, error.next_command)
        return
    if api is None:
        said = f"no server answers at {settings.ui_url}; crosswalk run works without, schedules do not"
        state = WARN if settings.environment == "sandbox" else FAIL
        yield Line("prefect", state, said, "prefect server start, or set PREFECT_API_URL")
        return
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        yield _version(client, api)
        yield from _deployments(client, settings)
        yield from _workers(client, settings, now)


def _version(client: SyncPrefectClient, api: str) -> Line:
    theirs, ours = client.api_version(), client.client_version()
    if theirs == ours:
        return Line("prefect", OK, f"{api} answers, version {theirs}")
    said = f"{api} is version {theirs} and this machine has {ours}"
    return Line("prefect", WARN, said, "install the same version of prefect for the server and for workers")


def _deployments(client: SyncPrefectClient, settings: Settings) -> Iterator[Line]:
    wrong, off, count = [], [], 0
    try:
        wanted = prefect_deploy.wanted(settings)
    except CrosswalkError as error:
        yield Line("deployments", FAIL, error.what, error.next_command)
        return
    bound = {(one.get("parameters") or {}).get("binding") for one, _ in wanted}
    for one, name in wanted:
        count += 1
        try:
            there = client.read_deployment_by_name(name)
        except ObjectNotFound:
            wrong.append(f"{name} is not there")
            continue
        wrong += [f"{name}: {what} differs" for what in _differences(one, there)]
        off += [name] if there.paused else []
        off += [f"{name} ({s.slug})" for s in there.schedules if not s.active and _active(one, str(s.slug))]
    missing = [f"{name} has none in {prefect_deploy.YAML}" for name in settings.bindings if name not in bound]
    if wrong:
        yield Line("deployments", FAIL, "; ".join(wrong), DEPLOY)
    else:
        yield Line("deployments", OK, f"{count} are there, as {prefect_deploy.YAML} has them")
    if missing:
        yield Line("deployments", WARN, "; ".join(missing), f"add a deployment to {prefect_deploy.YAML}, then {DEPLOY}")
    if off:
        yield Line("schedules", WARN, f"off, by somebody's hand: {', '.join(off)}", "switch them on in Prefect's pages")
    else:
        yield Line("schedules", OK, "all are on")


def _active(one: dict[str, Any], slug: str) -> bool:
    return any(s.get("slug") == slug and s.get("active", True) for s in one.get("schedules") or [])


def _differences(one: dict[str, Any], there: Any) -> list[str]:
    """What of a deployment is not as the file has it."""
    schedules = {s["slug"]: prefect_deploy.schedule(s).schedule for s in one.get("schedules") or []}
    pairs = {
        "entrypoint": (one["entrypoint"], there.entrypoint),
        "parameters": (one.get("parameters") or {}, there.parameters),
        "work pool": (prefect_deploy.pool(one), there.work_pool_name),
        "schedule": (schedules, {str(s.slug): s.schedule for s in there.schedules}),
        "concurrency limit": ((one.get("concurrency_limit") or {}).get("limit"), _limit(there)),
    }
    return [what for what, (ours, theirs) in pairs.items() if ours != theirs]


def _limit(there: Any) -> int | None:
    found = there.global_concurrency_limit
    return int(found.limit) if found is not None else None


def _workers(client: SyncPrefectClient, settings: Settings, now: datetime) -> Iterator[Line]:
    for pool in sorted({prefect_deploy.pool(one) for one, _ in prefect_deploy.wanted(settings)}):
        try:
            workers = client.read_workers_for_work_pool(pool)
            paused = client.read_work_pool(pool).is_paused
        except ObjectNotFound:
            yield Line(f"work pool {pool}", FAIL, "is not there", DEPLOY)
            continue
        heard = [w.last_heartbeat_time for w in workers if w.last_heartbeat_time is not None]
        alive = [at for at in heard if now - at < SILENT]
        if paused:
            yield Line(f"work pool {pool}", FAIL, "is paused", f"prefect work-pool resume {pool}")
        elif alive:
            yield Line(f"work pool {pool}", OK, f"{len(alive)} worker{'s' if len(alive) > 1 else ''} polling")
        else:
            last = f"; the last was heard at {max(heard):%Y-%m-%d %H:%M} UTC" if heard else ""
            yield Line(f"work pool {pool}", FAIL, f"no worker polls it{last}", "crosswalk work, under a supervisor")
