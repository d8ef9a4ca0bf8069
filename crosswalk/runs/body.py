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
from crosswalk.errors import CrosswalkError, Throttled
from crosswalk.http.journal import tagged
from crosswalk.runs import loading, preview, release, session, tables, tables_preview, transform
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

    extract: Callable[[Extraction], Raw] = Extraction.next
    validate: Callable[[Session, Raw], Validated] = transform.validate
    transform: Callable[[Session, Validated], Chunk] = transform.transform
    load: Callable[[Session, Validated, Chunk], None] = load_chunk
    send: Callable[[Session], Any] = send
    settle: Callable[[Session], Account] = _settle
    progress: Callable[[Account], None] = _quiet


def run(current: Session, steps: Steps = Steps()) -> Account:
    """Run a binding once and account for it. Raises what made the run fail, after noting it."""
    session.begin(current)
    try:
        with tagged(run=current.run):
            account = _run(current, steps)
    except BaseException as error:
        session.finish(current, "failed", sketch(current).as_dict(), _words(error))
        raise
    waits = account.queued or account.stopped
    session.finish(current, "queued" if waits else "completed", account.as_dict())
    return account


def _run(current: Session, steps: Steps) -> Account:
    release.rouse(current)
    steps.send(current)
    extraction = Extraction(current)
    while True:
        if loading.full(current):
            current.unread = "the outbox is full; reading goes on when it has drained"
            break
        try:
            raw = steps.extract(extraction)
        except Throttled as limit:
            current.unread = (
                f"the source lets nothing through for another {limit.wait:.0f} s; the next run goes on here"
            )
            break
        validated = steps.validate(current, raw)
        chunk = steps.transform(current, validated)
        steps.load(current, validated, chunk)
        steps.progress(sketch(current))
        if raw.last:
            break
    again = [] if current.unread else release.due(current)
    if again:
        release.again(current, again, steps)
    if not current.request.dry_run and not current.integration.to_database:
        release.overdue(current)
    steps.send(current)
    return steps.settle(current)


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
    whole = not current.unread and current.incremental
    account.vendor_total = current.total if whole else None
    account.check()
    _whole(current)
    return account


def _whole(current: Session) -> None:
    """Nothing in the store is where nobody looks, and nothing waits for ever. Raises Unbalanced."""
    store, scope = current.store, current.scope
    adrift = ledger.adrift(store, scope)
    if adrift:
        raise unbalanced(f"{len(adrift)} records name an attempt that is over, {adrift[0]} among them")
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
