"""What differs between the databases that can be targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import sqlalchemy as sa

from crosswalk.errors import Invalid, VendorError


@dataclass(frozen=True, slots=True)
class Standing:
    """A column that stands in the database. key: its place in the primary key from 1, 0 outside.

    filled: an insert that does not name the column works, since it may be null or has a default.
    """

    type: str
    key: int
    filled: bool


class Dialect(Protocol):
    """One kind of database."""

    name: str
    errors: tuple[type[Exception], ...]

    def engine(self, url: sa.URL) -> sa.Engine:
        """Connections whose transactions write, in UTC."""

    def spelling(self, kind: pa.DataType) -> str:
        """The column type that holds an Arrow type exactly."""

    def version_type(self) -> str:
        """The type of a column that sorts text by its bytes."""

    def standing(self, connection: sa.Connection, table: str) -> dict[str, Standing]:
        """The columns of a table, empty when there is no such table."""

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Until the end of the transaction no other Crosswalk process gets past here with this name."""

    def append(self, connection: sa.Connection, table: str, rows: pa.Table) -> None:
        """Insert all rows, or raise."""

    def trouble(self, error: Exception, where: str, committing: bool) -> VendorError:
        """The error as ours. ``committing``: it came from the commit itself."""


Kinds = dict[str, tuple[type[VendorError], str]]


def kind_of(kinds: Kinds, code: str) -> tuple[type[VendorError], str]:
    """Error class and words for the first entry that ``code`` begins with."""
    found = (what for beginning, what in kinds.items() if code.startswith(beginning))
    return next(found, (Invalid, "the database refused"))


def first_line(error: BaseException) -> str:
    """The driver's own message, without the statement and its values."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]
