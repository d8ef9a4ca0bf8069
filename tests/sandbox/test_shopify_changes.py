"""Changes at the practice shop: through the API with its user errors, and by hand as a person would make them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from shopify_door import ORDER, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import Shop, gid, money

CREATE = """mutation($o:OrderCreateOrderInput!){orderCreate(order:$o){order{id name displayFinancialStatus
totalPriceSet{shopMoney{amount}} lineItems(first:5){nodes{id sku quantity}}} userErrors{field message code}}}"""
REFUND = """mutation($i:RefundInput!,$k:String!){refundCreate(input:$i)@idempotent(key:$k){refund{id
totalRefundedSet{shopMoney{amount}}} order{displayFinancialStatus currentTotalPriceSet{shopMoney{amount}}}
userErrors{field message}}}"""
CUSTOMER = "mutation($i:CustomerInput!){customerCreate(input:$i){customer{id displayName} userErrors{field message}}}"


@pytest.fixture
def door(clock: SharedClock) -> Door:
    return Door(clock)


def sale(**fields: Any) -> dict[str, Any]:
    """Two mugs of 12.50 with tax included, paid."""
    price = {"shopMoney": {"amount": "12.50", "currencyCode": "EUR"}}
    paid = {"shopMoney": {"amount": "25.00", "currencyCode": "EUR"}}
    tax = {"title": "BTW", "rate": "0.21", "priceSet": {"shopMoney": {"amount": "4.34", "currencyCode": "EUR"}}}
    return {
        "currency": "EUR",
        "email": "anna@example.test",
        "taxesIncluded": True,
        "lineItems": [{"title": "Mug", "sku": "MUG", "quantity": 2, "priceSet": price, "taxLines": [tax]}],
        "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "paypal", "amountSet": paid}],
        **fields,
    }


def test_an_order_is_created_and_listed(door: Door) -> None:
    """orderCreate makes an order with totals and status, which a search by change finds."""
    made = door.data(CREATE, o=sale())["orderCreate"]
    assert made["userErrors"] == []
    assert made["order"]["totalPriceSet"]["shopMoney"]["amount"] == "25.00"
    assert made["order"]["displayFinancialStatus"] == "PAID"
    assert door.names("updated_at:>='2026-11-23T09:00:00Z'") == [made["order"]["name"]]
    assert [(effect.operation, effect.id) for effect in door.shop.effects()] == [("orderCreate", made["order"]["id"])]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"lineItems": []}, ["order", "lineItems"], "INVALID"),
        (
            {"customerId": "x", "customer": {"toAssociate": {"id": "x"}}},
            ["order", "customer"],
            "REDUNDANT_CUSTOMER_FIELDS",
        ),
        ({"processedAt": "2030-01-01T00:00:00Z"}, ["order", "processedAt"], "PROCESSED_AT_INVALID"),
    ],
)
def test_a_refused_order_is_a_user_error(door: Door, fields: dict[str, Any], field: list[str], code: str) -> None:
    """A refused order is HTTP 200 with data, a null order and userErrors that name field and code; nothing is made."""
    answer = door.data(CREATE, o=sale(**fields))["orderCreate"]
    assert answer["order"] is None
    assert [(error["field"], error["code"]) for error in answer["userErrors"]] == [(field, code)]
    assert door.shop.ids("orders") == []
    assert door.shop.effects() == []


def test_a_taken_address_is_a_user_error(door: Door) -> None:
    """A second customer with one e-mail address is refused with the vendor's words; two of one name are not."""
    first = door.data(CUSTOMER, i={"email": "anna@example.test", "firstName": "Anna"})["customerCreate"]
    assert first["customer"]["displayName"] == "Anna"
    again = door.data(CUSTOMER, i={"email": "ANNA@example.test"})["customerCreate"]
    assert again == {
        "customer": None,
        "userErrors": [{"field": ["email"], "message": "Email has already been taken"}],
    }
    assert door.data(CUSTOMER, i={"email": "other@example.test", "firstName": "Anna"})["customerCreate"]["customer"]


def test_a_customer_is_changed(door: Door) -> None:
    """customerUpdate changes what is given and moves updatedAt; an unknown customer is a user error."""
    id_ = door.customer(1)
    query = """mutation($i:CustomerInput!){customerUpdate(input:$i){customer{lastName firstName updatedAt}
    userErrors{field}}}"""
    changed = door.data(query, i={"id": id_, "lastName": "Jansen"})["customerUpdate"]
    assert changed["customer"] == {"lastName": "Jansen", "firstName": "Anna", "updatedAt": "2026-11-23T09:00:00Z"}
    missing = door.data(query, i={"id": gid("Customer", 1)})["customerUpdate"]
    assert missing == {"customer": None, "userErrors": [{"field": ["id"]}]}


