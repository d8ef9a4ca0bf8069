"""Showing a record without what is personal: only values that a schema declares, and declares harmless, are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosswalk.schemas.base import Record

HIDDEN = "[personal]"
UNDECLARED = "[not declared]"
SHORTEST = 4


def personal_fields(record: Record) -> set[str]:
    """The dotted names of a record's personal fields, those of its lists included."""
    return {name for name, f in record.walk() if f.personal}


@dataclass
class Shown:
    """A record's text, and the values that were kept out of it."""

    text: str
    hidden: set[str] = field(default_factory=set)

    def cleaned(self, text: str) -> str:
        """Another text about the same record, without the values that were kept out."""
        for value in sorted(self.hidden, key=len, reverse=True):
            if len(value) >= SHORTEST:
                text = text.replace(value, HIDDEN)
        return text


def record(raw: bytes, of: Record, *, wire: bool = True, personal: bool = False) -> Shown:
    """A raw record as indented JSON. What is no JSON object is not shown unless ``personal``.

    wire: names are those at the wire, not those of the frames.
    """
    try:
        found = json.loads(raw.decode("utf-8", "replace"), parse_float=Decimal, strict=False)
    except (ValueError, RecursionError):
        found = None
    if personal:
        return Shown(raw.decode("utf-8", "replace") if found is None else _text(found))
    if not isinstance(found, dict):
        return Shown(f"[{len(raw)} bytes that are no JSON object]")
    shown = Shown("")
    shown.text = _text(_walk(found, _paths(of, wire), "", shown.hidden))
    return shown


def _paths(of: Record, wire: bool) -> dict[str, bool]:
    """Every declared value by its path, and whether it may be shown."""
    from crosswalk.schemas.base import Field

    def walk(fields: Any, prefix: str) -> Iterator[tuple[str, bool]]:
        for f in fields:
            at = prefix + (f.at if wire else f.name)
            if isinstance(f, Field):
                yield at, not f.personal
            else:
                yield from walk(f.fields, at + ".")

    return dict(walk(of.fields, ""))


def _walk(value: Any, paths: Mapping[str, bool], at: str, hidden: set[str]) -> Any:
    if isinstance(value, dict):
        return {k: _walk(v, paths, f"{at}.{k}" if at else str(k), hidden) for k, v in value.items()}
    if isinstance(value, list):
        return [_walk(one, paths, at, hidden) for one in value]
    if value is None or isinstance(value, bool) or paths.get(at):
        return value
    hidden.add(str(value))
    return HIDDEN if at in paths else UNDECLARED


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
