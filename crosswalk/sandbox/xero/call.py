"""One request on its way through the API, after authorisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crosswalk.sandbox.xero.books import Books
from crosswalk.sandbox.xero.dates import lock_text
from crosswalk.sandbox.xero.errors import Invalid, bad_query
from crosswalk.sandbox.xero.organisation import Organisation, State


@dataclass(slots=True)
class Call:
    """query: last value by lower-case name.  now: when it takes effect, UTC."""

    org: Organisation
    now: datetime
    query: Mapping[str, str]
    body: Any = None
    app: str = ""
    since: datetime | None = None

    @property
    def state(self) -> State:
        return self.org.state

    @property
    def books(self) -> Books:
        return self.org.state.books

    @property
    def four_decimals(self) -> bool:
        """unitdp=4: unit amounts are read and written with 4 decimals instead of 2."""
        return self.query.get("unitdp") == "4"

    def switch(self, name: str, default: bool = False) -> bool:
        """A boolean parameter."""
        value = self.query.get(name.lower())
        return default if value is None else value.lower() == "true"

    def whole(self, name: str) -> int | None:
        """A positive whole number parameter."""
        value = self.query.get(name.lower())
        if value is None:
            return None
        if not value.isdecimal() or int(value) < 1:
            raise bad_query(f"The value '{value}' is not valid for {name}")
        return int(value)

    def listed(self, name: str) -> set[str] | None:
        """A comma separated parameter; None where it is missing or empty."""
        value = self.query.get(name.lower())
        return {v.strip() for v in value.split(",") if v.strip()} if value else None

    def check_locks(self, *days: date | None, what: str = "document") -> None:
        """Refuse days on or before a lock date; Invalid names the lock that refuses."""
        locks = (("end of year", self.state.year_lock), ("period", self.state.period_lock))
        for lock_name, lock in locks:
            if lock is not None and any(d is not None and d <= lock for d in days):
                raise Invalid(
                    f"The {what} date cannot be before the {lock_name} lock date, currently set at {lock_text(lock)}"
                )
