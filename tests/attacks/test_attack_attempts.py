"""Attempts whose outcome is unknown: attacks 1.1 to 1.6 on the practice business, through the real engine."""

from __future__ import annotations

from typing import Any

import pytest
from practising import Altered, Ground, counted, kill_self, number

from crosswalk import points
from crosswalk.connectors.facts import LookUp
from crosswalk.runs import body

KINDS = {
    "PUT /Contacts": "customers",
    "PUT /Invoices": "orders",
    "PUT /Payments": "orders",
    "PUT /CreditNotes": "orders",
    "PUT /CreditNotes/{id}/Allocations": "orders",
}
CASES = ("part_paid", "refund_mixed", "guest", "pending")
LOSE = {"kind": "lost_answer", "method": "PUT"}


def keys_of(ground: Ground, path: str) -> list[str | None]:
    """The idempotency keys under which a path was written, in the order of arrival."""
    requests = ground.control.requests("xero")
    return [r["key"] for r in requests if r["path"].endswith(path) and r["method"] in ("PUT", "POST")]


def kill_after(ground: Ground, write: str) -> None:
    """Run until the first answer to this write has come, and die before it is settled."""
    if KINDS[write] == "orders":
        ground.run("customers")
    code = ground.child(lambda: ground.run(KINDS[write]), counted(ground, write, kill_self))
    assert code == -9, ground.errors()


def test_1_1_a_value_that_returns_is_written_a_second_time(ground: Ground) -> None:
    """A, B, A, B are four writes under four keys while Xero remembers every key: the books end with the last B."""
    ground.fresh("pending")
    ground.whole()
    [order] = ground.control.ids("orders")
    names = [ground.control.node("orders", order)["name"], "#B"]  # type: ignore[index]
    for turn in (1, 0, 1):
        ground.control.edit("orders", order, {"name": names[turn]})
        ground.run(ids=(order,))
        [invoice] = ground.invoices().values()
        assert invoice["reference"] == names[turn]
    used = keys_of(ground, "/Invoices")
    assert len(used) == 4 and len(set(used)) == 4, used


@pytest.mark.parametrize("wait", [0, 600], ids=["at once", "key forgotten"])
@pytest.mark.parametrize("write", KINDS)
def test_1_2_a_newer_version_does_not_replace_an_attempt_in_doubt(ground: Ground, write: str, wait: int) -> None:
    """A record that changes while its answer is lost is resolved first and then changed: one effect, the newest one."""
    ground.fresh(*CASES)
    kill_after(ground, write)
    ground.clock.advance(wait)
    made = ground.control.changes(share=1.0, seed=5)
    assert made
    ground.later().whole(2)
    assert ground.verdict() == []
    assert set(ground.states("customers")) <= {"applied", "held"}
    assert set(ground.states("orders")) <= {"applied", "skipped", "removed", "held"}


def test_1_3_a_batch_in_doubt_is_sent_again_whole_and_alike(ground: Ground) -> None:
    """While the key lives, the same bytes go under the same key, although a member has changed and others have come."""
    ground.fresh(*CASES, orders=6)
    kill_after(ground, "PUT /Invoices")
    pending = next(o for o in ground.orders() if not o["transactions"])
    ground.control.edit("orders", pending["id"], {"name": "#changed"})
    before = [r for r in ground.control.requests("xero") if r["method"] == "PUT" and r["path"].endswith("/Invoices")]
    ground.later(90).whole(2)
    after = [r for r in ground.control.requests("xero") if r["method"] == "PUT" and r["path"].endswith("/Invoices")]
    assert len(before) == 1
    assert (after[1]["key"], after[1]["size"]) == (before[0]["key"], before[0]["size"])
    assert all(r["key"] != before[0]["key"] for r in after[2:])
    assert ground.invoices()[f"S1-{number(pending['id'])}"]["reference"] == "#changed"
    assert ground.verdict() == []


