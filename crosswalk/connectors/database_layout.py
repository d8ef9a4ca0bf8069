"""The tables that hold a record: one for its scalars, one for every list in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy.types import UserDefinedType

from crosswalk.errors import MappingError
from crosswalk.schemas.base import Record

VERSION = "_source_version"
HASH = "_row_hash"
LOADED = "_loaded_at"
OWN = {VERSION: pa.string(), HASH: pa.string(), LOADED: pa.timestamp("us", tz="UTC")}
PARENT = "_parent"
POSITION = "_position"
NAME_LIMIT = 63  # PostgreSQL cuts a longer name without a word, and two cut names may be one.

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_PREFIX = re.compile(r"([a-z][a-z0-9_]*)?\Z")


class Spelled(UserDefinedType[object]):
    """A column type exactly as the database spells it."""

    cache_ok = True

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling

    def get_col_spec(self, **_: object) -> str:
        return self.spelling


@dataclass(frozen=True)
class Table:
    """One table. ``columns`` are name → Arrow type, the key first; ``lists`` name → table of the elements.

    The root's key is the record's. The key of a list's table is ``_parent`` (the root's key) and one position a level,
    counted from 1: ``_position``, ``_position_2``.
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, pa.DataType]
    lists: dict[str, Table]
    root: bool

    def walk(self) -> Iterator[Table]:
        """This table and all below it, parents first."""
        yield self
        for table in self.lists.values():
            yield from table.walk()


def layout(record: Record, prefix: str = "") -> Table:
    """The tables of ``record``, named after its resource with ``prefix`` before it.

    Raises MappingError for a name that is not snake_case, too long or used twice, or a key that is no plain column.
    """
    if not _PREFIX.match(prefix):
        raise MappingError(f"the prefix {prefix!r} of {record.name} is not snake_case")
    key = next((field for field in record.scalars if field.name == record.key), None)
    if key is None or key.type.arrow not in (pa.string(), pa.int64()):
        raise MappingError(f"{record.name}: its key {record.key!r} must be a text or integer column of its own")
    columns = {record.key: key.type.arrow} | {field.name: field.type.arrow for field in record.scalars}
    name = prefix + record.resource
    lists = {line.name: _below(line.record, name, {PARENT: key.type.arrow}) for line in record.lists}
    table = Table(name, (record.key,), columns, lists, root=True)
    _check(record, table)
    return table


def _below(record: Record, above: str, key: dict[str, pa.DataType]) -> Table:
    depth = len(key)
    key = {**key, (POSITION if depth == 1 else f"{POSITION}_{depth}"): pa.int64()}
    name = f"{above}_{record.name}"
    columns = key | {field.name: field.type.arrow for field in record.scalars}
    return Table(name, tuple(key), columns, {li.name: _below(li.record, name, key) for li in record.lists}, root=False)


def _check(record: Record, root: Table) -> None:
    tables = [table.name for table in root.walk()]
    for name in [*tables, *_names(record)]:
        if not _NAME.match(name):
            raise MappingError(
                f"{record.name}: {name!r} is not snake_case and cannot name a table or column",
                next_command="derive the record with crosswalk.schemas.tables.table_record, or rename the field",
            )
        if len(name) > NAME_LIMIT:
            raise MappingError(f"{record.name}: the name {name!r} is longer than {NAME_LIMIT} characters")
        if tables.count(name) > 1:
            raise MappingError(f"{record.name}: two lists would share the table {name!r}; rename one")


def _names(record: Record) -> list[str]:
    return [field.name for field in record.fields] + [name for line in record.lists for name in _names(line.record)]
