"""What waits too long: held rows, the outbox, the inbox, alerts."""

from __future__ import annotations

from datetime import timedelta

from crosswalk.alerts.keeping import broken_channel
from crosswalk.alerts.message import Fact
from crosswalk.alerts.trouble import ERROR, WARNING, Trouble
from crosswalk.store import inbox_look, incidents_outbox, ledger, watching
from crosswalk.watch.finding import Finding, Look, ago

HELD_MANY, OUTBOX, INBOX, LEFT, ALERTS = "held_many", "outbox_old", "inbox_old", "errands_left", "alerts_waiting"
INBOX_AGE = timedelta(minutes=15)
ALERTS_AGE = timedelta(hours=1)
LEAST = timedelta(hours=1)


def held_rows(look: Look) -> list[Finding]:
    """Bindings that hold more than their integration's thresholds, however slowly it grew."""
    found = []
    for bound, integration in look.bindings():
        held, known = watching.held_records(look.store, bound.scope)
        if integration.thresholds.crossed(held, known):
            trouble = Trouble(
                kind=HELD_MANY, binding=bound.name, severity=WARNING, title=f"{bound.name} holds many records",
                what=f"{held:,} of {known:,} records are held", command=f"crosswalk held list {bound.name}",
                then="The others go on. A held record is tried again when its rule, table or record changes.",
            )  # fmt: skip
            found.append(Finding(trouble))
    return found


def outbox(look: Look) -> list[Finding]:
    """Bindings with records that have waited for the target longer than the freshness promise, and an hour."""
    found = []
    for bound, integration in look.bindings():
        limit = max(integration.fresh_within, LEAST)
        late = ledger.waiting(look.store, bound.scope, look.now - limit)
        if not late:
            continue
        queue = ledger.queue(look.store, bound.scope)
        since = queue.since or look.now
        trouble = Trouble(
            kind=OUTBOX, binding=bound.name, severity=ERROR, follows=True,
            title=f"{bound.name}: records wait too long to be delivered",
            what=f"{queue.count:,} wait, the oldest for {ago(since, look.now)}, such as {late[0]}",
            facts=(Fact("Waiting since", f"{since:%Y-%m-%d %H:%M} UTC", since),),
            then="Every run, and upkeep, tries again; the newest version of each is sent.",
            command=f"crosswalk status {bound.name}",
        )  # fmt: skip
        found.append(Finding(trouble, yields=True))
    return found


def inbox(look: Look) -> list[Finding]:
    """Events that wait, and errands that are left to a person."""
    age, found = inbox_look.age(look.store), []
    if age.oldest is not None and look.now - age.oldest > INBOX_AGE:
        found.append(
            Finding(
                Trouble(
                    kind=INBOX, step="inbox", severity=ERROR, title="events wait too long",
                    what=f"{age.waiting:,} wait, the oldest for {ago(age.oldest, look.now)}",
                    then="Nothing is lost: the scheduled runs read what changed as well.",
                    command="crosswalk inbox list, and look whether crosswalk receive --serve runs",
                )
            )
        )  # fmt: skip
    for bound in look.settings.bindings.values():
        dead = inbox_look.age(look.store, bound.scope).dead
        if dead:
            trouble = Trouble(
                kind=LEFT, binding=bound.name, severity=WARNING, title=f"{bound.name}: events are left to a person",
                what=f"{dead:,} records could not be read afresh and are tried no more",
                command="crosswalk inbox list, mend the cause, then crosswalk inbox retry",
            )  # fmt: skip
            found.append(Finding(trouble))
    return found


def alerts(look: Look) -> list[Finding]:
    """Channels that take no messages, and alerts that wait."""
    with look.store.reading() as connection:
        broken = sorted(incidents_outbox.broken(connection) & set(look.settings.channels))
    found = [Finding(broken_channel(look.settings, name, "it took no message for half an hour")) for name in broken]
    for channel, count, since in watching.unsent(look.store, look.now - ALERTS_AGE, broken):
        if channel in look.settings.channels:
            trouble = Trouble(
                kind=ALERTS, step=channel, severity=ERROR, title=f"alerts wait for the channel {channel}",
                what=f"{count} wait, the oldest for {ago(since, look.now)}", command=f"crosswalk alerts test {channel}",
            )  # fmt: skip
            found.append(Finding(trouble))
    return found
