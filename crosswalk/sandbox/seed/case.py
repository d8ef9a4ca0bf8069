"""Named cases of sales, as docs/practice-business.md lists them: how each comes about, and how many of a thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from .draft import Draft

Fill = Callable[[Draft], None]


@dataclass(frozen=True)
class Case:
    """fill puts the sale together; per_thousand: how many in a thousand, one at least; at: a fixed instant."""

    fill: Fill
    per_thousand: int = 4
    at: datetime | None = None


CASES: dict[str, Case] = {}


def case(per_thousand: int = 4, at: str | None = None) -> Callable[[Fill], Fill]:
    def keep(fill: Fill) -> Fill:
        instant = datetime.fromisoformat(at).astimezone(UTC) if at else None
        CASES[fill.__name__] = Case(fill, per_thousand, instant)
        return fill

    return keep


def ordinary(d: Draft, *, pay: bool = True) -> None:
    """Some goods, often a parcel, paid at once."""
    d.some_lines()
    if d.rng.random() < 0.6:
        d.ship()
    if pay:
        d.pay()


def plain_included(d: Draft) -> None:
    d.included = True
    ordinary(d)


def plain_excluded(d: Draft) -> None:
    d.included = False
    ordinary(d)


PLAIN = {"plain_included": plain_included, "plain_excluded": plain_excluded}
