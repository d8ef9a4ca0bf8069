"""The ``crosswalk`` command. Commands import what they need when they run, so that help and lists come at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from crosswalk.console import (
    alerting,
    backfilling,
    connecting,
    deploying,
    doctor,
    draining,
    holding,
    hooking,
    incidents,
    journal,
    listing,
    pages,
    receiving,
    reconciling,
    running,
    state,
    status,
    storing,
    systems,
    watching,
    working,
)
from crosswalk.errors import CrosswalkError, SettingsError

USAGE, FAILED, STOPPED = 2, 1, 130

ABOUT = """Business records moved between systems, on schedule and on event.

Works in the folder that holds crosswalk.toml, for the environment that CROSSWALK_ENV names (sandbox by default).
Ends with 0 when all is well, 1 when something failed or is wrong, 2 when a setting or an argument does not fit.
With --debug anywhere, an unexpected error shows where in the program it arose."""


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("crosswalk-sync")
    except PackageNotFoundError:
        return "from source"


def application() -> App:
    """All commands."""
    app = App(
        name="crosswalk", help=ABOUT, version=_version, version_flags=["--version"], help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False), suppress_keyboard_interrupt=False,
    )  # fmt: skip
    for module in (
        listing,
        status,
        watching,
        doctor,
        running,
        backfilling,
        draining,
        holding,
        reconciling,
        connecting,
        systems,
        storing,
        state,
        pages,
        deploying,
        working,
        receiving,
        hooking,
        incidents,
        alerting,
        journal,
    ):
        module.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; leaves with the command's exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; every error is told in words."""
    from crosswalk.console import show

    debug = "--debug" in arguments
    given = [a for a in arguments if a != "--debug"]
    try:
        found = application()(given, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        show.warn(f"{error}\nNext: crosswalk {_known(given)} --help".replace("  ", " "))
        return USAGE
    except CrosswalkError as error:
        if debug:
            _trace()
        show.error(error)
        return USAGE if isinstance(error, SettingsError) else FAILED
    except KeyboardInterrupt:
        show.warn("Stopped.\nSafe: what was committed stands; the next run goes on from there")
        return STOPPED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last door: nothing leaves as a traceback
        if debug:
            _trace()
        show.warn(_unexpected(error))
        return FAILED
    return found if isinstance(found, int) else 0


def _known(given: Sequence[str]) -> str:
    """The command that was meant, as far as it is one."""
    words: list[str] = []
    app = application()
    for word in given:
        if word.startswith("-") or word not in app:
            break
        words.append(word)
        app = app[word]
    return " ".join(words)


def _trace() -> None:
    from traceback import format_exc

    from crosswalk.console import show

    show.warn(format_exc())


def _unexpected(error: Exception) -> str:
    """What to say of an error that nobody foresaw; its place in the program goes to a file."""
    from traceback import format_exc

    from crosswalk.clock import SystemClock
    from crosswalk.console import show

    log = _log()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{SystemClock().now().isoformat()}\n{show.clean(format_exc())}\n")
        where = f"Where it arose is written in {log}"
    except OSError as trouble:
        where = f"Where it arose could not be written to {log}: {trouble}"
    return (
        f"An error that nobody foresaw: {type(error).__name__}: {error}\n{where}\n"
        "Safe: what was committed stands\nNext: the same command with --debug shows it here; please report it"
    )


def _log() -> Path:
    import tempfile

    from crosswalk.settings import load

    try:
        return load().state / "errors.log"
    except CrosswalkError:
        return Path(tempfile.gettempdir()) / "crosswalk-errors.log"


if __name__ == "__main__":
    main()
