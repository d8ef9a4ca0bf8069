"""Records that cannot go on, each with the field and the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXCERPT = 40


@dataclass(frozen=True, slots=True)
class Refused:
    """One record that is held.

    index: its place in what was handed in.  field: dotted name, lists included; empty when it is the record itself.
    rule: what refused it, the same word for every record that it refuses, so that held rows can be counted by it.
    """

    index: int
    field: str
    reason: str
    rule: str = "shape"


class Refusals:
    """Collects refused records; the first reason of a record stays."""

    def __init__(self) -> None:
        self._by_index: dict[int, Refused] = {}

    def __len__(self) -> int:
        return len(self._by_index)

    def __contains__(self, index: int) -> bool:
        return index in self._by_index

    def add(self, index: int, field: str, reason: str, rule: str = "shape") -> None:
        self._by_index.setdefault(index, Refused(index, field, reason, rule))

    def add_all(self, indexes: Iterable[int], field: str, reason: str, rule: str = "shape") -> None:
        for index in indexes:
            self.add(index, field, reason, rule)

    def indexes(self) -> list[int]:
        return sorted(self._by_index)

    def sorted(self) -> list[Refused]:
        return [self._by_index[index] for index in self.indexes()]


def excerpt(value: object, personal: bool) -> str:
    """A value as it may be shown in a reason: short, quoted, and not at all when it is about a person."""
    if personal:
        return "the value"
    text = str(value)
    return ascii(text if len(text) <= EXCERPT else text[:EXCERPT] + "...")
