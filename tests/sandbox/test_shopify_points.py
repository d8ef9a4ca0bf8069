"""What queries cost at the practice shop, and what happens when the points run out."""

from __future__ import annotations

from typing import Any

import pytest
from shopify_door import ALL, TOKEN, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid

WIDE = """query($n:Int!){orders(first:$n){nodes{id customer{id} totalPriceSet{shopMoney{amount}}
lineItems(first:50){nodes{id product{id} variant{id} taxLines(first:20){title}
discountAllocations{discountApplication{index}}}}
shippingLines(first:10){nodes{id taxLines{title} discountAllocations{discountApplication{index}}}}
refunds(first:20){id refundLineItems(first:50){nodes{lineItem{id}}} orderAdjustments(first:20){nodes{id}}
transactions(first:20){nodes{id}}} transactions(first:20){id parentTransaction{id}}}}}"""


@pytest.fixture
def door(clock: SharedClock) -> Door:
    return Door(clock)


def cost(door: Door, query: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = door.body(query, **variables)["extensions"]["cost"]
    return found


@pytest.mark.parametrize(
    ("query", "damped", "linear"),
    [
        ("{shop{name currencyCode}}", 1, 1),
        ("{shop{plan{publicDisplayName}}}", 2, 2),
        ('{product(id:"gid://shopify/Product/1"){variants(first:250){nodes{product{id}}}}}', 25, 503),
        ("{orders(first:10){pageInfo{endCursor} nodes{id totalPriceSet{shopMoney{amount}}}}}", 6, 12),
        ("{orders(first:10){edges{cursor node{id}}}}", 6, 12),
        ("query($n:Int=10){orders(first:$n){nodes{id}}}", 6, 12),
        ("{orders(first:2){nodes{customer{id} lineItems(first:50){nodes{taxLines{title}}}}}}", 20, 210),
        ("query($c:Boolean=false){shop{name} ordersCount@include(if:$c){count} x:shop@skip(if:true){name}}", 1, 1),
        ("query($c:Boolean=true){shop{name} ordersCount@include(if:$c){count}}", 2, 2),
        ("{a:shop{name} b:shop{name} ...F} fragment F on QueryRoot{c:shop{plan{shopifyPlus}}}", 4, 4),
        ('{nodes(ids:["gid://shopify/Order/1","gid://shopify/Order/2"]){id ... on Order{customer{id}}}}', 4, 4),
        ('mutation{customerCreate(input:{email:"a@b.test"}){customer{id} userErrors{message}}}', 10, 10),
    ],
)
def test_a_query_is_priced_before_it_runs(door: Door, query: str, damped: int, linear: int) -> None:
    """Objects one, plain values nothing, a connection two and its size times a node, a mutation ten; in both scales."""
    assert cost(door, query)["requestedQueryCost"] == damped
    door.shop.switches.cost = "linear"
    assert cost(door, query)["requestedQueryCost"] == linear


def test_only_what_was_found_is_paid(door: Door) -> None:
    """The actual cost is of what came back; the difference is given back to the bucket."""
    for n in range(1, 4):
        door.order(n)
    bill = cost(door, "{orders(first:250){nodes{customer{id} lineItems(first:250){nodes{id}}}}}")
    assert bill["requestedQueryCost"] == 2 + 11 * (1 + 1 + 13)
    assert bill["actualQueryCost"] == 2 + 2 * (1 + 1 + 3)
    assert bill["throttleStatus"] == {"maximumAvailable": 2000.0, "currentlyAvailable": 1988, "restoreRate": 100.0}


def test_nothing_found_costs_what_was_looked_at(door: Door) -> None:
    """A null record still costs its point, an empty connection its two."""
    bill = cost(door, '{product(id:"gid://shopify/Product/1"){variants(first:250){nodes{product{id}}}}}')
    assert (bill["requestedQueryCost"], bill["actualQueryCost"]) == (25, 1)
    assert cost(door, "{orders(first:250){nodes{id}}}")["actualQueryCost"] == 2


def test_many_orders_with_their_lines_pass_the_ceiling(door: Door) -> None:
    """250 orders with 50 lines each are more than one query may cost; fewer orders fit; the refusal takes nothing."""
    body = door.body(WIDE, n=250)
    error = body["errors"][0]
    assert "data" not in body
    asked = body["extensions"]["cost"]["requestedQueryCost"]
    assert asked > 1000
    assert error["message"].startswith(f"Query cost is {asked}, which exceeds the single query max cost limit (1000).")
    assert (error["extensions"]["code"], error["extensions"]["maxCost"]) == ("MAX_COST_EXCEEDED", 1000)
    assert body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2000
    assert "data" in door.body(WIDE, n=50)


def test_the_prose_rules_are_stricter(door: Door) -> None:
    """By the vendor's prose already 250 orders with 50 bare lines pass the ceiling."""
    query = "{orders(first:250){nodes{id lineItems(first:50){nodes{id}}}}}"
    assert cost(door, query)["requestedQueryCost"] == 2 + 11 * (1 + 2 + 7)
    door.shop.switches.cost = "linear"
    assert door.body(query)["errors"][0]["extensions"] == {
        "code": "MAX_COST_EXCEEDED",
        "cost": 2 + 250 * (1 + 2 + 50),
        "maxCost": 1000,
        "documentation": "https://shopify.dev/api/usage/limits#rate-limits",
    }


def test_an_empty_bucket_throttles_with_status_200(door: Door) -> None:
    """Without points the answer is THROTTLED at HTTP 200, without data, with the requested cost and no actual one."""
    door.order(1)
    door.shop.switches.cost = "linear"
    query = "{orders(first:250){nodes{customer{id}}}}"
    door.shop.switches.restore_rate = 0
    while "errors" not in (body := door.body(query)):
        door.order(1)
    assert body == {
        "errors": [
            {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
            }
        ],
        "extensions": {
            "cost": {
                "requestedQueryCost": 502,
                "actualQueryCost": None,
                "throttleStatus": {
                    "maximumAvailable": 2000.0,
                    "currentlyAvailable": body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"],
                    "restoreRate": 0.0,
                },
            }
        },
    }
    assert body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] < 502


