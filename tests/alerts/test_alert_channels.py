"""What each kind of channel sends, and how it reads the provider's answers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alert_kit import BOT, HOOKED, TEAMS, World

from crosswalk.alerts.channels import slack, teams
from crosswalk.alerts.channels.base import Broken, Delivery, Later, NotSent, Sent, Trouble, Unfit, Unknown
from crosswalk.alerts.message import Fact, Message
from crosswalk.errors import SettingsError
from crosswalk.http import redact
from crosswalk.sandbox.sink_teams import SIG
from crosswalk.settings import load

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MESSAGE = Message(
    "critical", "[production] orders failed: ConsentNeeded", (Fact("Step", "send"), Fact("Since", "09:30 UTC", AT)),
    "the grant *is* gone", "Nothing by itself.", "crosswalk connect books", ("brave-otter", "http://h/runs/1"), "inc-1",
)  # fmt: skip
SPECS = Path(__file__).parents[3] / "shared" / "specs"


def delivery(world: World, part: str, **more: Any) -> Delivery:
    (channel,) = world.settings(part).channels.values()
    values = {"kind": "opened", "id": "n1", "incident": "inc-1", "seq": 0, "message": MESSAGE, **more}
    return Delivery(channel, **values)


def test_the_bot_posts_threads_and_edits(small: World) -> None:
    """The first message is the root, what follows answers to it, an edit changes it; its name is channel and ts."""
    first = slack.post(delivery(small, BOT))
    slack.post(delivery(small, BOT, kind="again", root=first.ref))
    slack.post(delivery(small, BOT, kind="recovered", root=first.ref))
    slack.post(delivery(small, BOT, kind="edit", root=first.ref, message=replace(MESSAGE, title="[x] recovered")))
    root, again, recovered = small.sink.messages
    assert (root.ts, root.edits) == (first.ref, 1) and root.message["text"].startswith("[x] recovered")
    assert again.message["thread_ts"] == first.ref and "reply_broadcast" not in again.message
    assert recovered.message["reply_broadcast"] is True
    assert slack.post(delivery(small, BOT, kind="edit")) == Sent(answer="there is no message to edit")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("channel_not_found", Broken), ("is_archived", Broken), ("invalid_auth", Broken), ("token_revoked", Broken),
        ("missing_scope", Broken), ("a_code_of_tomorrow", Broken), ("invalid_blocks", Unfit), ("msg_too_long", Unfit),
        ("internal_error", NotSent), ("503", NotSent), ("fatal_error", Unknown),
    ],
)  # fmt: skip
def test_slacks_codes_are_read_as_what_they_mean(small: World, code: str, kind: type[Trouble]) -> None:
    """A channel that is gone, a message that does not fit, a passing fault and an unknown outcome are four things."""
    small.sink.fail = [code]
    with pytest.raises(kind) as told:
        slack.post(delivery(small, BOT))
    assert type(told.value) is kind and small.sink.messages == []
    assert code in told.value.what or code.isdigit()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("400", Unfit), ("403", Broken), ("404", Broken), ("410", Broken), ("500", NotSent), ("503", NotSent)],
)
def test_a_webhooks_statuses_are_read_as_what_they_mean(small: World, code: str, kind: type[Trouble]) -> None:
    """Permanent refusals break the channel, faults pass, a bad message is the message's fault."""
    small.sink.fail = [code]
    with pytest.raises(kind):
        slack.hook(delivery(small, HOOKED))


@pytest.mark.parametrize("part", [BOT, HOOKED])
def test_a_limit_says_how_long(small: World, part: str) -> None:
    """Retry-After is read and nobody sleeps for it here."""
    small.sink.throttle, small.sink.retry_after = 1, 77
    with pytest.raises(Later) as limited:
        (slack.post if part is BOT else slack.hook)(delivery(small, part))
    assert limited.value.wait == 77


@pytest.mark.parametrize("part", [BOT, HOOKED, TEAMS])
def test_nobody_at_home_is_not_a_lost_answer(small: World, part: str) -> None:
    """A refused connection surely sent nothing; the address, which is a secret, is not in the error."""
    small.url = "http://127.0.0.1:9"
    post = {BOT: slack.post, HOOKED: slack.hook, TEAMS: teams.post}[part]
    with pytest.raises(NotSent) as away:
        post(delivery(small, part))
    assert SIG not in away.value.what and "B0PRACTICE/practice" not in away.value.what


def test_an_answer_that_breaks_off_is_unknown(small: World) -> None:
    """What left and was not answered may have arrived; a bot that may read the channel can tell."""
    small.sink.lose = 1
    mine = delivery(small, BOT)
    with pytest.raises(Unknown):
        slack.post(mine)
    with pytest.raises(Unknown, match="missing_scope"):
        slack.look_up(mine)
    small.sink.scopes.add("channels:history")
    found = slack.look_up(mine)
    assert found is not None and found.ref == small.sink.messages[0].ts
    assert slack.look_up(delivery(small, BOT, id="n2")) is None


