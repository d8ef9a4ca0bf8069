"""Sending what waits."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import body
from crosswalk.runs.session import Session
from tasks.retrying import COARSE, Out


@task(name="send", **COARSE)
def send(run: Session, out: Out[None]) -> None:
    """Resolve what is in doubt, then send what is pending; what cannot be sent now stays queued."""
    body.send(run)
    out.put(None)
