"""What Xero holds in a stretch of days, as a listing, and the tax in a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crosswalk.connectors.base import Found
from crosswalk.connectors.wire import instant, rows
from crosswalk.connectors.xero_answers import Shape
from crosswalk.connectors.xero_lookup import API, PAGE, Reads, as_found
from crosswalk.errors import FilterIgnored, Incomplete

PASSES = 3
CENT = Decimal("0.01")


def standing(xero: Reads, shape: Shape, dated: str, first: date, past: date) -> Iterator[Found]:
    """Records of these days, once each, the voided and deleted ones among them.

    The listing is read again when it moved. Raises Incomplete when it does not come to rest, FilterIgnored for a record
    of another day.
    """
    for _ in range(PASSES):
        records, total = _pass(xero, shape, dated, first, past)
        if len(records) == total:
            yield from records.values()
            return
    raise Incomplete(f"Xero says that there are {total} {shape.path}, and lists {len(records)}, {PASSES} times over")


def _pass(xero: Reads, shape: Shape, dated: str, first: date, past: date) -> tuple[dict[str, Found], int]:
    where = [shape.only] if shape.only else []
    if dated:
        where += [f"{dated}>={_day(first)}", f"{dated}<{_day(past)}"]
    wanted = [*shape.read, ("order", f"{shape.id} ASC"), ("pageSize", str(PAGE))]
    if where:
        wanted.append(("where", " AND ".join(where)))
    records: dict[str, Found] = {}
    page, pages, total = 0, 1, 0
    while page < pages:
        page += 1
        raws, rest = rows(xero.get(f"{API}/{shape.path}", [*wanted, ("page", str(page))]).body, shape.path)
        about = rest.get("pagination") or {}
        pages, total = int(about.get("pageCount", pages)), int(about.get("itemCount", len(raws)))
        for raw in raws:
            one = as_found(shape, raw)
            _kept(shape, one, dated, first, past)
            records[one.target_id] = one
    return records, total


def _kept(shape: Shape, one: Found, dated: str, first: date, past: date) -> None:
    if not dated:
        return
    moment = instant(one.echo.get(dated))
    if moment is None or not first <= moment.date() < past:
        day = "no day" if moment is None else f"{moment:%Y-%m-%d}"
        raise FilterIgnored(
            f"Xero lists {shape.path} {one.target_id} of {day}, and {first} to {past - timedelta(days=1)} was asked for"
        )


def _day(day: date) -> str:
    return f"DateTime({day:%Y,%m,%d})"


def by_tax(document: Mapping[str, Any]) -> dict[str, Decimal]:
    """The amount of an invoice or credit note by tax code, tax included; of one that we send or that Xero shows."""
    amounts: dict[str, Decimal] = {}
    added = document.get("LineAmountTypes") == "Exclusive"
    for line in document.get("LineItems") or ():
        amount = line.get("LineAmount")
        if amount is None:
            full = _decimal(line.get("Quantity", 1)) * _decimal(line.get("UnitAmount"))
            amount = (full - _decimal(line.get("DiscountAmount"))).quantize(CENT, ROUND_HALF_UP)
        code = str(line.get("TaxType") or "NONE")
        amounts[code] = amounts.get(code, Decimal(0)) + _decimal(amount)
        if added:
            amounts[code] += _decimal(line.get("TaxAmount"))
    return amounts


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value)) if value is not None else Decimal(0)
