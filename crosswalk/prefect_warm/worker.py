"""The worker of a work pool of type ``crosswalk-warm``: Prefect's, but for how a process starts.

Everything that decides what a run is stays Prefect's: the engine that the process runs, the executor that watches it,
the session by which the engine tells how it ended, the order of a cancellation. These lie in ``prefect.runner``, whose
modules are private; the process worker is built from the same ones, and the version is pinned.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.exceptions import InfrastructureNotFound
from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._control_channel import ControlChannel
from prefect.runner._event_emitter import EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutor
from prefect.runner._process_manager import ProcessHandle, ProcessManager, create_isolated_termination_scope
from prefect.runner._state_proposer import StateProposer
from prefect.settings import get_current_settings
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult
from pydantic import Field, PrivateAttr

from crosswalk.prefect_warm.pool import Process, Warm

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse

TYPE = "crosswalk-warm"
CANCEL_SECONDS = 3.0
STOP_SECONDS = 20.0
STOPPED = "The worker was stopped while this run was under way."

SHOW = Field(default=True, description="Show what runs print on the worker's own output.")
FOLDER = Field(default=None, description="The folder that runs start in; a temporary one by default.")


class WarmConfiguration(BaseJobConfiguration):
    """A run's settings: environment, folder, output. A command of one's own needs a process pool."""

    stream_output: bool = SHOW
    working_dir: Path | None = FOLDER

    _home: Path | None = PrivateAttr(default=None)
    _entrypoint: str | None = PrivateAttr(default=None)

    def prepare_for_flow_run(
        self, flow_run: FlowRun, deployment: DeploymentResponse | None = None, flow: Any = None,
        work_pool: WorkPool | None = None, worker_name: str | None = None, worker_id: UUID | None = None,
    ) -> None:  # fmt: skip
        if self.command is not None:
            raise ValueError(f"a {TYPE} pool starts no commands ({self.command!r}); use a pool of type process")
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)
        self._home = _home(deployment)
        self._entrypoint = deployment.entrypoint if deployment is not None else None

    def request(self, folder: str) -> dict[str, Any]:
        """What a forked process is asked; folder: where it starts when the deployment names none of its own."""
        env = {**os.environ, **{name: value for name, value in self.env.items() if value is not None}}
        env["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"  # they are called from here, by ``Hooks``
        env.pop("PREFECT__FLOW_ENTRYPOINT", None)
        if self._home is not None and self._entrypoint is not None:
            env["PREFECT__FLOW_ENTRYPOINT"] = self._entrypoint
            path = [str(self._home), *filter(None, [env.get("PYTHONPATH")])]
            env["PYTHONPATH"] = os.pathsep.join(path)
        return {"env": env, "cwd": str(self._home or folder), "quiet": not self.stream_output}


class WarmVariables(BaseVariables):
    """What a pool or a deployment may set for its runs."""

    stream_output: bool = SHOW
    working_dir: Path | None = FOLDER


class WarmResult(BaseWorkerResult):
    """How a process ended."""


def _home(deployment: DeploymentResponse | None) -> Path | None:
    """The folder that a deployment's runs work in, when to go there is all that it does before a run."""
    steps = (deployment.pull_steps or []) if deployment is not None else []
    if len(steps) != 1 or not isinstance(steps[0], dict):
        return None
    given = steps[0].get("prefect.deployments.steps.set_working_directory")
    folder = given.get("directory") if isinstance(given, dict) and len(steps[0]) == 1 and len(given) == 1 else None
    if not isinstance(folder, str) or "{{" in folder or not Path(folder).is_absolute():
        return None
    return Path(folder)


class Job:
    """How the processes of one run are asked for: the run's own, and those of its hooks."""

    def __init__(self, warm: Warm, configuration: WarmConfiguration, folder: str) -> None:
        self._warm, self._home = warm, configuration._home
        self._request = configuration.request(folder)

    async def fork(self, kind: str, env: dict[str, str] | None = None, **more: Any) -> Process:
        """A process, as soon as there is one. Raises WarmError, OSError."""
        request = {**self._request, **more, "kind": kind, "env": {**self._request["env"], **(env or {})}}
        return await anyio.to_thread.run_sync(self._warm.fork, self._home, request)


