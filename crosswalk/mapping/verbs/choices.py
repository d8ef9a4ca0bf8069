"""Values that have an equivalent: from a table that the business owns, or from a table handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.errors import MappingError, TableError
from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.tables import HOLD, Choices, Tables
from crosswalk.mapping.values import fit, fits, literal, locate
from crosswalk.mapping.verb import Made, Operand, Refusal, Verb, refuse, shown, verb
from crosswalk.schemas.base import TEXT, Type


@dataclass(frozen=True, init=False)
class Choose(Verb):
    """The equivalent of a value in a table. A value that has none is refused, unless ``otherwise`` is given.

    ``Choose("status", table="order_status.csv")``: the table's first column is compared with ``status``, its column
    ``outcome`` is the result, its column ``reason`` says why. ``Choose(table="tax_types.csv", rate="rate",
    country=Country("..."))``: table columns and what they are compared with. ``value=`` names another result column,
    ``also=`` columns that other rules use. An outcome ``hold`` leaves the row to a person. ``Choose("included",
    values={True: "Inclusive", False: "Exclusive"})`` needs no file; "hold" works there too.
    ``fold``: case and blanks at the ends of text do not matter. A missing key makes a missing value.
    """

    keys: tuple[tuple[str, Verb], ...]
    table: str
    value: str
    otherwise: Any
    also: tuple[str, ...]
    values: tuple[tuple[Any, Any], ...]
    fold: bool

    def __init__(
        self,
        operand: Operand | None = None,
        table: str = "",
        *,
        value: str = "outcome",
        otherwise: Any = None,
        also: tuple[str, ...] = (),
        values: Mapping[Any, Any] | None = None,
        fold: bool = False,
        **keys: Operand,
    ) -> None:
        named = ([] if operand is None else [("", verb(operand))]) + [(k, verb(o)) for k, o in keys.items()]
        object.__setattr__(self, "keys", tuple(named))
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "otherwise", otherwise)
        object.__setattr__(self, "also", tuple(also))
        object.__setattr__(self, "values", tuple((values or {}).items()))
        object.__setattr__(self, "fold", fold)

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        if bool(self.table) == bool(self.values):
            raise MappingError("Choose needs either table= or values=.")
        if not self.keys or (self.values and len(self.keys) != 1):
            raise MappingError("Choose needs what is compared: a column, or with a table column=operand.")
        kind = want or TEXT
        if self.otherwise is not None:
            literal(self.otherwise, kind.arrow)
        types = [key.type(shape).arrow for _, key in self.keys]
        if self.values or shape.tables is not None:
            self._load(shape.tables, types, kind.arrow)
        return kind

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        want = want or pa.string()
        made = [key.make(scope) for _, key in self.keys]
        columns = [self._folded(m.values) for m in made]
        keys, outcomes, reasons = self._load(scope.tables, [m.values.type for m in made], want)
        row = locate(columns, [self._folded(k) for k in keys])
        result = outcomes.take(row)
        by_person = pc.and_(pc.is_valid(row), pc.is_null(result))
        refusals: list[Refusal] = [r for m in made for r in m.refusals]
        refusals += refuse(by_person, reasons.take(row), made[0].values, by_person=True)
        complete = pc.is_valid(columns[0])
        for column in columns[1:]:
            complete = pc.and_(complete, pc.is_valid(column))
        unknown = pc.and_(complete, pc.is_null(row))
        if self.otherwise is not None:
            return Made(pc.if_else(unknown, literal(self.otherwise, want), result), tuple(refusals))
        shown = self._shown([m.values for m in made])
        return Made(result, (*refusals, *refuse(unknown, f"no equivalent in {self.table or 'the rule'}", shown)))

    def choices(self, tables: Tables) -> Choices:
        """The table's rows for this rule. Raises TableError."""
        table = tables.read(self.table)
        first = next(iter(table.columns))
        return table.choices([name or first for name, _ in self.keys], self.value, self.also)

    def _load(
        self, tables: Tables | None, types: list[pa.DataType], want: pa.DataType
    ) -> tuple[list[pa.Array], pa.Array, pa.Array]:
        if self.values:
            keys = [pa.array([literal(k, types[0]).as_py() for k, _ in self.values], types[0])]
            outcomes = [None if v == HOLD else literal(v, want).as_py() for _, v in self.values]
            reasons = ["a person decides" for _ in self.values]
            return keys, pa.array(outcomes, want), pa.array(reasons)
        assert tables is not None
        choices = self.choices(tables)
        columns = [choices.key(name, arrow) for name, arrow in zip(choices.keys, types, strict=True)]
        self._distinct(choices, columns)
        return columns, choices.outcome(self.value, want), pa.array(choices.reasons, pa.string())

    def _distinct(self, choices: Choices, columns: list[pa.Array]) -> None:
        """Raises TableError when two keys that are written differently mean the same."""
        folded = [self._folded(c) for c in columns]
        for row, first in enumerate(locate(folded, folded).to_pylist()):
            if first != row:
                lines = f"lines {choices.lines[first]} and {choices.lines[row]}"
                raise TableError(f"{self.table}, {lines}: the two keys mean the same. Keep one of them.")

    def _folded(self, values: pa.Array) -> pa.Array:
        return (
            pc.utf8_lower(pc.utf8_trim_whitespace(values)) if self.fold and pa.types.is_string(values.type) else values
        )

    def _shown(self, columns: list[pa.Array]) -> pa.Array:
        if len(columns) == 1:
            return columns[0]
        texts = [c.cast(pa.string()) for c in columns]
        return pc.binary_join_element_wise(*texts, " / ")

    def words(self) -> str:
        if self.values:
            pairs = ", ".join(f"{shown(k)} becomes {shown(v)}" for k, v in self.values)
            return f"{self.keys[0][1].inside()}: {pairs}"
        column = "" if self.value == "outcome" else f", column `{self.value}`"
        if len(self.keys) == 1:
            return f"{self.keys[0][1].inside()} looked up in `{self.table}`{column}"
        keys = " and ".join(f"{name} ({key.words()})" if name else key.inside() for name, key in self.keys)
        return f"what `{self.table}`{column} says by {keys}"


