"""Transforming a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.delivery.plan import Chunk
from crosswalk.runs import transform as chunks
from tasks.retrying import COARSE, Step


@task(name="transform", **COARSE)
def transform(step: Step[Chunk]) -> None:
    """Apply the mappings; a row they cannot place is held with the rule that refused it."""
    step.run(chunks.transform)
