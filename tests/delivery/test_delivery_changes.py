"""Changes of what was delivered: conflicts, taken names, guards, foreign edits, voids, and changes in doubt."""

from __future__ import annotations

from typing import Any

import pytest
from practising import Ground, counted, kill_self, number
from sqlalchemy import update

from crosswalk import points
from crosswalk.delivery.prepare import OWN_VERSION
from crosswalk.errors import Unbalanced
from crosswalk.runs import release
from crosswalk.store import batches
from crosswalk.store.batches import Draft
from crosswalk.store.ledger import Name
from crosswalk.store.tables import LINK, RECORD


def refused(ground: Ground) -> list[Any]:
    """Rows that are held although our own rules let them pass."""
    return [h for h in ground.held() if h.step == "load"]


def delivered(ground: Ground, case: str = "pending") -> dict[str, Any]:
    """A business of one order, delivered; its node."""
    ground.fresh(case).whole()
    [order] = ground.orders()
    return order


def renamed(ground: Ground, order: dict[str, Any], name: str) -> None:
    ground.control.edit("orders", order["id"], {"name": name})
    ground.later()


def invoice(ground: Ground) -> dict[str, Any]:
    [one] = ground.invoices().values()
    return one


def by_hand(ground: Ground, **fields: Any) -> None:
    """A person changes the invoice in the books."""
    ground.clock.advance(5)
    ground.control.call("xero.edit", "Invoices", {"InvoiceID": invoice(ground)["id"], **fields})


def test_a_found_record_that_another_of_ours_claims_is_a_conflict(ground: Ground) -> None:
    """Our reference stands on a contact that is linked to somebody else: held, and neither taken nor made again."""
    ground.fresh("pending")
    ground.run("customers")
    [order] = ground.orders()
    key = order["customer"]["id"]
    with ground.store.transaction("test") as connection:
        connection.execute(update(LINK).where(LINK.c.source_id == key).values(source_id="another"))
        connection.execute(
            update(RECORD).where(RECORD.c.key == key).values(target_id="", applied_hash="", generation=0)
        )
    before = len(ground.control.effects()["contacts"])
    ground.run("customers")
    [held] = [h for h in ground.held() if h.key == key]
    assert "belongs to another record of the source" in held.reason
    assert len(ground.control.effects()["contacts"]) == before


def test_a_taken_name_uses_its_alternative_once_and_is_held_then(ground: Ground) -> None:
    """Both names belong to strangers: two attempts, then a person."""
    ground.fresh("pending")
    [order] = ground.orders()
    customer = order["customer"]["id"]
    node = ground.control.node("customers", customer) or {}
    for name in (node["displayName"], f"{node['displayName']} ({number(customer)})"):
        ground.control.call("xero.edit", "Contacts", {"Name": name})
    ground.run("customers", ids=(customer,))
    row = ground.records("customers")[number(customer), ""]
    assert row.state == "held" and row.alternative and row.generation == 2
    assert "already assigned" in row.held


def test_a_contact_under_its_second_name_takes_a_new_name_without_the_suffix(ground: Ground) -> None:
    """A rename at the source is another wish: the first name is tried again, the second only when that is taken."""
    ground.fresh("pending")
    [order] = ground.orders()
    customer = order["customer"]["id"]
    node = ground.control.node("customers", customer) or {}
    ground.control.call("xero.edit", "Contacts", {"Name": node["displayName"]})
    ground.run("customers", ids=(customer,))
    ground.control.edit("customers", customer, {"firstName": "Quite Another"})
    ground.later().run("customers", ids=(customer,))
    names = {c["number"]: c["name"] for c in ground.control.effects()["contacts"]}
    assert names[f"S1-{number(customer)}"] == f"Quite Another {node['lastName']}"


def test_a_contact_that_changes_otherwise_keeps_its_second_name(ground: Ground) -> None:
    """Only the address changes: one write, under the name that it has."""
    ground.fresh("pending")
    [order] = ground.orders()
    customer = order["customer"]["id"]
    node = ground.control.node("customers", customer) or {}
    ground.control.call("xero.edit", "Contacts", {"Name": node["displayName"]})
    ground.run("customers", ids=(customer,))
    before = ground.control.counts()
    ground.control.edit("customers", customer, {"defaultEmailAddress": {"emailAddress": "moved@example.test"}})
    ground.later().run("customers", ids=(customer,))
    names = {c["number"]: c["name"] for c in ground.control.effects()["contacts"]}
    assert names[f"S1-{number(customer)}"] == f"{node['displayName']} ({number(customer)})"
    assert sum(ground.wrote(before).values()) == 1


def test_a_guarded_update_is_held_with_the_guards_words(ground: Ground) -> None:
    """A paid invoice is not changed: the rule's name and reason are held, and the books stay."""
    order = delivered(ground, "part_paid")
    before = invoice(ground)
    renamed(ground, order, "#changed")
    ground.run(ids=(order["id"],))
    [held] = [h for h in ground.held() if h.key == order["id"]]
    assert held.rule == OWN_VERSION and "paid" in held.reason
    assert invoice(ground)["reference"] == before["reference"]


def test_a_foreign_edit_is_shown_and_held_until_a_person_has_seen_it(ground: Ground) -> None:
    """Somebody changed the reference in the books: held with the field; whoever retries overwrites it knowingly."""
    order = delivered(ground)
    by_hand(ground, Reference="theirs")
    renamed(ground, order, "#ours")
    ground.run(ids=(order["id"],))
    [held] = refused(ground)
    assert held.rule == OWN_VERSION and "Reference" in held.reason
    assert invoice(ground)["reference"] == "theirs"
    release.retry(ground.session(), keys=(order["id"],))
    ground.run()
    assert invoice(ground)["reference"] == "#ours"


