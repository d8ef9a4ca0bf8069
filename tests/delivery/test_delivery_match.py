"""First contact: a target record that fits a declared field is proposed, adopted, or held, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practising import Ground, number

from crosswalk.delivery.match import RULE
from crosswalk.errors import SettingsError
from crosswalk.integration import find
from crosswalk.runs import body, release
from crosswalk.runs.preview import Plan
from crosswalk.store import runs

CUSTOMERS = find("shopify_customers_to_xero_contacts")


def buyer(ground: Ground) -> dict[str, Any]:
    """A business of one customer; the customer's node."""
    ground.fresh("pending")
    return alone(ground, 1)[0]


def alone(ground: Ground, count: int) -> list[dict[str, Any]]:
    """Leave the shop with so many customers; their nodes."""
    nodes = [ground.control.node("customers", one) for one in ground.control.ids("customers")]
    known = [n for n in nodes if n is not None and n["defaultEmailAddress"]]
    for other in nodes:
        if other is not None and other not in known[:count]:
            ground.control.delete("customers", other["id"])
    return known[:count]


def mail(node: dict[str, Any]) -> str:
    return str(node["defaultEmailAddress"]["emailAddress"])


def theirs(ground: Ground, name: str, email: str, **more: str) -> str:
    """A contact that a person has made in the books; its id."""
    made = ground.control.call("xero.edit", "Contacts", {"Name": name, "EmailAddress": email, **more})
    return str(made["ContactID"])


def contacts(ground: Ground) -> dict[str, dict[str, Any]]:
    """Those with an address, which is what they are recognised by."""
    return {c["id"]: c for c in ground.control.effects()["contacts"] if c["email"]}


def by_mail(ground: Ground) -> int:
    """How many requests asked for contacts by their address."""
    return len([r for r in ground.control.requests("xero") if "EmailAddress" in r["query"]])


def planned(ground: Ground) -> Plan:
    """What `crosswalk plan customers` shows."""
    session = ground.session("customers", dry_run=True)
    body.run(session)
    return session.plan


def approved(ground: Ground, plan: Plan) -> None:
    """What `crosswalk apply` does before it runs."""
    session = ground.session("customers")
    runs.propose(session.store, "plan", session.scope, "", {"adopt": plan.adopt})
    runs.approve(session.store, "plan", "a person")
    release.approved(session, [(key, part) for key, part, *_ in plan.adopt])


def matches(ground: Ground) -> list[Any]:
    return [h for h in ground.held() if h.rule == RULE]


def test_one_match_is_proposed_and_adopted_when_its_plan_is_approved(ground: Ground) -> None:
    """The plan says what would be adopted and what it would show then; the approved run updates it and makes none."""
    node = buyer(ground)
    there = theirs(ground, "As they wrote it", mail(node))
    plan = planned(ground)
    [change] = [c for c in plan.changes if c.adopts]
    assert change.adopts == f"would adopt {there}, recognised by EmailAddress"
    assert change.differences["Name"] == ("As they wrote it", node["displayName"])
    assert plan.counts["adopted"] == 1 and ground.wrote() == {}
    approved(ground, plan)
    ground.run("customers")
    kept = contacts(ground)
    assert [(c["name"], c["number"]) for c in kept.values()] == [(node["displayName"], f"S1-{number(node['id'])}")]
    assert list(kept) == [there]
    assert ground.records("customers")[number(node["id"]), ""].state == "applied"


def test_a_match_that_nobody_approved_is_held_and_waits_for_its_plan(ground: Ground) -> None:
    """Without a plan nothing is made and nothing taken over; a plan that is approved later releases it."""
    node = buyer(ground)
    there = theirs(ground, "As they wrote it", mail(node))
    ground.run("customers")
    [held] = matches(ground)
    assert held.by_person and held.key == node["id"]
    assert there in held.reason and "crosswalk plan customers" in held.reason and "--new" in held.reason
    assert [(id, c["number"] or "") for id, c in contacts(ground).items()] == [(there, "")]
    approved(ground.later(4000), planned(ground))
    ground.run("customers")
    assert matches(ground) == []
    assert contacts(ground)[there]["number"] == f"S1-{number(node['id'])}"
    assert len(contacts(ground)) == 1


def test_a_match_that_carries_our_marker_is_adopted_at_once(ground: Ground) -> None:
    """What bears our reference is ours: it is taken over without a plan."""
    node = buyer(ground)
    there = theirs(ground, "Other name", mail(node), ContactNumber=f"S1-{number(node['id'])}")
    theirs(ground, "A second one", mail(node))
    ground.run("customers")
    assert ground.held() == []
    assert contacts(ground)[there]["name"] == node["displayName"]
    assert len(contacts(ground)) == 2


def test_several_matches_are_held_until_a_person_says_which(ground: Ground) -> None:
    """Two that fit: nothing is adopted, planned or made; the one that is given our reference is taken."""
    node = buyer(ground)
    first, second = theirs(ground, "One", mail(node)), theirs(ground, "Two", mail(node))
    plan = planned(ground)
    assert plan.adopt == [] and [h[2] for h in plan.held] == [RULE]
    ground.run("customers")
    [held] = matches(ground)
    assert first in held.reason and second in held.reason
    assert len(contacts(ground)) == 2
    ours = {"ContactID": second, "ContactNumber": f"S1-{number(node['id'])}"}
    ground.control.call("xero.edit", "Contacts", ours)
    release.retry(ground.session("customers"), keys=(node["id"],))
    ground.later(4000).run("customers")
    assert contacts(ground)[second]["name"] == node["displayName"]
    assert len(contacts(ground)) == 2 and ground.held() == []


