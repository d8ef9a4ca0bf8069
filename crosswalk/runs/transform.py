"""Validating and transforming a chunk: raw records to a typed frame, a frame to target records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.delivery.plan import Chunk
from crosswalk.delivery.wanted import gather, leftovers
from crosswalk.frames.casts import iso
from crosswalk.frames.frame import Frame
from crosswalk.mapping.language import Mapping
from crosswalk.mapping.outcome import Outcome
from crosswalk.runs import correcting
from crosswalk.runs.extract import Raw
from crosswalk.runs.session import Session
from crosswalk.runs.wholeness import complete, lost, whole
from crosswalk.schemas.base import Record
from crosswalk.store.held import Hold


@dataclass(frozen=True)
class Validated:
    """A chunk's good records, newest version each, and the held ones.

    raws and versions are by row of the frame.  keys: of every record of the chunk, duplicates included, held included.
    """

    frame: Frame
    raws: list[bytes]
    versions: list[str]
    held: list[Hold]
    keys: list[str]
    last: bool
    high: str


def validate(session: Session, raw: Raw) -> Validated:
    """Parse and check a chunk; a record that does not fit is held with field and reason. Raises Drift."""
    from crosswalk.frames.dedupe import dedupe
    from crosswalk.frames.parse import parse
    from crosswalk.frames.validate import validate as check

    record = _source(session)
    parsed = parse(record, correcting.laid_over(session, raw.records))
    session.unknown |= parsed.unknown
    checked = check(parsed.frame)
    kept = parsed.kept.take(checked.kept)
    refused = [(r.index, r, "parse") for r in parsed.refused]
    refused += [(parsed.kept[r.index].as_py(), r, "validate") for r in checked.refused]
    held = []
    keys = []
    for index, why, step in refused:
        key, version = name(record, raw.records[index])
        keys.append(key)
        held.append(
            Hold(key, "", step, why.rule, why.field, why.reason, raw=raw.records[index], version=version,
                 because=session.schema_digest)
        )  # fmt: skip
    keys += checked.good[record.key].to_pylist()
    if len(keys) != len(raw.records):
        raise lost(f"{len(raw.records)} raw records came in, {len(keys)} went on")
    distinct = dedupe(checked.good, kept)
    complete(distinct.frame, parsed.elements, distinct.kept)
    versions = version_texts(distinct.frame, record)
    return Validated(
        frame=distinct.frame,
        raws=[raw.records[i] for i in distinct.kept.to_pylist()],
        versions=versions,
        held=held,
        keys=keys,
        last=raw.last,
        high=max(versions, default=""),
    )


def _source(session: Session) -> Record:
    return session.source.system.resource(session.resource).record


def version_texts(frame: Frame, record: Record) -> list[str]:
    """Versions as text that sorts: instants in UTC to the microsecond."""
    if not record.version:
        return [""] * len(frame)
    column = frame[record.version]
    text = iso(column) if pa.types.is_timestamp(column.type) else column.cast(pa.string())
    return pc.fill_null(text, "").to_pylist()  # type: ignore[no-any-return]


def name(record: Record, raw: bytes) -> tuple[str, str]:
    """The key and version of a record that could not be read as a whole; a fingerprint where there is no key."""
    from crosswalk.connectors.wire import version

    try:
        loose: Any = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        loose = None
    if not isinstance(loose, dict):
        loose = {}
    key = loose.get(record.key)
    newest = (version(loose.get(record.version)) or "").replace("+00:00", "Z")
    if isinstance(key, str | int) and not isinstance(key, bool) and str(key):
        return str(key).encode("utf-8", "replace").decode(), newest
    return "raw:" + hashlib.sha256(raw).hexdigest()[:16], newest


def transform(session: Session, validated: Validated) -> Chunk:
    """Apply every mapping of the integration. Raises Unbalanced when a row comes out of none of the three doors."""
    chunk = Chunk(held=list(validated.held))
    digests = session.digests()
    for rank, (mapping, outcome) in enumerate(outcomes(session, validated)):
        add, parts = gather, len(outcome.frame) + len(outcome.held) + len(outcome.skipped)
        if session.integration.to_database:
            chunk.tables.append((mapping, outcome))
            add, parts = leftovers, len(outcome.held) + len(outcome.skipped)
        before = _parts(chunk)
        add(chunk, mapping, rank, outcome, digests[mapping.title], validated.raws, validated.versions)
        if _parts(chunk) - before != parts:
            raise lost(f"{mapping.title!r} made {parts} parts, and {_parts(chunk) - before} of them go on")
    correcting.leave_out(session, chunk)
    return chunk


def outcomes(session: Session, validated: Validated) -> Iterator[tuple[Mapping, Outcome]]:
    """What every mapping makes of a chunk, checked against the target's own schema. Writes nothing."""
    for mapping in session.integration.parts:
        outcome = _checked(mapping.apply(validated.frame, session.context))
        whole(mapping, validated.frame, outcome)
        yield mapping, outcome


def _parts(chunk: Chunk) -> int:
    return len(chunk.wanted) + len(chunk.held) + len(chunk.skipped)


def _checked(outcome: Outcome) -> Outcome:
    """Hold what does not fit the target's own schema. Records to be removed carry no values."""
    from dataclasses import replace

    from crosswalk.frames.validate import validate as check
    from crosswalk.mapping.outcome import HeldRow

    going = pc.indices_nonzero(pc.invert(outcome.remove)).cast(pa.int64())
    checked = check(_as_linked(outcome).take(going), written=True)
    if not checked.refused:
        return outcome
    bad = {going[r.index].as_py(): r for r in checked.refused}
    keep = [n for n in range(len(outcome.frame)) if n not in bad]
    held = [
        HeldRow(
            outcome.keys[n].as_py(), outcome.parts[n].as_py() or "", why.rule, why.field, why.reason, "", False,
            outcome.source_rows[n].as_py(),
        )
        for n, why in bad.items()
    ]  # fmt: skip
    return replace(take(outcome, keep), held=[*outcome.held, *held])


def _as_linked(outcome: Outcome) -> Frame:
    """The target records with the source's ids where links will stand, so that they count as filled."""
    table = outcome.frame.table
    for name, link in outcome.links.items():
        if name.startswith("@"):
            continue
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, link.ids.cast(table.schema.field(name).type))
    return Frame(outcome.frame.record, table, outcome.frame.lines)


def take(outcome: Outcome, rows: Sequence[int]) -> Outcome:
    """The same outcome with only these placed rows."""
    from dataclasses import replace

    at = pa.array(rows, pa.int64())
    return replace(
        outcome,
        frame=outcome.frame.take(at),
        keys=outcome.keys.take(at),
        parts=outcome.parts.take(at),
        versions=outcome.versions.take(at),
        remove=outcome.remove.take(at),
        source_rows=outcome.source_rows.take(at),
        links={
            f: replace(li, ids=li.ids.take(at), parts=None if li.parts is None else li.parts.take(at))
            for f, li in outcome.links.items()
        },
        alternatives={f: a.take(at) for f, a in outcome.alternatives.items()},
        expects={f: a.take(at) for f, a in outcome.expects.items()},
    )
