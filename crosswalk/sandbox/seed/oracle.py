"""What the books and the database must hold in the end, worked out from the sales list alone, in integer cents.

Written from docs/practice-business.md. Knows nothing of mappings, of the engine or of either vendor's wire format, so
that a mistake there cannot be made here too. Ids are text, as in invoice numbers without their prefix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from .sales import GUESTS, LOCK_DATE, SHOP_ZONE, Business, Payment, Person, Refund, RefundLine, Sale, SaleLine, Shipping

ACCOUNTS = {"book": "4010", "course": "4020", "mug": "4030"}
OTHER_SALES, GIFT_CARDS, PARCELS, ADJUSTMENTS = "4000", "2100", "4050", "4060"
ARCHIVED = {"4030"}
TAX_TYPES = {("NL", 2100): "TAX001", ("NL", 900): "TAX002", ("DE", 1900): "TAX004", ("BE", 2100): "TAX005"} | {
    (country, 0): "TAX003" for country in ("NL", "DE", "BE", "GB", "US", "CH", "JP")
}
NO_TAX = "NONE"
BANKS = {"shopify_payments": "1010", "paypal": "1020", "manual": "1030", "Bank Deposit": "1030", "gift_card": "2100"}
LONGEST_NAME = 255

Amounts = dict[tuple[str, str], tuple[int, int]]
"""(account, tax type) → (line amounts, their tax)."""


@dataclass(frozen=True)
class Contact:
    """plain: its name if nobody took that first. distinct: its name otherwise. alone: nobody else wants it."""

    id: str
    plain: str
    distinct: str
    email: str
    alone: bool
    stranger: bool = False


@dataclass(frozen=True)
class Document:
    """An invoice or a credit note. order: whose. due: what is still open. amounts: those that are not zero."""

    id: str
    order: str
    contact: str
    date: str
    included: bool
    total: int
    tax: int
    due: int
    status: str
    amounts: Amounts


@dataclass(frozen=True)
class Money:
    """A payment of an invoice (document: order id) or of a credit note (document: refund id)."""

    id: str
    document: str
    account: str
    date: str
    cents: int


@dataclass(frozen=True)
class Left:
    """What is not in the books. kind: contact, invoice, payment, credit_note, refund_payment or allocation."""

    kind: str
    id: str
    order: str
    reason: str


@dataclass
class Database:
    """Sums are cents. current: after refunds."""

    orders: int = 0
    lines: int = 0
    units: int = 0
    total: int = 0
    current: int = 0


@dataclass
class Expected:
    """By id. held: a person has to do something; waits: for a contact or an invoice; skipped: by a named rule."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    invoices: dict[str, Document] = field(default_factory=dict)
    credit_notes: dict[str, Document] = field(default_factory=dict)
    payments: dict[str, Money] = field(default_factory=dict)
    refund_payments: dict[str, Money] = field(default_factory=dict)
    allocations: dict[str, Money] = field(default_factory=dict)
    held: list[Left] = field(default_factory=list)
    waits: list[Left] = field(default_factory=list)
    skipped: list[Left] = field(default_factory=list)
    database: Database = field(default_factory=Database)
    strangers: tuple[str, ...] = ()

    def totals(self) -> dict[str, int]:
        """Cents, voided documents left out."""
        live = [d for d in self.invoices.values() if d.status != "VOIDED"]
        return {
            "invoices": sum(d.total for d in live),
            "tax": sum(d.tax for d in live),
            "credit_notes": sum(d.total for d in self.credit_notes.values()),
            "payments": sum(m.cents for m in self.payments.values()),
            "refunds": sum(m.cents for m in self.refund_payments.values()),
            "allocations": sum(m.cents for m in self.allocations.values()),
        }


def expect(business: Business) -> Expected:
    """The end of a run over the business; with its changes applied, the end of the run after them."""
    expected = Expected(strangers=business.strangers)
    _contacts(expected, business)
    first = {c.sale.id: c.sale_before for c in reversed(business.changes) if c.sale}
    for sale in business.sales:
        if sale.spoil:
            expected.held.append(Left("invoice", str(sale.id), str(sale.id), "bad row"))
            continue
        _store(expected.database, sale)
        _book(expected, sale, first.get(sale.id))
    return expected


