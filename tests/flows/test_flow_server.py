"""Flows against a real Prefect server: deployed, run here and by a worker, failed, told of, retried, killed."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from flow_kit import ORDERS, Folder, Worker, until
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State

from crosswalk import prefect_deploy, prefect_run
from crosswalk.errors import SettingsError, StoreError
from crosswalk.prefect_server import Server
from crosswalk.runs.account import Account
from tasks.extract import extract
from tasks.retrying import COARSE, Step, Where, through

pytestmark = pytest.mark.prefect

UI_RETRY = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}, "force": False}


def runs_of(deployment: str, *states: str) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [deployment]}}),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": list(states)}}})
            if states
            else None,
        )
    return list(found)


def run_of(id: Any) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(id)


def latest(deployment: str) -> FlowRun:
    """The newest run that was really started."""
    return max(
        (r for r in runs_of(deployment) if "auto-scheduled" not in r.tags and r.created), key=lambda r: str(r.created)
    )


def retry_like_the_ui(server: Server, id: Any) -> None:
    """What Prefect's Retry button sends."""
    request = urllib.request.Request(
        f"{server.api}/flow_runs/{id}/set_state", json.dumps(UI_RETRY).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["status"] == "ACCEPT"


def ended(id: Any, *names: str, seconds: float = 120.0) -> FlowRun:
    def look() -> FlowRun | None:
        found = run_of(id)
        assert found.state is not None
        return found if found.state.name in names else None

    found = until(look, f"the end of the run as {' or '.join(names)}", seconds)
    assert isinstance(found, FlowRun)
    return found


def shown(folder: Folder) -> str:
    return " ".join(m["message"]["text"] for m in folder.control.messages())


def ours(folder: Folder) -> list[str]:
    """Where the books differ from the oracle; the guests' contact exists whether or not a guest bought."""
    return [line for line in folder.control.verdict("S1") if "guests" not in line]


def test_deploying_sets_a_server_up_and_does_no_harm_again(folder: Folder, deployed: dict[str, str]) -> None:
    """Each binding has a deployment with scheduled runs; a second time changes nothing and paused stays paused."""
    for id in deployed.values():
        assert until(lambda id=id: runs_of(id, "SCHEDULED"), "a scheduled run")
    with get_client(sync_client=True) as client:
        before = client.read_deployment(deployed["orders"])
        client.pause_deployment(deployed["customers"])
        again = prefect_deploy.deploy(folder.path)
        after = client.read_deployment(deployed["orders"])
        paused = client.read_deployment(deployed["customers"]).paused
        client.resume_deployment(deployed["customers"])
        pool = client.read_work_pool("crosswalk")
    assert {one.binding: one.id for one in again} == deployed and not any(one.new for one in again)
    assert paused
    assert before.parameters == after.parameters == {"binding": "orders"}
    assert (after.work_pool_name, pool.type, after.enforce_parameter_schema) == ("crosswalk", "process", True)
    assert after.global_concurrency_limit is not None and after.global_concurrency_limit.limit == 1
    assert after.concurrency_options is not None and after.concurrency_options.collision_strategy == "ENQUEUE"
    assert [(s.slug, s.active, s.schedule.timezone) for s in after.schedules] == [  # type: ignore[union-attr]
        ("half-hourly", True, "Europe/Amsterdam")
    ]
    assert set(after.tags) == {"orders", "shopify", "xero", "sandbox"} and after.description


def test_deploying_refuses_what_does_not_fit(folder: Folder, server: Server) -> None:
    """A deployment of an unknown binding is refused before anything is deployed."""
    text = (
        (folder.path / "prefect.yaml").read_text(encoding="utf-8").replace("{binding: customers}", "{binding: custom}")
    )
    (folder.path / "prefect.yaml").unlink()
    (folder.path / "prefect.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="'custom', which"):
        prefect_deploy.deploy(folder.path)


def test_a_run_here_is_a_run_of_its_deployment(folder: Folder, deployed: dict[str, str]) -> None:
    """A run in this process ends Completed with its account, belongs to its deployment, and shows what it did."""
    state = prefect_run.run("orders-to-database")
    account = result(state)
    assert (state.name, account.created + account.held) == ("Completed", ORDERS)
    run = latest(deployed["orders-to-database"])
    assert run.state is not None and run.state.name == "Completed" and "database" in run.tags
    artifacts = shown_artifacts(run)
    assert artifacts.keys() >= {"account-orders-to-database", "run-orders-to-database", "progress-orders-to-database"}
    assert {"what": "records read", "count": ORDERS} in json.loads(str(artifacts["account-orders-to-database"]))
    assert "crosswalk status orders-to-database" in str(artifacts["run-orders-to-database"])
    assert artifacts["progress-orders-to-database"] == 100


def result(state: State[Any]) -> Account:
    found = state.result()
    assert isinstance(found, Account)
    return found


def shown_artifacts(run: FlowRun) -> dict[str, Any]:
    from prefect.client.schemas.filters import ArtifactFilter

    def look() -> dict[str, Any]:
        with get_client(sync_client=True) as client:
            found = client.read_artifacts(
                artifact_filter=ArtifactFilter.model_validate({"flow_run_id": {"any_": [str(run.id)]}})
            )
        return {str(a.key): a.data for a in found}

    return look()


def test_a_dry_run_shows_its_plan_and_writes_nothing(folder: Folder, deployed: dict[str, str]) -> None:
    """A dry run ends Planned, shows differences field by field, and asks Xero to change nothing."""
    before = folder.asked()
    state = prefect_run.run("customers", dry_run=True)
    assert state.name == "Planned" and "created; nothing was written" in str(state.message)
    page = str(shown_artifacts(latest(deployed["customers"]))["run-customers"])
    assert "Nothing was written." in page and "EmailAddress" in page
    assert folder.asked() == before


def test_a_failed_run_is_told_of_and_retried_from_the_ui(
    folder: Folder, server: Server, deployed: dict[str, str], worker: Worker
) -> None:
    """A run that fails half-way alerts with a link that works; the UI's retry, by a worker, does only what is left."""
    assert prefect_run.run("customers").name == "Completed"
    folder.control.add_fault("xero", "status", method="PUT", path="*/Payments", status=403)
    state = prefect_run.run("orders")
    assert state.is_failed() and "AccessDenied at load" in str(state.message)
    run = latest(deployed["orders"])
    assert f"{server.ui}/runs/flow-run/{run.id}" in shown(folder)
    for part in ("orders failed: AccessDenied", "Step: load", "payments", "EUR"):
        assert part in shown(folder), part
    browser = urllib.request.Request(f"{server.ui}/runs/flow-run/{run.id}", headers={"Accept": "text/html"})
    with urllib.request.urlopen(browser) as page:
        assert page.status == 200 and b"<html" in page.read().lower()
    folder.control.clear_faults()
    before = folder.asked()
    retry_like_the_ui(server, run.id)
    again = ended(run.id, "Completed")
    assert again.run_count == 2
    left = {path: n - before.get(path, 0) for path, n in folder.asked().items() if n != before.get(path, 0)}
    assert list(left) == ["PUT /api.xro/2.0/Payments"], "invoices were not sent again"
    assert ours(folder) == []
    assert shown(folder).count("recovered: orders failed: AccessDenied") == 1
    before = folder.asked()
    assert prefect_run.run("orders").name == "Completed"
    assert folder.asked() == before, "a run with nothing left writes nothing"


def test_settings_that_are_missing_show_with_their_text(
    folder: Folder, deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is not set fails the run with the error's own words, and the owner is told the next command."""
    monkeypatch.delenv("CROSSWALK_TEST_SECRET", raising=False)
    folder.change('client_secret = "practice-shop-secret"', 'client_secret = "env:CROSSWALK_TEST_SECRET"')
    state = prefect_run.run("customers")
    run = latest(deployed["customers"])
    assert state.is_failed() and run.state is not None
    for said in (str(run.state.message), shown(folder)):
        assert "CROSSWALK_TEST_SECRET, which is not set" in said
        assert "export CROSSWALK_TEST_SECRET=..." in said


def test_a_channel_that_fails_is_named_beside_the_error(folder: Folder, deployed: dict[str, str]) -> None:
    """When nobody could be told, the failed run's own message says so after the error, which stays whole."""
    folder.change("/services/T0PRACTICE/B0PRACTICE/practice", "/services/T0PRACTICE/B0PRACTICE/gone")
    folder.change('client_secret = "practice-shop-secret"', 'client_secret = "env:CROSSWALK_TEST_SECRET"')
    message = str(prefect_run.run("customers").message)
    assert message.index("CROSSWALK_TEST_SECRET, which is not set") < message.index("nobody was told")
    assert "practice-xero-secret" not in message and "B0PRACTICE/gone" not in message


def test_parameters_that_do_not_fit_are_told_of(folder: Folder, deployed: dict[str, str]) -> None:
    """A run that Prefect fails before its body begins is told of by its hook."""
    found = prefect_run.flow_of("shopify_customers_to_xero_contacts", folder.path)
    call: Any = found
    state = call(binding="customers", since="2026-01-01T00:00:00", return_state=True)
    assert state.is_failed()
    assert "customers failed: Failed" in shown(folder) and "timezone" in shown(folder)


def test_a_deployment_runs_its_own_binding_only(folder: Folder, deployed: dict[str, str]) -> None:
    """Another binding typed into a deployment's form is refused before anything is read."""
    twin = '[bindings.second]\nintegration = "shopify_orders_to_xero_invoices"\nsource = "shop"\ntarget = "books"\n\n'
    folder.change("[owners.finance]", twin + "[owners.finance]")
    assert "is one of shopify_customers_to_xero_contacts" in run_typed(folder, deployed, "customers")
    assert "belongs to the binding 'orders', not to 'second'" in run_typed(folder, deployed, "second")
    assert not folder.asked("shopify")


def run_typed(folder: Folder, deployed: dict[str, str], binding: str) -> str:
    """Run the deployment of orders with another binding in its form; what the failed run says."""
    with get_client(sync_client=True) as client:
        made = client.create_flow_run_from_deployment(
            deployed["orders"],  # type: ignore[arg-type]
            parameters={"binding": binding},
            state=State(type="PENDING"),  # type: ignore[arg-type]
        )
    from prefect.flow_engine import run_flow

    call: Any = run_flow
    state = call(
        prefect_run.flow_of("shopify_orders_to_xero_invoices", folder.path), flow_run=made, return_type="state"
    )
    assert state.is_failed()
    return str(state.message)


def test_prefect_tries_infrastructure_again_and_nothing_else(folder: Folder, server: Server) -> None:
    """Under Prefect a step runs again after the store was away, and not after a mistake; a big result stays outside."""
    calls: list[str] = []

    def work(errors: list[Exception]) -> str:
        calls.append("call")
        if errors:
            raise errors.pop(0)
        return "done"

    @task(**{**COARSE, "retry_delay_seconds": 0, "retry_jitter_factor": None})
    def trying(step: Step[str]) -> None:
        step.run(work)

    @flow
    def attempts(bug: bool) -> Any:
        errors = [ValueError("a bug")] if bug else [StoreError("locked"), StoreError("locked")]
        return through(trying, Where())(errors)

    assert attempts(False) == "done"
    assert len(calls) == 3
    with pytest.raises(ValueError, match="a bug"):
        attempts(True)
    assert len(calls) == 4
    assert extract.retry_condition_fn is trying.retry_condition_fn


def test_a_killed_run_is_told_of_and_goes_on(
    folder: Folder, server: Server, deployed: dict[str, str], worker: Worker
) -> None:
    """A worker's run that is killed shows as Crashed and is told of; its retry leaves the books as they should be."""
    assert prefect_run.run("customers").name == "Completed"
    worker.kills.write_text("store:freeze", encoding="utf-8")
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployed["orders"])  # type: ignore[arg-type]
    ended(run.id, "Crashed")
    # The worker reports the crash once more when its own child has ended, and would undo an earlier retry.
    until(worker.reported_a_crash, "the worker's own report of the crash")
    assert worker.kills.read_text(encoding="utf-8") == ""
    retry_like_the_ui(server, run.id)
    ended(run.id, "Completed")
    assert "orders failed: Crashed" in shown(folder) and "takes over at once" in shown(folder)
    assert ours(folder) == []
