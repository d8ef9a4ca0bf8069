"""What a run works with, and the window it reads."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from collections.abc import Mapping as Dict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from crosswalk.clock import Clock
from crosswalk.connectors.base import Connector, Window
from crosswalk.delivery.context import Delivery, no_lease
from crosswalk.delivery.plan import Seen
from crosswalk.errors import Away, NotApproved, SettingsError, StoreError, Throttled, Transient
from crosswalk.http.urgency import BACKFILL, EVENT, USUAL
from crosswalk.integration import Integration
from crosswalk.mapping.context import Context
from crosswalk.runs.preview import Plan
from crosswalk.settings import Binding
from crosswalk.store import corrections, cursors, leases, runs
from crosswalk.store.corrections import Corrections
from crosswalk.store.cursors import Position
from crosswalk.store.engine import Store
from crosswalk.store.leases import Lease, Process


def _uncounted(_: str) -> int:
    return 0


def _nobody(_: str) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Request:
    """What a run is asked for. since, until: aware; ids: source keys instead of a window.

    urgent: somebody waits for it, because an event asked for it.  full: everything from the binding's start on.
    remap: the delivered records that were made with other rules, anew with the present ones.
    """

    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] = ()
    dry_run: bool = False
    flow_run_id: str = ""
    plan: str = ""
    urgent: bool = False
    full: bool = False
    remap: bool = False

    @property
    def priority(self) -> int:
        """How urgent its requests are: work of events before a scheduled run, that before a stretch of the past."""
        if self.urgent:
            return EVENT
        return BACKFILL if self.since or self.until or self.full or self.remap else USUAL

    @property
    def asked(self) -> str:
        """What it is asked for instead of all that changed since the last run; empty for that."""
        return "records" if self.ids or self.remap else "window" if self.since or self.until else ""

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None and value.tzinfo is None:
                raise SettingsError(f"{name} carries no zone", next_command=f"write --{name} 2026-01-01T00:00:00Z")
        if self.since and self.until and self.since >= self.until:
            raise SettingsError("since is not before until", safe="nothing was read or written")
        if (self.full or self.remap) and (self.ids or self.since or self.until or self.full == self.remap):
            what = "full reads everything" if self.full else "remap reads what was made with other rules"
            raise SettingsError(
                f"{what}, and something else is asked for too", safe="nothing was read or written",
                next_command="give one of them",
            )  # fmt: skip


@dataclass
class Session:
    """One run of one binding in this process. requests: how many the journal holds of a run.  answered: the keys of
    the connections that have answered it well.

    stopped: why something could not be sent.  unread: why something could not be read.
    errands: source keys that events ask for, with the number up to which a fetch serves them; worked: those served.
    missed: source keys whose change no event told of; polled_from: where the cursor stood before the run.
    """

    binding: Binding
    integration: Integration
    store: Store
    clock: Clock
    source: Connector
    target: Any
    request: Request = field(default_factory=Request)
    process: Process = field(default_factory=Process.this)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    lease: Lease | None = None
    begun: bool = False
    position: Position = field(default_factory=lambda: Position(None, 0))
    window: Window = field(default_factory=Window)
    seen: Seen = field(default_factory=Seen)
    fates: dict[str, int] = field(default_factory=dict)
    read: int = 0
    stand_ins: int = 0
    total: int | None = None
    asked: Window | None = None
    unknown: set[str] = field(default_factory=set)
    stopped: str = ""
    unread: str = ""
    source_away: bool = False
    delivered: int = 0
    plan: Plan = field(default_factory=Plan)
    errands: dict[str, int] = field(default_factory=dict)
    worked: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    polled_from: datetime | None = None
    requests: Callable[[str], int] = _uncounted
    answered: Callable[[str], Collection[str]] = _nobody

    @property
    def scope(self) -> str:
        return self.binding.scope

    @property
    def resource(self) -> str:
        return self.integration.source

    @property
    def incremental(self) -> bool:
        """Whether this run moves the cursor: it reads a window up to now that begins at the cursor."""
        request = self.request
        return not (request.ids or request.dry_run or request.until or request.since or request.remap)

    @property
    def of_events(self) -> bool:
        """Whether it works a batch of events: beside a long run, and sending nothing but what they asked for."""
        return bool(self.request.urgent and self.request.ids)

    @property
    def lease_scope(self) -> str:
        """Which of the binding's leases it takes: events and stretches of the past go on beside the schedule."""
        if self.of_events:
            return self.scope + leases.EVENTS
        return self.scope + leases.BACKFILL if self.request.asked == "window" else self.scope

    @property
    def delivery(self) -> Delivery:
        return Delivery(
            self.store, self.binding, self.integration, self.target, self.clock, self.run, self.process,
            timeout=self.target.system.timeout, beat=self.lease.beat if self.lease is not None else no_lease,
            only=frozenset(self.request.ids if self.of_events else ()),
        )  # fmt: skip

    @property
    def context(self) -> Context:
        source = self.binding.source
        return Context(zone=source.zone, prefix=source.prefix, currency=source.currency, overrides=self.binding.tables)

    @property
    def schema_digest(self) -> str:
        """What holds of the parse and the checks depend on: the source's declared record."""
        import hashlib
        import re

        # A check shows as its function, with an address that is another in every process.
        declared = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(self.source.system.resource(self.resource).record))
        return "schema:" + hashlib.sha256(declared.encode()).hexdigest()[:12]

    @cached_property
    def corrections(self) -> Corrections:
        """What persons set right in this binding's records, as it stood when it was first asked for."""
        return corrections.load(self.store, self.scope)

    def digests(self) -> Dict[str, str]:
        """The digest of every mapping with the tables in force, by title."""
        from crosswalk.mapping.digest import digest

        return {m.title: digest(m, overrides=self.binding.tables) for m in self.integration.parts}