@dataclass(frozen=True)
class Lookup(Verb):
    """The value of ``value`` in the row of the handed-in table ``table`` (Context.lookups) whose ``key`` equals the
    operand; missing when there is no such row, refused when there are several."""

    operand: Operand
    table: str
    key: str
    value: str
    returns: Type = TEXT

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        verb(self.operand).type(shape)
        return self.returns

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = verb(self.operand).make(scope)
        table = scope.context.lookups.get(self.table)
        if table is None:
            raise MappingError(f"Lookup needs the table {self.table!r}, and the run handed in none of that name.")
        keys, values = (_one(table, c, self.table) for c in (self.key, self.value))
        if keys.type != made.values.type or fits(Type(self.value, values.type), self.returns):
            raise MappingError(
                f"Lookup in {self.table!r}: {self.key} is {keys.type} where {made.values.type} is looked up, "
                f"{self.value} is {values.type} where {self.returns.name} is wanted."
            )
        row = locate([made.values], [keys])
        counts = keys.value_counts()
        several = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
        double = pc.and_(pc.is_valid(row), pc.is_in(made.values, value_set=several))
        found = fit(Made(values.take(row)), self.returns.arrow)
        twice = refuse(double, f"{self.table} has several rows with this {self.key}", made.values)
        return Made(found.values, (*made.refusals, *found.refusals, *twice))

    def words(self) -> str:
        return f"`{self.value}` of the {self.table} whose `{self.key}` is {verb(self.operand).inside()}"


def _one(table: pa.Table, column: str, name: str) -> pa.Array:
    if column not in table.column_names:
        raise MappingError(f"The table {name!r} has no column {column!r}; it has {', '.join(table.column_names)}.")
    chunked = table.column(column)
    return chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
