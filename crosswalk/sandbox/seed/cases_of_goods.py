"""Cases of what is sold to whom: tax, discounts, shipping, gift cards, currencies, rounding, products, broken rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from .case import CASES, Case, Fill, case, ordinary
from .draft import Draft
from .sales import Edit, Tax

# --- tax


@case()
def tax_9(d: Draft) -> None:
    d.in_country("NL")
    d.line(d.stock.pick("book"), 2, rate=900)
    d.pay()


@case()
def tax_0(d: Draft) -> None:
    d.in_country(d.rng.choice(("US", "GB", "CH", "JP", "NL")))
    d.line(d.stock.pick("book"), 1, rate=0)
    d.line(d.stock.pick("poster"), 2, rate=0)
    d.pay()


@case()
def tax_de(d: Draft) -> None:
    d.in_country("DE")
    ordinary(d)


@case()
def tax_be(d: Draft) -> None:
    d.in_country("BE")
    ordinary(d)


@case(8)
def tax_mixed(d: Draft) -> None:
    d.in_country("NL")
    d.line(d.stock.pick("book"), 2, rate=900)
    d.line(d.stock.pick("course"), 1, rate=2100)
    d.line(d.stock.pick("poster"), 3, rate=0)
    d.ship()
    d.pay()


@case(2)
def tax_none(d: Draft) -> None:
    d.line(d.stock.pick("poster"), 2, rate=None)
    d.line(d.stock.pick("book"), 1)
    d.pay()


@case(3)
def tax_billing_country(d: Draft) -> None:
    d.in_country(None, d.rng.choice(("DE", "BE", "NL")))
    d.line(d.stock.pick("course"), 1)
    d.pay()


@case(3)
def tax_unknown(d: Draft) -> None:
    country, rate = d.rng.choice((("FR", 2000), ("NL", 600)))
    d.in_country(country)
    d.line(d.stock.pick("book"), 1, rate=rate)
    d.pay()


@case(1)
def tax_two_on_a_line(d: Draft) -> None:
    d.in_country("NL")
    index = d.line(d.stock.pick("poster"), 1, unit=10_000)
    line = d.lines[index]
    d.included = False
    d.lines[index] = replace(line, taxes=(Tax("BTW", 2100, 2100), Tax("Heffing", 100, 100)))
    d.pay()


# --- discounts, shipping, gift cards, currencies, rounding


@case(8)
def line_discount(d: Draft) -> None:
    d.some_lines()
    d.discount(0, d.lines[0].cents // 4)
    d.pay()


@case(8)
def order_discount(d: Draft) -> None:
    d.some_lines(2, 5)
    d.ship()
    d.order_discount(15)
    d.pay()


@case(6)
def discount_awkward(d: Draft) -> None:
    d.line(d.stock.pick("book"), 3, unit=333)
    d.line(d.stock.pick("course"), 1, unit=1999)
    d.line(d.stock.pick("poster"), 7, unit=101)
    d.discount(2, 99, title="STAFF")
    d.order_discount(d.rng.choice((7, 13, 33)))
    d.pay()


@case(2)
def discount_whole_line(d: Draft) -> None:
    d.some_lines(2, 3)
    d.discount(1, d.lines[1].cents, title="FREEBIE", percent=100)
    d.pay()


@case(6)
def shipping(d: Draft) -> None:
    d.some_lines(1, 3)
    d.ship(1250)
    d.pay()


@case(3)
def shipping_discount(d: Draft) -> None:
    d.some_lines(1, 3)
    d.ship(695, discount=200)
    d.pay()


@case(3)
def shipping_free(d: Draft) -> None:
    d.some_lines(1, 3)
    d.ship(495, discount=495) if d.rng.random() < 0.5 else d.ship(0)
    d.pay()


@case()
def gift_card_sold(d: Draft) -> None:
    d.line(d.stock.pick("giftcard"), 1)
    d.line(d.stock.pick("book"), 1)
    d.pay()


@case(3)
def gift_card_part(d: Draft) -> None:
    d.some_lines(2, 4)
    d.tax()
    d.pay(min(2500, d.total // 2), gateway="gift_card")
    d.pay(gateway="shopify_payments")


@case(3)
def gift_card_whole(d: Draft) -> None:
    d.some_lines(1, 2)
    d.pay(gateway="gift_card")


@case(3)
def presentment_gbp(d: Draft) -> None:
    d.in_country("GB")
    d.presentment = ("GBP", 8_642)
    ordinary(d)


@case(3)
def presentment_jpy(d: Draft) -> None:
    d.in_country("JP")
    d.presentment = ("JPY", 1_783_300)
    ordinary(d)


def _awkward(d: Draft, included: bool) -> None:
    """Small prices taxed as one sum, so that some line's tax differs from what its own amount gives."""
    d.included, d.rounding = included, "order"
    d.in_country("NL")
    for unit in (12, 33, 12, 12, 87) if not included else (33, 33, 33, 14, 99):
        d.line(d.stock.pick("poster"), 3 if unit == 33 and included else 1, unit=unit, rate=2100)
    d.tax()
    d.pay()


