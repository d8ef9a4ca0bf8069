"""Sending what waits."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import body
from tasks.retrying import COARSE, Step


@task(name="send", **COARSE)
def send(step: Step[None]) -> None:
    """Resolve what is in doubt, then send what is pending; what cannot be sent now stays queued."""
    step.run(body.send)
