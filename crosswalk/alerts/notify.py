"""Telling people. Incidents will stand here: what is told goes by fingerprint, and today every call is sent at once.

Nothing in this module raises: an alert that cannot be delivered is logged loudly and named to the caller, who says so
where the run's failure is shown. It never hides the error it was about.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence

from crosswalk.alerts.message import Failure, HeldRows, Message
from crosswalk.alerts.slack import Slack
from crosswalk.http import redact
from crosswalk.settings import Owner

LOG = logging.getLogger("crosswalk.alerts")

Poster = Callable[[Message], None]


def fingerprint(environment: str, binding: str, step: str, kind: str) -> str:
    """What makes two troubles the same: binding, step and error class, never the run."""
    return hashlib.sha256("\x1f".join((environment, binding, step, kind)).encode()).hexdigest()[:12]


def failed(failure: Failure, owner: Owner | None) -> str:
    """Tell the owner of a failed run. Returns what kept the alert from being delivered, "" if nothing did."""
    about = fingerprint(failure.environment, failure.binding, failure.step, failure.kind)
    return _send(failure.message(about), owner)


def held(warnings: Iterable[HeldRows], owner: Owner | None) -> str:
    """Warn the owner of newly held rows, one message a rule. Returns what kept a warning from being delivered."""
    trouble = ""
    for warning in warnings:
        about = fingerprint(warning.environment, warning.binding, "held", warning.rule)
        trouble = _send(warning.message(about), owner) or trouble
    return trouble


def run_ended(failure: Failure | None, warnings: Sequence[HeldRows], owner: Owner | None) -> str:
    """Tell all that the end of a run asks for. Returns what kept a message from being delivered."""
    trouble = held(warnings, owner)
    return (failed(failure, owner) if failure is not None else "") or trouble


def _send(message: Message, owner: Owner | None) -> str:
    try:
        _channel(owner)(message)
    except Exception as error:  # noqa: BLE001 - whatever a channel raises must not hide what the alert is about
        trouble = redact.text(f"nobody was told: {error}".replace("\n", "; "))
        LOG.error("%s. The alert was: %s", trouble, message.plain())
        return trouble
    return ""


def _channel(owner: Owner | None) -> Poster:
    if owner is None:
        raise LookupError("the integration's owner has no [owners.…] in crosswalk.toml")
    if Slack.serves(owner):
        return Slack(owner).post
    raise LookupError(f"[owners.{owner.name}] in crosswalk.toml names no channel")
