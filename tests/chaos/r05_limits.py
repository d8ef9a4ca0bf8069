"""R5: many processes share one quota; tokens, windows and points are enforced over loopback, in real time."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from http_servers import Arrived, Reply, Server, client, reply
from scenario import Result
from vendors import Bucket, Vendor, Window

from crosswalk.clock import SystemClock
from crosswalk.http.answer import Answer
from crosswalk.http.limits import SlotLimiter
from crosswalk.http.protocols import Account, Quota, Told

TITLE = "one quota for 1 and for 8 processes"
FORK = multiprocessing.get_context("fork")
START = 4.0
"""Seconds in which processes start and buckets are emptied; what is refused then is no steady state."""


def run(folder: Path, whole: bool) -> Result:
    """25 seconds a kind in the whole size; what is too short to be judged is only shown."""
    result = Result()
    seconds = 25.0 if whole else 3.0
    kinds: dict[str, tuple[Vendor, Quota, float]] = {}
    for processes in (1, 8):
        kinds = {
            "tokens": (Bucket(10, 20), Quota(rate=600, burst=10), 1),
            "window": (Window(50, 5), Quota(rate=600, burst=3), 1),
            "points": (Bucket(100, 200), Quota(rate=6000, burst=100), 10),
        }
        for kind, (vendor, quota, cost) in kinds.items():
            _measure(folder / f"{kind}{processes}", kind, processes, vendor, quota, cost, seconds, whole, result)
    return result


def _measure(
    folder: Path, kind: str, processes: int, vendor: Vendor, quota: Quota, cost: float, seconds: float, whole: bool,
    result: Result,
) -> None:  # fmt: skip
    clock, refused_late = SystemClock(), 0
    began = clock.boot()

    def behave(_: Arrived) -> Reply:
        nonlocal refused_late
        wait = vendor.take(clock.boot(), cost)
        if wait is not None:
            refused_late += clock.boot() - began > START
            return reply({}, 429, Retry_After=f"{wait:.3f}")
        left = str(vendor.level) if isinstance(vendor, Bucket) and kind == "points" else ""
        return reply({}, X_Left=left)

    counts: multiprocessing.SimpleQueue[int] = FORK.SimpleQueue()
    with Server(behave, clock) as server:
        account = Account(kind, quota)
        args = (folder / "limits.db", server.port, began + seconds, account, cost, counts)
        workers = [FORK.Process(target=_hurry, args=args) for _ in range(processes)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        done = [counts.get() for _ in workers]
    refusals = f"{vendor.refused} of {sum(done)} refused, {refused_late} in the steady state"
    each = f"each made {min(done)} to {max(done)}"
    result.notes.append(f"{kind:>7}, {processes} processes: {vendor.used():.1%} used, {refusals}; {each}")
    result.faults += vendor.refused
    if whole:
        result.must(refused_late == 0, f"{kind}, {processes}: {refused_late} refused in the steady state")
        result.must(vendor.used() >= 0.9, f"{kind}, {processes}: {vendor.used():.1%} used")
        result.must(max(done) - min(done) <= 0.2 * max(done), f"{kind}, {processes}: unfair, {sorted(done)}")


def _hurry(
    path: Path, port: int, until: float, account: Account, cost: float, counts: multiprocessing.SimpleQueue[int]
) -> None:
    clock, count = SystemClock(), 0

    def tell(answer: Answer) -> Told | None:
        left = answer.header("x-left")
        return Told(available=float(left), maximum=200, restore=100, spent=cost) if left else None

    limiter = SlotLimiter(path, clock)
    with client(f"http://127.0.0.1:{port}", clock, limiter=limiter, account=account, timeout=10, tell=tell) as http:
        while clock.boot() < until:
            http.request("GET", "/", cost=cost)
            count += 1
    counts.put(count)
