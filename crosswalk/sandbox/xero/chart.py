"""The practice business's chart of accounts, tax rates and currencies: what somebody set up in the organisation."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CLASS_OF = {
    "BANK": "ASSET",
    "CURRENT": "ASSET",
    "CURRLIAB": "LIABILITY",
    "LIABILITY": "LIABILITY",
    "REVENUE": "REVENUE",
    "SALES": "REVENUE",
    "OTHERINCOME": "REVENUE",
    "EXPENSE": "EXPENSE",
    "EQUITY": "EQUITY",
}


@dataclass(slots=True)
class Account:
    """An account of the chart. payments: EnablePaymentsToAccount, for accounts that are not BANK."""

    code: str
    type: str
    name: str
    status: str = "ACTIVE"
    payments: bool = False
    tax_type: str = "NONE"
    id: str = ""

    @property
    def takes_payments(self) -> bool:
        return self.type == "BANK" or self.payments


@dataclass(slots=True)
class TaxRate:
    """A tax rate, ``rate`` in per cent."""

    type: str
    name: str
    rate: Decimal
    status: str = "ACTIVE"


@dataclass(slots=True)
class Item:
    """An item of the price list."""

    id: str
    code: str
    fields: dict[str, object]


def practice_accounts() -> list[Account]:
    return [
        Account("4000", "REVENUE", "Sales other", tax_type="TAX001"),
        Account("4010", "REVENUE", "Books", tax_type="TAX002"),
        Account("4020", "REVENUE", "Courses", tax_type="TAX001"),
        Account("4030", "REVENUE", "Mugs", status="ARCHIVED", tax_type="TAX001"),
        Account("4050", "REVENUE", "Shipping", tax_type="TAX001"),
        Account("4060", "REVENUE", "Rounding and adjustments"),
        Account("2100", "CURRLIAB", "Gift cards", payments=True),
        Account("1010", "BANK", "Shopify Payments"),
        Account("1020", "BANK", "PayPal"),
        Account("1030", "BANK", "Manual/bank transfer"),
    ]


def practice_tax_rates() -> list[TaxRate]:
    return [
        TaxRate("TAX001", "BTW hoog", Decimal("21")),
        TaxRate("TAX002", "BTW laag", Decimal("9")),
        TaxRate("TAX003", "Verlegd/0%", Decimal("0")),
        TaxRate("TAX004", "DE USt", Decimal("19")),
        TaxRate("TAX005", "BE btw", Decimal("21")),
        TaxRate("NONE", "No tax", Decimal("0")),
    ]


# How much of the currency one unit of the base currency buys, where a write names no rate.
PRACTICE_RATES = {"GBP": Decimal("0.870000")}
