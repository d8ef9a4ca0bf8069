"""What a record is made of: fields with a wire path, a logical type and what is known about them. Pure data.

A name is the path at the wire unless a path is given, so that a mapping reads like the vendor's documents.
Money is decimal, ids are text, instants carry a zone (UTC inside), dates are calendar days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Wire = Literal["string", "number", "bool"]
Format = Literal["iso", "xero"]
Required = bool | Literal["write"]


@dataclass(frozen=True, slots=True)
class Type:
    """A logical type and the Arrow type that carries it."""

    name: str
    arrow: pa.DataType
    wire: Wire = "string"


def decimal(precision: int, scale: int, wire: Wire = "string") -> Type:
    """An exact number with ``scale`` digits behind the point."""
    return Type(f"decimal({precision},{scale})", pa.decimal128(precision, scale), wire)


TEXT = Type("text", pa.string())
ID = Type("id", pa.string())
INTEGER = Type("integer", pa.int64(), "number")
BOOLEAN = Type("boolean", pa.bool_(), "bool")
INSTANT = Type("instant", pa.timestamp("us", tz="UTC"))
DATE = Type("date", pa.date32())
MONEY = decimal(19, 4)
RATE = decimal(18, 8)
QUANTITY = decimal(19, 4)


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a record.

    name: column in frames and in mappings.  path: dotted path at the wire, the name by default.
    wire: the JSON kind it arrives as, where that is not the type's usual one.
    format: how an instant or a date is written: ISO 8601, or ``/Date(milliseconds+0000)/`` as Xero does.
    zone: the zone of instants that are written without one; with none declared they are refused.
    required: null or missing is an error; ``"write"``: only in what we write.
    read_only: the vendor fills it, a mapping may not; it is never required in what we write.
    personal: shown redacted.  values: the only ones allowed.  lengths are characters, and only a target's business.
    """

    name: str
    type: Type
    path: str = ""
    wire: Wire | None = None
    format: Format = "iso"
    zone: str = ""
    required: Required = False
    read_only: bool = False
    personal: bool = False
    values: tuple[str, ...] = ()
    max_length: int | None = None
    about: str = ""

    @property
    def at(self) -> str:
        return self.path or self.name

    def needed(self, written: bool) -> bool:
        """Whether null or missing is an error, in what we write or in what we read."""
        return bool(self.required) and not self.read_only if written else self.required is True

    @property
    def wire_kind(self) -> Wire:
        return self.wire or self.type.wire


@dataclass(frozen=True, slots=True)
class Must:
    """Something that holds for every record, beyond the single field.

    field: the column a breach is reported at.  rule: completes the sentence "<field> ...".  test: takes the arrays of
    the columns ``of`` (the field alone by default) and gives a boolean array; null counts as fulfilled.
    written: only for what we write.
    """

    field: str
    rule: str
    test: Callable[..., pa.Array]
    of: tuple[str, ...] = ()
    written: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """A list of records inside a record, such as the lines of an order.

    key: the field that names an element.  required: a null or missing list is an error when read; an empty one is not.
    whole_below: the list cannot be paged and was asked for with this limit, so one that is as long may be cut and its
    record is held.  at_least: as many elements must be written.
    """

    name: str
    fields: tuple[Field | Lines, ...]
    path: str = ""
    key: str = ""
    required: bool = False
    whole_below: int | None = None
    at_least: int = 0
    read_only: bool = False
    checks: tuple[Must, ...] = ()
    about: str = ""

    @property
    def at(self) -> str:
        return self.path or self.name

    @property
    def record(self) -> Record:
        """The element as a record of its own."""
        return Record(self.name, self.key, "", self.fields, about=self.about, checks=self.checks)


@dataclass(frozen=True)
class Record:
    """A resource's record.

    name: ``system.resource``.  key: the field that names it for ever.  version: the field that grows with every change.
    ignores: wire paths that are known to come and are not used, so that they are not reported as new.
    """

    name: str
    key: str
    version: str
    fields: tuple[Field | Lines, ...]
    about: str = ""
    checks: tuple[Must, ...] = ()
    ignores: tuple[str, ...] = ()
    _by_name: dict[str, Field | Lines] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {f.name: f for f in self.fields}
        if len(by_name) != len(self.fields):
            raise ValueError(f"{self.name} names a field twice")
        object.__setattr__(self, "_by_name", by_name)

    @property
    def system(self) -> str:
        return self.name.partition(".")[0]

    @property
    def resource(self) -> str:
        return self.name.partition(".")[2]

    @property
    def scalars(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if isinstance(f, Field))

    @property
    def lists(self) -> tuple[Lines, ...]:
        return tuple(f for f in self.fields if isinstance(f, Lines))

    @property
    def arrow(self) -> pa.Schema:
        """The scalar columns of a frame."""
        return pa.schema([pa.field(f.name, f.type.arrow) for f in self.scalars])

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Field | Lines:
        return self._by_name[name]

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Field]]:
        """Every scalar with its full dotted name, lists included."""
        for f in self.fields:
            if isinstance(f, Field):
                yield prefix + f.name, f
            else:
                yield from f.record.walk(f"{prefix}{f.name}.")
