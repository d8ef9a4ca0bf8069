"""One spelling for every value, so that equal content has equal bytes and an equal hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii

SCHEME = "h1:"


def canonical(value: object) -> bytes:
    """Canonical JSON, ASCII: members sorted by name, no blanks, decimals without trailing zeros or exponent.

    Instants are UTC with microseconds, dates ISO. 1.10, 1.1 and the JSON number 1.1 are one value; 1 and "1" are two.
    Raises TypeError for floats and whatever else has no one spelling, ValueError for naive instants and NaN.
    """
    return _spell(value).encode("ascii")


def content_hash(value: object) -> str:
    """``h1:`` and the SHA-256 of the canonical JSON; the prefix names this scheme."""
    return SCHEME + hashlib.sha256(canonical(value)).hexdigest()


def _spell(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{_name(k)}:{_spell(value[k])}" for k in sorted(value)]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([_spell(inner) for inner in value]) + "]"
    if isinstance(value, datetime):
        return f'"{_instant(value)}"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _name(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a member is named by text, not by {type(key).__name__}")
    return encode_basestring_ascii(key)


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is no number")
    if abs(value.adjusted()) > 100:
        raise ValueError("a number of more than a hundred digits")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("an instant without a zone")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
