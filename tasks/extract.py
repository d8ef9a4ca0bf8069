"""Extracting a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.runs.extract import Extraction, Raw
from tasks.retrying import COARSE, Step


@task(name="extract", **COARSE)
def extract(step: Step[Raw]) -> None:
    """Read pages from the source until a chunk is full; after an error it goes on behind the last whole page."""
    step.run(Extraction.next)