def test_a_customer_with_orders_cannot_be_deleted(door: Door) -> None:
    """customerDelete refuses a customer with orders and removes one without."""
    buyer, other = door.customer(1), door.customer(2)
    door.order(1, customer={"id": buyer})
    query = "mutation($i:ID!){customerDelete(input:{id:$i}){deletedCustomerId shop{name} userErrors{field}}}"
    assert door.data(query, i=buyer)["customerDelete"]["userErrors"] == [{"field": ["id"]}]
    assert door.data(query, i=other)["customerDelete"]["deletedCustomerId"] == other
    assert door.shop.ids("customers") == [buyer]


def test_an_order_is_updated(door: Door) -> None:
    """orderUpdate changes note, tags and address."""
    id_ = door.order(1)
    query = """mutation($i:OrderInput!){orderUpdate(input:$i){order{note tags shippingAddress{countryCodeV2 city}}
    userErrors{field message}}}"""
    given = {"id": id_, "note": "n", "tags": ["a"], "shippingAddress": {"city": "Gent", "countryCode": "BE"}}
    order = door.data(query, i=given)["orderUpdate"]["order"]
    assert order == {"note": "n", "tags": ["a"], "shippingAddress": {"countryCodeV2": "BE", "city": "Gent"}}
    assert door.data(query, i={"id": gid("Order", 1)})["orderUpdate"]["userErrors"]


def created(door: Door) -> dict[str, Any]:
    order: dict[str, Any] = door.data(CREATE, o=sale())["orderCreate"]["order"]
    return order


def part(order: dict[str, Any]) -> dict[str, Any]:
    """The refund of one of the two mugs."""
    line = {"lineItemId": order["lineItems"]["nodes"][0]["id"], "quantity": 1}
    back = {"orderId": order["id"], "kind": "REFUND", "gateway": "paypal", "amount": "12.50"}
    return {"orderId": order["id"], "refundLineItems": [line], "transactions": [back]}


def test_a_refund_changes_status_total_and_quantity(door: Door) -> None:
    """A partial refund shows on the order: status, current total, quantity left; totalPriceSet stays."""
    order = created(door)
    answer = door.data(REFUND, i=part(order), k="k1")["refundCreate"]
    assert answer["userErrors"] == []
    assert answer["refund"]["totalRefundedSet"]["shopMoney"]["amount"] == "12.50"
    assert answer["order"] == {
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "currentTotalPriceSet": {"shopMoney": {"amount": "12.50"}},
    }
    node = door.shop.get("orders", order["id"])
    assert node is not None
    assert node["lineItems"][0]["currentQuantity"] == 1
    assert node["totalPriceSet"]["shopMoney"]["amount"] == "25.00"
    again = door.data(REFUND, i=part(order), k="k2")["refundCreate"]
    assert again["order"]["displayFinancialStatus"] == "REFUNDED"
    refused = door.data(REFUND, i=part(order), k="k3")["refundCreate"]
    assert refused["refund"] is None
    assert refused["userErrors"][0]["field"] == ["refundLineItems"]


def test_a_refund_needs_an_idempotency_key(door: Door) -> None:
    """Without @idempotent, which the schema would allow, refundCreate is an error at run time."""
    order = created(door)
    query = REFUND.replace("@idempotent(key:$k)", "").replace(",$k:String!", "")
    body = door.body(query, i=part(order))
    assert body["errors"][0]["path"] == ["refundCreate"]
    assert "@idempotent directive is required" in body["errors"][0]["message"]


def test_an_idempotency_key_answers_again_for_a_day(door: Door) -> None:
    """The same key and input give the same refund; another input is refused; after a day the key is forgotten."""
    order = created(door)
    first = door.data(REFUND, i=part(order), k="k")["refundCreate"]["refund"]
    assert door.data(REFUND, i=part(order), k="k")["refundCreate"]["refund"] == first
    other = door.data(REFUND, i={**part(order), "note": "other"}, k="k")["refundCreate"]
    assert "IDEMPOTENCY_KEY_PARAMETER_MISMATCH" in other["userErrors"][0]["message"]
    assert [effect.operation for effect in door.shop.effects()].count("refundCreate") == 1
    door.clock.advance(86400)
    assert door.data(REFUND, i=part(order), k="k")["refundCreate"]["refund"]["id"] != first["id"]


