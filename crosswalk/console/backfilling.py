"""``crosswalk backfill``: a stretch of the past, window after window, beside the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cyclopts import App

from crosswalk.console import place, running, show
from crosswalk.errors import CrosswalkError, SettingsError

if TYPE_CHECKING:
    from crosswalk.runs.backfill import Backfill, Window
    from crosswalk.settings import Binding


Step = Literal["month", "week", "day", "all"]


def register(app: App) -> None:
    app.command(backfill)


def backfill(
    binding: str, /, *, since: str, until: str, by: Step = "month", dry_run: bool = False, again: bool = False,
    bare: bool = False,
) -> int:  # fmt: skip
    """Read a stretch of the past in windows, one run after the other, beside the schedule. The cursor stays.

    What is delivered and unchanged is not sent, and nothing older replaces what is newer. Cut off or failed, the same
    command goes on with the windows that are left. With a Prefect server every window is a run there.

    Args:
        binding: The binding of crosswalk.toml.
        since: Read from this instant on, with its zone; not before the binding's start.
        until: Read up to this instant.
        by: Split it by month, week or day in the source's zone, or read it at once (all); by month without it.
        dry_run: List the windows, and which of them are done.
        again: Read the windows that are done too.
        bare: Run without Prefect.
    """
    settings = place.settings()
    bound = settings.binding(binding)
    wanted = _wanted(bound, since, until, by)
    with place.store(settings) as store:
        if wanted.until > store.clock.now():
            raise SettingsError(
                f"until {until} lies in the future, which the schedule reads",
                safe="nothing was read or written",
                next_command=f"write --until {store.clock.now():%Y-%m-%dT%H:%M:%SZ}",
            )
        if again and not dry_run:
            wanted.end(store)
        windows = wanted.windows(store)
        if not dry_run:
            wanted.begin(store)
    if dry_run:
        show.table(("since", "until", ""), [(*_ends(one), "done" if one.done else "to be read") for one in windows])
        return 0
    return _all(wanted, windows, bare)


def _wanted(bound: Binding, since: str, until: str, by: Step) -> Backfill:
    from crosswalk.runs.backfill import Backfill

    first, past = running.instant("since", since), running.instant("until", until)
    assert first is not None and past is not None
    first = max(first, bound.start) if bound.start is not None else first
    if first >= past:
        raise SettingsError(
            f"nothing of {bound.name!r} lies between {since} and {until}"
            + (f"; it starts at {show.when(bound.start)}" if bound.start else ""),
            safe="nothing was read or written",
            next_command=f"crosswalk backfill {bound.name} --since EARLIER --until LATER",
        )
    return Backfill(bound, first, past, by)


def _all(wanted: Backfill, windows: list[Window], bare: bool) -> int:
    from crosswalk.runs.session import Request

    name = wanted.binding.name
    for number, one in enumerate(windows, 1):
        first, past = _ends(one)
        show.say(f"Window {number} of {len(windows)}, {first} to {past}{': done before' if one.done else ''}")
        if one.done:
            continue
        try:
            code = running.go(name, Request(one.since, one.until), bare=bare)
        except CrosswalkError:
            _stopped(number, windows)
            raise
        if code or not _read(wanted, number):
            _stopped(number, windows)
            return code or 1
    with place.store(place.settings()) as store:
        wanted.end(store)
    show.say(f"{name}: all {len(windows)} windows are read. The cursor is where it was.")
    return 0


def _stopped(number: int, windows: list[Window]) -> None:
    show.warn(
        f"The backfill stopped in window {number} of {len(windows)}, which was not read to its end.\n"
        "Safe: what was committed stands; the cursor was not touched\nNext: the same command goes on with this window"
    )


def _read(wanted: Backfill, number: int) -> bool:
    with place.store(place.settings()) as store:
        return wanted.windows(store)[number - 1].done


def _ends(one: Window) -> tuple[str, str]:
    return show.when(one.since), show.when(one.until)
