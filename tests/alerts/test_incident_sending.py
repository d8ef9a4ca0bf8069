"""The outbox: nothing lost, nothing twice, in order, whatever the channel answers and whoever dies."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal

import pytest
from alert_kit import BOT, HOOKED, TEAMS, World, failed, title
from sqlalchemy import select

from crosswalk import points
from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.slack import blocks
from crosswalk.alerts.trouble import Trouble
from crosswalk.clock import SharedClock
from crosswalk.http import redact
from crosswalk.sandbox.sink import faulty
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows
from crosswalk.store import incidents_outbox as outbox
from crosswalk.store.engine import Store
from crosswalk.store.tables import INCIDENT, NOTIFICATION
from crosswalk.store.vault import PRACTICE_KEY, Vault

FORK = multiprocessing.get_context("fork")


def statuses(world: World, channel: str) -> list[tuple[str, str]]:
    """Kind and status of what stands in the outbox for a channel, in order."""
    n = NOTIFICATION.c
    with world.store.reading() as connection:
        query = select(n.kind, n.status).where(n.channel == channel).order_by(n.made_at, n.seq)
        return [(kind, status) for kind, status in connection.execute(query)]


@pytest.mark.parametrize("part", [BOT, HOOKED])
def test_a_limit_is_waited_for_and_the_order_stands(world: World, part: str) -> None:
    """429 with Retry-After: nothing is sent before, everything after, the opening before the recovery."""
    incidents = world.incidents(part)
    world.sink.throttle, world.sink.retry_after = 1, 120
    incidents.raise_(failed())
    incidents.send_due()
    incidents.succeeded("orders", (), ())
    world.clock.advance(60)
    incidents.send_due()
    assert (world.titles(), world.sink.refused) == ([], ["ratelimited"]), "asked once, and not again too soon"
    world.clock.advance(61)
    incidents.send_due()
    world.later(incidents, 120)
    assert title(world.sink.messages[-1]) == "recovered: orders failed: MappingError"
    assert len(world.sink.messages) == 2


def test_patience_waits_for_a_short_limit(world: World) -> None:
    """A run's end waits for a channel that asks for a little time."""
    incidents = world.incidents(HOOKED)
    world.sink.throttle, world.sink.retry_after = 1, 10
    name = incidents.raise_(failed())
    assert incidents.send_due(patience=15) == 1
    assert incidents.untold([name]) == ""


@pytest.mark.parametrize("code", ["404", "403", "410"])
def test_a_channel_that_is_gone_is_an_incident_on_the_others(world: World, code: str) -> None:
    """The broken channel is told of elsewhere, and so is what it could not say; mended, it recovers once."""
    owners = 'channels = ["hook"]\n'
    incidents = world.incidents(HOOKED, TEAMS, owners=owners)
    world.sink.fail = [code]
    name = incidents.raise_(failed())
    incidents.send_due()
    incidents.send_due()
    said = [card["body"][0]["text"].partition("] ")[2] for card in world.sink.teams.cards]
    assert sorted(said) == ["orders failed: MappingError", "the alert channel hook takes no messages"]
    assert incidents.untold([name]) == ""
    world.later(incidents, 2 * 3600, step=1200)
    assert world.titles() == ["orders failed: MappingError"], "what waited is sent when the channel takes it again"
    said = [card["body"][0]["text"].partition("] ")[2] for card in world.sink.teams.cards]
    assert said[2:] == ["recovered: the alert channel hook takes no messages"]


def test_who_was_told_elsewhere_is_not_told_again(world: World) -> None:
    """One of an owner's two channels is dead: the other has the alert already, and learns only of the channel."""
    incidents = world.incidents(TEAMS, HOOKED)
    world.sink.fail = ["404"]
    incidents.raise_(failed())
    incidents.send_due()
    incidents.send_due()
    said = [card["body"][0]["text"].partition("] ")[2] for card in world.sink.teams.cards]
    assert sorted(said) == ["orders failed: MappingError", "the alert channel hook takes no messages"]