@pytest.mark.parametrize(("refund", "status"), [(True, "REFUNDED"), (False, "PAID")])
def test_a_cancelled_order_is_refunded_only_when_asked(door: Door, refund: bool, status: str) -> None:
    """orderCancel answers with a job; the order is cancelled and closed, and its payment goes back when asked."""
    order = created(door)
    query = """mutation($o:ID!,$r:Boolean!){orderCancel(orderId:$o,reason:CUSTOMER,restock:false,
    refundMethod:{originalPaymentMethodsRefund:$r}){job{id done} orderCancelUserErrors{code}}}"""
    assert door.data(query, o=order["id"], r=refund)["orderCancel"]["job"]["done"] is False
    node = door.shop.get("orders", order["id"])
    assert node is not None
    assert (node["cancelReason"], node["closed"], node["displayFinancialStatus"]) == ("CUSTOMER", True, status)
    assert len(node["refunds"]) == refund
    assert door.names("status:cancelled") == [order["name"]]
    again = door.data(query, o=order["id"], r=refund)["orderCancel"]
    assert again["orderCancelUserErrors"] == [{"code": "INVALID"}]


def test_an_edit_by_hand_is_an_update(door: Door) -> None:
    """edit changes fields or runs a function over the node, moves updatedAt and is found by it."""
    id_ = door.order(1)
    door.clock.advance(60)

    def more(node: dict[str, Any]) -> None:
        node["lineItems"].append(door.line(7, title="Extra"))
        node["totalPriceSet"] = money("25.00", "EUR")

    changed = door.shop.edit("orders", id_, more)
    assert changed["updatedAt"] == "2026-11-23T09:01:00Z"
    assert [line["title"] for line in changed["lineItems"]] == ["Mug", "Extra"]
    assert door.names("updated_at:>='2026-11-23T09:01:00Z'") == ["#1001"]
    with pytest.raises(KeyError):
        door.shop.edit("orders", 1, {"note": "n"})


def test_what_was_put_or_got_can_be_changed_without_effect(door: Door) -> None:
    """The shop keeps copies: changing the node that was put, or one that was got, changes nothing."""
    line = door.line(1)
    id_ = door.order(1, lineItems=[line])
    line["title"] = "changed"
    got = door.shop.get("orders", id_)
    assert got is not None
    got["lineItems"][0]["title"] = "changed"
    got["totalPriceSet"]["shopMoney"]["amount"] = "0"
    again = door.shop.get("orders", id_)
    assert again is not None
    assert again["lineItems"][0]["title"] == "Mug"
    assert again["totalPriceSet"] == money("12.50", "EUR")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"totalPrice": "1"}, "Order.totalPrice: Order has no such field"),
        ({"totalPriceSet": None}, "Order: missing .*totalPriceSet"),
        (
            {"lineItems": [{"id": gid("LineItem", 1), "quantity": 1, "title": "x"}]},
            "Order.lineItems\\[0\\]: missing .*originalUnitPriceSet",
        ),
    ],
)
def test_a_node_of_the_wrong_shape_is_refused(door: Door, fields: dict[str, Any], message: str) -> None:
    """put names the path of a field that is unknown or missing."""
    with pytest.raises(ValueError, match=message):
        door.order(1, **fields)
    assert door.shop.ids("orders") == []


def test_one_seed_makes_one_shop(clock: SharedClock) -> None:
    """Two shops of one seed make up the same ids and tokens, another seed others."""

    def made(seed: int) -> list[str]:
        shop = Shop(clock, seed=seed)
        app = shop.accounts.install("client", "secret", {"read_orders"})
        return [shop.new_id("Order"), shop.accounts.issue(app), shop.new_id("Order")]

    assert made(3) == made(3)
    assert not set(made(3)) & set(made(4))


def test_threads_may_edit_while_orders_are_read(door: Door) -> None:
    """Edits from other threads while pages are read lose no order and break no answer."""
    for n in range(1, 21):
        door.order(n)
    stop, failed = threading.Event(), []

    def edit() -> None:
        try:
            while not stop.is_set():
                for n in range(1, 21):
                    door.shop.edit("orders", ORDER + n, lambda node: node["tags"].append("t"))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=edit) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        found = [door.data("{orders(first:250){nodes{name tags lineItems(first:5){nodes{id}}}}}") for _ in range(20)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert {len(data["orders"]["nodes"]) for data in found} == {20}
