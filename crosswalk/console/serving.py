"""The loop behind ``crosswalk serve``: everything imported, one thread a binding, a run of Prefect a batch."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError

if TYPE_CHECKING:
    from crosswalk.runs.serving import Batch, Run, Server
    from crosswalk.settings import Settings

PAUSE = 0.2
TROUBLE_PAUSE = 5.0
AT_ONCE = 4


def work(*, bare: bool = False, once: bool = False, with_parent: bool = False) -> int:
    """Work what arrives until SIGTERM or Ctrl-C; what is under way then is finished first."""
    from crosswalk.runs import serving

    parent, stop = os.getppid(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with place.house() as house:
        os.chdir(house.settings.home)
        without = serving.bare(house)
        run = without if bare else through_prefect(house.settings, without)
        server = serving.Server(house, run)
        _warm(house.settings, bare=bare)
        if once:
            show.say(f"{serving.drain(server)} batches of events were worked.")
            return 0
        show.say("working what arrives")
        _loop(server, stop, lambda: with_parent and os.getppid() != parent)
    return 0


def _warm(settings: Settings, *, bare: bool) -> None:
    """Import what every run needs, before the first event waits for it."""
    from crosswalk.frames import parse, validate  # noqa: F401
    from crosswalk.runs import body  # noqa: F401

    for binding in settings.bindings.values():
        place.integration(binding)
        if not bare:
            from crosswalk.prefect_run import flow_of

            flow_of(binding.integration, settings.home)


def _loop(server: Server, stop: threading.Event, orphaned: Any) -> None:
    done: list[tuple[Batch, Future[list[Batch]]]] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="events") as pool:

        def start(batch: Batch) -> None:
            server.working.add(batch.binding)
            done.append((batch, pool.submit(server.work, batch)))

        while not stop.is_set() and not orphaned():
            pause = PAUSE
            try:
                for pair in [p for p in done if p[1].done()]:
                    done.remove(pair)
                    server.working.discard(pair[0].binding)
                    for woken in pair[1].result():
                        if woken.binding not in server.working:
                            start(woken)
                for batch in server.batches():
                    start(batch)
            except CrosswalkError as error:
                show.error(error)
                pause = TROUBLE_PAUSE  # the store is away: what arrived waits in it
            except Exception as error:  # noqa: BLE001 - one batch's mistake must not keep all others waiting
                show.warn(f"a batch of events failed: {type(error).__name__}: {error}; it is tried again")
                pause = TROUBLE_PAUSE
            stop.wait(pause)


def through_prefect(settings: Settings, without: Run) -> Run:
    """Runs a batch as one run in Prefect; without it while no server answers, so that events do not wait for one."""
    said = threading.Event()

    def run(binding: str, keys: Sequence[str]) -> BaseException | None:
        from crosswalk.console.running import server

        try:
            api = server(settings.ui_url)
        except CrosswalkError:
            api = None
        if api is None:
            if not said.is_set():
                said.set()
                show.warn(f"No Prefect server answers at {settings.ui_url}: runs have no page there until one does.")
            return without(binding, keys)
        said.clear()
        try:
            return _run(api, settings, binding, keys)
        except CrosswalkError as error:
            return error
        except Exception as error:  # noqa: BLE001 - Prefect went away in the middle: nothing is lost by running again
            show.warn(f"Prefect failed a batch of {binding} ({type(error).__name__}); it is run without")
            return without(binding, keys)

    return run


def _run(api: str, settings: Settings, binding: str, keys: Sequence[str]) -> BaseException | None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from crosswalk.prefect_run import run as run_flow

    with temporary_settings({PREFECT_API_URL: api}):
        state = run_flow(binding, ids=keys, home=settings.home)
        found: Any = state.result(raise_on_failure=False)
    if state.is_completed():
        return None
    return found if isinstance(found, BaseException) else RuntimeError(state.message or state.name or "failed")
