"""Cases of when and whether an order is booked, and of money: status, cancellation, payments, refunds."""

from __future__ import annotations

from datetime import timedelta

from .case import case, ordinary
from .draft import Draft

# --- when


@case(1, at="2026-08-14T22:40:00+00:00")
def midnight_summer(d: Draft) -> None:
    ordinary(d)


@case(1, at="2026-11-10T23:20:00+00:00")
def midnight_winter(d: Draft) -> None:
    ordinary(d)


@case(1, at="2026-10-25T00:30:00+00:00")
def clocks_go_back(d: Draft) -> None:
    ordinary(d)


@case(6, at="2026-05-04T10:00:00+00:00")
def locked(d: Draft) -> None:
    ordinary(d)


@case(1, at="2026-06-30T22:30:00+00:00")
def locked_border(d: Draft) -> None:
    ordinary(d)


@case(1, at="2026-06-28T09:00:00+00:00")
def locked_refunded(d: Draft) -> None:
    ordinary(d)
    d.refund([(0, 1)], days=9)


# --- status and cancellation


@case(2)
def status_expired(d: Draft) -> None:
    ordinary(d, pay=False)
    d.pay(kind="AUTHORIZATION", gateway="shopify_payments")
    d.status = "EXPIRED"


@case(2)
def status_unknown(d: Draft) -> None:
    ordinary(d, pay=False)
    d.status = None


@case(2)
def status_voided(d: Draft) -> None:
    ordinary(d, pay=False)
    held = d.pay(kind="AUTHORIZATION", gateway="shopify_payments")
    d.pay(kind="VOID", gateway="shopify_payments", later=30, parent=held.id)


@case(4)
def cancelled_unpaid(d: Draft) -> None:
    ordinary(d, pay=False)
    d.cancelled = d.at + timedelta(hours=20)


@case(2)
def cancelled_restocked(d: Draft) -> None:
    ordinary(d, pay=False)
    d.tax()
    d.cancelled = d.refund(d.all_units(), money=0, days=1).at


@case(2)
def cancelled_voided(d: Draft) -> None:
    status_voided(d)
    d.cancelled = d.at + timedelta(hours=30)


@case(4)
def cancelled_refunded(d: Draft) -> None:
    ordinary(d)
    d.cancelled = d.refund(d.all_units(), shipping=True, days=1).at


@case(2)
def cancelled_kept(d: Draft) -> None:
    ordinary(d)
    d.cancelled = d.at + timedelta(days=2)


# --- money in


@case(4)
def part_paid(d: Draft) -> None:
    ordinary(d, pay=False)
    d.tax()
    d.pay(d.total // 3, gateway="manual")


@case(4)
def two_payments(d: Draft) -> None:
    ordinary(d, pay=False)
    d.tax()
    d.pay(d.total // 3, gateway="shopify_payments")
    d.pay(gateway="paypal", later=26)


@case(6)
def pending(d: Draft) -> None:
    ordinary(d, pay=False)
    if d.rng.random() < 0.5:
        d.pay(gateway="manual", status="PENDING")


@case(4)
def authorised(d: Draft) -> None:
    ordinary(d, pay=False)
    d.pay(kind="AUTHORIZATION", gateway="shopify_payments")


@case(4)
def captured(d: Draft) -> None:
    ordinary(d, pay=False)
    held = d.pay(kind="AUTHORIZATION", gateway="shopify_payments")
    d.pay(kind="CAPTURE", gateway="shopify_payments", later=20, parent=held.id)


@case(4)
def failed_then_paid(d: Draft) -> None:
    ordinary(d, pay=False)
    d.pay(gateway="shopify_payments", status="FAILURE")
    d.pay(gateway="paypal", status="ERROR")
    d.pay(gateway="shopify_payments")


@case(3)
def gateway_unknown(d: Draft) -> None:
    ordinary(d, pay=False)
    d.pay(gateway="klarna")


# --- money out


@case(10)
def refund_part(d: Draft) -> None:
    d.line(d.stock.pick("book"), 3)
    d.line(d.stock.pick("course"), 1)
    d.ship()
    if d.rng.random() < 0.5:
        d.order_discount(7)
    d.pay()
    d.refund([(0, 2)])


@case(6)
def refund_whole(d: Draft) -> None:
    ordinary(d)
    d.refund(d.all_units(), shipping=True)


@case(3)
def refund_shipping(d: Draft) -> None:
    d.some_lines(1, 2)
    d.ship(695)
    d.pay()
    d.refund(shipping=True)


@case(2)
def refund_adjusted_less(d: Draft) -> None:
    d.line(d.stock.pick("course"), 1, unit=5000)
    d.pay()
    d.refund([(0, 1)], extra=-500)


@case(2)
def refund_adjusted_more(d: Draft) -> None:
    d.line(d.stock.pick("book"), 2)
    d.line(d.stock.pick("course"), 1)
    d.pay()
    d.refund([(0, 1)], extra=250)


@case(2)
def refund_amount_only(d: Draft) -> None:
    ordinary(d)
    d.refund(extra=750)


@case(3)
def refund_two(d: Draft) -> None:
    d.line(d.stock.pick("poster"), 3, unit=1001)
    d.order_discount(10)
    d.pay()
    d.refund([(0, 1)], days=2)
    d.refund([(0, 1)], days=5)


@case(2)
def refund_to_gift_card(d: Draft) -> None:
    d.line(d.stock.pick("book"), 2)
    d.pay(gateway="gift_card")
    d.refund([(0, 1)])


@case(2)
def refund_pending(d: Draft) -> None:
    d.line(d.stock.pick("book"), 2)
    d.pay(gateway="paypal")
    d.refund([(0, 1)], status="PENDING")


@case(4)
def refund_unpaid(d: Draft) -> None:
    d.line(d.stock.pick("book"), 3)
    d.ship()
    d.tax()
    d.refund([(0, 1)], money=0)


@case(3)
def refund_mixed(d: Draft) -> None:
    d.line(d.stock.pick("course"), 1, unit=10_000)
    d.line(d.stock.pick("poster"), 1, unit=6_000)
    d.tax()
    d.pay(d.total - 4_000, gateway="shopify_payments")
    d.refund([(1, 1)], owed=4_000)


@case(1)
def refund_nothing(d: Draft) -> None:
    ordinary(d)
    d.refund(money=0)