def test_no_match_creates_and_is_asked_for_once(ground: Ground) -> None:
    """Nothing fits: one request for all of them, then creates; a later version asks nothing more."""
    ground.fresh(*["pending"] * 6)
    ground.run("customers")
    assert by_mail(ground) == 1
    assert matches(ground) == [] and ground.states("customers")["applied"] > 6
    [first, *_] = ground.control.ids("customers")
    ground.control.edit("customers", first, {"firstName": "Changed"})
    ground.later().run("customers")
    assert by_mail(ground) == 1


def test_a_person_may_decide_for_a_record_of_its_own(ground: Ground) -> None:
    """``held retry --new`` makes one all the same, and leaves theirs as it was."""
    node = buyer(ground)
    there = theirs(ground, "As they wrote it", mail(node))
    ground.run("customers")
    assert release.retry(ground.session("customers"), new=True) == 1
    ground.later(4000).run("customers")
    assert contacts(ground)[there]["name"] == "As they wrote it"
    assert len(contacts(ground)) == 2 and ground.held() == []


def test_what_changed_since_the_plan_was_shown_is_not_adopted(ground: Ground) -> None:
    """An approval holds for the record as a person saw it; one that somebody edited meanwhile is held again."""
    node = buyer(ground)
    there = theirs(ground, "As they wrote it", mail(node))
    plan = planned(ground)
    ground.clock.advance(5)
    ground.control.call("xero.edit", "Contacts", {"ContactID": there, "Name": "Somebody else"})
    approved(ground, plan)
    ground.run("customers")
    [held] = matches(ground)
    assert "has changed since its plan was shown" in held.reason
    assert contacts(ground)[there]["name"] == "Somebody else"


def test_a_record_that_belongs_to_another_of_ours_is_no_match(ground: Ground) -> None:
    """A second customer under an address that one of ours already holds gets a contact of their own."""
    node = buyer(ground)
    ground.run("customers")
    other = {**node, "id": "gid://shopify/Customer/9", "legacyResourceId": "9", "displayName": "Another"}
    ground.control.put("customers", other)
    ground.later().run("customers", ids=(other["id"],))
    assert ground.held() == []
    assert {"S1-9"} <= {c["number"] for c in contacts(ground).values()}


def test_one_record_that_two_of_ours_fit_is_nobodys(ground: Ground) -> None:
    """Two customers of one address: the plan adopts nothing, and both are held."""
    node = buyer(ground)
    shared = mail(node)
    other = {**node, "id": "gid://shopify/Customer/9", "legacyResourceId": "9", "displayName": "Another"}
    ground.control.put("customers", other)
    theirs(ground, "As they wrote it", shared)
    plan = planned(ground)
    assert plan.adopt == [] and len(plan.held) == 2
    ground.run("customers")
    assert len(matches(ground)) == 2
    assert len(contacts(ground)) == 1


def test_a_field_that_the_target_cannot_be_asked_for_is_refused(sqlite_ground: Ground) -> None:
    """A mapping that recognises by what nobody can look for is refused before anything is read."""
    sqlite_ground.fresh("pending")
    [mapping] = CUSTOMERS.parts
    odd = replace(CUSTOMERS, parts=(replace(mapping, match="LastName"),))
    with pytest.raises(SettingsError, match="can be asked for EmailAddress, Name"):
        sqlite_ground.session("customers", odd)


def test_invoices_are_recognised_by_reference_when_a_mapping_says_so(sqlite_ground: Ground) -> None:
    """An invoice that somebody wrote for the order by hand is held instead of doubled, and adopted once approved."""
    ground = sqlite_ground.fresh("pending")
    ground.run("customers")
    orders = find("shopify_orders_to_xero_invoices")
    first, *rest = orders.parts
    known = replace(orders, parts=(replace(first, match="Reference"), *rest))
    [order] = ground.orders()
    contact = next(iter(contacts(ground)))
    line = {"Description": "theirs", "Quantity": 1, "UnitAmount": "12.00", "AccountCode": "4000", "TaxType": "NONE"}
    ground.control.call("xero.edit", "Invoices", {
        "Type": "ACCREC", "Contact": {"ContactID": contact}, "Reference": order["name"], "Date": "2026-11-01",
        "DueDate": "2026-11-01", "Status": "AUTHORISED", "LineItems": [line],
    })  # fmt: skip
    body.run(ground.session(integration=known))
    [held] = matches(ground)
    assert held.field == "Reference"
    assert len(ground.invoices()) == 1
    dry = ground.later(4000).session(integration=known, dry_run=True)
    body.run(dry)
    session = ground.session(integration=known)
    runs.propose(session.store, "plan", session.scope, "", {"adopt": dry.plan.adopt})
    runs.approve(session.store, "plan", "a person")
    release.approved(session, [(key, part) for key, part, *_ in dry.plan.adopt])
    body.run(ground.session(integration=known))
    assert set(ground.invoices()) == {f"S1-{number(order['id'])}"}
    assert ground.verdict() == []
