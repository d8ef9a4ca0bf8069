"""The pages of the real mappings say everything that is declared, in words that a business reviewer can follow."""

from __future__ import annotations

import re

import pytest

from crosswalk.integration import find
from crosswalk.mapping import Lines, Mapping, Rule, Term, render
from crosswalk.mapping.digest import table_names, verbs
from crosswalk.mapping.tables import Tables

PARTS = [
    m
    for name in (
        "shopify_customers_to_xero_contacts",
        "shopify_orders_to_xero_invoices",
        "shopify_orders_to_database",
    )
    for m in find(name).parts
]


def by_target(mapping: Mapping) -> str:
    return mapping.target.name


def section(page: str, title: str) -> str:
    """What stands under a heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("mapping", PARTS, ids=by_target)
def test_the_page_names_every_declaration_with_its_reason(mapping: Mapping) -> None:
    """Skips, holds, removals, checks, answers, waits, guards, rules, table rows and examples stand on the page."""
    page = render(mapping)
    sections = {
        "skips": "Left out", "holds": "Held", "removes": "Removed", "checks": "Checks", "waits": "Waits",
        "guards": "Guards",
    }  # fmt: skip
    for kind, title in sections.items():
        for declared in getattr(mapping, kind):
            row = next(r for r in section(page, title).splitlines() if r.startswith(f"| {declared.name} |"))
            assert row.endswith(f"| {declared.why} |") and len(row.split(" | ")) >= 3
    for confirm in mapping.confirms:
        assert f"| `{confirm.target}` of the answer |" in section(page, "Checks") and confirm.why in page
    for declared in verbs(mapping):
        if isinstance(declared, Rule | Lines):
            assert f"`{declared.target}`" in page or f"{declared.target}: one from" in page
            assert declared.why in page
    for name in table_names(mapping):
        for row in Tables(mapping.tables).read(name).rows():
            assert f"| {' | '.join(row)} |" in section(page, f"Table {name}")
    for example in mapping.examples:
        assert f"| {example.name} |" in section(page, "Examples")


def test_guards_and_waits_say_what_they_look_at() -> None:
    """The reviewer reads when an edit is held and what a credit note waits for, without reading code."""
    invoices, _, credits, *_ = find("shopify_orders_to_xero_invoices").parts
    guard = "| an edit of a paid invoice | Money or a credit is booked against the invoice. | money is booked against"
    assert guard in section(render(invoices), "Guards")
    wait = "| the invoice of its order | the xero.invoices record that `^.id` of shopify.orders became |"
    assert wait in section(render(credits), "Waits")
    assert "Money was paid out for it, or it was taken off an invoice." in section(render(credits), "Guards")


@pytest.mark.parametrize("mapping", PARTS, ids=by_target)
def test_the_page_is_in_words(mapping: Mapping) -> None:
    """No Python shows through, every term in italics is explained, and no rule is a wall of text."""
    page = render(mapping).replace("\n\nNone.\n", "")
    for code in ("Decimal(", "None", "True", "False", "{'", "[{", "frozenset", "dataclass", "<function", "gid="):
        assert code not in page, code
    terms = {v.name for v in verbs(mapping) if isinstance(v, Term)}
    explained = section(page, "Terms")
    assert all(f"| *{term}* |" in explained for term in terms)
    assert set(re.findall(r"\*([a-z][a-z ]+)\*", page)) <= terms | {"italics"}
    rules = page.partition("\n## Table ")[0].partition("\n## Examples")[0]
    cells = [cell for row in rules.splitlines() if row.startswith("|") for cell in row.split(" | ")]
    assert max(map(len, cells)) < 310


def test_an_example_shows_what_differs_and_nothing_else() -> None:
    """Given is laid over the usual record, so that a reviewer sees at a glance what the case is about."""
    invoices = find("shopify_orders_to_xero_invoices").parts[0]
    page = render(invoices)
    assert "| a guest | `customer` is empty | `Contact.ContactID` = `guests` |" in page
    assert "| a test order | `test` is yes | left out by `test order` |" in page
    assert (
        "| DE at 0.19 | `shippingAddress.countryCodeV2` = `DE`<br>`totalPriceSet.shopMoney.amount` = `19.95`<br>"
        "`lineItems[0].taxLines[0].rate` = `0.19`<br>`shippingLines` is empty | `LineItems[0].TaxType` = `TAX004` |"
    ) in page
    usual = section(page, "The usual record")
    assert "`lineItems[0].taxLines[0].rate` = `0.09`" in usual and "`totalPriceSet.shopMoney.amount` = `24.90`" in usual
    contacts = render(find("shopify_customers_to_xero_contacts").parts[0])
    assert "`Name`, if that is taken, = `Anna Visser (77)`" in contacts
