"""What a mapping needs to know about the binding it is applied for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from crosswalk.errors import MappingError


@dataclass(frozen=True)
class Context:
    """The binding's facts, the same for every row.

    zone: IANA name of the source account's calendar.  prefix: begins every marker.  currency: ISO 4217 code of the
    source account.  tables_dir: folder of the value tables, the mapping's own folder by default.  overrides: folder
    whose tables replace those of the same name.  lookups: tables handed in for ``Lookup``, by name.
    Raises MappingError for a zone that does not exist.
    """

    zone: str
    prefix: str
    currency: str
    tables_dir: Path | None = None
    overrides: Path | None = None
    lookups: Mapping[str, pa.Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known_zone(self.zone)


def known_zone(zone: str) -> str:
    """The zone's name, or MappingError when there is no such zone."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise MappingError(f"There is no time zone {zone!r}; write an IANA name such as 'Europe/Amsterdam'.") from error
    return zone
