"""Loading a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import body
from tasks.retrying import COARSE, Step


@task(name="load", **COARSE)
def load(step: Step[None]) -> None:
    """Commit a chunk's plan with its cursor, then send it; a dry run only adds it to the plan."""
    step.run(body.load_chunk)
