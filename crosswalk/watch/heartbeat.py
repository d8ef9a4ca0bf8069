"""The heartbeat: an address outside that is called while all is well, and raises the alarm when the calls stop."""

from __future__ import annotations

from urllib.parse import urlsplit

from crosswalk.alerts.trouble import ERROR, Trouble
from crosswalk.errors import CrosswalkError, SettingsError
from crosswalk.http import redact
from crosswalk.http.answer import Retry
from crosswalk.http.client import Client
from crosswalk.http.protocols import Account
from crosswalk.runs.wiring import House
from crosswalk.settings import Settings, resolve

UNANSWERED = "heartbeat_unanswered"
TIMEOUT = 10.0


def address(settings: Settings) -> str:
    """What crosswalk.toml says of the address, as it stands there; empty for none."""
    return settings.heartbeat


def beat(house: House) -> None:
    """Call the address. Raises SettingsError when it is none, and what the call comes to."""
    url = resolve(address(house.settings), "the heartbeat of [watch]")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            "the heartbeat of [watch] is no http address", next_command='write heartbeat = "env:CROSSWALK_HEARTBEAT"'
        )
    # Whoever knows the address can keep the alarm silent: it is as good as a password.
    redact.register(url, *(piece for piece in (*parts.path.split("/"), parts.query) if len(piece) >= 8))
    with Client(
        connection="heartbeat", base_url=f"{parts.scheme}://{parts.netloc}", auth=None, limiter=house.around.limiter,
        account=Account("heartbeat"), journal=house.journal, clock=house.clock, retry=Retry(tries=2, seconds=20),
        timeout=TIMEOUT,
    ) as client:  # fmt: skip
        client.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))


def unanswered(error: CrosswalkError) -> Trouble:
    """The trouble that a heartbeat is which nobody takes."""
    return Trouble(
        kind=UNANSWERED, step="heartbeat", severity=ERROR, title="the heartbeat is not answered", what=error.what,
        then="The service that waits for it will raise its own alarm. It is called again at the next look.",
        command="crosswalk doctor", run="watch heartbeat",
    )  # fmt: skip
