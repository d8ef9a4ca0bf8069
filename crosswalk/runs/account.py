"""The account of a run: every record that was read and every part it yielded, each in exactly one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from crosswalk.errors import Unbalanced

FATES = ("created", "updated", "unchanged", "deleted", "held", "parked", "skipped", "queued")


@dataclass
class Account:
    """Counts, each made where it was decided and none as a remainder.

    First line: read + stand_ins = distinct + duplicate.  Second: parts = the sum of the fates.
    caught_up: parts that waited from earlier runs and reached the target in this one; they are no part of the lines.
    missed: records whose change no event told of, where events are expected.
    waiting: parts of the whole binding that nothing holds and that are not at the target yet, the oldest since
    waiting_since.  skipped_by: by rule, stale versions included.  states: the derived states of every record the store
    knows.
    """

    read: int = 0
    stand_ins: int = 0
    distinct: int = 0
    duplicate: int = 0
    parts: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    held: int = 0
    parked: int = 0
    skipped: int = 0
    queued: int = 0
    new_held: int = 0
    caught_up: int = 0
    requests: int = 0
    missed: int = 0
    waiting: int = 0
    waiting_since: str = ""
    skipped_by: dict[str, int] = field(default_factory=dict)
    held_by: list[tuple[str, str, int, str]] = field(default_factory=list)
    waits_for: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    vendor_total: int | None = None
    unknown_fields: list[str] = field(default_factory=list)
    stopped: str = ""

    def check(self) -> None:
        """Raises Unbalanced when a line does not hold."""
        if self.read + self.stand_ins != self.distinct + self.duplicate:
            raise unbalanced(
                f"{self.read} records read and {self.stand_ins} stand-ins, but {self.distinct} distinct and "
                f"{self.duplicate} duplicate ones accounted for"
            )
        decided = sum(getattr(self, fate) for fate in FATES)
        if decided != self.parts:
            raise unbalanced(f"{self.parts} parts yielded, but {decided} accounted for: {self.line()}")
        if self.vendor_total is not None and self.distinct - self.stand_ins < self.vendor_total:
            raise unbalanced(
                f"the source says that {self.vendor_total} records are in the window, but "
                f"{self.distinct - self.stand_ins} were read"
            )

    def line(self) -> str:
        """The fates in one line."""
        told = [f"{getattr(self, fate)} {fate}" for fate in FATES if getattr(self, fate)]
        if self.caught_up:
            told.append(f"besides {self.caught_up} that had waited were delivered")
        return ", ".join(told) or "nothing"

    def queue(self) -> str:
        """How many wait, since when, and what happens next; empty when nothing waits."""
        if not self.waiting:
            return ""
        many = "1 record waits" if self.waiting == 1 else f"{self.waiting:,} records wait"
        told = f"{many} to be delivered, the oldest since {self.waiting_since[:16].replace('T', ' ')} UTC"
        return f"{told}; the next run or upkeep sends the newest version of each, nothing has to be done"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def unbalanced(what: str) -> Unbalanced:
    """The error of an account that does not add up, or of a store that does not."""
    return Unbalanced(
        f"the account of the run does not add up: {what}",
        safe="what was committed stands; the cursor is where the last whole chunk left it",
        next_command="crosswalk status, then run again; report it if it stays",
    )


def fates(rows: dict[str, int], still: Counter[str], states_of_planned: dict[str, int]) -> dict[str, int]:
    """Counts by fate from the ledger's rows, the rows that did not change, and what became of the planned ones.

    Raises Unbalanced for a planned part that is in none of the states in which it may wait.
    """
    counts: Counter[str] = Counter(still)
    for fate, count in rows.items():
        if fate != "planned":
            counts[fate] += count
    for state, count in states_of_planned.items():
        if state == "parked":
            counts["parked"] += count
        elif state in ("pending", "in doubt"):
            counts["queued"] += count
        else:
            raise unbalanced(f"{count} planned parts ended as {state!r} without a fate")
    counts["skipped"] += counts.pop("stale", 0)
    unknown = set(counts) - set(FATES)
    if unknown:
        raise unbalanced(f"unknown fates {sorted(unknown)}")
    return dict(counts)


def since(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "the beginning"
