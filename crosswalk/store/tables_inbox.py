"""The store's tables of events: what arrived, what is to be read afresh, what was counted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from crosswalk.store.tables_base import METADATA, Row


class Event(Row, table=True):
    """What arrived at the receiver: a vendor's hint, or an event of an own application with its record.

    delivery: what the sender says is one delivery; the content's hash where it says nothing.  record: the source key.
    state: new until gathered to errands; then gathered, or unused (nobody reads the resource), or unknown (topic).
    body: sealed; kept for own applications and for what nobody knows, left empty for hints.  times: deliveries seen.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("connection", "delivery", name="inbox_delivery"),
        Index("inbox_content", "connection", "content"),
        Index("inbox_record", "connection", "resource", "record", "number"),
        Index("inbox_received", "connection", "received_at"),
        Index("inbox_new", "number", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
    )
    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    connection: str
    delivery: str
    content: str
    topic: str
    resource: str = ""
    record: str = ""
    happened_at: datetime | None = None
    received_at: datetime
    last_at: datetime
    times: int = 1
    body: bytes = Field(default=b"", sa_type=LargeBinary)
    state: str = "new"


class Errand(Row, table=True):
    """A record that events ask a binding to read afresh: one piece of work, however many events and routes lead to it.

    asked: number of the newest event.  served: the number up to which its events are worked, written in the transaction
    that wrote what the record yields.  outcome: worked, or gone when the source no longer knows the record.
    """

    __tablename__ = "errand"
    __table_args__ = (
        Index(
            "errand_due",
            "scope",
            "next_try_at",
            sqlite_where=text("asked > served"),
            postgresql_where=text("asked > served"),
        ),
    )
    scope: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    asked: int
    served: int = 0
    first_at: datetime
    asked_at: datetime
    served_at: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    last_error: str = Field(default="", sa_type=Text)
    dead: bool = False
    outcome: str = ""
    run: str = ""


class Overtaken(Row, table=True):
    """A part that another run took over while the run that had planned it was still going on, and its fate till then.

    Both account for it: the one with this fate, the other with its own.
    """

    __tablename__ = "overtaken"
    run: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    part: str = Field(primary_key=True)
    fate: str
    rule: str = ""


class Tally(Row, table=True):
    """How many deliveries of a kind a connection has had, and the last of them: refused ones are counted, not kept."""

    __tablename__ = "inbox_tally"
    connection: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    count: int = 0
    first_at: datetime
    last_at: datetime
    note: str = ""


INBOX = METADATA.tables["inbox"]
ERRAND = METADATA.tables["errand"]
OVERTAKEN = METADATA.tables["overtaken"]
TALLY = METADATA.tables["inbox_tally"]
