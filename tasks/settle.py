"""Settling a run."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import body
from crosswalk.runs.account import Account
from tasks.retrying import COARSE, Step


@task(name="settle", **COARSE)
def settle(step: Step[Account]) -> None:
    """Account for every record and part; an account that does not add up fails the run."""
    step.run(body.settle)
