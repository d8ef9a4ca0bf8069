"""Corrections: fields of source records as a person says they are, and parts that a person leaves out for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from crosswalk.http import redact
from crosswalk.store.engine import Store
from crosswalk.store.ledger import Name
from crosswalk.store.tables_corrections import CORRECTION

WHOLE = "*"
DISMISSED = "dismissed by a person"
"""The rule under which a dismissed part is left out."""


@dataclass(frozen=True)
class Corrections:
    """Those of one binding. fields: by source key, (field, value as JSON)."""

    fields: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    dismissals: frozenset[tuple[str, str]] = frozenset()

    def dismissed(self, name: Name) -> bool:
        """Whether a person leaves this part out."""
        return (name.key, name.part) in self.dismissals or (name.key, WHOLE) in self.dismissals


def load(store: Store, scope: str) -> Corrections:
    """The corrections in force. Raises KeyTrouble."""
    with store.reading() as connection:
        rows = list(connection.execute(select(CORRECTION).where(CORRECTION.c.scope == scope)))
    fields: dict[str, list[tuple[str, bytes]]] = {}
    for row in sorted(rows, key=lambda r: str(r.field)):
        if row.field:
            fields.setdefault(row.key, []).append((row.field, store.vault.open(row.sealed)))
    return Corrections(fields, frozenset((r.key, r.part) for r in rows if not r.field))


def listing(store: Store, scope: str) -> list[Row[Any]]:
    """The rows in force, newest first."""
    query = select(CORRECTION).where(CORRECTION.c.scope == scope).order_by(CORRECTION.c.made_at.desc())
    with store.reading() as connection:
        return list(connection.execute(query.order_by(CORRECTION.c.key, CORRECTION.c.part, CORRECTION.c.field)))


def put(
    connection: Connection, store: Store, scope: str, name: Name, fields: Sequence[tuple[str, bytes]], *, by: str,
    reason: str, at: datetime,
) -> None:  # fmt: skip
    """Keep the values of fields, or with none the dismissal of a part. A later one replaces an earlier one."""
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = [(f, store.vault.seal(value)) for f, value in fields] or [("", b"")]
    rows = [
        {
            "scope": scope, "key": name.key, "part": name.part, "field": one, "sealed": sealed, "made_by": by,
            "reason": redact.text(reason), "made_at": at,
        }
        for one, sealed in values
    ]  # fmt: skip
    statement = make(CORRECTION)
    fresh = {c: statement.excluded[c] for c in ("sealed", "made_by", "reason", "made_at")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["scope", "key", "part", "field"], set_=fresh), rows
    )


def drop(connection: Connection, scope: str, key: str) -> list[Row[Any]]:
    """Take back everything about a record; what was in force."""
    mine = (CORRECTION.c.scope == scope, CORRECTION.c.key == key)
    rows = list(connection.execute(select(CORRECTION).where(*mine)))
    connection.execute(delete(CORRECTION).where(*mine))
    return rows
