"""What a shop sold, in neutral words. Money is integer euro cents, instants are aware UTC, rates are parts in 10,000.

Nothing here is Shopify's or Xero's: `to_shopify` tells these facts in Shopify's words, `oracle` in the books'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SHOP_ZONE = "Europe/Amsterdam"
LOCK_DATE = "2026-06-30"
GUESTS = "guests"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer. Name is what the shop shows; e-mail address if the customer has no other."""

    id: int
    case: str
    first: str | None
    last: str | None
    email: str | None
    phone: str | None
    street: str
    city: str
    postcode: str
    country: str
    created: datetime
    updated: datetime
    spoil: str | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first, self.last) if part) or self.email or ""


@dataclass(frozen=True, slots=True)
class Tax:
    """Tax on or in a line. rate: 2100 is 21 %."""

    title: str
    rate: int
    cents: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A line's share of a discount. percent: of the whole discount, None for a fixed amount."""

    title: str
    cents: int
    whole_order: bool = False
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class SaleLine:
    """Goods. ordered counts removed units too. discounts and taxes are for the billed units."""

    id: int
    title: str
    sku: str | None
    product: int | None
    product_type: str | None
    ordered: int
    unit: int
    removed: int = 0
    gift_card: bool = False
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[Tax, ...] = ()

    @property
    def billed(self) -> int:
        """Units after edits, before refunds."""
        return self.ordered - self.removed

    @property
    def cents(self) -> int:
        """What is billed for the line; with tax when the sale's prices include it."""
        return self.unit * self.billed - sum(d.cents for d in self.discounts)


@dataclass(frozen=True, slots=True)
class Shipping:
    """One shipping line."""

    id: int
    title: str
    price: int
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[Tax, ...] = ()
    removed: bool = False

    @property
    def cents(self) -> int:
        return 0 if self.removed else self.price - sum(d.cents for d in self.discounts)


@dataclass(frozen=True, slots=True)
class Payment:
    """A transaction. kind and status in the shop's words; cents positive in both directions."""

    id: int
    kind: str
    status: str
    gateway: str
    cents: int
    at: datetime
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units taken back. cents after discounts; with tax when the sale's prices include it."""

    line: int
    quantity: int
    cents: int
    tax: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Goods, shipping or goodwill given back. extra: given back beyond the goods (negative: less than the goods)."""

    id: int
    at: datetime
    lines: tuple[RefundLine, ...] = ()
    shipping: tuple[RefundLine, ...] = ()
    extra: int = 0
    payments: tuple[Payment, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of what was ordered, after checkout."""

    at: datetime
    total_before: int


@dataclass(frozen=True, slots=True)
class Sale:
    """An order.

    total: after edits, before refunds.  unexplained: a part of it that no line shows (duties).
    status: financial status in the shop's words.  spoil: how the row is broken on the wire, None if it is not.
    presentment: currency the buyer saw and units of it for one euro in parts in 10,000.
    """

    id: int
    number: int
    case: str
    person: int | None
    created: datetime
    processed: datetime
    updated: datetime
    taxes_included: bool
    lines: tuple[SaleLine, ...]
    total: int
    status: str | None
    country: str | None = "NL"
    billing_country: str = "NL"
    shipping: tuple[Shipping, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    edits: tuple[Edit, ...] = ()
    cancelled: datetime | None = None
    test: bool = False
    unexplained: int = 0
    presentment: tuple[str, int] = ("EUR", 10_000)
    note: str | None = None
    spoil: str | None = None

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def rows(self) -> tuple[SaleLine | Shipping, ...]:
        """Lines and shipping, removed ones included."""
        return (*self.lines, *self.shipping)


@dataclass(frozen=True, slots=True)
class Product:
    """What is on the shelf. price in cents."""

    id: int
    variant: int
    title: str
    sku: str
    kind: str
    price: int
    gift_card: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change at the source after the first run. before is None for a new record."""

    case: str
    at: datetime
    sale: Sale | None = None
    sale_before: Sale | None = None
    person: Person | None = None
    person_before: Person | None = None


@dataclass(frozen=True)
class Business:
    """All of it. strangers: names that a person has typed into the books already."""

    seed: int
    people: tuple[Person, ...]
    products: tuple[Product, ...]
    sales: tuple[Sale, ...]
    strangers: tuple[str, ...] = ()
    changes: tuple[Change, ...] = field(default=())

    def sale(self, case: str) -> Sale:
        """The first sale of a case."""
        return next(s for s in self.sales if s.case == case)

    def sales_of(self, case: str) -> tuple[Sale, ...]:
        return tuple(s for s in self.sales if s.case == case)

    def people_of(self, case: str) -> tuple[Person, ...]:
        return tuple(p for p in self.people if p.case == case)
