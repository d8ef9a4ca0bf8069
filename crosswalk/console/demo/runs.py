"""Runs of the demo's bindings: in this process, through the worker, and again as the pages' Retry does it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from sqlalchemy import Connection, func, select

from crosswalk import prefect_run
from crosswalk.console.demo.home import Home
from crosswalk.console.demo.processes import DemoError
from crosswalk.runs.account import Account
from crosswalk.runs.wiring import House
from crosswalk.store import ledger
from crosswalk.store.tables import HELD, RUN

PATIENCE = 300.0
DRAIN = 5.0
RETRY = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}


@dataclass(frozen=True)
class Held:
    """Rows that a run held for the first time, by rule and reason. key: one of them."""

    rule: str
    reason: str
    count: int
    key: str


@dataclass(frozen=True)
class Ran:
    """A run that ended. state: Prefect's, by name. attempts: how often it was started."""

    id: str
    name: str
    state: str
    message: str
    attempts: int
    seconds: float
    account: Account
    held: tuple[Held, ...]

    @property
    def good(self) -> bool:
        return self.state == "Completed"


class Runs:
    """Starts runs and tells how they ended. deployments: binding → id."""

    def __init__(self, home: Home, house: House, deployments: dict[str, str]) -> None:
        self.home, self.house, self.deployments = home, house, deployments

    def here(self, binding: str) -> Ran:
        """Run a binding in this process, with the same history as through a worker."""
        began = time.monotonic()
        state = prefect_run.run(binding, home=self.home.folder)
        id = state.state_details.flow_run_id
        if id is None:
            raise DemoError(f"the run of {binding} is not known to Prefect: {state.message}")
        return self._ran(_flow_run(id), time.monotonic() - began)

    def ask_worker(self, binding: str) -> UUID:
        """Ask for a run of the binding's deployment; a worker takes it."""
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(UUID(self.deployments[binding])).id

    def retry(self, run: Ran) -> UUID:
        """What the Retry button of Prefect's pages sends; a worker takes the same run again."""
        with get_client(sync_client=True) as client:
            body = {"state": RETRY, "force": True}
            client.request(
                "POST", "/flow_runs/{id}/set_state", path_params={"id": run.id}, json=body
            ).raise_for_status()
        return UUID(run.id)

    def wait(self, id: UUID, attempts: int = 1) -> Ran:
        """Until a run has ended after so many attempts. Raises DemoError when it takes too long."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            found = _flow_run(id)
            if found.state is not None and found.state.is_final() and found.run_count >= attempts:
                return self._ran(found, time.monotonic() - began)
            time.sleep(1)
        raise DemoError(f"the worker did not finish the run {id} within {PATIENCE:g} s")

    def address(self, run: Ran) -> str:
        """Where Prefect's pages show the run."""
        return f"{self.home.ui}/runs/flow-run/{run.id}"

    def progress(self, binding: str) -> str:
        """The states of the parts that the ledger knows, in one line."""
        states = ledger.states(self.house.store, self.house.settings.binding(binding).scope)
        return ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))

    def _ran(self, found: FlowRun, waited: float) -> Ran:
        state: Any = found.state
        took = found.total_run_time.total_seconds() or waited
        query = select(RUN.c.id, RUN.c.account).where(RUN.c.flow_run_id == str(found.id))
        with self.house.store.reading() as connection:
            row = connection.execute(query.order_by(RUN.c.started_at.desc()).limit(1)).one_or_none()
            held = self._held(connection, row.id) if row else ()
        account = Account(**json.loads(row.account)) if row else Account()
        return Ran(
            str(found.id), found.name, state.name, state.message or "", found.run_count, took, account, held,
        )  # fmt: skip

    def _held(self, connection: Connection, run: str) -> tuple[Held, ...]:
        query = (
            select(HELD.c.rule, HELD.c.reason, func.count(), func.min(HELD.c.key))
            .where(HELD.c.first_run == run, HELD.c.open.is_(True))
            .group_by(HELD.c.rule, HELD.c.reason)
            .order_by(func.count().desc(), HELD.c.rule, HELD.c.reason)
        )
        return tuple(Held(*row) for row in connection.execute(query))


def _flow_run(id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(id)


def drain() -> None:
    """Send what Prefect's client still holds: once the server is gone it would try for a minute."""
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=DRAIN)
