"""The worked examples of the real mappings hold, can fail, and pin every declaration: a mapping that is wrong in one
place is refused or breaks an example."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mapping_mutants import mutants, table_mutants

from crosswalk.errors import MappingError
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.integration import find
from crosswalk.mapping import Example, Mapping, check_examples
from crosswalk.mapping.examples import CONTEXT, Given, apply_example, read_examples
from crosswalk.schemas.base import Record
from crosswalk.schemas.tables import column_names

PARTS = [
    mapping
    for name in (
        "shopify_customers_to_xero_contacts",
        "shopify_orders_to_xero_invoices",
        "shopify_orders_to_database",
    )
    for mapping in find(name).parts
]
TO_XERO = [m for m in PARTS if m.target.name.startswith("xero.")]
CONTACTS, INVOICES, PAYMENTS, CREDITS, REFUND_PAYMENTS, ALLOCATIONS, ROWS = PARTS

# target of the mapping, mutant → why no example can tell. Each stands for at least one mutant that survives.
SURVIVORS = {
    ("*", "* | owner=target"): "an example is one record once; updates are proved in test_mappings_edits.py",
    ("*", "* Link to=*"): "an example shows the id that is looked up; the books show where: test_mappings_cases.py",
    ("*", "* Link of=*"): "the same",
    ("*", "marker: none"): "lost answers are looked up by it: the kill sweep and tests/mapping refuse a wrong one",
    ("*", "match: none"): "read by nobody but a person: the page names it",
    ("*", "key: id → *"): "parts of one order would no longer find each other: test_mappings_cases.py",
    ("*", "*Number | missing=leave out"): "legacyResourceId is required of the source, so it is never missing",
    ("*", "Reference | missing=leave out"): "the order's name and a transaction's id are required of the source",
    ("xero.invoices", "DueDate | missing=leave out"): "processedAt is required of the source",
    (
        "*",
        "LineItems of * | TaxAmount | missing=leave out",
    ): "a sum with empty=0 and a required amount always have a value",
    ("*", "* First: the last"): "two taxes on a line hold the invoice, and what hangs on it waits",
    ("xero.invoices", "the invoice total * Sum: empty=0"): "an invoice has a line, or the target's schema refuses it",
    ("*", "CreditNote.CreditNoteID | *part: Concat: skip_missing"): "the refund's id is required of the source",
    ("xero.contacts", "Name | taken: Concat: skip_missing"): "without a name the contact is held before it is sent",
}


@lru_cache(maxsize=16)
def given_of(title: str) -> Given:
    return read_examples(next(m for m in PARTS if m.title == title))


def by_title(mapping: Mapping) -> str:
    return mapping.target.name


@pytest.mark.parametrize("mapping", PARTS, ids=by_title)
def test_the_examples_hold(mapping: Mapping) -> None:
    """Every worked example comes out as its page says, and none is left unread."""
    assert check_examples(mapping) == []
    assert sorted(given_of(mapping.title).rows) == list(range(len(mapping.examples))) != []


@pytest.mark.parametrize("mapping", PARTS, ids=by_title)
def test_every_example_can_fail(mapping: Mapping) -> None:
    """An example whose expectation is turned into its opposite fails, value by value."""
    wrong = [_wrong(mapping, example) for example in mapping.examples]
    for turn in range(max(map(len, wrong))):
        turned = {n: w[turn] for n, w in enumerate(wrong) if turn < len(w)}
        changed = [turned.get(n, example) for n, example in enumerate(mapping.examples)]
        failed = {f.example for f in check_examples(replace(mapping, examples=changed), given=given_of(mapping.title))}
        assert failed == {example.name for example in turned.values()}


def _wrong(mapping: Mapping, example: Example) -> list[Example]:
    any_field = next(iter(mapping.examples[0].expect))
    if not example.expect:
        return [replace(example, held=frozenset(), skipped="", removed=False, expect={any_field: "x"})]
    wrong = [replace(example, expect={path: _other(value)}) for path, value in example.expect.items()]
    wrong += [replace(example, taken={path: _other(value)}) for path, value in example.taken.items()]
    return [*wrong, replace(example, expect={}, held={any_field})] if "@" not in any_field else wrong


def _other(value: Any) -> Any:
    return "x" if value is None else (not value) if isinstance(value, bool) else f"{value}1"


@lru_cache(maxsize=16)
def survivors(title: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All mutants of a mapping and those that no example tells, by label."""
    mapping, given = next(m for m in PARTS if m.title == title), given_of(title)
    made = list(mutants(mapping, given))
    return tuple(m.label for m in made), tuple(m.label for m in made if m.survives(mapping, given))


