"""What happens at the source after the first run: edits, cancellations, money, refunds, a new order, a new address."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .draft import IN, Draft, Stock, financial_status, ids
from .sales import Business, Change, Edit, Payment, Refund, RefundLine, Sale
from .shelf import LINE_IDS, MONEY_IDS, REFUND_IDS, tax_of

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PLAIN = ("plain_included", "plain_excluded")
OPEN = ("pending", "authorised")


def changes(
    business: Business, seed: int, share: float = 0.01, at: datetime = AT, kinds: Iterable[str] = ()
) -> tuple[Change, ...]:
    """Changes to this share of the orders, one at least, the last one at ``at``; kinds take turns, all or these.

    The same business, seed, share and instant give the same changes. Where no order is left, a refund.
    """
    maker = _Maker(business, random.Random(f"changes:{seed}"))
    made = []
    names = list(kinds) or list(_KINDS)
    count = max(1, round(len(business.sales) * share))
    for index in range(count):
        # All within ten seconds, so that a run that looks back a little sees every one.
        earlier = timedelta(seconds=10 * (count - 1 - index) // count)
        made.append(maker.make(names[index % len(names)], at - earlier))
    return tuple(made)


def apply(business: Business, made: Iterable[Change]) -> Business:
    """The business after these changes, which it also carries."""
    made = tuple(made)
    sales = {sale.id: sale for sale in business.sales} | {c.sale.id: c.sale for c in made if c.sale}
    people = {person.id: person for person in business.people} | {c.person.id: c.person for c in made if c.person}
    return replace(
        business, sales=tuple(sales.values()), people=tuple(people.values()), changes=(*business.changes, *made)
    )


class _Maker:
    """Takes each order at most once and gives out numbers that nobody has."""

    def __init__(self, business: Business, rng: random.Random) -> None:
        self.business, self.rng = business, rng
        self.taken: set[int] = set()
        sales = business.sales
        lines = [row.id for s in sales for row in s.rows]
        money = [p.id for s in sales for p in (*s.payments, *(q for r in s.refunds for q in r.payments))]
        self.stock = Stock(
            rng,
            business.products,
            business.people,
            ids(max(lines, default=LINE_IDS) + 2),
            ids(max(money, default=MONEY_IDS) + 2),
            ids(max((r.id for s in sales for r in s.refunds), default=REFUND_IDS) + 2),
        )
        self.orders = ids(max((s.id for s in sales), default=1) + 2)
        self.numbers = iter(range(max((s.number for s in sales), default=1000) + 1, 10**9))
        self.persons = ids(max(p.id for p in business.people) + 2)

    def make(self, case: str, at: datetime) -> Change:
        change = _KINDS[case](self, at)
        if change is None:
            change, case = _KINDS["change_refund"](self, at), "change_refund"
        if change is None:
            change, case = _new(self, at), "change_new"
        return replace(change, case=case)

    def sale(self, *cases: str) -> Sale | None:
        """An order of these cases that nothing has happened to yet."""
        touched = self.taken | {c.sale.id for c in self.business.changes if c.sale}
        fit = [s for s in self.business.sales if s.case in cases and s.id not in touched]
        if not fit:
            return None
        chosen = self.rng.choice(fit)
        self.taken.add(chosen.id)
        return chosen


def _changed(before: Sale, at: datetime, **fields: object) -> Change:
    after = replace(before, updated=at, **fields)  # type: ignore[arg-type]
    if after.status not in (None, "EXPIRED"):
        after = replace(after, status=financial_status(after.total, after.payments, after.refunds))
    return Change("", at, after, before)


def _edit(maker: _Maker, before: Sale | None, at: datetime) -> Change | None:
    """One unit more of the first line, as a line of its own."""
    if before is None:
        return None
    old = before.lines[0]
    cents = old.unit
    taxes = tuple(replace(t, cents=tax_of(cents, t.rate, before.taxes_included)) for t in old.taxes)
    line = replace(old, id=next(maker.stock.line_ids), ordered=1, removed=0, discounts=(), taxes=taxes)
    more = cents + (0 if before.taxes_included else sum(t.cents for t in taxes))
    return _changed(
        before,
        at,
        lines=(*before.lines, line),
        total=before.total + more,
        edits=(*before.edits, Edit(at, before.total)),
    )


def _whole_refund(maker: _Maker, before: Sale, at: datetime) -> Refund:
    goods = [RefundLine(x.id, x.billed, x.cents, sum(t.cents for t in x.taxes)) for x in before.lines]
    parcels = [RefundLine(x.id, 1, x.cents, sum(t.cents for t in x.taxes)) for x in before.shipping]
    paid = next((p for p in before.payments if p.kind in IN and p.status == "SUCCESS"), None)
    payments: tuple[Payment, ...] = ()
    if paid:
        payments = (Payment(next(maker.stock.money_ids), "REFUND", "SUCCESS", paid.gateway, before.total, at, paid.id),)
    return Refund(next(maker.stock.refund_ids), at, tuple(goods), tuple(parcels), 0, payments)


def _edit_unpaid(maker: _Maker, at: datetime) -> Change | None:
    return _edit(maker, maker.sale(*OPEN), at)


def _edit_paid(maker: _Maker, at: datetime) -> Change | None:
    return _edit(maker, maker.sale(*PLAIN), at)


def _edit_part_paid(maker: _Maker, at: datetime) -> Change | None:
    return _edit(maker, maker.sale("part_paid"), at)


def _cancel_unpaid(maker: _Maker, at: datetime) -> Change | None:
    before = maker.sale(*OPEN)
    if before is None:
        return None
    return _changed(before, at, cancelled=at, refunds=(_whole_refund(maker, before, at),))


def _cancel_paid(maker: _Maker, at: datetime) -> Change | None:
    before = maker.sale(*PLAIN)
    if before is None:
        return None
    return _changed(before, at, cancelled=at, refunds=(_whole_refund(maker, before, at),))


def _refund(maker: _Maker, at: datetime) -> Change | None:
    before = maker.sale(*PLAIN)
    return None if before is None else _changed(before, at, refunds=(_whole_refund(maker, before, at),))


def _paid(maker: _Maker, at: datetime) -> Change | None:
    before = maker.sale(*OPEN)
    if before is None:
        return None
    payment = Payment(next(maker.stock.money_ids), "SALE", "SUCCESS", "shopify_payments", before.total, at)
    return _changed(before, at, payments=(*before.payments, payment))


def _touched(maker: _Maker, at: datetime) -> Change | None:
    before = maker.sale(*PLAIN)
    return None if before is None else _changed(before, at, note="Called about the delivery")


def _new(maker: _Maker, at: datetime) -> Change:
    number = next(maker.persons)
    person = replace(
        maker.business.people[-1], id=number, case="plain", first="Nieuw", last=f"Klant {number % 100_000}",
        email=f"new{number % 100_000}@example.test", created=at, updated=at, spoil=None,
    )  # fmt: skip
    draft = Draft(maker.stock, "change_new", at)
    draft.some_lines()
    draft.tax()
    draft.person = person.id
    draft.payments.append(Payment(next(maker.stock.money_ids), "SALE", "SUCCESS", "paypal", draft.total, at))
    return Change("", at, draft.finish(next(maker.numbers), next(maker.orders)), None, person, None)


def _customer(maker: _Maker, at: datetime) -> Change | None:
    changed = {c.person.id for c in maker.business.changes if c.person}
    fit = (p for p in reversed(maker.business.people) if p.case == "plain" and p.id not in changed)
    before = next(fit, None)
    if before is None:
        return None
    after = replace(before, email=f"moved.{before.email}", updated=at)
    return Change("", at, None, None, after, before)


_KINDS: dict[str, Callable[[_Maker, datetime], Change | None]] = {
    "change_edit_unpaid": _edit_unpaid,
    "change_edit_paid": _edit_paid,
    "change_refund": _refund,
    "change_cancel_unpaid": _cancel_unpaid,
    "change_new": _new,
    "change_edit_part_paid": _edit_part_paid,
    "change_paid": _paid,
    "change_cancel_paid": _cancel_paid,
    "change_touched": _touched,
    "change_customer": _customer,
}
