"""Table records derived from resources."""

from __future__ import annotations

import pytest

from crosswalk.schemas import shopify
from crosswalk.schemas.base import ID, MONEY, TEXT, Field, Lines, Record
from crosswalk.schemas.tables import column_name, column_names, table_record

SOURCE = Record(
    "shop.orders",
    key="id",
    version="updatedAt",
    fields=(
        Field("id", ID, required=True),
        Field("updatedAt", TEXT, read_only=True, values=("a",), path="x.y"),
        Field("customer.id", ID),
        Field("totalSet.shopMoney.amount", MONEY, personal=True, about="in shop money"),
        Lines(
            "lineItems", (Field("id", ID), Field("unitSet.shopMoney.amount", MONEY)), key="id", path="lineItems.nodes"
        ),
    ),
)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("totalPriceSet.shopMoney.amount", "total_price"),
        ("totalPriceSet.presentmentMoney.amount", "total_price_presentment"),
        ("amountSet.shopMoney.currencyCode", "amount_currency"),
        ("totalPriceSet.presentmentMoney.currencyCode", "total_price_presentment_currency"),
        ("customer.id", "customer_id"),
        ("product.productType", "product_type"),
        ("defaultEmailAddress.emailAddress", "default_email_address"),
        ("billingAddress.countryCodeV2", "billing_address_country_code"),
        ("shippingAddress.address1", "shipping_address_address1"),
        ("isGiftCard", "is_gift_card"),
        ("SKU", "sku"),
        ("HTMLBody", "html_body"),
        ("InvoiceID", "invoice_id"),
        ("parent.id", "parent_id"),
        ("set", "set"),
        ("already_snake", "already_snake"),
    ],
)
def test_a_name_becomes_a_column(name: str, column: str) -> None:
    """Wire names become short snake_case."""
    assert column_name(name) == column


def test_a_table_keeps_all_but_what_is_of_the_wire() -> None:
    """Types, order, key, version, requirement and privacy are kept; path, allowed values and read-only are not."""
    record = table_record(SOURCE, "database.orders")
    assert (record.name, record.key, record.version) == ("database.orders", "id", "updated_at")
    assert [field.name for field in record.fields] == ["id", "updated_at", "customer_id", "total", "line_items"]
    updated, total, lines = record["updated_at"], record["total"], record["line_items"]
    assert isinstance(updated, Field) and isinstance(total, Field) and isinstance(lines, Lines)
    assert (updated.at, updated.read_only, updated.values) == ("updated_at", False, ())
    assert (total.type, total.personal, total.about) == (MONEY, True, "in shop money")
    assert (lines.at, lines.key, [field.name for field in lines.fields]) == ("line_items", "id", ["id", "unit"])


def test_a_name_can_be_given_and_a_field_left_out() -> None:
    """Renaming and leaving out work at every level, by the full source name, of the key too."""
    record = table_record(
        SOURCE,
        "database.orders",
        rename={"id": "order_id", "lineItems": "lines", "lineItems.unitSet.shopMoney.amount": "unit_price"},
        leave_out={"customer.id", "lineItems.id"},
    )
    assert record.key == "order_id"
    assert dict(record.walk()).keys() == {"order_id", "updated_at", "total", "lines.unit_price"}


def test_the_columns_of_each_level_are_told() -> None:
    """A mapping can ask which column a source field is in, of lines too."""
    assert column_names(SOURCE)["totalSet.shopMoney.amount"] == "total"
    lines = SOURCE["lineItems"]
    assert isinstance(lines, Lines)
    rename = {"lineItems.id": "line"}
    assert column_names(lines.record, rename, prefix="lineItems.") == {"id": "line", "unitSet.shopMoney.amount": "unit"}


@pytest.mark.parametrize(
    ("rename", "leave_out", "says"),
    [
        ({"nothing": "x"}, (), "has no nothing"),
        ({}, ("lineItems.nothing",), r"has no lineItems\.nothing"),
        ({}, ("id",), "key id cannot be left out"),
        ({"customer.id": "id"}, (), "get one name"),
    ],
)
def test_mistakes_are_named(rename: dict[str, str], leave_out: tuple[str, ...], says: str) -> None:
    """Names that are not the source's, a missing key and two fields of one name are refused."""
    with pytest.raises(ValueError, match=says):
        table_record(SOURCE, "database.orders", rename, leave_out)


@pytest.mark.parametrize("source", [shopify.Order, shopify.Customer, shopify.Product])
def test_shopify_records_have_distinct_columns(source: Record) -> None:
    """Every Shopify record gives a table record without renaming, with as many fields as the source."""
    record = table_record(source, f"database.{source.resource}")
    assert len(list(record.walk())) == len(list(source.walk()))
