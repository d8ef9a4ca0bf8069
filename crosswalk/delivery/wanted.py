"""From a mapping's outcome to ledger versions: payloads, hashes, links, and the holds and skips beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crosswalk.delivery.plan import Chunk, Skip
from crosswalk.frames.canonical import content_hash
from crosswalk.frames.payload import payloads, render
from crosswalk.mapping.language import Mapping
from crosswalk.mapping.outcome import Outcome
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name, Wanted


def gather(
    chunk: Chunk, mapping: Mapping, rank: int, outcome: Outcome, digest: str, raws: Sequence[bytes] | None,
    versions: Sequence[str],
) -> None:  # fmt: skip
    """Add what one mapping made of a frame to a chunk.

    raws: the raw record of every source row, kept with what is held.  versions: of every source row.
    """
    _wanted(chunk, mapping, rank, outcome, digest)
    leftovers(chunk, mapping, rank, outcome, digest, raws, versions)


def leftovers(
    chunk: Chunk, mapping: Mapping, rank: int, outcome: Outcome, digest: str, raws: Sequence[bytes] | None,
    versions: Sequence[str],
) -> None:  # fmt: skip
    """Add the rows that a mapping held or skipped."""
    resource = mapping.target.name
    for row in outcome.held:
        chunk.held.append(
            Hold(
                row.key, row.part, "transform", row.rule, row.field, row.reason, row.value_excerpt, row.by_person,
                raws[row.source_row] if raws is not None and row.source_row >= 0 else b"", digest,
                versions[row.source_row] if row.source_row >= 0 else "",
            )
        )  # fmt: skip
    for left in outcome.skipped:
        version = versions[left.source_row] if left.source_row >= 0 else ""
        chunk.skipped.append(Skip(Name(left.key, left.part), left.rule, version, resource, rank, digest))


def _wanted(chunk: Chunk, mapping: Mapping, rank: int, outcome: Outcome, digest: str) -> None:
    keys, parts = outcome.keys.to_pylist(), outcome.parts.to_pylist()
    versions, remove = outcome.versions.to_pylist(), outcome.remove.to_pylist()
    alternatives = {f: a.to_pylist() for f, a in outcome.alternatives.items()}
    expects = {f: a.to_pylist() for f, a in outcome.expects.items()}
    links = {
        f: (li.to, li.of, li.ids.to_pylist(), li.parts.to_pylist() if li.parts is not None else None)
        for f, li in outcome.links.items()
    }
    resource = mapping.target.name
    for n, payload in enumerate(payloads(outcome.frame)):
        key, part = keys[n], parts[n] or ""
        refs = {
            field: (to, of, source_id(ids[n], of_parts[n] if of_parts else ""))
            for field, (to, of, ids, of_parts) in links.items()
            if ids[n] is not None
        }
        chunk.wanted.append(
            Wanted(
                name=Name(key, part), resource=resource, rank=rank, source_resource=mapping.source.name,
                source_id=source_id(key, part), marker=_marker(mapping, payload), version=versions[n] or "",
                hash=_hash(resource, payload, refs, outcome.create_only, bool(remove[n])),
                payload="" if remove[n] else render(payload).decode(), digest=digest, remove=bool(remove[n]),
                links=refs, alternatives=_set(alternatives, n), expects=_set(expects, n),
                create_only=outcome.create_only, match=_match(mapping, payload), rule=_removal(mapping),
            )
        )  # fmt: skip


def source_id(key: str, part: str | None) -> str:
    """What the cross-reference knows a part by."""
    return f"{key}#{part}" if part else key


def _marker(mapping: Mapping, payload: dict[str, Any]) -> str:
    return _text(payload, mapping.marker or "")


def _match(mapping: Mapping, payload: dict[str, Any]) -> tuple[str, str] | None:
    value = _text(payload, mapping.match) if mapping.match else ""
    return (mapping.match, value) if mapping.match and value else None


def _text(payload: dict[str, Any], dotted: str) -> str:
    value: Any = payload
    for name in dotted.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return str(value or "")


def _hash(
    resource: str, payload: dict[str, Any], links: dict[str, tuple[str, str, str]], create_only: tuple[str, ...],
    remove: bool,
) -> str:  # fmt: skip
    if remove:
        return content_hash([resource, "removed"])
    ours = {k: v for k, v in payload.items() if k not in create_only}
    return content_hash([resource, ours, {f: list(link) for f, link in links.items()}])


def _set(columns: dict[str, list[Any]], n: int) -> dict[str, Any]:
    return {field: values[n] for field, values in columns.items() if values[n] is not None}


def _removal(mapping: Mapping) -> str:
    return next((r.name for r in mapping.removes), "removed")
