"""Frames against what their record declares: by column, lazily, a bad row held and the rest let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import Drift
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.frames.refused import Refusals, Refused, excerpt
from crosswalk.schemas.base import Field, Must, Record

if TYPE_CHECKING:
    import pandas as pd

Test = Callable[..., pa.Array]

_NULL = "not_nullable"


@dataclass(frozen=True)
class Validated:
    """good: the rows that hold.  kept: int64, the row each had before.  Every row is in good or refused."""

    good: Frame
    kept: pa.Array
    refused: list[Refused]


def validate(frame: Frame, *, written: bool = False) -> Validated:
    """Hold the rows that break what the record declares: required, values, checks; in lines too.

    ``written`` is for what we send: then lengths, the least number of lines and what only a write needs count as well.
    Raises Drift when a column is missing or has another type than declared, which no row is to blame for.
    """
    same_types(frame)
    refusals = Refusals()
    _check(frame, written, pa.array(range(len(frame)), pa.int64()), "", refusals)
    rows = pa.array(range(len(frame)), pa.int64())
    if not len(refusals):
        return Validated(frame, rows, [])
    keep = pc.invert(pc.is_in(rows, value_set=pa.array(refusals.indexes(), pa.int64())))
    good, kept, refused = frame.filter(keep), rows.filter(keep), refusals.sorted()
    if len(good) + len(refused) != len(frame):
        raise AssertionError(f"{len(frame)} rows came in, {len(good)} + {len(refused)} went out")
    return Validated(good, kept, refused)


def same_types(frame: Frame, child: bool = False) -> None:
    """Raise Drift unless every column, in lines too, is there in its place with exactly the declared type."""
    declared = frame.record.arrow
    if child:
        declared = declared.insert(0, pa.field(PARENT, pa.int64()))
    actual = frame.table.schema
    if actual.names != declared.names or actual.types != declared.types:
        wrong = [
            f"{name} is {actual.field(name).type if name in actual.names else 'missing'}, declared {kind}"
            for name, kind in zip(declared.names, declared.types, strict=True)
            if name not in actual.names or actual.field(name).type != kind
        ]
        wrong += [f"{name} is not declared" for name in actual.names if name not in declared.names]
        raise Drift(
            f"{frame.record.name}: {'; '.join(wrong) or 'the columns are in another order'}",
            safe="nothing of this chunk was written",
        )
    for lines in frame.record.lists:
        if lines.name not in frame.lines:
            raise Drift(f"{frame.record.name}: the list {lines.name} is missing", safe="nothing was written")
        same_types(frame.lines[lines.name], child=True)


def _check(frame: Frame, written: bool, roots: pa.Array, prefix: str, refusals: Refusals) -> None:
    """``roots`` is the row of the outermost frame that each row here belongs to."""
    if len(frame):
        _run(frame, written, roots, prefix, refusals)
    for lines in frame.record.lists:
        child = frame.lines[lines.name]
        if written and lines.at_least and not lines.read_only and len(frame):
            rows = pa.array(range(len(frame)), pa.int64())
            counts = pc.value_counts(child.parent)
            full = counts.field(0).filter(pc.greater_equal(counts.field(1), lines.at_least))
            short = pc.invert(pc.is_in(rows, value_set=full))
            reason = f"has fewer than {lines.at_least} elements"
            refusals.add_all(roots.filter(short).to_pylist(), prefix + lines.name, reason, "least")
        _check(child, written, roots.take(child.parent), f"{prefix}{lines.name}.", refusals)


def _run(frame: Frame, written: bool, roots: pa.Array, prefix: str, refusals: Refusals) -> None:
    rules = _rules(frame.record, written)
    if not rules.columns:
        return
    import pandas as pd
    from pandera.errors import SchemaErrors

    # The index is the row number: failures are reported by it.
    data = frame.table.select(rules.columns).to_pandas(types_mapper=pd.ArrowDtype)
    try:
        rules.schema.validate(data, lazy=True)
        return
    except SchemaErrors as error:
        cases = error.failure_cases
    for case in cases.to_dict("records"):
        row, check = case["index"], str(case["check"])
        if row is None or row != row or (check != _NULL and check not in rules.said):
            raise Drift(
                f"{frame.record.name}: {case['column']} cannot be checked ({check}: {case['failure_case']})",
                safe="nothing of this chunk was written",
            )
        said = _Said(str(case["column"]), "required", "is missing") if check == _NULL else rules.said[check]
        value = f"{excerpt(case['failure_case'], said.personal)} " if said.shown else ""
        refusals.add(roots[int(row)].as_py(), prefix + said.field, value + said.reason, said.rule)


@dataclass(frozen=True)
class _Said:
    """What a failed check says of a row."""

    field: str
    rule: str
    reason: str
    shown: bool = False
    personal: bool = False


@dataclass(frozen=True)
class _Rules:
    """schema: pandera's, over the columns that have something to check.  said: by the name of the check."""

    schema: Any
    columns: list[str]
    said: dict[str, _Said]


