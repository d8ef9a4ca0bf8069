"""``crosswalk receive`` and ``serve``: taking events in, and working them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import SettingsError

if TYPE_CHECKING:
    from crosswalk.settings import Settings

HOST, PORT = "127.0.0.1", 8085


def register(app: App) -> None:
    for command in (receive, serve):
        app.command(command)


def receive(*, host: str = "", port: int | None = None, serve: bool = False, bare: bool = False) -> int:
    """Take in webhooks and events of own applications: verify, keep, answer.

    One route for each connection with [connections.NAME.webhooks], /hooks/NAME. What was answered is kept, even when
    the process is killed in the same moment. Put something in front that ends TLS; see docs/webhooks.md.

    Args:
        host: The address to listen on; 127.0.0.1 if neither this nor [receiver] in crosswalk.toml says otherwise.
        port: The port; 8085 if neither says otherwise. 0 takes a free one.
        serve: Also work what arrives, in a process beside this one: the same as `crosswalk serve`.
        bare: With --serve: run without Prefect.
    """
    from crosswalk.webhooks import serving
    from crosswalk.webhooks.doors import doors

    settings = place.settings()
    found = doors(settings)
    if not found:
        raise SettingsError(
            f"no connection of environment {settings.environment} has webhooks",
            next_command="add [connections.NAME.webhooks] to crosswalk.toml; see docs/webhooks.md",
        )
    where = address(settings, host, port)
    with place.store(settings) as store:
        return serving.listen(found, store, *where, say=show.say, beside=worker(bare=bare) if serve else None)


def address(settings: Settings, host: str = "", port: int | None = None) -> tuple[str, int]:
    """Where the receiver listens. Raises SettingsError."""
    unknown = set(settings.receiver) - {"host", "port", "address"}
    if unknown:
        raise SettingsError(
            f"[receiver] has unknown settings: {', '.join(sorted(unknown))}", next_command="mend crosswalk.toml"
        )
    chosen = settings.receiver.get("port", PORT) if port is None else port
    if not isinstance(chosen, int) or not 0 <= chosen < 65536:
        raise SettingsError("[receiver] port is a number from 0 to 65535", next_command="mend crosswalk.toml")
    return host or str(settings.receiver.get("host", HOST)), chosen


def worker(*, bare: bool) -> list[str]:
    """The command of the process that works what arrives; it ends with the one that starts it."""
    import sys

    command = [sys.executable, "-m", "crosswalk.console.main", "serve", "--with-parent"]
    return [*command, "--bare"] if bare else command


def serve(*, bare: bool = False, once: bool = False, with_parent: bool = False) -> int:
    """Work what arrives: gather events for each record, read it afresh, and take it through its bindings.

    Keeps everything imported, so that an event is at the target within seconds. Each batch is one run of its binding in
    Prefect, where a server answers. Any number of these may run; a binding is worked by one at a time.

    Args:
        bare: Run without Prefect.
        once: Work what waits now, and end.
        with_parent: End when the process that started this one has ended.
    """
    import crosswalk.console.serving as serving

    return serving.work(bare=bare, once=once, with_parent=with_parent)
