"""Connections: logins near their end, webhooks that fell silent, and clocks that disagree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any, cast

from sqlalchemy import text

from crosswalk.alerts.message import Fact
from crosswalk.alerts.trouble import CRITICAL, ERROR, WARNING, Trouble
from crosswalk.clock import SystemClock
from crosswalk.connectors.connect import connector_class, way
from crosswalk.errors import CrosswalkError, SettingsError, StoreError, VendorError
from crosswalk.http.journal import Entry
from crosswalk.runs import listening
from crosswalk.settings import Connection
from crosswalk.store.tokens import Tokens
from crosswalk.watch.finding import Finding, Look, Unknown
from crosswalk.webhooks import checking

TOKEN, CLOCK = "token_ending", "clock_skew"
STAGES = ((1, CRITICAL), (3, ERROR), (14, WARNING))
SKEW = 60.0
LATELY = timedelta(hours=2)
ENTRIES = 60


def tokens(look: Look) -> list[Finding]:
    """Logins that end within 14, 3 or 1 days unless somebody does something."""
    found = []
    for connection in look.settings.connections.values():
        ends = _ends(look, connection)
        left = (ends - look.now) / timedelta(days=1) if ends is not None else None
        stage = next((s for s in STAGES if left is not None and left <= s[0]), None)
        if ends is None or left is None or stage is None:
            continue
        over = "has ended" if left <= 0 else f"ends in {left:.1f} days"
        trouble = Trouble(
            kind=TOKEN, connection=connection.name, severity=stage[1],
            title=f"the login of {connection.name} is ending",
            what=f"the login {over}; it is renewed by every run, and ends when none has used it",
            facts=(Fact("Ends", f"{ends:%Y-%m-%d %H:%M} UTC", ends),), command=_renew(connection),
            then="Every run fails from then on until a person has connected the account again. Nothing is lost.",
        )  # fmt: skip
        found.append(Finding(trouble, stage=f"{stage[0]} days"))
    return found


def _ends(look: Look, connection: Connection) -> datetime | None:
    """When a person will be needed; None when never, or when nobody has logged in yet."""
    declared = connection.settings.get("expires")
    if declared is not None:
        return _instant(connection, declared)
    if connection.system == "database":
        return None
    try:
        one = way(connector_class(connection.system).system, connection)
    except SettingsError:
        return None  # no complete credentials: every run says so
    if one.flow != "authorization code":
        return None
    token = Tokens(look.store).read(connection.key)
    if token is None:
        return None
    if token.refresh:
        return token.issued_at + timedelta(seconds=one.refresh_life) if one.refresh_life else None
    return token.expires_at


def _renew(connection: Connection) -> str:
    if "expires" in connection.settings:
        return f"make a new one, put it in place, and change expires of [connections.{connection.name}.settings]"
    return f"crosswalk connections check {connection.name}, else crosswalk connect {connection.name}"


def _instant(connection: Connection, value: Any) -> datetime:
    try:
        found = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise SettingsError(
            f"connection {connection.name!r}: expires {value!r} is no date", next_command="mend crosswalk.toml"
        ) from error
    whole = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day, tzinfo=UTC)
    return whole.astimezone(UTC) if whole.tzinfo else whole.replace(tzinfo=UTC)


def webhooks(look: Look) -> list[Finding]:
    """Webhooks that are silent against their rhythm, or forged, as far as the inbox can tell."""
    found = []
    for connection in look.settings.connections.values():
        if connection.webhooks is not None:
            wrong = checking.check(look.store, look.now, connection, cast(Any, None), (), "")
            found += [Finding(_webhook(one)) for one in wrong]
    return found


def subscriptions(look: Look) -> list[Finding]:
    """Subscriptions that vanished. Raises Unknown where a system cannot be asked: that is told as what it is."""
    found = []
    for connection in look.settings.connections.values():
        if connection.webhooks is not None:
            try:
                wrong = listening.check(look.house, connection)
            except VendorError as error:
                raise Unknown(error.what) from error
            found += [Finding(_webhook(one)) for one in wrong if one.kind == checking.GONE]
    return found


def _webhook(one: checking.Finding) -> Trouble:
    return Trouble(
        kind=one.kind, title=f"webhooks of {one.connection}: {one.kind.replace('_', ' ')}", what=one.what,
        connection=one.connection, step=one.topic, severity=WARNING, command=one.command,
        then="The scheduled runs go on reading what changed.",
    )  # fmt: skip


def clocks(look: Look) -> list[Finding]:
    """This machine's clock against the Date of the systems' last answers and the database's clock.

    Raises Unknown when nobody answered lately.
    """
    away = _against_answers(look)
    if look.store.dialect == "postgresql" and isinstance(look.clock, SystemClock):
        with look.store.reading() as connection:
            theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        away["the store's database"] = (theirs - look.now).total_seconds()
    if not away:
        raise Unknown("nobody has answered in the last two hours, so no clock could be compared")
    wrong = {name: seconds for name, seconds in away.items() if abs(seconds) > SKEW}
    if not wrong:
        return []
    said = ", ".join(f"{name} is {abs(s):.0f} s {'ahead' if s > 0 else 'behind'}" for name, s in sorted(wrong.items()))
    trouble = Trouble(
        kind=CLOCK, step="clock", severity=ERROR, title="clocks disagree by more than a minute",
        what=f"against this machine's clock, {said}", command="timedatectl, and let the machine keep its time by NTP",
        then="Windows are read by the source's own clock, so nothing is passed over; leases and promises are by ours.",
    )  # fmt: skip
    return [Finding(trouble)]


def _against_answers(look: Look) -> dict[str, float]:
    """Seconds that each connection's clock is ahead of ours, as far as its last answers prove it."""
    recent = (
        "id IN (SELECT id FROM request WHERE outcome = 'answered' AND at >= ? ORDER BY id DESC LIMIT ?)",
        ((look.now - LATELY).isoformat(timespec="microseconds"), ENTRIES),
    )
    by_name: dict[str, list[float]] = {}
    try:
        entries = look.house.journal.entries(*recent)
    except StoreError as error:  # the journal is a file of its own: the store may be well
        raise CrosswalkError(error.what, next_command=error.next_command) from error
    for entry in entries:
        for ahead in _ahead(entry):
            name = entry.connection.split("/")[1] if entry.connection.count("/") > 1 else entry.connection
            by_name.setdefault(name, []).append(ahead)
    return {name: median(values) for name, values in by_name.items()}


def _ahead(entry: Entry) -> Iterator[float]:
    said = next((value for name, value in entry.headers.items() if name.lower() == "date"), None)
    try:
        theirs = parsedate_to_datetime(said).astimezone(UTC) if said else None
    except ValueError:
        return
    if theirs is None or entry.seconds is None:
        return
    # The header counts whole seconds, and was written at some moment between question and answer.
    early, late = entry.at - timedelta(seconds=1), entry.at + timedelta(seconds=entry.seconds)
    nearest = min(max(theirs, early), late)
    yield (theirs - nearest).total_seconds()
