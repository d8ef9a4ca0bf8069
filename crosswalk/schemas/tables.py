"""The record of a database table, derived from the record of a resource: one column a field, one child table a list.

Names become snake_case and lose what says nothing in a table: ``totalPriceSet.shopMoney.amount`` is ``total_price``,
``totalPriceSet.presentmentMoney.amount`` is ``total_price_presentment``, ``customer.id`` is ``customer_id``,
``product.productType`` is ``product_type``, ``countryCodeV2`` is ``country_code``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from crosswalk.schemas.base import Field, Lines, Record

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
_REVISION = re.compile(r"V[0-9]+\Z")
_MONEY = {"shopMoney": "", "presentmentMoney": "presentment"}
_MONEY_PARTS = {"amount": "", "currencyCode": "currency"}


def table_record(
    source: Record, name: str, rename: Mapping[str, str] | None = None, leave_out: Collection[str] = ()
) -> Record:
    """The target record ``name`` (``database.orders``) that holds all that ``source`` holds.

    rename: full dotted source name (``lineItems.sku``) → column name. leave_out: full dotted names, of lists too.
    Key and version are the source's, by their new names. ValueError when two fields get one name, when a name in
    rename or leave_out is not the source's, or when the key is left out.
    """
    rename = rename or {}
    known = {path for path, _ in source.walk()} | set(_lists(source.fields))
    if unknown := sorted((set(rename) | set(leave_out)) - known):
        raise ValueError(f"{source.name} has no {', '.join(unknown)}")
    if source.key in leave_out:
        raise ValueError(f"{source.name}: the key {source.key} cannot be left out")
    names = column_names(source, rename, leave_out)
    fields = _fields(source, "", rename, leave_out)
    return Record(name, key=names[source.key], version=names.get(source.version, ""), fields=fields, about=source.about)


def column_names(
    source: Record, rename: Mapping[str, str] | None = None, leave_out: Collection[str] = (), prefix: str = ""
) -> dict[str, str]:
    """Source field → column, in order, for the fields and lists of ``source`` itself.

    For the elements of a list give its record and its full dotted name with a point as ``prefix``.
    """
    rename = rename or {}
    names = {
        field.name: rename.get(prefix + field.name) or column_name(field.name)
        for field in source.fields
        if prefix + field.name not in leave_out
    }
    if len(set(names.values())) != len(names):
        twice = sorted(name for name in names if list(names.values()).count(names[name]) > 1)
        raise ValueError(f"{source.name}: {', '.join(prefix + name for name in twice)} get one name; rename one")
    return names


def column_name(name: str) -> str:
    """One field name as a column name."""
    words: list[str] = []
    parts = name.split(".")
    for before, part in zip(["", *parts], parts, strict=False):
        if part in _MONEY:
            words = words[:-1] if words[-1:] == ["set"] else words
            new = [_MONEY[part]] if _MONEY[part] else []
        elif before in _MONEY and part in _MONEY_PARTS:
            new = [_MONEY_PARTS[part]] if _MONEY_PARTS[part] else []
        else:
            new = [word.lower() for word in _WORDS.findall(_REVISION.sub("", part))]
        words += new[_overlap(words, new) :]
    return "_".join(words)


def _overlap(before: list[str], after: list[str]) -> int:
    """How many words ``after`` begins with that ``before`` ends in; at least one word of ``after`` stays."""
    most = min(len(before), len(after) - 1)
    whole = len(after) > 1 and before[-len(after) :] == after
    return len(after) if whole else next((n for n in range(most, 0, -1) if before[-n:] == after[:n]), 0)


def _fields(
    source: Record, prefix: str, rename: Mapping[str, str], leave_out: Collection[str]
) -> tuple[Field | Lines, ...]:
    names = column_names(source, rename, leave_out, prefix)
    fields: list[Field | Lines] = []
    for field in source.fields:
        if field.name not in names:
            continue
        if isinstance(field, Field):
            fields.append(replace(field, name=names[field.name], path="", wire=None, read_only=False, values=()))
            continue
        inner = f"{prefix}{field.name}."
        below = column_names(field.record, rename, leave_out, inner)
        fields.append(
            Lines(
                names[field.name],
                _fields(field.record, inner, rename, leave_out),
                key=below.get(field.key, ""),
                required=field.required,
                about=field.about,
            )
        )
    return tuple(fields)


def _lists(fields: tuple[Field | Lines, ...], prefix: str = "") -> list[str]:
    names = []
    for field in fields:
        if isinstance(field, Lines):
            names += [prefix + field.name, *_lists(field.fields, f"{prefix}{field.name}.")]
    return names
