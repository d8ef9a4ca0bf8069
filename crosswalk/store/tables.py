"""The store's tables. It is the only memory: progress, links, what is wanted and what was applied.

``scope`` begins every key of a binding: environment, binding and both accounts, so that nothing of one customer or
environment is ever visible to another. Status is derived from the columns and stored nowhere.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from crosswalk.store.tables_base import METADATA as METADATA
from crosswalk.store.tables_base import Row as Row
from crosswalk.store.tables_corrections import CORRECTION as CORRECTION
from crosswalk.store.tables_inbox import ERRAND as ERRAND
from crosswalk.store.tables_inbox import INBOX as INBOX
from crosswalk.store.tables_inbox import OVERTAKEN as OVERTAKEN
from crosswalk.store.tables_inbox import TALLY as TALLY


class Meta(Row, table=True):
    """Facts about the store itself: its epoch, and a value that only the right key decrypts."""

    __tablename__ = "meta"
    name: str = Field(primary_key=True)
    value: str


class Run(Row, table=True):
    """One run of a binding and its account. asked: records or a window that it was asked for; empty for a whole run."""

    __tablename__ = "run"
    id: str = Field(primary_key=True)
    scope: str = Field(index=True)
    binding: str
    flow_run_id: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    state: str = "running"
    since: datetime | None = None
    until: datetime | None = None
    dry_run: bool = False
    account: str = Field(default="{}", sa_type=Text)
    error: str = Field(default="", sa_type=Text)
    asked: str = ""


class Cursor(Row, table=True):
    """How far a source has been read. Moves only by compare-and-set on its version."""

    __tablename__ = "cursor"
    scope: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    value: datetime
    version: int
    moved_at: datetime


class Lease(Row, table=True):
    """Who plans a binding right now. The holder is a process attempt, never a Prefect run; run: which run it makes."""

    __tablename__ = "lease"
    scope: str = Field(primary_key=True)
    holder: str = ""
    fence: int = 0
    host: str = ""
    boot_id: str = ""
    pid: int = 0
    expires_at: datetime | None = None
    run: str = ""


class Link(Row, table=True):
    """The cross-reference: this record there is that record here. Shared by the integrations of an environment.

    adopted: the target record was there before and carries our reference; otherwise this store had it created.
    """

    __tablename__ = "link"
    __table_args__ = (
        UniqueConstraint("source", "source_resource", "source_id", "target", "target_resource", name="link_source"),
        UniqueConstraint("target", "target_resource", "target_id", name="link_target"),
    )
    id: int | None = Field(default=None, primary_key=True)
    source: str
    source_resource: str
    source_id: str
    target: str
    target_resource: str
    target_id: str
    made_by: str
    made_at: datetime
    adopted: bool = False
    broken: bool = False


class Record(Row, table=True):
    """One target record that a source record yields.

    wanted_*: the newest version known, replaceable at will.  applied_*: what the target is known to hold.
    batch: the one open attempt.  needs: the link that is waited for.  held: why a person is needed.
    seen_run and fate: what the last run decided about it.
    """

    __tablename__ = "record"
    __table_args__ = (
        Index("record_needs", "needs", sqlite_where=text("needs <> ''"), postgresql_where=text("needs <> ''")),
        Index(
            "record_pending",
            "scope",
            "next_try_at",
            sqlite_where=text("wanted_hash <> applied_hash"),
            postgresql_where=text("wanted_hash <> applied_hash"),
        ),
        Index("record_seen", "scope", "seen_run"),
    )
    scope: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    part: str = Field(primary_key=True)
    resource: str
    rank: int = 0
    source_resource: str = ""
    source_id: str = ""
    marker: str = ""
    wanted_version: str = ""
    wanted_hash: str = ""
    wanted_payload: str = Field(default="", sa_type=Text)
    wanted_extra: str = Field(default="", sa_type=Text)
    wanted_remove: bool = False
    wanted_digest: str = ""
    applied_version: str = ""
    applied_hash: str = ""
    applied_payload: str = Field(default="", sa_type=Text)
    applied_digest: str = ""
    target_id: str = ""
    target_version: str = ""
    generation: int = 0
    alternative: bool = False
    alone: bool = False
    look_first: bool = False
    batch: str = ""
    needs: str = ""
    parked_at: datetime | None = None
    skipped: str = ""
    held: str = Field(default="", sa_type=Text)
    held_because: str = ""
    tries: int = 0
    next_try_at: datetime | None = None
    last_error: str = Field(default="", sa_type=Text)
    seen_run: str = ""
    fate: str = ""
    first_seen_at: datetime
    changed_at: datetime


class Batch(Row, table=True):
    """An attempt: one request with its exact bytes, frozen before it is sent, open until every member is resolved."""

    __tablename__ = "batch"
    __table_args__ = (Index("batch_open", "scope", sqlite_where=text("open = 1"), postgresql_where=text("open")),)
    id: str = Field(primary_key=True)
    scope: str
    resource: str
    operation: str
    key: str
    method: str
    path: str
    params: str = Field(default="{}", sa_type=Text)
    headers: str = Field(default="{}", sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    frozen_at: datetime
    key_until: datetime | None = None
    last_send_end: datetime | None = None
    sends: int = 0
    owner: str = ""
    owner_host: str = ""
    owner_boot: str = ""
    owner_pid: int = 0
    not_after: datetime | None = None
    due_at: datetime | None = None
    open: bool = True


class Member(Row, table=True):
    """A record's place in a batch, with everything that is needed to settle it alone."""

    __tablename__ = "member"
    batch: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    scope: str
    key: str
    part: str
    generation: int
    payload_hash: str
    payload: str = Field(sa_type=Text)
    version: str
    digest: str
    marker: str
    target_id: str = ""
    expects: str = Field(default="{}", sa_type=Text)
    outcome: str = ""


