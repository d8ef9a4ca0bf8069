"""What every channel is given and how a send may end."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from crosswalk.alerts.message import MENTION, Fact, Message
from crosswalk.errors import AlertLost
from crosswalk.settings import resolve
from crosswalk.settings_channels import Channel

TIMEOUT = 15


@dataclass(frozen=True)
class Delivery:
    """One message to one channel.

    id: the notification's.  seq: its place among those of its incident and channel.  root: what the provider calls
    the first of them; empty when this is it.  subject: the title of the first, the same for all of one incident.
    minimal: the provider refused the message as it was; send as little as says it.
    repeat: an earlier attempt may have arrived.  zone: times are also shown in it.
    """

    channel: Channel
    kind: str
    id: str
    incident: str
    seq: int
    message: Message
    root: str = ""
    subject: str = ""
    minimal: bool = False
    repeat: bool = False
    zone: str = "UTC"

    def secret(self, name: str) -> str:
        """A secret of the channel, resolved and known to the redaction from now on. Raises Broken."""
        from crosswalk.errors import SettingsError
        from crosswalk.http import redact

        try:
            value = resolve(self.channel.text(name), f"{name} of [{self.channel.table}]")
        except SettingsError as error:
            raise Broken(error.what) from error
        redact.register(value, *([value.rpartition("/")[2]] if name == "url" else []))
        return value

    def facts(self) -> list[Fact]:
        """The facts for a channel that is not Slack: whom to call is written as Slack reads it, and left out here."""
        return [f for f in self.message.facts if not (f.label == MENTION and f.text.lstrip().startswith("<"))]

    def words(self, fact: Fact) -> str:
        """A fact's text, with the time in the readers' zone beside UTC."""
        if fact.at is None or self.zone == "UTC":
            return fact.text
        return f"{fact.text} ({fact.at.astimezone(ZoneInfo(self.zone)):%H:%M} {self.zone})"


@dataclass(frozen=True)
class Sent:
    """It was taken. ref: what the provider calls it.  answer: what it said.  warning: who did not get it."""

    ref: str = ""
    answer: str = ""
    warning: str = ""


class Trouble(AlertLost):
    """A send that did not come to a good end."""


class Later(Trouble):
    """Over the limit; may be sent after so many seconds."""

    def __init__(self, what: str, wait: float) -> None:
        super().__init__(what)
        self.wait = wait


class NotSent(Trouble):
    """It surely did not arrive, and may pass by itself."""


class Unknown(Trouble):
    """It left, and no answer came: it may have arrived."""


class Broken(Trouble):
    """The channel takes nothing until a person mends it."""


class Unfit(Trouble):
    """The channel is well and does not take this message."""


def cut(text: str, most: int) -> str:
    """At most ``most`` characters, with a mark where something was left out; never empty."""
    text = text.strip() or "-"
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
