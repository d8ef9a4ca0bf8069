"""Reading orders, customers and products from a shop, against the practice shop over a real socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from practice_systems import Systems
from shop_rows import FIRST, customer, instant, line, order, payment, refund

from crosswalk.clock import SharedClock
from crosswalk.connectors import shopify as connector
from crosswalk.connectors.base import Page, Window
from crosswalk.connectors.shopify import Shopify
from crosswalk.frames.parse import parse
from crosswalk.sandbox.faults import Rule
from crosswalk.sandbox.shopify import gid, money
from crosswalk.schemas import shopify as schema


def names(pages: list[Page]) -> list[str]:
    return [json.loads(raw)["name"] for page in pages for raw in page.records]


def everything(shop: Shopify, resource: str = "shopify.orders", window: Window | None = None) -> list[Page]:
    return list(shop.read(resource, window or Window()))


def only(pages: list[Page]) -> Any:
    [raw] = [raw for page in pages for raw in page.records]
    return json.loads(raw)


def test_every_order_comes_once_and_their_number_is_the_vendors_total(systems: Systems) -> None:
    """A listing over several pages yields every order once, oldest change first, and says how many there are."""
    systems.shop.put_all("orders", [order(n) for n in range(75)])
    pages = everything(systems.shopify())
    assert names(pages) == [f"#{1000 + n}" for n in range(75)]
    assert len(pages) > 1 and pages[-1].total == 75
    assert all(page.resume for page in pages[:-1]) and pages[-1].resume is None


def test_a_listing_goes_on_where_it_stopped(systems: Systems) -> None:
    """The rest after a page is read from that page's resume, by another process too."""
    systems.shop.put_all("orders", [order(n) for n in range(40)])
    first = next(iter(systems.shopify().read("shopify.orders", Window())))
    rest = list(systems.shopify().read("shopify.orders", Window(), first.resume))
    assert names([first, *rest]) == [f"#{1000 + n}" for n in range(40)]
    assert rest[-1].total == 40


def test_a_window_holds_what_changed_in_it(systems: Systems) -> None:
    """The lower bound belongs to the window, the upper one does not."""
    systems.shop.put_all("orders", [order(n) for n in range(10)])
    window = Window(FIRST + timedelta(minutes=3), FIRST + timedelta(minutes=6))
    assert names(everything(systems.shopify(), window=window)) == ["#1003", "#1004", "#1005"]


def test_customers_are_cut_to_the_window_here(systems: Systems) -> None:
    """Shopify's filter on customers gives whole days; only those that changed in the window are passed on."""
    systems.shop.put_all("customers", [customer(n) for n in range(10)])
    window = Window(FIRST + timedelta(minutes=3), FIRST + timedelta(minutes=6))
    pages = everything(systems.shopify(), "shopify.customers", window)
    assert [json.loads(r)["updatedAt"] for p in pages for r in p.records] == [instant(n) for n in (3, 4, 5)]
    assert all(page.total is None for page in pages)


def test_nested_lists_are_read_to_their_end(systems: Systems) -> None:
    """An order with more lines, refund lines and payments of a refund than a page holds comes with all of them."""
    lines = [line(n) for n in range(60)]
    paid_back = refund(1, lines) | {"transactions": [payment(n, kind="REFUND") for n in range(12)]}
    systems.shop.put("orders", order(1, lineItems=lines, refunds=[paid_back]))
    read = only(everything(systems.shopify()))
    assert [n["id"] for n in read["lineItems"]["nodes"]] == [row["id"] for row in lines]
    assert len(read["refunds"][0]["refundLineItems"]["nodes"]) == 60
    assert len(read["refunds"][0]["transactions"]["nodes"]) == 12
    assert read["lineItems"]["pageInfo"]["hasNextPage"] is False


def test_a_product_comes_with_all_its_variants(systems: Systems) -> None:
    """Variants are paged like lines."""
    variants = [{"id": gid("ProductVariant", n), "title": f"V{n}", "price": "10.00"} for n in range(1, 121)]
    systems.shop.put("products", {"id": gid("Product", 1), "title": "Mug", "handle": "mug", "variants": variants})
    assert len(only(everything(systems.shopify(), "shopify.products"))["variants"]["nodes"]) == 120


def test_amounts_and_rates_of_a_completed_record_stay_exact(systems: Systems) -> None:
    """Putting a record together again changes no digit of what it held."""
    taxed = [line(n, taxLines=[{"title": "BTW", "rate": 0.21, "priceSet": money("2.10", "EUR")}]) for n in range(30)]
    systems.shop.put("orders", order(1, lineItems=taxed, totalPriceSet=money("12345678901234.5600", "EUR")))
    [raw] = [raw for page in everything(systems.shopify()) for raw in page.records]
    assert b'"12345678901234.5600"' in raw
    assert raw.count(b'"rate":0.21') == 30


@pytest.mark.parametrize(("name", "limit"), [("refunds", schema.REFUNDS), ("transactions", schema.TRANSACTIONS)])
def test_a_list_without_pages_as_long_as_its_limit_is_held(systems: Systems, name: str, limit: int) -> None:
    """It may be cut, and nothing would tell; one that is shorter is whole."""
    make: Any = {"refunds": lambda n: refund(n, []), "transactions": payment}[name]
    systems.shop.put("orders", order(1, **{name: [make(n) for n in range(limit)]}))
    systems.shop.put("orders", order(2, **{name: [make(100 + n) for n in range(limit - 1)]}))
    raws = [raw for page in everything(systems.shopify()) for raw in page.records]
    parsed = parse(schema.Order, raws)
    assert [(r.index, r.field) for r in parsed.refused] == [(0, name)]