def test_an_order_that_is_cancelled_unpaid_voids_its_invoice(ground: Ground) -> None:
    """The void counts as deleted, and is made once."""
    order = delivered(ground)
    cancelled = {"cancelledAt": "2026-11-23T09:30:00Z", "displayFinancialStatus": "VOIDED"}
    ground.control.edit("orders", order["id"], cancelled)
    assert ground.later().run(ids=(order["id"],)).deleted == 1
    assert invoice(ground)["status"] == "VOIDED"
    before = ground.wrote()
    ground.later().run(ids=(order["id"],))
    assert ground.wrote() == before


def test_an_order_that_is_cancelled_after_a_payment_is_not_voided(ground: Ground) -> None:
    """Money came in: the invoice and its payment stay, whatever the order's status says."""
    order = delivered(ground, "part_paid")
    ground.control.edit("orders", order["id"], {"cancelledAt": "2026-11-23T09:30:00Z"})
    ground.later().run(ids=(order["id"],))
    assert invoice(ground)["status"] != "VOIDED"
    assert len(ground.payments()) == 1


@pytest.mark.parametrize("wait", [0, 600], ids=["at once", "key forgotten"])
def test_a_change_in_doubt_is_not_sent_again_over_a_foreign_edit(ground: Ground, wait: int) -> None:
    """The update's answer is lost, then a person edits the invoice: their edit is shown and held, and stays."""
    order = delivered(ground)
    ground.control.edit("orders", order["id"], {"name": "#ours"})
    before = ground.wrote().get("POST /Invoices", 0)
    work = lambda: ground.run(ids=(order["id"],))  # noqa: E731
    assert ground.child(work, counted(ground, "POST /Invoices", kill_self, before + 1)) == -9, ground.errors()
    by_hand(ground, Reference="theirs")
    ground.later(90 + wait).run(ids=(order["id"],))
    assert invoice(ground)["reference"] == "theirs"
    [held] = refused(ground)
    assert held.rule == OWN_VERSION and "Reference" in held.reason


@pytest.mark.parametrize("wait", [0, 600], ids=["at once", "key forgotten"])
def test_a_change_in_doubt_that_was_carried_out_is_not_sent_again(ground: Ground, wait: int) -> None:
    """The target shows what was sent: applied, with no second write."""
    order = delivered(ground)
    ground.control.edit("orders", order["id"], {"name": "#ours"})
    work = lambda: ground.run(ids=(order["id"],))  # noqa: E731
    assert ground.child(work, counted(ground, "POST /Invoices", kill_self)) == -9, ground.errors()
    ground.later(90 + wait).run(ids=(order["id"],))
    assert invoice(ground)["reference"] == "#ours" and refused(ground) == []
    assert ground.wrote()["POST /Invoices"] == 1


def test_a_change_in_doubt_that_was_not_carried_out_is_made(ground: Ground) -> None:
    """The request never arrived: after the proof of absence the change is sent under a new key."""
    order = delivered(ground)
    ground.control.edit("orders", order["id"], {"name": "#ours"})
    ground.control.use_faults("xero", [{"kind": "reset", "method": "POST", "path": "*/Invoices", "times": 8}])
    ground.run(ids=(order["id"],))
    ground.control.clear_faults()
    ground.later(600).run(ids=(order["id"],))
    assert invoice(ground)["reference"] == "#ours" and refused(ground) == []


@pytest.mark.parametrize("path", ["Invoices", "Payments"])
def test_a_refusal_after_a_lost_try_is_resolved_by_look_up(ground: Ground, path: str) -> None:
    """ "Already there" or "already paid", said of what our own lost try has made: applied at once, and not held."""
    ground.fresh(orders=3)
    ground.run("customers")
    ground.control.use_faults("xero", [{"kind": "lost_answer", "method": "PUT", "path": f"*/{path}", "nth": 1}])

    def forget(reached: str) -> None:
        # The target forgets its keys before a request that was lost comes again.
        if reached == "http:before-send" and ground.wrote().get(f"PUT /{path}"):
            ground.control.call("xero.forget_keys")

    points.install(forget)
    ground.run()
    points.install(None)
    rows = [r for r in ground.records().values() if r.resource == f"xero.{path.lower()}"]
    assert rows and {(r.state, r.generation, r.tries) for r in rows} == {("applied", 1, 0)}
    assert ground.wrote()[f"PUT /{path}"] == 2
    assert refused(ground) == [] and ground.verdict() == []


def test_one_request_does_not_carry_a_record_twice(ground: Ground) -> None:
    """A payment that would stand twice in one body is refused before anything is frozen or sent."""
    draft = Draft(Name("k", "payment:1"), 1, "h", "{}", "v", "d", "S1-1", "", "{}")
    twin = Draft(Name("k", "payment:2"), 1, "h", "{}", "v", "d", "S1-1", "", "{}")
    other = Draft(Name("k", "payment:3"), 1, "h", "{}", "v", "d", "S1-3", "", "{}")
    ground.fresh()
    process = ground.session().process
    now = ground.clock.now()
    how: dict[str, Any] = {"key": "x", "process": process, "now": now, "key_until": None, "not_after": now}
    request = ("PUT", "/Payments", (), (), b"{}")
    for pair in ([draft, draft], [draft, twin]):
        with (
            pytest.raises(Unbalanced, match="the name or the reference of another"),
            ground.store.transaction("t") as c,
        ):
            batches.freeze(c, "s", "xero.payments", "create", request, pair, **how)
    with ground.store.transaction("test") as connection:
        assert batches.freeze(connection, "s", "xero.payments", "create", request, [draft, other], **how)
