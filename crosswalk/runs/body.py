"""The body that every run shares: open, extract, validate, transform, load, settle.

Prefect's tasks wrap the same steps; a test that kills processes runs them bare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from crosswalk.delivery.plan import Chunk
from crosswalk.errors import CrosswalkError, Transient
from crosswalk.http.journal import tagged
from crosswalk.http.urgency import urgent
from crosswalk.runs import going, loading, preview, release, session, tables, tables_preview, transform
from crosswalk.runs.account import Account, fates, unbalanced
from crosswalk.runs.extract import Extraction, Raw
from crosswalk.runs.session import Session
from crosswalk.runs.transform import Validated
from crosswalk.store import held, ledger, links
from crosswalk.store.tables import RECORD


def load_chunk(run: Session, validated: Validated, chunk: Chunk) -> None:
    """Commit a chunk's plan and send it; a dry run only shows what it would do."""
    if run.request.dry_run:
        preview.add(run, validated, chunk)
        if run.integration.to_database:
            tables_preview.add(run, chunk)
        return
    if run.integration.to_database:
        tables.load(run, validated, chunk)
        return
    if not chunk.committed:
        loading.commit(run, validated, chunk)
        chunk.committed = True
    loading.send_pending(run)


def send(run: Session) -> None:
    """Send what waits. A dry run sends nothing, and a database has no outbox."""
    if not run.request.dry_run and not run.integration.to_database:
        loading.send_pending(run)


def _quiet(_: Account) -> None:
    """Tell nobody."""


def _settle(run: Session) -> Account:
    return settle(run)


@dataclass(frozen=True)
class Steps:
    """The steps of a run, each of which may be wrapped by something that retries and shows it."""

    open: Callable[[Session], None] = session.begin
    extract: Callable[[Extraction], Raw] = Extraction.next
    validate: Callable[[Session, Raw], Validated] = transform.validate
    transform: Callable[[Session, Validated], Chunk] = transform.transform
    load: Callable[[Session, Validated, Chunk], None] = load_chunk
    send: Callable[[Session], Any] = send
    settle: Callable[[Session], Account] = _settle
    progress: Callable[[Account], None] = _quiet


def run(current: Session, steps: Steps = Steps()) -> Account:
    """Run a binding once and account for it. Raises what made the run fail, after noting it."""
    with urgent(current.request.priority), tagged(run=current.run):
        return _whole_run(current, steps)


def _whole_run(current: Session, steps: Steps) -> Account:
    try:
        steps.open(current)
    except BaseException as error:
        session.never_opened(current, error)
        raise
    try:
        account = _run(current, steps)
    except BaseException as error:
        session.finish(current, "failed", sketch(current).as_dict(), _words(error))
        raise
    session.finish(current, ended(current, account), account.as_dict())
    return account


def ended(current: Session, account: Account) -> str:
    """How a run that did not fail ended. unread: its source was away, so that nothing newer is known of it."""
    if current.source_away:
        return "unread"
    return "queued" if account.queued or account.stopped else "completed"


def _run(current: Session, steps: Steps) -> Account:
    release.rouse(current)
    steps.send(current)
    _read(current, steps)
    if current.request.dry_run:
        preview.finish(current)
    elif not current.integration.to_database:
        release.overdue(current)
        going.find(current)
    steps.send(current)
    return steps.settle(current)


def _read(current: Session, steps: Steps) -> None:
    """Read the window, or the ids, as far as the source and the outbox allow; then what may be tried again."""
    extraction = Extraction(current)
    while not current.unread:
        if loading.full(current):
            current.unread = "the outbox is full; reading goes on when it has drained"
            return
        try:
            raw = steps.extract(extraction)
        except Transient as trouble:
            session.stop_reading(current, trouble)
            return
        validated = steps.validate(current, raw)
        chunk = steps.transform(current, validated)
        steps.load(current, validated, chunk)
        steps.progress(sketch(current))
        if raw.last:
            break
        del raw, validated, chunk  # before the next one is read, or two chunks are in memory
    if not current.unread and (again := release.due(current)):
        release.again(current, again, steps)