class Starter:
    """Prefect's executor starts a run's process by this and waits for its end."""

    def __init__(self, job: Job, control: ControlChannel) -> None:
        self._job, self._control = job, control
        self.over = False  # the process ended by itself, and the executor reports it

    async def start(
        self, flow_run: FlowRun, task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        env = {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}
        with suppress(RuntimeError):  # no listener: the engine's word is missed, and exit codes tell
            port, token = self._control.register(flow_run.id)
            env |= {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        try:
            process = await self._job.fork("engine", env)
        except BaseException:
            self._control.unregister(flow_run.id)
            raise
        handle: Any = process
        task_status.started(ProcessHandle(handle, create_isolated_termination_scope(process.pid)))
        try:
            await asyncio.wrap_future(process.ended)
            self.over = True
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await end(process)
            raise


async def end(process: Process, grace: float = STOP_SECONDS) -> None:
    """End a process with all that it started: asked first, then killed."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with anyio.move_on_after(patience):
            await asyncio.wrap_future(process.ended)
            return


class Hooks:
    """Calls a flow's hooks for a run whose process is gone, in a process forked for them."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, Job] = {}

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        if state.is_cancelling():
            await self._call("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        if state.is_crashed():
            await self._call("crashed", flow_run, state)

    async def _call(self, kind: str, flow_run: FlowRun, state: State[Any]) -> None:
        job = self.jobs.get(flow_run.id)
        if job is None:
            return
        process = await job.fork(
            "hooks", hooks=kind, flow_run=flow_run.model_dump(mode="json"), state=state.model_dump(mode="json")
        )
        await asyncio.wrap_future(process.ended)


class Ground:
    """What all runs of a worker share of Prefect's machinery; open it before the worker and close it after."""

    def __init__(self, name: str) -> None:
        self.client, self.control, self.hooks = get_client(), ControlChannel(), Hooks()
        self.processes = ProcessManager(on_remove=self._removed)
        self.states = StateProposer(client=self.client)
        self.events = EventEmitter(runner_name=name, client=self.client)
        self.cancellations = CancellationManager(
            process_manager=self.processes, hook_runner=self.hooks, state_proposer=self.states,
            event_emitter=self.events, client=self.client, control_channel=self.control,
        )  # fmt: skip
        self._cancelling: dict[UUID, anyio.Event] = {}  # set when a cancellation has come to its end
        self._tasks = anyio.create_task_group()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Ground:
        for part in (self.client, self.processes, self.events, self.control, self._tasks):
            await self._stack.enter_async_context(part)
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()

    async def _removed(self, flow_run: UUID) -> None:
        self.control.unregister(flow_run)

    async def _watch(self) -> None:
        """Cancel what a person wants cancelled. It asks, for ever: a subscription would end with the server."""
        while True:
            await anyio.sleep(CANCEL_SECONDS)
            try:
                found = await self._wanted(self.processes.flow_run_ids() - set(self._cancelling))
            except Exception as error:  # noqa: BLE001 - the server is away; it is asked again
                self.events._logger.debug("cancellations could not be asked for: %s", error)
                continue
            for flow_run in found:
                self._cancelling[flow_run.id] = anyio.Event()
                self._tasks.start_soon(self._cancel, flow_run)

    async def _cancel(self, flow_run: FlowRun) -> None:
        try:
            await self.cancellations.cancel(flow_run)
        finally:
            self._cancelling.pop(flow_run.id).set()

    async def cancelled(self, flow_run: UUID) -> None:
        """Wait for the end of a cancellation of this run, if one is under way: it calls hooks after the process."""
        if under_way := self._cancelling.get(flow_run):
            await under_way.wait()

    async def _wanted(self, ids: set[UUID]) -> list[FlowRun]:
        if not ids:
            return []
        wanted = {"id": {"any_": list(ids)}, "state": {"type": {"any_": ["CANCELLING"]}}}
        return list(await self.client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(wanted)))

    async def crashed(self, flow_run: FlowRun, message: str) -> None:
        """Report a run whose process was ended from here, unless its engine has told how it ended."""
        told = self.control.get_conclusion(flow_run.id)
        await self.processes.remove(flow_run.id)
        if told is None:
            state = await self.states.propose_crashed(flow_run, message=message)
            if state is not None:
                await self.hooks.run_crashed_hooks(flow_run, state)


class WarmWorker(BaseWorker[WarmConfiguration, WarmVariables, WarmResult]):
    """Runs each flow run in a process forked from one that has imported everything already."""

    type = TYPE
    job_configuration = WarmConfiguration
    job_configuration_variables = WarmVariables
    _description = "Run flow runs in processes of this machine that start with their imports already made."
    _display_name = "Crosswalk warm"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not hasattr(os, "fork"):
            raise RuntimeError(f"a {TYPE} worker forks, which this system cannot; use a pool of type process")
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        self._warm, self._ground = Warm({**os.environ, **settings}), Ground(self.name)
        self._reported: set[UUID] = set()

    async def __aenter__(self) -> WarmWorker:
        await self._ground.__aenter__()
        try:
            await super().__aenter__()
        except BaseException:
            await self._ground.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await super().__aexit__(*error)
        finally:
            with anyio.CancelScope(shield=True):
                await self._ground.__aexit__()
            self._warm.stop()

    async def run(
        self, flow_run: FlowRun, configuration: WarmConfiguration, task_status: anyio.abc.TaskStatus[int] | None = None
    ) -> WarmResult:
        """Run a flow run in a process of its own; returns when it has ended and is accounted for in Prefect."""
        ground, started = self._ground, task_status or anyio.TASK_STATUS_IGNORED
        with ExitStack() as stack:
            folder = configuration.working_dir or stack.enter_context(tempfile.TemporaryDirectory(suffix="crosswalk"))
            job = ground.hooks.jobs[flow_run.id] = Job(self._warm, configuration, str(folder))
            starter = Starter(job, ground.control)
            executor = FlowRunExecutor(
                flow_run=flow_run, starter=starter, process_manager=ground.processes,
                state_proposer=ground.states, hook_runner=ground.hooks,
                get_attempt_conclusion=ground.control.get_conclusion, propose_submitting=False,
            )  # fmt: skip
            try:
                return await self._execute(flow_run, executor, started)
            except asyncio.CancelledError:
                if not starter.over:
                    with anyio.CancelScope(shield=True):
                        await ground.crashed(flow_run, STOPPED)
                raise
            finally:
                if ground.hooks.jobs.get(flow_run.id) is job:
                    del ground.hooks.jobs[flow_run.id]

    async def _execute(
        self, flow_run: FlowRun, executor: FlowRunExecutor, started: anyio.abc.TaskStatus[int]
    ) -> WarmResult:
        execution = await executor.submit(task_status=_pid(started))
        await self._ground.cancelled(flow_run.id)
        if execution is None:  # cancelled before it began, or not to be started: both are reported
            started.started(0)
            return WarmResult(status_code=0, identifier="none")
        code = execution.status_code or 0
        if code:
            self._reported.add(flow_run.id)
        return WarmResult(status_code=code, identifier=str(execution.handle.pid))

    async def _propose_crashed_state(self, flow_run: FlowRun, message: str, client: Any = None) -> None:
        """Not again what the executor has reported: by now somebody may have asked for a retry."""
        if flow_run.id in self._reported:
            self._reported.discard(flow_run.id)
            return
        await super()._propose_crashed_state(flow_run, message, client)

    async def _get_scheduled_flow_runs(self) -> list[WorkerFlowRunResponse]:
        """Without runs whose former attempt is not wound up: a second slot for the same run would end the worker."""
        return [
            one for one in await super()._get_scheduled_flow_runs() if one.flow_run.id not in self._ground.hooks.jobs
        ]

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: WarmConfiguration, grace_seconds: int = 30
    ) -> None:
        """End the process of a run that this worker started. Raises InfrastructureNotFound for any other."""
        for id in self._ground.processes.flow_run_ids():
            handle = self._ground.processes.get(id)
            if handle is not None and str(handle.pid) == infrastructure_pid:
                await self._ground.processes.kill(id, grace_seconds)
                return
        raise InfrastructureNotFound(f"no process {infrastructure_pid} was started by the worker {self.name!r}")


def _pid(started: anyio.abc.TaskStatus[int]) -> Any:
    """Hands Prefect's worker the process id, where its executor hands out a handle."""

    class Handed:
        def started(self, handle: ProcessHandle) -> None:
            started.started(handle.pid or 0)

    return Handed()
