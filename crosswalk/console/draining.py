"""``crosswalk drain``: what waits for a system is sent now, without reading anything."""

from __future__ import annotations

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError


def register(app: App) -> None:
    app.command(drain)


def drain(binding: str | None = None, /) -> int:
    """Send what waits for systems that were away or asked for a long wait; nothing is read.

    The upkeep flow does the same every few minutes. While a system is away only a probe is sent, when one is due. Ends
    with 1 when something still waits.

    Args:
        binding: Only this binding.
    """
    from crosswalk.runs import draining
    from crosswalk.runs.session import Request

    waits = 0
    with place.house() as house:
        for name in [binding] if binding else list(house.settings.bindings):
            try:
                done = draining.drain(house.session(name, Request()))
            except CrosswalkError as error:
                if binding:
                    raise
                show.error(error)
                waits += 1
                continue
            if done is None:
                show.say(f"{name}: nothing waits")
                continue
            show.say(done.line())
            waits += done.left.count
    return 1 if waits else 0
