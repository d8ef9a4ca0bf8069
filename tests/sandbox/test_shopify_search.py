"""The search syntax of the practice shop, and what it does with a filter it does not know."""

from __future__ import annotations

import pytest
from shopify_door import ORDER, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid


@pytest.fixture
def door(clock: SharedClock) -> Door:
    door = Door(clock)
    door.order(1, tags=["Wholesale"], email="ANNA@example.test", displayFinancialStatus="PAID")
    door.order(2, test=True, closedAt="2026-11-03T00:00:00Z")
    door.order(3, cancelledAt="2026-11-03T00:00:00Z", poNumber="PO-7", customer={"id": door.customer(1)})
    door.order(4, name="#1004-A", displayFinancialStatus="PENDING", sourceName="pos")
    return door


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("updated_at:>='2026-11-01T00:02:00Z'", [2, 3, 4]),
        ("updated_at:>'2026-11-01T00:02:00Z'", [3, 4]),
        ("updated_at:<'2026-11-01T00:02:00Z'", [1]),
        ('updated_at:<="2026-11-01T00:02:00Z"', [1, 2]),
        ("updated_at:>='2026-11-01T00:02:00Z' updated_at:<'2026-11-01T00:04:00Z'", [2, 3]),
        ("updated_at:>='2026-11-01T01:03:00+01:00'", [3, 4]),
        ("created_at:2026-11-01", [1, 2, 3, 4]),
        ("processed_at:>2026-11-02", []),
        ("test:true", [2]),
        ("-test:true", [1, 3, 4]),
        ("NOT test:true AND NOT status:cancelled", [1, 4]),
        ("tag:wholesale OR po_number:PO-7", [1, 3]),
        ("(tag:wholesale OR test:true) financial_status:paid", [1]),
        ("email:anna@example.test", [1]),
        ("email:anna*", [1]),
        ("status:closed", [2]),
        ("status:open", [1, 4]),
        ("status:any", [1, 2, 3, 4]),
        (f"id:{ORDER + 2}", [2]),
        (f"id:>{ORDER + 2}", [3, 4]),
        ("name:#1003", [3]),
        ("name:1003", [3]),
        ("customer_id:7700112234", [3]),
        ("source_name:pos", [4]),
        ("wholesale", [1]),
        ("", [1, 2, 3, 4]),
    ],
)
def test_a_search_finds(door: Door, search: str, found: list[int]) -> None:
    """Each form of the search syntax finds the orders it names."""
    names = door.names(search, "ID")
    assert [int(name[1:5]) - 1000 for name in names] == found


@pytest.mark.parametrize(
    ("search", "field"),
    [("modified_at:>='2026-11-01T00:03:00Z'", "modified_at"), ("test:false staff:'A'", "staff")],
)
def test_an_unknown_filter_is_left_out_with_a_warning(door: Door, search: str, field: str) -> None:
    """An unknown filter warns under extensions.search and is ignored: the answer is the rest of the search."""
    body = door.body("query($q:String){orders(first:9,query:$q){nodes{name}}}", q=search)
    assert "errors" not in body
    assert len(body["data"]["orders"]["nodes"]) == (4 if field == "modified_at" else 3)
    (entry,) = body["extensions"]["search"]
    assert entry["path"] == ["orders"]
    assert entry["query"] == search
    warning = {"field": field, "message": "Invalid search field for this query.", "code": "invalid_field"}
    assert entry["warnings"] == [warning]


def test_an_unquoted_time_falls_apart(door: Door) -> None:
    """A time without quotes ends at its first colon; the rest warns as a filter of its own."""
    body = door.body('{orders(first:9,query:"updated_at:>=2026-11-01T00:03:00Z"){nodes{name}}}')
    assert [warning["field"] for warning in body["extensions"]["search"][0]["warnings"]] == ["03"]
    assert len(body["data"]["orders"]["nodes"]) == 4


