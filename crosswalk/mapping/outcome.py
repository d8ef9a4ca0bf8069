"""What applying a mapping yields: every source row or element ends in exactly one of frame, held and skipped."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from crosswalk.frames.frame import Frame


@dataclass(frozen=True, slots=True)
class Links:
    """References to records of another resource, one for each row, resolved late through the cross-reference.

    to: the target resource.  of: the source resource whose ids they are.  ids: string, null = no link.
    parts: string, the part key of the record that is meant; null or "" = its main part.
    """

    to: str
    of: str
    ids: pa.Array
    parts: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row that a rule could not place.

    rule and field: the first rule that refused and its target field ("" for a named hold or check).  reason: a
    sentence.  value_excerpt: the refused value, short; "(personal)" where a personal field is involved.  by_person: a
    value table leaves it to a person.  also: other rules that refused the same row.
    """

    key: str
    part: str
    rule: str
    field: str
    reason: str
    value_excerpt: str
    by_person: bool
    source_row: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that a named rule leaves out on purpose."""

    key: str
    part: str
    rule: str
    source_row: int


@dataclass(frozen=True)
class Outcome:
    """Target records and what became of the other rows. All arrays are as long as ``frame``.

    frame: target records, all declared columns; linked fields are null until the link is resolved.
    keys: string, the source record's key.  parts: string, the part key.  versions: string, sortable; an instant is
    written in ISO form, UTC, to the microsecond.  links: by target field, or "@resource" where the record only
    waits.  remove: boolean, the target record is to be
    removed; its other values may be null.  alternatives: by target field, the value to use when the first is taken.
    expects: by target field, the value that the target's answer must show.  create_only: fields set on create and never
    sent again.  source_rows: int64, the row of the whole record in the source frame.
    """

    frame: Frame
    keys: pa.Array
    parts: pa.Array
    versions: pa.Array
    remove: pa.Array
    source_rows: pa.Array
    links: dict[str, Links] = field(default_factory=dict)
    alternatives: dict[str, pa.Array] = field(default_factory=dict)
    expects: dict[str, pa.Array] = field(default_factory=dict)
    create_only: tuple[str, ...] = ()
    held: list[HeldRow] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