class Held(Row, table=True):
    """A row that a person has to look at: the quarantine. The raw record is kept as encrypted bytes."""

    __tablename__ = "held"
    id: str = Field(primary_key=True)
    scope: str = Field(index=True)
    key: str
    part: str = ""
    step: str
    rule: str
    field: str = ""
    reason: str = Field(sa_type=Text)
    excerpt: str = ""
    by_person: bool = False
    raw: bytes = Field(default=b"", sa_type=LargeBinary)
    because: str = ""
    version: str = ""
    times: int = 1
    first_run: str
    last_run: str
    first_at: datetime
    last_at: datetime
    open: bool = True


class Token(Row, table=True):
    """A connection's OAuth token, encrypted, with the claim of whoever refreshes it."""

    __tablename__ = "token"
    connection: str = Field(primary_key=True)
    version: int
    sealed: bytes = Field(sa_type=LargeBinary)
    claimed_by: str = ""
    claimed_until: datetime | None = None


class Approval(Row, table=True):
    """A plan that was shown to a person, and who approved it."""

    __tablename__ = "approval"
    id: str = Field(primary_key=True)
    scope: str = Field(index=True)
    digest: str
    summary: str = Field(sa_type=Text)
    made_at: datetime
    approved_by: str = ""
    approved_at: datetime | None = None


