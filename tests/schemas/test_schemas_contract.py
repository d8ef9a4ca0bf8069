"""The declared records against the vendors' own schemas."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from graphql import GraphQLSchema, build_schema, get_named_type, is_list_type, is_non_null_type
from skips import SPECS

from crosswalk.schemas import shopify, xero
from crosswalk.schemas.base import BOOLEAN, INSTANT, INTEGER, Field, Lines, Record

pytestmark = pytest.mark.contract

SCALARS = {
    "String": "string",
    "ID": "string",
    "DateTime": "string",
    "Decimal": "string",
    "Money": "string",
    "UnsignedInt64": "string",
    "CurrencyCode": "string",
    "CountryCode": "string",
    "Float": "number",
    "Int": "number",
    "Boolean": "bool",
}


@cache
def graphql() -> GraphQLSchema:
    return build_schema((SPECS / "shopify" / "admin_2026-10.graphql").read_text(), assume_valid=True)


@cache
def openapi() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (SPECS / "xero" / "xero_accounting.yaml").read_text()
    return dict(yaml.load(text, Loader=loader)["components"]["schemas"])


def walk(fields: tuple[Field | Lines, ...], parent: str = "") -> Iterator[tuple[str, Field | Lines]]:
    """Every field and list with its whole wire path."""
    for field in fields:
        yield parent + field.at, field
        if isinstance(field, Lines):
            yield from walk(field.fields, f"{parent}{field.at}.")


def graphql_type(start: str, path: str) -> tuple[Any, bool]:
    """The type at the end of a path, and whether everything on the way is never null."""
    here: Any = graphql().type_map[start]
    sure = True
    for name in path.split("."):
        here = get_named_type(here).fields[name].type
        sure = sure and is_non_null_type(here)
    return here, sure


@pytest.mark.parametrize(
    ("record", "start"), [(shopify.Order, "Order"), (shopify.Customer, "Customer"), (shopify.Product, "Product")]
)
def test_shopify_fields_exist_with_their_kind(record: Record, start: str) -> None:
    """Every path is in the vendor's schema, arrives as the declared JSON kind, and enumerations are complete."""
    for path, field in walk(record.fields):
        found, _ = graphql_type(start, path)
        bare = found.of_type if is_non_null_type(found) else found
        assert is_list_type(bare) == isinstance(field, Lines), path
        if isinstance(field, Lines):
            continue
        named = get_named_type(found)
        if hasattr(named, "values"):
            assert field.wire_kind == "string", path
            assert not field.values or set(field.values) == set(named.values), path
        else:
            assert SCALARS[named.name] == field.wire_kind, path
            assert (field.type == INSTANT) == (named.name == "DateTime"), path
            assert (field.type == BOOLEAN) == (named.name == "Boolean"), path
            assert named.name != "Int" or field.type == INTEGER, path


@pytest.mark.parametrize(
    ("record", "start"), [(shopify.Order, "Order"), (shopify.Customer, "Customer"), (shopify.Product, "Product")]
)
def test_shopify_requires_nothing_that_may_be_null(record: Record, start: str) -> None:
    """A field is required only where the vendor promises it; what it allows to be null would hold good records."""
    for path, field in walk(record.fields):
        if field.required:
            # The list itself is judged by its own entry, so only the part inside the element counts here.
            _, sure = graphql_type(start, path)
            owner = [p for p, f in walk(record.fields) if isinstance(f, Lines) and path.startswith(f"{p}.")]
            inside = graphql_type(start, max(owner, key=len))[0] if owner else None
            if inside is not None:
                rest = path[len(max(owner, key=len)) + 1 :]
                _, sure = graphql_type(get_named_type(inside).name, rest)
            assert sure, path


def test_shopify_lists_that_cannot_be_paged_have_a_limit() -> None:
    """A list that takes ``first`` and gives no pages is held when it comes as long as that; no other is."""
    for path, field in walk(shopify.Order.fields):
        if isinstance(field, Lines) and not path.endswith(".nodes"):
            parent, _, name = path.rpartition(".")
            owner = get_named_type(graphql_type("Order", parent)[0]) if parent else graphql().type_map["Order"]
            assert ("first" in owner.fields[name].args) == (field.whole_below is not None), path


XERO = [
    (xero.Contact, "Contact"),
    (xero.Invoice, "Invoice"),
    (xero.CreditNote, "CreditNote"),
    (xero.Payment, "Payment"),
    (xero.RefundPayment, "Payment"),
    (xero.Allocation, "Allocation"),
]


def openapi_property(start: str, path: str) -> dict[str, Any]:
    """A property of a schema, references and arrays followed."""
    found: dict[str, Any] = {"$ref": f"#/components/schemas/{start}"}
    for name in path.split("."):
        inner = found.get("items", found)
        found = openapi()[inner["$ref"].rpartition("/")[2]]["properties"][name]
    return found


@pytest.mark.parametrize(("record", "start"), XERO, ids=[record.name for record, _ in XERO])
def test_xero_fields_exist_with_their_kind_and_length(record: Record, start: str) -> None:
    """Every path is in the vendor's specification; numbers are numbers, dates dates, and no length is exceeded."""
    kinds = {"string": "string", "number": "number", "boolean": "bool"}
    for path, field in walk(record.fields):
        found = openapi_property(start, path)
        if isinstance(field, Lines):
            assert found["type"] == "array", path
            continue
        assert kinds[found.get("type", "string")] == field.wire_kind, path
        if "maxLength" in found:
            # Only what we write has to fit.
            assert field.read_only or field.max_length == found["maxLength"], path
        if found.get("x-is-msdate"):
            assert field.format == "xero", path
        if found.get("readOnly"):
            assert field.read_only or "." in path, path


@pytest.mark.parametrize(("record", "start"), XERO, ids=[record.name for record, _ in XERO])
def test_xero_ignores_only_what_exists(record: Record, start: str) -> None:
    """What is passed over in silence is in the specification, or said beside it in the vendor's documents."""
    beside = {"HasErrors", "HasValidationErrors", "HasAttachments", "Warnings", "ValidationErrors", "DateString",
              "DueDateString", "StatusAttributeString", "HasAccount", "LineItems.ValidationErrors", "SentToContact",
              "IsDiscounted", "TotalDiscount", "UpdatedDateUTCString"}  # fmt: skip
    for path in set(record.ignores) - beside:
        assert openapi_property(start, path), path
