"""``crosswalk watch``: the look at everything that depends on neither worker nor server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from crosswalk.console import place, show

if TYPE_CHECKING:
    from crosswalk.watch.looking import Seen

WELL, WRONG, BLIND = 0, 1, 2


def register(app: App) -> None:
    app.command(watch)


def watch(
    *, once: bool = False, every: float = 60, ask: bool = False,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:  # fmt: skip
    """Look whether runs take place and end, promises are kept, nothing waits too long; tell people, and call the
    heartbeat while all is well.

    Looks at the store alone: needs neither worker nor Prefect server, and tells directly when the store is gone. What
    it finds becomes an incident, told once, and once more when it is over. Locks of dead runs are given back. With
    --once it ends with 0 when all is well, 1 when something is wrong, 2 when it could not look: for a systemd timer or
    a container probe. Without, it goes on until SIGTERM.

    Args:
        once: Look once and end.
        every: Seconds between two looks; 60 without it.
        ask: Also ask the systems what only they know: whether their webhook subscriptions are there.
        json_: Print JSON.
    """
    from crosswalk.watch.looking import once as look

    while True:
        with place.house() as house:
            seen = look(house, ask=ask)
            _show(seen, json_)
            if once:
                return code(seen)
            house.clock.sleep(max(1.0, every))


def code(seen: Seen) -> int:
    """The exit code of a look."""
    if seen.gone is not None or (seen.unseen and len(seen.findings) <= len(seen.unseen)):
        return BLIND
    return WELL if seen.well and not seen.beat.startswith("not") else WRONG


def _show(seen: Seen, json_: bool) -> None:
    if json_:
        found = [
            {"kind": t.kind, "about": one.about, "severity": t.severity, "title": t.title, "what": t.what,
             "next": t.command}
            for one in seen.findings for t in (one.trouble,)
        ]  # fmt: skip
        gone = seen.gone.what if seen.gone is not None else ""
        show.as_json(
            {"well": seen.well, "gone": gone, "findings": found, "unseen": seen.unseen, "open": seen.open,
             "heartbeat": seen.beat, "sent": seen.sent}
        )  # fmt: skip
        return
    if seen.gone is not None:
        show.error(seen.gone)
    for one in seen.findings:
        show.say(f"{one.trouble.severity}: {one.trouble.title}: {one.trouble.what}")
        if one.trouble.command:
            show.say(f"  Next: {one.trouble.command}")
    for words in seen.unseen:
        show.warn(f"not looked at: {words}")
    if seen.open:
        show.say(f"{len(seen.open)} incidents are open: crosswalk incidents list")
    if seen.beat:
        show.say(f"heartbeat {seen.beat}")
    if seen.well:
        show.say("all is well")
