"""The demo's command line: options from the environment, so that ``KEEP=1 make demo`` reaches it."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from crosswalk.console.demo.home import DATABASE, PREFIX, READY, ROOT, Home, Options
from crosswalk.console.demo.processes import DemoError, Processes, alone, free_port, stop_kept
from crosswalk.console.demo.show import Show
from crosswalk.errors import CrosswalkError
from crosswalk.sandbox.control import Control, ControlError

PREFECT_PORT, CALLBACK_PORT = 4200, 8765


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when books and database agree, 1 when they differ or something did not work, 130 on Ctrl-C."""
    chosen = _parser().parse_args(arguments)
    options = Options(
        chosen.orders, chosen.seed, chosen.minute, chosen.share, chosen.keep, chosen.database, chosen.folder.resolve()
    )
    if chosen.stop:
        print(f"stopped: {', '.join(stop_kept(options.folder / 'logs')) or 'nothing was running'}")
        return 0
    if chosen.verdict:
        return _verdict(options)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    show = Show()
    try:
        with alone(options.folder):
            return _demo(options, show)
    except DemoError as error:
        show.say(f"\n{error}", "red")
        return 1
    except KeyboardInterrupt:
        show.say("\ninterrupted; nothing is left running", "red")
        return 130


def _verdict(options: Options) -> int:
    """Compare again what a demo that was kept running holds now."""
    from crosswalk.console.demo import verdict

    ready = options.folder / READY
    if not ready.exists():
        print(f"no demo is running in {options.folder}\nNext: KEEP=1 make demo")
        return 1
    control = Control(json.loads(ready.read_text(encoding="utf-8"))["addresses"]["control"])
    try:
        found = verdict.differences(control, Home(options, 0, 0).database, PREFIX)
    except OSError as error:
        print(f"the practice systems do not answer: {error}\nNext: KEEP=1 make demo")
        return 1
    print("\n".join(found) or "books and database agree with the seed generator's sums")
    return 1 if found else 0


def _demo(options: Options, show: Show) -> int:
    before = stop_kept(options.folder / "logs")
    if before:
        show.say(f"ended what an earlier demo had left running: {', '.join(before)}")
    home = Home(options, free_port(PREFECT_PORT), free_port(CALLBACK_PORT))
    home.prepare()
    _only(home.environment())
    os.chdir(home.folder)
    sys.path.insert(0, str(ROOT))
    processes = Processes(home.logs)
    from crosswalk.console.demo.story import Story

    story = Story(home, processes, show)
    kept = False
    try:
        differences = story.run()
        story.where_next()
        if options.keep:
            processes.keep()
            kept = True
    except (DemoError, ControlError, CrosswalkError) as error:
        show.say(f"\n{error}", "red")
        differences = [str(error)]
    finally:
        show.phase("" if kept else "Stopping everything")
        story.let_go()
        if not kept:
            processes.stop()
            story.give_back()
    show.phase("Where the time went")
    show.timings(_cpu(), kept)
    return 1 if differences else 0


def _only(environment: dict[str, str]) -> None:
    """This process sees what the others see; Prefect reads its settings when it is imported."""
    os.environ.clear()
    os.environ.update(environment)


def _cpu() -> float:
    """CPU seconds of this process and of every one that it has seen end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    say, env = "seconds that the practice systems' minute lasts", os.environ
    parser = argparse.ArgumentParser(prog="python -m crosswalk.console.demo", description="The main job, from nothing.")
    parser.add_argument("--orders", type=int, default=env.get("CROSSWALK_DEMO_ORDERS", "1000"))
    parser.add_argument("--seed", type=int, default=env.get("CROSSWALK_DEMO_SEED", "1"))
    parser.add_argument("--minute", type=float, default=env.get("CROSSWALK_DEMO_MINUTE", "6"), help=say)
    parser.add_argument(
        "--share", type=float, default=0.01, help="share of the orders that changes before the second run"
    )
    parser.add_argument("--database", default=env.get(DATABASE, ""), help="an empty database; SQLite without it")
    parser.add_argument("--folder", type=Path, default=ROOT / ".crosswalk" / "demo")
    parser.add_argument("--keep", action="store_true", default=env.get("KEEP", "") not in ("", "0"))
    parser.add_argument("--verdict", action="store_true", help="compare again what KEEP=1 left running")
    parser.add_argument("--stop", action="store_true", help="end what KEEP=1 left running")
    return parser


if __name__ == "__main__":
    sys.exit(main())
