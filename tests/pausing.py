"""Real processes, paused and woken with real signals, at a point of their run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from practising import Ground

from crosswalk import points
from crosswalk.errors import Fenced

FENCED = 7
"""How a child ends that another process has followed."""


def stopped(ground: Ground, hook: Callable[[str], None], work: Callable[[Ground], object] = Ground.run) -> int:
    """The orders' run in a forked child that stops itself by ``hook``; its process id, once it has stopped."""
    ground.close()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            points.install(hook)
            work(ground)
            code = 0
        except Fenced:
            code = FENCED
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"the child ended with {status}"
    return pid


def go_on(pid: int) -> int:
    """Wake the child; its exit status."""
    os.kill(pid, signal.SIGCONT)
    for _ in range(600):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child that was woken did not end")


def stop_self() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