def test_an_unset_secret_breaks_the_channel_and_says_which(small: World) -> None:
    """The environment variable that is not set is named."""
    with pytest.raises(Broken, match="CROSSWALK_TEST_NO_SUCH"):
        slack.hook(delivery(small, '[channels.hook]\nkind = "slack-webhook"\nurl = "env:CROSSWALK_TEST_NO_SUCH"\n'))


def test_teams_gets_a_card(small: World) -> None:
    """An Adaptive Card in a message, its Markdown switched off, with the incident's id; 202 names the flow's run."""
    sent = teams.post(delivery(small, TEAMS))
    (card,) = small.sink.teams.cards
    assert sent.ref.startswith("0858") and "queued" in sent.answer
    said = json.dumps(card)
    for part in ("orders failed: ConsentNeeded", "crosswalk connect books", "inc-1", "http://h/runs/1", "Attention"):
        assert part in said, part
    assert "the grant \\\\*is\\\\* gone" in said


@pytest.mark.parametrize(("status", "kind"), [(400, Unfit), (413, Unfit), (401, Broken), (404, Broken), (502, NotSent)])
def test_teams_statuses_are_read_as_what_they_mean(small: World, status: int, kind: type[Trouble]) -> None:
    """A deleted flow or a refused signature breaks the channel; a card that is refused is the card's fault."""
    small.sink.teams.fail = [status]
    with pytest.raises(kind):
        teams.post(delivery(small, TEAMS))
    small.sink.teams.throttle, small.sink.teams.retry_after = 1, 9
    with pytest.raises(Later) as limited:
        teams.post(delivery(small, TEAMS))
    assert limited.value.wait == 9


def test_the_signature_of_the_url_is_a_secret_from_then_on(small: World) -> None:
    """Whoever has the url can post: its signature never comes out."""
    redact.forget_all()
    teams.post(delivery(small, TEAMS))
    assert SIG not in redact.text(f"posting to {SIG} failed")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x?sig=a", "https://tenant.webhook.office.com/webhookb2/x",
        "https://logic.azure.com.evil.test/x",
    ],
)  # fmt: skip
def test_only_microsofts_hosts_are_posted_to(small: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host, a retired connector, and a host that only looks right: refused before anything leaves."""
    monkeypatch.setenv("TEST_TEAMS_URL", url)
    with pytest.raises(Broken, match="the url is"):
        teams.post(delivery(small, '[channels.teams]\nkind = "teams"\nurl = "env:TEST_TEAMS_URL"\n'))


@pytest.mark.contract
@pytest.mark.parametrize("size", [0, 1, 5_000, 500_000])
def test_cards_fit_the_published_schema(small: World, size: int) -> None:
    """Of any size, a card is one of Adaptive Cards 1.4 and below the budget."""
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    schema = json.loads((SPECS / "teams" / "adaptive-card-1.4.0.json").read_text(encoding="utf-8-sig"))
    facts = tuple(Fact(f"fact {n}", "é" * (size // 10)) for n in range(size and 30))
    for kind in ("opened", "recovered"):
        made = delivery(small, TEAMS, kind=kind, repeat=bool(size), message=replace(
            MESSAGE, cause="✓" * size, facts=facts or MESSAGE.facts, title="t" * size or "t"))  # fmt: skip
        whole = teams.envelope(made)
        card = dict(whole["attachments"][0]["content"])
        del card["msteams"]
        jsonschema_rs.validator_for(schema).validate(card)
        assert len(json.dumps(whole, ensure_ascii=False).encode()) <= teams.BUDGET


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[channels.x]\nkind = "pager"\n', "it is one of slack"),
        ('[channels.x]\nkind = "slack"\ntoken = "env:A"\n', "lacks channel"),
        ('[channels.x]\nkind = "teams"\nurl = "env:A"\ncolour = "red"\n', "unknown settings: colour"),
        ('[channels.x]\nkind = "slack-webhook"\nurl = "https://hooks.slack.com/x"\n', "stands in the file"),
        ('[channels.x]\nkind = "smtp"\nhost="h"\nsender="a@b"\nto=["c@d"]\nsecurity="x"\n', "starttls, tls or none"),
        ('[owners.a]\nchannels = ["nowhere"]\n', "'nowhere', which is not declared"),
        ('[owners.a]\nslack_token = "env:A"\n', "no slack_channel"),
        ('[alerts]\ndigest = "eight"\n', "cannot be read"),
        ('[alerts]\nzone = "Mars/Olympus"\n', "cannot be read"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that cannot work is refused when the file is read, by the name of what is wrong."""
    (tmp_path / "crosswalk.toml").write_text(text)
    monkeypatch.setenv("CROSSWALK_STORE", "sqlite:///x.db")
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, "production")
    assert part in refused.value.what
    assert "hooks.slack.com/x" not in refused.value.what


def test_a_channel_belongs_to_its_environment(tmp_path: Path) -> None:
    """A production channel is not used by the sandbox, and naming it there is no mistake."""
    (tmp_path / "crosswalk.toml").write_text(
        '[channels.p]\nkind = "teams"\nurl = "env:A"\nenvironment = "production"\n[owners.a]\nchannels = ["p"]\n'
    )
    found = load(tmp_path, "sandbox")
    assert dict(found.channels) == {} and found.owners["a"].channels == ()
