"""The declarations a mapping is written with. Data only: built and checked in build.py, applied in apply.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from crosswalk.frames.frame import Frame
from crosswalk.mapping.context import Context
from crosswalk.mapping.outcome import Outcome
from crosswalk.mapping.verb import Condition, Operand, Verb
from crosswalk.schemas.base import Record

if TYPE_CHECKING:
    from crosswalk.mapping.build import Built


class Missing(Enum):
    """What to do when a rule makes no value."""

    HOLD = "hold"
    LEAVE_OUT = "leave out"


HOLD: Final = Missing.HOLD
LEAVE_OUT: Final = Missing.LEAVE_OUT


@dataclass(frozen=True)
class Default:
    """This value when a rule makes none."""

    value: Any


Owner = Literal["source", "target"]


@dataclass(frozen=True)
class Rule:
    """How one target field comes about.

    missing: HOLD (default), Default(value) or LEAVE_OUT.  owner: "source", or "target" = set on create and never sent
    again.  why: required for everything but a plain copy.  taken: a second verb, used when the target says that the
    first value is taken.
    """

    target: str
    verb: Verb
    missing: Missing | Default = HOLD
    owner: Owner = "source"
    why: str = ""
    taken: Verb | None = None


@dataclass(frozen=True)
class Constant:
    """A target field that always has the same value: ``Rule(target, Const(value), why=why)``."""

    target: str
    value: Any
    why: str


@dataclass(frozen=True)
class Lines:
    """Elements of the target list ``target``, one for each element of the source list ``each``.

    each: a source list, dotted when nested; "^.list" is a list of the record that the mapping's element stands in;
    "" makes one element from the record itself. Inside, names are the element's and "^." reaches the record that the
    list is in. With each="" names stay as they are outside.
    when: only the elements for which it is true; one that it cannot decide holds the record.  why: needed with when.
    rules: Rule, Constant, and Lines for a list inside the list.
    May stand several times for one list: the elements follow each other in declared order.
    """

    target: str
    each: str
    rules: Sequence[Rule | Constant | Lines]
    when: Condition | None = None
    why: str = ""


@dataclass(frozen=True)
class Skip:
    """Rows that are left out on purpose; they are counted under this name. A row it cannot decide is held."""

    name: str
    when: Condition
    why: str


@dataclass(frozen=True)
class Hold:
    """Rows that are held for a person. A row it cannot decide is held too."""

    name: str
    when: Condition
    why: str


@dataclass(frozen=True)
class Remove:
    """Rows whose target record is to be removed. Rules that refuse such a row do not hold it."""

    name: str
    when: Condition
    why: str


@dataclass(frozen=True)
class Check:
    """``left``, made from the target record, must equal ``right``, made from the source; otherwise the row is held.

    Numbers may differ by ``tolerance``. A side without a value holds the row.
    """

    name: str
    left: Operand
    right: Operand
    tolerance: Decimal | int | str = 0
    why: str = ""


@dataclass(frozen=True)
class Confirm:
    """The target's own answer must show this value in ``target``. A row without a value is held, or not compared with
    missing=LEAVE_OUT."""

    target: str
    verb: Verb
    why: str
    missing: Missing = HOLD


@dataclass(frozen=True)
class Wait:
    """The record waits until the record that ``link`` names is at the target, although no field carries its id."""

    name: str
    link: Verb
    why: str


@dataclass(frozen=True)
class Guard:
    """Before a delivered record is changed, the target's own record is looked at: when ``when`` is true of it, the
    change is held.

    when: a pure function of the target's record as the target shows it (nested names, exact decimals).
    """

    name: str
    when: Callable[[Dict[str, Any]], bool]
    why: str


@dataclass(frozen=True)
class Example:
    """A worked case: test, documentation and seed in one.

    given: source fields, as at the wire (nested) or with dotted names (``lineItems[0].quantity``), laid over ``base``
    (the mapping's base by default).  part: which part is meant where the record yields several.
    One of: expect: target fields and their values, dotted, ``LineItems[0].Quantity``; None = not sent; of a link the id
    that is looked up (``id#part``), of a Wait the same under ``@resource``, of a Confirm what the answer must show.
    held: the rules or fields that refuse it, all of them.  skipped: the rule that leaves it out.  removed: the target
    record is to be removed.
    taken: with expect, what is sent instead when the target says that a field's value is taken.
    """

    name: str
    given: Dict[str, Any] = field(default_factory=dict)
    expect: Dict[str, Any] = field(default_factory=dict)
    held: frozenset[str] | set[str] = frozenset()
    skipped: str = ""
    removed: bool = False
    part: str = ""
    taken: Dict[str, Any] = field(default_factory=dict)
    base: Dict[str, Any] | None = None


@dataclass(frozen=True)
class Approved:
    """A person's sign-off of the page with this digest."""

    by: str
    on: date | str
    digest: str


Declared = Rule | Constant | Lines | Skip | Hold | Remove | Check | Confirm


@dataclass(frozen=True)
class Mapping:
    """How records of one resource become records of another. Pure, refused when it is built if it cannot be meant.

    source, target: the records.  rules: every declaration but examples may stand here.  key: the source field that
    names the row for ever; with ``each`` a field of the element.  each: a source list whose elements are the rows, a
    part for each.  part: name of the part, "" for the main one; with ``each`` the part key is ``part:key``.
    marker: the target field that carries our own reference.  match: the target field by which an existing record is
    recognised.
    tables: folder of the value tables.  base: the record that examples are laid over.
    Raises MappingError, which names the mapping, the rule and what to do.
    """

    title: str
    source: Record
    target: Record
    rules: Sequence[Declared]
    key: str
    marker: str | None = None
    match: str | None = None
    each: str | None = None
    part: str = ""
    skips: Sequence[Skip] = ()
    holds: Sequence[Hold] = ()
    removes: Sequence[Remove] = ()
    checks: Sequence[Check] = ()
    confirms: Sequence[Confirm] = ()
    constants: Sequence[Constant] = ()
    guards: Sequence[Guard] = ()
    waits: Sequence[Wait] = ()
    examples: Sequence[Example] = ()
    approved: Approved | tuple[Approved, ...] | None = None
    tables: Path | None = None
    base: Dict[str, Any] = field(default_factory=dict)
    built: Built = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from crosswalk.mapping.build import build

        object.__setattr__(self, "built", build(self))

    def apply(self, frame: Frame, context: Context) -> Outcome:
        """The target records of a frame of source records, and every row that is held or skipped."""
        from crosswalk.mapping.apply import apply

        return apply(self, frame, context)
