"""What a reconciliation finds: sums by period, currency and tax, and every key that differs with its likely cause."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Step = Literal["month", "day"]

NEVER = "never read"
QUEUED = "queued"
CHANGED = "changed at the target"
DELETED = "deleted at the target"
FOREIGN = "not ours"
OLDER = "made with an older mapping"
LEFT_OUT = "there although it is to be left out"
GONE = "gone at the source"


@dataclass(frozen=True)
class Difference:
    """One record that differs. ours: the source's amount; theirs: the target's."""

    cause: str
    resource: str
    key: str
    part: str
    target_id: str
    detail: str
    day: date
    currency: str = ""
    ours: Decimal | None = None
    theirs: Decimal | None = None


@dataclass
class Sum:
    """How many, and how much."""

    count: int = 0
    money: Decimal = Decimal(0)

    def add(self, money: Decimal, count: int = 1) -> None:
        self.count += count
        self.money += money


@dataclass
class Line:
    """One period, resource, currency and tax code. skipped: by the rule's name."""

    period: str
    resource: str
    currency: str
    tax: str
    source: Sum = field(default_factory=Sum)
    target: Sum = field(default_factory=Sum)
    held: Sum = field(default_factory=Sum)
    skipped: dict[str, Sum] = field(default_factory=dict)

    @property
    def difference(self) -> Sum:
        """What the source has beyond the target, the held and the skipped."""
        rest = Sum(self.source.count, self.source.money)
        for one in (self.target, self.held, *self.skipped.values()):
            rest.add(-one.money, -one.count)
        return rest


@dataclass
class Balance:
    """Both systems over a stretch of days, ``past`` not among them.

    read: source records.  unread: target resources that cannot be listed and so were not compared.
    """

    binding: str
    first: date
    past: date
    by: Step = "month"
    read: int = 0
    lines: dict[tuple[str, str, str, str], Line] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    unread: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """No key differs and no line is left with a rest."""
        rests = (line.difference for line in self.lines.values())
        return not self.differences and not any(rest.count or rest.money for rest in rests)

    def add(
        self, side: str, resource: str, day: date, currency: str, taxes: dict[str, Decimal], rule: str = ""
    ) -> None:
        """Count a record on a side: source, target, held or skipped."""
        for tax, money in taxes.items():
            line = self._line(resource, day, currency, tax)
            where = line.skipped.setdefault(rule, Sum()) if side == "skipped" else getattr(line, side)
            where.add(money)

    def _line(self, resource: str, day: date, currency: str, tax: str) -> Line:
        at = (f"{day:%Y-%m}" if self.by == "month" else f"{day:%Y-%m-%d}", resource, currency, tax)
        return self.lines.setdefault(at, Line(*at))

    def causes(self) -> dict[str, int]:
        """How many keys differ, by cause."""
        counts: dict[str, int] = {}
        for one in self.differences:
            counts[one.cause] = counts.get(one.cause, 0) + 1
        return counts

    def as_dict(self) -> dict[str, Any]:
        """Plain values: amounts and days as text."""
        lines = [{**asdict(line), "difference": asdict(line.difference)} for _, line in sorted(self.lines.items())]
        return {
            "binding": self.binding, "since": str(self.first), "until": str(self.past), "clean": self.clean,
            "read": self.read, "lines": lines, "not compared": list(self.unread),
            "differences": [{**asdict(d), "day": str(d.day)} for d in self.differences],
        }  # fmt: skip
