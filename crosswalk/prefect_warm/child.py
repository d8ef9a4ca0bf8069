"""What a forked process does: become the process that was asked for, do its work, leave as Python would."""

from __future__ import annotations

import atexit
import inspect
import os
import random
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

LEAVE_SECONDS = 30.0


def live(request: dict[str, Any]) -> NoReturn:
    """Do the work of a request and leave with its exit code; never returns to the zygote.

    request: ``kind``, ``env`` (the whole environment), ``cwd``, ``quiet`` (show no output), and what the kind needs.
    """
    code = 1
    try:
        _become(request)
        code = _code(lambda: WORK[request["kind"]](request))
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
    finally:
        _leave(code)


def _become(request: dict[str, Any]) -> None:
    """Environment, folder, path, random numbers, and Prefect's settings and logging, as of a process just started."""
    before = _prefect()
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    if request.get("quiet"):
        _mute()
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = ["", *(entry for entry in path if entry not in sys.path), *sys.path]
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if _prefect() != before:  # reading them takes longer than all the rest
        from prefect.context import refresh_global_settings_context
        from prefect.logging.configuration import setup_logging

        refresh_global_settings_context()
        setup_logging(incremental=False)


def _prefect() -> tuple[str, dict[str, str]]:
    """What Prefect's settings come from, besides files that a zygote is renewed for."""
    ours = {n: v for n, v in os.environ.items() if n.startswith("PREFECT_") and not n.startswith("PREFECT__")}
    return str(Path.cwd()), ours


def _mute() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def _engine(_: dict[str, Any]) -> None:
    """``python -m prefect.engine`` with the flow run that the environment names."""
    sys.argv = ["prefect.engine"]
    runpy.run_module("prefect.engine", run_name="__main__")


def _hooks(request: dict[str, Any]) -> None:
    """The hooks of a flow whose process could not call them: ``hooks`` is crashed or cancellation."""
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flow_engine import load_flow
    from prefect.logging.loggers import flow_run_logger
    from prefect.utilities.asyncutils import run_coro_as_sync

    run, state = FlowRun.model_validate(request["flow_run"]), State.model_validate(request["state"])
    flow: Any = load_flow(run)
    for hook in getattr(flow, f"on_{request['hooks']}_hooks") or ():
        try:
            called = hook(flow=flow, flow_run=run, state=state)
            if inspect.iscoroutine(called):
                run_coro_as_sync(called)
        except Exception:  # noqa: BLE001 - one hook keeps no other from being called
            flow_run_logger(run, flow).exception("the hook %s failed", getattr(hook, "__name__", hook))


def _binding(request: dict[str, Any]) -> int:
    """One run of a binding, as ``crosswalk run`` makes it. Ends with 0 when it completed."""
    from crosswalk.prefect_run import run

    state = run(request["binding"], ids=request["ids"], home=Path(request["cwd"]))
    return 0 if state.is_completed() else 1


WORK: dict[str, Callable[[dict[str, Any]], int | None]] = {"engine": _engine, "hooks": _hooks, "binding": _binding}


def _code(work: Callable[[], int | None]) -> int:
    """The exit code that a program with this work would leave with."""
    try:
        return work() or 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return int(end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - shown as Python would show it
        traceback.print_exc()
        return 1


def _leave(code: int) -> NoReturn:
    """End as Python ends, but do not wait for ever for threads that a run left behind.

    The modules are not taken apart: that would copy the pages shared with the zygote, only to give them back.
    """

    def enough(number: int, frame: FrameType | None) -> None:
        print(f"left after {LEAVE_SECONDS:g} s with threads still running", file=sys.stderr, flush=True)
        os._exit(code)

    signal.signal(signal.SIGALRM, enough)
    signal.setitimer(signal.ITIMER_REAL, LEAVE_SECONDS)
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - it leaves all the same
        traceback.print_exc()
    finally:
        os._exit(code)
