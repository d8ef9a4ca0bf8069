"""What ties a source, its mappings and a target: owner, freshness promise, thresholds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.mapping.language import Mapping


@dataclass(frozen=True)
class Thresholds:
    """When newly held rows stop a run: a share and at least a count, in two steps.

    deletes: rows of a database that a binding may delete within a week; its option ``deletes`` says otherwise.
    """

    share: float = 0.05
    count: int = 50
    high_share: float = 0.5
    high_count: int = 5
    deletes: int = 100

    def crossed(self, held: int, rows: int) -> bool:
        """Whether ``held`` of ``rows`` so far are too many."""
        if not rows:
            return False
        share = held / rows
        return (share >= self.share and held >= self.count) or (share >= self.high_share and held >= self.high_count)


@dataclass(frozen=True)
class Integration:
    """One way from a source to a target, defined once and bound many times.

    parts: the mappings; each turns a source record into target records of its own.
    fresh_within: the age of the last balanced run after which the promise is broken.
    in_doubt: what to do with an operation that has neither key nor look-up and whose answer was lost.
    after: integrations whose links this one needs.  park_limit: how long a record may wait for its parent.
    outbox_limit: pending records above which reading stops.  stand_ins: raw source records that the source does not
    have and the mapping needs, such as the contact that collects guests.
    """

    name: str
    title: str
    source: str
    target: str
    parts: tuple[Mapping, ...]
    owner: str
    fresh_within: timedelta
    thresholds: Thresholds = field(default_factory=Thresholds)
    in_doubt: Literal["resend", "hold"] = "hold"
    after: tuple[str, ...] = ()
    chunk_rows: int = 10_000
    park_limit: timedelta = timedelta(days=7)
    outbox_limit: int = 50_000
    stand_ins: tuple[bytes, ...] = ()

    @property
    def to_database(self) -> bool:
        return self.target == "database"


def find(name: str) -> Integration:
    """The integration that ``mappings/<name>.py`` declares. Raises SettingsError for an unknown one."""
    if not name.isidentifier():
        raise SettingsError(f"{name!r} is no integration's name", next_command="crosswalk list")
    try:
        module = import_module(f"mappings.{name}")
    except ModuleNotFoundError as error:
        if error.name not in (f"mappings.{name}", "mappings"):
            raise
        raise SettingsError(
            f"there is no integration {name!r}: mappings/{name}.py does not exist",
            safe="nothing was read or written",
            next_command="crosswalk list",
        ) from error
    integration = getattr(module, "INTEGRATION", None)
    if not isinstance(integration, Integration):
        raise SettingsError(
            f"mappings/{name}.py declares no INTEGRATION", next_command="see docs/add-an-integration.md"
        )
    return integration
