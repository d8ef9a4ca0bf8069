"""Sending what stands in the outbox: claimed by compare-and-set, sent, settled; any process, any number of them.

The intent is written before the call and the outcome after it. A sender that dies in between leaves a claim that
ends; whoever comes next does not know whether the message arrived. Slack is asked (bot with channels:history); a mail
goes again under its own Message-ID; elsewhere a message that must arrive is sent once more, marked as a possible
repetition, and one that need not is let go. After two attempts without a known outcome it counts as sent, so that
nobody gets more than one message twice; a reminder follows while the incident is open.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from traceback import format_exc
from typing import Any, Protocol

from sqlalchemy import Row

from crosswalk.alerts import compose
from crosswalk.alerts.channels.base import Broken, Delivery, Later, NotSent, Sent, Trouble, Unfit, Unknown
from crosswalk.alerts.message import clean, pack, unpack
from crosswalk.clock import Clock
from crosswalk.http import redact
from crosswalk.points import point
from crosswalk.settings import Settings
from crosswalk.settings_channels import Channel
from crosswalk.store import incidents_outbox as outbox
from crosswalk.store.engine import Store

LOG = logging.getLogger("crosswalk.alerts")

MUST = ("opened", "escalated", "recovered")
"""What is sent again when nobody knows whether it arrived."""
DOUBTS = 2
BACKOFF = (10, 60, 300, 900)
GIVE_UP_AFTER = timedelta(minutes=30)
PROBE_EVERY = timedelta(hours=1)
OLD = timedelta(hours=24)
OLDEST = timedelta(days=7)
PACE = 1.0
CROWD = 20
"""So many beginnings, or ends, at once are told one by one; more are one message."""


class Post(Protocol):
    """How messages reach channels. Raises the troubles of channels.base."""

    def send(self, delivery: Delivery) -> Sent:
        """Send."""

    def look_up(self, delivery: Delivery) -> Sent | None:
        """The message if it arrived before, None if it surely did not; Unknown when that cannot be seen."""


class Providers:
    """The providers themselves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def send(self, delivery: Delivery) -> Sent:
        from crosswalk.alerts.channels import mail, slack, teams

        if delivery.channel.kind == "smtp":
            return mail.post(delivery, self._clock)
        return {"slack": slack.post, "slack-webhook": slack.hook, "teams": teams.post}[delivery.channel.kind](delivery)

    def look_up(self, delivery: Delivery) -> Sent | None:
        from crosswalk.alerts.channels import slack

        if delivery.channel.kind != "slack":
            raise Unknown("this channel cannot be asked")
        return slack.look_up(delivery)