@case()
def rounding_included(d: Draft) -> None:
    _awkward(d, True)


@case()
def rounding_excluded(d: Draft) -> None:
    _awkward(d, False)


@case(1)
def many_lines(d: Draft) -> None:
    d.some_lines(60, 60)
    d.pay()


@case(1)
def many_lines_260(d: Draft) -> None:
    d.some_lines(260, 260)
    d.pay()


# --- products


@case(3)
def product_unknown(d: Draft) -> None:
    d.line(d.stock.pick("poster", ""), 1)
    d.line(d.stock.pick(""), 2)
    d.pay()


@case(2)
def product_gone(d: Draft) -> None:
    d.line(d.stock.pick("book"), 1, product=None, product_type=None, sku=None)
    d.pay()


@case(4)
def product_mug(d: Draft) -> None:
    d.line(d.stock.pick("mug"), 2)
    d.line(d.stock.pick("book"), 1)
    d.pay()


# --- who, and what is not booked


@case(50)
def guest(d: Draft) -> None:
    d.person = None
    ordinary(d)


@case(1)
def long_name_order(d: Draft) -> None:
    d.person = d.stock.person("long_name").id
    ordinary(d)


@case(1)
def bad_customer_order(d: Draft) -> None:
    d.person = d.stock.person("bad_customer").id
    ordinary(d)


@case(4)
def same_name_order(d: Draft) -> None:
    d.person = d.stock.person(d.rng.choice(("same_name", "same_name_other_case", "name_of_a_stranger"))).id
    ordinary(d)


@case(6)
def test_order(d: Draft) -> None:
    d.test = True
    ordinary(d)


@case(5)
def zero_total(d: Draft) -> None:
    d.some_lines(1, 2)
    for index, line in enumerate(d.lines):
        d.discount(index, line.cents, title="GIVEAWAY", percent=100, whole=True)


@case(2)
def total_unexplained(d: Draft) -> None:
    d.in_country("US")
    d.line(d.stock.pick("book"), 1)
    d.unexplained = 1250
    d.pay()


@case()
def edited_before(d: Draft) -> None:
    d.line(d.stock.pick("book"), 3, removed=1)
    d.line(d.stock.pick("poster"), 2, removed=2)
    d.line(d.stock.pick("course"), 1)
    d.tax()
    d.edits.append(Edit(d.at + timedelta(hours=2), d.total + 500))
    d.pay(later=3)


# --- rows that are broken on the wire

SPOILS = (
    "bad_null", "bad_no_date", "bad_date", "bad_money", "bad_money_null", "bad_quantity_text", "bad_quantity_negative",
    "bad_id_number", "bad_line_null", "bad_surrogate",
)  # fmt: skip


def _spoiled(kind: str) -> Fill:
    def fill(d: Draft) -> None:
        ordinary(d)
        d.spoil = kind

    return fill


for _kind in SPOILS:
    CASES[_kind] = Case(_spoiled(_kind), 1)
