"""Making the tables of a record, and checking those that stand."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from crosswalk.connectors.database_dialect import Dialect, Standing
from crosswalk.connectors.database_layout import OWN, VERSION, Spelled, Table
from crosswalk.errors import Drift, SettingsError

REMOVED = "crosswalk_removed"  # Which keys were removed and at which version, so that an older one does not return.
OWNERS = "crosswalk_tables"  # Whose tables they are.


def target(table: Table, dialect: Dialect) -> sa.Table:
    """The table as SQLAlchemy writes it."""
    kinds = table.columns | (OWN if table.root else {})
    columns = [
        sa.Column(name, _type(name, kind, dialect), primary_key=name in table.key, autoincrement=False)
        for name, kind in kinds.items()
    ]
    return sa.Table(table.name, sa.MetaData(), *columns)


def temporary(name: str, dialect: Dialect, columns: dict[str, pa.DataType]) -> sa.Table:
    """A table that is gone at the end of the transaction."""
    prefixed = [sa.Column(column, _type(column, kind, dialect)) for column, kind in columns.items()]
    return sa.Table(name, sa.MetaData(), *prefixed, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def removed_table(dialect: Dialect) -> sa.Table:
    """table and key of what was removed, with the version of the removal."""
    return sa.Table(
        REMOVED,
        sa.MetaData(),
        sa.Column("table", Spelled(dialect.spelling(pa.string())), primary_key=True),
        sa.Column("key", Spelled(dialect.spelling(pa.string())), primary_key=True),
        sa.Column("version", Spelled(dialect.version_type())),
        sa.Column("removed_on", Spelled(dialect.spelling(pa.date32()))),
    )


def owners_table(dialect: Dialect) -> sa.Table:
    """Which source connection a table belongs to."""
    text = Spelled(dialect.spelling(pa.string()))
    return sa.Table(OWNERS, sa.MetaData(), sa.Column("table", text, primary_key=True), sa.Column("owner", text))


def stand(
    connection: sa.Connection, dialect: Dialect, table: Table, may_add: bool, owner: str, write: bool = True
) -> list[str]:
    """Bring the tables to the layout; what was changed, in words. Without ``write`` only say it.

    Raises Drift when a column has another type, may not be added or the table is not ours; SettingsError when it
    belongs to another owner.
    """
    dialect.lock(connection, OWNERS)
    for own in (removed_table(dialect), owners_table(dialect)):
        if write and not dialect.standing(connection, own.name):
            connection.execute(CreateTable(own))
    changes: list[str] = []
    may_make = may_add or not dialect.standing(connection, table.name)
    for one in table.walk():
        standing = dialect.standing(connection, one.name)
        wanted = target(one, dialect)
        if not standing:
            if not may_make:
                raise _missing(f"table {one.name}", str(CreateTable(wanted).compile(dialect=connection.dialect)))
            changes.append(f"table {one.name} made")
            if write:
                connection.execute(CreateTable(wanted))
            continue
        _ours(one, standing)
        for name in _new_columns(one, wanted, standing, dialect):
            spelling = wanted.c[name].type.compile(connection.dialect)
            statement = f'ALTER TABLE "{one.name}" ADD COLUMN "{name}" {spelling}'
            if not may_add:
                raise _missing(f"column {name} of table {one.name}", statement)
            changes.append(f"column {one.name}.{name} added")
            if write:
                connection.exec_driver_sql(statement)
    if owner:
        _own(connection, dialect, table.name, owner, write)
    return changes


def _type(name: str, kind: pa.DataType, dialect: Dialect) -> Spelled:
    return Spelled(dialect.version_type() if name in (VERSION, "version") else dialect.spelling(kind))


def _new_columns(table: Table, wanted: sa.Table, standing: dict[str, Standing], dialect: Dialect) -> list[str]:
    new = []
    for name, kind in (table.columns | (OWN if table.root else {})).items():
        if name not in standing:
            new.append(name)
        elif standing[name].type != (spelling := dialect.spelling(kind)):
            raise Drift(
                f"column {name} of table {table.name} is {standing[name].type}, the record declares {spelling}",
                safe="nothing was written",
                next_command="change the column by hand, or give the field another name in the mapping",
            )
    for name, column in standing.items():
        if name not in wanted.c and not column.filled:
            raise Drift(
                f"column {name} of table {table.name} must be filled, and the record does not have it",
                safe="nothing was written",
                next_command=f"give {name} a default, or allow null in it",
            )
    return new


def _ours(table: Table, standing: dict[str, Standing]) -> None:
    """A table that somebody else made is never taken over."""
    key = tuple(sorted((name for name, column in standing.items() if column.key), key=lambda name: standing[name].key))
    if key != table.key or (table.root and not standing.keys() >= OWN.keys()):
        raise Drift(
            f"table {table.name} stands there already and is not Crosswalk's: its key is ({', '.join(key)}), "
            f"expected ({', '.join(table.key)}) and the columns {', '.join(OWN)}",
            safe="nothing was written",
            next_command="set a prefix for the tables, or rename the one that stands there",
        )


def _own(connection: sa.Connection, dialect: Dialect, name: str, owner: str, write: bool) -> None:
    owners = owners_table(dialect)
    if not dialect.standing(connection, OWNERS):
        return
    found = connection.execute(sa.select(owners.c.owner).where(owners.c.table == name)).scalar()
    if found is None and write:
        connection.execute(sa.insert(owners).values(table=name, owner=owner))
    elif found not in (None, owner):
        raise SettingsError(
            f"table {name} holds the records of {found}; those of {owner} would overwrite them",
            safe="nothing was written",
            next_command="set a prefix for the tables of one of the two",
        )


def _missing(what: str, statement: str) -> Drift:
    return Drift(
        f"{what} is missing and may not be added",
        safe="nothing was written",
        next_command=" ".join(statement.split()),
    )


def days(day: date) -> str:
    """A day as both databases compare it with a date column."""
    return day.isoformat()
