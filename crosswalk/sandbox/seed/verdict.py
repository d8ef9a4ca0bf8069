"""Compares what the oracle expects with a practice Xero's ledger and a database; an empty list is agreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .oracle import Amounts, Contact, Database, Document, Expected, Money

Row = Mapping[str, Any]
CURRENCY = "EUR"


def books(expected: Expected, effects: Mapping[str, Any], prefix: str) -> list[str]:
    """Differences from a ledger as ``Organisation.effects()`` gives it; amounts and days may be text too.

    Records without the prefix are not ours and are not looked at, except for strangers, which must be as they were.
    """
    wrong = _contacts(expected, effects["contacts"], prefix)
    invoices = _ours(effects["invoices"], "number", prefix, wrong, "invoice", ("DELETED",))
    notes = _ours(effects["credit_notes"], "number", prefix, wrong, "credit note", ("DELETED", "VOIDED"))
    wrong += _same("invoice", expected.invoices, {k: _document(row, prefix) for k, row in invoices.items()}, _sold)
    wrong += _same(
        "credit note", expected.credit_notes, {k: _document(row, prefix) for k, row in notes.items()}, _facts
    )
    money = [row for row in effects["payments"] if row["status"] != "DELETED"]
    ours = [row for row in money if _bare(row["invoice"] or row["credit_note"], prefix) is not None]
    paid = _once([row for row in ours if row["invoice"]], wrong, "payment")
    back = _once([row for row in ours if not row["invoice"]], wrong, "refund payment")
    wrong += _same("payment", expected.payments, {k: _money(row, "invoice", prefix) for k, row in paid.items()}, _paid)
    wrong += _same(
        "refund payment",
        expected.refund_payments,
        {k: _money(row, "credit_note", prefix) for k, row in back.items()},
        _paid,
    )
    return wrong + _allocations(expected, effects["allocations"], prefix)


def database(expected: Database, actual: Mapping[str, int]) -> list[str]:
    """Differences of counts and sums; ``actual`` has the fields of `Database`, sums in cents."""
    wanted = {name: getattr(expected, name) for name in Database.__dataclass_fields__}
    return [
        f"database: {name} is {actual.get(name)}, not {value}"
        for name, value in wanted.items()
        if actual.get(name) != value
    ]


def cents(amount: object) -> int:
    """An exact amount in cents; ValueError if it has a part of a cent."""
    value = Decimal(str(amount)) * 100
    if value != value.to_integral_value():
        raise ValueError(f"{amount} is not whole cents")
    return int(value)


def _bare(number: object, prefix: str) -> str | None:
    text = str(number or "")
    return text[len(prefix) + 1 :] if text.startswith(prefix + "-") else None


def _ours(
    rows: Iterable[Row], field: str, prefix: str, wrong: list[str], kind: str, gone: tuple[str, ...] = ()
) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        key = _bare(row[field], prefix)
        if key is None or row["status"] in gone:
            continue
        if key in found:
            wrong.append(f"{kind} {key}: there twice")
        found[key] = row
    return found


def _once(rows: Iterable[Row], wrong: list[str], kind: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        key = str(row["reference"])
        if key in found:
            wrong.append(f"{kind} {key}: there twice")
        found[key] = row
    return found


def _document(row: Row, prefix: str) -> dict[str, Any]:
    amounts: Amounts = {}
    for line in row["lines"]:
        key = (str(line["account"]), str(line["tax_type"]))
        old = amounts.get(key, (0, 0))
        amounts[key] = (old[0] + cents(line["amount"]), old[1] + cents(line["tax"]))
    return {
        "contact": _bare(row["contact_number"], prefix),
        "date": str(row["date"]),
        "due_date": str(row["due_date"]),
        "currency": row["currency"],
        "included": row["amounts"] == "Inclusive",
        "total": cents(row["total"]),
        "tax": cents(row["tax"]),
        "due": 0 if row["status"] == "VOIDED" else cents(row["due"]),
        "status": row["status"],
        "amounts": {key: value for key, value in amounts.items() if value != (0, 0)},
    }


def _facts(document: Document) -> dict[str, Any]:
    names = ("contact", "date", "included", "total", "tax", "due", "status", "amounts")
    return {"currency": CURRENCY} | {name: getattr(document, name) for name in names}


def _sold(document: Document) -> dict[str, Any]:
    """An invoice is due on its own day."""
    return {"due_date": document.date} | _facts(document)


def _money(row: Row, field: str, prefix: str) -> dict[str, Any]:
    return {
        "document": _bare(row[field], prefix),
        "account": row["account"],
        "date": str(row["date"]),
        "cents": cents(row["amount"]),
    }


def _paid(money: Money) -> dict[str, Any]:
    return {name: getattr(money, name) for name in ("document", "account", "date", "cents")}


def _same(kind: str, expected: Mapping[str, Any], found: Mapping[str, dict[str, Any]], facts: Any) -> list[str]:
    wrong = [f"{kind} {key}: missing" for key in expected if key not in found]
    wrong += [f"{kind} {key}: should not be there" for key in found if key not in expected]
    for key in expected.keys() & found.keys():
        for name, value in facts(expected[key]).items():
            if found[key][name] != value:
                wrong.append(f"{kind} {key}: {name} is {found[key][name]}, not {value}")
    return sorted(wrong)


def _allocations(expected: Expected, rows: Iterable[Row], prefix: str) -> list[str]:
    found: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for row in rows:
        key = _bare(row["credit_note"], prefix)
        if key is None:
            continue
        if key in found:
            wrong.append(f"allocation {key}: there twice")
        found[key] = {
            "document": _bare(row["invoice"], prefix), "date": str(row["date"]), "cents": cents(row["amount"]),
        }  # fmt: skip
    wanted = expected.allocations
    return wrong + _same(
        "allocation", wanted, found, lambda m: {"document": m.document, "date": m.date, "cents": m.cents}
    )


def _contacts(expected: Expected, rows: Iterable[Row], prefix: str) -> list[str]:
    rows = list(rows)
    wrong: list[str] = []
    ours = _ours(rows, "number", prefix, wrong, "contact", ("ARCHIVED",))
    wrong += [f"contact {key}: missing" for key in expected.contacts if key not in ours]
    wrong += [f"contact {key}: should not be there" for key in ours if key not in expected.contacts]
    plain: dict[str, int] = {}
    for key in expected.contacts.keys() & ours.keys():
        wrong += _name(expected.contacts[key], ours[key], plain)
    groups = {c.plain.casefold() for c in expected.contacts.values() if not c.alone and not c.stranger}
    wrong += [
        f"contacts named {name}: {plain.get(name, 0)} keep the name, not 1"
        for name in groups
        if plain.get(name, 0) != 1
    ]
    for stranger in expected.strangers:
        kept = [row for row in rows if row["name"] == stranger and not row["number"]]
        if len(kept) != 1:
            wrong.append(f"the contact {stranger}, which is not ours, is no longer as it was")
    return sorted(wrong)


def _name(wanted: Contact, row: Row, plain: dict[str, int]) -> list[str]:
    wrong = []
    if row["email"] != wanted.email:
        wrong.append(f"contact {wanted.id}: e-mail address is {row['email']}, not {wanted.email}")
    allowed = (
        {wanted.distinct} if wanted.stranger else {wanted.plain} if wanted.alone else {wanted.plain, wanted.distinct}
    )
    if row["name"] not in allowed:
        wrong.append(f"contact {wanted.id}: name is {row['name']}, not {' or '.join(sorted(allowed))}")
    if row["name"] == wanted.plain:
        plain[wanted.plain.casefold()] = plain.get(wanted.plain.casefold(), 0) + 1
    return wrong
