"""Validating a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import transform as steps
from crosswalk.runs.extract import Raw
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated
from tasks.retrying import COARSE, Out


@task(name="validate", **COARSE)
def validate(run: Session, raw: Raw, out: Out[Validated]) -> None:
    """Parse and check a chunk's records; what does not fit is held with field and reason."""
    out.put(steps.validate(run, raw))
