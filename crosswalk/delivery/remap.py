"""Re-mapping: a changed mapping does not touch what is delivered, unless its source record changes or a plan says so.

A delivered row keeps the digest of the rules and tables that it was made with. When the very version that was
delivered is read again, by a lookback, a backfill or an event that came twice, and the rules have changed in between,
the row stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, update

from crosswalk.store import ledger
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name
from crosswalk.store.tables import RECORD

if TYPE_CHECKING:
    from crosswalk.delivery.plan import Chunk

RULES = "m1:"
"""Begins the digest of a mapping; what is held because of anything else is no matter of rules."""


def stands(row: Row[Any] | None, version: str, digest: str) -> bool:
    """Whether a row is delivered, was made of this very version of its source record, and with other rules."""
    if row is None or not version or not digest.startswith(RULES):
        return False
    settled = bool(row.applied_hash) and row.applied_hash == row.wanted_hash and not (row.batch or row.held)
    return settled and row.wanted_version == version and row.wanted_digest not in ("", digest)


def standing(chunk: Chunk, old: Mapping[Name, Row[Any]]) -> tuple[Chunk, list[Name]]:
    """A chunk without what stands, and the names of that."""
    left = replace(
        chunk,
        wanted=[w for w in chunk.wanted if not stands(old.get(w.name), w.version, w.digest)],
        skipped=[s for s in chunk.skipped if not stands(old.get(s.name), s.version, s.digest)],
        held=[h for h in chunk.held if not stands(old.get(Name(h.key, h.part)), h.version, h.because)],
    )
    names = set(left.names())
    return left, [name for name in dict.fromkeys(chunk.names()) if name not in names]


def newly_held(connection: Connection, scope: str, holds: Sequence[Hold]) -> list[Hold]:
    """Those of them that are not of records which stand."""
    old = ledger.existing(connection, scope, {h.key for h in holds}) if holds else {}
    return [h for h in holds if not stands(old.get(Name(h.key, h.part)), h.version, h.because)]


def older(scope: str, digests: Collection[str]) -> ColumnElement[bool]:
    """The delivered rows of a binding that were made with other rules than these, for a WHERE."""
    return and_(
        RECORD.c.scope == scope, RECORD.c.applied_hash != "", RECORD.c.applied_hash == RECORD.c.wanted_hash,
        RECORD.c.batch == "", RECORD.c.held == "", RECORD.c.applied_digest != "",
        RECORD.c.applied_digest.not_in(sorted(digests)),
    )  # fmt: skip


def keys(connection: Connection, scope: str, digests: Collection[str]) -> list[str]:
    """The source keys of those rows, in order."""
    query = select(RECORD.c.key).distinct().where(older(scope, digests)).order_by(RECORD.c.key)
    return list(connection.execute(query).scalars())


def made(connection: Connection, scope: str, chunk: Chunk) -> None:
    """What a re-mapping leaves as it is was made with the present rules, as far as anybody can tell."""
    for digest in sorted({w.digest for w in chunk.wanted}):
        same = {w.name: w.hash for w in chunk.wanted if w.digest == digest}
        for some in ledger.chunked(list(same), 400):
            query = select(RECORD.c.key, RECORD.c.part, RECORD.c.applied_hash).where(ledger.named(scope, list(some)))
            names = [
                Name(row.key, row.part)
                for row in connection.execute(query.where(RECORD.c.applied_hash == RECORD.c.wanted_hash))
                if same[Name(row.key, row.part)] == row.applied_hash
            ]
            if names:
                values = {"wanted_digest": digest, "applied_digest": digest}
                connection.execute(update(RECORD).where(ledger.named(scope, names)).values(**values))
