"""What the end of a run asks to be told, kept as incidents and sent; without a store, told directly.

Nothing in this module raises: an alert that cannot be delivered is logged loudly and named to the caller, who says so
where the run's failure is shown. It never hides the error it was about.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any

from crosswalk.alerts import direct, outages
from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.message import Failure, HeldRows
from crosswalk.alerts.trouble import Trouble, of_failure, of_held
from crosswalk.clock import Clock, SystemClock
from crosswalk.errors import CrosswalkError, StoreError
from crosswalk.http import redact
from crosswalk.settings import Settings
from crosswalk.store.engine import Store
from crosswalk.store.vault import Vault

LOG = logging.getLogger("crosswalk.alerts")
STORE = ("StoreError", "StoreVersion", "Taken")
PATIENCE = 15.0
"""Seconds that a run waits for a channel that asks to wait, beyond the wait for siblings."""


@dataclass(frozen=True)
class Ended:
    """How a run ended, as far as it concerns people. store: the run's own while it is open; None to open one.

    settings: None when they could not be read.  failure: None after a run that did not fail.  warnings: newly held
    rows, one a rule.  connections: those that answered well.  holding: the rules that hold rows of the binding now;
    None when that is not known.  good: whether it proves that the binding works: a whole run, not a dry one.
    """

    settings: Settings | None
    binding: str
    failure: Failure | None = None
    warnings: Sequence[HeldRows] = ()
    owner: str = ""
    run: str = ""
    good: bool = False
    connections: Collection[str] = ()
    holding: Collection[str] | None = None
    store: Store | None = None
    clock: Clock = field(default_factory=SystemClock)


def run_ended(ended: Ended) -> str:
    """Tell all that the end of a run asks for. Returns what kept a message from being delivered, or nothing."""
    if ended.settings is None:
        return _lost(ended, "the settings cannot be read")
    try:
        with _store(ended, ended.settings) as store:
            return _tell(ended, Incidents(store, ended.settings, ended.clock))
    except CrosswalkError as error:
        return _directly(ended, ended.settings, error)
    except Exception as error:  # noqa: BLE001 - a mistake in the telling must not hide what the alert is about
        return _lost(ended, f"{type(error).__name__}: {error}")


def _tell(ended: Ended, incidents: Incidents) -> str:
    names = [incidents.raise_(trouble) for trouble in _troubles(ended)] + outages.keep(incidents)
    if ended.good:
        incidents.succeeded(ended.binding, ended.connections, ended.holding or (), ended.run)
    else:
        incidents.answered(ended.binding, ended.connections, ended.run)
        if ended.holding is not None:
            incidents.released(ended.binding, ended.holding)
    assert ended.settings is not None
    incidents.send_due(PATIENCE + (ended.settings.alerts.group_wait if names else 0))
    return incidents.untold(names)


def _troubles(ended: Ended) -> list[Trouble]:
    found = [of_failure(ended.failure, ended.owner, ended.run)] if ended.failure is not None else []
    return found + [of_held(warning, ended.owner, ended.run) for warning in ended.warnings]


def _store(ended: Ended, settings: Settings) -> Any:
    if ended.store is not None:
        return nullcontext(ended.store)
    sandbox = settings.environment == "sandbox"
    made = Store(settings.store, clock=ended.clock, vault=Vault.from_environment(settings.environment))
    return closing(made.open(migrate=sandbox))


def _directly(ended: Ended, settings: Settings, error: CrosswalkError) -> str:
    """The store cannot be used: that is told, and whatever else went wrong."""
    trouble = ""
    if isinstance(error, StoreError):
        trouble = direct.tell(settings, ended.clock, direct.store_gone(error, ended.binding))
    failure = ended.failure
    if failure is not None and not (isinstance(error, StoreError) and failure.kind in STORE):
        trouble = direct.tell(settings, ended.clock, of_failure(failure, ended.owner, ended.run)) or trouble
    return trouble


def _lost(ended: Ended, why: str) -> str:
    words = redact.text(f"nobody was told: {why}".replace("\n", "; "))
    said = [t.message(ended.settings.environment if ended.settings else "?").plain() for t in _troubles(ended)]
    LOG.error("%s. The alert was: %s", words, "\n".join(said) or "none")
    return words if said else ""