def begin(session: Session) -> None:
    """Take the lease, fix the window, note the run; may be tried again. Raises Busy, SettingsError, NotApproved."""
    _may_write(session)
    if not session.request.dry_run:
        session.lease = leases.take(session.store, session.lease_scope, session.process, session.run)
    session.begun = True
    try:
        session.position = cursors.read(session.store, session.scope, session.resource)
        session.polled_from = session.position.value
        try:
            session.window = _window(session)
        except Transient as trouble:
            stop_reading(session, trouble)
        _note(session)
    except BaseException:
        _let_go(session)
        raise


def never_opened(session: Session, error: BaseException) -> None:
    """Note a run that had its lease and could not begin: a source that cannot even be asked for the time."""
    if not session.begun:
        return
    with suppress(StoreError):
        _note(session)
        finish(session, "failed", {}, f"{type(error).__name__}: {error}")


def _let_go(session: Session) -> None:
    """Keep nobody waiting: neither the next attempt nor the next run."""
    lease, session.lease = session.lease, None
    if lease is not None:
        with suppress(StoreError):
            lease.release()


def lasts(session: Session, trouble: Transient) -> bool:
    """Whether a source's trouble outlasts a run: a long wait, or a system that is away."""
    return isinstance(trouble, (Throttled, Away)) or session.source.away() is not None


def stop_reading(session: Session, trouble: Transient) -> None:
    """Let the run end without reading on: the cursor stays and the next run goes on there. Raises other trouble."""
    if not lasts(session, trouble):
        raise trouble
    if isinstance(trouble, Throttled):
        wait = f"the source lets nothing through for another {trouble.wait:.0f} s"
        session.unread = f"{wait}; the next run goes on here"
        return
    away = trouble if isinstance(trouble, Away) else session.source.away()
    what = away.what if away is not None else trouble.what
    session.unread = (
        f"the source could not be read: {what}; the cursor stays where it is and the next run goes on there"
    )
    session.source_away = True


def _note(session: Session) -> None:
    runs.begin(
        session.store, session.run, session.scope, session.binding.name, flow_run_id=session.request.flow_run_id,
        since=session.window.since, until=session.window.until, dry_run=session.request.dry_run,
        asked=session.request.asked,
    )  # fmt: skip


def _may_write(session: Session) -> None:
    binding, request = session.binding, session.request
    environment = binding.source.environment
    if environment == "sandbox" or request.dry_run:
        return
    if binding.start is None:
        raise SettingsError(
            f"binding {binding.name!r} has no start; outside the sandbox nothing before a start is sent",
            safe="nothing was read or written",
            next_command=f'add start = "2026-01-01T00:00:00Z" to [bindings.{binding.name}] in crosswalk.toml',
        )
    if not runs.approved(session.store, session.scope):
        raise NotApproved(
            f"the first plan of binding {binding.name!r} has not been approved",
            safe="nothing was read or written",
            next_command=f"crosswalk plan {binding.name}, look at it, then crosswalk apply PLAN",
        )
    if environment == "production":
        from crosswalk.mapping.digest import require_approved

        for mapping in session.integration.parts:
            require_approved(mapping, overrides=binding.tables)


def _window(session: Session) -> Window:
    request, resource = session.request, session.source.system.resource(session.resource)
    # The upper bound is on the source's own clock, so that a skewed one of ours cannot pass over late commits.
    now = session.source.now()
    until = request.until or now - timedelta(seconds=resource.settle)
    if request.since is not None:
        since: datetime | None = request.since
    elif session.position.value is not None and not request.full:
        since = session.position.value - timedelta(seconds=resource.lookback)
    else:
        since = session.binding.start
    start = session.binding.start
    if start is not None and since is not None and since < start:
        since = start
    if since is not None and since >= until:
        since = until - timedelta(seconds=max(resource.grain, 1))
    return Window(since, until)


def finish(session: Session, state: str, account: dict[str, Any], error: str = "") -> None:
    """Note how the run ended and let the next one begin."""
    try:
        runs.end(session.store, session.run, state, account, error)
    finally:
        if session.lease is not None:
            session.lease.release()
            session.lease = None
