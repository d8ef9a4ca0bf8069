"""One incident of all that says the same: opened, counted, reminded, escalated, acknowledged, recovered, once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alert_kit import BOT, HOOKED, World, failed

from crosswalk.alerts.incidents import shown
from crosswalk.alerts.trouble import Trouble
from crosswalk.errors import SettingsError
from crosswalk.store import audit
from crosswalk.store import incidents as rows

HOUR = 3600.0


def of_xero(binding: str, error: str = "ConsentNeeded", **more: str) -> Trouble:
    return replace(failed(binding, error), connection="books", step="send", **more)  # type: ignore[arg-type]


def test_a_hundred_failures_of_one_cause_are_told_once_and_reminded_by_the_clock(world: World) -> None:
    """100 runs fail within 28 hours: one message opens, reminders come after 1 h, 4 h and 24 h more, and no others."""
    incidents = world.incidents(BOT)
    for number in range(100):
        name = incidents.raise_(failed(what=f"no rule for {number}", code=f"no rule for {number}", run=str(number)))
        world.later(incidents, 28.5 * HOUR / 100, step=HOUR)
    told = world.titles()
    assert [t for t, threaded in world.thread() if not threaded] == ["orders failed: MappingError"]
    assert told.count("still open: orders failed: MappingError") == 3
    assert set(told) == {
        "orders failed: MappingError", "still open: orders failed: MappingError", "again: orders failed: MappingError",
    }  # fmt: skip
    row = rows.one(world.store, "sandbox", name)
    assert (row.occurrences, row.state) == (100, "open")
    assert "100 times" in str(world.sink.messages[0].message["blocks"]), "the first message shows the count as it is"


def test_a_webhook_is_told_of_turns_only(world: World) -> None:
    """What cannot edit or thread gets opened and recovered: no reminder, no second message of the same."""
    incidents = world.incidents(HOOKED)
    for number in range(5):
        incidents.raise_(failed(run=str(number)))
        world.later(incidents, HOUR, step=HOUR / 4)
    incidents.clear("it works", kinds=["run_failed"], binding="orders")
    incidents.send_due()
    assert world.titles() == ["orders failed: MappingError", "recovered: orders failed: MappingError"]


def test_recovery_is_told_exactly_once(world: World) -> None:
    """However often a success is reported, there is one recovery notice, with duration and occurrences."""
    incidents = world.incidents(BOT)
    for number in range(3):
        incidents.raise_(failed(run=str(number)))
        incidents.send_due()
        world.clock.advance(600)
    for _ in range(4):
        incidents.succeeded("orders", (), ())
        incidents.send_due()
    last = world.sink.messages[-1].message
    assert world.titles().count("recovered: orders failed: MappingError") == 2, "the edited first one, and the notice"
    assert last["reply_broadcast"] and "30 min" in last["text"] and "Occurrences: 3" in last["text"]
    assert rows.listing(world.store, "sandbox") == []


def test_what_was_never_told_recovers_in_silence(world: World) -> None:
    """A connection that is back before its half minute is over was nobody's business."""
    incidents = world.incidents(BOT)
    incidents.raise_(of_xero("orders"))
    incidents.send_due()
    incidents.succeeded("orders", ["books"], ())
    world.later(incidents, 2 * HOUR, step=HOUR)
    assert world.titles() == []


def test_the_same_run_reporting_twice_counts_once(world: World) -> None:
    """A hook, an automation and the watch may all speak of one run."""
    incidents = world.incidents(BOT)
    (name,) = {incidents.raise_(failed(run="r1")) for _ in range(3)}
    assert rows.one(world.store, "sandbox", name).occurrences == 1


def test_two_bindings_with_one_root_are_one_incident(world: World) -> None:
    """Both bindings fail because of one account within half a minute: one message, which names both."""
    incidents = world.incidents(BOT)
    first = incidents.raise_(of_xero("customers", code="invalid_grant"))
    world.clock.advance(10)
    incidents.send_due()
    assert world.titles() == [], "siblings are waited for"
    assert incidents.raise_(of_xero("orders", error="BadCredentials", code="401")) == first
    world.later(incidents, 60)
    assert world.titles() == ["books: 2 bindings fail (auth)"]
    assert "customers, orders" in world.sink.messages[0].message["text"]
    incidents.succeeded("customers", ["sandbox/books/practice"], ())
    incidents.send_due()
    assert rows.listing(world.store, "sandbox") == []
    assert sum("recovered" in t for t, threaded in world.thread() if threaded) == 1


def test_an_outage_is_over_when_nobody_fails_of_it_any_more(world: World) -> None:
    """Another endpoint that answers proves little: the incident ends when the last of its bindings has succeeded."""
    incidents = world.incidents(BOT)
    for binding in ("customers", "orders"):
        incidents.raise_(of_xero(binding, error="ServerFault"))
    world.later(incidents, 60)
    assert incidents.succeeded("customers", ["books"], ()) == []
    assert incidents.answered("third", ["books"]) == []
    (row,) = rows.listing(world.store, "sandbox")
    assert incidents.succeeded("orders", ["books"], ()) == [row.id]


