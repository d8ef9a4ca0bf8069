"""Telling people. Not tried again: the channel's own client waits and repeats, and a lost alert is said out loud."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from crosswalk.alerts import notify as alerts
from crosswalk.alerts.message import Failure, HeldRows
from crosswalk.settings import Owner
from tasks.retrying import Out


@task(name="notify", cache_policy=NO_CACHE, persist_result=False)
def notify(failure: Failure | None, held: Sequence[HeldRows], owner: Owner | None, out: Out[str]) -> None:
    """Send the alert of a failed run and the warnings of newly held rows; puts what kept one from being delivered."""
    trouble = alerts.held(held, owner)
    if failure is not None:
        trouble = alerts.failed(failure, owner) or trouble
    out.put(trouble)