def test_the_stated_wait_is_enough(door: Door) -> None:
    """After (requested - available) / restoreRate seconds the same query is answered, and not a second before."""
    query = 'mutation{customerCreate(input:{email:"no"}){userErrors{message}}}'
    while "errors" not in (body := door.body(query)):
        pass
    bill = body["extensions"]["cost"]
    status = bill["throttleStatus"]
    wait = (bill["requestedQueryCost"] - status["currentlyAvailable"]) / status["restoreRate"]
    assert 0 < wait <= 0.1
    door.clock.advance(wait / 2)
    assert "errors" in door.body(query)
    door.clock.advance(wait)
    assert "errors" not in door.body(query)


def test_the_bucket_fills_up_to_its_size_and_no_more(door: Door) -> None:
    """Points come back at the plan's rate and stop at the maximum."""
    door.customer(1)
    for _ in range(30):
        door.body('mutation{customerUpdate(input:{note:"n"}){userErrors{message}}}')
    level = cost(door, "{shop{name}}")["throttleStatus"]["currentlyAvailable"]
    assert level == 2000 - 300 - 1
    door.clock.advance(1)
    assert cost(door, "{shop{name}}")["throttleStatus"]["currentlyAvailable"] == level + 100 - 1
    door.clock.advance(3600)
    assert cost(door, "{shop{name}}")["throttleStatus"]["currentlyAvailable"] == 1999


@pytest.mark.parametrize(
    ("plan", "rate", "most"),
    [
        ("standard", 100.0, 2000.0),
        ("advanced", 200.0, 4000.0),
        ("plus", 1000.0, 20000.0),
        ("enterprise", 2000.0, 40000.0),
    ],
)
def test_the_plan_sets_rate_and_bucket(clock: SharedClock, plan: str, rate: float, most: float) -> None:
    """Restore rate and bucket follow the shop's plan."""
    status = cost(Door(clock, plan=plan), "{shop{name}}")["throttleStatus"]
    assert (status["restoreRate"], status["maximumAvailable"]) == (rate, most)


def test_points_are_counted_by_app(door: Door) -> None:
    """Two tokens of one app share a bucket, another app has its own."""
    app = door.shop.accounts.install("client", "secret", ALL)
    tokens = [door.shop.accounts.issue(app), door.shop.accounts.issue(app), TOKEN]

    def level(token: str) -> int:
        status = door.ask("{shop{name}}", token=token).json()["extensions"]["cost"]["throttleStatus"]
        found: int = status["currentlyAvailable"]
        return found

    assert [level(token) for token in tokens] == [1999, 1998, 1999]


def test_the_debug_header_breaks_the_cost_down(door: Door) -> None:
    """With the header every field tells its own, its total and its children's cost."""
    answer = door.ask("{orders(first:10){nodes{customer{id}}}}", headers={"Shopify-GraphQL-Cost-Debug": "1"}).json()
    bill = answer["extensions"]["cost"]
    assert bill["fields"][0]["path"] == ["orders"]
    assert bill["fields"][0]["requestedTotalCost"] == bill["requestedQueryCost"] == 10
    assert bill["fields"][1] == {
        "path": ["orders", "customer"],
        "definedCost": 1,
        "requestedTotalCost": 1,
        "requestedChildrenCost": None,
    }


def test_the_actual_cost_never_exceeds_the_requested(door: Door) -> None:
    """Over orders with refunds, discounts and many lines what is paid is at most what was taken."""
    at = "2026-11-02T00:00:00Z"
    zero = {side: {"amount": "0.0", "currencyCode": "EUR"} for side in ("shopMoney", "presentmentMoney")}
    for n in range(1, 30):
        refunds = [{"id": gid("Refund", n * 10 + k), "createdAt": at, "totalRefundedSet": zero} for k in range(n % 4)]
        door.order(n, lineItems=[door.line(n * 100 + k) for k in range(n)], refunds=refunds)
    bill = cost(door, WIDE, n=29)
    assert 0 < bill["actualQueryCost"] <= bill["requestedQueryCost"]
