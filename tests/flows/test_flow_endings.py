"""How runs end and who is told: held rows, queues, a store that is gone, secrets in blocks, the command line."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from flow_kit import ORDERS, Folder
from prefect import flow, task

from crosswalk import prefect_run
from crosswalk.errors import SettingsError
from crosswalk.prefect_server import Server
from crosswalk.settings import resolve
from tasks.retrying import COARSE, Step, Where, through

pytestmark = pytest.mark.prefect
BAD = ("bad_money", "bad_no_date", "bad_no_date")


def titles(folder: Folder) -> list[str]:
    return [m["message"]["text"].splitlines()[0] for m in folder.control.messages()]


def test_newly_held_rows_warn_once_for_each_rule(folder: Folder, server: Server) -> None:
    """A run with bad rows ends Completed and warns by rule with keys; the next run, with the same rows, is silent."""
    folder.control.reset(orders=40, cases=BAD, minute=2)
    folder.house().close()
    state = prefect_run.run("orders-to-database")
    assert state.name in ("Completed", "Failed"), state.message
    warned = titles(folder)
    assert {t.rpartition(" held by ")[2] for t in warned} >= {"'shape'", "'required'"}, warned
    assert "gid://shopify/Order/" in str(folder.control.messages()[0]["message"]["text"])
    again = prefect_run.run("orders-to-database")
    held = [t for t in titles(folder)[len(warned) :] if "held by" in t]
    assert again.name == state.name and held == []


def test_a_run_that_leaves_a_queue_says_so(folder: Folder, server: Server) -> None:
    """A limit of ten minutes at the target is no failure: the run ends Queued, nobody is alarmed, nothing is lost."""
    folder.control.add_fault("xero", "status", method="PUT", status=429, retry_after=600)
    state = prefect_run.run("customers")
    assert (state.name, state.is_completed()) == ("Queued", True), state.message
    assert "queued" in str(state.message)
    assert titles(folder) == []


def test_a_store_that_is_gone_is_told_of(folder: Folder, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a store the run fails by name, and the alert says what it cannot know; the address keeps its password."""
    monkeypatch.setenv("CROSSWALK_STORE", "postgresql+psycopg://someone:swordfish998877@127.0.0.1:9/gone")
    state = prefect_run.run("customers")
    assert state.is_failed() and "StoreError at open" in str(state.message)
    (message,) = [m["message"]["text"] for m in folder.control.messages()]
    assert "the store could not be asked" in message and "once the store answers" in message
    assert "swordfish998877" not in message + str(state.message)


def test_a_run_without_a_deployment_says_how_to_run_it_again(
    folder: Folder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no worker would take a retry, the failed run names the command."""
    twin = '[bindings.third]\nintegration = "shopify_customers_to_xero_contacts"\nsource = "shop"\ntarget = "books"\n\n'
    folder.change("[owners.finance]", twin + "[owners.finance]")
    folder.change('client_secret = "practice-shop-secret"', 'client_secret = "env:CROSSWALK_TEST_SECRET"')
    assert str(prefect_run.run("third").message).endswith("run it again with: crosswalk run third")


def test_a_secret_may_lie_in_a_block(folder: Folder, server: Server) -> None:
    """``block:NAME`` reads a Prefect secret block; one that is missing is a clear error."""
    from prefect.blocks.system import Secret

    block: Any = Secret(value="from-a-block")  # type: ignore[call-arg]
    block.save("crosswalk-test", overwrite=True)
    assert resolve("block:crosswalk-test", "the secret") == "from-a-block"
    with pytest.raises(SettingsError, match="'crosswalk-none', which could not be loaded"):
        resolve("block:crosswalk-none", "the secret")


def test_prefect_keeps_nothing_of_a_step(server: Server) -> None:
    """What a step was given and what it made are free as soon as the body lets go of them, inside the same flow."""

    class Big:
        """Stands for a chunk of records."""

    @task(**COARSE)
    def making(step: Step[Big]) -> None:
        step.run(lambda given: Big())

    @flow
    def chunks() -> list[bool]:
        step = through(making, Where())
        given = Big()
        made = step(given)
        watched = [weakref.ref(given), weakref.ref(made)]
        del given, made
        gc.collect()
        return [ref() is None for ref in watched]

    assert chunks() == [True, True]


def test_a_flow_runs_as_a_module(folder: Folder, server: Server) -> None:
    """``python -m flows.NAME`` runs its one binding, prints how it ended and gives it as exit code."""
    environment = {**os.environ, **server.environment, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "flows.shopify_orders_to_database"]
    done = subprocess.run(command, env=environment, cwd=folder.path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Completed: {ORDERS} created") or "held" in done.stdout, done.stdout
