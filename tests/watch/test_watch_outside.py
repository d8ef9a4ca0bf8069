"""What the watch does where the store is gone, where a check cannot look, and outside the house: the heartbeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from watch_kit import Guard

from crosswalk.clock import SystemClock
from crosswalk.console import watching
from crosswalk.runs.wiring import House
from crosswalk.sandbox.serve import in_thread
from crosswalk.watch import looking

TOKEN = "heartbeat-7f3a9c11d2"


@contextmanager
def outside(answers: list[int]) -> Iterator[tuple[str, list[str]]]:
    """A service that waits for heartbeats; its address, and the calls it has had. answers: statuses, the last stays."""
    calls: list[str] = []

    async def ping(request: Request) -> PlainTextResponse:
        calls.append(request.url.path)
        return PlainTextResponse("OK", answers.pop(0) if len(answers) > 1 else answers[0])

    with in_thread(Starlette(routes=[Route("/{rest:path}", ping)])) as url:
        yield f"{url}/ping/{TOKEN}", calls


def test_the_store_gone_is_told_directly_once_and_recovers_once(small: Guard) -> None:
    """However often the watch looks while the store is away: one alert, exit code 2; back again: one recovery."""
    small.good()
    small.look()
    gone = House(replace(small.settings, store="postgresql+psycopg://u:hunter22@127.0.0.1:9/gone"), small.clock)
    for _ in range(3):
        assert watching.code(looking.once(gone)) == 2
        small.clock.advance(60)
    assert small.titles() == ["the store cannot be used"]
    assert small.look(3).well
    assert small.titles() == ["the store cannot be used", "recovered: the store cannot be used"]
    assert "hunter22" not in str(small.sink.messages)


def test_the_heartbeat_is_called_while_all_is_well_and_only_then(small: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call a look, none while something is wrong; its address stands in no journal and in no message."""
    with outside([200]) as (address, calls):
        monkeypatch.setenv("CROSSWALK_HEARTBEAT", address)
        small.configure('[watch]\nheartbeat = "env:CROSSWALK_HEARTBEAT"\n')
        small.good()
        assert small.look(2).beat == "answered" and calls == [f"/ping/{TOKEN}"] * 2
        small.later(30)
        small.look(3)
        assert len(calls) == 2
        small.good()
        small.look(2)
        assert len(calls) >= 3
    journal = small.house.journal.entries("connection = 'heartbeat'")
    assert len(journal) == len(calls) and TOKEN not in str(journal)
    assert TOKEN.encode() not in (small.settings.state / "journal.db").read_bytes()


def test_an_unanswered_heartbeat_is_told_once_and_called_on(small: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service outside refuses: one alert, and the calls go on until one is taken: one recovery."""
    with outside([404, 404, 404, 200]) as (address, calls):
        monkeypatch.setenv("CROSSWALK_HEARTBEAT", address)
        small.configure('[watch]\nheartbeat = "env:CROSSWALK_HEARTBEAT"\n')
        small.good()
        seen = small.look(3)
        assert watching.code(seen) == 1 and small.titles() == ["the heartbeat is not answered"]
        assert watching.code(small.look(2)) == 0 and len(calls) == 5
    assert small.titles() == ["the heartbeat is not answered", "recovered: the heartbeat is not answered"]
    assert TOKEN not in json.dumps([m.message for m in small.sink.messages])


def test_a_check_that_cannot_look_is_told_and_keeps_no_other_from_it(small: Guard) -> None:
    """A prefect.yaml that cannot be read: that is told, code 2; held rows are found all the same."""
    small.good()
    file = small.folder / "prefect.yaml"
    file.write_text("deployments: [", encoding="utf-8")
    assert watching.code(small.look(3)) == 2
    assert small.titles() == ["the watch cannot look at schedules"]
    file.unlink()
    assert watching.code(small.look(2)) == 0
    assert len(small.titles()) == 2


def test_two_watches_at_once_tell_once(small: Guard) -> None:
    """A timer and upkeep look in turns: what both find is one incident."""
    small.good()
    small.later(30)
    other = House(small.settings, small.clock, durable=False)
    for _ in range(3):
        looking.once(small.house)
        looking.once(other)
    other.close()
    assert small.titles() == ["orders is not up to date"]


def test_the_command_says_what_is_wrong_and_what_to_type(
    small: Guard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``crosswalk watch --once``: 0 when all is well, 1 with the finding and its next command."""
    from crosswalk.console.main import run

    monkeypatch.chdir(small.folder)
    monkeypatch.setenv("CROSSWALK_STORE", small.settings.store)
    small.clock.move(SystemClock().now() - timedelta(hours=2))
    small.good()
    assert run(["watch", "--once", "--json"]) == 1
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [f["kind"] for f in said["findings"]] == ["stale"] and said["findings"][0]["next"]
    small.clock.move(SystemClock().now())
    small.good()
    assert run(["watch", "--once"]) == 0 and "all is well" in capsys.readouterr().out


def test_upkeep_takes_the_same_look_and_prunes_once_a_day(small: Guard) -> None:
    """What upkeep finds is told by its own step for telling; what is too old goes out, and then not for a day."""
    from crosswalk.store import retention
    from flows import upkeep

    small.good()
    small.later(30)
    words: list[str] = []
    wrong: list[str] = []
    upkeep.look(small.house, words, wrong)
    upkeep.tell(small.house, words, wrong)
    assert wrong == [] and small.titles() == ["orders is not up to date"]
    assert words[0].startswith("found: orders is not up to date") and words[1] == "1 alert message sent"
    upkeep.prune(small.house, words, wrong)
    first = retention.last_pruned(small.store)
    small.later(23)
    upkeep.prune(small.house, words, wrong)
    assert retention.last_pruned(small.store) == first is not None
