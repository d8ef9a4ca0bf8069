"""What a declaration says of itself."""

from __future__ import annotations

import pytest

from crosswalk.schemas import shopify, xero
from crosswalk.schemas.base import DATE, ID, INSTANT, MONEY, TEXT, Field, Lines, Record

ALL = [
    shopify.Order,
    shopify.Customer,
    shopify.Product,
    xero.Contact,
    xero.Invoice,
    xero.CreditNote,
    xero.Payment,
    xero.RefundPayment,
    xero.Allocation,
]


@pytest.mark.parametrize("record", ALL, ids=[record.name for record in ALL])
def test_key_and_version_are_fields(record: Record) -> None:
    """The key is an id, the version an instant; a record without one says so with an empty name."""
    key = record[record.key]
    assert isinstance(key, Field)
    assert key.type == ID
    if record.version:
        version = record[record.version]
        assert isinstance(version, Field)
        assert (version.type, version.required) == (INSTANT, True)


@pytest.mark.parametrize("record", ALL, ids=[record.name for record in ALL])
def test_rules_name_columns_that_exist(record: Record) -> None:
    """A rule over a column that is not there would stop every run; so would a list's key."""

    def look(one: Record) -> None:
        for must in one.checks:
            assert all(isinstance(one[name], Field) for name in (must.field, *must.of))
        for lines in one.lists:
            assert not lines.key or lines.key in lines.record
            look(lines.record)

    look(record)


def test_a_field_named_twice_is_refused() -> None:
    """Two columns of one name cannot both be meant."""
    with pytest.raises(ValueError, match=r"test\.x names a field twice"):
        Record("test.x", "id", "", (Field("id", ID), Field("id", TEXT)))


def test_required_depends_on_the_direction() -> None:
    """What the vendor fills is required only in what we read, what only a write needs only in what we write."""
    cases = {
        Field("a", TEXT): (False, False),
        Field("a", TEXT, required=True): (True, True),
        Field("a", TEXT, required=True, read_only=True): (True, False),
        Field("a", TEXT, required="write"): (False, True),
    }
    for field, (read, written) in cases.items():
        assert (field.needed(written=False), field.needed(written=True)) == (read, written)


def test_a_record_walks_into_its_lists() -> None:
    """Every scalar comes with its dotted name, in the order of the declaration."""
    record = Record(
        "test.x", "id", "", (Field("id", ID), Lines("lines", (Field("a.b", MONEY, path="x"),)), Field("day", DATE))
    )
    assert [name for name, _ in record.walk()] == ["id", "lines.a.b", "day"]
    assert (record.system, record.resource, record.lists[0].record.name) == ("test", "x", "lines")
