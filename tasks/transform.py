"""Transforming a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.delivery.plan import Chunk
from crosswalk.runs import transform as steps
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated
from tasks.retrying import COARSE, Out


@task(name="transform", **COARSE)
def transform(run: Session, validated: Validated, out: Out[Chunk]) -> None:
    """Apply the mappings; a row they cannot place is held with the rule that refused it."""
    out.put(steps.transform(run, validated))