def _contacts(expected: Expected, business: Business) -> None:
    takers: defaultdict[str, int] = defaultdict(int)
    readable: list[Person] = []
    for person in business.people:
        if person.spoil:
            expected.held.append(Left("contact", str(person.id), "", "bad row"))
        elif len(person.name) > LONGEST_NAME:
            expected.held.append(Left("contact", str(person.id), "", "name too long"))
        else:
            readable.append(person)
            takers[person.name.casefold()] += 1
    strangers = {name.casefold() for name in business.strangers}
    for person in readable:
        key, name = person.name.casefold(), person.name
        expected.contacts[str(person.id)] = Contact(
            str(person.id), name, f"{name} ({person.id})", person.email or "", takers[key] == 1, key in strangers
        )
    if any(sale.person is None and not sale.spoil for sale in business.sales):
        expected.contacts[GUESTS] = Contact(GUESTS, "Shop guests", "Shop guests", "", True)


def _store(database: Database, sale: Sale) -> None:
    back = sum(_gross(sale, row) for refund in sale.refunds for row in (*refund.lines, *refund.shipping))
    database.orders += 1
    database.lines += len(sale.lines)
    database.units += sum(line.ordered for line in sale.lines)
    database.total += sale.total
    database.current += sale.total - back


def _gross(sale: Sale, row: RefundLine) -> int:
    return row.cents if sale.taxes_included else row.cents + row.tax


# --- invoices


def _book(expected: Expected, sale: Sale, before: Sale | None) -> None:
    order = str(sale.id)
    was_booked = before is not None and _skipped(before) is None and _held(before, expected) is None
    if was_booked and before is not None and sale.cancelled and not _money_in(sale):
        expected.invoices[order] = _invoice(before, "VOIDED", 0)
        _leave_parts(expected.skipped, sale, "cancelled before it was paid")
        return
    billed = sale
    if was_booked and before is not None and _bill(before) != _bill(sale) and (_money_in(before) or before.refunds):
        expected.held.append(Left("invoice", order, order, "edit of a paid invoice"))
        billed = before
    else:
        skipped = _skipped(sale)
        held = _held(sale, expected)
        if skipped or held:
            expected_list = expected.skipped if skipped else expected.waits if held == "contact" else expected.held
            expected_list.append(Left("invoice", order, order, skipped or held or ""))
            _leave_parts(expected.skipped if skipped else expected.waits, sale, skipped or "invoice")
            return
    _parts(expected, sale)
    paid = sum(m.cents for m in expected.payments.values() if m.document == order)
    credited = sum(expected.allocations[str(r.id)].cents for r in sale.refunds if str(r.id) in expected.allocations)
    due = billed.total - paid - credited
    expected.invoices[order] = _invoice(billed, "AUTHORISED" if due else "PAID", due)


def _skipped(sale: Sale) -> str | None:
    if sale.test:
        return "test order"
    if sale.cancelled and not _money_in(sale):
        return "cancelled before it was invoiced"
    return "zero total" if sale.total == 0 else None


def _held(sale: Sale, expected: Expected) -> str | None:
    if sale.status in (None, "EXPIRED", "VOIDED"):
        return "status"
    rows = _rows(sale)
    if any(len(row.taxes) > 1 for row in rows):
        return "two taxes"
    if any(_tax_type(sale, row) is None for row in rows):
        return "tax"
    tax = 0 if sale.taxes_included else sum(t.cents for row in rows for t in row.taxes)
    if sum(row.cents for row in rows) + tax != sale.total:
        return "total"
    if _contact(sale) not in expected.contacts:
        return "contact"
    if _day(sale.processed) <= LOCK_DATE:
        return "locked period"
    return "archived account" if any(_account(row) in ARCHIVED for row in rows) else None


def _rows(sale: Sale) -> list[SaleLine | Shipping]:
    """What is billed: removed lines are out."""
    return [line for line in sale.lines if line.billed] + [parcel for parcel in sale.shipping if not parcel.removed]


def _bill(sale: Sale) -> tuple[int, Amounts, tuple[int, ...]]:
    return sale.total, _amounts(sale), tuple(row.id for row in _rows(sale))


def _invoice(sale: Sale, status: str, due: int) -> Document:
    tax = sum(t.cents for row in _rows(sale) for t in row.taxes)
    day = _day(sale.processed)
    order = str(sale.id)
    return Document(
        order, order, _contact(sale), day, sale.taxes_included, sale.total, tax, due, status, _amounts(sale)
    )


