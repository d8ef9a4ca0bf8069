"""Cursors, links and the quarantine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from crosswalk.clock import SharedClock
from crosswalk.errors import Fenced, StoreError
from crosswalk.store import cursors, held, ledger, links
from crosswalk.store.cursors import Position
from crosswalk.store.engine import Store
from crosswalk.store.held import Hold
from crosswalk.store.ledger import PARENT, Name
from crosswalk.store.links import Parent
from crosswalk.store.tables import HELD, RECORD

SCOPE, ORDERS = "sandbox/orders/a/b", "shopify.orders"
ANN = Parent("sandbox/shop/a", "shopify.customers", "1", "sandbox/books/b", "xero.contacts")
BOB = Parent("sandbox/shop/a", "shopify.customers", "2", "sandbox/books/b", "xero.contacts")


def move(store: Store, position: Position, value: datetime) -> Position:
    with store.transaction("test") as connection:
        return cursors.move(connection, SCOPE, ORDERS, position, value, store.clock.now())


def test_a_cursor_moves_only_from_where_it_stands(store: Store, clock: SharedClock) -> None:
    """Compare and set: who moves from an older position is fenced, and the newer one stands."""
    start = cursors.read(store, SCOPE, ORDERS)
    assert start == Position(None, 0)
    one = move(store, start, clock.now())
    two = move(store, one, clock.now() + timedelta(hours=1))
    with pytest.raises(Fenced, match="moved by somebody else"):
        move(store, one, clock.now() + timedelta(hours=2))
    assert cursors.read(store, SCOPE, ORDERS) == two


def test_a_cursor_moves_forward_only(store: Store, clock: SharedClock) -> None:
    """An older value leaves it where it is; by hand it may be set back, and that is a new version."""
    one = move(store, cursors.read(store, SCOPE, ORDERS), clock.now())
    assert move(store, one, clock.now() - timedelta(days=1)) == one
    with store.transaction("test") as connection:
        cursors.put(connection, SCOPE, ORDERS, one, clock.now() - timedelta(days=1), clock.now())
    with pytest.raises(Fenced, match="moved by somebody else"), store.transaction("test") as connection:
        cursors.put(connection, SCOPE, ORDERS, one, clock.now() - timedelta(days=2), clock.now())
    assert cursors.read(store, SCOPE, ORDERS).value == clock.now() - timedelta(days=1)
    with pytest.raises(Fenced):
        move(store, one, clock.now() + timedelta(days=1))


def test_a_cursor_that_its_transaction_lost_has_not_moved(store: Store, clock: SharedClock) -> None:
    """Cursor and outcome stand together or not at all."""
    with pytest.raises(RuntimeError), store.transaction("test") as connection:
        cursors.move(connection, SCOPE, ORDERS, Position(None, 0), clock.now(), clock.now())
        raise RuntimeError
    assert cursors.read(store, SCOPE, ORDERS) == Position(None, 0)


def link(store: Store, parent: Parent, target_id: str) -> None:
    with store.transaction("test") as connection:
        links.commit(connection, parent, target_id, "customers", store.clock.now())


def test_a_target_record_belongs_to_one_source_record(store: Store) -> None:
    """The second claimant of a target record is refused by the database itself."""
    link(store, ANN, "c-1")
    with pytest.raises(StoreError):
        link(store, BOB, "c-1")
    with store.reading() as connection:
        assert links.claimed(connection, ANN.target, "xero.contacts", ["c-1", "c-9"]) == {"c-1": ANN}
        assert links.find(connection, [ANN, BOB]) == {ANN: "c-1"}


def test_a_source_record_has_one_counterpart_in_an_account(store: Store) -> None:
    """A second link of one source record replaces the first; in another account it is another link."""
    link(store, ANN, "c-1")
    link(store, ANN, "c-2")
    other = Parent(ANN.source, ANN.source_resource, ANN.source_id, "sandbox/books/other", ANN.target_resource)
    link(store, other, "c-1")
    with store.reading() as connection:
        assert links.find(connection, [ANN, other]) == {ANN: "c-2", other: "c-1"}


def park(store: Store, key: str, needs: str, **values: Any) -> None:
    now = store.clock.now()
    row = {"scope": SCOPE, "key": key, "part": "", "resource": "xero.invoices", "first_seen_at": now,
           "changed_at": now, "wanted_hash": "h1:x", "needs": needs, "parked_at": now, **values}  # fmt: skip
    with store.transaction("test") as connection:
        connection.execute(insert(RECORD).values(**row))


def needs(store: Store) -> dict[str, tuple[str, str]]:
    with store.reading() as connection:
        return {r.key: (r.needs, r.held) for r in connection.execute(select(RECORD))}


def test_a_link_wakes_whoever_waits_for_it_and_nobody_else(store: Store) -> None:
    """Those that wait for this very record in this very account are put back, in the link's own transaction."""
    park(store, "1", ANN.text)
    park(store, "2", BOB.text)
    link(store, ANN, "c-1")
    assert needs(store) == {"1": ("", ""), "2": (BOB.text, "")}


