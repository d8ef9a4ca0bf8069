"""Reading single values of a posted element. A wrong kind of value spoils the whole body, a wrong value its element."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from crosswalk.sandbox.xero.dates import read_day
from crosswalk.sandbox.xero.errors import Invalid, bad_post_data

Element = Mapping[str, Any]
CENT = Decimal("0.01")
FOUR = Decimal("0.0001")
SIX = Decimal("0.000001")
_LARGEST = Decimal(10) ** 15


def money(amount: Decimal) -> Decimal:
    """To the cent, half away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def text(element: Element, name: str, longest: int | None = None) -> str | None:
    """None where it is missing or null."""
    value = element.get(name)
    if value is None:
        return None
    if isinstance(value, bool | list | dict):
        raise bad_post_data(f"Error converting value to type 'System.String'. Path '{name}'.")
    found = str(value)
    if longest is not None and len(found) > longest:
        raise Invalid(f"The value of {name} must not be longer than {longest} characters.")
    return found


def number(element: Element, name: str) -> Decimal | None:
    """An exact number from a JSON number or a numeric string."""
    value = element.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool | list | dict):
        raise bad_post_data(f"Error converting value to type 'System.Decimal'. Path '{name}'.")
    try:
        found = Decimal(value)
    except InvalidOperation as error:
        raise bad_post_data(f"Error converting value \"{value}\" to type 'System.Decimal'. Path '{name}'.") from error
    if not found.is_finite() or abs(found) >= _LARGEST:
        raise Invalid(f"The value of {name} is out of range.")
    return found


def day(element: Element, name: str) -> date | None:
    value = text(element, name)
    if not value:
        return None
    try:
        return read_day(value)
    except ValueError as error:
        raise bad_post_data(f"Error converting value \"{value}\" to type 'System.DateTime'. Path '{name}'.") from error


def flag(element: Element, name: str) -> bool | None:
    value = element.get(name)
    if isinstance(value, bool) or value is None:
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise bad_post_data(f"Error converting value to type 'System.Boolean'. Path '{name}'.")


def child(element: Element, name: str) -> Element:
    """An object, empty where it is missing."""
    value = element.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_post_data(f"Cannot deserialize the current JSON value into type 'Api.{name}'. Path '{name}'.")
    return value


def children(element: Element, name: str) -> list[dict[str, Any]] | None:
    """A list of objects, None where it is missing."""
    value = element.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise bad_post_data(f"Cannot deserialize the current JSON value into a list. Path '{name}'.")
    return value


def elements_of(body: Any, collection: str) -> list[dict[str, Any]]:
    """The posted elements: ``{"Contacts": [...]}``, a single object or a bare list."""
    if isinstance(body, dict) and collection in body:
        found = children(body, collection)
    else:
        found = [body] if isinstance(body, dict) else body
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        raise bad_post_data(f"Cannot deserialize the current JSON value into type 'Api.{collection}'.")
    if not found or found == [{}]:
        raise bad_post_data(f"No {collection} were provided in the body of the request.")
    return found
