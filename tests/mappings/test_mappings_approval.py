"""What a person signs of the real mappings, what production refuses without it, and tables of a binding's own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import houses
import pytest
from mapping_mutants import mutants, put, table_mutants
from practising import Ground, number
from test_mappings_cases import CUSTOMERS, ORDERS

from crosswalk.console.pages import pages
from crosswalk.errors import NotApproved, TableError
from crosswalk.integration import Integration, find
from crosswalk.mapping import Approved, Example, Mapping, digest, render, require_approved
from crosswalk.mapping.digest import table_names
from crosswalk.mapping.examples import read_examples
from crosswalk.mapping.tables import Tables
from crosswalk.runs import body
from crosswalk.runs.session import Request
from crosswalk.runs.wiring import House
from crosswalk.settings import load
from crosswalk.store import runs
from crosswalk.store.vault import PRACTICE_KEY

PARTS = [m for name in (CUSTOMERS, ORDERS) for m in find(name).parts]
INVOICES = find(ORDERS).parts[0]


def by_target(mapping: Mapping) -> str:
    return mapping.target.name


def signed(mapping: Mapping, overrides: Path | None = None) -> Mapping:
    now = digest(mapping, overrides=overrides)
    return replace(mapping, approved=Approved(by="Anna Visser", on="2026-11-20", digest=now))


def own_table(folder: Path, name: str, *row: str) -> Path:
    """A folder in which this table of the integration has one row more, or another outcome for a key."""
    header, *rows = Tables(INVOICES.tables).read(name).rows()
    keys = header.index("outcome")
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([header, *(r for r in rows if r[:keys] != row[:keys]), row])
    return folder


# the digest


@pytest.mark.parametrize("mapping", PARTS, ids=by_target)
def test_whatever_decides_what_is_written_changes_the_digest(mapping: Mapping) -> None:
    """Every mutant of the rules has a digest of its own."""
    seen = {digest(mapping)}
    made = 0
    for mutant in mutants(mapping, read_examples(mapping)):
        changed = mapping
        for name, value in mutant.fields.items():
            changed = put(changed, name, value)
        seen.add(digest(changed))
        made += 1
    # Two ways to the same wrong declaration are one digest: leaving out one of two, and taking the other alone.
    assert made > 50 and len(seen) > 0.9 * made
    assert all(
        digest(put(mapping, f, ())) != digest(mapping) for f in ("skips", "holds", "guards") if getattr(mapping, f)
    )


@pytest.mark.parametrize("mapping", PARTS, ids=by_target)
def test_every_row_of_a_table_in_use_is_signed(mapping: Mapping, tmp_path: Path) -> None:
    """A row that is dropped or says something else changes the digest of the mappings that use its table."""
    own = digest(mapping)
    digests = [digest(mapping, overrides=home) for _, _, home in table_mutants(mapping, tmp_path)]
    assert own not in digests and len(set(digests)) == len(digests)


def test_a_table_that_is_not_used_is_not_signed(tmp_path: Path) -> None:
    """The gateways' accounts are the payments' affair, and not the invoices'."""
    folder = own_table(tmp_path / "own", "payment_accounts.csv", "klarna", "1010", "paid out weekly")
    changed = {m.target.name for m in PARTS if digest(m) != digest(m, overrides=folder)}
    assert (
        changed
        == {"xero.payments", "xero.refund_payments"}
        == {m.target.name for m in PARTS if "payment_accounts.csv" in table_names(m)}
    )


def test_examples_and_the_signature_itself_are_not_signed() -> None:
    """Another example, or a sign-off, leaves the digest as it is."""
    more = [*INVOICES.examples, Example("one more", expect={"Type": "ACCREC"})]
    assert digest(replace(INVOICES, examples=more)) == digest(signed(INVOICES)) == digest(INVOICES)


@pytest.mark.parametrize("mapping", PARTS, ids=by_target)
def test_only_exactly_what_was_signed_is_approved(mapping: Mapping, tmp_path: Path) -> None:
    """Unsigned, signed, changed since, signed again."""
    with pytest.raises(NotApproved, match="has not been signed off"):
        require_approved(mapping)
    approved = signed(mapping)
    assert require_approved(approved).by == "Anna Visser"
    changed = replace(approved, title=f"{mapping.title} and more")
    with pytest.raises(NotApproved, match="has changed since Anna Visser signed it off on 2026-11-20"):
        require_approved(changed)
    assert "Changed since Anna Visser signed off" in render(changed) and "Signed off by Anna Visser" in render(approved)
    assert "Not signed off." in render(mapping)


# production


@pytest.fixture
def production(sqlite_ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ground, House]]:
    """The business, with both systems connected as production and a first plan that was approved."""
    ground = sqlite_ground.fresh("part_paid", "refund_part", options='start = "2026-01-01T00:00:00Z"')
    file = ground.folder / "crosswalk.toml"
    file.write_text(file.read_text().replace("system =", 'environment = "production"\nsystem ='))
    monkeypatch.setenv("CROSSWALK_STORE", ground.store_url)
    monkeypatch.setenv("CROSSWALK_KEY", PRACTICE_KEY)
    house = House(load(ground.folder, "production"), ground.clock, durable=False)
    houses.consent(house, ground._started)
    yield ground, house
    house.close()


