"""Kills a flow's process at a named point, once for each line of a file. What a worker starts imports this first.

CROSSWALK_TEST_KILLS names the file; its first line is the next place, ``store:plan`` or ``http:after-send 2`` (the
second time in one process). A line is taken off before the process dies, so that the next attempt comes further.
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
        if places and places[0].split() in ([name], [name, str(seen[name])]):
            file.write_text("\n".join(places[1:]), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    points.install(hook)


if os.environ.get("CROSSWALK_TEST_KILLS"):
    _install(Path(os.environ["CROSSWALK_TEST_KILLS"]))