def test_a_null_and_a_broken_record_are_passed_on(systems: Systems) -> None:
    """They are counted and held later; here they cost nothing else."""
    systems.shop.put_all("orders", [order(n) for n in range(3)])
    systems.practice.spoil.rows = {order(0)["id"]: "bad_null", order(1)["id"]: "bad_surrogate"}
    raws = [raw for page in everything(systems.shopify()) for raw in page.records]
    assert len(raws) == 3 and raws[0] == b"null"


def test_an_order_that_changes_while_the_list_is_read_is_not_lost(systems: Systems, clock: SharedClock) -> None:
    """It moves to the end of the list, and nobody slides past the cursor."""
    systems.shop.put_all("orders", [order(n) for n in range(40)])
    seen = []
    for number, page in enumerate(systems.shopify().read("shopify.orders", Window())):
        seen += names([page])
        if number == 0:
            systems.shop.edit("orders", order(0)["id"], {"note": "changed"})
    assert set(seen) == {f"#{1000 + n}" for n in range(40)} and seen[-1] == "#1000"


def test_the_total_never_counts_what_could_not_be_read(systems: Systems, clock: SharedClock) -> None:
    """An order that leaves the window while it is read comes in the next one, and is not missed in this one's total."""
    systems.shop.put_all("orders", [order(n) for n in range(40)])
    pages = []
    for page in systems.shopify().read("shopify.orders", Window(None, clock.now())):
        pages.append(page)
        if len(pages) == 1:
            clock.advance(60)
            systems.shop.edit("orders", order(39)["id"], {"note": "changed"})
    assert len(names(pages)) == 39 and pages[-1].total == 39


def test_a_deep_listing_is_begun_again_before_its_end(systems: Systems, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sorted search ends after so many objects; the listing is restarted from the last change and loses none."""
    monkeypatch.setattr(connector, "DEEPEST", 30)
    systems.shop.switches.deep_paging = 45
    systems.shop.put_all("orders", [order(n) for n in range(100)])
    found = names(everything(systems.shopify()))
    assert set(found) == {f"#{1000 + n}" for n in range(100)} and len(found) < 110


def test_pages_grow_as_far_as_their_price_allows(systems: Systems) -> None:
    """The size of a page follows from what the last one was said to cost."""
    systems.shop.put_all("customers", [customer(n) for n in range(600)])
    sizes = [len(page.records) for page in everything(systems.shopify(), "shopify.customers")]
    assert sizes[0] == connector.FIRST_PAGE and max(sizes) > 100


def test_a_query_that_is_too_dear_is_asked_smaller(systems: Systems) -> None:
    """Where sizes count in full, pages and nested pages shrink until the query is let through, and nothing is lost."""
    systems.shop.switches.cost = "linear"
    systems.shop.put_all("orders", [order(n, lines=7) for n in range(4)])
    pages = everything(systems.shopify())
    assert names(pages) == [f"#{1000 + n}" for n in range(4)]
    assert all(len(json.loads(raw)["lineItems"]["nodes"]) == 7 for page in pages for raw in page.records)


def test_the_bucket_is_waited_for_and_not_run_into(systems: Systems, clock: SharedClock) -> None:
    """The price of a page is known before it is asked: every request brings its page, none is throttled."""
    systems.shop.switches.restore_rate = 10.0
    systems.shop.put_all("orders", [order(n) for n in range(200)])
    shop, began = systems.shopify(), clock.now()
    pages = [page for _ in range(8) for page in everything(shop)]
    assert sum(len(page.records) for page in pages) == 1600
    assert systems.shop.requests()["Orders"] == len(pages)
    assert clock.now() - began > timedelta(seconds=10)


def test_a_throttled_query_is_asked_again_when_the_bucket_is_full_enough(systems: Systems, clock: SharedClock) -> None:
    """Another process of the same app has emptied the bucket: the wait follows from what is missing."""
    systems.shop.put_all("orders", [order(n) for n in range(30)])
    other, shop = systems.shopify(account="other.myshopify.com"), systems.shopify()
    shop.granted()
    for _ in range(3):
        everything(other)
    began = clock.now()
    assert len(names(everything(shop))) == 30
    assert timedelta(0) <= clock.now() - began < timedelta(seconds=60)


def test_a_cut_answer_is_asked_again(systems: Systems) -> None:
    """Half a page is no page."""
    systems.shop.put_all("orders", [order(n) for n in range(30)])
    systems.practice.use_faults("shopify", [Rule("truncate", contains="Orders", nth=2)])
    assert len(names(everything(systems.shopify()))) == 30


def test_records_are_read_by_id_and_a_missing_one_is_left_out(systems: Systems) -> None:
    """Ids of nothing and of another type give nothing; the others come whole."""
    systems.shop.put_all("orders", [order(1, lines=40), order(2)])
    systems.shop.put("customers", customer(1))
    wanted = [order(1)["id"], gid("Order", 4), customer(1)["id"], order(2)["id"]]
    found = [json.loads(raw) for raw in systems.shopify().fetch("shopify.orders", wanted)]
    assert [one["name"] for one in found] == ["#1001", "#1002"]
    assert len(found[0]["lineItems"]["nodes"]) == 40


def test_the_clock_is_the_shops_own(systems: Systems) -> None:
    """Before the first answer the shop is asked, so that a window's end is on its clock."""
    shop = systems.shopify()
    assert shop.now() == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert systems.arrived("shopify") == 1