def test_a_value_that_does_not_fit_warns(door: Door) -> None:
    """A date that is none warns and is ignored."""
    body = door.body("{orders(first:9,query:\"updated_at:>='yesterday'\"){nodes{name}}}")
    assert body["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_value"
    assert len(body["data"]["orders"]["nodes"]) == 4


def test_a_good_search_says_nothing_under_extensions(door: Door) -> None:
    """Without a warning there is no extensions.search, unless the debug header asks for it."""
    query = '{orders(first:1,query:"test:true"){nodes{name}}}'
    assert "search" not in door.body(query)["extensions"]
    debug = door.ask(query, headers={"Shopify-Search-Query-Debug": "1"}).json()["extensions"]["search"]
    assert debug[0]["parsed"] == {"field": "test", "match_all": "true"}


def test_dates_without_zone_are_the_shops(door: Door) -> None:
    """A bare date is a day of the shop's own zone: 31 October 23:30 UTC is 1 November in Amsterdam."""
    door.order(5, createdAt="2026-10-31T23:30:00Z", name="#1005")
    assert "#1005" in door.names("created_at:2026-11-01")
    assert "#1005" not in door.names("created_at:2026-10-31")


def test_customers_updated_at_matches_whole_days(door: Door) -> None:
    """A bound on customers' updated_at takes in its whole day, on both sides."""
    for n, at in enumerate(["2026-11-09T12:00:00Z", "2026-11-10T06:00:00Z", "2026-11-10T20:00:00Z"], start=10):
        door.customer(n, updatedAt=at)
    query = "query($q:String){customers(first:9,query:$q,sortKey:UPDATED_AT){nodes{lastName}}}"

    def found(search: str) -> list[str]:
        return [node["lastName"] for node in door.data(query, q=search)["customers"]["nodes"]]

    assert found("updated_at:>='2026-11-10T18:00:00Z'") == ["Visser 11", "Visser 12"]
    assert found("updated_at:>='2026-11-09T18:00:00Z' updated_at:<'2026-11-10T01:00:00Z'") == [
        "Visser 10",
        "Visser 11",
        "Visser 12",
    ]


def test_customers_know_no_created_at(door: Door) -> None:
    """created_at is not a filter of customers; customer_date is."""
    body = door.body("{customers(first:9,query:\"created_at:>'2030-01-01'\"){nodes{id}}}")
    assert body["extensions"]["search"][0]["warnings"][0]["field"] == "created_at"
    assert len(body["data"]["customers"]["nodes"]) == 1


def test_products_and_variants_are_found_by_change(door: Door) -> None:
    """Products and variants are searched by updated_at and sku; a variant's edit moves its product too."""
    product = {"id": gid("Product", 1), "title": "Mug", "productType": "mug", "createdAt": "2026-11-01T00:00:00Z"}
    variants = [{"id": gid("ProductVariant", k), "title": f"V{k}", "sku": "MUG"} for k in (1, 2)]
    door.shop.put("products", {**product, "variants": variants})
    door.shop.edit("variants", 2, {"price": "9.50"})
    query = """{products(first:5,query:"updated_at:>'2026-11-02'",sortKey:UPDATED_AT){nodes{title
    variants(first:5){nodes{sku price}}}} productVariants(first:5,query:"updated_at:>'2026-11-02'"){
    nodes{price product{productType}}} same:productVariants(first:5,query:"sku:MUG"){nodes{id}}}"""
    data = door.data(query)
    assert [v["price"] for v in data["products"]["nodes"][0]["variants"]["nodes"]] == ["0.00", "9.50"]
    assert data["productVariants"]["nodes"] == [{"price": "9.50", "product": {"productType": "mug"}}]
    assert len(data["same"]["nodes"]) == 2


def test_variants_cannot_be_sorted_by_change(door: Door) -> None:
    """productVariants has no sort key UPDATED_AT: the document is refused."""
    error = door.body("{productVariants(first:1,sortKey:UPDATED_AT){nodes{id}}}")["errors"][0]
    assert error["extensions"]["code"] == "argumentLiteralsIncompatible"


def test_a_search_sees_an_edit_late(door: Door) -> None:
    """With an index lag a search misses a new order and an edit until it has passed; by id both are seen at once."""
    door.shop.switches.index_lag = 30
    door.order(6, createdAt="2026-11-23T09:00:00Z")
    door.shop.edit("orders", ORDER + 1, {"note": "changed"})
    search = "updated_at:>='2026-11-23T00:00:00Z'"
    assert door.names(search) == []
    note = door.data("query($id:ID!){order(id:$id){note}}", id=gid("Order", ORDER + 1))["order"]["note"]
    assert note == "changed"
    door.clock.advance(29)
    assert door.names(search) == []
    door.clock.advance(1)
    assert door.names(search, "ID") == ["#1001", "#1006"]


def test_a_late_index_still_lists_the_present_record(door: Door) -> None:
    """Found by its old row, an order is shown as it is now."""
    door.shop.switches.index_lag = 30
    door.shop.edit("orders", ORDER + 1, {"note": "changed"})
    query = "{orders(first:1,query:\"updated_at:<'2026-11-01T00:02:00Z'\"){nodes{note updatedAt}}}"
    node = door.data(query)["orders"]["nodes"][0]
    assert node == {"note": "changed", "updatedAt": "2026-11-23T09:00:00Z"}
