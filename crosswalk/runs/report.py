"""The account of a run as a person reads it: a table, a page in Markdown, and the next command."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from crosswalk.errors import StoreError
from crosswalk.http import redact
from crosswalk.runs.account import FATES, Account, since
from crosswalk.runs.session import Session
from crosswalk.store.tables import RECORD

SAMPLES = 5
CHANGES = 20


def line(session: Session, account: Account) -> str:
    """What became of everything, in one line; of a dry run what would become of it."""
    if not session.request.dry_run:
        return account.line()
    planned = ", ".join(f"{count} {fate}" for fate, count in sorted(session.plan.counts.items())) or "nothing"
    return f"it would be: {planned}; nothing was written"


def table(session: Session, account: Account) -> list[dict[str, Any]]:
    """One row a fate that occurred, or would in a dry run; records read first."""
    rows: list[dict[str, Any]] = [{"what": "records read", "count": account.read}]
    if account.missed:
        rows.append({"what": "of them, changed and no webhook told", "count": account.missed})
    if account.stand_ins:
        rows.append({"what": "stand-ins added", "count": account.stand_ins})
    if session.request.dry_run:
        return rows + [{"what": f"would be {f}", "count": n} for f, n in sorted(session.plan.counts.items())]
    rows += [{"what": "parts", "count": account.parts}]
    rows += [{"what": fate, "count": getattr(account, fate)} for fate in FATES if getattr(account, fate)]
    return rows


def page(session: Session, account: Account, error: str = "") -> str:
    """The whole account in Markdown."""
    binding, integration = session.binding, session.integration
    lines = [
        f"# {integration.title}",
        "",
        f"Binding **{binding.name}** ({binding.source.name} to {binding.target.name}, {binding.source.environment}), "
        f"owner {integration.owner}. Window: {since(session.window.since)} to {since(session.window.until)}.",
        "",
    ]
    if error:
        lines += ["## Why it failed", "", "```", error, "```", ""]
    if account.stopped:
        lines += [f"Stopped early: {account.stopped}", ""]
    if account.waiting:
        lines += [f"{account.queue()}.", ""]
    lines += ["## Counts", "", *_table(["", "count"], [[r["what"], r["count"]] for r in table(session, account)])]
    if account.held_by:
        rows = [(count, rule, reason, key) for rule, reason, count, key in account.held_by]
        lines += ["## Held rows", "", *_table(["rows", "rule", "reason", "one key"], rows)]
    if account.skipped_by:
        lines += ["## Skipped by rule", "", *_table(["rule", "parts"], sorted(account.skipped_by.items()))]
    if account.waits_for:
        lines += ["## Parked", "", *_table(["waits for", "parts"], list(account.waits_for.items())[:CHANGES])]
    if account.states:
        lines += ["## All that the ledger knows", "", *_table(["state", "parts"], sorted(account.states.items()))]
    if session.request.dry_run:
        lines += _plan(session)
    if account.unknown_fields:
        lines += ["Fields that no schema declares: " + ", ".join(f"`{f}`" for f in account.unknown_fields), ""]
    lines += _samples(session)
    lines += ["## Next", "", f"`{next_command(session, account)}`", ""]
    return redact.text("\n".join(lines))


def next_command(session: Session, account: Account) -> str:
    """What a person would type next."""
    name = session.binding.name
    if account.held:
        return f"crosswalk held list {name}"
    if account.held_by:
        return f"crosswalk held list {name}"
    if session.request.dry_run or account.queued or account.stopped:
        return f"crosswalk run {name}"
    return f"crosswalk status {name}"


def _plan(session: Session) -> list[str]:
    rows = []
    for change in session.plan.changes[:CHANGES]:
        differences = "; ".join(f"{f}: {a!s} → {b!s}" for f, (a, b) in list(change.differences.items())[:12])
        name = f"{change.key} {change.part}".strip()
        rows.append([change.operation, change.resource, name, differences, change.waits or change.unknown])
    return [
        "## The plan",
        "",
        "Nothing was written. The first changes:",
        "",
        *_table(["does", "to", "record", "differences", "note"], rows),
    ]


def _samples(session: Session) -> list[str]:
    """A few records that this run wrote, to look up at the target."""
    columns = RECORD.c.key, RECORD.c.part, RECORD.c.resource, RECORD.c.fate, RECORD.c.target_id
    query = (
        select(*columns)
        .where(RECORD.c.scope == session.scope, RECORD.c.seen_run == session.run, RECORD.c.target_id != "")
        .where(RECORD.c.fate.in_(("created", "updated", "deleted")))
        .order_by(RECORD.c.key, RECORD.c.part)
        .limit(SAMPLES)
    )
    try:
        with session.store.reading() as connection:
            rows = [list(row) for row in connection.execute(query)]
    except StoreError:
        return []
    head = ["source", "part", "resource", "fate", "target"]
    return ["## Some of what was written", "", *_table(head, rows)] if rows else []


def _table(head: list[str], rows: Any) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return [*lines, ""]


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")[:300]
