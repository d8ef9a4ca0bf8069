"""The audit trail: what a person changed by hand, with the reason. It is written in the transaction of the change."""

from __future__ import annotations

import getpass
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from crosswalk.http import redact
from crosswalk.store.engine import Store
from crosswalk.store.tables import AUDIT


def write(
    connection: Connection, at: datetime, actor: str, action: str, subject: str, *, reason: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Keep one change. action: such as incident.ack; subject: what was changed, such as an incident's id."""
    connection.execute(
        insert(AUDIT).values(
            id=uuid.uuid4().hex, at=at, actor=actor, action=action, subject=subject, reason=redact.text(reason),
            before=_text(before), after=_text(after),
        )
    )  # fmt: skip


def listing(store: Store, subject: str = "", *, action: str = "", limit: int = 200) -> list[Row[Any]]:
    """Changes, newest first. action: its beginning, such as ``incident.``."""
    query = select(AUDIT).order_by(AUDIT.c.at.desc(), AUDIT.c.id).limit(limit)
    if subject:
        query = query.where(AUDIT.c.subject == subject)
    if action:
        query = query.where(AUDIT.c.action.startswith(action, autoescape=True))
    with store.reading() as connection:
        return list(connection.execute(query))


def person() -> str:
    """Who is at the keyboard, as the machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _text(values: Mapping[str, Any] | None) -> str:
    return json.dumps(redact.data(dict(values or {})), default=str, ensure_ascii=False)
