"""The orders of the benchmark, made from their number: about 800 bytes and 25 fields each, with customer and lines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

STATUSES = ("paid", "paid", "paid", "pending", "partially_paid", "refunded")
FULFILMENTS = ("unfulfilled", "fulfilled", "partial")
GATEWAYS = ("cards", "paypal", "bank")
COUNTRIES = ("NL", "DE", "BE", "FR", "DK", "GB")
FIRST = ("Ada", "Bram", "Chloé", "Dirk", "Esra", "Frits", "Günther", "Hanna", "Ilse", "Joris")
LAST = ("de Vries", "Jansen", "Müller", "Peeters", "Øster", "Smith", "Van Dam", "Bakker")
GOODS = (("Moby-Dick", "BOOK-0001"), ("A course in accounting", "COURSE-17"), ("Mug, blue", "MUG-BLUE-330"),
         ("Notebook, ruled, A5", "NOTE-A5-R"), ("Fountain pen", "PEN-F-09"))  # fmt: skip
NOTES = ("null", "null", "null", '"please leave it at the neighbours\'"', '"gift, no invoice in the parcel"')
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def orders(numbers: range | list[int], changed: datetime | None = None) -> Iterator[bytes]:
    """The orders with these numbers as JSON objects, oldest change first.

    changed: they were changed then, one microsecond after the other; by default each has its own second of early 2026.
    """
    for step, number in enumerate(numbers):
        at = BEGIN + timedelta(seconds=number)
        updated = at + timedelta(microseconds=number % 1000) if changed is None else changed + timedelta(0, 0, step)
        yield _order(number, at, updated, 0 if changed is None else 1)


def _order(number: int, at: datetime, updated: datetime, edition: int) -> bytes:
    chance = random.Random(number * 2 + edition)  # the same orders every time
    lines, subtotal, count = [], 0, 0
    for place in range(2 + number % 2):
        title, sku = GOODS[chance.randrange(5)]
        quantity, cents = chance.randrange(1, 5), chance.randrange(100, 20000)
        subtotal, count = subtotal + quantity * cents, count + quantity
        lines.append(
            f'{{"id":"l{number}-{place}","sku":"{sku}","title":"{title}","quantity":{quantity},'
            f'"price":"{cents // 100}.{cents % 100:02}"}}'
        )
    tax, shipping = subtotal * 21 // 121, 495
    total = subtotal + shipping
    cancelled = f'"{_short(at)}"' if number % 50 == 7 else "null"
    customer = number % 20011
    first, last = FIRST[customer % 10], LAST[customer % 8]
    return (
        f'{{"id":"ord_{number:010}","number":"#{1000 + number}","created_at":"{_short(at)}",'
        f'"updated_at":"{_text(updated)}","processed_at":"{_short(at)}","closed_at":null,"cancelled_at":{cancelled},'
        f'"status":"{STATUSES[chance.randrange(6)]}","fulfilment":"{FULFILMENTS[edition + number % 2]}",'
        f'"currency":"EUR","subtotal":"{_money(subtotal)}","discount":"0.00","shipping":"{_money(shipping)}",'
        f'"tax":"{_money(tax)}","total":"{_money(total)}","gateway":"{GATEWAYS[number % 3]}","channel":"web",'
        f'"locale":"nl-NL","note":{NOTES[number % 5]},"test":false,"item_count":{count},'
        f'"weight_grams":{count * 350},"tags":"returning","customer":{{"id":"cus_{customer:08}",'
        f'"first_name":"{first}","last_name":"{last}","email":"person{customer}@mail.example",'
        f'"country":"{COUNTRIES[customer % 6]}"}},"lines":[{",".join(lines)}]}}'
    ).encode()


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
