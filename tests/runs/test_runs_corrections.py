"""Held rows that a person sets right, dismisses or takes up again: what becomes of them, and who said so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from practising import Ground
from sqlalchemy import select

from crosswalk.errors import SettingsError
from crosswalk.runs import correcting
from crosswalk.runs.forgetting import forget
from crosswalk.runs.reconcile import reconcile
from crosswalk.store import audit
from crosswalk.store.corrections import DISMISSED
from crosswalk.store.tables import AUDIT, CORRECTION


def decide(ground: Ground, what: str, binding: str = "orders", **how: Any) -> None:
    getattr(correcting, what)(ground.session(binding), by="anna", reason="as agreed", **how)


def clean(ground: Ground, binding: str = "orders") -> bool:
    return reconcile(ground.session(binding), date(2026, 1, 1), date(2026, 12, 1)).clean


def held(ground: Ground) -> list[Any]:
    """The held parts of orders; some customers of the practice shop are held too."""
    return [h for h in ground.held() if "/Order/" in h.key]


def trail(ground: Ground) -> list[tuple[str, str, str]]:
    rows = audit.listing(ground.store, action="held.")
    return [(r.action, r.actor, r.reason) for r in reversed(rows)]


def test_a_value_that_is_set_right_holds_for_later_versions(ground: Ground) -> None:
    """The row leaves quarantine by itself, a newer version is corrected too, and the value is sealed."""
    ground.fresh("status_expired").whole()
    [order] = ground.orders()
    assert {h.key for h in held(ground)} == {order["id"]} and not ground.invoices()
    decide(ground, "edit", key=order["id"], fields=[("displayFinancialStatus", "PAID")])
    ground.later().run()
    assert not held(ground) and len(ground.invoices()) == 1
    ground.control.edit("orders", order["id"], {"note": "", "tags": ["late"]})
    assert ground.later().run().held == 0 and not held(ground) and clean(ground)
    with ground.store.reading() as connection:
        [row] = connection.execute(select(CORRECTION))
    assert b"PAID" not in row.sealed and row.made_by == "anna"
    assert trail(ground) == [("held.edit", "anna", "as agreed")]


def test_what_the_target_refused_is_set_right_too(sqlite_ground: Ground) -> None:
    """A day in a locked period is moved: the next run reads the order afresh and sends it."""
    ground = sqlite_ground.fresh("locked")
    ground.whole()
    [order] = ground.orders()
    assert {h.step for h in held(ground)} == {"load"}
    decide(ground, "edit", key=order["id"], fields=[("processedAt", "2026-11-02T10:00:00Z")])
    ground.later().run()
    [invoice] = ground.invoices().values()
    assert str(invoice["date"]).startswith("2026-11-02")
    assert not [h for h in held(ground) if h.part == ""]


def test_a_dismissed_row_is_left_out_and_balances(ground: Ground) -> None:
    """It counts as left out by a person, in later versions too; taken back, it is held as before."""
    ground.fresh("status_expired", "pending").whole()
    [key] = {h.key for h in held(ground)}
    decide(ground, "dismiss", key=key, part=None)
    assert not held(ground) and clean(ground)
    ground.control.edit("orders", key, {"tags": ["late"]})
    account = ground.later().run()
    assert account.skipped_by[DISMISSED] >= 1 and account.held == 0 and not held(ground)
    lines = reconcile(ground.session(), date(2026, 1, 1), date(2026, 12, 1)).lines.values()
    assert any(DISMISSED in line.skipped for line in lines)
    decide(ground, "undo", key=key)
    ground.later().run(ids=(key,))
    assert {h.key for h in held(ground)} == {key}
    assert [a for a, *_ in trail(ground)] == ["held.dismiss", "held.undo"]


def test_rows_of_a_database_are_set_right_and_dismissed(sqlite_ground: Ground) -> None:
    """What the source's schema refuses reaches the table corrected, or not at all."""
    ground = sqlite_ground.fresh("bad_date", "bad_date", "pending")
    ground.run("orders-to-database")
    one, two = sorted({h.key for h in held(ground)})
    decide(ground, "edit", "orders-to-database", key=one, fields=[("processedAt", "2026-11-02T10:00:00Z")])
    decide(ground, "dismiss", "orders-to-database", key=two, part=None)
    account = ground.later().run("orders-to-database")
    assert account.created == 1 and account.held == 0 and not held(ground)
    assert clean(ground, "orders-to-database")


def test_what_was_set_right_is_forgotten_with_the_record(sqlite_ground: Ground) -> None:
    """Erasing a person takes the values out that were laid over the record."""
    ground = sqlite_ground.fresh("status_expired")
    ground.whole()
    [key] = {h.key for h in held(ground)}
    decide(ground, "edit", key=key, fields=[("name", "#of a person")])
    forget(ground.house(), "shop", "orders", key)
    with ground.store.reading() as connection:
        assert not list(connection.execute(select(CORRECTION)))


def test_a_decision_that_does_not_fit_changes_nothing(sqlite_ground: Ground) -> None:
    """An unknown field, an element that is not there, a record that is not held, and no reason."""
    ground = sqlite_ground.fresh("status_expired")
    ground.whole()
    [key] = {h.key for h in held(ground)}
    session = ground.session()
    for fields in ([("colour", "red")], [("lineItems[99].title", "x")], [("test", "perhaps")]):
        with pytest.raises(SettingsError):
            correcting.edit(session, key, fields, "anna", "as agreed")
    for wrong, reason in (("gid://shopify/Order/0", "as agreed"), (key, " ")):
        with pytest.raises(SettingsError):
            correcting.edit(session, wrong, [("name", "x")], "anna", reason)
        with pytest.raises(SettingsError):
            correcting.dismiss(session, wrong, None, "anna", reason)
    with ground.store.reading() as connection:
        assert not list(connection.execute(select(CORRECTION))) and not list(connection.execute(select(AUDIT)))
    assert held(ground)
