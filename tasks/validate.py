"""Validating a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import transform
from crosswalk.runs.transform import Validated
from tasks.retrying import COARSE, Step


@task(name="validate", **COARSE)
def validate(step: Step[Validated]) -> None:
    """Parse and check a chunk's records; what does not fit is held with field and reason."""
    step.run(transform.validate)
