"""Both systems read afresh: what was never read, and what a person did at the target behind our back, is found."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from practising import Ground, first

from crosswalk.connectors import xero_listing
from crosswalk.connectors.base import Item, Page, Window
from crosswalk.connectors.xero import Xero
from crosswalk.console.reconciling import compared
from crosswalk.errors import FilterIgnored
from crosswalk.http.answer import SAFE
from crosswalk.runs import balance, reconciled
from crosswalk.runs.balance import Balance
from crosswalk.runs.extract import Extraction
from crosswalk.runs.reconcile import reconcile
from crosswalk.runs.wiring import House
from crosswalk.store import incidents

FIRST, PAST = date(2026, 1, 1), date(2026, 12, 1)
MIXED = ("part_paid", "two_payments", "refund_part", "bad_date", "test_order", "pending", "guest", "status_expired")


def compare(ground: Ground, binding: str = "orders", begin: date = FIRST, past: date = PAST) -> Balance:
    return reconcile(ground.session(binding), begin, past)


def causes(found: Balance) -> list[tuple[str, str]]:
    return sorted((d.cause, d.resource) for d in found.differences)


def edit(ground: Ground, resource: str, **fields: Any) -> None:
    ground.clock.advance(5)
    ground.control.call("xero.edit", resource, fields)


def deleted(ground: Ground, payment: str) -> None:
    """Somebody deletes a payment."""
    target = ground.session().target
    going = target.freeze("xero.payments", "remove", [Item("", "", {}, payment)])
    target.send("xero.payments", "remove", going, key="by hand", repeat=SAFE)


def test_books_that_agree_have_no_difference(ground: Ground) -> None:
    """After two runs source = delivered + held + left out for every binding, with held and skipped records in it."""
    ground.fresh(*MIXED, orders=12).whole(2)
    ground.run("orders-to-database")
    for binding in ("customers", "orders", "orders-to-database"):
        found = compare(ground, binding)
        assert found.clean, (found.differences, [line for line in found.lines.values() if line.difference.money])
        assert found.read and sum(line.target.count for line in found.lines.values())
    lines = list(compare(ground).lines.values())
    assert sum(line.held.count for line in lines) and any("test order" in line.skipped for line in lines)
    assert {line.tax for line in lines} >= {"TAX001", "TAX002"}


@pytest.mark.parametrize("binding", ["orders", "orders-to-database"])
def test_a_page_that_the_extractor_drops_is_found(
    sqlite_ground: Ground, monkeypatch: pytest.MonkeyPatch, binding: str
) -> None:
    """A run whose second page was lost before it was counted balances; each of its records is named as never read."""
    ground = sqlite_ground.fresh("pending", orders=14)
    ground.run("customers")
    read, dropped = Extraction._list, []

    def short(self: Extraction) -> list[bytes]:
        page = read(self)
        if self.done and self.session.resource == "shopify.orders":
            dropped.extend(page)
            return []
        return page

    with monkeypatch.context() as patch:
        patch.setattr(Extraction, "_list", short)
        patch.setattr(type(ground.session().source), "_count", lambda *_: None)
        ground.run(binding)
    found = compare(ground, binding)
    main = [d for d in found.differences if d.part == ""]
    assert len(main) == len(dropped) > 0 and {d.cause for d in found.differences} == {balance.NEVER}


def test_a_filter_that_leaves_out_too_much_is_found(sqlite_ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that the source's filter hides from a run are named, although the cursor has passed them."""
    ground = sqlite_ground.fresh("pending", orders=8)
    ground.run("customers")
    source = type(ground.session().source)
    read = source.read

    def narrow(self: Any, resource: str, window: Window, resume: str | None = None) -> Any:
        for page in read(self, resource, window, resume):
            yield Page([r for r in page.records if b'"fulfillment' in r and hash(r) is None], page.resume, None,
                       page.vendor_now, page.window)  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(source, "read", narrow)
        ground.run()
    found = compare(ground)
    assert len([d for d in found.differences if d.resource == "xero.invoices"]) == 8
    assert {d.cause for d in found.differences} == {balance.NEVER}


