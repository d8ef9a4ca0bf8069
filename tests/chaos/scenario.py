"""What a reliability scenario is: a small file ``r<number>_<name>.py`` here that has a TITLE and a ``run``.

    TITLE = "the target is down for six hours"

    def run(folder: Path, whole: bool) -> Result: ...

``whole`` asks for the size that ``make chaos`` runs, otherwise for the one that ``make test`` has time for. The name in
the table is the file's: ``r11_outage.py`` is R11.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE.parent / "http", HERE.parent, HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@dataclass
class Result:
    """What a scenario found. faults: how many were injected; wrong: sentences, none when it passed."""

    faults: int = 0
    lost: int = 0
    doubled: int = 0
    alerts_expected: int = 0
    alerts_sent: int = 0
    recovered: bool = True
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        lossless = not self.lost and not self.doubled
        return lossless and self.alerts_sent == self.alerts_expected and self.recovered and not self.wrong

    def must(self, holds: bool, otherwise: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(otherwise)


@dataclass(frozen=True)
class Scenario:
    """A scenario by its name."""

    name: str
    title: str
    run: Callable[[Path, bool], Result]


def known() -> dict[str, Scenario]:
    """Every scenario of this folder, by name."""
    found = {}
    for file in sorted(HERE.glob("r[0-9][0-9]_*.py")):
        module = importlib.import_module(file.stem)
        name = f"R{int(file.stem[1:3])}"
        found[name] = Scenario(name, module.TITLE, module.run)
    return found
