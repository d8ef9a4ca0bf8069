"""Why a record differs, as far as the ledger and the target can tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from crosswalk.connectors.base import Found
from crosswalk.connectors.wire import at
from crosswalk.delivery.compare import alike
from crosswalk.runs import balance
from crosswalk.runs.expected import Part
from crosswalk.runs.session import Session
from crosswalk.store import cursors, ledger
from crosswalk.store.ledger import STATE, Name
from crosswalk.store.tables import HELD, RECORD

LOOKED = 200
SHOWN = 3


class Causes:
    """What is known of the parts that differ. load before asking."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rows: dict[Name, Row[Any]] = {}
        self.now: dict[str, Found] = {}
        self.looked: set[str] = set()
        self.personal = {
            (m.target.name, name) for m in session.integration.parts for name, f in m.target.walk() if f.personal
        }
        self.cursor = cursors.read(session.store, session.scope, session.resource).value
        with session.store.reading() as connection:
            mine = (HELD.c.scope == session.scope, HELD.c.open.is_(True))
            self._held = {Name(*row) for row in connection.execute(select(HELD.c.key, HELD.c.part).where(*mine))}

    def load(self, names: Sequence[Name]) -> None:
        """Read the ledger's rows of these."""
        with self.session.store.reading() as connection:
            for some in ledger.chunked(list(names), 400):
                mine = ledger.named(self.session.scope, some)
                for row in connection.execute(select(RECORD, STATE.label("state")).where(mine)):
                    self.rows[Name(row.key, row.part)] = row

    def look(self, resource: str, names: Sequence[Name]) -> None:
        """Ask the target once more for what its listing does not show, up to a number of them."""
        ids = [i for i in (self.target_id(n) for n in names) if i][:LOOKED]
        if ids:
            self.now |= self.session.target.current(resource, ids)
            self.looked |= set(ids)

    def target_id(self, name: Name) -> str:
        """The target record that the ledger knows for a part."""
        row = self.rows.get(name)
        return str(row.target_id) if row is not None else ""

    def held(self, name: Name) -> bool:
        """Whether a person has to look at it first."""
        row = self.rows.get(name)
        return name in self._held or Name(name.key, "") in self._held or bool(row is not None and row.held)

    def missing(self, part: Part, gone: Mapping[str, Found]) -> tuple[str, str]:
        """Why a wanted record is not there: cause and detail."""
        late = self._late(part)
        if late is not None:
            return late
        row = self.rows[part.name]
        if row.skipped:
            return balance.OLDER, f"left out by the rule {row.skipped!r}"
        one = self.now.get(row.target_id) or gone.get(row.target_id)
        if one is None:
            known = row.target_id in self.looked
            return balance.DELETED, "it is not there any more" if known else "its days do not list it"
        if one.gone:
            return balance.DELETED, f"its status is {one.status}"
        dated = self.session.target.system.resource(part.resource).measure.date
        return balance.CHANGED, self._change(part.resource, dated, at(part.payload, dated), at(one.echo, dated))

    def differs(self, part: Part, found: Found, fields: Sequence[str]) -> tuple[str, str]:
        """Why a record shows other values: cause and detail."""
        shown = [(f, value(part.payload, f), value(found.echo, f)) for f in fields[:SHOWN]]
        detail = "; ".join(self._change(part.resource, *one) for one in shown)
        if len(fields) > SHOWN:
            detail += f"; and {len(fields) - SHOWN} more"
        late = self._late(part)
        if late is not None:
            return late[0], f"{late[1]}: {detail}"
        row = self.rows[part.name]
        before = ledger.load(row.applied_payload)
        as_sent = all(alike(value(before, f), value(found.echo, f)) for f in fields if value(before, f) is not None)
        if row.applied_digest and row.applied_digest != part.digest and as_sent:
            return balance.OLDER, detail
        return balance.CHANGED, detail

    def left_out(self, part: Part) -> tuple[str, str]:
        """Why a record is there that is to be left out or removed."""
        late = self._late(part)
        if late is not None and late[0] != balance.NEVER:
            return late
        return balance.LEFT_OUT, f"by the rule {part.rule!r}" if part.rule else "it is to be removed"

    def _change(self, resource: str, field: str, ours: Any, theirs: Any) -> str:
        return described(self.personal, resource, field, ours, theirs)

    def unread(self, part: Part) -> tuple[str, str] | None:
        """A version that no run has come to yet, because it is younger than the last one."""
        changed = datetime.fromisoformat(part.version) if part.version else None
        if changed is None or (self.cursor is not None and changed < self.cursor):
            return None
        return balance.QUEUED, f"{_when(part)}, after the last run: the next run reads it"

    def _late(self, part: Part) -> tuple[str, str] | None:
        """It has not come as far as the target yet."""
        row = self.rows.get(part.name)
        if row is None or row.wanted_version < part.version:
            read = "never" if row is None else "not in this version"
            known = f", before {self.cursor:%Y-%m-%d %H:%M} UTC," if self.cursor is not None else ""
            return self.unread(part) or (balance.NEVER, f"{_when(part)}{known} and read {read}")
        if row.state in ("pending", "in doubt", "parked"):
            why = row.last_error or (f"it waits for {row.needs.split('|')[2]}" if row.needs else "to be sent")
            return balance.QUEUED, f"{row.state}: {why}"
        return None


def _when(part: Part) -> str:
    if not part.version:
        return "of no version"
    return f"changed at {datetime.fromisoformat(part.version):%Y-%m-%d %H:%M:%S} UTC"


def described(personal: Collection[tuple[str, str]], resource: str, field: str, ours: Any, theirs: Any) -> str:
    """A difference in words. personal: (resource, field) whose values are not shown."""
    if (resource, re.sub(r"\[\d+\]", "", field)) in personal:
        return f"{field} (personal) differs"
    if isinstance(ours, list | Mapping) or isinstance(theirs, list | Mapping):
        return f"{field} differs"
    return f"{field} is {theirs}" + (f" instead of {ours}" if ours is not None else "")


def value(record: Mapping[str, Any], path: str) -> Any:
    """What stands at ``LineItems[0].Quantity``."""
    found: Any = record
    for step in path.replace("[", ".[").split("."):
        if step.startswith("["):
            number = int(step[1:-1])
            found = found[number] if isinstance(found, list) and number < len(found) else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found