def test_1_4_a_key_is_not_trusted_beyond_its_life(ground: Ground) -> None:
    """Ten minutes later a look-up decides, and no request goes out under the forgotten key."""
    ground.fresh("part_paid")
    kill_after(ground, "PUT /Payments")
    used = keys_of(ground, "/Payments")
    ground.clock.advance(600)
    ground.whole()
    assert keys_of(ground, "/Payments") == used
    assert len(ground.payments()) == 1
    assert ground.verdict() == []


def test_1_4_a_key_that_ends_while_a_limit_is_waited_for_is_not_used(ground: Ground) -> None:
    """An answer is lost, then Xero asks for long waits: nothing leaves under the key after its six minutes."""
    ground.fresh("part_paid")
    ground.run("customers")
    ground.control.use_faults(
        "xero",
        [
            {**LOSE, "path": "*/Payments", "nth": 1},
            {"kind": "status", "method": "PUT", "path": "*/Payments", "status": 429, "retry_after": 110, "times": 4},
        ],
    )
    ground.run()
    sent = [r for r in ground.control.requests("xero") if r["path"].endswith("/Payments") and r["method"] == "PUT"]
    first = min(r["at"] for r in sent)
    under = [r["at"] for r in sent if r["key"] == sent[0]["key"]]
    assert (_seconds(max(under)) - _seconds(first)) < 360
    ground.control.clear_faults()
    ground.later(400).run()
    assert len(ground.payments()) == 1
    assert ground.verdict() == []


@pytest.mark.parametrize(("settles_after", "effects"), [(120, 1), (5, 2)], ids=["declared", "declared too short"])
def test_1_5_absence_counts_only_when_the_target_has_settled(
    sqlite_ground: Ground, settles_after: float, effects: int
) -> None:
    """A write that commits 35 s after its time-out is not made again, unless its target is said to settle sooner."""
    ground = sqlite_ground.fresh("part_paid")
    ground.run("customers")
    [order] = ground.control.ids("orders")
    ground.control.edit("orders", order, {"transactions": []})
    ground.run(ids=(order,))  # the invoice; its payment is what is attacked
    _second_payment(ground, order)
    ground.control.call("xero.delay_commits", 35)
    session = ground.session(ids=(order,))
    session.target = Altered(session.target, {"xero.payments": LookUp(settles_after)}, keyless=True)
    body.run(session)
    ground.later(600)
    again = ground.session()
    again.target = Altered(again.target, {"xero.payments": LookUp(settles_after)}, keyless=True)
    body.run(again)
    ground.control.effects()
    paid = [p for p in ground.payments() if p["reference"] == "777"]
    assert len(paid) == effects


def test_1_5_what_is_in_doubt_for_long_is_not_sent_in_a_newer_version(sqlite_ground: Ground) -> None:
    """Proof of absence is an hour away: the run ends as queued, a newer version waits, and then exactly one is made."""
    ground = sqlite_ground.fresh("pending")
    ground.run("customers")
    [order] = ground.control.ids("orders")
    ground.control.use_faults("xero", [{"kind": "reset", "method": "PUT", "path": "*/Invoices", "nth": 1}])

    def run() -> Any:
        current = ground.session(ids=(order,))
        current.target = Altered(current.target, {"xero.invoices": LookUp(3600)}, keyless=True)
        return body.run(current)

    assert run().queued == 1
    ground.control.edit("orders", order, {"name": "#newer"})
    account = ground.later(60) and run()
    assert account.queued == 1 and "absence is proof only from" in account.stopped
    assert ground.invoices() == {} and ground.wrote()["PUT /Invoices"] == 1
    ground.later(3600)
    run()
    [invoice] = ground.invoices().values()
    assert invoice["reference"] == "#newer"


