"""Runs through a real Prefect server, and setting one up, by the command alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from console_kit import Folder
from servers import prefect as servers

from crosswalk.prefect_server import Server

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """A server for these tests."""
    with servers.serve() as server:
        yield server


def asked(server: Server, path: str, body: dict[str, Any]) -> Any:
    """What the server's API answers."""
    request = urllib.request.Request(
        f"{server.api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_run_has_a_page_and_a_deployment(folder: Folder, running: Server) -> None:
    """The server is set up from nothing; runs appear there with their states, as runs of their
    deployment, and end with the right code here."""
    for name in ("flows", "tasks", "mappings", "prefect.yaml"):
        (folder.path / name).symlink_to(servers.REPOSITORY / name)

    def cw(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crosswalk.console.main", *arguments], cwd=folder.path, capture_output=True,
            text=True, check=False, env={**os.environ, **running.environment},
        )  # fmt: skip

    done = cw("deploy")
    assert done.returncode == 0 and done.stdout.count(" new ") == 4, done.stdout + done.stderr
    assert "prefect worker start --pool crosswalk" in done.stdout
    done = cw("run", "customers")
    assert done.returncode == 0 and "23 created" in done.stdout and "Completed" in done.stdout, (
        done.stdout + done.stderr
    )
    folder.control.add_fault("shopify", "status", status=403, body="no")
    done = cw("run", "orders")
    folder.control.clear_faults()
    assert done.returncode == 1 and "Shopify answered 403" in done.stderr, done.stdout + done.stderr
    runs = asked(running, "flow_runs/filter", {"flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}}})
    ended = {r["parameters"]["binding"]: (r["state_type"], bool(r["deployment_id"])) for r in runs}
    assert ended == {"customers": ("COMPLETED", True), "orders": ("FAILED", True)}


def test_the_doctor_names_what_prefect_lacks(folder: Folder, running: Server) -> None:
    """Deployed, and nobody polls; then a schedule that differs from the file: each is named."""
    for name in ("flows", "tasks", "mappings"):
        (folder.path / name).symlink_to(servers.REPOSITORY / name)
    file = folder.path / "prefect.yaml"
    file.write_text((servers.REPOSITORY / "prefect.yaml").read_text(encoding="utf-8"), encoding="utf-8")

    def examined() -> dict[str, tuple[str, str]]:
        done = subprocess.run(
            [sys.executable, "-m", "crosswalk.console.main", "doctor", "--json"], cwd=folder.path, capture_output=True,
            text=True, check=False, env={**os.environ, **running.environment},
        )  # fmt: skip
        assert done.stdout, done.stderr
        return {x["what"]: (x["state"], x["said"]) for x in json.loads(done.stdout)}

    subprocess.run(
        [sys.executable, "-m", "crosswalk.console.main", "deploy"], cwd=folder.path, capture_output=True, check=True,
        env={**os.environ, **running.environment},
    )  # fmt: skip
    found = examined()
    assert found["prefect"][0] == found["deployments"][0] == found["schedules"][0] == "ok", found
    assert found["work pool crosswalk"][0] == "fail" and "no worker polls it" in found["work pool crosswalk"][1]
    file.write_text(file.read_text(encoding="utf-8").replace('"10,40 * * * *"', '"15,45 * * * *"'), encoding="utf-8")
    found = examined()
    assert found["deployments"][0] == "fail" and "/orders: schedule differs" in found["deployments"][1]