class Incident(Row, table=True):
    """One trouble, from its first sight to its recovery. At most one per fingerprint is unresolved.

    fingerprint: environment, binding or connection, kind, step, error class and normalised code; never the run.
    message and members: what is told, redacted, as JSON; members are the bindings that one connection pulls down.
    due_at: when it may be told, so that siblings are gathered first.  told_at: when it was; None while nobody knows.
    untold: there was no channel to tell it on, and that was said.
    parent: the connection incident that stands for it.  quiet_since: mended, but flapping and not yet believed.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_unresolved",
            "fingerprint",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
        Index("incident_state", "state", "opened_at"),
    )
    id: str = Field(primary_key=True)
    fingerprint: str = Field(index=True)
    environment: str
    kind: str
    binding: str = ""
    connection: str = ""
    step: str = ""
    error: str = ""
    code: str = ""
    severity: str
    owner: str = ""
    state: str = "open"
    flapping: bool = False
    parent: str = ""
    message: str = Field(sa_type=Text)
    members: str = Field(default="{}", sa_type=Text)
    occurrences: int = 1
    first_run: str = ""
    last_run: str = ""
    opened_at: datetime
    last_seen_at: datetime
    due_at: datetime
    told_at: datetime | None = None
    untold: bool = False
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    escalated_at: datetime | None = None
    acked_at: datetime | None = None
    acked_by: str = ""
    quiet_since: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    resolved_why: str = Field(default="", sa_type=Text)


class Notification(Row, table=True):
    """One message to one channel: the outbox. Within incident and channel they leave in the order of seq.

    kind: opened, reminder, escalated, recovered, digest, edit, again, acked.
    status: waiting, sending (intent written, answer not yet), sent, dropped (with the reason in answer).
    external_ref: what the provider calls the message.  doubts: how many attempts ended without a known outcome.
    """

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("incident", "channel", "seq", name="notification_order"),
        Index(
            "notification_waiting",
            "channel",
            "next_try_at",
            sqlite_where=text("status IN ('waiting', 'sending')"),
            postgresql_where=text("status IN ('waiting', 'sending')"),
        ),
    )
    id: str = Field(primary_key=True)
    incident: str
    channel: str
    kind: str
    seq: int
    status: str = "waiting"
    message: str = Field(sa_type=Text)
    attempts: int = 0
    doubts: int = 0
    next_try_at: datetime
    claimed_by: str = ""
    claimed_until: datetime | None = None
    external_ref: str = ""
    answer: str = Field(default="", sa_type=Text)
    made_at: datetime
    ended_at: datetime | None = None


class AlertChannel(Row, table=True):
    """How a channel is: when it may be used again, since when it fails, what it answered last."""

    __tablename__ = "alert_channel"
    name: str = Field(primary_key=True)
    pause_until: datetime | None = None
    failing_since: datetime | None = None
    broken_since: datetime | None = None
    last_ok_at: datetime | None = None
    answer: str = Field(default="", sa_type=Text)


class Mute(Row, table=True):
    """A promise not to tell of something until an instant, for a reason. kind: fingerprint, binding, connection."""

    __tablename__ = "mute"
    id: str = Field(primary_key=True)
    environment: str
    kind: str
    value: str
    reason: str = Field(sa_type=Text)
    made_by: str
    made_at: datetime
    until: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""


class Audit(Row, table=True):
    """What a person changed by hand. before and after are JSON, redacted."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_subject", "subject", "at"),)
    id: str = Field(primary_key=True)
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str = Field(default="", sa_type=Text)
    before: str = Field(default="{}", sa_type=Text)
    after: str = Field(default="{}", sa_type=Text)


class Breaker(Row, table=True):
    """Whether a connection is away, and who tries it again.

    failures: in a row.  opened_at: since when no request is made but the probe; None while all is well.  probe_at: when
    it is tried again.  trips: probes that failed since.  probing_*: who makes the probe now.
    """

    __tablename__ = "breaker"
    connection: str = Field(primary_key=True)
    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    trips: int = 0
    probing_by: str = ""
    probing_until: datetime | None = None
    probing_host: str = ""
    probing_boot: str = ""
    probing_pid: int = 0
    why: str = Field(default="", sa_type=Text)
    changed_at: datetime


META = METADATA.tables["meta"]
RUN = METADATA.tables["run"]
CURSOR = METADATA.tables["cursor"]
LEASE = METADATA.tables["lease"]
LINK = METADATA.tables["link"]
RECORD = METADATA.tables["record"]
BATCH = METADATA.tables["batch"]
MEMBER = METADATA.tables["member"]
HELD = METADATA.tables["held"]
TOKEN = METADATA.tables["token"]
APPROVAL = METADATA.tables["approval"]
INCIDENT = METADATA.tables["incident"]
NOTIFICATION = METADATA.tables["notification"]
ALERT_CHANNEL = METADATA.tables["alert_channel"]
MUTE = METADATA.tables["mute"]
AUDIT = METADATA.tables["audit"]
BREAKER = METADATA.tables["breaker"]
