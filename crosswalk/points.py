"""Named places where a process may be killed in a test: after every commit, around every request.

In production nothing is installed and a point costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def point(name: str) -> None:
    """Say that this place has been reached, for example ``store:plan`` or ``http:after-send``."""
    if _hook is not None:
        _hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Call ``hook`` with the name of every point from now on; None takes it away."""
    global _hook
    _hook = hook
