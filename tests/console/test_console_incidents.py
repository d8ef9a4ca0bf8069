"""Incidents and channels in an operator's hands: tried, listed, shown, taken on, muted, ended."""

from __future__ import annotations

import json

import pytest
from console_kit import Folder
from sqlalchemy import select

from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.trouble import Trouble
from crosswalk.store.tables import ALERT_CHANNEL


def broken(folder: Folder, error: str = "MappingError") -> str:
    """A run has failed and was told of; the incident's id."""
    with folder.house() as house:
        incidents = Incidents(house.store, house.settings, house.clock)
        trouble = Trouble("run_failed", f"orders failed: {error}", "no rule", binding="orders", error=error)
        name = incidents.raise_(trouble)
        incidents.send_due()
    return name


def test_each_channel_is_tried_and_its_answer_shown(folder: Folder) -> None:
    """One message a channel arrives, with the provider's own answer; a channel that refuses ends it with 1."""
    said = folder.good("alerts", "test")
    assert said.count("taken") == 2 and "ok (HTTP 200)" in said and "finance" in said
    assert len(folder.control.messages()) == 2
    assert "A test: alerts of Crosswalk arrive here" in folder.control.messages()[0]["message"]["text"]
    folder.edit("/services/T0PRACTICE/B0PRACTICE/practice", "/services/T0PRACTICE/B0PRACTICE/gone")
    ran = folder.cw("alerts", "test", "owners.finance")
    assert ran.code == 1 and "NOT taken" in ran.out and "no_service" in ran.out, ran.text
    assert "B0PRACTICE/gone" not in ran.text


def test_what_a_try_showed_is_kept(folder: Folder) -> None:
    """The provider's answer to the last try stands in the store."""
    folder.good("run", "customers", "--bare")
    folder.good("alerts", "test", "owners.data")
    with folder.house() as house, house.store.reading() as connection:
        rows = {row.name: row.answer for row in connection.execute(select(ALERT_CHANNEL))}
    assert "ok (HTTP 200)" in rows["owners.data"]


def test_without_a_channel_the_command_says_what_to_add(folder: Folder) -> None:
    """No channel is a setting that lacks, not a success."""
    file = folder.path / "crosswalk.toml"
    file.write_text(file.read_text().partition("[owners.finance]")[0])
    ran = folder.cw("alerts", "test")
    assert ran.code == 2 and "nobody is told of anything" in ran.err and "[channels.NAME]" in ran.err
    broken(folder)
    assert "Nobody is told" in folder.cw("incidents", "list").err


def test_an_incident_is_listed_shown_taken_on_and_ended(folder: Folder) -> None:
    """While one is open the list ends with 1; acknowledged it ends with 0; every step is kept with its person."""
    assert "No incident" in folder.good("incidents", "list")
    name = broken(folder)
    ran = folder.cw("incidents", "list")
    assert ran.code == 1 and name in ran.out and "owners.finance" in ran.out, ran.text
    said = folder.good("incidents", "show", name[4:9])
    for part in (name, "opened", "no rule", "owners.finance", "sent", "ok (HTTP 200)"):
        assert part in said, part
    assert "acknowledged by eva" in folder.good("incidents", "ack", name, "--by", "eva", "--reason", "on it")
    assert "acked" in folder.good("incidents", "list")
    assert json.loads(folder.good("incidents", "list", "--json"))["acked_by"] == "eva"
    folder.good("incidents", "resolve", name, "--by", "eva", "--reason", "a row was added")
    assert "No incident" in folder.good("incidents", "list")
    said = folder.good("incidents", "show", name)
    assert "incident.ack  on it" in said and "incident.resolve  a row was added" in said
    assert folder.control.messages()[-1]["message"]["text"].count("eva resolved it: a row was added") == 1


def test_a_mute_is_made_seen_and_lifted(folder: Folder) -> None:
    """A muted binding is told of to nobody; list and digest name the mute; lifting it tells what is open."""
    said = folder.good("incidents", "mute", "--binding", "orders", "--until", "4h", "--reason", "planned work")
    mute = said.rpartition("unmute ")[2].strip()
    broken(folder)
    assert folder.control.messages() == []
    assert "planned work" in folder.cw("incidents", "list").out
    assert "planned work" in folder.good("alerts", "digest")
    folder.good("incidents", "unmute", mute)
    assert "orders failed: MappingError" in folder.control.messages()[-1]["message"]["text"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("ack", "inc-00000000"), "there is no incident"),
        (("show", "nothing"), "there is no incident"),
        (("unmute", "mute-1"), "no mute"),
        (("mute", "--binding", "nowhere", "--until", "4h", "--reason", "x"), "no binding 'nowhere'"),
        (("mute", "--binding", "orders", "--until", "400d", "--reason", "x"), "within 90 days"),
        (("mute", "--binding", "orders", "--until", "4h", "--reason", " "), "needs a reason"),
        (("mute", "--until", "4h", "--reason", "x"), "one of them"),
    ],
)
def test_bad_input_is_refused_in_words(folder: Folder, arguments: tuple[str, ...], part: str) -> None:
    """What does not fit ends with 2 and a sentence."""
    broken(folder)
    ran = folder.cw("incidents", *arguments)
    assert ran.code == 2 and part in ran.err and "Traceback" not in ran.text, ran.text
