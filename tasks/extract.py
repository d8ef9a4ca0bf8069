"""Extracting a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.runs.extract import Extraction, Raw
from tasks.retrying import COARSE, Out


@task(name="extract", **COARSE)
def extract(extraction: Extraction, out: Out[Raw]) -> None:
    """Read pages from the source until a chunk is full; after an error it goes on behind the last whole page."""
    out.put(extraction.next())
