"""What the store tells of a failing binding, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from crosswalk.alerts.impact import impact, newly_held
from crosswalk.clock import SharedClock
from crosswalk.delivery import plan
from crosswalk.delivery.plan import Chunk, Seen
from crosswalk.store import held, runs
from crosswalk.store.engine import Store
from crosswalk.store.held import Hold
from crosswalk.store.ledger import Name, Wanted
from crosswalk.store.vault import PRACTICE_KEY, Vault

SCOPE = "sandbox/orders/a/b"


@pytest.fixture
def store(database_url: str, clock: SharedClock) -> Iterator[Store]:
    opened = Store(database_url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open(migrate=True)
    yield opened
    opened.close()


def ran(store: Store, clock: SharedClock, run: str, state: str = "", dry_run: bool = False) -> None:
    clock.advance(60)
    runs.begin(store, run, SCOPE, "orders", flow_run_id="", since=None, until=None, dry_run=dry_run)
    if state:
        clock.advance(60)
        runs.end(store, run, state, {})


def hold(
    store: Store, clock: SharedClock, run: str, *keys: str, rule: str = "tax type", by_person: bool = False
) -> None:
    rows = [Hold(key, "", "transform", rule, "TaxType", "no tax type", by_person=by_person) for key in keys]
    with store.transaction("test") as connection:
        held.put(connection, store, SCOPE, run, rows, clock.now())


def warned(store: Store, run: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    found = newly_held(store, SCOPE, run, binding="orders", environment="sandbox")
    return {one.rule: (one.count, one.keys) for one in found}


def test_rows_money_and_since_when(store: Store, clock: SharedClock) -> None:
    """Waiting records by state, their amounts by resource, the first failure after the last good run."""
    ran(store, clock, "good", "completed")
    good = clock.now()
    ran(store, clock, "bad1", "failed")
    ran(store, clock, "dry", "failed", dry_run=True)
    ran(store, clock, "bad2", "failed")
    invoices = [
        Wanted(Name(str(n), ""), "xero.invoices", 0, "shopify.orders", str(n), "", "1", f"h{n}", "{}", "d",
               expects={"Total": Decimal("10.10")})
        for n in range(3)
    ]  # fmt: skip
    payment = Wanted(
        Name("1", "payment:1"), "xero.payments", 1, "shopify.orders", "1#p", "", "1", "hp", '{"Amount": 4.05}', "d"
    )
    with store.transaction("test") as connection:
        plan.commit(connection, store, SCOPE, "bad2", Chunk(wanted=[*invoices, payment]), Seen(), clock.now())
    found = impact(store, SCOPE, "EUR")
    assert found.rows == (("pending", 4),)
    assert found.money == (("invoices", Decimal("30.30"), "EUR"), ("payments", Decimal("4.05"), "EUR"))
    assert (found.failures, found.last_good) == (2, good)
    assert found.since is not None and (found.since - good).total_seconds() == 60


def test_held_rows_warn_once(store: Store, clock: SharedClock) -> None:
    """A row warns in the run that held it first, not again while it stays held."""
    ran(store, clock, "one")
    hold(store, clock, "one", "1", "2", "3", "4", "5", "6", "7")
    assert warned(store, "one") == {"tax type": (7, ("1", "2", "3", "4", "5"))}
    runs.end(store, "one", "completed", {})
    ran(store, clock, "two")
    hold(store, clock, "two", "1", "8")
    assert warned(store, "two") == {"tax type": (1, ("8",))}


def test_a_released_row_that_is_held_again_warns_again(store: Store, clock: SharedClock) -> None:
    """What was mended and broke again is news."""
    ran(store, clock, "one", "completed")
    hold(store, clock, "one", "1")
    with store.transaction("test") as connection:
        held.close(connection, SCOPE, [("1", "")])
    ran(store, clock, "two")
    hold(store, clock, "two", "1")
    assert warned(store, "two") == {"tax type": (1, ("1",))}


def test_rows_held_by_a_killed_run_are_not_forgotten(store: Store, clock: SharedClock) -> None:
    """A run that was killed could not warn; the next one does it, and only that one."""
    ran(store, clock, "zero", "completed")
    ran(store, clock, "killed")
    hold(store, clock, "killed", "1")
    ran(store, clock, "next", "completed")
    hold(store, clock, "next", "2", rule="required")
    assert warned(store, "next") == {"required": (1, ("2",)), "tax type": (1, ("1",))}
    ran(store, clock, "later")
    assert warned(store, "later") == {}


def test_a_persons_decisions_are_marked(store: Store, clock: SharedClock) -> None:
    """Rows that a value table holds on purpose are said to be so."""
    ran(store, clock, "one")
    hold(store, clock, "one", "1", by_person=True)
    (warning,) = newly_held(store, SCOPE, "one", binding="orders", environment="sandbox")
    assert warning.by_person and "a person's decision" in warning.message("x").plain()