def test_a_channel_without_another_is_said_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The only channel is dead: the run is told so and the log has the alert; nothing is lost when it comes back."""
    incidents = world.incidents(BOT)
    world.sink.archived.add("C0PRACTICE")
    name = incidents.raise_(failed())
    incidents.send_due()
    assert "is_archived" in incidents.untold([name])
    assert "the alert channel bot takes no messages" in caplog.text
    world.sink.archived.clear()
    world.later(incidents, 3700, step=600)
    assert "orders failed: MappingError" in world.titles()


def test_a_fault_of_the_provider_is_tried_again_with_growing_waits(world: World) -> None:
    """5xx: again after 10 s, a minute, five; after half an hour of nothing else the channel counts as broken."""
    incidents = world.incidents(HOOKED, TEAMS, owners='channels = ["hook"]\n')
    world.sink.fail = ["503"] * 60
    incidents.raise_(failed())
    incidents.send_due()
    world.later(incidents, 600, step=10)
    assert 3 <= world.sink.refused.count("HTTP 503") <= 5
    assert world.sink.teams.cards == []
    world.later(incidents, 3600, step=60)
    assert any("takes no messages" in c["body"][0]["text"] for c in world.sink.teams.cards)


def test_a_message_that_is_refused_is_sent_with_less(world: World) -> None:
    """A block that the provider does not take costs the layout, not the alert."""
    incidents = world.incidents(BOT)
    world.sink.fail = ["invalid_blocks"]
    incidents.raise_(failed())
    incidents.send_due()
    (message,) = world.sink.messages
    assert "blocks" not in message.message and "no rule for 4711" in message.message["text"]


def test_an_answer_that_is_lost_is_looked_up(world: World) -> None:
    """Slack took the message and the answer broke off: the bot finds it by its id and does not post it again."""
    incidents = world.incidents(BOT)
    world.sink.scopes.add("channels:history")
    world.sink.lose = 1
    name = incidents.raise_(failed())
    incidents.send_due()
    world.later(incidents, 120)
    assert world.titles() == ["orders failed: MappingError"]
    incidents.clear("it works", kinds=["run_failed"], binding="orders")
    incidents.send_due()
    assert [threaded for _, threaded in world.thread()] == [False, True], "its thread is known all the same"
    assert rows.one(world.store, "sandbox", name).state == "resolved"


@pytest.mark.parametrize("part", [BOT, HOOKED])
def test_an_answer_that_is_lost_costs_one_repetition_at_most(world: World, part: str) -> None:
    """Where nobody can be asked, what must arrive is sent once more and says so; a second loss is left alone."""
    incidents = world.incidents(part)
    world.sink.lose = 5
    incidents.raise_(failed())
    incidents.send_due()
    world.later(incidents, 1800)
    first, second = [m.message["text"].splitlines()[0] for m in world.sink.messages][:2]
    assert "repetition" not in first and second.startswith("(may be a repetition)")
    assert len([m for m in world.sink.messages if "failed: MappingError" in title(m)]) == 2


def _die_at(url: str, clock_file: str, settings: Settings, place: str) -> None:
    """Send what is due, and be killed at a place."""

    def hook(name: str) -> None:
        if name == place:
            os.kill(os.getpid(), signal.SIGKILL)

    clock = SharedClock(settings.home / clock_file)
    store = Store(url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open()
    points.install(hook)
    incidents = Incidents(store, settings, clock)
    incidents.raise_(failed())
    incidents.send_due()
    os._exit(0)


PLACES = ("store:incident", "store:alert-claim", "alert:before-send", "alert:after-send", "store:alert-sent")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("can_look_up", [True, False])
def test_killed_in_the_middle_of_sending_nothing_is_lost(world: World, place: str, can_look_up: bool) -> None:
    """Killed at any place, the next sender tells it: with a look-up exactly once, without at most twice."""
    settings = world.settings(BOT)
    if can_look_up:
        world.sink.scopes.add("channels:history")
    child = FORK.Process(target=_die_at, args=(world.store.url, "clock", settings, place))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    incidents = Incidents(world.store, settings, world.clock)
    world.later(incidents, 300)
    doubled = not can_look_up and place == "alert:after-send"
    assert len(world.sink.messages) == (2 if doubled else 1)
    assert world.titles()[0] == "orders failed: MappingError"


def test_killed_twice_it_is_still_no_more_than_one_repetition(world: World) -> None:
    """The sender dies after the call, and so does the next one: two copies, and no third."""
    settings = world.settings(HOOKED)
    for _ in range(2):
        child = FORK.Process(target=_die_at, args=(world.store.url, "clock", settings, "alert:after-send"))
        child.start()
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        world.clock.advance(100)
    world.later(Incidents(world.store, settings, world.clock), 900)
    assert len(world.sink.messages) == 2


def test_what_another_sends_just_now_is_not_overtaken(world: World) -> None:
    """While one process sends the beginning, no other sends the end."""
    incidents = world.incidents(HOOKED)
    incidents.raise_(failed())
    row = outbox.head(world.store, "hook", world.clock.now())
    assert row is not None and outbox.claim(world.store, row, "another", world.clock.now())
    incidents.succeeded("orders", (), ())
    assert incidents.send_due() == 0
    world.later(incidents, 120)
    assert [title(m).partition(" failed")[0] for m in world.sink.messages] == ["orders", "recovered: orders"]


def test_a_reminder_that_may_have_arrived_is_not_repeated(world: World) -> None:
    """What need not arrive is let go when its answer is lost; the next reminder comes at its own time."""
    incidents = world.incidents(BOT)
    incidents.raise_(failed())
    incidents.send_due()
    world.sink.lose = 1
    world.later(incidents, 2 * 3600, step=300)
    assert world.titles().count("still open: orders failed: MappingError") == 1


def test_many_senders_send_each_once(world: World) -> None:
    """Four processes tell at once of twelve incidents: twelve messages."""
    settings = world.settings(BOT)
    incidents = Incidents(world.store, settings, world.clock)
    for number in range(12):
        incidents.raise_(failed(f"binding{'abcdefghijkl'[number]}"))
    children = [FORK.Process(target=_send, args=(world.store.url, settings)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert sorted(world.titles()) == sorted(f"binding{c} failed: MappingError" for c in "abcdefghijkl")


def _send(url: str, settings: Settings) -> None:
    clock = SharedClock(settings.home / "clock")
    store = Store(url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open()
    Incidents(store, settings, clock).send_due()
    os._exit(0)


def test_many_who_report_the_same_make_one_incident(world: World) -> None:
    """Four processes report one trouble in the same moment: one incident, seen four times."""
    settings = world.settings(HOOKED)
    children = [FORK.Process(target=_report, args=(world.store.url, settings, str(n))) for n in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    (row,) = rows.listing(world.store, "sandbox")
    assert row.occurrences == 4
    assert [child.exitcode for child in children] == [0] * 4


def _report(url: str, settings: Settings, run: str) -> None:
    clock = SharedClock(settings.home / "clock")
    store = Store(url, clock=clock, vault=Vault(PRACTICE_KEY), durable=False).open()
    Incidents(store, settings, clock).raise_(failed(run=run))
    os._exit(0)


def test_an_oversize_error_is_cut_to_what_every_channel_takes(world: World) -> None:
    """A megabyte of error text arrives at each channel as a valid, cut message."""
    rng = random.Random(5)
    text = "".join(rng.choice("ab &<>*_é✓\n`") for _ in range(400_000))
    incidents = world.incidents(BOT, HOOKED, TEAMS)
    incidents.raise_(failed(what=text, code="x", command=text[:5000]))
    incidents.send_due()
    assert len(world.sink.messages) == 2 and len(world.sink.teams.cards) == 1
    assert all(faulty(m.message) is None for m in world.sink.messages)
    assert len(json.dumps(world.sink.teams.cards[0], ensure_ascii=False).encode()) < 24_000


def test_no_secret_gets_into_the_store_or_out(world: World) -> None:
    """Neither a known value nor what looks like a secret stands in an incident or in the outbox."""
    canary = "canary-77ab12ef90"
    redact.register(canary)
    dirty = f"{canary} Bearer sk_live_99887766 password=swordfish9 anna@example.com https://u:hunter22@h/x?sig=tok_998"
    trouble = Trouble(
        "run_failed", f"orders failed: {dirty}", what=dirty, binding="orders", error="X", code=dirty, command=dirty,
        then=dirty, owner="finance", link=("run", f"https://h/?access_token={canary}"),
    )  # fmt: skip
    incidents = world.incidents(BOT, TEAMS)
    name = incidents.raise_(trouble)
    incidents.send_due()
    incidents.resolve(name, "eva", dirty)
    incidents.send_due()
    with world.store.reading() as connection:
        kept = [str(tuple(row)) for table in (INCIDENT, NOTIFICATION) for row in connection.execute(select(table))]
    out = "".join(kept) + str(world.sink.messages) + str(world.sink.teams.cards)
    for secret in (canary, "sk_live_99887766", "swordfish9", "hunter22", "tok_998", "anna@example.com"):
        assert secret not in out, secret


def test_more_than_anybody_reads_is_one_message(world: World) -> None:
    """Forty incidents at once are one message that names them, and their forty ends another; none is left unsaid."""
    incidents = world.incidents(HOOKED)
    names = [incidents.raise_(failed(f"binding{chr(97 + n % 26)}{chr(97 + n // 26)}")) for n in range(40)]
    incidents.send_due()
    assert world.titles() == ["40 incidents at once"]
    assert "bindingaa failed" in world.sink.messages[0].message["text"] and incidents.untold(names) == ""
    incidents.clear("all is well", kinds=["run_failed"])
    incidents.send_due()
    assert world.titles()[1:] == ["40 recoveries at once"]


def test_a_channel_that_left_the_settings_blocks_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What waits for a channel that no longer stands in crosswalk.toml is let go, loudly."""
    world.incidents(HOOKED).raise_(failed())
    world.incidents(BOT).send_due()
    assert statuses(world, "hook") == [("opened", "dropped")] and "no channel hook" in caplog.text


def test_the_blocks_of_a_digest_keep_slacks_limits(world: World) -> None:
    """Facts of many lines become sections, and stay within the limits."""
    from crosswalk.alerts import digest

    incidents = world.incidents(BOT)
    for number in range(30):
        incidents.raise_(failed(f"binding{number}", error="MappingError" * 20))
    message = digest.make(world.store, incidents.settings, world.clock.now())
    assert faulty({"text": "x", "blocks": blocks(message)}) is None
    assert "and 22 more: crosswalk incidents list" in message.plain()
