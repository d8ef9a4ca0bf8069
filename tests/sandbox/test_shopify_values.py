"""How the practice shop writes values: ids, money, instants, states, references."""

from __future__ import annotations

import pytest
from shopify_door import ORDER, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid, money

MONEY = "{shopMoney{amount currencyCode} presentmentMoney{amount currencyCode}}"


@pytest.fixture
def door(clock: SharedClock) -> Door:
    return Door(clock)


def test_ids_are_strings_beyond_what_a_float_holds(door: Door) -> None:
    """id is a gid and legacyResourceId its number as a string, exact beyond 2^53."""
    door.order(0)
    node = door.data("{orders(first:1){nodes{id legacyResourceId}}}")["orders"]["nodes"][0]
    assert node == {"id": "gid://shopify/Order/820982911946154508", "legacyResourceId": "820982911946154508"}
    assert int(float(node["legacyResourceId"])) != int(node["legacyResourceId"])


@pytest.mark.parametrize(("amount", "currency"), [("10.0", "EUR"), ("10.00", "EUR"), ("10", "EUR"), ("1000", "JPY")])
def test_amounts_are_strings_of_any_scale(door: Door, amount: str, currency: str) -> None:
    """Amounts come as strings, with the scale they were written in; yen without places."""
    id_ = door.order(1, totalPriceSet=money(amount, currency), currencyCode=currency)
    total = door.data(f"query($id:ID!){{order(id:$id){{totalPriceSet{MONEY}}}}}", id=id_)["order"]["totalPriceSet"]
    assert total["shopMoney"] == {"amount": amount, "currencyCode": currency}


def test_money_comes_in_shop_and_presentment_currency(door: Door) -> None:
    """An order in another currency shows both amounts."""
    id_ = door.order(1, totalPriceSet=money("10.00", "EUR", "8.55", "GBP"), presentmentCurrencyCode="GBP")
    query = f"query($id:ID!){{order(id:$id){{currencyCode presentmentCurrencyCode totalPriceSet{MONEY}}}}}"
    order = door.data(query, id=id_)["order"]
    assert (order["currencyCode"], order["presentmentCurrencyCode"]) == ("EUR", "GBP")
    assert order["totalPriceSet"]["presentmentMoney"] == {"amount": "8.55", "currencyCode": "GBP"}


def test_totals_come_in_pairs(door: Door) -> None:
    """The original, the edited and the current total differ after an edit and a refund."""
    totals = {"originalTotalPriceSet": "12.50", "totalPriceSet": "25.00", "currentTotalPriceSet": "20.00"}
    id_ = door.order(1, edited=True, **{name: money(amount, "EUR") for name, amount in totals.items()})
    query = "query($id:ID!){order(id:$id){edited " + "".join(f"{n}{{shopMoney{{amount}}}}" for n in totals) + "}}"
    order = door.data(query, id=id_)["order"]
    assert order.pop("edited") is True
    assert {name: value["shopMoney"]["amount"] for name, value in order.items()} == totals


def test_a_line_has_its_first_and_its_present_quantity(door: Door) -> None:
    """quantity stays as ordered, currentQuantity follows removals and refunds."""
    id_ = door.order(1, lineItems=[door.line(1, quantity=3, currentQuantity=1)])
    query = """query($id:ID!){order(id:$id){lineItems(first:1){nodes{quantity currentQuantity
    originalTotalSet{shopMoney{amount}}}}}}"""
    line = door.data(query, id=id_)["order"]["lineItems"]["nodes"][0]
    assert line == {"quantity": 3, "currentQuantity": 1, "originalTotalSet": {"shopMoney": {"amount": "37.50"}}}


def test_instants_are_utc_seconds(door: Door) -> None:
    """Instants are ISO 8601 in UTC, whole seconds."""
    door.order(1)
    door.clock.advance(0.75)
    node = door.shop.edit("orders", ORDER + 1, {"note": "n"})
    assert node["updatedAt"] == "2026-11-23T09:00:00Z"
    assert door.data("{orders(first:1){nodes{createdAt}}}")["orders"]["nodes"][0]["createdAt"] == "2026-11-01T00:01:00Z"


def test_what_may_be_null_is_null(door: Door) -> None:
    """A bare order has no financial status, customer, cancellation, addresses, e-mail or tax total."""
    id_ = door.order(1)
    query = """query($id:ID!){order(id:$id){displayFinancialStatus customer{id} cancelledAt cancelReason closedAt
    email note billingAddress{city} shippingAddress{city} totalTaxSet{shopMoney{amount}}
    subtotalPriceSet{shopMoney{amount}}}}"""
    assert set(door.data(query, id=id_)["order"].values()) == {None}


