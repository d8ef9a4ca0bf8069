"""Links that broke (1.16): what the target says is gone is repaired by our reference once, or its children are held."""

from __future__ import annotations

from typing import Any

from practising import Ground, number
from sqlalchemy import select, update

from crosswalk.delivery.repair import RULE
from crosswalk.runs import release
from crosswalk.store.tables import LINK, RECORD


def refused(ground: Ground) -> list[Any]:
    """Rows that are held although our own rules let them pass."""
    return [h for h in ground.held() if h.step == "load"]


def order_of(ground: Ground) -> tuple[dict[str, Any], str]:
    """A business of one order whose customer is delivered; the order, and its contact's id."""
    ground.fresh("pending")
    ground.run("customers")
    [order] = ground.orders()
    return order, contact_of(ground, order)


def contact_of(ground: Ground, order: dict[str, Any]) -> str:
    return str(link(ground, order["customer"]["id"]).target_id)


def link(ground: Ground, source_id: str) -> Any:
    with ground.store.reading() as connection:
        return connection.execute(select(LINK).where(LINK.c.source_id == source_id)).one()


def test_1_16_a_child_of_an_archived_parent_is_held_and_names_it(ground: Ground) -> None:
    """Xero refuses the invoice since its contact was archived: held with the contact's name and what to do."""
    order, contact = order_of(ground)
    ground.control.call("xero.edit", "Contacts", {"ContactID": contact, "ContactStatus": "ARCHIVED"})
    ground.run()
    [held] = [h for h in ground.held() if h.rule == RULE]
    assert contact in held.reason and order["customer"]["id"] in held.reason
    assert f"crosswalk held retry orders --key {order['id']}" in held.reason
    assert link(ground, order["customer"]["id"]).broken
    assert ground.wrote()["PUT /Invoices"] == 1


def test_1_16_a_child_goes_on_when_its_parent_is_restored(ground: Ground) -> None:
    """The contact is taken out of the archive and the row tried again: the link holds, and one invoice is made."""
    order, contact = order_of(ground)
    ground.control.call("xero.edit", "Contacts", {"ContactID": contact, "ContactStatus": "ARCHIVED"})
    ground.run()
    ground.control.call("xero.edit", "Contacts", {"ContactID": contact, "ContactStatus": "ACTIVE"})
    release.retry(ground.session(), keys=(order["id"],))
    ground.later().run()
    assert refused(ground) == [] and not link(ground, order["customer"]["id"]).broken
    assert ground.verdict() == []


def test_1_16_a_parent_that_stands_under_another_id_is_found_by_our_reference(ground: Ground) -> None:
    """The linked id is unknown to Xero; the contact that carries our reference is its counterpart from then on."""
    order, contact = order_of(ground)
    elsewhere = "11111111-2222-3333-4444-555555555555"
    with ground.store.transaction("test") as connection:
        connection.execute(update(LINK).where(LINK.c.target_id == contact).values(target_id=elsewhere))
        connection.execute(update(RECORD).where(RECORD.c.target_id == contact).values(target_id=elsewhere))
    ground.run()
    assert contact_of(ground, order) == contact and not link(ground, order["customer"]["id"]).broken
    assert ground.records("customers")[number(order["customer"]["id"]), ""].target_id == contact
    assert refused(ground) == [] and ground.verdict() == []


def test_1_16_a_later_child_asks_once_more_and_frees_the_first(ground: Ground) -> None:
    """A second order of the same customer finds the contact restored: both invoices are made, without a person."""
    order, contact = order_of(ground)
    ground.control.call("xero.edit", "Contacts", {"ContactID": contact, "ContactStatus": "ARCHIVED"})
    ground.run()
    ground.control.call("xero.edit", "Contacts", {"ContactID": contact, "ContactStatus": "ACTIVE"})
    second = {**order, "id": "gid://shopify/Order/99", "legacyResourceId": "99", "name": "#99"}
    ground.control.put("orders", second)
    ground.later().run(ids=(second["id"],))
    assert refused(ground) == []
    assert set(ground.invoices()) == {f"S1-{number(order['id'])}", "S1-99"}


def test_1_16_an_update_of_what_is_gone_is_held_with_its_name(ground: Ground) -> None:
    """The invoice's own id is unknown to Xero and none carries our reference: held, and not made a second time."""
    order, _ = order_of(ground)
    ground.run()
    [invoice] = ground.invoices().values()
    gone = "11111111-2222-3333-4444-555555555555"
    ground.control.call("xero.edit", "Invoices", {"InvoiceID": invoice["id"], "InvoiceNumber": "renamed"})
    with ground.store.transaction("test") as connection:
        connection.execute(update(LINK).where(LINK.c.target_id == invoice["id"]).values(target_id=gone))
        connection.execute(update(RECORD).where(RECORD.c.target_id == invoice["id"]).values(target_id=gone))
    ground.control.edit("orders", order["id"], {"name": "#changed"})
    ground.later().run(ids=(order["id"],))
    [held] = refused(ground)
    assert held.rule == RULE and gone in held.reason
    assert len(ground.invoices()) == 1


def test_1_16_an_update_of_what_stands_under_another_id_finds_it(ground: Ground) -> None:
    """The invoice is found by its number and updated there: nothing is held, nothing made twice."""
    order, _ = order_of(ground)
    ground.run()
    [invoice] = ground.invoices().values()
    gone = "11111111-2222-3333-4444-555555555555"
    with ground.store.transaction("test") as connection:
        connection.execute(update(LINK).where(LINK.c.target_id == invoice["id"]).values(target_id=gone))
        connection.execute(update(RECORD).where(RECORD.c.target_id == invoice["id"]).values(target_id=gone))
    ground.control.edit("orders", order["id"], {"name": "#changed"})
    ground.later().run(ids=(order["id"],))
    [after] = ground.invoices().values()
    assert refused(ground) == [] and after["reference"] == "#changed" and after["id"] == invoice["id"]
