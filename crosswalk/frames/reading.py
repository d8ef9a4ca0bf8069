"""Raw records to one nested Arrow array, and the reason for every record that does not become one.

Arrow decides; msgspec, which reads one record at a time, explains. What both accept but Arrow refuses (a field twice,
a number with too many digits) is found by halving.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.json as pj

from crosswalk.frames.casts import wire_type
from crosswalk.frames.refused import Refusals
from crosswalk.schemas.base import Field, Lines, Record

Tree = dict[str, "Tree | Field | Lines"]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError)
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with decimals",
    "decimal": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
}
# Halving further than this costs more calls than trying one by one.
_FEW = 8


@dataclass(frozen=True)
class Plan:
    """How a record is read.

    schema: of the nested read.  struct: the msgspec type of one record.  names: wire path (list indexes left out) to
    dotted field name.  known: every wire path that is expected.
    """

    schema: pa.Schema
    struct: Any
    names: dict[str, str]
    known: frozenset[str]


@lru_cache(maxsize=256)
def plan(record: Record) -> Plan:
    """The plan of a record; raises ValueError when the declaration cannot be read from JSON."""
    tree = _tree(record.fields, record.name)
    names = dict(_names(record.fields))
    known = {".".join(parts[: n + 1]) for parts in (p.split(".") for p in names) for n in range(len(parts))}
    schema = pa.schema([pa.field(name, _arrow(node, record.name)) for name, node in tree.items()])
    return Plan(schema, _struct(record.name, tree), names, frozenset(known))


def _tree(fields: tuple[Field | Lines, ...], where: str) -> Tree:
    root: Tree = {}
    for field in fields:
        *branches, leaf = field.at.split(".")
        here = root
        for branch in branches:
            inner = here.setdefault(branch, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{where}: {field.name} lies inside {inner.name}, which is a value")
            here = inner
        if leaf in here:
            raise ValueError(f"{where}: the path {field.at} is declared twice")
        here[leaf] = field
    return root


def _names(fields: tuple[Field | Lines, ...], path: str = "", name: str = "") -> list[tuple[str, str]]:
    found = []
    for field in fields:
        found.append((path + field.at, name + field.name))
        if isinstance(field, Lines):
            found += _names(field.fields, f"{path}{field.at}.", f"{name}{field.name}.")
    return found


def _arrow(node: Tree | Field | Lines, where: str) -> pa.DataType:
    if isinstance(node, Field):
        if node.zone:
            ZoneInfo(node.zone)
        return wire_type(node)
    if isinstance(node, Lines):
        return pa.list_(_arrow(_tree(node.fields, f"{where}.{node.name}"), where))
    return pa.struct([pa.field(name, _arrow(inner, where)) for name, inner in node.items()])


def _struct(name: str, tree: Tree) -> Any:
    fields = [(f"f{n}", _python(key, node) | None, None) for n, (key, node) in enumerate(tree.items())]
    rename = {f"f{n}": key for n, key in enumerate(tree)}
    return msgspec.defstruct(re.sub(r"\W", "_", name), fields, rename=rename)


def _python(key: str, node: Tree | Field | Lines) -> Any:
    if isinstance(node, dict):
        return _struct(key, node)
    if isinstance(node, Lines):
        return list[_struct(key, _tree(node.fields, key)) | None]  # type: ignore[misc]
    arrow = wire_type(node)
    if pa.types.is_decimal(arrow):
        return Decimal
    return _Int64 if pa.types.is_int64(arrow) else bool if pa.types.is_boolean(arrow) else str


def read(raws: list[bytes], rows: list[int], how: Plan, refusals: Refusals) -> tuple[pa.StructArray, list[int]]:
    """The records ``raws[row]`` as a nested array, with the row of each; what cannot be read is added to refusals."""
    whole = _try([raws[row] for row in rows], how)
    if whole is not None:
        return whole, rows
    left = [row for row in rows if not _explained(raws[row], row, how, refusals)]
    parts = list(_halve(raws, left, how, refusals))
    kept = [row for _, part in parts for row in part]
    arrays = [array for array, _ in parts]
    return (pa.concat_arrays(arrays) if arrays else _nothing(how)), kept


def _nothing(how: Plan) -> pa.StructArray:
    return pa.array([], pa.struct(list(how.schema)))


def _try(raws: list[bytes], how: Plan) -> pa.StructArray | None:
    """All of them at once, or None."""
    if not raws:
        return _nothing(how)
    body = b"\n".join(raws)
    if not body.isascii():
        try:
            body.decode()  # Arrow takes any bytes for text
        except UnicodeDecodeError:
            return None
    try:
        table = pj.read_json(
            pa.BufferReader(body),
            # One block: a record longer than the block would be refused.
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 64),
            parse_options=pj.ParseOptions(explicit_schema=how.schema, unexpected_field_behavior="ignore"),
        )
    except _UNREADABLE:
        return None
    if table.num_rows != len(raws):
        return None
    array = table.to_struct_array()
    return array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks)


def _halve(raws: list[bytes], rows: list[int], how: Plan, refusals: Refusals) -> list[tuple[pa.StructArray, list[int]]]:
    if not rows:
        return []
    whole = _try([raws[row] for row in rows], how)
    if whole is not None:
        return [(whole, rows)]
    if len(rows) == 1:
        field, reason = _oddity(raws[rows[0]], how)
        refusals.add(rows[0], field, reason)
        return []
    step = 1 if len(rows) <= _FEW else (len(rows) + 1) // 2
    return [part for at in range(0, len(rows), step) for part in _halve(raws, rows[at : at + step], how, refusals)]


def _explained(raw: bytes, row: int, how: Plan, refusals: Refusals) -> bool:
    """Whether the record was refused, with its field named."""
    try:
        msgspec.json.decode(raw, type=how.struct)
    except msgspec.ValidationError as error:
        field, reason = _said(str(error), how)
        refusals.add(row, field, reason)
        return True
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # Arrow does not look into what is not declared, and its word counts.
        if _try([raw], how) is not None:
            return False
        field, reason = _oddity(raw, how)
        refusals.add(row, field, reason)
        return True
    return False


def _said(message: str, how: Plan) -> tuple[str, str]:
    """msgspec's message as field and reason: ``Expected `str | null`, got `int` - at `$.lines[0].sku```."""
    text, _, at = message.partition(" - at ")
    path = re.sub(r"\[[^]]*\]", "", at.strip("`").removeprefix("$").removeprefix("."))
    kinds = re.fullmatch(r"Expected `(.*?)`, got `(.*?)`", text)
    if kinds:
        wanted = [_WORDS.get(kind, kind) for kind in kinds.group(1).split(" | ") if kind != "null"]
        text = f"is {_WORDS.get(kinds.group(2), kinds.group(2))} instead of {' or '.join(wanted)}"
    elif text == "Invalid decimal string":
        text = "is no number"
    elif "int" in text:
        text = "is no whole number of 64 bits"
    return how.names.get(path, path), text