def test_a_line_may_have_lost_its_product(door: Door) -> None:
    """A line whose product was deleted keeps its title and has null for product and variant."""
    door.shop.put("products", {"id": gid("Product", 1), "title": "Mug", "variants": [{"id": gid("ProductVariant", 2)}]})
    line = door.line(1, product={"id": gid("Product", 1)}, variant={"id": gid("ProductVariant", 2)})
    id_ = door.order(1, lineItems=[line])
    query = "query($id:ID!){order(id:$id){lineItems(first:1){nodes{title product{title} variant{title}}}}}"
    read = lambda: door.data(query, id=id_)["order"]["lineItems"]["nodes"][0]  # noqa: E731
    assert read() == {"title": "Mug", "product": {"title": "Mug"}, "variant": {"title": "Default Title"}}
    door.shop.delete("products", 1)
    assert read() == {"title": "Mug", "product": None, "variant": None}


def test_an_order_shows_its_customers_present_state(door: Door) -> None:
    """A renamed customer is renamed on earlier orders, which do not change by that; a deleted one is null."""
    id_ = door.order(1, customer={"id": door.customer(1)})
    door.shop.edit("customers", 7_700_112_234, {"lastName": "Jansen"})
    query = "query($id:ID!){order(id:$id){updatedAt customer{displayName}}}"
    order = door.data(query, id=id_)["order"]
    assert order == {"updatedAt": "2026-11-01T00:01:00Z", "customer": {"displayName": "Anna Jansen"}}
    door.shop.delete("customers", 7_700_112_234)
    assert door.data(query, id=id_)["order"]["customer"] is None


def test_the_old_email_field_shows_the_default_address(door: Door) -> None:
    """customer.email, deprecated, and defaultEmailAddress agree, also after an edit by either name."""
    door.customer(1)
    query = "{customers(first:1){nodes{email defaultEmailAddress{emailAddress} phone defaultPhoneNumber{phoneNumber}}}}"
    for change in ({"email": "b@example.test"}, {"defaultEmailAddress": {"emailAddress": "b@example.test"}}):
        door.shop.edit("customers", 7_700_112_234, change)
        node = door.data(query)["customers"]["nodes"][0]
        assert node["email"] == node["defaultEmailAddress"]["emailAddress"] == "b@example.test"
        assert (node["phone"], node["defaultPhoneNumber"]) == (None, None)


def test_discounts_point_to_their_application(door: Door) -> None:
    """An allocation on a line shows the order's application with its index, kind and value."""
    rules = {"allocationMethod": "ACROSS", "targetSelection": "ALL", "targetType": "LINE_ITEM"}
    applications = [
        {
            "__typename": "ManualDiscountApplication",
            "title": "Sorry",
            "index": 0,
            **rules,
            "value": {"percentage": 10.0},
        },
        {"code": "TEN", "index": 1, **rules, "value": {"amount": "5.0", "currencyCode": "EUR"}},
    ]
    given = [{"allocatedAmountSet": money("1.25", "EUR"), "discountApplication": {"index": n}} for n in (1, 0)]
    id_ = door.order(1, discountApplications=applications, lineItems=[door.line(1, discountAllocations=given)])
    query = """query($id:ID!){order(id:$id){lineItems(first:1){nodes{discountAllocations{discountApplication{__typename
    index targetType ... on DiscountCodeApplication{code} value{... on MoneyV2{amount}
    ... on PricingPercentageValue{percentage}}}}}} discountApplications(first:5){nodes{index}}}}"""
    order = door.data(query, id=id_)["order"]
    assert [part["discountApplication"] for part in order["lineItems"]["nodes"][0]["discountAllocations"]] == [
        {
            "__typename": "DiscountCodeApplication",
            "index": 1,
            "targetType": "LINE_ITEM",
            "code": "TEN",
            "value": {"amount": "5.0"},
        },
        {
            "__typename": "ManualDiscountApplication",
            "index": 0,
            "targetType": "LINE_ITEM",
            "value": {"percentage": 10.0},
        },
    ]
    assert order["discountApplications"]["nodes"] == [{"index": 0}, {"index": 1}]


def test_taxes_stand_on_lines_shipping_and_order(door: Door) -> None:
    """Tax lines carry title, rate, percentage and price, on each level; taxesIncluded tells how to read them."""
    tax = {"title": "BTW", "rate": 0.21, "priceSet": money("2.17", "EUR")}
    shipping = {"id": gid("ShippingLine", 1), "title": "Post", "originalPriceSet": money("5.95", "EUR")}
    id_ = door.order(
        1,
        taxesIncluded=True,
        taxLines=[tax],
        lineItems=[door.line(1, taxLines=[tax])],
        shippingLines=[{**shipping, "taxLines": [tax]}],
    )
    parts = "{title rate ratePercentage priceSet{shopMoney{amount}}}"
    query = f"""query($id:ID!){{order(id:$id){{taxesIncluded taxLines{parts}
    lineItems(first:1){{nodes{{taxLines{parts}}}}} shippingLines(first:1){{nodes{{taxLines{parts}}}}}}}}}"""
    order = door.data(query, id=id_)["order"]
    shown = {"title": "BTW", "rate": 0.21, "ratePercentage": 21.0, "priceSet": {"shopMoney": {"amount": "2.17"}}}
    assert order["taxesIncluded"] is True
    assert order["taxLines"] == [shown]
    assert order["lineItems"]["nodes"][0]["taxLines"] == order["shippingLines"]["nodes"][0]["taxLines"] == [shown]


