"""Runs that go on at the same time: a batch of events beside a backfill of the same binding.

Each part counts once in the account of every run that planned it. A run that takes a part over writes down what it was
to the other, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_

from crosswalk.store.tables import RUN
from crosswalk.store.tables_inbox import OVERTAKEN

BY_EVENT = "overtaken by a newer reading"
FINAL = ("created", "updated", "unchanged", "deleted", "held", "skipped")


def rivals(connection: Connection, scope: str, run: str) -> set[str]:
    """Other runs of the binding that have not ended."""
    going = select(RUN.c.id).where(RUN.c.scope == scope, RUN.c.state == "running", RUN.c.id != run)
    return set(connection.execute(going).scalars())


def take(connection: Connection, run: str, rows: Sequence[Row[Any]], back: Sequence[tuple[str, str]]) -> None:
    """Write down what these rows were to the runs that had planned them; ``back``: parts that this run takes again."""
    for at in range(0, len(back), 400):
        mine = tuple_(OVERTAKEN.c.key, OVERTAKEN.c.part).in_(list(back[at : at + 400]))
        connection.execute(delete(OVERTAKEN).where(OVERTAKEN.c.run == run, mine))
    if rows:
        connection.execute(
            insert(OVERTAKEN),
            [
                {"run": row.seen_run, "key": row.key, "part": row.part,
                 "fate": row.fate if row.fate in FINAL else "skipped",
                 "rule": "" if row.fate in FINAL and row.fate != "skipped" else row.skipped or BY_EVENT}
                for row in rows
            ],
        )  # fmt: skip


def fates(connection: Connection, run: str) -> dict[str, int]:
    """What the parts that others took over had been to a run."""
    query = select(OVERTAKEN.c.fate, func.count()).where(OVERTAKEN.c.run == run).group_by(OVERTAKEN.c.fate)
    return {str(fate): int(count) for fate, count in connection.execute(query)}


def rules(connection: Connection, run: str) -> dict[str, int]:
    """Those of them that were skipped, by rule."""
    query = select(OVERTAKEN.c.rule, func.count()).where(OVERTAKEN.c.run == run, OVERTAKEN.c.fate == "skipped")
    return {str(rule): int(count) for rule, count in connection.execute(query.group_by(OVERTAKEN.c.rule))}


def forget(connection: Connection, run: str) -> None:
    """The run has accounted for them."""
    connection.execute(delete(OVERTAKEN).where(OVERTAKEN.c.run == run))
