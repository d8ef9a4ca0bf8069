"""The shelf, the tax rates and integer rounding: what every generated sale is made of."""

from __future__ import annotations

import random

from .sales import Product

# Above 2^53 and odd, so that a float on the way changes them.
ORDER_IDS = 9_107_199_254_741_001
PERSON_IDS = 9_207_199_254_741_001
LINE_IDS = 9_307_199_254_741_001
MONEY_IDS = 9_407_199_254_741_001
REFUND_IDS = 9_507_199_254_741_001
PRODUCT_IDS = 9_607_199_254_741_001

TAX_TITLES = {"NL": "BTW", "DE": "USt", "BE": "btw", "FR": "TVA"}
_TITLES = {
    "book": ("De avond", "Het bureau", "Atlas of clouds", "Zeeën van tijd", "Kookboek", "Über Brücken"),
    "course": ("Bookbinding for beginners", "Letterpress weekend", "Calligraphy online"),
    "mug": ("Mug, blue", "Mug, earthenware"),
    "poster": ("Poster A2", "Poster A3, signed"),
    "": ("Gift wrapping", "Sample sheet"),
}


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of two numbers, rounded half away from zero."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def tax_of(cents: int, rate: int, included: bool) -> int:
    """Tax in (included) or on an amount; rate in parts of 10,000."""
    return half_up(cents * rate, 10_000 + rate if included else 10_000)


def rate_for(country: str, kind: str) -> int:
    """The rate that the shop charges for a product type in a country."""
    if country == "NL":
        return 900 if kind == "book" else 2100
    return {"DE": 1900, "BE": 2100}.get(country, 0)


def products(rng: random.Random) -> tuple[Product, ...]:
    """Every product with its single variant; prices in cents."""
    shelf = []
    number = PRODUCT_IDS
    for kind, titles in _TITLES.items():
        for index, title in enumerate(titles):
            price = rng.randrange(350, 9_000)
            sku = f"{(kind or 'misc')[:3].upper()}-{index + 1:03d}"
            shelf.append(Product(number, number + 2, title, sku, kind, price))
            number += 4
    for euros in (25, 50):
        shelf.append(
            Product(number, number + 2, f"Gift card {euros}", f"GIFT-{euros}", "giftcard", euros * 100, gift_card=True)
        )
        number += 4
    return tuple(shelf)