@lru_cache(maxsize=256)
def _rules(record: Record, written: bool) -> _Rules:
    import pandera.pandas as pandera

    columns: dict[str, Any] = {}
    said: dict[str, _Said] = {}
    for field in record.scalars:
        checks = []
        for what, test in _column_rules(field, record, written):
            name = f"{field.name} {what.rule}"
            said[name] = what
            checks.append(pandera.Check(_on_column(test), error=name, name=name, ignore_na=False))
        if checks or field.needed(written):
            columns[field.name] = pandera.Column(checks=checks, nullable=not field.needed(written))
    whole, needed = [], set(columns)
    for must in record.checks:
        if written or not must.written:
            name = f"{must.field} {must.rule}"
            said[name] = _Said(must.field, must.rule, f"breaks the rule that it {must.rule}")
            whole.append(pandera.Check(_on_frame(must), error=name, name=name, ignore_na=False))
            needed.update(must.of or (must.field,), (must.field,))
    schema = pandera.DataFrameSchema(columns, checks=whole)
    return _Rules(schema, [field.name for field in record.scalars if field.name in needed], said)


def _column_rules(field: Field, record: Record, written: bool) -> Iterator[tuple[_Said, Test]]:
    def said(rule: str, reason: str) -> _Said:
        return _Said(field.name, rule, reason, True, field.personal)

    if field.values:
        allowed = pa.array(field.values, pa.string())
        yield said("values", f"is none of {', '.join(field.values)}"), lambda values: pc.is_in(values, allowed)
    if written and field.max_length is not None:
        longest = field.max_length
        reason = f"is longer than {longest} characters"
        yield said("length", reason), lambda values: pc.less_equal(pc.utf8_length(values), longest)
    if field.name == record.key and field.needed(written) and pa.types.is_string(field.type.arrow):
        yield said("key", "names no record"), lambda values: pc.greater(pc.utf8_length(values), 0)


def _on_column(test: Test) -> Callable[[pd.Series[Any]], pd.Series[Any]]:
    def run(series: pd.Series[Any]) -> pd.Series[Any]:
        return _answer([series], test)

    return run


def _on_frame(must: Must) -> Callable[[pd.DataFrame], pd.Series[Any]]:
    def run(data: pd.DataFrame) -> pd.Series[Any]:
        return _answer([data[name] for name in must.of or (must.field,)], must.test)

    return run


def _answer(columns: list[pd.Series[Any]], test: Test) -> pd.Series[Any]:
    """The test's answer on Arrow arrays, as pandera wants it; a null counts as fulfilled, an NA would raise."""
    import pandas as pd

    answer = test(*(_array(column) for column in columns))
    if len(columns) == 1:
        answer = pc.or_kleene(pc.is_null(_array(columns[0])), answer)
    return pd.Series(pc.fill_null(answer, True).to_numpy(zero_copy_only=False), index=columns[0].index)


def _array(column: pd.Series[Any]) -> pa.Array:
    array = pa.array(column)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
