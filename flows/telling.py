"""Telling of a run: what its alert holds, and the hooks for runs that end without the body's own word.

Hooks take exactly (flow, flow_run, state): a worker calls them by these names.
"""

import os
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL

from crosswalk.alerts import impact, notify
from crosswalk.alerts.message import UNKNOWN, Failure, HeldRows, Impact, failure_of
from crosswalk.alerts.notify import Ended
from crosswalk.alerts.trouble import RUN_DIED
from crosswalk.clock import SystemClock
from crosswalk.errors import CrosswalkError
from crosswalk.http import redact
from crosswalk.integration import Integration, find
from crosswalk.runs.session import Session
from crosswalk.runs.wiring import House
from crosswalk.settings import Settings, load
from crosswalk.store import held

LOCAL = "http://127.0.0.1:4200"

_told: set[tuple[str, int]] = set()


@dataclass
class About:
    """What is known of a run, more and more while it goes on. flow_run: Prefect's."""

    integration: Integration
    binding: str
    flow_run: Any
    settings: Settings | None = None
    session: Session | None = None

    @property
    def environment(self) -> str:
        return self.settings.environment if self.settings else "environment unknown"

    @property
    def run_name(self) -> str:
        return str(self.flow_run.name or self.flow_run.id)

    @property
    def link(self) -> str:
        """The address of the run in Prefect's pages."""
        return f"{ui_address(self.settings)}/runs/flow-run/{self.flow_run.id}"

    @property
    def rerun(self) -> str:
        """How this run is run again where Prefect's Retry has no worker to turn to."""
        if self.flow_run.deployment_id is not None:
            return ""
        return f"This run belongs to no deployment; run it again with: crosswalk run {self.binding}"

    def failure(self, error: BaseException, step: str) -> Failure:
        """The alert of a failed run, with as much as the store can tell."""
        return failure_of(
            error, binding=self.binding, environment=self.environment, integration=self.integration.name, step=step,
            at=SystemClock().now() if self.session is None else self.session.clock.now(), impact=self.impact(),
            run=self.run_name, link=self.link,
        )  # fmt: skip

    def ended(self, failure: Failure | None, state: str = "failed") -> Ended:
        """How the run ended, for the incidents. state: as the run is kept."""
        session = self.session
        well = session is not None and failure is None and not session.request.dry_run
        return Ended(
            self.settings, self.binding, failure, self.newly_held(), self.integration.owner,
            run=session.run if session is not None else f"{self.flow_run.id}.{self.flow_run.run_count}",
            good=well and session is not None and session.incremental and state in ("completed", "queued"),
            connections=_answered(session) if session is not None and well else (), holding=self.holding(),
            store=session.store if session is not None else None,
            clock=SystemClock() if session is None else session.clock,
        )  # fmt: skip

    def holding(self) -> set[str] | None:
        """The rules that hold rows of the binding; None when the store cannot be asked."""
        if self.session is None:
            return None
        try:
            return {rule for rule, *_ in held.reasons(self.session.store, self.session.scope)}
        except CrosswalkError:
            return None

    def newly_held(self) -> list[HeldRows]:
        """Warnings of rows that were not held before this run; none when the store cannot be asked."""
        if self.session is None or self.session.request.dry_run:
            return []
        try:
            return impact.newly_held(
                self.session.store, self.session.scope, self.session.run, binding=self.binding,
                environment=self.environment, title=self.run_name, link=self.link,
            )  # fmt: skip
        except CrosswalkError:
            return []

    def mark(self) -> None:
        """This attempt has been told of; its hooks stay silent."""
        _told.add(_attempt(self.flow_run))

    def impact(self) -> Impact:
        """What the store tells of the binding, if it can be asked."""
        bound = self.settings.bindings.get(self.binding) if self.settings is not None else None
        if self.settings is None or bound is None:
            return UNKNOWN
        try:
            if self.session is not None:
                return impact.impact(self.session.store, bound.scope, bound.source.currency)
            with closing(House(self.settings)) as house:
                return impact.impact(house.store, bound.scope, bound.source.currency)
        except CrosswalkError as error:
            get_logger("crosswalk").warning("the alert says less than it could: %s", redact.text(str(error)))
            return UNKNOWN


def ui_address(settings: Settings | None) -> str:
    """Where Prefect's pages are: PREFECT_UI_URL, else beside the server's API, else as crosswalk.toml says."""
    named = os.environ.get("PREFECT_UI_URL")
    api = PREFECT_API_URL.value()
    if named or not api:
        return (named or (settings.ui_url if settings else LOCAL)).rstrip("/")
    return str(api).rstrip("/").removesuffix("/api")


def failed(flow: Any, flow_run: Any, state: State[Any]) -> None:
    """A run that failed before its body began, by parameters that do not fit for example."""
    if _attempt(flow_run) not in _told:
        _tell(flow, flow_run, state, "Failed", "parameters", "Nothing was read or written; the next run is as planned.")


def crashed(flow: Any, flow_run: Any, state: State[Any]) -> None:
    """A run whose process was killed or ended by itself."""
    _tell(
        flow, flow_run, state, "Crashed", "the process",
        "The next run takes over at once, resolves what was in doubt and goes on where the last commit stands.",
    )  # fmt: skip


def cancelled(flow: Any, flow_run: Any, state: State[Any]) -> None:
    """A run that a person cancelled."""
    _tell(
        flow, flow_run, state, "Cancelled", "the process",
        "The next scheduled run resolves what was in doubt and goes on where the last commit stands.",
    )  # fmt: skip


def _tell(flow: Any, flow_run: Any, state: State[Any], kind: str, step: str, then: str) -> None:
    """Tell the owner without the body; an alert that cannot be sent is logged and hides nothing."""
    binding = str((flow_run.parameters or {}).get("binding", ""))
    about = About(find(flow.fn.__name__), binding, flow_run)
    try:
        about.settings = load()
    except CrosswalkError as error:
        get_logger("crosswalk").error("nobody can be told: %s", redact.text(str(error)))
    failure = Failure(
        binding=binding or "unknown", environment=about.environment, integration=about.integration.name, step=step,
        kind=kind, what=state.message or f"the run ended as {kind}", at=SystemClock().now(), then=then,
        safe="what was committed stands", command=f"crosswalk status {binding}".strip(), impact=about.impact(),
        run=about.run_name, link=about.link, about=RUN_DIED if kind == "Crashed" else "",
    )  # fmt: skip
    notify.run_ended(about.ended(failure))


def _answered(session: Session) -> set[str]:
    """The connections that a run proves to be well: they answered it, and none of it was left for their sake."""
    bound, found = session.binding, set(session.answered(session.run))
    if session.integration.to_database:
        found.add(bound.target.key)
    left = ({bound.source.key} if session.unread else set()) | ({bound.target.key} if session.stopped else set())
    return found - left


def _attempt(flow_run: Any) -> tuple[str, int]:
    return str(flow_run.id), int(flow_run.run_count or 0)
