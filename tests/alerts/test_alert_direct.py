"""With the store gone people are told all the same, once, and the incident goes on in the store when it is back."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from alert_kit import BOT, HOOKED, World, failed

from crosswalk.alerts import direct, notify
from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.message import Failure, HeldRows
from crosswalk.alerts.notify import Ended
from crosswalk.clock import SharedClock
from crosswalk.errors import StoreError
from crosswalk.settings import Settings
from crosswalk.store import incidents as rows

GONE = StoreError("the store cannot be reached (postgresql://h/x): refused", next_command="check CROSSWALK_STORE")


def gone(world: World, *parts: str) -> Settings:
    """Settings whose store is not there."""
    return replace(world.settings(*parts), store="postgresql+psycopg://u:hunter22@127.0.0.1:9/gone")


def failure(world: World, kind: str = "StoreError") -> Failure:
    return Failure("orders", "sandbox", "shopify_orders", "open", kind, GONE.what, world.clock.now())


def test_it_is_told_once_and_reminded(small: World) -> None:
    """Fifty failing runs in ten hours: one message, and reminders after one hour and after four."""
    settings = gone(small, BOT)
    for number in range(50):
        ended = Ended(settings, "orders", failure(small), owner="finance", run=str(number), clock=small.clock)
        assert notify.run_ended(ended) == ""
        small.clock.advance(720)
    told = small.thread()
    assert told[0] == ("the store cannot be used", False)
    assert len(told) == 3 and all(threaded for _, threaded in told[1:])
    assert "hunter22" not in str(small.sink.messages) + (settings.state / direct.FILE).read_text()


def test_when_the_store_is_back_it_recovers_once(small: World) -> None:
    """What was told directly becomes an incident with its thread and its count, and is over at once; no second word."""
    direct.tell(gone(small, BOT), small.clock, direct.store_gone(GONE))
    small.clock.advance(600)
    direct.tell(gone(small, BOT), small.clock, direct.store_gone(GONE))
    incidents = small.incidents(BOT)
    for _ in range(3):
        incidents.send_due()
        small.clock.advance(600)
    root, recovered = small.sink.messages
    assert recovered.message["thread_ts"] == root.ts and "recovered: the store cannot be used" in root.message["text"]
    assert "Occurrences: 2" in recovered.message["text"] and "10 min" in recovered.message["text"]
    assert rows.listing(small.store, "sandbox") == []
    assert not (incidents.settings.state / direct.FILE).exists()


def test_another_failure_meanwhile_stays_open(small: World) -> None:
    """What failed for a cause of its own while the store was gone is open in the store, and recovers by a good run."""
    settings = gone(small, HOOKED)
    notify.run_ended(Ended(settings, "orders", failure(small, "MappingError"), owner="finance", clock=small.clock))
    assert sorted(small.titles()) == ["orders failed: MappingError", "the store cannot be used"]
    incidents = small.incidents(HOOKED)
    incidents.send_due()
    (row,) = rows.listing(small.store, "sandbox")
    assert row.kind == "run_failed"
    incidents.succeeded("orders", (), ())
    incidents.send_due()
    assert len(small.titles()) == 4


def test_handing_over_twice_changes_nothing(small: World) -> None:
    """Killed between the store's transaction and the file's removal, the hand-over is done again without effect."""
    settings = small.settings(BOT)
    direct.tell(settings, small.clock, direct.store_gone(GONE))
    book = (settings.state / direct.FILE).read_text()
    incidents = Incidents(small.store, settings, small.clock)
    incidents.send_due()
    (settings.state / direct.FILE).write_text(book)
    incidents.send_due()
    assert len(small.sink.messages) == 2


def test_without_channels_or_with_a_dead_one_it_is_loud(small: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can be told: the caller is, and the log has the whole alert; the next attempt is not held back."""
    assert "names no channel" in direct.tell(small.settings(owners="channels = []\n"), small.clock, failed())
    small.sink.fail = ["404"]
    assert "HTTP 404" in direct.tell(small.settings(HOOKED), small.clock, failed())
    assert caplog.text.count("no rule for 4711") >= 2
    assert direct.tell(small.settings(HOOKED), small.clock, failed()) == ""
    assert small.titles() == ["orders failed: MappingError"]


def test_a_full_disk_does_not_silence_it(small: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the file cannot be kept, this process still tells, and tells once."""
    settings = replace(small.settings(HOOKED), home=tmp_path / "none")
    (tmp_path / "none").write_text("a file where the folder would be")
    for _ in range(3):
        assert direct.tell(settings, small.clock, failed("customers")) == ""
    assert small.titles() == ["customers failed: MappingError"]
    direct._unwritten.clear()


def test_processes_share_what_was_told(small: World) -> None:
    """Four processes find the store gone in the same moment: one message."""
    settings, pids = small.settings(HOOKED), []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            direct.tell(settings, SharedClock(settings.home / "clock"), direct.store_gone(GONE))
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert small.titles() == ["the store cannot be used"]


def test_the_end_of_a_run_goes_through_the_store(small: World) -> None:
    """A failed run and its held rows are incidents; a good run, and a rule that holds nothing, recover them."""
    settings = small.settings(HOOKED)
    warning = HeldRows("orders", "sandbox", "tax type", "", "no tax type", 3, ("1", "2", "3"))
    base = Ended(settings, "orders", owner="finance", store=small.store, clock=small.clock)
    assert notify.run_ended(replace(base, failure=failure(small, "Drift"), warnings=[warning], run="1")) == ""
    assert sorted(small.titles()) == ["orders failed: Drift", "orders: 3 rows held by 'tax type'"]
    notify.run_ended(replace(base, run="2", good=True, holding={"tax type"}))
    assert small.titles()[2:] == ["recovered: orders failed: Drift"]
    notify.run_ended(replace(base, run="3", good=True, holding=set()))
    assert small.titles()[3:] == ["recovered: orders: 3 rows held by 'tax type'"]


def test_what_cannot_be_told_at_a_runs_end_is_said(small: World, caplog: pytest.LogCaptureFixture) -> None:
    """Without settings, or with a dead channel, the run is handed the reason, and nothing is raised."""
    assert "settings cannot be read" in notify.run_ended(Ended(None, "orders", failure(small)))
    small.sink.fail = ["404"] * 9
    ended = Ended(small.settings(HOOKED), "orders", failure(small, "Drift"), store=small.store, clock=small.clock)
    assert "HTTP 404" in notify.run_ended(ended)
