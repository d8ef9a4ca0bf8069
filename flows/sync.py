"""The flow body that every integration shares: open, extract, validate, transform, load, settle; and say how it ended.

A run ends Completed; as Queued, which is completed with something left that the next run does by itself; as Unread,
which is the same where the source was away; as Planned after a dry run; or Failed with the error's own words. Prefect
persists and repeats nothing: a retry of the same run opens the binding anew and does only what is left.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from traceback import format_exc
from typing import Annotated, Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from pydantic import AwareDatetime, Field

from crosswalk.alerts import notify as alerts
from crosswalk.alerts.notify import Ended
from crosswalk.errors import CrosswalkError, SettingsError
from crosswalk.http import redact
from crosswalk.integration import Integration
from crosswalk.runs import body, report
from crosswalk.runs.account import Account
from crosswalk.runs.session import Request
from crosswalk.runs.wiring import House
from flows import showing, telling
from flows.telling import About
from tasks.extract import extract
from tasks.load import load
from tasks.notify import notify
from tasks.open import open as open_binding
from tasks.retrying import Where, through
from tasks.send import send
from tasks.settle import settle
from tasks.transform import transform
from tasks.validate import validate

Binding = Annotated[str, Field(min_length=1, description="The binding of crosswalk.toml; each deployment has its own.")]
Since = Annotated[
    AwareDatetime | None, Field(description="Read from this instant on instead of from the cursor. Needs a zone.")
]
Until = Annotated[AwareDatetime | None, Field(description="Read up to this instant. The cursor then stays.")]
Ids = Annotated[list[str] | None, Field(description="Read only these source keys. The cursor then stays.")]
Full = Annotated[bool, Field(description="Read everything from the binding's start on; unchanged costs no write.")]
DryRun = Annotated[bool, Field(description="Show the plan with its differences and write nothing.")]

OPTIONS: dict[str, Any] = {
    "persist_result": False,
    "on_failure": [telling.failed],
    "on_crashed": [telling.crashed],
    "on_cancellation": [telling.cancelled],
}


def sync(
    integration: Integration, binding: str, since: datetime | None = None, until: datetime | None = None,
    ids: list[str] | None = None, dry_run: bool = False, full: bool = False,
) -> State[Any]:  # fmt: skip
    """Run a binding once, inside a flow run. Returns the state that the flow run ends in."""
    about, where = About(integration, binding, _flow_run()), Where()
    try:
        with closing(House.here()) as house:
            about.settings = house.settings
            _fits(about)
            request = Request(since, until, tuple(ids or ()), dry_run, str(about.flow_run.id), full=full)
            about.session = house.session(binding, request, integration=integration)
            try:
                return _run(about, where)
            except Exception as error:  # noqa: BLE001 - told while the store is still open
                return _failed(error, about, where)
    except Exception as error:  # noqa: BLE001 - every error becomes the state of the run, with its alert
        return _failed(error, about, where)


def _run(about: About, where: Where) -> State[Any]:
    session = about.session
    assert session is not None
    progress = showing.Progress(session)
    account = body.run(session, steps(where, progress))
    progress.end()
    showing.account(session, account)
    trouble = _tell(about.ended(None, body.ended(session, account)))
    words = "\n".join(w for w in (report.line(session, account), account.stopped, account.queue(), trouble) if w)
    get_run_logger().info("%s: %s", about.binding, words)
    name = "Planned" if session.request.dry_run else body.ended(session, account).capitalize()
    return Completed(name=name, message=words, data=account)


def steps(where: Where, progress: Callable[[Account], None]) -> body.Steps:
    """The body's steps as tasks."""
    return body.Steps(
        open=through(open_binding, where),
        extract=through(extract, where),
        validate=through(validate, where),
        transform=through(transform, where),
        load=through(load, where),
        send=through(send, where),
        settle=through(settle, where),
        progress=progress,
    )


def _failed(error: Exception, about: About, where: Where) -> State[Any]:
    """Tell the owner, and give the state the error's own words."""
    log, known = get_run_logger(), isinstance(error, CrosswalkError)
    if not known:
        log.error("%s", redact.text(format_exc()))
    words = redact.text(str(error) or type(error).__name__)
    log.error("%s failed at %s: %s", about.binding, where.step, words)
    if about.session is not None:
        showing.account(about.session, body.sketch(about.session), f"{type(error).__name__} at {where.step}: {words}")
    trouble = _tell(about.ended(about.failure(error, where.step)))
    about.mark()
    lines = [f"{type(error).__name__} at {where.step}: {words}", trouble, about.rerun]
    return Failed(message="\n".join(line for line in lines if line), data=error)


def _tell(ended: Ended) -> str:
    """Tell whom it concerns how a run ended. Returns what kept a message from being delivered."""
    if ended.failure is None and not ended.warnings:
        return alerts.run_ended(ended)
    try:
        return str(through(notify, Where())(ended))
    except Exception:  # noqa: BLE001 - Prefect being away must not keep an alert from being sent
        return alerts.run_ended(ended)


def _flow_run() -> Any:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise SettingsError("sync runs only inside a flow", next_command="crosswalk run BINDING")
    return context.flow_run


def _fits(about: About) -> None:
    """A flow runs its own integration and a deployment its own binding, whatever a form says. Raises SettingsError."""
    assert about.settings is not None
    bound = about.settings.binding(about.binding)
    if bound.integration != about.integration.name:
        raise _foreign(about, f"the binding {about.binding!r} is one of {bound.integration}")
    if about.flow_run.deployment_id is None:
        return
    with get_client(sync_client=True) as client:
        own = client.read_deployment(about.flow_run.deployment_id).parameters.get("binding")
    if own != about.binding:
        raise _foreign(about, f"this deployment belongs to the binding {own!r}, not to {about.binding!r}")


def _foreign(about: About, what: str) -> SettingsError:
    return SettingsError(what, safe="nothing was read or written", next_command=f"crosswalk run {about.binding}")
