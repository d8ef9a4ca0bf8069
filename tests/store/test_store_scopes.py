"""Bindings, environments and accounts never see each other's rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from practising import Ground
from sqlalchemy import select

from crosswalk.store.tables import BATCH, CURSOR, HELD, LEASE, LINK, MEMBER, METADATA, RECORD, RUN

CASES = ("part_paid", "refund_mixed", "guest", "bad_date", "pending")
SCOPED = (RECORD, BATCH, MEMBER, HELD, CURSOR, RUN, LEASE)


def second(ground: Ground, account: str, prefix: str) -> None:
    """Another shop in the same folder, bound to the same books."""
    file = ground.folder / "crosswalk.toml"
    toml = file.read_text()
    own = toml[toml.index("[connections.shop]") : toml.index("[connections.books]")]
    own = own.replace("connections.shop", "connections.second").replace("practice-shop.myshopify.com", account)
    toml = toml.replace("[connections.books]", own.replace('"S1"', f'"{prefix}"') + "[connections.books]", 1)
    for name, integration in (("customers", "shopify_customers_to_xero_contacts"),
                              ("orders", "shopify_orders_to_xero_invoices")):  # fmt: skip
        toml += f'\n[bindings.second-{name}]\nintegration = "{integration}"\nsource = "second"\ntarget = "books"\n'
    file.write_text(toml)


def everything(ground: Ground, but: str = "/second") -> dict[str, list[Any]]:
    """Every row of the store whose scope does not hold this text."""
    with ground.house().store.reading() as connection:
        found = {t.name: [tuple(r) for r in connection.execute(select(t)) if but not in str(r.scope)] for t in SCOPED}
        found["link"] = [tuple(r) for r in connection.execute(select(LINK)) if but not in r.source]
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


def test_a_second_shop_changes_no_row_of_the_first(ground: Ground) -> None:
    """The same orders through another account: its own ledger, cursor, links and held rows, and its own invoices."""
    ground.fresh(*CASES)
    ground.whole()
    before, invoices = everything(ground), ground.invoices()
    second(ground, "second-shop.myshopify.com", "S2")
    ground.run("second-customers")
    ground.run("second-orders")
    assert everything(ground) == before
    assert {n: i for n, i in ground.invoices().items() if n.startswith("S1")} == invoices
    assert {n.removeprefix("S2-") for n in ground.invoices() if n.startswith("S2")} == {
        n.removeprefix("S1-") for n in invoices
    }
    assert ground.verdict() == []
    assert len(ground.records("second-orders")) == len(ground.records("orders"))


def test_another_account_behind_the_same_name_begins_an_empty_ledger(ground: Ground) -> None:
    """Pointing a connection at another account makes another scope: nothing is unchanged there that was never sent."""
    ground.fresh(*CASES)
    ground.whole()
    file = ground.folder / "crosswalk.toml"
    file.write_text(file.read_text().replace("practice-shop.myshopify.com", "moved-shop.myshopify.com"))
    ground.close()
    account = ground.run("orders")
    assert account.unchanged == 0
    assert account.parked == account.parts - account.skipped - account.held


def test_every_key_of_the_store_begins_with_scope_or_account(ground: Ground) -> None:
    """No table of business rows can be read without saying whose; those of alerts say of which environment."""
    of_the_house = {"meta", "alert_channel", "audit", "overtaken"}  # of the store, a channel, a person, a run
    for table in METADATA.sorted_tables:
        if table.name not in of_the_house:
            names = {c.name for c in table.c}
            assert names & {"scope", "connection", "source", "environment", "incident"}, table.name


def test_environments_are_part_of_scope_and_connection(ground: Ground) -> None:
    """The same binding in another environment has other keys throughout, and so has every reference of its links."""
    ground.fresh("pending")
    binding = ground.house().settings.binding("orders")
    staging = replace(
        binding,
        source=replace(binding.source, environment="staging"),
        target=replace(binding.target, environment="staging"),
    )
    assert staging.scope != binding.scope and staging.source.key != binding.source.key
    assert {staging.scope.partition("/")[0], staging.source.key.partition("/")[0]} == {"staging"}
