"""A fence inside the target: who lost the lease cannot write, although the lease lies in another database."""

from __future__ import annotations

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from crosswalk.connectors.database_dialect import Dialect
from crosswalk.connectors.database_layout import Spelled
from crosswalk.errors import Fenced

FENCES = "crosswalk_fences"


def pass_fence(connection: sa.Connection, dialect: Dialect, scope: str, number: int, epoch: str) -> None:
    """Go on only if nobody with a higher number has been here, until the end of the transaction."""
    # A batch of events has a lease of its own beside the binding's, and waits here all the same.
    dialect.lock(connection, f"fence {scope.partition('#')[0]}")
    text, integer = Spelled(dialect.spelling(pa.string())), Spelled(dialect.spelling(pa.int64()))
    fences = sa.Table(
        FENCES,
        sa.MetaData(),
        sa.Column("scope", text, primary_key=True),
        sa.Column("epoch", text),
        sa.Column("number", integer),
    )
    if not dialect.standing(connection, FENCES):
        dialect.lock(connection, FENCES)
        if not dialect.standing(connection, FENCES):
            connection.execute(CreateTable(fences))
    seen = connection.execute(sa.select(fences.c.epoch, fences.c.number).where(fences.c.scope == scope)).one_or_none()
    if seen is None:
        connection.execute(sa.insert(fences).values(scope=scope, epoch=epoch, number=number))
    elif seen.epoch == epoch and seen.number > number:
        raise Fenced(
            f"another process has taken over {scope} and has written to this database",
            safe="this process writes nothing more; the other goes on where the last commit stands",
            next_command="crosswalk status",
        )
    elif (seen.epoch, seen.number) != (epoch, number):
        connection.execute(sa.update(fences).where(fences.c.scope == scope).values(epoch=epoch, number=number))
