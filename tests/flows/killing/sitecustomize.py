"""Kills a flow's process at a named point, once for each line of a file. What a worker starts imports this first.

CROSSWALK_TEST_KILLS names the file; its first line is the next place: ``store:plan``, ``http:after-answer 2`` (the
second time in one process), ``store:freeze > http:after-send`` (the first time after another point). A line is taken
off before the process dies, so that the next attempt comes further.
"""

import os
import signal
from collections import Counter
from pathlib import Path


def _install(file: Path) -> None:
    from crosswalk import points

    seen: Counter[str] = Counter()

    def hook(name: str) -> None:
        seen[name] += 1
        places = file.read_text(encoding="utf-8").splitlines()
        if not places:
            return
        before, _, place = places[0].rpartition(" > ")
        if place.split() in ([name], [name, str(seen[name])]) and (not before or seen[before]):
            file.write_text("\n".join(places[1:]), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    points.install(hook)


if os.environ.get("CROSSWALK_TEST_KILLS"):
    _install(Path(os.environ["CROSSWALK_TEST_KILLS"]))
