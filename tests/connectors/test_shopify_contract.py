"""Every document that the connector sends is valid by the vendor's own schema."""

from __future__ import annotations

from typing import Any

import pytest
from skips import SPECS

from crosswalk.connectors import shopify_check, shopify_documents
from crosswalk.connectors.shopify import SHRINK_AT_MOST, SYSTEM
from crosswalk.schemas.base import Field, Lines

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def vendor() -> Any:
    from graphql import build_schema

    text = (SPECS / "shopify" / "admin_2026-10.graphql").read_text(encoding="utf-8")
    # The vendor's own schema breaks a rule about deprecated fields that graphql-core checks.
    return build_schema(text, assume_valid=True)


def documents() -> dict[str, str]:
    found = {
        "scopes": shopify_documents.SCOPES,
        "customers shown": shopify_documents.CUSTOMERS,
        "shop": shopify_check.SHOP,
    }
    for name, shape in shopify_documents.SHAPES.items():
        if shape.count:
            found[f"{name} counted"] = shopify_documents.counting(shape)
    for resource in SYSTEM.resources.values():
        for shrink in (1, SHRINK_AT_MOST):
            found[f"{resource.name} listed, {shrink}"] = shopify_documents.listing(resource, shrink)
            found[f"{resource.name} by id, {shrink}"] = shopify_documents.nodes(resource, shrink)
        for owner, lines in nested(resource.record.fields):
            found[f"{resource.name} more {'.'.join((*owner, lines.name))}"] = shopify_documents.further(
                resource, owner, lines
            )
    return found


def nested(fields: tuple[Field | Lines, ...], owner: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Lines]]:
    """Every nested connection with the lists it lies in."""
    found = []
    for f in fields:
        if isinstance(f, Lines):
            if f.at.endswith(".nodes"):
                found.append((owner, f))
            found += nested(f.fields, (*owner, f.name))
    return found


@pytest.mark.parametrize("name", documents())
def test_a_document_is_valid(vendor: Any, name: str) -> None:
    """It names only types, fields and arguments that the vendor has, and none that is deprecated."""
    from graphql import NoDeprecatedCustomRule, parse, specified_rules, validate

    errors = validate(vendor, parse(documents()[name]), [*specified_rules, NoDeprecatedCustomRule])
    assert not errors, errors


def test_every_nested_list_has_a_document_to_go_on_with() -> None:
    """Lines, shipping lines, variants and the four lists of a refund."""
    assert len([name for name in documents() if " more " in name]) == 7
