"""Frames against their declaration: which rows are held, and what is a mistake of the program."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from frame_samples import Sale, raw, sale

from crosswalk.errors import Drift
from crosswalk.frames.frame import PARENT, Frame
from crosswalk.frames.parse import parse
from crosswalk.frames.validate import Validated, validate
from crosswalk.schemas import xero
from crosswalk.schemas.base import ID, MONEY, Field, Must, Record


def validated(*rows: dict[str, Any], written: bool = False) -> Validated:
    return validate(parse(Sale, [raw(row) for row in rows]).frame, written=written)


def test_good_rows_pass_unchanged() -> None:
    """Nothing held means the same frame, at one row and at many."""
    for count in (1, 3):
        frame = parse(Sale, [raw(n=n) for n in range(count)]).frame
        result = validate(frame)
        assert result.good is frame
        assert (result.refused, result.kept.to_pylist()) == ([], list(range(count)))


@pytest.mark.parametrize("written", [False, True])
def test_an_empty_frame_is_fine(written: bool) -> None:
    """No rows break no rule."""
    assert len(validate(Frame.empty(Sale), written=written).good) == 0


def test_values_and_rules_hold_single_rows() -> None:
    """The second and fourth rows break a rule each; the rest goes on, renumbered with its lines."""
    pounds = {"amount": "1", "currency": "GBP"}
    result = validated(
        sale(1), sale(2, total={"amount": "1", "currency": "USD"}), sale(3), sale(4, total=pounds, paid=None), sale(5)
    )
    assert result.kept.to_pylist() == [0, 2, 4]
    assert result.good["id"].to_pylist() == ["sale-000001", "sale-000003", "sale-000005"]
    assert result.good.lines["lines"].parent.to_pylist() == [0, 1, 2]
    assert [(r.index, r.field, r.rule, r.reason) for r in result.refused] == [
        (1, "total.currency", "values", "'USD' is none of EUR, GBP"),
        (3, "paid", "is said of every sale in pounds", "breaks the rule that it is said of every sale in pounds"),
    ]


def test_an_empty_key_names_no_record() -> None:
    """The key is not only there, it says something."""
    (refused,) = validated(sale(1, id="")).refused
    assert (refused.field, refused.reason) == ("id", "'' names no record")


def test_only_what_is_written_has_a_length() -> None:
    """A source may be as long as it likes; a target's limit holds the row, in characters, its value unseen."""
    long = sale(1, buyer={"name": "ü" * 21})
    assert validated(long).refused == []
    assert validated(sale(2, buyer={"name": "ü" * 20}), written=True).refused == []
    (refused,) = validated(long, written=True).refused
    assert (refused.field, refused.rule, refused.reason) == (
        "buyer.name",
        "length",
        "the value is longer than 20 characters",
    )


def test_a_list_that_needs_elements_is_held_without() -> None:
    """An invoice without lines is not sent, though one may be read."""
    empty = sale(1, lines={"nodes": []})
    assert validated(empty).refused == []
    (refused,) = validated(sale(0), empty, written=True).refused
    assert (refused.index, refused.field, refused.rule) == (1, "lines", "least")


def _table(record: Record, rows: list[dict[str, Any]], child: bool = False) -> pa.Table:
    schema = record.arrow.insert(0, pa.field(PARENT, pa.int64())) if child else record.arrow
    return pa.Table.from_pylist(rows, schema=schema)


def invoices(*rows: dict[str, Any], lines: list[dict[str, Any]]) -> Frame:
    frame = Frame.empty(xero.Invoice)
    items = frame.lines["LineItems"].record
    return Frame(
        xero.Invoice,
        _table(xero.Invoice, list(rows)),
        {**frame.lines, "LineItems": Frame(items, _table(items, lines, child=True))},
    )


INVOICE = {
    "Type": "ACCREC",
    "InvoiceNumber": "SH-1",
    "Contact.ContactID": "c",
    "Date": date(2026, 11, 20),
    "DueDate": date(2026, 11, 20),
    "Status": "AUTHORISED",
    "LineAmountTypes": "Inclusive",
    "CurrencyCode": "EUR",
}
LINE = {
    PARENT: 0,
    "Description": "Mug",
    "Quantity": Decimal(2),
    "UnitAmount": Decimal("12.50"),
    "AccountCode": "4000",
    "TaxType": "TAX001",
}


