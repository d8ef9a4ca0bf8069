"""``crosswalk journal``: the requests that were made, as they were written down."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cyclopts import App

from crosswalk.console import place, show

if TYPE_CHECKING:
    from crosswalk.http.journal import Entry


def register(app: App) -> None:
    app.command(journal)


def journal(*, run: str | None = None, failed: bool = False, limit: int = 50) -> int:
    """Show the latest requests to other systems, without their secrets.

    Args:
        run: Only those of this run; its name may be cut.
        failed: Only those without an answer, or with an error for one.
        limit: At most so many; 50 without it.
    """
    from crosswalk.clock import SystemClock
    from crosswalk.http.journal import SqliteJournal

    settings = place.settings()
    path = settings.state / "journal.db"
    if not path.exists():
        show.say("No request has been made from this folder yet.")
        return 0
    where = ["1"]
    values: list[object] = []
    if run:
        where.append("substr(run, 1, ?) = ?")
        values += [len(run), run]
    if failed:
        where.append("(outcome IS NULL OR outcome <> 'answered' OR status >= 400)")
    newest = f"id IN (SELECT id FROM request WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?)"  # noqa: S608
    entries = SqliteJournal(path, SystemClock()).entries(newest, (*values, limit))
    if not entries:
        show.say("No such request.")
        return 0
    show.table(("id", "at", "connection", "request", "try", "answer", "seconds", "run"), map(_row, entries))
    return 0


def _row(entry: Entry) -> tuple[object, ...]:
    parts = urlsplit(entry.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    # A connection's key is environment/name/account.
    name = [*entry.connection.split("/"), entry.connection][1]
    answer = entry.status or entry.outcome or "under way, or cut off"
    seconds = "" if entry.seconds is None else f"{entry.seconds:.2f}"
    return entry.id, show.when(entry.at), name, f"{entry.method} {path}", entry.attempt, answer, seconds, entry.run[:8]