class Sender:
    """Sends for one process. broken and mended are told of channels that fail for good and that work again."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, who: str, broken: Callable[[str, str], None],
        mended: Callable[[str], None], post: Post | None = None,
    ) -> None:  # fmt: skip
        self._store, self._settings, self._clock, self._who = store, settings, clock, who
        self._on_broken, self._on_mended = broken, mended
        self._post = post or Providers(clock)

    def send(self) -> int:
        """Send everything that is due, channel by channel; how much was taken."""
        return sum(self._drain(name) for name in outbox.channels(self._store))

    def _drain(self, name: str) -> int:
        for kind in ("opened", "recovered"):
            self._sum_up(name, kind)
        sent = 0
        while True:
            row = outbox.head(self._store, name, self._clock.now())
            if row is None:
                return sent
            if not outbox.claim(self._store, row, self._who, self._clock.now()):
                continue
            if sent:
                self._clock.sleep(PACE)  # providers take about one message a second
            sent += self._one(row)

    def _sum_up(self, name: str, kind: str) -> None:
        """More at once than anybody reads becomes one message that names them all."""
        now = self._clock.now()
        ids = outbox.crowd(self._store, name, kind, now)
        if len(ids) <= CROWD:
            return
        with self._store.transaction("alert-summary") as connection:
            gone = outbox.take_back(connection, ids, "told in a summary", now)
            if gone:
                told = compose.summary(self._settings.environment, kind, [unpack(row.message).title for row in gone])
                outbox.enqueue(connection, f"summary-{uuid.uuid4().hex[:8]}", name, kind, pack(told), now)

    def _one(self, row: Row[Any]) -> int:
        """Send one that is claimed; 1 if it was taken. Whatever happens, the claim is settled."""
        channel = self._settings.channels.get(row.channel)
        if channel is None:
            self._settle(row, status="dropped", answer="crosswalk.toml has no such channel (any more)")
            LOG.error("%s was not sent: crosswalk.toml has no channel %s", row.incident, row.channel)
            return 0
        doubts = row.doubts + (1 if row.status == "sending" else 0)
        if self._too_old(row):
            self._settle(row, status="dropped", answer="too old to be of use")
            return 0
        try:
            answer = self._sent(row, channel, doubts)
        except Trouble as trouble:
            self._failed(row, doubts, trouble)
            return 0
        except Exception as error:  # noqa: BLE001 - a mistake in one channel must not silence the others
            LOG.error("a mistake while sending on %s: %s", row.channel, redact.text(format_exc()))
            self._failed(row, doubts, NotSent(f"a mistake while sending: {type(error).__name__}: {error}"))
            return 0
        if answer is None:
            self._settle(row, status="sent", answer="unknown whether it arrived; not sent again")
            LOG.error("%s on %s: nobody knows whether it arrived, it is not sent again", row.incident, row.channel)
            return 0
        self._taken(row, answer)
        return 1

    def _too_old(self, row: Row[Any]) -> bool:
        return bool(self._clock.now() - row.made_at > (OLDEST if row.kind in MUST else OLD))

    def _sent(self, row: Row[Any], channel: Channel, doubts: int) -> Sent | None:
        """What the channel said; None when an earlier attempt may have arrived and there is to be no other."""
        delivery = self._delivery(row, channel, doubts)
        if doubts and row.kind != "edit":
            try:
                found = self._post.look_up(delivery)
            except Unknown:
                if row.kind not in MUST or doubts >= DOUBTS:
                    return None
            else:
                if found is not None:
                    return found
                delivery = _plain(delivery)
        point("alert:before-send")
        try:
            answer = self._post.send(delivery)
        except Unfit as unfit:
            LOG.error("%s: %s; less of it is sent", row.channel, unfit.what)
            answer = self._post.send(_minimal(delivery))
        point("alert:after-send")
        return answer

    def _delivery(self, row: Row[Any], channel: Channel, doubts: int) -> Delivery:
        with self._store.reading() as connection:
            root = outbox.root(connection, row.incident, row.channel)
            first = outbox.first(connection, row.incident, row.channel)
        return Delivery(
            channel, row.kind, row.id, row.incident, row.seq, clean(unpack(row.message)), root=root,
            subject=unpack(first).title, repeat=doubts > 0, zone=self._settings.alerts.zone,
        )  # fmt: skip

    def _taken(self, row: Row[Any], answer: Sent) -> None:
        now, words = self._clock.now(), redact.text(answer.warning or answer.answer)[:500]
        with self._store.transaction("alert-sent") as connection:
            before = outbox.channel(connection, row.channel)
            outbox.settle(
                connection, row, self._who, status="sent", external_ref=answer.ref, answer=words, ended_at=now
            )
            outbox.note(
                connection, row.channel, pause_until=None, failing_since=None, broken_since=None, last_ok_at=now,
                answer=words,
            )  # fmt: skip
        if answer.warning:
            LOG.error("%s: %s", row.channel, words)
            self._on_broken(row.channel, words)
        elif before is not None and (before.broken_since or before.answer.startswith("refused")):
            self._on_mended(row.channel)

    def _failed(self, row: Row[Any], doubts: int, trouble: Trouble) -> None:
        """Keep it for later, or let it go, by what the trouble means for the channel."""
        words, now = redact.text(trouble.what)[:500], self._clock.now()
        LOG.warning("%s was not sent on %s: %s", row.incident, row.channel, words)
        if isinstance(trouble, Unfit):
            self._settle(row, status="dropped", answer=words)
            if row.kind == "edit":
                return  # somebody has deleted the first message: what follows comes without it
            self._on_broken(row.channel, f"it refuses a message: {words}")
            return
        with self._store.reading() as connection:
            known = outbox.channel(connection, row.channel)
        since = (known.failing_since if known else None) or now
        if isinstance(trouble, Later):
            self._wait(row, doubts, words, now + timedelta(seconds=trouble.wait), {})
        elif isinstance(trouble, Broken) or (isinstance(trouble, NotSent) and now - since >= GIVE_UP_AFTER):
            about = {"failing_since": since, "broken_since": (known.broken_since if known else None) or now}
            self._wait(row, doubts, words, now + PROBE_EVERY, about)
            self._on_broken(row.channel, words)
        else:
            pause = now + timedelta(seconds=BACKOFF[min(row.attempts, len(BACKOFF) - 1)])
            lost = isinstance(trouble, Unknown)
            self._wait(row, doubts + lost, words, pause, {"failing_since": since})

    def _wait(self, row: Row[Any], doubts: int, words: str, until: datetime, about: dict[str, Any]) -> None:
        """The whole channel waits, so that the order stands."""
        with self._store.transaction("alert-later") as connection:
            values = {"status": "waiting", "next_try_at": until, "answer": words, "doubts": doubts, "claimed_by": ""}
            outbox.settle(connection, row, self._who, **values)
            outbox.note(connection, row.channel, pause_until=until, answer=words, **about)

    def _settle(self, row: Row[Any], **values: Any) -> None:
        with self._store.transaction("alert-ended") as connection:
            outbox.settle(connection, row, self._who, ended_at=self._clock.now(), **values)


def _minimal(delivery: Delivery) -> Delivery:
    return replace(delivery, minimal=True)


def _plain(delivery: Delivery) -> Delivery:
    """It surely did not arrive: no repetition."""
    return replace(delivery, repeat=False)
