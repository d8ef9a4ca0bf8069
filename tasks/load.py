"""Loading a chunk."""

from __future__ import annotations

from prefect import task

from crosswalk.delivery.plan import Chunk
from crosswalk.runs import body
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated
from tasks.retrying import COARSE, Out


@task(name="load", **COARSE)
def load(run: Session, validated: Validated, chunk: Chunk, out: Out[None]) -> None:
    """Commit a chunk's plan with its cursor, then send it; a dry run only adds it to the plan."""
    body.load_chunk(run, validated, chunk)
    out.put(None)