def test_a_target_that_ignores_the_filter_is_not_believed(
    sqlite_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing with records of other days raises, instead of calling them nobody's."""
    ground = sqlite_ground.fresh("pending", orders=6)
    ground.whole()
    get = Xero.get

    def all_of_them(self: Xero, path: str, params: Any = (), *rest: Any, **more: Any) -> Any:
        return get(self, path, [p for p in params if p[0] != "where"], *rest, **more)

    monkeypatch.setattr(Xero, "get", all_of_them)
    with pytest.raises(FilterIgnored):
        compare(ground, past=date(2026, 8, 1))


def test_what_a_person_did_at_the_target_is_named(sqlite_ground: Ground) -> None:
    """An edit, a change of the date, a void, a deleted payment and an invoice of somebody else: each with its cause."""
    ground = sqlite_ground.fresh("pending", "pending", "pending", "two_payments")
    ground.whole(2)
    assert compare(ground).clean
    payment = first(ground.payments())
    edited, moved, voided = [i for i in ground.invoices().values() if i["status"] == "AUTHORISED"][:3]
    edit(ground, "Invoices", InvoiceID=edited["id"], Reference="by hand")
    edit(ground, "Invoices", InvoiceID=moved["id"], Date="2026-12-24", DueDate="2026-12-24")
    edit(ground, "Invoices", InvoiceID=voided["id"], Status="VOIDED")
    deleted(ground, payment["id"])
    stranger = {"Description": "a desk", "Quantity": 1, "UnitAmount": 50, "AccountCode": "4000", "TaxType": "TAX001"}
    edit(ground, "Invoices", Type="ACCREC", Contact={"Name": "Somebody"}, Date="2026-11-02", DueDate="2026-11-30",
         LineItems=[stranger], Status="AUTHORISED")  # fmt: skip
    found = compare(ground)
    assert causes(found) == [
        (balance.CHANGED, "xero.invoices"), (balance.CHANGED, "xero.invoices"), (balance.DELETED, "xero.invoices"),
        (balance.DELETED, "xero.payments"), (balance.FOREIGN, "xero.invoices"),
    ]  # fmt: skip
    details = {(d.cause, d.target_id): d.detail for d in found.differences}
    assert "Reference is by hand instead of" in details[balance.CHANGED, edited["id"]]
    assert details[balance.CHANGED, moved["id"]].startswith("Date is")
    assert "VOIDED" in details[balance.DELETED, voided["id"]]
    assert not found.clean and not compare(ground, past=PAST + timedelta(days=60)).clean


def test_what_waits_is_told_from_what_was_never_read(sqlite_ground: Ground) -> None:
    """An order that changed after the last run is queued, and not a loss."""
    ground = sqlite_ground.fresh("pending")
    ground.whole(2)
    [order] = ground.orders()
    ground.control.edit("orders", order["id"], {"name": "#other"})
    [one] = compare(ground).differences
    assert one.cause == balance.QUEUED and "the next run reads it" in one.detail
    ground.later()
    ground.run()
    assert compare(ground).clean


def test_rows_of_a_database_are_compared_by_what_they_hold(sqlite_ground: Ground) -> None:
    """A value that was edited, a row that was deleted and one that somebody put in are found; the hash is not asked."""
    ground = sqlite_ground.fresh("pending", orders=5)
    ground.run("orders-to-database")
    assert compare(ground, "orders-to-database").clean
    one, two = [o["id"] for o in ground.orders()[:2]]
    engine = sa.create_engine(f"sqlite:///{ground.folder / 'warehouse.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE orders SET name = 'by hand' WHERE id = ?", (one,))
        columns = [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(orders)")]
        names = ", ".join(f'"{c}"' for c in columns)
        values = ", ".join("'strange'" if c == "id" else f'"{c}"' for c in columns)
        connection.exec_driver_sql(f"INSERT INTO orders ({names}) SELECT {values} FROM orders WHERE id = ?", (one,))
        connection.exec_driver_sql("DELETE FROM orders WHERE id = ?", (two,))
    engine.dispose()
    found = compare(ground, "orders-to-database")
    named = {d.key: d.cause for d in found.differences}
    assert named == {one: balance.CHANGED, two: balance.NEVER, "strange": balance.FOREIGN}


def test_a_difference_is_an_incident_until_the_days_agree(sqlite_ground: Ground) -> None:
    """It is opened once, stays through a clean month beside it, and ends when its own days agree."""
    ground = sqlite_ground.fresh("pending")
    ground.whole(2)
    house = ground.house()
    bound = house.settings.binding("orders")
    [invoice] = ground.invoices().values()
    edit(ground, "Invoices", InvoiceID=invoice["id"], Reference="by hand")
    for _ in range(2):
        assert not compared(house, bound, FIRST, PAST, "month").clean
    [row] = incidents.listing(house.store, "sandbox")
    assert row.kind == "reconciliation" and row.binding == "orders" and row.occurrences == 2
    assert "1 changed at the target" in row.message
    assert compared(house, bound, date(2026, 1, 1), date(2026, 2, 1), "day").clean
    assert incidents.listing(house.store, "sandbox")
    [order] = ground.orders()
    edit(ground, "Invoices", InvoiceID=invoice["id"], Reference=order["name"])
    assert compared(house, bound, date(2025, 12, 1), PAST, "month").clean
    assert not incidents.listing(house.store, "sandbox")


def test_a_period_is_compared_once_when_it_is_over(sqlite_ground: Ground) -> None:
    """A binding that declares it is due for yesterday two hours into the day, and once."""
    ground = sqlite_ground.fresh("pending", options='reconcile = "day"')
    ground.whole(2)
    house = ground.house()
    bound = house.settings.binding("orders")
    due = reconciled.due(house.store, bound, ground.clock.now())
    assert due is not None and (due.first, due.past) == (date(2026, 11, 22), date(2026, 11, 23))
    told, wrong = _upkeep(house)
    assert not wrong and len(told) == 2 and all("2026-11-22 to 2026-11-23: both systems agree" in line for line in told)
    assert _upkeep(house) == ([], [])
    again = reconciled.due(house.store, bound, ground.clock.now() + timedelta(days=1))
    assert again is not None and again.first == date(2026, 11, 23)


def _upkeep(house: House) -> tuple[list[str], list[str]]:
    from flows import upkeep

    words: list[str] = []
    wrong: list[str] = []
    upkeep.reconcile(house, words, wrong)
    return words, wrong


def test_the_amounts_of_a_document_by_tax_code() -> None:
    """What is sent and what is shown give the same, with tax in the lines and beside them."""
    line = {"Quantity": 2, "UnitAmount": "10.00", "DiscountAmount": "1.00", "TaxType": "TAX001", "TaxAmount": "3.99"}
    shown = {"LineAmount": "19.00", "TaxType": "TAX001", "TaxAmount": "3.99"}
    for how, total in (("Inclusive", "19.00"), ("Exclusive", "22.99")):
        for one in (line, shown):
            found = xero_listing.by_tax({"LineAmountTypes": how, "LineItems": [one]})
            assert str(found["TAX001"]) == total
