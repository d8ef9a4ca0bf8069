"""A flow that does what a test asks of it, and writes down what its process is like."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flows.words import WORD
from prefect import flow


def about() -> dict[str, Any]:
    """What a test wants to know of this process."""
    return {
        "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgrp(), "threads": threading.active_count(),
        "warm": [name for name in ("pandas", "pandera", "pyarrow", "sqlmodel") if name in sys.modules],
        "word": WORD, "told": os.environ.get("TOLD"), "leaked": os.environ.get("LEAKED"), "folder": str(Path.cwd()),
    }  # fmt: skip


def called(flow: Any, flow_run: Any, state: Any) -> None:
    """A hook; takes its time and writes down why it was called."""
    time.sleep(2)
    Path(flow_run.parameters["place"] + ".hook").write_text(f"{state.name} {state.message}", encoding="utf-8")


@flow(name="odd", on_crashed=[called], on_cancellation=[called], persist_result=False)
def odd(what: str, place: str) -> None:
    """Do ``what``; place: where to write, and the beginning of the names of other files."""
    facts = about()
    if what == "leak":
        facts["child"] = subprocess.Popen(["sleep", "300"]).pid
        for _ in range(20):
            threading.Thread(target=time.sleep, args=[300], daemon=True).start()
        os.environ["LEAKED"] = "yes"
        sys.modules["flows.words"].WORD = "spoilt"  # type: ignore[attr-defined]
        facts["held"] = len(bytearray(50_000_000))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(place).write_text(json.dumps(facts), encoding="utf-8")
    if what == "fail":
        raise ValueError("asked to fail")
    if what == "exit":
        sys.exit(3)
    while what == "wait" and not Path(place + ".go").exists():
        time.sleep(0.1)