@pytest.mark.parametrize("mapping", TO_XERO, ids=by_title)
def test_a_mapping_that_is_wrong_in_one_place_breaks_an_example(mapping: Mapping) -> None:
    """Every declaration is pinned by an example, or stands in the table of survivors with the reason."""
    tried, left = survivors(mapping.title)
    named = {d.name for kind in ("skips", "holds", "removes", "checks", "waits") for d in getattr(mapping, kind)}
    assert named <= {label.split(" | ")[0] for label in tried}
    assert [label for label in left if not any(_fits(mapping, label, *pair) for pair in SURVIVORS)] == []


def test_the_table_of_survivors_is_not_older_than_the_mappings() -> None:
    """No reason is kept for a survivor that is gone."""
    left = [(mapping, label) for mapping in TO_XERO for label in survivors(mapping.title)[1]]
    assert [pair for pair in SURVIVORS if not any(_fits(*one, *pair) for one in left)] == []


def _fits(mapping: Mapping, label: str, target: str, pattern: str) -> bool:
    return fnmatchcase(mapping.target.name, target) and fnmatchcase(label, pattern)


def test_every_row_of_a_value_table_is_pinned(tmp_path: Path) -> None:
    """A row that is dropped, or says another outcome, breaks an example of a mapping that uses the table.

    A row that holds may be dropped: what no row names is held too, only not as a person's decision.
    """
    rows: dict[tuple[str, str], list[bool]] = {}
    for number, mapping in enumerate(TO_XERO):
        folder = tmp_path / str(number)
        folder.mkdir()
        for table, what, home in table_mutants(mapping, folder):
            broken = check_examples(mapping, replace(CONTEXT, overrides=home), given_of(mapping.title), first=True)
            rows.setdefault((table, what), []).append(bool(broken))
    assert len(rows) == 2 * (8 + 5 + 3 + 11)
    left = [row for row, broken in rows.items() if not any(broken)]
    assert left == [("order_status.csv", "EXPIRED dropped"), ("order_status.csv", "VOIDED dropped")]


# the mirror


def test_a_row_of_the_database_is_the_order_field_by_field() -> None:
    """Every column, in child tables too, holds the values of the field that it is named after, and of no other."""
    frame = _filled(ROWS.source)
    outcome = ROWS.apply(frame, CONTEXT)
    assert outcome.held == [] and len(outcome.frame) == ORDERS
    _same(frame, outcome.frame)


ORDERS = 6


def _filled(record: Record, start: int = 0, child: bool = False) -> Frame:
    """A row for every order, an element in every list, and in every field values that no field beside it has."""
    columns = [_values(field.type.arrow, start, n) for n, field in enumerate(record.scalars)]
    schema = record.arrow
    if child:
        columns = [pa.array(range(ORDERS), pa.int64()), *columns]
        schema = schema.insert(0, pa.field(PARENT, pa.int64()))
    lines = {li.name: _filled(li.record, start + 10_000 * (n + 1), True) for n, li in enumerate(record.lists)}
    return Frame(record, pa.table(columns, schema=schema), lines)


def _values(kind: pa.DataType, start: int, n: int) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pa.array([bool(n >> row & 1) for row in range(ORDERS)])
    numbers = [start + 100 * n + row for row in range(ORDERS)]
    if pa.types.is_timestamp(kind):
        return pa.array([datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number) for number in numbers], kind)
    return pa.array([f"value {x}" if pa.types.is_string(kind) else Decimal(x) for x in numbers]).cast(kind)


def _same(source: Frame, rows: Frame) -> None:
    names = column_names(source.record)
    for field in source.record.scalars:
        assert rows[names[field.name]].to_pylist() == source[field.name].to_pylist(), field.name
    for li in source.record.lists:
        _same(source.lines[li.name], rows.lines[names[li.name]])


def test_a_negative_quantity_never_reaches_a_mapping() -> None:
    """The source's own schema holds it, so no mapping needs a rule for it."""
    example = Example(
        "e", given={"lineItems[0].quantity": -1, "lineItems[0].currentQuantity": -1}, expect={"test": False}
    )
    with pytest.raises(MappingError, match="is not negative"):
        apply_example(ROWS, example)


def test_a_batch_of_orders_comes_out_as_each_alone() -> None:
    """All examples are one order with the same ids of lines, and none lends another its refunds or its lines."""
    for mapping in (INVOICES, CREDITS):
        for example in [e for e in mapping.examples if "refunds" in e.given or "lineItems" in e.given][:12]:
            assert check_examples(replace(mapping, examples=[example])) == []