def test_what_was_held_for_its_parent_is_released_by_it(store: Store) -> None:
    """Held for having waited too long ends with the parent's coming; held for another reason does not."""
    park(store, "1", ANN.text, held="waited", held_because=PARENT)
    park(store, "2", ANN.text, held="bad", held_because="m1:x")
    with store.transaction("test") as connection:
        for key in ("1", "2"):
            held.put(connection, store, SCOPE, "r", [Hold(key, "", "load", "x", "", "y")], store.clock.now())
    link(store, ANN, "c-1")
    assert needs(store) == {"1": ("", ""), "2": ("", "bad")}
    assert [h.key for h in held.listing(store, SCOPE)] == ["2"]


def hold(key: str, rule: str = "rule", **values: Any) -> Hold:
    return Hold(key, values.pop("part", ""), "transform", rule, "Field", "reason", **values)


def put(store: Store, *holds: Hold, run: str = "one") -> int:
    """Write holds; how many records are newly held in this run."""
    with store.transaction("test") as connection:
        held.put(connection, store, SCOPE, run, holds, store.clock.now())
        return held.new(connection, SCOPE, run)


def test_the_same_trouble_again_is_counted_and_is_no_news(store: Store) -> None:
    """One row per part, rule and field: seen in a later run it has a higher count and is not new there."""
    assert put(store, hold("1"), hold("2")) == 2
    assert put(store, hold("1"), hold("3"), run="two") == 1
    rows = {h.key: (h.times, h.first_run, h.last_run) for h in held.listing(store, SCOPE)}
    assert rows == {"1": (2, "one", "two"), "2": (1, "one", "one"), "3": (1, "two", "two")}


def test_what_was_released_and_is_held_again_is_new(store: Store) -> None:
    """A closed row that opens again is news."""
    put(store, hold("1"))
    with store.transaction("test") as connection:
        held.close(connection, SCOPE, [("1", "")])
    assert held.listing(store, SCOPE) == []
    assert put(store, hold("1"), run="two") == 1


def test_what_would_be_new_is_known_before_it_is_written(store: Store) -> None:
    """Records, not reasons; what is open already and what a person decides do not count."""
    put(store, hold("1"), run="before")
    coming = [hold("1"), hold("2"), hold("2", "another"), hold("2", part="x"), hold("3", by_person=True)]
    with store.reading() as connection:
        assert held.new(connection, SCOPE, "now", coming) == 1
    assert put(store, *coming, run="now") == 1


def test_closing_keeps_what_is_still_wrong(store: Store) -> None:
    """A part that is held by another rule than before has one open row."""
    put(store, hold("1", "old"), hold("1", "new"), hold("1", "old", part="p"))
    with store.transaction("test") as connection:
        held.close(connection, SCOPE, [("1", "")], keep={hold("1", "new").id(SCOPE)})
    assert {(h.part, h.rule) for h in held.listing(store, SCOPE)} == {("", "new"), ("p", "old")}


def test_the_raw_record_lies_sealed_and_comes_back_whole(store: Store) -> None:
    """Bytes that are no text come back as they were, and nothing of them stands readable in the table."""
    raw = b'{"name": "canary \\ud83d", "\x00": "\xff\xfe"}'
    put(store, hold("1", raw=raw))
    [row] = held.listing(store, SCOPE)
    assert held.raw(store, row) == raw
    assert b"canary" not in bytes(row.raw)


@pytest.mark.parametrize(
    "text", ["nul \0 here", "half \ud83d an emoji", "x" * 10_000], ids=["nul", "surrogate", "long"]
)
def test_no_text_of_a_bad_record_keeps_it_from_being_held(store: Store, text: str) -> None:
    """What one database or the other cannot write is replaced: a bad record is held, not the end of a run."""
    bad = Hold("1", "", "parse", "rule", "field", text, text)
    assert put(store, bad) == 1
    [row] = held.listing(store, SCOPE)
    assert row.reason[:4] == text[:4] and len(row.reason) <= 2000 and len(row.excerpt) <= 200


def test_a_thousand_parts_are_marked_in_statements_that_fit(store: Store) -> None:
    """Sets are cut to what one statement can carry, on each database."""
    now = store.clock.now()
    rows = [
        {"scope": SCOPE, "key": f"k{n}", "part": f"p{n % 3}", "resource": "r", "first_seen_at": now, "changed_at": now}
        for n in range(2_100)
    ]
    blank = {c.name: c.default.arg for c in RECORD.c if c.default is not None and c.default.is_scalar}
    with store.transaction("test") as connection:
        ledger.add(connection, [{**blank, **row} for row in rows])
        names = [Name(str(r["key"]), str(r["part"])) for r in rows]
        assert ledger.mark(connection, SCOPE, names, fate="seen") == 2_100
        assert len(ledger.existing(connection, SCOPE, [n.key for n in names])) == 2_100
    put(store, *[hold(f"k{n}") for n in range(2_100)])
    with store.transaction("test") as connection:
        held.close(connection, SCOPE, [(f"k{n}", "") for n in range(2_100)])
        assert connection.execute(select(HELD.c.id).where(HELD.c.open.is_(True))).all() == []
