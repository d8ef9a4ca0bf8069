"""Which names a run has met, in eight bytes each: a run over millions of records stays as small as a short one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

FEW = 4096


class Names:
    """A set of hashes: the newest in a plain set, the others in sorted arrays, each over twice as long as the next.

    Two names are taken for one with a chance of one in 10^7 among a million.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._new = set(numbers)
        self._sorted: list[Numbers] = []

    def __len__(self) -> int:
        return len(self._new) + sum(map(len, self._sorted))

    def __contains__(self, number: int) -> bool:
        return number in self._new or bool(self._in_sorted(np.array([number], np.int64)))

    def meets(self, numbers: Iterable[int]) -> bool:
        """Whether any of these is here."""
        numbers = list(numbers)
        return not self._new.isdisjoint(numbers) or self._in_sorted(np.array(numbers, np.int64))

    def add(self, number: int) -> None:
        """Take in one that is not here."""
        self._new.add(number)
        if len(self._new) >= FEW:
            self._settle(self._new)
            self._new = set()

    def join(self, other: Names) -> None:
        """Take in all of another's, none of which is here."""
        for numbers in other._sorted:
            self._merge(numbers)
        self._settle(other._new)

    def _settle(self, numbers: set[int]) -> None:
        if numbers:
            self._merge(np.sort(np.fromiter(numbers, np.int64, len(numbers))))

    def _merge(self, numbers: Numbers) -> None:
        while self._sorted and len(self._sorted[-1]) <= 2 * len(numbers):
            numbers = np.sort(np.concatenate([self._sorted.pop(), numbers]), kind="stable")
        self._sorted.append(numbers)

    def _in_sorted(self, numbers: Numbers) -> bool:
        for known in self._sorted:
            at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
            if (known[at] == numbers).any():
                return True
        return False
