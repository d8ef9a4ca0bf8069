"""What the tasks share: when a step is tried again, and how its frames pass Prefect by.

Prefect looks into what a task is given and keeps what it returns until the flow ends. A chunk of records must be
neither looked into nor kept, so a task is given one quoted ``Step`` that carries both, and returns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff
from prefect.utilities.annotations import quote

from crosswalk.errors import Away, Fenced, StoreError, StoreVersion, Throttled, Transient

T = TypeVar("T")

TRIES_AGAIN = 3
FIRST_WAIT_SECONDS = 10
JITTER = 0.5


def may_pass(error: object) -> bool:
    """Whether an error is the infrastructure's and may be gone in a minute.

    A lost lease is never taken back, another release's store stays one, and a limit or an outage that lasts longer than
    the client waits ends the run as queued.
    """
    if isinstance(error, (Fenced, StoreVersion, Throttled, Away)):
        return False
    return isinstance(error, (Transient, StoreError))


def infrastructure(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition. The error itself lies in the state; asking for its result would await nothing here."""
    return may_pass(state.data)


COARSE: dict[str, Any] = {
    "retries": TRIES_AGAIN,
    "retry_delay_seconds": exponential_backoff(FIRST_WAIT_SECONDS),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": infrastructure,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


class Step(Generic[T]):
    """Carries what a step is given and what it made past Prefect, which holds on to a task's things for a while."""

    def __init__(self, *given: Any) -> None:
        self._given = given
        self._made: list[T] = []

    def run(self, step: Callable[..., T]) -> None:
        """Do the step's work; may be repeated until it succeeds."""
        self._made = [step(*self._given)]

    def take(self) -> T:
        """What the step made."""
        return self._made[0]

    def forget(self) -> None:
        """Let go of everything."""
        self._given, self._made = (), []


class Where:
    """The step that a run is in, for whoever has to say where it failed."""

    def __init__(self) -> None:
        self.step = "open"


def through(task: Task[..., None], where: Where) -> Callable[..., Any]:
    """A step of the body that runs as this task; Prefect neither looks into what it carries nor keeps it."""

    def call(*given: Any) -> Any:
        where.step = task.name
        step: Step[Any] = Step(*given)
        try:
            task(quote(step))
            return step.take()
        finally:
            step.forget()

    return call
