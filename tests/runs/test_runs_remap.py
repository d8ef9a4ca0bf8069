"""A full resync writes what changed and nothing else; a changed mapping touches what is delivered only by a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practising import Ground

from crosswalk.errors import SettingsError
from crosswalk.mapping import Concat, Const, Equals, Hold, Not, Rule, Skip
from crosswalk.runs import body
from crosswalk.runs.account import Account
from crosswalk.runs.session import Request
from mappings.shopify_customers_to_xero_contacts import INTEGRATION, customers_to_contacts

SHOUTED = Rule(
    "Name",
    Concat("displayName", Const("!")),
    taken=Concat("displayName", Const(" ("), "legacyResourceId", Const(")!")),
    why="a test",
)


def changed(*more: Any) -> Any:
    """The integration with other rules: names are shouted, or what ``more`` says."""
    rules = [SHOUTED if r.target == "Name" else r for r in customers_to_contacts.rules]
    own = replace(
        customers_to_contacts, rules=rules, examples=(),
        skips=[m for m in more if isinstance(m, Skip)], holds=[m for m in more if isinstance(m, Hold)],
    )  # fmt: skip
    return replace(INTEGRATION, parts=(own,))


def run(ground: Ground, integration: Any = None, **request: Any) -> Account:
    return body.run(ground.session("customers", integration, **request))


def shouted(ground: Ground) -> int:
    """How many contacts the target holds by the changed rules."""
    return sum(c["name"].endswith("!") for c in ground.control.effects()["contacts"])


def digests(ground: Ground) -> set[str]:
    return {row.applied_digest for row in ground.records("customers").values() if row.applied_digest}


def test_a_full_resync_writes_nothing_that_is_unchanged(ground: Ground) -> None:
    """Everything is read from the start, nothing is written, and the cursor goes on as after any run."""
    ground.fresh(orders=12)
    first = ground.run("customers")
    ground.later()
    wrote = ground.control.counts()
    again = ground.run("customers", full=True)
    assert again.read == first.read and again.unchanged == first.created and not ground.wrote(wrote)
    edited = ground.control.ids("customers")[0]
    ground.control.edit("customers", edited, {"firstName": "Changed"})
    ground.later()
    assert ground.run("customers").updated == 1
    with pytest.raises(SettingsError, match="something else is asked for"):
        Request(full=True, ids=("1",))


def test_a_changed_mapping_does_not_touch_what_is_delivered(ground: Ground) -> None:
    """Read again in full, and by id, delivered records stay as they are and keep the digest they were made with;
    the one whose source changes is written by the new rules."""
    ground.fresh(orders=12)
    first = ground.run("customers")
    made = digests(ground)
    ground.later()
    wrote = ground.control.counts()
    again = run(ground, changed(), full=True)
    assert again.unchanged == first.created and not ground.wrote(wrote) and digests(ground) == made
    edited = ground.control.ids("customers")[0]
    assert run(ground, changed(), ids=(edited,)).unchanged == 1 and shouted(ground) == 0
    ground.control.edit("customers", edited, {"lastName": "Changed"})
    ground.later()
    assert run(ground, changed()).updated == 1
    assert shouted(ground) == 1 and len(digests(ground)) == 2


def test_rules_that_leave_out_or_hold_now_do_not_either(sqlite_ground: Ground) -> None:
    """Neither is a delivered record held because a new rule would hold it, or would leave it out."""
    ground = sqlite_ground
    ground.fresh(orders=12)
    first = ground.run("customers")
    always = Not(Equals("legacyResourceId", "none"))
    for rule in (Skip("all", always, why="a test"), Hold("all", always, why="a test")):
        ground.later()
        account = run(ground, changed(rule), full=True)
        assert account.unchanged == first.created and account.held <= first.held


def test_a_remapping_is_planned_then_written_once(ground: Ground) -> None:
    """The plan shows which delivered records the new rules change, field by field, and writes nothing; the re-mapping
    writes those, notes the rest as made with the new rules, leaves the cursor alone, and finds nothing more."""
    ground.fresh(orders=12)
    first, made = ground.run("customers"), digests(ground)
    wrote = ground.control.counts()
    planned = ground.session("customers", changed(), remap=True, dry_run=True)
    body.run(planned)
    assert planned.plan.counts["updated"] and not ground.wrote(wrote)
    change = planned.plan.changes[0]
    assert list(change.differences) == ["Name"] and change.differences["Name"][1].endswith("!")
    done = run(ground, changed(), remap=True)
    assert done.updated == planned.plan.counts["updated"] == shouted(ground)
    assert done.updated + done.unchanged + done.new_held == first.created  # a name that is too long now is held
    assert {r.applied_digest for r in ground.records("customers").values() if r.applied_digest and not r.held} != made
    nothing = run(ground, changed(), remap=True)
    assert nothing.read == 0 and nothing.unchanged <= 1  # the stand-in is always there
    back = run(ground, remap=True)
    assert back.updated == done.updated and shouted(ground) == 0
