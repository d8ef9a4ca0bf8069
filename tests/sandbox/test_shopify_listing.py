"""What the practice shop lists: pages, cursors, sorting, nested lists, and a listing that changes while it is read."""

from __future__ import annotations

from typing import Any

import pytest
from shopify_door import ORDER, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid, money

PAGE = """query($n:Int,$a:String,$q:String,$s:OrderSortKeys,$r:Boolean){orders(first:$n,after:$a,query:$q,sortKey:$s,
reverse:$r){pageInfo{hasNextPage hasPreviousPage startCursor endCursor} nodes{id name updatedAt}}}"""


@pytest.fixture
def door(clock: SharedClock) -> Door:
    return Door(clock)


def walk(door: Door, size: int, **arguments: Any) -> list[str]:
    """The names over all pages."""
    names, after = [], None
    while True:
        page = door.data(PAGE, n=size, a=after, **arguments)["orders"]
        names += [node["name"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return names
        after = page["pageInfo"]["endCursor"]


def test_pages_join_to_the_whole_listing(door: Door) -> None:
    """Pages of three show seven orders once each and end with hasNextPage false."""
    for n in range(1, 8):
        door.order(n)
    assert walk(door, 3, s="UPDATED_AT") == [f"#{1000 + n}" for n in range(1, 8)]


def test_edges_carry_a_cursor_each(door: Door) -> None:
    """A page can be continued from the cursor of any of its edges."""
    for n in range(1, 5):
        door.order(n)
    edges = door.data("{orders(first:3,sortKey:ID){edges{cursor node{name}}}}")["orders"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["#1001", "#1002", "#1003"]
    assert walk(door, 5, s="ID")[2:] == ["#1003", "#1004"]
    rest = door.data(PAGE, n=5, a=edges[1]["cursor"], s="ID")["orders"]["nodes"]
    assert [node["name"] for node in rest] == ["#1003", "#1004"]


def test_last_and_before_page_backwards(door: Door) -> None:
    """last takes the end of the listing, before goes on backwards from there."""
    for n in range(1, 6):
        door.order(n)
    query = "query($b:String){orders(last:2,before:$b,sortKey:ID){pageInfo{startCursor hasPreviousPage} nodes{name}}}"
    page = door.data(query)["orders"]
    assert [node["name"] for node in page["nodes"]] == ["#1004", "#1005"]
    assert page["pageInfo"]["hasPreviousPage"]
    page = door.data(query, b=page["pageInfo"]["startCursor"])["orders"]
    assert [node["name"] for node in page["nodes"]] == ["#1002", "#1003"]


def test_reverse_turns_the_listing_round(door: Door) -> None:
    """reverse lists the newest first, over page borders too."""
    for n in range(1, 6):
        door.order(n)
    assert walk(door, 2, s="UPDATED_AT", r=True) == ["#1005", "#1004", "#1003", "#1002", "#1001"]


def test_orders_are_sorted_by_processing_unless_asked(door: Door) -> None:
    """Without a sort key orders come by processedAt, which need not be the order of creation."""
    door.order(1, processedAt="2026-11-05T00:00:00Z")
    door.order(2)
    nodes = door.data("{orders(first:5){nodes{name}}}")["orders"]["nodes"]
    assert [node["name"] for node in nodes] == ["#1002", "#1001"]


@pytest.mark.parametrize("arguments", ["", "(first:251)", "(first:2,last:2)", "(first:-1)"])
def test_a_page_needs_one_size_of_250_at_most(door: Door, arguments: str) -> None:
    """No size, two sizes, a negative one or more than 250 is an error."""
    door.order(1)
    body = door.body(f"{{orders{arguments}{{nodes{{id}}}}}}")
    assert body["errors"][0]["path"] == ["orders"]
    assert body["data"] is None


@pytest.mark.parametrize("other", [{"s": "ID"}, {"s": "UPDATED_AT", "q": "test:false"}, {"s": "UPDATED_AT", "r": True}])
def test_a_cursor_belongs_to_its_sort_and_search(door: Door, other: dict[str, Any]) -> None:
    """A cursor with another sort key, search or direction is refused."""
    door.order(1)
    door.order(2)
    cursor = door.data(PAGE, n=1, s="UPDATED_AT")["orders"]["pageInfo"]["endCursor"]
    body = door.body(PAGE, n=1, a=cursor, **other)
    assert body["errors"][0]["message"] == "Invalid cursor for current pagination sort."


def test_a_broken_cursor_is_refused(door: Door) -> None:
    """A cursor that is not one of ours is refused, not ignored."""
    door.order(1)
    assert "Invalid cursor" in door.body(PAGE, n=1, a="bm9uc2Vuc2U=")["errors"][0]["message"]


def test_an_edited_order_moves_to_the_end_while_pages_are_read(door: Door) -> None:
    """An order edited between two pages is seen again at the end, and nothing else is missed or doubled."""
    for n in range(1, 7):
        door.order(n)
    first = door.data(PAGE, n=3, s="UPDATED_AT")["orders"]
    door.shop.edit("orders", ORDER + 2, {"note": "changed"})
    seen = [node["name"] for node in first["nodes"]]
    after = first["pageInfo"]["endCursor"]
    seen += [node["name"] for node in door.data(PAGE, n=10, a=after, s="UPDATED_AT")["orders"]["nodes"]]
    assert seen == ["#1001", "#1002", "#1003", "#1004", "#1005", "#1006", "#1002"]


def test_newest_first_misses_an_order_that_is_edited_while_read(door: Door) -> None:
    """Read backwards, an order edited before its page comes is on no page any more."""
    for n in range(1, 5):
        door.order(n)
    first = door.data(PAGE, n=2, s="UPDATED_AT", r=True)["orders"]
    door.shop.edit("orders", ORDER + 1, {"note": "changed"})
    rest = door.data(PAGE, n=5, a=first["pageInfo"]["endCursor"], s="UPDATED_AT", r=True)["orders"]["nodes"]
    assert [node["name"] for node in (*first["nodes"], *rest)] == ["#1004", "#1003", "#1002"]


def test_orders_of_one_second_are_told_apart_by_id(door: Door) -> None:
    """A page border between two orders of one instant loses neither."""
    for n in range(1, 6):
        door.order(n, updatedAt="2026-11-10T00:00:00Z")
    assert walk(door, 2, s="UPDATED_AT") == ["#1001", "#1002", "#1003", "#1004", "#1005"]


def test_a_sorted_listing_ends_after_its_deepest_object(door: Door) -> None:
    """Behind the limit there is no next page, although there are more orders; another window reaches them."""
    assert door.shop.switches.deep_paging == 25_000
    door.shop.switches.deep_paging = 4
    for n in range(1, 8):
        door.order(n)
    assert walk(door, 3, s="UPDATED_AT") == ["#1001", "#1002", "#1003", "#1004"]
    assert walk(door, 3, s="UPDATED_AT", q="updated_at:>='2026-11-01T00:05:00Z'") == ["#1005", "#1006", "#1007"]


def test_nested_connections_have_pages_of_their_own(door: Door) -> None:
    """The lines of an order beyond the first page are read by the cursor of that page."""
    id_ = door.order(1, lineItems=[door.line(k, sku=f"S{k}") for k in range(5)])
    query = """query($id:ID!,$a:String){order(id:$id){lineItems(first:2,after:$a){pageInfo{hasNextPage endCursor}
    nodes{sku}}}}"""
    skus, after = [], None
    while True:
        lines = door.data(query, id=id_, a=after)["order"]["lineItems"]
        skus += [line["sku"] for line in lines["nodes"]]
        after = lines["pageInfo"]["endCursor"]
        if not lines["pageInfo"]["hasNextPage"]:
            break
    assert skus == ["S0", "S1", "S2", "S3", "S4"]


def test_plain_lists_are_cut_without_a_word(door: Door) -> None:
    """refunds, transactions and a line's tax lines stop at first, and nothing says that there is more."""
    tax = {"title": "BTW", "rate": 0.21, "priceSet": money("1.00", "EUR")}
    at = "2026-11-02T00:00:00Z"
    refunds = [{"id": gid("Refund", k), "createdAt": at, "totalRefundedSet": money("1.00", "EUR")} for k in (1, 2, 3)]
    id_ = door.order(
        1,
        transactions=[door.payment(k) for k in range(3)],
        refunds=refunds,
        lineItems=[door.line(1, taxLines=[tax] * 3)],
    )
    query = """query($id:ID!){order(id:$id){refunds(first:2){id} transactions(first:2){id}
    lineItems(first:1){nodes{taxLines(first:2){title}}}}}"""
    order = door.data(query, id=id_)["order"]
    counted = [order["refunds"], order["transactions"], order["lineItems"]["nodes"][0]["taxLines"]]
    assert [len(items) for items in counted] == [2, 2, 2]
    whole = door.data("query($id:ID!){order(id:$id){refunds{id}}}", id=id_)["order"]["refunds"]
    assert len(whole) == 3


def test_plain_lists_cannot_be_continued(door: Door) -> None:
    """refunds takes no after: the document is refused."""
    error = door.body('{orders(first:1){nodes{refunds(first:1,after:"x"){id}}}}')["errors"][0]
    assert error["extensions"]["code"] == "argumentNotAccepted"


def test_removed_shipping_lines_are_listed_only_on_request(door: Door) -> None:
    """A shipping line that was taken off stays away unless includeRemovals asks for it."""
    lines = [
        {"id": gid("ShippingLine", k), "title": f"S{k}", "originalPriceSet": money("5.95", "EUR"), "isRemoved": k == 1}
        for k in (1, 2)
    ]
    id_ = door.order(1, shippingLines=lines)
    query = """query($id:ID!){order(id:$id){shippingLine{title} now:shippingLines(first:5){nodes{title}}
    all:shippingLines(first:5,includeRemovals:true){nodes{title isRemoved}}}}"""
    order = door.data(query, id=id_)["order"]
    assert order["shippingLine"] == {"title": "S2"}
    assert [line["title"] for line in order["now"]["nodes"]] == ["S2"]
    assert len(order["all"]["nodes"]) == 2


def test_counts_are_exact_up_to_their_limit(door: Door) -> None:
    """ordersCount says EXACT, and AT_LEAST once its limit is reached."""
    for n in range(1, 4):
        door.order(n)
    query = "{all:ordersCount{count precision} some:ordersCount(limit:2){count precision}}"
    assert door.data(query) == {
        "all": {"count": 3, "precision": "EXACT"},
        "some": {"count": 2, "precision": "AT_LEAST"},
    }


def test_a_deleted_record_leaves_no_trace(door: Door) -> None:
    """A deleted order is on no list and reads as null: there is no tombstone."""
    id_ = door.order(1)
    door.order(2)
    door.shop.delete("orders", id_)
    assert door.names("") == ["#1002"]
    assert door.data("query($id:ID!){order(id:$id){id} node(id:$id){id}}", id=id_) == {"order": None, "node": None}
