"""The store's table of what persons set right in held records."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, Text
from sqlmodel import Field

from crosswalk.store.tables_base import METADATA, Row


class Correction(Row, table=True):
    """One field of one source record as a person says it is, or a part that a person leaves out.

    field: as the source's schema names it, and sealed its value; empty where the part is dismissed.
    part: of a dismissal, ``*`` for the whole record; empty for a field.
    """

    __tablename__ = "correction"
    scope: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    part: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    sealed: bytes = Field(default=b"", sa_type=LargeBinary)
    made_by: str
    reason: str = Field(sa_type=Text)
    made_at: datetime


CORRECTION = METADATA.tables["correction"]