def _amounts(sale: Sale) -> Amounts:
    return _add_up(
        (_account(row), _tax_type(sale, row) or "", row.cents, sum(t.cents for t in row.taxes)) for row in _rows(sale)
    )


def _add_up(rows: Iterable[tuple[str, str, int, int]]) -> Amounts:
    sums: Amounts = {}
    for account, tax_type, cents, tax in rows:
        old = sums.get((account, tax_type), (0, 0))
        sums[account, tax_type] = (old[0] + cents, old[1] + tax)
    return {key: value for key, value in sums.items() if value != (0, 0)}


def _account(row: SaleLine | Shipping) -> str:
    if isinstance(row, Shipping):
        return PARCELS
    return GIFT_CARDS if row.gift_card else ACCOUNTS.get(row.product_type or "", OTHER_SALES)


def _tax_type(sale: Sale, row: SaleLine | Shipping) -> str | None:
    """None where nobody has said which."""
    if not row.taxes or (isinstance(row, SaleLine) and row.gift_card):
        return NO_TAX
    return TAX_TYPES.get((sale.country or sale.billing_country or "NL", row.taxes[0].rate))


def _contact(sale: Sale) -> str:
    return GUESTS if sale.person is None else str(sale.person)


def _day(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(SHOP_ZONE)).date().isoformat()


# --- payments, credit notes, refund payments, allocations


def _came_in(payment: Payment) -> bool:
    return payment.kind in ("SALE", "CAPTURE") and payment.status == "SUCCESS"


def _money_in(sale: Sale) -> int:
    return sum(p.cents for p in sale.payments if _came_in(p))


def _parts(expected: Expected, sale: Sale) -> None:
    order = str(sale.id)
    for payment in sale.payments:
        key = str(payment.id)
        if not _came_in(payment):
            expected.skipped.append(Left("payment", key, order, "no money came in"))
        elif payment.gateway not in BANKS:
            expected.held.append(Left("payment", key, order, "gateway"))
        else:
            day = _day(payment.at)
            expected.payments[key] = Money(key, order, BANKS[payment.gateway], day, payment.cents)
    for refund in sale.refunds:
        _credit(expected, sale, refund)


def _credit(expected: Expected, sale: Sale, refund: Refund) -> None:
    order, key = str(sale.id), str(refund.id)
    rows = (*refund.lines, *refund.shipping)
    total = sum(_gross(sale, row) for row in rows) + refund.extra
    for payment in refund.payments:
        number = str(payment.id)
        expected.skipped.append(Left("payment", number, order, "no money came in"))
        if payment.status == "SUCCESS":
            bank, day = BANKS[payment.gateway], _day(payment.at)
            expected.refund_payments[number] = Money(number, key, bank, day, payment.cents)
        else:
            expected.skipped.append(Left("refund_payment", number, order, "no money went out"))
    if total == 0:
        expected.skipped.append(Left("credit_note", key, order, "refund of nothing"))
        return
    on_its_way = sum(p.cents for p in refund.payments if p.status in ("SUCCESS", "PENDING"))
    rest = total - on_its_way
    if rest > 0:
        expected.allocations[key] = Money(key, order, "", _day(refund.at), rest)
    back = sum(p.cents for p in refund.payments if p.status == "SUCCESS")
    due = total - back - max(rest, 0)
    tax = sum(row.tax for row in rows)
    status = "AUTHORISED" if due else "PAID"
    expected.credit_notes[key] = Document(
        key, order, _contact(sale), _day(refund.at), sale.taxes_included, total, tax, due, status,
        _credit_amounts(sale, refund),
    )  # fmt: skip


def _credit_amounts(sale: Sale, refund: Refund) -> Amounts:
    sold: dict[int, SaleLine | Shipping] = {row.id: row for row in sale.rows}
    rows = [(sold[row.line], row) for row in (*refund.lines, *refund.shipping)]
    booked = [(_account(line), _tax_type(sale, line) or "", row.cents, row.tax) for line, row in rows]
    return _add_up([*booked, (ADJUSTMENTS, NO_TAX, refund.extra, 0)])


def _leave_parts(where: list[Left], sale: Sale, reason: str) -> None:
    order = str(sale.id)
    where += [Left("payment", str(p.id), order, reason) for p in sale.payments]
    where += [Left("credit_note", str(r.id), order, reason) for r in sale.refunds]
