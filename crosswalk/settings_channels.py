"""Channels and owners of ``crosswalk.toml``: where people are told, who they are, and how the telling is timed.

``[channels.NAME]`` has a kind: slack (bot token and channel), slack-webhook, teams, smtp. ``[owners.NAME]`` names
channels. Secrets stand there only as ``env:NAME`` or ``block:NAME``; plain values are for the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crosswalk.errors import SettingsError

SHORTHAND = {"slack_webhook", "slack_token", "slack_channel", "slack_url"}
OWNER = SHORTHAND | {"channels", "escalate", "mention"}
ALERTS = {"group_wait", "digest", "zone", "channels"}


@dataclass(frozen=True)
class Kind:
    """What a kind of channel needs, may have, and keeps secret."""

    needs: frozenset[str]
    may: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()


KINDS = {
    "slack": Kind(frozenset({"token", "channel"}), frozenset({"api_url"}), frozenset({"token"})),
    "slack-webhook": Kind(frozenset({"url"}), frozenset(), frozenset({"url"})),
    "teams": Kind(frozenset({"url"}), frozenset({"envelope"}), frozenset({"url"})),
    "smtp": Kind(
        frozenset({"host", "sender", "to"}),
        frozenset({"port", "security", "user", "password", "ca_file"}),
        frozenset({"password"}),
    ),
}


@dataclass(frozen=True)
class Channel:
    """One place where people are told. values: as in the file, secrets as names. table: where they stand."""

    name: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    table: str = ""

    def text(self, name: str, default: str = "") -> str:
        """A value as it stands in the file."""
        return str(self.values.get(name, default))


@dataclass(frozen=True)
class Owner:
    """Who is told. channels: names, in the order of the file.  escalate: the channels that a critical incident goes to
    when nobody has acknowledged it.  mention: put before the words of an escalation, such as ``<!here>`` for Slack.
    """

    name: str
    channels: tuple[str, ...] = ()
    escalate: tuple[str, ...] = ()
    mention: str = ""


@dataclass(frozen=True)
class Alerts:
    """How the telling is timed. group_wait: seconds that siblings are waited for.  digest: the time of day in zone,
    None for no digest.  channels: who is told of what has no owner; empty means every channel.
    """

    group_wait: float = 30.0
    digest: time | None = time(8, 0)
    zone: str = "UTC"
    channels: tuple[str, ...] = ()


def read_channels(content: Mapping[str, Any], environment: str) -> dict[str, Channel]:
    """All channels of this environment, those that owners spell out themselves included. Raises SettingsError."""
    found = {}
    for name, entry in content.get("channels", {}).items():
        if entry.get("environment", environment) == environment:
            found[name] = _channel(name, entry, f"channels.{name}", environment)
    for name, entry in content.get("owners", {}).items():
        short = _short(name, entry)
        if short is not None:
            found[short.name] = short
    return found


def _channel(name: str, entry: Mapping[str, Any], table: str, environment: str) -> Channel:
    kind = KINDS.get(str(entry.get("kind", "")))
    if kind is None:
        raise _wrong(table, f"kind is {entry.get('kind')!r}; it is one of {', '.join(KINDS)}")
    given = {key for key in entry if key not in ("kind", "environment")}
    if lacks := sorted(kind.needs - {key for key in given if entry[key]}):
        raise _wrong(table, f"lacks {', '.join(lacks)}")
    if unknown := sorted(given - kind.needs - kind.may):
        raise _wrong(table, f"has unknown settings: {', '.join(unknown)}")
    for key in sorted(kind.secret & given):
        if environment != "sandbox" and not str(entry[key]).startswith(("env:", "block:")):
            raise _wrong(table, f'{key} is a secret and stands in the file; write its name: {key} = "env:NAME"')
    if entry["kind"] == "smtp" and entry.get("security", "starttls") not in ("starttls", "tls", "none"):
        raise _wrong(table, f"security is {entry['security']!r}; it is starttls, tls or none")
    if entry["kind"] == "teams" and "webhook.office.com" in str(urlsplit(str(entry["url"])).hostname):
        raise _wrong(table, "url is an Office 365 connector; Microsoft has switched those off. Make a Workflows URL")
    return Channel(name, str(entry["kind"]), {key: entry[key] for key in given}, table)


def _short(owner: str, entry: Mapping[str, Any]) -> Channel | None:
    """The channel that an owner spells out with slack_webhook, or slack_token and slack_channel."""
    table = f"owners.{owner}"
    if entry.get("slack_webhook"):
        return Channel(table, "slack-webhook", {"url": str(entry["slack_webhook"])}, table)
    if not entry.get("slack_token"):
        return None
    if not entry.get("slack_channel"):
        raise _wrong(table, "has slack_token but no slack_channel")
    values = {"token": str(entry["slack_token"]), "channel": str(entry["slack_channel"])}
    return Channel(table, "slack", values | {"api_url": str(entry.get("slack_url", ""))}, table)


def read_owners(content: Mapping[str, Any], known: Mapping[str, Channel]) -> dict[str, Owner]:
    """All owners. Raises SettingsError for a channel that nobody declared."""
    declared = set(content.get("channels", {})) | set(known)
    found = {}
    for name, entry in content.get("owners", {}).items():
        table = f"owners.{name}"
        if unknown := sorted(set(entry) - OWNER):
            raise SettingsError(f"{table} has unknown settings: {', '.join(unknown)}", next_command=_MEND)
        own = [table] if table in known else []
        first = _names(entry.get("channels", ()), declared, known, table)
        then = _names(entry.get("escalate", ()), declared, known, table)
        found[name] = Owner(name, (*own, *first), then, str(entry.get("mention", "")))
    return found


def read_alerts(content: Mapping[str, Any], known: Mapping[str, Channel]) -> Alerts:
    """The table [alerts]. Raises SettingsError."""
    entry = content.get("alerts", {})
    if unknown := sorted(set(entry) - ALERTS):
        raise _wrong("alerts", f"has unknown settings: {', '.join(unknown)}")
    zone = str(entry.get("zone", "UTC"))
    try:
        ZoneInfo(zone)
        digest = str(entry.get("digest", "08:00"))
        at = time.fromisoformat(digest) if digest else None
        wait = float(entry.get("group_wait", 30))
    except (ZoneInfoNotFoundError, ValueError, TypeError) as error:
        raise _wrong("alerts", f"cannot be read: {error}") from error
    declared = set(content.get("channels", {})) | set(known)
    return Alerts(wait, at, zone, _names(entry.get("channels", ()), declared, known, "alerts"))


def _names(given: Any, declared: set[str], known: Mapping[str, Channel], table: str) -> tuple[str, ...]:
    """Channels of this environment; one of another environment is not used, one of none is a mistake."""
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in declared:
            raise SettingsError(
                f"{table} names the channel {name!r}, which is not declared",
                safe="nothing was sent",
                next_command=f"add [channels.{name}] to crosswalk.toml",
            )
    return tuple(name for name in names if name in known)


_MEND = "mend crosswalk.toml; docs/who-is-told.md has every setting"


def _wrong(table: str, what: str) -> SettingsError:
    return SettingsError(f"[{table}] {what}", safe="nothing was sent", next_command=_MEND)
