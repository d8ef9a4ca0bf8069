"""Put on the path of a worker under test: the first process that reaches the point named in KILL_FILE dies there."""

import os
import signal
from pathlib import Path

FILE = Path(os.environ.get("KILL_FILE", "nowhere"))

if FILE.exists():
    from crosswalk import points

    NUMBER = int(FILE.read_text())
    seen = 0

    def reached(_: str) -> None:
        """Count, and die at the number; the file goes first, so that only one process dies."""
        global seen
        seen += 1
        if seen == NUMBER:
            FILE.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    points.install(reached)
