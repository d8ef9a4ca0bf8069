"""``crosswalk state export``: what the store knows of a binding, as one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from crosswalk.console import place, show
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.settings import Binding
    from crosswalk.store.engine import Store

FORMAT = 1
COLUMNS = (
    "key", "part", "resource", "source_resource", "source_id", "marker", "target_id", "target_version",
    "wanted_version", "wanted_hash", "wanted_digest", "wanted_remove", "applied_version", "applied_hash",
    "applied_digest", "generation", "batch", "needs", "parked_at", "skipped", "held_because", "tries", "next_try_at",
    "seen_run", "fate", "first_seen_at", "changed_at",
)  # fmt: skip
PERSONAL = ("wanted_payload", "applied_payload", "held", "last_error")
"""What may hold values of people: payloads, and reasons that quote a value."""
AT_ONCE = 1_000


def export(binding: str, file: Path | None = None, /, *, personal: bool = False) -> int:
    """Write what the store knows of a binding as JSON: cursor, every record with its ids, versions, hashes and state,
    and its links. For keeping, or for a question; it is read by nothing.

    Payloads and reasons are left out, because they hold what is personal. A backup that can be restored is
    `crosswalk store backup`.

    Args:
        binding: The binding of crosswalk.toml.
        file: Where to; a file that is there is not replaced. To the terminal without it.
        personal: Payloads and reasons too.
    """
    settings = place.settings()
    bound = settings.binding(binding)
    with place.store(settings) as store, _out(file) as out:
        records, links = _write(out, store, bound, personal)
    if file is not None:
        show.say(f"{records} records and {links} links of {binding} are in {file}.")
        if personal:
            show.say("It holds what is personal: keep it as such, and delete it when it has served.")
    return 0


@contextmanager
def _out(file: Path | None) -> Iterator[TextIO]:
    if file is None:
        yield sys.stdout
        return
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}", safe="nothing was written", next_command="name another file"
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        yield out


def _write(out: TextIO, store: Store, bound: Binding, personal: bool) -> tuple[int, int]:
    """Row by row, so that a large ledger is never in memory."""
    from sqlalchemy import select

    from crosswalk.store.ledger import STATE
    from crosswalk.store.tables import CURSOR, LINK, RECORD

    columns = [RECORD.c[name] for name in (*COLUMNS, *(PERSONAL if personal else ()))]
    records = select(*columns, STATE.label("state")).where(RECORD.c.scope == bound.scope)
    mine = (LINK.c.source == bound.source.key, LINK.c.target == bound.target.key)
    kept = [c for c in LINK.c if c.name not in ("id", "source", "target")]
    links = select(*kept).where(*mine).order_by(LINK.c.source_resource, LINK.c.source_id, LINK.c.target_resource)
    head = {
        "format": FORMAT, "binding": bound.name, "integration": bound.integration, "scope": bound.scope,
        "source": bound.source.key, "target": bound.target.key, "at": store.clock.now(), "epoch": store.epoch(),
    }  # fmt: skip
    with store.reading() as connection:
        cursors = select(CURSOR.c.resource, CURSOR.c.value, CURSOR.c.version, CURSOR.c.moved_at)
        found = connection.execute(cursors.where(CURSOR.c.scope == bound.scope).order_by(CURSOR.c.resource))
        head["cursors"] = [dict(row._mapping) for row in found]
        out.write(_json(head)[:-1] + ',\n"records": [')
        ordered = records.order_by(RECORD.c.key, RECORD.c.part).execution_options(yield_per=AT_ONCE)
        first = _rows(out, connection.execute(ordered))
        out.write('],\n"links": [')
        second = _rows(out, connection.execute(links.execution_options(yield_per=AT_ONCE)))
        out.write("]}\n")
    return first, second


def _rows(out: TextIO, rows: Any) -> int:
    from crosswalk.http import redact

    count = 0
    for row in rows:
        # Only texts can quote a secret; the rest are ids and hashes, which a redaction would take for one.
        values = {k: redact.text(v) if k in PERSONAL else v for k, v in row._mapping.items()}
        out.write(("," if count else "") + "\n" + _json(values))
        count += 1
    return count


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
