"""What a person sets right: values laid over the newest version of a record, parts that are left out for good."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select, update

from crosswalk.connectors.wire import decode, peek, render
from crosswalk.delivery.plan import Chunk, Skip
from crosswalk.errors import SettingsError
from crosswalk.mapping.outcome import Outcome
from crosswalk.runs.session import Session
from crosswalk.schemas.base import Field, Lines, Record
from crosswalk.store import audit, corrections, held, ledger
from crosswalk.store.corrections import DISMISSED, WHOLE, Corrections
from crosswalk.store.ledger import Name
from crosswalk.store.tables import HELD, RECORD

AGAIN = "corrected"
"""In place of the digest that held a row: it is read afresh by the next run."""

Step = str | int
_INDEX = re.compile(r"([^\[\]]+)\[(\d+)\]\.")


def laid_over(session: Session, records: Sequence[bytes]) -> Sequence[bytes]:
    """Raw records with the corrected values in place; the same ones where nothing is corrected."""
    edits = session.corrections.fields
    if not edits:
        return records
    record = session.source.system.resource(session.resource).record
    marks = [key.encode() for key in edits]
    return [_edited(record, raw, edits) if any(mark in raw for mark in marks) else raw for raw in records]


def _edited(record: Record, raw: bytes, edits: dict[str, list[tuple[str, bytes]]]) -> bytes:
    values = edits.get(str(peek(raw, record.key)))
    if not values:
        return raw
    try:
        whole = decode(raw)
    except ValueError:
        return raw  # the parse refuses it and names the reason
    for field, value in values:
        _set(whole, steps(record, field)[0], decode(value))
    return render(whole)


def _set(whole: Any, path: Sequence[Step], value: Any) -> bool:
    """Put a value in its place; False where the list has no such element."""
    *branches, leaf = path
    at = whole
    for number, step in enumerate(branches):
        if isinstance(step, int):
            if not isinstance(at, list) or step >= len(at):
                return False
            at = at[step]
            continue
        if at.get(step) is None:
            if isinstance([*branches, leaf][number + 1], int):
                return False
            at[step] = {}
        at = at[step]
    at[leaf] = value
    return True


def steps(record: Record, field: str) -> tuple[list[Step], Field]:
    """Where a field of the schema, such as ``lineItems[0].title``, stands in a raw record. Raises SettingsError."""
    path: list[Step] = []
    here, rest = record, field
    while found := _INDEX.match(rest):
        name, index = found.groups()
        lines = _named(here, name)
        if not isinstance(lines, Lines):
            raise _unknown(record, field)
        path += [*lines.at.split("."), int(index)]
        here, rest = lines.record, rest[found.end() :]
    place = _named(here, rest)
    if not isinstance(place, Field):
        raise _unknown(record, field)
    return [*path, *place.at.split(".")], place


def _named(record: Record, name: str) -> Field | Lines | None:
    return next((f for f in record.fields if f.name == name), None)


def _unknown(record: Record, field: str) -> SettingsError:
    return SettingsError(
        f"{record.name} has no field {field!r}; an element of a list is written as lineItems[0].title",
        safe="nothing was changed",
        next_command="crosswalk held show ID",
    )


def value_of(field: str, place: Field, text: str) -> Any:
    """A value as the source would send it; no text is null. Raises SettingsError."""
    if text == "":
        return None
    if place.wire_kind == "bool":
        if text not in ("true", "false"):
            raise _unfit(f"{field} is true or false, not {text!r}", f"write --set {field}=true")
        return text == "true"
    if place.wire_kind == "number":
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise _unfit(f"{field} is a number, not {text!r}", f"write --set {field}=12.50") from error
        return int(number) if number == number.to_integral_value() else number
    return text


def _unfit(what: str, then: str) -> SettingsError:
    return SettingsError(what, safe="nothing was changed", next_command=then)


def leave_out(session: Session, chunk: Chunk) -> None:
    """Turn what a person dismissed into parts that are left out."""
    known = session.corrections
    if not known.dismissals:
        return
    holds = {Name(h.key, h.part) for h in chunk.held if known.dismissed(Name(h.key, h.part))}
    chunk.skipped += [
        Skip(Name(h.key, h.part), DISMISSED, h.version) for h in chunk.held if Name(h.key, h.part) in holds
    ]
    chunk.held = [h for h in chunk.held if Name(h.key, h.part) not in holds]
    going = [w for w in chunk.wanted if known.dismissed(w.name)]
    chunk.skipped += [Skip(w.name, DISMISSED, w.version, w.resource, w.rank) for w in going]
    chunk.wanted = [w for w in chunk.wanted if not known.dismissed(w.name)]
    chunk.tables = [(mapping, _rows_left(known, chunk, outcome)) for mapping, outcome in chunk.tables]


def _rows_left(known: Corrections, chunk: Chunk, outcome: Outcome) -> Outcome:
    """The rows of a table that nobody dismissed; the others are left out."""
    from crosswalk.runs.transform import take

    names = [Name(k, p or "") for k, p in zip(outcome.keys.to_pylist(), outcome.parts.to_pylist(), strict=True)]
    versions = outcome.versions.to_pylist()
    going = {n for n in names if known.dismissed(n)}
    if not going:
        return outcome
    chunk.skipped += [Skip(n, DISMISSED, v or "") for n, v in zip(names, versions, strict=True) if n in going]
    return take(outcome, [row for row, name in enumerate(names) if name not in going])


def edit(session: Session, key: str, fields: Sequence[tuple[str, str]], by: str, reason: str) -> None:
    """Lay values over a held record, from its newest version on. Raises SettingsError."""
    _why(reason)
    record = session.source.system.resource(session.resource).record
    values, shown = [], {}
    for name, text in fields:
        _, place = steps(record, name)
        values.append((name, value_of(name, place, text)))
        shown[name] = "(personal)" if place.personal else text
    now = session.clock.now()
    with session.store.transaction("correct") as connection:
        rows = _rows(connection, session, key)
        for row in rows:
            raw = held.raw(session.store, row)
            _fits(record, raw, values)
        sealed = [(field, render(value)) for field, value in values]
        corrections.put(connection, session.store, session.scope, Name(key, ""), sealed, by=by, reason=reason, at=now)
        connection.execute(update(HELD).where(HELD.c.id.in_([r.id for r in rows])).values(because=AGAIN))
        audit.write(connection, now, by, "held.edit", _subject(session, key), reason=reason, after=shown)


def _fits(record: Record, raw: bytes, values: Sequence[tuple[str, Any]]) -> None:
    whole = decode(raw) if raw else None
    for name, value in values if isinstance(whole, dict) else ():
        if not _set(whole, steps(record, name)[0], value):
            raise _unfit(f"the record has no such element: {name}", "crosswalk held show ID")


def dismiss(session: Session, key: str, part: str | None, by: str, reason: str) -> int:
    """Leave a held part, or every part of a held record, out for good; how many held rows that ends.

    Raises SettingsError where nothing of it is held, or an attempt is open.
    """
    _why(reason)
    now, name = session.clock.now(), Name(key, WHOLE if part is None else part)
    with session.store.transaction("dismiss") as connection:
        rows = [r for r in _rows(connection, session, key) if part is None or r.part == part]
        if not rows:
            raise _unfit(f"part {part!r} of {key} is not held", f"crosswalk held list {session.binding.name}")
        mine = [r for r in ledger.existing(connection, session.scope, [key]).values() if part in (None, r.part)]
        if any(r.batch for r in mine):
            raise SettingsError(
                f"an attempt to write {key} is open, so that it may be there",
                safe="nothing was changed",
                next_command=f"crosswalk run {session.binding.name}, then dismiss it again",
            )
        corrections.put(connection, session.store, session.scope, name, (), by=by, reason=reason, at=now)
        held.close(connection, session.scope, [(r.key, r.part) for r in rows])
        going = [r for r in mine if r.held or r.needs or (not r.target_id and not r.skipped)]
        ledger.mark(
            connection, session.scope, [Name(r.key, r.part) for r in going], held="", held_because="", needs="",
            parked_at=None, wanted_hash="", wanted_payload="", skipped=DISMISSED, fate="skipped", changed_at=now,
        )  # fmt: skip
        before = {f"{r.part or 'record'}: {r.rule}": r.reason for r in rows}
        audit.write(connection, now, by, "held.dismiss", _subject(session, key), reason=reason, before=before)
    return len(rows)


def undo(session: Session, key: str, by: str, reason: str) -> int:
    """Take back what was corrected or dismissed of a record; how many of them there were."""
    _why(reason)
    now = session.clock.now()
    with session.store.transaction("uncorrect") as connection:
        rows = corrections.drop(connection, session.scope, key)
        if not rows:
            raise SettingsError(
                f"nothing of {key} was corrected or dismissed",
                safe="nothing was changed",
                next_command=f"crosswalk held corrections {session.binding.name}",
            )
        mine = (RECORD.c.scope == session.scope, RECORD.c.key == key, RECORD.c.skipped == DISMISSED)
        connection.execute(update(RECORD).where(*mine).values(skipped="undone"))
        before = {f"{r.part} {r.field}".strip() or "dismissed": r.reason for r in rows}
        audit.write(connection, now, by, "held.undo", _subject(session, key), reason=reason, before=before)
    return len(rows)


def _rows(connection: Any, session: Session, key: str) -> list[Any]:
    mine = (HELD.c.scope == session.scope, HELD.c.key == key, HELD.c.open.is_(True))
    rows = list(connection.execute(select(HELD).where(*mine)))
    if not rows:
        raise SettingsError(
            f"nothing of {key} is held in {session.binding.name}",
            safe="nothing was changed",
            next_command=f"crosswalk held list {session.binding.name}",
        )
    return rows


def _subject(session: Session, key: str) -> str:
    return f"{session.binding.name} {key}"


def _why(reason: str) -> None:
    if not reason.strip():
        raise SettingsError("a reason is needed", safe="nothing was changed", next_command="add --reason")