def _second_payment(ground: Ground, order: str) -> None:
    money = {"shopMoney": {"amount": "0.50", "currencyCode": "EUR"}}
    payment = {
        "id": "gid://shopify/OrderTransaction/777", "kind": "SALE", "status": "SUCCESS", "gateway": "shopify_payments",
        "amountSet": {**money, "presentmentMoney": money["shopMoney"]}, "processedAt": "2026-11-20T10:00:00Z",
        "createdAt": "2026-11-20T10:00:00Z", "test": False, "parentTransaction": None,
    }  # fmt: skip
    ground.control.edit("orders", order, {"transactions": [payment]})


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_1_6_a_strangers_contact_of_our_name_is_left_alone(ground: Ground) -> None:
    """A name that somebody else has is not taken over: ours is made distinct, theirs stays as it was."""
    ground.fresh("part_paid")
    strangers = [c for c in ground.control.effects()["contacts"] if not c["number"]]
    ground.whole()
    contacts = ground.control.effects()["contacts"]
    assert strangers and [c for c in contacts if not c["number"]] == strangers
    distinct = [c["name"] for c in contacts if c["number"] and "(" in c["name"]]
    assert any(name.startswith(f"{s['name']} (") for s in strangers for name in distinct)
    assert ground.verdict() == []


def test_1_6_a_strangers_invoice_under_the_shops_own_number_is_left_alone(ground: Ground) -> None:
    """An invoice that a person numbered like the shop's order is no match: ours goes by our own reference."""
    ground.fresh("pending")
    [order] = ground.orders()
    stranger = ground.control.call("xero.edit", "Contacts", {"Name": "Somebody"})
    theirs = _invoice(ground, stranger, order["name"], "12.00")
    ground.whole()
    assert ground.invoices()[order["name"]]["total"] == "12.00"
    assert ground.invoices()[order["name"]]["id"] == theirs["InvoiceID"]
    assert f"S1-{number(order['id'])}" in ground.invoices()


def _invoice(ground: Ground, contact: dict[str, Any], numbered: str, amount: str) -> dict[str, Any]:
    found: dict[str, Any] = ground.control.call(
        "xero.edit", "Invoices",
        {"Type": "ACCREC", "Contact": {"ContactID": contact["ContactID"]}, "InvoiceNumber": numbered,
         "Date": "2026-11-01", "DueDate": "2026-11-01", "Status": "AUTHORISED",
         "LineItems": [{"Description": "theirs", "Quantity": 1, "UnitAmount": amount, "AccountCode": "4000",
                        "TaxType": "NONE"}]},
    )  # fmt: skip
    return found


def test_1_6_an_invoice_that_carries_our_reference_with_other_values_is_shown_and_held(ground: Ground) -> None:
    """What is found under our own reference is ours, but what it shows otherwise is never overwritten unseen."""
    ground.fresh("pending")
    [order] = ground.orders()
    stranger = ground.control.call("xero.edit", "Contacts", {"Name": "Somebody"})
    ours = f"S1-{number(order['id'])}"
    _invoice(ground, stranger, ours, "12.00")
    ground.whole()
    assert ground.invoices()[ours]["total"] == "12.00"
    held = [h for h in ground.held() if h.key == order["id"] and h.step == "load"]
    assert [h.rule for h in held] == ["the target's own version"]
    assert "LineItems" in held[0].reason and "Reference" in held[0].reason


def test_1_6_two_shops_with_one_prefix_do_not_share_an_invoice(ground: Ground) -> None:
    """A target record belongs to one source record: the second one that claims it is held."""
    ground.fresh("pending")
    ground.whole()
    home = ground.folder / "crosswalk.toml"
    other = home.read_text().replace("[connections.books]", _second_shop(home.read_text()) + "[connections.books]", 1)
    other += '\n[bindings.other-orders]\nintegration = "shopify_orders_to_xero_invoices"\nsource = "second"\n'
    other += 'target = "books"\n[bindings.other-customers]\nintegration = "shopify_customers_to_xero_contacts"\n'
    other += 'source = "second"\ntarget = "books"\n'
    home.write_text(other)
    before = ground.invoices()
    ground.run("other-customers")
    ground.run("other-orders")
    assert ground.invoices() == before
    wrong = [h for h in ground.held() if "/second:" in h.scope and h.step == "load"]
    assert wrong and all("belongs to another record" in h.reason for h in wrong)


def _second_shop(text: str) -> str:
    own = text[text.index("[connections.shop]") : text.index("[connections.books]")]
    return own.replace("connections.shop", "connections.second").replace("practice-shop.my", "second-shop.my")


def test_no_point_is_left_installed() -> None:
    """The hooks of these tests end with them."""
    assert points._hook is None