def test_what_the_vendor_fills_is_not_needed_to_write() -> None:
    """InvoiceID, Total and UpdatedDateUTC come from Xero: read without them is an error, written without them not."""
    frame = invoices(INVOICE, lines=[LINE])
    assert validate(frame, written=True).refused == []
    assert {r.field for r in validate(frame).refused} <= {"InvoiceID", "Total", "UpdatedDateUTC"}
    assert len(validate(frame).refused) == 1


def test_a_bad_line_holds_its_record() -> None:
    """An invoice goes whole or not at all."""
    bad = [LINE, LINE | {PARENT: 1, "AccountCode": None}, LINE | {PARENT: 2, "Description": " "}, LINE | {PARENT: 3}]
    result = validate(invoices(INVOICE, INVOICE, INVOICE, INVOICE, lines=bad), written=True)
    assert result.kept.to_pylist() == [0, 3]
    assert [(r.index, r.field, r.rule) for r in result.refused] == [
        (1, "LineItems.AccountCode", "required"),
        (2, "LineItems.Description", "is not blank"),
    ]


def test_rules_over_two_columns() -> None:
    """A due date before the date, or none on an approved invoice, is held; a draft needs none."""
    rows = [
        INVOICE,
        INVOICE | {"DueDate": date(2026, 11, 19)},
        INVOICE | {"DueDate": None},
        INVOICE | {"DueDate": None, "Status": "DRAFT"},
    ]
    result = validate(invoices(*rows, lines=[LINE | {PARENT: n} for n in range(4)]), written=True)
    assert [(r.index, r.field) for r in result.refused] == [(1, "DueDate"), (2, "DueDate")]


@pytest.mark.parametrize(
    ("name", "type_", "said"),
    [
        ("total.amount", pa.decimal128(19, 2), "decimal128(19, 2), declared decimal128(19, 4)"),
        ("total.amount", pa.decimal128(20, 4), "decimal128(20, 4), declared decimal128(19, 4)"),
        ("changedAt", pa.timestamp("us"), "timestamp[us], declared timestamp[us, tz=UTC]"),
        ("number", pa.float64(), "double, declared int64"),
    ],
)
def test_only_an_unequal_type_raises(name: str, type_: pa.DataType, said: str) -> None:
    """A wrong type is the program's mistake; as a failure of rows it would let the others through with it."""
    frame = parse(Sale, [raw(n=n) for n in range(4)]).frame
    at = frame.table.column_names.index(name)
    column = pa.nulls(4, type_)
    with pytest.raises(Drift) as caught:
        validate(Frame(Sale, frame.table.set_column(at, name, column), frame.lines))
    assert f"{name} is {said}" in str(caught.value)


def test_a_column_too_few_or_too_many_raises() -> None:
    """So does a frame that has not the declared columns, in lines too."""
    frame = parse(Sale, [raw(n=1)]).frame
    for table in (frame.table.drop_columns(["title"]), frame.table.append_column("new", pa.array(["x"]))):
        with pytest.raises(Drift, match=r"title is missing|new is not declared"):
            validate(Frame(Sale, table, frame.lines))
    child = frame.lines["lines"]
    spoilt = Frame(child.record, child.table.drop_columns([PARENT]), child.lines)
    with pytest.raises(Drift, match="_parent is missing"):
        validate(Frame(Sale, frame.table, {**frame.lines, "lines": spoilt}))


def test_nulls_pass_every_check_but_required() -> None:
    """A null breaks no rule about values; a rule that answers null counts as fulfilled."""
    record = Record(
        "test.amounts",
        "id",
        "",
        (Field("id", ID, required=True), Field("a", MONEY), Field("b", MONEY)),
        checks=(Must("a", "is above b", lambda a, b: pa.compute.greater(a, b), of=("a", "b")),),
    )
    rows = [{"id": "1"}, {"id": "2", "a": Decimal(1)}, {"id": "3", "a": Decimal(1), "b": Decimal(2)}]
    assert [r.index for r in validate(Frame(record, _table(record, rows))).refused] == [2]


def test_a_rule_that_cannot_run_raises() -> None:
    """A mistake in a rule is not held against the rows."""
    record = Record(
        "test.r", "id", "", (Field("id", ID),), checks=(Must("id", "is odd", lambda ids: pa.compute.add(ids, 1)),)
    )
    with pytest.raises(Drift, match="cannot be checked"):
        validate(Frame(record, _table(record, [{"id": "1"}])))
