"""Examples go through the real parse, the real rules and the target's schema, and say how they differ."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from bill_kit import RULES, STATUS, bills
from bill_kit import TEST_SKIP as TESTS

from crosswalk.errors import MappingError
from crosswalk.mapping import (
    Check,
    Choose,
    Confirm,
    Constant,
    Copy,
    Default,
    Divide,
    Equals,
    Example,
    Lines,
    Link,
    LocalDate,
    Mapping,
    Marker,
    Match,
    Money,
    Remove,
    Rule,
    Sum,
    Wait,
    check_examples,
    mirror,
)
from crosswalk.mapping.examples import apply_example, wire
from crosswalk.schemas import shopify, xero
from crosswalk.schemas.tables import table_record

BASE: dict[str, Any] = {
    "id": "1",
    "changed": "2026-07-01T10:00:00Z",
    "at": "2026-06-30T22:30:00Z",
    "flag": False,
    "amount": "10.00",
    "other": {"name": "c1"},
    "lines": [{"id": "a", "title": "Book", "amount": "10.00", "count": 1, "flag": True, "taxes": []}],
    "returns": [],
}
GONE = Remove("gone", Equals("flag", True), why="w")


def failures(*examples: Example, declared: tuple[Any, ...] = (STATUS, TESTS), **named: Any) -> list[str]:
    return [f.what for f in check_examples(bills(*declared, examples=examples, base=BASE, **named))]


RIGHT = [
    Example(
        "placed", expect={"Number": "EX-1", "Status": "OPEN", "Date": "2026-07-01", "Customer.ID": "c1", "Note": None}
    ),
    Example("a line", expect={"Lines": 1, "Lines[0].Text": "Book", "Lines[0].Amount": "10", "Lines[0].Quantity": None}),
    Example("dotted", given={"other.name": "c2"}, expect={"Customer.ID": "c2"}),
    Example("nested", given={"other": {"name": "c3"}}, expect={"Customer.ID": "c3", "Number": "EX-1"}),
    Example("in a list", given={"lines[0].title": "Atlas"}, expect={"Lines[0].Text": "Atlas", "Lines[0].Amount": 10}),
    Example(
        "one more", given={"lines[1]": {"title": "Map", "amount": "0"}}, expect={"Lines": 2, "Lines[1].Text": "Map"}
    ),
    Example(
        "a list", given={"lines": [{"title": "Map", "amount": "1"}]}, expect={"Lines[0].Amount": Decimal(1)}, base=BASE
    ),
    Example("held", given={"at": None, "lines[0].title": None}, held={"Date", "Lines.Text"}),
    Example("skipped", given={"flag": True}, skipped="tests"),
]


@pytest.mark.parametrize("example", RIGHT, ids=lambda e: e.name)
def test_an_example_that_holds(example: Example) -> None:
    """What is given may be nested or dotted, laid over the base; what is expected may be text for any type."""
    assert failures(example) == []


def test_a_line_without_an_amount_is_held() -> None:
    """The example that adds a line without an amount is told which rule holds it."""
    example = Example("e", given={"lines[1]": {"title": "Map"}}, expect={"Lines": 2})
    assert failures(example) == ["it should be placed, and it is held by Lines.Amount"]


WRONG = [
    (Example("e", expect={"Status": "PAID"}), "Status should be 'PAID' and is 'OPEN'"),
    (Example("e", expect={"Lines[0].Amount": "10.01"}), "Lines[0].Amount should be '10.01' and is 10.0000"),
    (Example("e", expect={"Lines[1].Text": "x"}), "Lines[1].Text should be 'x' and is 'no Lines[1]'"),
    (Example("e", expect={"Date": "2026-06-30"}), "Date should be '2026-06-30' and is 2026-07-01"),
    (Example("e", expect={"Customer.ID": "c2"}), "Customer.ID should be 'c2' and is 'c1'"),
    (Example("e", given={"flag": True}, expect={"Status": "OPEN"}), "it should be placed, and it is skipped by tests"),
    (Example("e", held={"Date"}), "it should be held by Date, and it is placed"),
    (Example("e", given={"at": None}, held={"Number"}), "it should be held by Number, and it is held by Date"),
    (Example("e", given={"at": None}, held={"Date", "Number"}), "held by Date, Number, and it is held by Date"),
    (Example("e", skipped="tests"), "it should be skipped by tests, and it is placed"),
    (Example("e", given={"changed": None}, skipped="tests"), "the source record is refused: changed"),
    (Example("e", given={"amount": "ten"}, expect={"Note": None}), "the source record is refused: amount"),
    (Example("e", given={"lines": []}, expect={"Note": None}), "the target does not take it: Lines has fewer than 1"),
]


@pytest.mark.parametrize(("example", "says"), WRONG)
def test_an_example_that_does_not_hold(example: Example, says: str) -> None:
    """Each failure says what was expected and what came instead."""
    (what,) = failures(example)
    assert says in what


def test_an_unknown_source_field_in_the_base() -> None:
    """A base with a field that the source does not have is no record of the source."""
    mapping = bills(STATUS, examples=[Example("e", expect={"Status": "OPEN"})], base=BASE | {"colour": "red"})
    assert [f.what for f in check_examples(mapping)] == ["the source record has unknown fields: colour"]


def test_removed_examples() -> None:
    """A record that is removed is expected so, and nothing else of it."""
    examples = [Example("r", given={"flag": True}, removed=True), Example("p", expect={"Status": "OPEN"})]
    assert failures(*examples, declared=(STATUS, GONE)) == []
    assert failures(Example("r", removed=True), declared=(STATUS, GONE)) == ["it should be removed, and it is placed"]


def test_numbers_and_paths_at_the_wire() -> None:
    """Lists behind ``.nodes`` and numbers are written as the source writes them."""
    given = {
        "refunds[0].refundLineItems[0].quantity": 1,
        "lineItems[0].taxLines": [{"title": "t", "rate": Decimal("0.21")}],
    }
    sent = wire(ORDERS, Example("e", given=given, expect={"Status": "PAID"}))
    assert b'"refundLineItems":{"nodes":[{"quantity":1}]}' in sent
    assert b'"rate":0.21' in sent and b'"amount":"19.95"' in sent and b'"lineItems":{"nodes":[{"id":"L1"' in sent


def amount(name: str, value: str) -> dict[str, Any]:
    return {name: {"shopMoney": {"amount": value}}}


LINE: dict[str, Any] = {
    "id": "L1", "title": "A book", "quantity": 2, "currentQuantity": 2, "isGiftCard": False,
    "product": {"id": "P1", "productType": "book"}, "discountAllocations": [], "taxLines": [],
    **amount("originalUnitPriceSet", "7.50"), **amount("discountedTotalSet", "15.00"),
}  # fmt: skip
SHIPPING: dict[str, Any] = {
    "id": "S1", "title": "Post", "isRemoved": False, "discountAllocations": [], "taxLines": [],
    **amount("originalPriceSet", "4.95"), **amount("discountedPriceSet", "4.95"),
}  # fmt: skip
REFUND: dict[str, Any] = {
    "id": "R1", "legacyResourceId": "9", "processedAt": "2026-07-03T10:00:00Z", "updatedAt": "2026-07-03T10:00:00Z",
    **amount("totalRefundedSet", "7.50"), "refundShippingLines": [], "orderAdjustments": [], "transactions": [],
    "refundLineItems": [
        {"lineItem": {"id": "L1"}, "quantity": 1, **amount("subtotalSet", "7.50"), **amount("totalTaxSet", "0")}
    ],
}  # fmt: skip
ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/1", "legacyResourceId": "1", "name": "#1001", "test": False, "taxesIncluded": True,
    "createdAt": "2026-07-01T10:00:00Z", "processedAt": "2026-06-30T22:30:00Z", "updatedAt": "2026-07-01T10:00:00Z",
    "currencyCode": "EUR", "displayFinancialStatus": "PAID", "customer": {"id": "gid://shopify/Customer/7"},
    **amount("totalPriceSet", "19.95"), **amount("currentTotalPriceSet", "19.95"),
    **amount("totalShippingPriceSet", "4.95"), **amount("totalRefundedSet", "0"),
    "lineItems": [LINE], "shippingLines": [SHIPPING], "transactions": [], "refunds": [],
}  # fmt: skip
HEAD = (
    Rule("CurrencyCode", Copy("^.currencyCode")),
    Rule("Contact.ContactID", Link("^.customer.id", to="xero.contacts", of="shopify.customers"), why="w"),
    Rule("LineAmountTypes", Choose("^.taxesIncluded", values={True: "Inclusive", False: "Exclusive"}), why="w"),
)
LINE_RULES = (Constant("TaxType", "TAX002", why="w"), Constant("AccountCode", "4010", why="w"))
ORDERS = Mapping(
    "Orders become invoices",
    source=shopify.Order,
    target=xero.Invoice,
    key="id",
    marker="InvoiceNumber",
    base=ORDER,
    rules=[
        Constant("Type", "ACCREC", why="a sales invoice"),
        Rule("InvoiceNumber", Marker("legacyResourceId"), why="ours"),
        Rule("Contact.ContactID", Link("customer.id", to="xero.contacts", of="shopify.customers"),
             missing=Default("guests"), why="guests share one contact"),
        Rule("Date", LocalDate("processedAt"), why="the shop's own day"),
        Rule("DueDate", LocalDate("processedAt"), why="sold against payment"),
        Rule("CurrencyCode", Copy("currencyCode")),
        Constant("Status", "AUTHORISED", why="w"),
        Rule("LineAmountTypes", Choose("taxesIncluded", values={True: "Inclusive", False: "Exclusive"}), why="w"),
        Lines("LineItems", each="lineItems", rules=[
            *LINE_RULES,
            Rule("Description", Copy("title")),
            Rule("Quantity", Copy("currentQuantity")),
            Rule("UnitAmount", Divide("discountedTotalSet.shopMoney.amount", "currentQuantity"), why="w"),
            Rule("LineAmount", Money("discountedTotalSet.shopMoney.amount", "^.currencyCode"), why="w"),
        ]),
        Lines("LineItems", each="shippingLines", rules=[
            *LINE_RULES,
            Rule("Description", Copy("title")),
            Constant("Quantity", 1, why="w"),
            Rule("UnitAmount", Copy("discountedPriceSet.shopMoney.amount")),
            Rule("LineAmount", Copy("discountedPriceSet.shopMoney.amount")),
        ]),
        Check("the total", Sum("LineItems.LineAmount"), "totalPriceSet.shopMoney.amount", why="the cent counts"),
    ],
    examples=[
        Example("an order", expect={
            "LineItems[0].UnitAmount": "7.5", "LineItems[1].Description": "Post", "Date": "2026-07-01",
            "Contact.ContactID": "gid://shopify/Customer/7", "InvoiceNumber": "EX-1",
        }),
        Example("a guest", given={"customer": None}, expect={"Contact.ContactID": "guests"}),
        Example("a cent too much", given={"totalPriceSet.shopMoney.amount": "19.96"}, held={"the total"}),
    ],
)  # fmt: skip
CREDITS = Mapping(
    "Refunds become credit notes",
    source=shopify.Order,
    target=xero.CreditNote,
    key="id",
    each="refunds",
    part="credit",
    marker="CreditNoteNumber",
    base=ORDER,
    rules=[
        *HEAD,
        Constant("Type", "ACCRECCREDIT", why="w"),
        Constant("Status", "AUTHORISED", why="w"),
        Rule("CreditNoteNumber", Marker("legacyResourceId", "CN"), why="ours"),
        Rule("Date", LocalDate("processedAt"), why="w"),
        Lines("LineItems", each="refundLineItems", rules=[
            *LINE_RULES,
            Rule("Description", Match("^.^.lineItems", key="id", by="lineItem.id", value="title"), why="what it was"),
            Rule("Quantity", Copy("quantity")),
            Rule("UnitAmount", Divide("subtotalSet.shopMoney.amount", "quantity"), why="w"),
        ]),
    ],
    examples=[
        Example("a refund", given={"refunds": [REFUND]}, expect={
            "CreditNoteNumber": "EX-CN-9", "LineItems[0].Description": "A book", "CurrencyCode": "EUR"}),
        Example("the second of two", given={"refunds": [REFUND, REFUND | {"id": "R2"}]}, part="credit:R2",
                expect={"Date": "2026-07-03"}),
        Example("of what is not in the order",
                given={"refunds": [REFUND], "refunds[0].refundLineItems[0].lineItem.id": "L9"},
                held={"LineItems.Description"}),
    ],
)  # fmt: skip


@pytest.mark.parametrize("mapping", [ORDERS, CREDITS], ids=lambda m: m.title)
def test_orders_and_refunds(mapping: Mapping) -> None:
    """An order becomes an invoice with lines from two lists, and each refund a credit note of its own."""
    assert check_examples(mapping) == []


def test_a_part_must_be_named() -> None:
    """Where a record yields several parts, the example says which is meant."""
    (failure,) = check_examples(
        type(CREDITS)(**_with(CREDITS, Example("e", given={"refunds": []}, expect={"Date": "x"})))
    )
    assert "one part is needed and there are 0" in failure.what
    two = Example("e", given={"refunds": [REFUND, REFUND | {"id": "R2"}]}, expect={"Date": "2026-07-03"})
    (failure,) = check_examples(type(CREDITS)(**_with(CREDITS, two)))
    assert "['credit:R1', 'credit:R2']" in failure.what


def _with(mapping: Mapping, example: Example) -> dict[str, Any]:
    from dataclasses import fields

    return {f.name: getattr(mapping, f.name) for f in fields(mapping) if f.init} | {"examples": [example]}


def test_a_mirror_holds_all_that_the_source_holds() -> None:
    """The mirror of a record fills every column of its table, lists in lists too."""
    target = table_record(shopify.Order, "database.orders")
    rows = Mapping("Orders become rows", shopify.Order, target, mirror(shopify.Order), key="id", base=ORDER,
                   examples=[Example("e", given={"refunds": [REFUND]}, expect={
                       "total_price": "19.95", "line_items[0].product_type": "book", "shipping_lines": 1,
                       "refunds[0].refund_line_items[0].quantity": 1})])  # fmt: skip
    assert check_examples(rows) == []
    filled = {name.rstrip(".") for name in rows.built.filled}
    assert filled == {name for name, _ in target.walk()} | {n.rstrip(".") for n in rows.built.filled if n.endswith(".")}


def test_what_no_field_carries_can_be_expected() -> None:
    """An example says which part a link means, what is waited for, what the answer must show, what is sent if taken."""
    link = Link("id", to="test.payments", of="test.things", part="credit")
    declared = (
        Rule("Customer.ID", link, why="w"),
        Rule("Number", Marker("id"), why="w", taken=Marker("id", "X")),
    )
    others = [d for d in RULES if d.target not in ("Customer.ID", "Number")]
    right = Example(
        "e",
        expect={"Customer.ID": "1#credit", "@test.bills": "c1", "Total": "10"},
        taken={"Number": "EX-X-1"},
    )
    wrong = replace(right, expect={"Customer.ID": "1", "@test.bills": "c2", "Total": "11"}, taken={"Number": "EX-1"})
    more: dict[str, Any] = {
        "waits": [Wait("the customer", Link("other.name", to="test.bills", of="test.people"), why="w")],
        "confirms": [Confirm("Total", Copy("amount"), why="w")],
        "base": BASE,
    }
    mapping = bills(STATUS, rules=[*others, *declared], examples=[right], **more)
    assert check_examples(mapping) == []
    (failure,) = check_examples(replace(mapping, examples=[wrong]))
    for says in ("is '1#credit'", "'c2' and is 'c1'", "'11' and is 10", "if taken, should be 'EX-1' and is 'EX-X-1'"):
        assert says in failure.what
    with pytest.raises(MappingError, match="no rule of 'Date' says what to send"):
        replace(mapping, examples=[replace(right, taken={"Date": "x"})])


def test_examples_do_not_see_each_other() -> None:
    """Examples go through the rules together, and each comes out as it does alone."""
    together = {f.example: f.what for f in check_examples(bills(STATUS, TESTS, examples=_named(WRONG), base=BASE))}
    for example in _named(WRONG):
        (alone,) = check_examples(bills(STATUS, TESTS, examples=[example], base=BASE))
        assert together[example.name] == alone.what


def _named(pairs: list[tuple[Example, str]]) -> list[Example]:
    return [replace(example, name=f"e{n}") for n, (example, _) in enumerate(pairs)]


def test_an_example_yields_its_outcome() -> None:
    """An example can be applied on its own, as documentation and seed."""
    outcome = apply_example(ORDERS, ORDERS.examples[0])
    assert outcome.keys.to_pylist() == ["gid://shopify/Order/1"]
    with pytest.raises(MappingError, match="source record is refused"):
        apply_example(ORDERS, Example("e", given={"name": None}, expect={"Type": "ACCREC"}))