def test_a_run_waits_for_its_siblings_before_it_ends(world: World) -> None:
    """send_due with patience sends what is due soon, so that a lone process leaves nothing untold."""
    incidents = world.incidents(BOT, alerts="group_wait = 20")
    incidents.raise_(of_xero("orders"))
    began = world.clock.now()
    assert incidents.send_due(patience=30) == 1
    assert timedelta(seconds=20) <= world.clock.now() - began < timedelta(seconds=25)


def test_consequences_of_a_connection_are_silent(world: World) -> None:
    """While a connection is down, a stale binding of it is kept and not told; if it stays stale after, it is."""
    incidents = world.incidents(BOT)
    incidents.raise_(of_xero("orders", error="Unreachable"))
    world.later(incidents, 60)
    stale = Trouble("stale", "customers is stale", binding="customers", owner="finance", follows=True)
    child = incidents.raise_(stale)
    world.later(incidents, HOUR, step=300)
    assert "customers is stale" not in world.titles()
    assert rows.one(world.store, "sandbox", child).parent
    incidents.succeeded("orders", ["books"], ())
    world.later(incidents, 300)
    assert "customers is stale" not in world.titles(), "it has the time to catch up"
    world.later(incidents, 600)
    assert world.titles().count("customers is stale") == 1


def test_an_unacknowledged_critical_incident_is_escalated(world: World) -> None:
    """After 15 minutes the second channel is told, with its mention; an acknowledged one is left alone."""
    owners = 'channels = ["bot"]\nescalate = ["hook"]\nmention = "<!here>"\n'
    incidents = world.incidents(BOT, HOOKED, owners=owners)
    name = incidents.raise_(of_xero("orders", severity="critical"))
    world.later(incidents, 14 * 60)
    assert world.titles("webhook") == []
    world.later(incidents, 3 * 60)
    assert world.titles("webhook") == ["escalated: orders failed: ConsentNeeded"]
    assert "*For*\\n<!here>" in str(world.sink.messages[-1].message["blocks"]), "it calls people"
    incidents.ack(name, "eva")
    world.later(incidents, 30 * HOUR, step=HOUR)
    assert world.titles("webhook") == ["escalated: orders failed: ConsentNeeded"]
    assert not [t for t in world.titles() if t.startswith("still open")], "nobody reminds whoever has taken it on"
    incidents.succeeded("orders", ["books"], ())
    incidents.send_due()
    assert world.titles("webhook")[-1] == "recovered: orders failed: ConsentNeeded", "whoever was told is told the end"


def test_acknowledging_is_seen_and_audited(world: World) -> None:
    """The first message says who has taken it on; the audit trail says who, when and why."""
    incidents = world.incidents(BOT)
    name = incidents.raise_(failed())
    incidents.send_due()
    row = incidents.ack(name.removeprefix("inc-")[:6], "eva", "the table lacks a row")
    incidents.send_due()
    assert (row.state, row.acked_by) == ("acked", "eva")
    assert "Acknowledged: by eva" in world.sink.messages[0].message["text"]
    (entry,) = audit.listing(world.store, name)
    assert (entry.actor, entry.action, entry.reason) == ("eva", "incident.ack", "the table lacks a row")
    with pytest.raises(SettingsError, match="there is no incident"):
        incidents.ack("inc-ffffffff", "eva")


def test_resolving_by_hand_is_told_and_ends_it(world: World) -> None:
    """A person's word ends an incident with a recovery that names them; resolving it twice is refused."""
    incidents = world.incidents(BOT)
    name = incidents.raise_(failed())
    incidents.send_due()
    incidents.resolve(name, "eva", "the binding is gone")
    incidents.send_due()
    assert "eva resolved it: the binding is gone" in world.sink.messages[-1].message["text"]
    with pytest.raises(SettingsError, match="resolved already"):
        incidents.resolve(name, "eva", "again")


def test_what_comes_back_is_a_new_incident(world: World) -> None:
    """After a recovery the same trouble is told anew."""
    incidents = world.incidents(HOOKED)
    names = set()
    for _ in range(2):
        names.add(incidents.raise_(failed()))
        incidents.send_due()
        incidents.succeeded("orders", (), ())
        world.later(incidents, 2 * HOUR, step=HOUR)
    assert len(names) == 2 and len(world.titles()) == 4