def _oddity(raw: bytes, how: Plan) -> tuple[str, str]:
    """Why a record that looks well is not accepted."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8 at byte {error.start}"
    twice: list[str] = []
    strange: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(name for name in set(names) if names.count(name) > 1)
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=strange.append)
    except RecursionError:
        return "", "is nested too deeply"
    except ValueError as error:
        return "", f"is not JSON: {error}"
    if twice:
        return sorted(twice)[0], "is there twice"
    if strange:
        return "", f"holds {strange[0]}, which is no JSON"
    if not isinstance(value, dict):
        return "", "is no object"
    if half := _find(value, lambda part: isinstance(part, str) and not _encodes(part)):
        return how.names.get(half, half), "holds half a surrogate pair, which is no character"
    return _digits(raw, how)


def _digits(raw: bytes, how: Plan) -> tuple[str, str]:
    """The number that has too many digits for Arrow."""

    def too_long(part: object) -> bool:
        return isinstance(part, Decimal) and (not part.is_finite() or len(f"{part:f}") > 38)

    try:
        found = _find(
            msgspec.to_builtins(msgspec.json.decode(raw, type=how.struct), builtin_types=(Decimal,)), too_long
        )
    except (msgspec.DecodeError, RecursionError):
        found = ""
    return how.names.get(found, found), "is a number with too many digits" if found else "cannot be read"


def _find(value: Any, wanted: Callable[[object], bool], path: str = "") -> str:
    """The wire path of the first value that is wanted, indexes left out; empty when there is none."""
    if isinstance(value, dict):
        pairs = [(f"{path}.{name}".lstrip("."), inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [(path, inner) for inner in value]
    else:
        return path if wanted(value) else ""
    return next((found for where, inner in pairs if (found := _find(inner, wanted, where))), "")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