def test_a_closed_order_still_changes(door: Door) -> None:
    """An edit of a closed order moves its updatedAt, and a search by it finds the order."""
    id_ = door.order(1, closedAt="2026-11-02T00:00:00Z")
    door.shop.edit("orders", id_, {"note": "after closing"})
    assert door.names("status:closed updated_at:>='2026-11-23T00:00:00Z'") == ["#1001"]


def test_test_orders_are_listed_among_the_others(door: Door) -> None:
    """Orders of the bogus gateway carry test true and come like any other."""
    door.order(1, test=True, transactions=[door.payment(1, gateway="bogus", test=True)])
    node = door.data("{orders(first:1){nodes{test transactions{gateway test}}}}")["orders"]["nodes"][0]
    assert node == {"test": True, "transactions": [{"gateway": "bogus", "test": True}]}


def test_a_sku_is_not_unique(door: Door) -> None:
    """Two variants may have one SKU, and the search by it finds both."""
    variants = [{"id": gid("ProductVariant", k), "sku": "MUG"} for k in (1, 2)]
    door.shop.put("products", {"id": gid("Product", 1), "title": "Mug", "variants": variants})
    assert len(door.data('{productVariants(first:5,query:"sku:MUG"){nodes{id}}}')["productVariants"]["nodes"]) == 2


def test_a_refund_names_lines_shipping_and_payments(door: Door) -> None:
    """A refund links to its order's lines, and each payment back to the one it returns; it is read by id too."""
    at = "2026-11-05T10:00:00Z"
    line, shipping = door.line(1), {"id": gid("ShippingLine", 1), "title": "Post"}
    back = door.payment(2, kind="REFUND", parentTransaction={"id": door.payment(1)["id"]})
    refund = {
        "id": gid("Refund", 5),
        "createdAt": at,
        "totalRefundedSet": money("12.50", "EUR"),
        "refundLineItems": [
            {
                "lineItem": {"id": line["id"]},
                "quantity": 1,
                "subtotalSet": money("12.50", "EUR"),
                "restockType": "RETURN",
            }
        ],
        "refundShippingLines": [
            {
                "id": gid("RefundShippingLine", 1),
                "shippingLine": {"id": shipping["id"]},
                "subtotalAmountSet": money("1.00", "EUR"),
            }
        ],
        "orderAdjustments": [
            {"id": gid("OrderAdjustment", 1), "amountSet": money("-1.00", "EUR"), "reason": "REFUND_DISCREPANCY"}
        ],
        "transactions": [back],
    }
    door.order(
        1,
        lineItems=[line],
        shippingLines=[{**shipping, "originalPriceSet": money("5.95", "EUR")}],
        transactions=[door.payment(1), back],
        refunds=[refund],
    )
    query = """{refund(id:"gid://shopify/Refund/5"){legacyResourceId processedAt order{name}
    refundLineItems(first:5){nodes{quantity restockType lineItem{title quantity}}}
    refundShippingLines(first:5){nodes{shippingLine{title} subtotalAmountSet{shopMoney{amount}}}}
    orderAdjustments(first:5){nodes{reason amountSet{shopMoney{amount}}}}
    transactions(first:5){nodes{kind parentTransaction{kind}}}}}"""
    assert door.data(query)["refund"] == {
        "legacyResourceId": "5",
        "processedAt": at,
        "order": {"name": "#1001"},
        "refundLineItems": {
            "nodes": [{"quantity": 1, "restockType": "RETURN", "lineItem": {"title": "Mug", "quantity": 1}}]
        },
        "refundShippingLines": {
            "nodes": [{"shippingLine": {"title": "Post"}, "subtotalAmountSet": {"shopMoney": {"amount": "1.00"}}}]
        },
        "orderAdjustments": {
            "nodes": [{"reason": "REFUND_DISCREPANCY", "amountSet": {"shopMoney": {"amount": "-1.00"}}}]
        },
        "transactions": {"nodes": [{"kind": "REFUND", "parentTransaction": {"kind": "SALE"}}]},
    }


def test_records_are_read_again_by_id_and_identifier(door: Door) -> None:
    """One record comes the same by its own field, by node, by nodes and by identifier."""
    customer = door.customer(1, phone="+31201234567")
    id_ = door.order(1)
    query = """query($o:ID!,$c:ID!){order(id:$o){id} node(id:$o){id ... on Order{name}}
    nodes(ids:[$o,$c]){__typename id} orderByIdentifier(identifier:{id:$o}){id} customer(id:$c){id}
    a:customerByIdentifier(identifier:{id:$c}){id}
    b:customerByIdentifier(identifier:{emailAddress:"ANNA1@example.test"}){id}
    c:customerByIdentifier(identifier:{phoneNumber:"+31201234567"}){id}}"""
    data = door.data(query, o=id_, c=customer)
    assert data["order"] == data["orderByIdentifier"] == {"id": id_}
    assert data["node"] == {"id": id_, "name": "#1001"}
    assert data["nodes"] == [{"__typename": "Order", "id": id_}, {"__typename": "Customer", "id": customer}]
    assert data["customer"] == data["a"] == data["b"] == data["c"] == {"id": customer}
