"""Which errors are tried again, and that every step is a task that Prefect neither keeps nor looks into."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

from crosswalk import errors
from crosswalk.errors import (
    AnswerLost,
    BadCredentials,
    Busy,
    Drift,
    Fenced,
    ServerFault,
    SettingsError,
    StoreError,
    StoreVersion,
    Throttled,
    TooManyHeld,
    Unbalanced,
    Unreachable,
)
from tasks.retrying import Step, Where, infrastructure, may_pass, through

STEPS = ("open", "extract", "validate", "transform", "load", "send", "settle")
FOLDER = Path(__file__).parents[2] / "tasks"
AGAIN = [StoreError("locked"), Unreachable("no"), AnswerLost("cut"), ServerFault("500")]
NEVER = [
    SettingsError("no"), BadCredentials("no"), Drift("gone"), Fenced("lost"), StoreVersion("newer"), Busy("other"),
    Throttled("slow", wait=300), TooManyHeld("all"), Unbalanced("no"), ValueError("a bug"), KeyError("a bug"),
]  # fmt: skip


@pytest.mark.parametrize("error", AGAIN, ids=lambda e: type(e).__name__)
def test_infrastructure_is_tried_again(error: Exception) -> None:
    """The store or the other system being away may pass; the condition reads the error that lies in the state."""
    assert may_pass(error)
    assert infrastructure(None, None, Failed(data=error))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", NEVER, ids=lambda e: type(e).__name__)
def test_everything_else_fails_at_once(error: Exception) -> None:
    """What a minute does not mend is not tried again: settings, content, a lost lease, a limit that lasts, mistakes."""
    assert not may_pass(error)
    assert not infrastructure(None, None, Failed(data=error))  # type: ignore[arg-type]


def test_every_error_of_the_tree_is_decided() -> None:
    """Only what stands under Transient and StoreError is ever tried again."""
    tree = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.CrosswalkError)]
    again = {c.__name__ for c in tree if may_pass(c.__new__(c))}
    assert again == {"StoreError", "Transient", "Unreachable", "AnswerLost", "BrokenPage", "ServerFault"}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_a_coarse_task(name: str) -> None:
    """Each step waits longer each time, with jitter, under the one condition; nothing is cached or persisted."""
    task = getattr(import_module(f"tasks.{name}"), name)
    assert isinstance(task, Task)
    assert (task.retries, task.retry_condition_fn) == (3, infrastructure)
    assert task.retry_delay_seconds == [10, 20, 40]
    assert task.retry_jitter_factor
    assert (task.cache_policy, task.persist_result) == (NO_CACHE, False)


def test_every_file_of_tasks_is_known() -> None:
    """A new task is added to the list above, or this fails."""
    assert {f.stem for f in FOLDER.glob("*.py")} == {*STEPS, "notify", "retrying"}


def test_a_steps_things_pass_prefect_by() -> None:
    """A wrapped step is one quoted thing, empty afterwards; it hands back what it made and says where the run is."""
    seen: list[Any] = []

    class Plain:
        name = "load"

        def __call__(self, *given: Any) -> None:
            seen.extend(given)
            given[0].unquote().run(lambda one, other: one + other)

    where = Where()
    assert where.step == "open"
    assert through(Plain(), where)(1, 2) == 3  # type: ignore[arg-type]
    assert where.step == "load"
    assert [type(s).__name__ for s in seen] == ["quote"]
    assert vars(seen[0].unquote()) == {"_given": (), "_made": []}


def test_a_step_without_a_result_is_a_mistake() -> None:
    """A step that put nothing does not pass as one that returned None."""
    with pytest.raises(IndexError):
        Step[int]().take()