def sketch(current: Session) -> Account:
    """The account as it stands, unchecked."""
    store, scope, seen = current.store, current.scope, current.seen
    account = Account(
        read=current.read, stand_ins=current.stand_ins, distinct=seen.distinct, duplicate=seen.duplicate,
        parts=len(seen.parts) + seen.yielded, unknown_fields=sorted(current.unknown),
        stopped=current.unread or current.stopped, requests=current.requests(current.run),
    )  # fmt: skip
    try:
        counts = fates(
            ledger.fates(store, scope, current.run),
            Counter(seen.still.values()) + Counter(seen.loaded),
            planned_states(current),
        )
        for fate, count in counts.items():
            setattr(account, fate, count)
        account.caught_up = max(0, current.delivered - account.created - account.updated - account.deleted)
        account.skipped_by = _skipped(current)
        with store.reading() as connection:
            account.new_held = held.new(connection, scope, current.run)
        account.held_by = held.reasons(store, scope)
        account.states = ledger.states(store, scope)
        account.missed = len(current.missed)
        _queue(current, account)
        with store.reading() as connection:
            account.waits_for = links.waited_for(connection, scope)
    except CrosswalkError as error:
        account.stopped = account.stopped or error.what
    return account


def settle(current: Session) -> Account:
    """The account, checked against what was read and against the store. Raises Unbalanced."""
    store, scope, seen = current.store, current.scope, current.seen
    counts = fates(
        ledger.fates(store, scope, current.run),
        Counter(seen.still.values()) + Counter(seen.loaded),
        planned_states(current),
    )
    account = sketch(current)
    for fate, count in counts.items():
        setattr(account, fate, count)
    whole = not current.unread and not current.request.ids
    account.vendor_total = current.total if whole else None
    account.check()
    _whole(current)
    return account


def _queue(current: Session, account: Account) -> None:
    """What waits in the whole binding, and what happens with it."""
    if current.request.dry_run or current.integration.to_database:
        return
    found = ledger.queue(current.store, current.scope)
    account.waiting = found.count
    account.waiting_since = found.since.isoformat() if found.since else ""


def _whole(current: Session) -> None:
    """Nothing in the store is where nobody looks, and nothing waits for ever. Raises Unbalanced."""
    store, scope = current.store, current.scope
    adrift = ledger.adrift(store, scope)
    if adrift:
        raise unbalanced(f"{len(adrift)} records name an attempt that is over, {adrift[0]} among them")
    unlisted = held.unlisted(store, scope)
    if unlisted:
        raise unbalanced(f"{len(unlisted)} records are held and no list shows them, {unlisted[0]} among them")
    limit = current.integration.park_limit
    late = ledger.waiting(store, scope, current.clock.now() - limit)
    if late:
        raise unbalanced(f"{len(late)} records have waited for more than {limit} to be sent, {late[0]} among them")


def planned_states(current: Session) -> dict[str, int]:
    """In which state the parts are that this run planned and that have no other fate yet."""
    with current.store.reading() as connection:
        rows = connection.execute(
            select(ledger.STATE, func.count())
            .where(RECORD.c.scope == current.scope, RECORD.c.seen_run == current.run, RECORD.c.fate == "planned")
            .group_by(ledger.STATE)
        )
        return {str(state): int(count) for state, count in rows}


def _skipped(current: Session) -> dict[str, int]:
    counts = Counter(ledger.skipped_rules(current.store, current.scope, current.run)) + current.seen.left_out
    again = Counter(current.seen.still.values())
    if again["skipped"]:
        counts["as before"] += again["skipped"]
    if stale := again["stale"] + current.seen.loaded.get("stale", 0):
        counts["stale version"] += stale
    return dict(counts)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
