"""What the store's tables share."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

METADATA = MetaData()


class Row(SQLModel, registry=registry(metadata=METADATA)):
    """What the store's tables share: metadata of their own, apart from every other user of SQLModel."""

    metadata = METADATA
