"""A sale while it is being put together: lines, shipping, money, refunds; taxes, total and status come last."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from .sales import Discount, Edit, Payment, Person, Product, Refund, RefundLine, Sale, SaleLine, Shipping, Tax
from .shelf import LINE_IDS, MONEY_IDS, REFUND_IDS, TAX_TITLES, half_up, rate_for, tax_of

IN = ("SALE", "CAPTURE")


def ids(start: int) -> Iterator[int]:
    """Odd numbers from ``start`` on."""
    while True:
        yield start
        start += 2


@dataclass
class Stock:
    """What all drafts of one business share."""

    rng: random.Random
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    line_ids: Iterator[int] = field(default_factory=lambda: ids(LINE_IDS))
    money_ids: Iterator[int] = field(default_factory=lambda: ids(MONEY_IDS))
    refund_ids: Iterator[int] = field(default_factory=lambda: ids(REFUND_IDS))

    def pick(self, *kinds: str) -> Product:
        return self.rng.choice([p for p in self.products if p.kind in kinds])

    def person(self, case: str = "") -> Person:
        """Somebody of a case; without one, anybody whose record can be read."""
        fit = [p for p in self.people if (p.case == case if case else p.case not in ("long_name", "bad_customer"))]
        return self.rng.choice(fit)


class Draft:
    """Filled by one case, finished once."""

    def __init__(self, stock: Stock, case: str, at: datetime) -> None:
        self.stock, self.rng, self.case, self.at = stock, stock.rng, case, at
        self.included = self.rng.random() < 0.5
        self.person: int | None = stock.person().id
        self.country: str | None = self.rng.choices(("NL", "DE", "BE"), weights=(8, 1, 1))[0]
        self.billing_country = self.country or "NL"
        self.lines: list[SaleLine] = []
        self.rates: dict[int, int | None] = {}
        self.shipping: list[Shipping] = []
        self.payments: list[Payment] = []
        self.refunds: list[Refund] = []
        self.edits: list[Edit] = []
        self.rounding: Literal["line", "order"] = "line"
        self.status: str | None = ""
        self.cancelled: datetime | None = None
        self.test = False
        self.unexplained = 0
        self.presentment = ("EUR", 10_000)
        self.spoil: str | None = None

    def in_country(self, country: str | None, billing: str | None = None) -> None:
        self.country = country
        self.billing_country = billing or country or "NL"

    def line(
        self, item: Product, quantity: int, *, rate: int | None = -1, unit: int | None = None, **more: object
    ) -> int:
        """Add a line and return its index. rate -1 is the usual one of the country, None is no tax line."""
        line = SaleLine(
            id=next(self.stock.line_ids), title=item.title, sku=item.sku, product=item.id,
            product_type=item.kind, ordered=quantity, unit=item.price if unit is None else unit,
            gift_card=item.gift_card,
        )  # fmt: skip
        usual = None if item.gift_card else rate_for(self.country or self.billing_country, item.kind)
        self.rates[line.id] = usual if rate == -1 else rate
        self.lines.append(replace(line, **more))  # type: ignore[arg-type]
        return len(self.lines) - 1

    def some_lines(self, low: int = 2, high: int = 5) -> None:
        for _ in range(self.rng.randint(low, high)):
            self.line(self.stock.pick("book", "course", "poster"), self.rng.randint(1, 3))

    def ship(self, price: int | None = None, discount: int = 0) -> None:
        line = next(self.stock.line_ids)
        self.rates[line] = rate_for(self.country or self.billing_country, "shipping")
        discounts = (Discount("FREESHIP", discount),) if discount else ()
        self.shipping.append(
            Shipping(line, "Standard", self.rng.choice((495, 695, 1250)) if price is None else price, discounts)
        )

    def discount(
        self, index: int, cents: int, *, title: str = "SUMMER", whole: bool = False, percent: int | None = None
    ) -> None:
        line = self.lines[index]
        self.lines[index] = replace(line, discounts=(*line.discounts, Discount(title, cents, whole, percent)))

    def order_discount(self, percent: int, title: str = "WELCOME") -> None:
        """A percentage of the goods, shared out to the cent with the largest remainders first."""
        amounts = [line.cents for line in self.lines]
        shares = share_out(half_up(sum(amounts) * percent, 100), amounts)
        for index, cents in enumerate(shares):
            if cents:
                self.discount(index, cents, title=title, whole=True, percent=percent)

    def tax(self) -> None:
        """Work out the tax of every line, once everything is on the order."""
        goods = [(line.id, line.cents) for line in self.goods]
        taxes = {key: tax_of(cents, self.rates[key] or 0, self.included) for key, cents in goods}
        if self.rounding == "order":
            for rate in {r for r in self.rates.values() if r}:
                members = [(key, cents) for key, cents in goods if self.rates[key] == rate]
                amounts = [cents for _, cents in members]
                whole = tax_of(sum(amounts), rate, self.included)
                taxes.update(zip((k for k, _ in members), share_out(whole, amounts), strict=True))
        title = TAX_TITLES.get(self.country or self.billing_country, "Tax")

        def lines(key: int) -> tuple[Tax, ...]:
            rate = self.rates[key]
            return () if rate is None else (Tax(title, rate, taxes[key]),)

        self.lines = [replace(line, taxes=line.taxes or lines(line.id)) for line in self.lines]
        self.shipping = [replace(line, taxes=lines(line.id)) for line in self.shipping]

    @property
    def goods(self) -> tuple[SaleLine | Shipping, ...]:
        return (*self.lines, *self.shipping)

    @property
    def total(self) -> int:
        rows = [row for row in self.goods if not (isinstance(row, Shipping) and row.removed)]
        tax = 0 if self.included else sum(t.cents for row in rows for t in row.taxes)
        return sum(row.cents for row in rows) + tax + self.unexplained

    def pay(
        self, cents: int | None = None, *, gateway: str | None = None, kind: str = "SALE", status: str = "SUCCESS",
        later: float = 0, parent: int | None = None,
    ) -> Payment:  # fmt: skip
        """Money: by default what is still due, at once. later: hours after the order."""
        if not any(line.taxes for line in self.lines):
            self.tax()
        due = self.total - sum(p.cents for p in self.payments if p.kind in IN and p.status == "SUCCESS")
        gateway = gateway or self.rng.choices(("shopify_payments", "paypal", "manual", "Bank Deposit"), (7, 2, 1, 1))[0]
        at = self.at + timedelta(hours=later, seconds=self.rng.randrange(2, 90))
        payment = Payment(
            next(self.stock.money_ids), kind, status, gateway, due if cents is None else cents, at, parent
        )
        self.payments.append(payment)
        return payment

    def refund(
        self, units: Sequence[tuple[int, int]] = (), *, shipping: bool = False, extra: int = 0,
        money: int | None = None, owed: int = 0, gateway: str | None = None, status: str = "SUCCESS", days: float = 3,
    ) -> Refund:  # fmt: skip
        """Give back units of lines (index, quantity). money: what is paid back, by default all but what is owed."""
        at = self.at + timedelta(days=days, seconds=self.rng.randrange(60))
        lines = tuple(self._back(index, quantity) for index, quantity in units)
        parcels = tuple(RefundLine(s.id, 1, s.cents, sum(t.cents for t in s.taxes)) for s in self.shipping if shipping)
        tax = 0 if self.included else sum(row.tax for row in (*lines, *parcels))
        worth = sum(row.cents for row in (*lines, *parcels)) + tax + extra
        paid = next((p for p in self.payments if p.kind in IN and p.status == "SUCCESS"), None)
        payments: tuple[Payment, ...] = ()
        if money is None or money:
            channel = gateway or (paid.gateway if paid else "manual")
            amount = worth - owed if money is None else money
            number = next(self.stock.money_ids)
            payments = (Payment(number, "REFUND", status, channel, amount, at, paid.id if paid else None),)
        refund = Refund(next(self.stock.refund_ids), at, lines, parcels, extra, payments)
        self.refunds.append(refund)
        return refund

    def _back(self, index: int, quantity: int) -> RefundLine:
        line = self.lines[index]
        before = sum(r.quantity for refund in self.refunds for r in refund.lines if r.line == line.id)
        tax = sum(t.cents for t in line.taxes)

        def share(cents: int) -> int:
            return half_up(cents * (before + quantity), line.billed) - half_up(cents * before, line.billed)

        return RefundLine(line.id, quantity, share(line.cents), share(tax))

    def all_units(self) -> list[tuple[int, int]]:
        return [(index, line.billed) for index, line in enumerate(self.lines) if line.billed]

    def finish(self, number: int, order_id: int) -> Sale:
        if not any(line.taxes for line in self.lines):
            self.tax()
        moments = [self.at, *(p.at for p in self.payments), *(r.at for r in self.refunds), *(e.at for e in self.edits)]
        if self.cancelled:
            moments.append(self.cancelled)
        return Sale(
            id=order_id, number=number, case=self.case, person=self.person, created=self.at - timedelta(seconds=4),
            processed=self.at, updated=max(moments) + timedelta(seconds=2), taxes_included=self.included,
            lines=tuple(self.lines), total=self.total, status=self._status() if self.status == "" else self.status,
            country=self.country, billing_country=self.billing_country, shipping=tuple(self.shipping),
            payments=tuple(self.payments), refunds=tuple(self.refunds), edits=tuple(self.edits),
            cancelled=self.cancelled, test=self.test, unexplained=self.unexplained,
            presentment=self.presentment, spoil=self.spoil,
        )  # fmt: skip

    def _status(self) -> str:
        return financial_status(self.total, self.payments, self.refunds)


def financial_status(total: int, payments: Sequence[Payment], refunds: Sequence[Refund]) -> str:
    """What the shop would say of the money."""
    good = [p for p in payments if p.status == "SUCCESS"]
    paid = sum(p.cents for p in good if p.kind in IN)
    back = sum(p.cents for r in refunds for p in r.payments if p.status == "SUCCESS")
    if not paid:
        kinds = {p.kind for p in good}
        return (
            "VOIDED"
            if "VOID" in kinds
            else "AUTHORIZED"
            if "AUTHORIZATION" in kinds
            else "PAID"
            if not total
            else "PENDING"
        )
    if back:
        return "REFUNDED" if back >= paid else "PARTIALLY_REFUNDED"
    return "PAID" if paid >= total else "PARTIALLY_PAID"


def share_out(whole: int, weights: Sequence[int]) -> list[int]:
    """``whole`` cents in proportion to the weights, to the cent, the largest remainders first."""
    total = sum(weights)
    if not total:
        return [0 for _ in weights]
    shares = [whole * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for index in order[: whole - sum(shares)]:
        shares[index] += 1
    return shares
