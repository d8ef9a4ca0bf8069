"""Which delivered records a re-mapping reads: those that were made with other rules or tables than the present ones."""

from __future__ import annotations

from crosswalk.delivery import remap
from crosswalk.errors import SettingsError
from crosswalk.runs.session import Session


def keys(session: Session) -> list[str]:
    """Their source keys, without those of stand-ins, which no source can be asked for."""
    from crosswalk.runs.transform import name

    record = session.source.system.resource(session.resource).record
    ours = {name(record, raw)[0] for raw in session.integration.stand_ins}
    with session.store.reading() as connection:
        found = remap.keys(connection, session.scope, set(session.digests().values()))
    return [key for key in found if key not in ours]


def require_ledger(session: Session) -> None:
    """Raises SettingsError for a binding whose target is a database: its rows are the ledger and keep no digest."""
    if session.integration.to_database:
        raise SettingsError(
            f"binding {session.binding.name!r} writes to a database, whose rows do not tell with which rules they "
            "were made",
            safe="nothing was read or written",
            next_command=f"crosswalk run {session.binding.name} --full writes every row by the present rules",
        )
