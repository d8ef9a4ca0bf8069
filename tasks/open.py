"""Opening a run."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import session
from tasks.retrying import COARSE, Step


@task(name="open", **COARSE)
def open(step: Step[None]) -> None:
    """Take the binding's lease and fix the window; an attempt that fails holds nothing when the next begins."""
    step.run(session.begin)
