"""What a person signs: a digest of a mapping's rules and of the value tables they use."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa

from crosswalk.errors import NotApproved
from crosswalk.mapping.language import Approved, Mapping
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.verbs.choices import Choose
from crosswalk.schemas.base import Record

SIGNED = (
    "title", "source", "target", "key", "marker", "match", "each", "part",
    "rules", "constants", "skips", "holds", "removes", "checks", "confirms", "waits", "guards",
)  # fmt: skip


def digest(mapping: Mapping, tables: Path | None = None, overrides: Path | None = None) -> str:
    """``m1:`` and the SHA-256 of everything that decides what is written: declarations, reasons, the source text of
    custom functions (not of what they call), and the rows of every value table in use.

    tables: another folder than the mapping's own.  overrides: the binding's folder. Examples and the sign-off itself do
    not count; neither does how a table's file is saved.
    """
    whole = {name: describe(getattr(mapping, name)) for name in SIGNED}
    whole["tables"] = dict(table_rows(mapping, tables, overrides))
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "m1:" + hashlib.sha256(text.encode()).hexdigest()


def require_approved(mapping: Mapping, tables: Path | None = None, overrides: Path | None = None) -> Approved:
    """The sign-off of exactly these rules and tables. Raises NotApproved when there is none."""
    now = digest(mapping, tables, overrides)
    given = mapping.approved
    signed = () if given is None else given if isinstance(given, tuple) else (given,)
    for approved in signed:
        if approved.digest == now and approved.by.strip():
            return approved
    if not signed:
        what = f"The mapping {mapping.title!r} has not been signed off."
    else:
        last = signed[-1]
        what = f"The mapping {mapping.title!r} has changed since {last.by} signed it off on {last.on}."
    raise NotApproved(
        what,
        safe="nothing was written",
        next_command=f"read its page, then write approved=Approved(by=..., on=..., digest={now!r}) in the mapping",
    )


def table_names(mapping: Mapping) -> list[str]:
    """The value tables that the mapping's rules use."""
    return sorted({v.table for v in verbs(mapping) if isinstance(v, Choose) and v.table})


def table_rows(mapping: Mapping, tables: Path | None, overrides: Path | None) -> Iterator[tuple[str, Any]]:
    """Every value table in use with its rows, header first."""
    folder = Tables(tables or mapping.tables, overrides)
    for name in table_names(mapping):
        yield name, [list(row) for row in folder.read(name).rows()]


def verbs(value: Any) -> Iterator[Any]:
    """Every verb and declaration inside a declaration, itself included."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from verbs(item)
    elif isinstance(value, Mapping):
        yield from verbs([getattr(value, name) for name in SIGNED])
    elif is_dataclass(value) and not isinstance(value, (type, Record)):
        yield value
        for f in fields(value):
            yield from verbs(getattr(value, f.name))


def describe(value: Any) -> Any:
    """A declaration as plain JSON values, the same for the same meaning."""
    if value is None or (isinstance(value, (str, bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Record):
        return value.name
    if isinstance(value, pa.DataType):
        return str(value)
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {"is": type(value).__name__, **{f.name: describe(getattr(value, f.name)) for f in fields(value)}}
    if callable(value):
        return {"function": getattr(value, "__name__", ""), "source": _source(value)}
    raise TypeError(f"{value!r} cannot be part of a mapping")


def _source(function: Any) -> str:
    try:
        return dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError):
        return inspect.getdoc(function) or ""