def plan_approved(house: House) -> None:
    for name in ("customers", "orders"):
        runs.propose(house.store, name, house.settings.binding(name).scope, "d", {})
        runs.approve(house.store, name, "Anna Visser")


def run(house: House, binding: str, integration: Integration) -> Any:
    return body.run(house.session(binding, Request(), integration=integration))


def approved(name: str, overrides: Path | None = None) -> Integration:
    found = find(name)
    return replace(found, parts=tuple(signed(m, overrides) for m in found.parts))


def test_production_refuses_the_mappings_until_they_are_signed(production: tuple[Ground, House]) -> None:
    """Without a plan, and then without a signature, nothing is read or written; signed, the books agree."""
    ground, house = production
    for name in ("customers", "orders"):
        integration = house.settings.binding(name).integration
        with pytest.raises(NotApproved, match="first plan"):
            run(house, name, approved(integration))
    plan_approved(house)
    for name in ("customers", "orders"):
        with pytest.raises(NotApproved, match="has not been signed off") as refused:
            run(house, name, find(house.settings.binding(name).integration))
        assert "nothing was written" in str(refused.value) and digest(
            find(house.settings.binding(name).integration).parts[0]
        ) in str(refused.value)
    counts = ground.control.counts()
    assert (counts["shopify"]["total"], counts["xero"]["total"]) == (0, 0)
    for name in ("customers", "orders"):
        run(house, name, approved(house.settings.binding(name).integration))
    assert ground.verdict() == [] and ground.invoices()


def test_production_refuses_one_part_that_changed(production: tuple[Ground, House]) -> None:
    """One mapping of five that was changed after its signature stops all of them."""
    ground, house = production
    plan_approved(house)
    parts = approved(ORDERS).parts
    last = parts[-1]
    changed = replace(approved(ORDERS), parts=(*parts[:-1], replace(last, skips=last.skips[1:], examples=())))
    with pytest.raises(NotApproved, match="taken off the Xero invoice' has changed since"):
        run(house, "orders", changed)
    assert ground.control.counts()["xero"]["total"] == 0


def test_production_refuses_a_table_that_changed(production: tuple[Ground, House]) -> None:
    """A binding's own table is signed with the rules: another row in it needs another signature."""
    ground, house = production
    plan_approved(house)
    folder = own_table(ground.folder / "own", "tax_types.csv", "FR", "0.20", "TAX003", "as agreed with the accountant")
    binding = replace(house.settings.binding("orders"), tables=folder)
    house.settings = replace(house.settings, bindings={**house.settings.bindings, "orders": binding})
    with pytest.raises(NotApproved, match="Xero sales invoices' has changed since"):
        run(house, "orders", approved(ORDERS))
    run(house, "customers", approved(CUSTOMERS))
    run(house, "orders", approved(ORDERS, folder))
    assert ground.verdict() == []


# tables of a binding's own


def test_a_bindings_own_table_is_used_and_shown(sqlite_ground: Ground) -> None:
    """A gateway that nobody had placed is placed by the binding's table: the held payment follows by itself, and the
    binding has a page of its own with the table and its digest."""
    ground = sqlite_ground.fresh("gateway_unknown", options='tables = "own"')
    (ground.folder / "own").mkdir()
    ground.whole()
    (held,) = [h for h in ground.held() if "/Order/" in h.key]
    assert held.rule == "Account.Code" and ground.payments() == []
    own_table(ground.folder / "own", "payment_accounts.csv", "klarna", "1010", "paid out weekly")
    ground.later().run("orders")
    assert [p["account"] for p in ground.payments()] == ["1010"]
    assert [h for h in ground.held() if number(h.key) == number(held.key)] == []
    payments = find(ORDERS).parts[1]
    found = pages(load(ground.folder, "sandbox"))
    folder = ground.folder / "docs" / "mappings"
    own = found[folder / "shopify-transactions-become-xero-payments-for-orders.md"]
    assert "| klarna | 1010 | paid out weekly |" in own
    assert digest(payments, overrides=ground.folder / "own") in own and digest(payments) not in own
    assert digest(payments) in found[folder / "shopify-transactions-become-xero-payments.md"]


def test_a_table_that_a_spreadsheet_has_damaged_stops_the_run(sqlite_ground: Ground) -> None:
    """Nothing is sent, and the error names file, line and column."""
    ground = sqlite_ground.fresh(orders=1, options='tables = "own"')
    own_table(ground.folder / "own", "tax_types.csv", "NL", "0,21", "TAX001", "as saved with a Dutch spreadsheet")
    with pytest.raises(TableError, match=r"tax_types\.csv, line 13.*'rate'.*0,21"):
        ground.run("orders")
    assert ground.wrote() == {}


def test_every_field_of_a_mapping_is_signed_or_named_here() -> None:
    """A field that is added to the language is signed, or stands here with the reason."""
    from crosswalk.mapping.digest import SIGNED

    unsigned = {
        "examples": "they are tests",
        "base": "it belongs to the examples",
        "approved": "it is the signature",
        "tables": "a folder; its rows are signed",
        "built": "made from the others",
    }
    assert {f.name for f in fields(Mapping)} == {*SIGNED, *unsigned}
