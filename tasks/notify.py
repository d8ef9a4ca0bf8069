"""Telling people. Not tried again: the channel's own client waits and repeats, and a lost alert is said out loud."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from crosswalk.alerts import notify as alerts
from tasks.retrying import Step


@task(name="notify", cache_policy=NO_CACHE, persist_result=False)
def notify(step: Step[str]) -> None:
    """Tell of a failed run and of newly held rows; what kept a message from arriving is handed on."""
    step.run(alerts.run_ended)
