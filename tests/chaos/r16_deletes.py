"""R16: what a listing does not show is not deleted: it failed half-way, or it is whole and much smaller."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from practising import Ground
from scenario import Result

from crosswalk.alerts.incidents import Incidents
from crosswalk.connectors import shopify
from crosswalk.console.reconciling import compared
from crosswalk.errors import CrosswalkError
from crosswalk.store import incidents

TITLE = "what a listing does not show is not deleted, and a person is told of it"
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
BINDINGS = ("orders", "orders-to-database")
SHARE = 0.6
CAUSES = ("gone at the source", "not ours")
"""How reconciliation names a document, and a row, that the source does not know any more."""


def run(folder: Path, whole: bool) -> Result:
    """200 orders in the whole size, 15 in the short one; accounting and database targets in both."""
    ground = Ground(folder / "home", f"sqlite:///{folder / 'store.db'}")
    before = shopify.FIRST_PAGE, shopify.LARGEST_PAGE
    shopify.FIRST_PAGE = shopify.LARGEST_PAGE = 20 if whole else 4
    try:
        return _Deletes(ground, 200 if whole else 15).run()
    finally:
        shopify.FIRST_PAGE, shopify.LARGEST_PAGE = before
        ground.close()
        ground.control.clear_faults()


class _Deletes:
    def __init__(self, ground: Ground, orders: int) -> None:
        self.ground, self.orders, self.result = ground, orders, Result()

    def run(self) -> Result:
        ground, result = self.ground.fresh(orders=self.orders), self.result
        ground.whole(2)
        ground.run("orders-to-database")
        held = self._held()
        self._half_way()
        self._same(held, "a listing failed half-way")
        gone = self._smaller()
        self._same(held, f"a listing was {SHARE:.0%} smaller")
        self._told(gone)
        return result

    def _half_way(self) -> None:
        """Everything is read again, and the source answers every page but the first with an error."""
        self.ground.control.add_fault("shopify", "status", status=500, contains='"after":"')
        for binding in BINDINGS:
            ended = self._read_all(binding)
            self.result.must(ended != "", f"{binding}: a listing that failed half-way passed as whole")
        self.result.faults += sum(rule["applied"] for rule in self.ground.control.faults("shopify"))
        self.result.must(self.result.faults > 0, "no page failed")
        self.ground.control.clear_faults()
        self.ground.later(700)

    def _smaller(self) -> list[str]:
        """The source has deleted most orders without a word; everything is read again, three times over."""
        ids = self.ground.control.ids("orders")
        gone = ids[: round(len(ids) * SHARE)]
        for one in gone:
            self.ground.control.delete("orders", one)
        for _ in range(3):
            self.ground.later(700)
            for binding in BINDINGS:
                ended = self._read_all(binding)
                self.result.must(ended == "", f"{binding}: the smaller listing ended with {ended}")
        self.result.faults += len(gone)
        return gone

    def _read_all(self, binding: str) -> str:
        """Read everything again; why that could not be done, or nothing."""
        try:
            account = self.ground.run(binding, since=BEGINNING)
        except CrosswalkError as error:
            return f"{type(error).__name__}: {error.what}"
        self.result.must(account.deleted == 0, f"{binding}: {account.deleted} were deleted")
        return account.stopped

    def _told(self, gone: list[str]) -> None:
        """Reconciliation names what is gone at the source, as an incident a person decides on; once a binding."""
        house = self.ground.house()
        today = house.clock.now().date()
        for binding in BINDINGS:
            found = compared(house, house.settings.binding(binding), date(2026, 1, 1), today, "month")
            named = {d.key for d in found.differences if d.cause in CAUSES}
            delivered = {key for key in gone if key in self._delivered(binding)}
            self.result.must(bool(delivered), f"{binding}: nothing that is gone had been delivered")
            missed = delivered - named
            self.result.must(not missed, f"{binding}: {len(missed)} of {len(delivered)} that are gone are not named")
        opened = [row for row in incidents.listing(house.store, "sandbox") if row.kind == "reconciliation"]
        self.result.must(len(opened) == len(BINDINGS), f"{len(opened)} incidents of {len(BINDINGS)} differences")
        self.ground.control.clear_messages()
        Incidents(house.store, house.settings, house.clock).send_due()
        told = [json.dumps(m["message"]) for m in self.ground.control.messages()]
        self.result.alerts_expected, self.result.alerts_sent = len(BINDINGS), len(told)

    def _delivered(self, binding: str) -> set[str]:
        """The orders that the target holds."""
        if binding == "orders-to-database":
            return {str(row[0]) for row in self._rows()}
        rows = self.ground.records(binding).values()
        return {str(row.key) for row in rows if row.part == "" and row.target_id and row.state == "applied"}

    def _held(self) -> Any:
        """What both targets hold: the books' documents with their status, and the keys of the rows."""
        effects = self.ground.control.effects()
        books = {kind: sorted(json.dumps(one, sort_keys=True, default=str) for one in effects[kind]) for kind in KINDS}
        return books, self._rows()

    def _rows(self) -> list[Any]:
        engine = sa.create_engine(f"sqlite:///{self.ground.folder / 'warehouse.db'}")
        try:
            with engine.connect() as connection:
                return sorted(tuple(row) for row in connection.execute(sa.text("SELECT id FROM orders")))
        finally:
            engine.dispose()

    def _same(self, held: Any, when: str) -> None:
        books, rows = self._held()
        for kind in KINDS:
            lost = len(set(held[0][kind]) - set(books[kind]))
            self.result.lost += lost
            self.result.must(not lost, f"{when}: {lost} {kind} are not as they were")
        self.result.lost += len(set(held[1]) - set(rows))
        self.result.must(rows == held[1], f"{when}: {len(held[1]) - len(rows)} rows are gone")


KINDS = ("contacts", "invoices", "credit_notes", "payments", "allocations")
