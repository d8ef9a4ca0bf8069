"""What a run has met is kept small and exact."""

from __future__ import annotations

import random
import tracemalloc

from crosswalk.delivery.names import Names
from crosswalk.delivery.plan import Seen


def test_names_are_a_set() -> None:
    """However they come, one by one or joined, names are known exactly when they were met."""
    chance = random.Random(4)
    names, known = Names(), set[int]()
    for _ in range(40):
        some = {chance.randrange(-(2**63), 2**63) for _ in range(chance.randrange(1, 900))} - known
        if chance.random() < 0.5:
            names.join(Names(some))
        else:
            for number in some:
                names.add(number)
        known |= some
        assert len(names) == len(known)
    others = [chance.randrange(-(2**63), 2**63) for _ in range(500)]
    assert all(number in names for number in known)
    assert not any(number in names for number in others) and not names.meets(others)
    assert names.meets([*others, next(iter(known))])


def test_duplicates_are_counted_the_same_all_at_once_and_one_by_one() -> None:
    """A record that comes again in its chunk, in a later one, or in a chunk that is tried again is counted once."""
    chunks = [["a", "b", "c"], ["c", "d", "d"], ["e"], ["a", "f", "f"]]
    whole, single = Seen(), Seen()
    for keys in chunks:
        whole.fork().record_all(keys)  # tried, and not committed
        at_once, one_by_one = whole.fork(), single.fork()
        assert at_once.record_all(keys) == {key for key in keys if one_by_one.record(key)}
        whole.join(at_once)
        single.join(one_by_one)
    assert (
        (whole.distinct, whole.duplicate, whole.read) == (single.distinct, single.duplicate, single.read) == (6, 4, 10)
    )


def test_a_name_costs_eight_bytes() -> None:
    """Half a million records of a run are remembered in less than eight megabytes."""
    seen = Seen()
    tracemalloc.start()
    try:
        for first in range(0, 500_000, 10_000):
            chunk = seen.fork()
            chunk.record_all([f"order-{number}" for number in range(first, first + 10_000)])
            seen.join(chunk)
        del chunk
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen.distinct == 500_000
    assert kept < 8_000_000
