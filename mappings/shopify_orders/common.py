"""What the parts of an order share: the orders that have no part at all, and how lines find account and tax type."""

from __future__ import annotations

from pathlib import Path

from crosswalk.mapping import (
    And,
    Choose,
    Compare,
    Condition,
    Const,
    Copy,
    Count,
    Either,
    Equals,
    First,
    If,
    In,
    IsNull,
    LocalDate,
    MatchSum,
    Not,
    Or,
    Skip,
    Split,
    Term,
    Verb,
)

TABLES = Path(__file__).parent.parent / "tables"
GIFT_CARDS = "2100"
SHIPPING = "4050"
ADJUSTMENTS = "4060"
OTHER_SALES = "4000"
HOME = "NL"

PAID = And(In("kind", ("SALE", "CAPTURE")), Equals("status", "SUCCESS"))


def unpaid_and_cancelled(order: str = "") -> Condition:
    """A cancelled order for which no money ever came in; ``order`` leads to it, such as ``^.``."""
    return And(Not(IsNull(f"{order}cancelledAt")), Compare(Count(f"{order}transactions", where=PAID), "==", 0))


def no_sale(order: str = "") -> list[Skip]:
    """Orders that are no sale, and so none of their parts."""
    return [
        Skip("test order", Equals(f"{order}test", True), why="a test order is no sale"),
        Skip(
            "zero total",
            Compare(f"{order}totalPriceSet.shopMoney.amount", "==", 0),
            why="nothing was sold for money; an invoice of nothing says nothing",
        ),
    ]


def two_taxes() -> Condition:
    """Some billed line, or some shipping, carries more than one tax."""
    several = Compare(Count("taxLines"), ">", 1)
    goods = Count("lineItems", where=And(several, Compare(units_billed(), ">", 0)))
    shipping = Count("shippingLines", where=And(several, Equals("isRemoved", False)))
    return Or(Compare(goods, ">", 0), Compare(shipping, ">", 0))


def units_billed() -> Verb:
    """What the invoice bills of an order line: what is left of it and what was refunded; units that an edit removed are
    in neither."""
    refunded = MatchSum("^.refunds.refundLineItems", key="lineItem.id", by="id", value="quantity", empty=0)
    return Term("units billed", Copy("currentQuantity") + refunded)


def country(order: str) -> Verb:
    """Where the goods go: the shipping address, else the billing address, else the shop's own country."""
    addresses = (f"{order}shippingAddress.countryCodeV2", f"{order}billingAddress.countryCodeV2")
    return Term("country of sale", Either(*addresses, Const(HOME)))


def tax_type(order: str) -> Verb:
    """A line's tax type by country and rate; a line without tax has none."""
    chosen = Choose(table="tax_types.csv", country=country(order), rate=First("taxLines.rate"))
    return If(Compare(Count("taxLines"), "==", 0), Const("NONE"), chosen)


def goods_tax_type(order: str) -> Verb:
    """An order line's tax type; a gift card is a debt and carries no tax."""
    return If(Equals("isGiftCard", True), Const("NONE"), tax_type(order))


def goods_account() -> Verb:
    """An order line's account: gift cards are a debt, the rest goes by product type."""
    by_type = Choose("product.productType", table="sales_accounts.csv", otherwise=OTHER_SALES)
    return If(Equals("isGiftCard", True), Const(GIFT_CARDS), Either(by_type, Const(OTHER_SALES)))


def number(gid: str) -> Verb:
    """The number at the end of a global id."""
    return Split(gid, "/", -1)


def paid_into() -> Verb:
    """The account that a gateway's money lies in."""
    return Choose("gateway", table="payment_accounts.csv")


def day_of_money() -> Verb:
    """When the money moved; a transaction that was never processed by a gateway counts from when it was made."""
    return LocalDate(Either("processedAt", "createdAt"))