def test_what_comes_and_goes_is_one_flapping_incident(world: World) -> None:
    """After three cycles within an hour the fourth opens as flapping, stays open while it flaps, and recovers once."""
    incidents = world.incidents(HOOKED)
    for number in range(10):
        incidents.raise_(failed(run=str(number)))
        incidents.send_due()
        world.clock.advance(200)
        incidents.succeeded("orders", (), ())
        incidents.send_due()
        world.clock.advance(100)
    assert len(world.titles()) == 7, "three cycles of two messages, and one that says that it flaps"
    assert world.titles()[-1] == "flapping: orders failed: MappingError"
    world.later(incidents, 2 * HOUR, step=600)
    assert world.titles()[7:] == ["recovered: flapping: orders failed: MappingError"]


@pytest.mark.parametrize(("kind", "value"), [("binding", "orders"), ("connection", "books"), ("fingerprint", "")])
def test_a_mute_keeps_quiet_until_it_ends(world: World, kind: str, value: str) -> None:
    """Muted, an incident is kept and counted but not told; when the mute ends and it is still open, it is told."""
    incidents = world.incidents(BOT)
    mark = value or failed().named("sandbox", "").fingerprint("sandbox")
    incidents.mute(kind, mark, world.clock.now() + timedelta(hours=2), "planned work", "eva")
    name = incidents.raise_(failed())
    world.later(incidents, 1.9 * HOUR, step=600)
    assert world.titles() == [] and shown(rows.one(world.store, "sandbox", name))["state"] == "open"
    world.later(incidents, HOUR, step=600)
    assert world.titles()[0] == "orders failed: MappingError"


def test_a_mute_needs_an_end_and_a_reason(world: World) -> None:
    """No mute for ever, none without a word; lifting one is audited too."""
    incidents = world.incidents(BOT)
    now = world.clock.now()
    for until, reason in ((now + timedelta(hours=1), " "), (now, "why"), (now + timedelta(days=400), "why")):
        with pytest.raises(SettingsError):
            incidents.mute("binding", "orders", until, reason, "eva")
    mute = incidents.mute("binding", "orders", now + timedelta(hours=1), "why", "eva")
    incidents.unmute(mute, "tom")
    assert [(e.actor, e.action) for e in audit.listing(world.store, mute)][::-1] in (
        [("eva", "alerts.mute"), ("tom", "alerts.unmute")], [("tom", "alerts.unmute"), ("eva", "alerts.mute")],
    )  # fmt: skip
    with pytest.raises(SettingsError, match="no mute"):
        incidents.unmute(mute, "tom")
    incidents.raise_(failed())
    incidents.send_due()
    assert world.titles() == ["orders failed: MappingError"]


def test_without_a_channel_it_is_said_once(small: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody to tell is a log line with the alert, once an incident; with a channel added later it is told."""
    incidents = small.incidents(owners="channels = []\n")
    names = [incidents.raise_(failed(run=str(n))) for n in range(5)]
    incidents.send_due()
    assert caplog.text.count("names no channel") == 1 and "no rule for 4711" in caplog.text
    assert "names no channel" in incidents.untold(names)
    small.incidents(BOT).send_due()
    assert small.titles() == ["orders failed: MappingError"]


def test_held_rows_warn_by_rule_and_recover(world: World) -> None:
    """Each rule that holds rows is an incident; it recovers when the rule holds none any more."""
    incidents = world.incidents(HOOKED)
    for rule in ("tax type", "required"):
        incidents.raise_(Trouble("held", f"3 rows held by {rule!r}", binding="orders", error=rule, owner="finance"))
    incidents.send_due()
    incidents.released("orders", ["required"])
    incidents.send_due()
    told = world.titles()
    assert sorted(told[:2]) == ["3 rows held by 'required'", "3 rows held by 'tax type'"]
    assert told[2:] == ["recovered: 3 rows held by 'tax type'"]


def test_two_channels_to_one_place_are_told_once(small: World) -> None:
    """What concerns everybody is one message where two owners name the same webhook."""
    incidents = small.incidents(HOOKED, HOOKED.replace("hook]", "twin]"), owners='channels = ["hook"]\n')
    incidents.raise_(Trouble("clock_skew", "the clock is two minutes off", step="clock"))
    incidents.send_due()
    assert small.titles() == ["the clock is two minutes off"]


def test_the_digest_comes_once_a_day_and_hides_nothing(world: World) -> None:
    """At its hour each channel gets one digest: runs, rows, what is open, what is muted and why, what is stalest."""
    incidents = world.incidents(BOT, alerts='digest = "12:00"\nzone = "Europe/Amsterdam"')
    incidents.mute("binding", "orders", world.clock.now() + timedelta(days=3), "the shop moves", "eva")
    incidents.raise_(failed())
    world.later(incidents, 45 * HOUR, step=HOUR)
    digests = [m.message["text"] for m in world.sink.messages if "Digest of" in m.message["text"]]
    assert len(digests) == len(world.sink.messages) == 2, "and of the muted incident nothing else"
    for part in ("0 in 24 hours", "orders failed: MappingError", "the shop moves", "by eva", "orders: never"):
        assert part in digests[0], part
