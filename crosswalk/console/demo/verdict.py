"""Whether books and database hold what the seed generator says, in cents. It knows nothing of mappings or engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from crosswalk.console.demo.processes import DemoError
from crosswalk.sandbox.control import Control
from crosswalk.sandbox.seed import verdict
from crosswalk.sandbox.seed.oracle import Database

OURS = re.compile(r"orders(_.*)?|crosswalk_.*")


def differences(control: Control, address: str, prefix: str) -> list[str]:
    """Where the practice books or the database at ``address`` differ from the oracle; empty is agreement."""
    expected = Database(**control.expected()["database"])
    return [*control.verdict(prefix), *verdict.database(expected, held(address))]


def held(address: str) -> dict[str, int]:
    """Counts and sums of the warehouse; amounts in cents."""
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            totals = connection.execute(text("SELECT total_price, current_total_price FROM orders")).all()
            units = connection.execute(text("SELECT quantity FROM orders_line_items")).scalars().all()
    finally:
        engine.dispose()
    return {
        "orders": len(totals),
        "lines": len(units),
        "units": sum(units),
        "total": _cents(row[0] for row in totals),
        "current": _cents(row[1] for row in totals),
    }


def _cents(amounts: Iterable[object]) -> int:
    return verdict.cents(sum((Decimal(str(amount)) for amount in amounts), Decimal(0)))


def require_empty(address: str) -> None:
    """Raises DemoError when the database holds any table: the demo counts its rows and takes them out afterwards."""
    try:
        there = tables(address)
    except SQLAlchemyError as error:
        raise DemoError(f"the database cannot be used: {error}") from error
    if there:
        some = ", ".join(sorted(there)[:3])
        raise DemoError(f"the database holds tables already ({some}); give the demo an empty one. Nothing was changed")


def tables(address: str) -> set[str]:
    """The names of the database's tables."""
    engine = create_engine(address)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def drop(address: str) -> None:
    """Remove what the demo makes in a database that was empty before."""
    engine = create_engine(address)
    try:
        quote = engine.dialect.identifier_preparer.quote
        ours = [name for name in tables(address) if OURS.fullmatch(name)]
        with engine.begin() as connection:
            for name in ours:
                connection.execute(text(f"DROP TABLE {quote(name)}"))
    finally:
        engine.dispose()
