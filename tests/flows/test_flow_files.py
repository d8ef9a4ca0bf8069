"""Flow files: what they say is what their integration is, and their parameters make a form. No server."""

from __future__ import annotations

import inspect
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

from crosswalk import prefect_run
from crosswalk.errors import SettingsError
from crosswalk.integration import find
from crosswalk.prefect_deploy import form
from crosswalk.settings import load

ROOT = Path(__file__).parents[2]
HELPERS = {"sync", "telling", "showing", "upkeep"}
FLOWS = sorted(f.stem for f in (ROOT / "flows").glob("*.py") if f.stem not in HELPERS)
HOOKS = ("on_failure_hooks", "on_crashed_hooks", "on_cancellation_hooks")


def flow_of(name: str) -> Flow[Any, Any]:
    return prefect_run.flow_of(name, ROOT)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_file_reads_on_one_screen(name: str) -> None:
    """A flow file has fewer than 40 lines and says source, target, mapping, owner and freshness as they are."""
    lines = (ROOT / "flows" / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40
    integration = find(name)
    said = " ".join(str(flow_of(name).description).split())
    minutes = int(integration.fresh_within.total_seconds() // 60)
    fresh = f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hour"
    assert f"From {integration.source} to {integration.target}, by mappings/{name}.py." in said
    assert f"Owner: {integration.owner}. Fresh within {fresh}" in said


@pytest.mark.parametrize("name", FLOWS)
def test_parameters_make_a_form(name: str) -> None:
    """Prefect's schema has types, formats and words for every parameter, and only the binding is required."""
    schema = form(flow_of(name))
    assert schema["required"] == ["binding"]
    properties = schema["properties"]
    assert set(properties) == {"binding", "since", "until", "ids", "dry_run", "full"}
    assert all(p["description"] for p in properties.values())
    for instant in ("since", "until"):
        assert {"type": "string", "format": "date-time"}.items() <= properties[instant]["anyOf"][0].items()
    assert properties["ids"]["anyOf"][0] == {"type": "array", "items": {"type": "string"}}
    assert properties["dry_run"]["type"] == "boolean"


def test_parameters_are_validated() -> None:
    """An instant without a zone, an empty binding and ids that are no list are refused; text becomes what is meant."""
    flow = flow_of("shopify_orders_to_xero_invoices")
    given = flow.validate_parameters({"binding": "orders", "since": "2026-01-01T00:00:00Z", "ids": ["1"]})
    assert given["since"] == datetime(2026, 1, 1, tzinfo=UTC)
    for wrong in ({"since": "2026-01-01T00:00:00"}, {"binding": ""}, {"ids": "1"}, {"dry_run": "perhaps"}):
        with pytest.raises(Exception, match="invalid parameters"):
            flow.validate_parameters({"binding": "orders", **wrong})


@pytest.mark.parametrize("name", FLOWS)
def test_hooks_have_the_names_a_worker_calls_them_by(name: str) -> None:
    """A worker calls hooks by keyword: flow, flow_run, state; other names would only show in its log."""
    flow = flow_of(name)
    for kind in HOOKS:
        (hook,) = getattr(flow, kind)
        assert list(inspect.signature(hook).parameters) == ["flow", "flow_run", "state"]


@pytest.mark.parametrize("name", FLOWS)
def test_prefect_repeats_and_keeps_nothing(name: str) -> None:
    """A flow is never retried by itself and persists no result: progress lives in the store."""
    flow = flow_of(name)
    assert not flow.retries
    assert flow.persist_result is False


def test_there_is_one_deployment_for_each_binding() -> None:
    """prefect.yaml and crosswalk.toml of the repository belong together, and every schedule has a zone and a name."""
    settings = load(ROOT, "sandbox")
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    given = {d["name"]: d.get("parameters") for d in deployments}
    assert given == {**{b: {"binding": b} for b in settings.bindings}, "upkeep": None}
    upkeep = deployments.pop()
    assert upkeep["entrypoint"] == "flows/upkeep.py:upkeep" and upkeep["work_pool"] == {"name": "crosswalk"}
    for one in deployments:
        integration = settings.bindings[one["name"]].integration
        assert one["entrypoint"] == f"flows/{integration}.py:{integration}"
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
        assert one["work_pool"] == {"name": "crosswalk"} and one["tags"] and one["description"]
        assert all(s["timezone"] == "Europe/Amsterdam" and s["slug"] for s in one["schedules"])
        assert settings.owners[find(integration).owner]


def test_the_practice_settings_fit_the_practice_systems() -> None:
    """The account and the hook in crosswalk.toml are those that the practice systems have under the demo's seed."""
    from crosswalk.sandbox import sink, xero
    from crosswalk.sandbox.practice import SHOP_CLIENT

    content = tomllib.loads((ROOT / "crosswalk.toml").read_text(encoding="utf-8"))
    books, shop = content["connections"]["books"], content["connections"]["shop"]
    assert books["account"] == xero.Organisation(seed=1).tenant_id
    assert books["secrets"] == {"client_id": xero.CLIENT_ID, "client_secret": xero.CLIENT_SECRET}
    assert shop["secrets"] == {"client_id": SHOP_CLIENT[0], "client_secret": SHOP_CLIENT[1]}
    assert content["owners"]["finance"]["slack_webhook"].endswith(sink.HOOK)
    assert content["owners"]["data"]["slack_token"] == sink.TOKEN


def test_prefects_settings_are_those_that_were_proved() -> None:
    """Prefect reads its settings from pyproject.toml: start-up time, no analytics, batches, heartbeat, the pages."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["prefect"]
    assert ours["server"]["ephemeral"]["startup_timeout_seconds"] >= 180
    assert ours["server"]["analytics_enabled"] is False
    assert ours["server"]["ui"]["show_promotional_content"] is False
    assert ours["flows"]["heartbeat_frequency"] == 30
    assert re.fullmatch(r"http://127\.0\.0\.1:4200", ours["ui_url"])


def test_an_integration_without_a_flow_is_named() -> None:
    """A binding whose flow file is missing is a clear error."""
    with pytest.raises(SettingsError, match=r"flows/nothing_to_nowhere\.py declares none"):
        flow_of("nothing_to_nowhere")
    with pytest.raises(SettingsError, match=r"flows/telling\.py declares none"):
        flow_of("telling")
