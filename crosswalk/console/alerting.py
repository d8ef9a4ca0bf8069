"""``crosswalk alerts``: trying the channels, sending what is due, showing the digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from crosswalk.console import place, show
from crosswalk.errors import CrosswalkError, SettingsError

if TYPE_CHECKING:
    from crosswalk.alerts.channels.base import Delivery
    from crosswalk.settings import Settings
    from crosswalk.settings_channels import Channel


def register(app: App) -> None:
    alerts = App(name="alerts", help="Where people are told: try the channels, send what is due, show the digest.")
    app.command(alerts)
    alerts.command(test)
    alerts.command(send)
    alerts.command(digest)


def test(channel: str | None = None, /) -> int:
    """Send one message to each channel and show what the provider answers. Ends with 1 if one does not take it.

    Args:
        channel: Only this channel of crosswalk.toml.
    """
    settings = place.settings()
    chosen = _chosen(settings, channel)
    rows, bad = [], 0
    for one in chosen:
        good, answer = _try(settings, one)
        bad += not good
        rows.append((one.name, one.kind, "taken" if good else "NOT taken", answer, _owners(settings, one.name)))
        _note(settings, one.name, good, answer)
    show.table(("channel", "kind", "", "the provider's answer", "told are the owners"), rows)
    if any(one.kind == "teams" for one in chosen):
        show.say("Teams answers before it posts: look whether the card is in the channel.")
    for name, owner in settings.owners.items():
        if not owner.channels:
            show.warn(f"[owners.{name}] names no channel of {settings.environment}: its alerts go to every channel")
    return 1 if bad else 0


def _chosen(settings: Settings, name: str | None) -> list[Channel]:
    if not settings.channels:
        raise SettingsError(
            f"crosswalk.toml names no channel in environment {settings.environment}: nobody is told of anything",
            next_command="add [channels.NAME] and name it under [owners.NAME]; docs/who-is-told.md says how",
        )
    if name is None:
        return list(settings.channels.values())
    if name not in settings.channels:
        raise SettingsError(
            f"there is no channel {name!r} in environment {settings.environment}; known: "
            f"{', '.join(sorted(settings.channels))}",
            safe="nothing was sent",
        )
    return [settings.channels[name]]


def _try(settings: Settings, channel: Channel) -> tuple[bool, str]:
    from crosswalk.alerts.channels import slack
    from crosswalk.alerts.sending import Providers
    from crosswalk.clock import SystemClock

    delivery = _message(settings, channel)
    try:
        sent = slack.test(delivery) if channel.kind == "slack" else Providers(SystemClock()).send(delivery)
    except CrosswalkError as error:
        return False, show.clean(error.what)
    return not sent.warning, show.clean(sent.warning or sent.answer)


def _message(settings: Settings, channel: Channel) -> Delivery:
    import uuid

    from crosswalk.alerts.channels.base import Delivery
    from crosswalk.alerts.message import Fact, Message
    from crosswalk.clock import SystemClock
    from crosswalk.store.audit import person

    now = SystemClock().now()
    message = Message(
        severity="info", title=f"[{settings.environment}] A test: alerts of Crosswalk arrive here",
        facts=(
            Fact("Channel", f"{channel.name} ({channel.kind})"), Fact("Owners", _owners(settings, channel.name)),
            Fact("Asked for", f"by {person()} at {now:%Y-%m-%d %H:%M} UTC", now),
        ),
        cause="", then="Nothing: this is no alert.", command="", link=None, about="test",
    )  # fmt: skip
    return Delivery(
        channel, "opened", uuid.uuid4().hex, "test", 0, message, subject=message.title, zone=settings.alerts.zone
    )


def _owners(settings: Settings, channel: str) -> str:
    first = [name for name, owner in settings.owners.items() if channel in owner.channels]
    then = [f"{name} (escalation)" for name, owner in settings.owners.items() if channel in owner.escalate]
    return ", ".join(first + then) or "nobody's own"


def _note(settings: Settings, channel: str, good: bool, answer: str) -> None:
    """Keep the answer; a channel that works again is used at once, and its incident is over."""
    if not place.has_store(settings):
        return
    try:
        with place.store(settings) as store:
            from crosswalk.alerts.incidents import Incidents

            Incidents(store, settings, store.clock).tried(channel, good, answer)
    except CrosswalkError as error:
        show.warn(f"the answer could not be kept: {error.what}")


def send() -> int:
    """Send what is due now: first messages, reminders, escalations, the digest, and what waited for a channel."""
    settings = place.settings()
    with place.store(settings) as store:
        from crosswalk.alerts.incidents import Incidents
        from crosswalk.store import incidents_outbox

        sent = Incidents(store, settings, store.clock).send_due(patience=5)
        left = incidents_outbox.counts(store).get("waiting", 0)
    show.say(f"{sent} sent, {left} waiting.")
    return 0


def digest() -> int:
    """Show the digest of the last 24 hours as it would be sent now."""
    settings = place.settings()
    with place.store(settings) as store:
        from crosswalk.alerts import digest as daily

        show.say(daily.make(store, settings, store.clock.now()).plain())
    return 0
