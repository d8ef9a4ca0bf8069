"""Line items: amounts, discounts, accounts and tax, rounded per line as Xero does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from crosswalk.sandbox.xero.books import ZERO, Line
from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.chart import Account
from crosswalk.sandbox.xero.errors import Invalid
from crosswalk.sandbox.xero.fields import CENT, FOUR, Element, children, money, number, text

_HUNDRED = Decimal(100)


@dataclass(slots=True, frozen=True)
class Frame:
    """What the lines must fit: the document's type, its LineAmountTypes and whether it is to be approved."""

    type: str
    amounts: str
    approved: bool


@dataclass(slots=True, frozen=True)
class Sums:
    sub_total: Decimal
    tax: Decimal
    total: Decimal
    discount: Decimal


def read_lines(call: Call, elements: list[dict[str, Any]], frame: Frame, old: Sequence[Line]) -> tuple[Line, ...]:
    """The lines as they will stand in the books; raises Invalid with every message at once.

    A LineItemID keeps its line, a line without one is made anew.
    """
    known = {line.id for line in old}
    lines, messages = [], []
    for element in elements:
        try:
            lines.append(_line(call, element, frame, known))
        except Invalid as invalid:
            messages += [m for m in invalid.messages if m not in messages]
    if messages:
        raise Invalid(*messages)
    return tuple(lines)


def sums(lines: Sequence[Line], amounts: str) -> Sums:
    amount = sum((line.amount for line in lines), ZERO)
    tax = sum((line.tax for line in lines), ZERO)
    sub_total = amount - tax if amounts == "Inclusive" else amount
    discount = sum(
        (money(line.quantity * line.unit) - line.amount for line in lines if _discounted(line)),
        ZERO,
    )
    return Sums(sub_total, tax, sub_total + tax, discount)


def tax_on(amount: Decimal, rate: Decimal, amounts: str) -> Decimal:
    """The tax that Xero itself works out for a line."""
    if amounts == "NoTax" or not rate:
        return ZERO
    return money(amount * rate / (_HUNDRED + rate if amounts == "Inclusive" else _HUNDRED))


def _discounted(line: Line) -> bool:
    return line.discount_rate is not None or line.discount_amount is not None


def _line(call: Call, element: Element, frame: Frame, known: set[str]) -> Line:
    item = call.state.items.get((text(element, "ItemCode") or "").casefold())
    description = text(element, "Description", 4000) or str((item.fields if item else {}).get("Description") or "")
    if not description:
        raise Invalid("Description is required: a line item needs at least one character.")
    tracking = children(element, "Tracking") or []
    if len(tracking) > 2:
        raise Invalid("A line item can have at most 2 tracking categories.")
    line_id = text(element, "LineItemID")
    if line_id is not None and line_id not in known:
        raise Invalid("An existing line item with the specified LineItemID could not be found")
    bare = all(element.get(n) is None for n in ("Quantity", "UnitAmount", "LineAmount"))
    try:
        quantity, unit, amount = (ZERO, ZERO, ZERO) if bare else _amounts(call, element, frame)
    except (InvalidOperation, ZeroDivisionError) as error:
        raise Invalid("The amounts of a line item are out of range.") from error
    account = _account(call, element, frame, needed=not bare)
    tax_type, tax = _tax(call, element, frame, account, amount, needed=not bare)
    return Line(
        id=line_id or call.books.new_id(),
        description=description,
        quantity=quantity,
        unit=unit,
        amount=amount,
        tax=tax,
        tax_type=tax_type,
        account=account.code if account else "",
        item=item.code if item else "",
        discount_rate=number(element, "DiscountRate"),
        discount_amount=number(element, "DiscountAmount"),
        tracking=tuple(tracking),
    )


def _amounts(call: Call, element: Element, frame: Frame) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity with 4 decimals, unit amount with 2 or 4, line amount to the cent."""
    step = FOUR if call.four_decimals else CENT
    given_quantity, given_unit = number(element, "Quantity"), number(element, "UnitAmount")
    given = number(element, "LineAmount")
    if given_quantity is not None and given_quantity < 0:
        shown = given_quantity.quantize(FOUR)
        raise Invalid(f"The quantity value '{shown}' is invalid. Quantity must not be less than zero.")
    rate, off = number(element, "DiscountRate"), number(element, "DiscountAmount")
    if (rate or off) and frame.type != "ACCREC":
        raise Invalid("Discounts are only supported on ACCREC invoices.")
    if rate is not None and not 0 <= rate <= _HUNDRED:
        raise Invalid("The discount rate must be between 0 and 100.")
    factor = (_HUNDRED - (rate or 0)) / _HUNDRED
    quantity = Decimal("1.0000") if given_quantity is None else given_quantity.quantize(FOUR, ROUND_HALF_UP)
    if given_unit is None:
        assert given is not None or given_quantity is not None
        before = ((given or ZERO) + (off or 0)) / factor if factor else ZERO
        unit = (before / quantity if quantity else ZERO).quantize(step, ROUND_HALF_UP)
        return quantity, unit, money(given or ZERO)
    unit = given_unit.quantize(step, ROUND_HALF_UP)
    amount = money(quantity * unit * factor - (off or 0))
    if given is not None and given_quantity is not None and money(given) != amount:
        raise Invalid(f"The line total {given} does not match the expected line total {amount}")
    return quantity, unit, amount


def _account(call: Call, element: Element, frame: Frame, needed: bool) -> Account | None:
    code, account_id = text(element, "AccountCode"), text(element, "AccountID")
    if account_id and not code:
        code = next((a.code for a in call.state.accounts.values() if a.id == account_id), account_id)
    if not code:
        if frame.approved and needed:
            raise Invalid("Account must be valid.")
        return None
    account = call.state.accounts.get(code)
    if account is None or account.type == "BANK":
        raise Invalid(f"Account code '{code}' is not a valid code for this document.")
    if account.status != "ACTIVE":
        raise Invalid(
            f"Account code '{code}' has been archived, or has been deleted. "
            "Each line item must reference a valid account."
        )
    return account


def _tax(
    call: Call, element: Element, frame: Frame, account: Account | None, amount: Decimal, needed: bool
) -> tuple[str, Decimal]:
    """The tax type and the tax: Xero's own, unless TaxAmount overrides it."""
    tax_type = text(element, "TaxType")
    if frame.amounts == "NoTax":
        return "NONE", ZERO
    if not tax_type:
        if frame.approved and needed:
            raise Invalid("Tax rate must be valid.")
        tax_type = account.tax_type if account else "NONE"
    rate = call.state.tax_rates.get(tax_type)
    if rate is None or rate.status != "ACTIVE":
        raise Invalid(f"The TaxType code '{tax_type}' does not exist or cannot be used for this type of transaction.")
    given = number(element, "TaxAmount")
    if given is None:
        return tax_type, tax_on(amount, rate.rate, frame.amounts)
    if abs(given) > abs(amount):
        raise Invalid("The tax amount cannot be greater than the line amount!")
    return tax_type, money(given)
