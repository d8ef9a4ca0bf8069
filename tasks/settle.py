"""Settling a run."""

from __future__ import annotations

from prefect import task

from crosswalk.runs import body
from crosswalk.runs.account import Account
from crosswalk.runs.session import Session
from tasks.retrying import COARSE, Out


@task(name="settle", **COARSE)
def settle(run: Session, out: Out[Account]) -> None:
    """Account for every record and part; an account that does not add up fails the run."""
    out.put(body.settle(run))
