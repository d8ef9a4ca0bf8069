"""One line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Line:
    """What was examined, how it is, what was found, and what to do about it; todo empty where nothing is."""

    what: str
    state: str
    said: str
    todo: str = ""
