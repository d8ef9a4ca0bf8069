"""What Xero holds now: records by id, and what became of a write whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from crosswalk.connectors.base import Answer, Found, Item
from crosswalk.connectors.wire import at, decode, render, rows, version
from crosswalk.connectors.xero_answers import REMOVED, Shape
from crosswalk.errors import Incomplete, NotFound

API = "/api.xro/2.0"
PAGE = 1000
# As many ids or numbers as an address of some 4,000 characters takes.
AT_ONCE = 40


class Reads(Protocol):
    """What is needed of the connector."""

    def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), since: datetime | None = None, *, tenant: bool = True
    ) -> Answer: ...


def current(xero: Reads, shape: Shape, ids: Sequence[str]) -> dict[str, Found]:
    """Records by id. An allocation has the id ``<credit note>:<invoice>``."""
    found: dict[str, Found] = {}
    if shape.ids:
        for some in _some(ids):
            for raw in _listed(xero, shape, ("IDs", ",".join(some))):
                record = as_found(shape, raw)
                found[record.target_id] = record
        return found
    for one in ids:
        owner, _, invoice = one.partition(":")
        try:
            answer = xero.get(f"{API}/{shape.path}/{owner}", shape.read)
        except NotFound:
            continue
        for raw in rows(answer.body, shape.path)[0]:
            record = as_found(shape, raw)
            kept = _allocation(record, invoice) if shape.list else record
            if kept is not None:
                found[one] = kept
    return found


def find(xero: Reads, shape: Shape, field: str, values: Sequence[str]) -> dict[str, list[Found]]:
    """Living records whose field holds one of these values, written in any case.

    Xero compares letter by letter, so the value in lower case is asked for too; one with a quote or a backslash cannot
    be written in a filter and is left out.
    """
    can = [v for v in dict.fromkeys(values) if not any(c in v for c in '"\\')]
    by_value: dict[str, list[Found]] = {_plain(v): [] for v in can}
    for some in _some(list(dict.fromkeys(text for v in can for text in (v, v.lower())))):
        either = " OR ".join(f'{field}=="{one}"' for one in some)
        for raw in _listed(xero, shape, ("where", f"{shape.only} AND ({either})" if shape.only else either)):
            record = as_found(shape, raw)
            known = by_value.get(_plain(str(record.echo.get(field) or "")))
            if known is None or record.gone:
                continue
            if record.target_id not in {k.target_id for k in known}:
                known.append(record)
    return {v: by_value[_plain(v)] for v in can}


def _plain(value: str) -> str:
    return value.strip().casefold()


def look_up(
    xero: Reads, shapes: Mapping[str, Shape], resource: str, op: str, items: Sequence[Item]
) -> list[Found | None]:
    """For a create what carries each item's reference; for a removal the record and whether it is gone."""
    shape = shapes[resource]
    if op != "create":
        now = current(xero, shape, [i.target_id for i in items if i.target_id])
        return [_as_removed(now.get(i.target_id or ""), i) for i in items]
    if resource == "xero.payments":
        return _payments(xero, shapes["xero.invoices"], "Invoice.InvoiceID", items)
    if resource == "xero.refund_payments":
        return _payments(xero, shapes["xero.credit_notes"], "CreditNote.CreditNoteID", items)
    if resource == "xero.allocations":
        return [_allocated(xero, shape, i) for i in items]
    return _numbered(xero, shape, items)


def _as_removed(found: Found | None, item: Item) -> Found | None:
    if found is None:
        return None
    carries = bool(item.marker) and item.marker in (str(v) for v in found.echo.values())
    return replace(found, carries_marker=carries, applied=found.status in REMOVED)


def _listed(xero: Reads, shape: Shape, *wanted: tuple[str, str]) -> list[bytes]:
    """A listing by names, which fits one page. Incomplete when it does not."""
    answer = xero.get(f"{API}/{shape.path}", [*shape.read, *wanted, ("page", "1"), ("pageSize", str(PAGE))])
    raws, rest = rows(answer.body, shape.path)
    pages = (rest.get("pagination") or {}).get("pageCount", 1)
    if pages > 1 or len(raws) >= PAGE:
        raise Incomplete(f"Xero lists more than {PAGE} {shape.path} under {AT_ONCE} names")
    return raws


def _numbered(xero: Reads, shape: Shape, items: Sequence[Item]) -> list[Found | None]:
    """Contacts, invoices and credit notes by our own number; one that lives comes before one that was voided."""
    found: dict[str, Found] = {}
    for some in _some(list(dict.fromkeys(i.marker for i in items if i.marker))):
        if any(c in marker for marker in some for c in '",\\'):
            raise ValueError(f"a marker holds a quote, a comma or a backslash: {some}")
        if shape.path == "Invoices":
            raws = _listed(xero, shape, ("InvoiceNumbers", ",".join(some)))
        else:
            raws = _listed(xero, shape, ("where", " OR ".join(f'{shape.marker}=="{one}"' for one in some)))
        for raw in raws:
            record = as_found(shape, raw)
            marker = str(record.echo.get(shape.marker, ""))
            if shape.path == "Invoices" and record.echo.get("Type") != "ACCREC":
                continue
            if marker not in found or found[marker].status in REMOVED:
                found[marker] = record
    return [_carrying(found.get(i.marker)) for i in items]


def _carrying(found: Found | None) -> Found | None:
    """What was found under its own number carries it."""
    if found is None:
        return None
    return replace(found, carries_marker=True)


def _payments(xero: Reads, owner: Shape, parent: str, items: Sequence[Item]) -> list[Found | None]:
    """Payments by Reference among those of their invoice or credit note, which lists are never behind."""
    ids = [str(at(i.payload, parent) or "") for i in items]
    owners = current(xero, owner, [one for one in dict.fromkeys(ids) if one])
    return [_payment(owners.get(one), item) for one, item in zip(ids, items, strict=True)]


def _payment(owner: Found | None, item: Item) -> Found | None:
    for payment in (owner.echo.get("Payments") or ()) if owner else ():
        if item.marker and payment.get("Reference") == item.marker:
            return Found(str(payment["PaymentID"]), None, True, payment, render(payment), status="AUTHORISED")
    return None


def _allocated(xero: Reads, shape: Shape, item: Item) -> Found | None:
    """An allocation carries no reference: it is ours when note, invoice and amount are those that were sent."""
    name = f"{at(item.payload, 'CreditNote.CreditNoteID')}:{at(item.payload, 'Invoice.InvoiceID')}"
    found = current(xero, shape, [name]).get(name)
    if found is None:
        return None
    ours = found.echo.get("Amount") == item.payload.get("Amount")
    return Found(found.target_id, None, ours, found.echo, found.body, applied=ours)


def _allocation(note: Found, invoice: str) -> Found | None:
    for one in note.echo.get("Allocations") or ():
        if at(one, "Invoice.InvoiceID") == invoice and not one.get("IsDeleted"):
            return Found(f"{note.target_id}:{invoice}", None, False, one, render(one))
    return None


def as_found(shape: Shape, raw: bytes) -> Found:
    echo = decode(raw)
    status = str(echo.get("Status") or echo.get("ContactStatus") or "")
    if status == "PAID":
        echo["Status"] = "AUTHORISED"  # what was set; Xero calls it paid by itself once nothing is owed
    changed = version(echo.get("UpdatedDateUTC"))
    gone = status in (*REMOVED, "ARCHIVED", "GDPRREQUEST")
    return Found(str(echo.get(shape.id, "")), changed, False, echo, raw, status=status, gone=gone)


def _some(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield list(values[start : start + AT_ONCE])
