"""The practice business from a seed: the same seed and size give the same people, products, sales and changes."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from . import cases_of_goods, cases_of_money  # noqa: F401 - they fill CASES
from .case import CASES, PLAIN, Fill
from .draft import Draft, Stock
from .people import STRANGERS, people
from .sales import Business, Sale
from .shelf import ORDER_IDS, products

FIRST = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
LAST = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
OPENED = datetime(2026, 4, 20, 8, 0, tzinfo=UTC)
# Money back comes days later and must not lie in the future.
_QUIET = timedelta(days=10)


def generate(seed: int, orders: int = 1000, cases: Collection[str] | None = None) -> Business:
    """So many sales by their customers.

    cases: the named ones to include, once for each time they are named, at least; None is all of them when there are
    100 orders or more, and none below. The rest of the orders are ordinary. Raises KeyError for an unknown case.
    """
    rng = random.Random(f"practice:{seed}")
    wanted = _wanted(orders, cases)
    folk = people(rng, max(orders * 35 // 100, 1), OPENED, odd=orders >= 100 or cases is not None)
    stock = Stock(rng, products(rng), folk)
    moments = [(fill, name, at or _moment(rng)) for name, fill, at in wanted]
    moments.sort(key=lambda m: m[2])
    sales = tuple(_sale(stock, index, *moment) for index, moment in enumerate(moments))
    strangers = STRANGERS if any(p.case == "name_of_a_stranger" for p in folk) else ()
    return Business(seed, folk, stock.products, sales, strangers)


def _sale(stock: Stock, index: int, fill: Fill, name: str, at: datetime) -> Sale:
    draft = Draft(stock, name, at)
    fill(draft)
    return draft.finish(1001 + index, ORDER_IDS + 2 * index)


def _wanted(orders: int, cases: Collection[str] | None) -> list[tuple[str, Fill, datetime | None]]:
    wanted: list[tuple[str, Fill, datetime | None]] = []
    if cases is None:
        times = {name: max(1, case.per_thousand * orders // 1000) for name, case in CASES.items() if orders >= 100}
    else:
        times = {name: sum(1 for other in cases if other == name) for name in dict.fromkeys(cases)}
    for name, count in times.items():
        case = CASES[name]
        # Further sales at a fixed instant follow within minutes, on the same side of the border that it is about.
        wanted += [(name, case.fill, case.at + timedelta(seconds=10 * i) if case.at else None) for i in range(count)]
    plain = list(PLAIN.items())
    for index in range(orders - len(wanted)):
        name, fill = plain[index % len(plain)]
        wanted.append((name, fill, None))
    return wanted


def _moment(rng: random.Random) -> datetime:
    return FIRST + timedelta(seconds=rng.randrange(int((LAST - _QUIET - FIRST).total_seconds())))
