"""The books: contacts, documents, payments and allocations, with the look-ups that uniqueness needs.

A change inside ``with books.change():`` is whole or not at all. Lists inside records are tuples and dicts are replaced,
never changed in place, so that a shallow copy is enough to go back.
"""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

ZERO = Decimal("0.00")


@dataclass(slots=True)
class Contact:
    """fields: the plain text and flag values by their API name, those that were ever set."""

    id: str
    seq: int
    name: str
    updated: datetime
    status: str = "ACTIVE"
    number: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, dict[str, str]] = field(default_factory=dict)
    phones: dict[str, dict[str, str]] = field(default_factory=dict)
    persons: tuple[dict[str, Any], ...] = ()
    is_customer: bool = False
    is_supplier: bool = False
    history: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True, frozen=True)
class Line:
    """Amounts are exact; ``unit`` has up to 4 decimals, ``amount`` and ``tax`` have 2."""

    id: str
    description: str
    quantity: Decimal
    unit: Decimal
    amount: Decimal
    tax: Decimal
    tax_type: str
    account: str
    item: str = ""
    discount_rate: Decimal | None = None
    discount_amount: Decimal | None = None
    tracking: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class Document:
    """An invoice, a bill or a credit note. ``due`` is AmountDue, of a credit note RemainingCredit."""

    id: str
    seq: int
    type: str
    number: str
    contact: str
    day: date
    updated: datetime
    status: str = "DRAFT"
    reference: str = ""
    due_day: date | None = None
    amounts: str = "Exclusive"
    lines: tuple[Line, ...] = ()
    currency: str = ""
    rate: Decimal = Decimal("1.000000")
    sub_total: Decimal = ZERO
    tax: Decimal = ZERO
    total: Decimal = ZERO
    discount: Decimal = ZERO
    paid: Decimal = ZERO
    applied: Decimal = ZERO
    payments: tuple[str, ...] = ()
    allocations: tuple[str, ...] = ()
    paid_on: date | None = None
    sent: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()
    app: str = ""

    @property
    def is_credit(self) -> bool:
        return self.type.endswith("CREDIT")

    @property
    def due(self) -> Decimal:
        return self.total - self.paid - self.applied


@dataclass(slots=True)
class Payment:
    """Of an invoice, or the refund of a credit note: ``document`` is either's id."""

    id: str
    seq: int
    document: str
    account: str
    day: date
    amount: Decimal
    updated: datetime
    reference: str = ""
    rate: Decimal = Decimal("1.000000")
    status: str = "AUTHORISED"
    type: str = "ACCRECPAYMENT"
    reconciled: bool = False


@dataclass(slots=True)
class Allocation:
    """How much of a credit note is set against an invoice."""

    id: str
    seq: int
    note: str
    invoice: str
    amount: Decimal
    day: date
    deleted: bool = False


Thing = Contact | Document | Payment | Allocation


class Books:
    """Everything that the organisation has written down, by id, plus the names and numbers that are taken."""

    def __init__(self, seed: int) -> None:
        self.contacts: dict[str, Contact] = {}
        self.documents: dict[str, Document] = {}
        self.payments: dict[str, Payment] = {}
        self.allocations: dict[str, Allocation] = {}
        self.names: dict[str, str] = {}
        self.contact_numbers: dict[str, str] = {}
        self.document_numbers: dict[tuple[str, str], str] = {}
        self._random = random.Random(seed)
        self._seq = 0
        self._before: list[tuple[Thing, Thing | None]] | None = None

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    @contextmanager
    def change(self) -> Iterator[None]:
        """Take everything back if the block raises; blocks may stand inside each other."""
        outer = self._before
        mine: list[tuple[Thing, Thing | None]] = []
        self._before = mine
        try:
            yield
        except BaseException:
            for now, before in reversed(mine):
                self._put_back(now, before)
            raise
        else:
            if outer is not None:
                outer.extend(mine)
        finally:
            self._before = outer

    def add(self, thing: Thing) -> None:
        if self._before is not None:
            self._before.append((thing, None))
        self._home(thing)[thing.id] = thing
        self._claim(thing)

    @contextmanager
    def edit(self, thing: Thing) -> Iterator[None]:
        """Change a record in place; names and numbers are taken over afterwards."""
        before = copy.copy(thing)
        if self._before is not None:
            self._before.append((thing, before))
        self._release(thing)
        try:
            yield
        finally:
            self._claim(thing)

    def invoice_numbered(self, number: str) -> Document | None:
        """The sales invoice with this number, deleted ones aside."""
        found = self.document_numbers.get(("ACCREC", number.casefold()))
        return self.documents[found] if found else None

    def note_numbered(self, number: str) -> Document | None:
        found = self.document_numbers.get(("ACCRECCREDIT", number.casefold()))
        return self.documents[found] if found else None

    def contact_named(self, name: str) -> Contact | None:
        """The active contact with this name."""
        found = self.names.get(_fold(name))
        return self.contacts[found] if found else None

    def contact_numbered(self, number: str) -> Contact | None:
        found = self.contact_numbers.get(number)
        return self.contacts[found] if found else None

    def _home(self, thing: Thing) -> dict[str, Any]:
        if isinstance(thing, Contact):
            return self.contacts
        if isinstance(thing, Document):
            return self.documents
        return self.payments if isinstance(thing, Payment) else self.allocations

    def _put_back(self, now: Thing, before: Thing | None) -> None:
        self._release(now)
        if before is None:
            del self._home(now)[now.id]
            return
        for name in now.__slots__:
            setattr(now, name, getattr(before, name))
        self._claim(now)

    def _claim(self, thing: Thing) -> None:
        if isinstance(thing, Contact):
            if thing.status == "ACTIVE":
                self.names.setdefault(_fold(thing.name), thing.id)
            if thing.number:
                self.contact_numbers.setdefault(thing.number, thing.id)
        elif isinstance(thing, Document) and thing.number and thing.status != "DELETED":
            self.document_numbers.setdefault((thing.type, thing.number.casefold()), thing.id)

    def _release(self, thing: Thing) -> None:
        if isinstance(thing, Contact):
            _drop(self.names, _fold(thing.name), thing.id)
            _drop(self.contact_numbers, thing.number, thing.id)
        elif isinstance(thing, Document):
            _drop(self.document_numbers, (thing.type, thing.number.casefold()), thing.id)


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


def _drop(index: dict[Any, str], key: Any, owner: str) -> None:
    if index.get(key) == owner:
        del index[key]
