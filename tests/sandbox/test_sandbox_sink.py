"""The message sink answers Slack's own client as Slack does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from crosswalk.clock import SharedClock
from crosswalk.sandbox.serve import in_thread
from crosswalk.sandbox.sink import CHANNEL, HOOK, TOKEN, Sink, create, faulty

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "128 orders waiting"}}


class Served:
    def __init__(self, sink: Sink, address: str) -> None:
        self.sink = sink
        self.hook = WebhookClient(address + HOOK)
        self.web = WebClient(TOKEN, base_url=address + "/api/")
        self.stranger = WebClient("xoxb-other", base_url=address + "/api/")
        self.nowhere = WebhookClient(address + "/services/T/B/gone")


@pytest.fixture
def served(clock: SharedClock) -> Iterator[Served]:
    sink = Sink(clock)
    with in_thread(create(sink)) as address:
        yield Served(sink, address)


def test_a_webhooks_message_is_kept_and_answered_ok(served: Served) -> None:
    """200 and the two letters; text and blocks stand as sent."""
    answer = served.hook.send(text="failed", blocks=[SECTION])
    assert (answer.status_code, answer.body) == (200, "ok")
    assert [m.message["blocks"] for m in served.sink.messages] == [[SECTION]]


def test_a_webhook_refuses_in_plain_text(served: Served) -> None:
    """An unknown address, a message of nothing, an archived channel."""
    assert (served.nowhere.send(text="x").status_code, served.nowhere.send(text="x").body) == (404, "no_service")
    assert (served.hook.send(text="").status_code, served.hook.send(text="").body) == (400, "no_text")
    served.sink.archived.add(CHANNEL)
    assert served.hook.send(text="x").status_code == 410
    assert served.sink.messages == []


def test_after_a_429_the_clients_retry_arrives(served: Served) -> None:
    """Retry-After is said once, and the message is kept once."""
    served.sink.throttle, served.sink.retry_after = 1, 1
    served.hook.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    assert served.hook.send(text="late").status_code == 200
    served.sink.throttle = 1
    with pytest.raises(SlackApiError, match="ratelimited") as raised:
        served.web.chat_postMessage(channel=CHANNEL, text="x")
    assert raised.value.response.headers["Retry-After"] == "1"
    assert [m.message["text"] for m in served.sink.messages] == ["late"]


def test_a_message_is_posted_and_updated_by_its_ts(served: Served) -> None:
    """The key of a message is channel and ts; an update replaces it; the channel may be given by name."""
    assert served.web.auth_test()["ok"]
    posted = served.web.chat_postMessage(channel="#alerts", text="open", blocks=[SECTION])
    assert posted["channel"] == CHANNEL and isinstance(posted["ts"], str)
    served.web.chat_postMessage(channel=CHANNEL, text="in the thread", thread_ts=posted["ts"])
    served.web.chat_update(channel=CHANNEL, ts=posted["ts"], text="resolved")
    assert [(m.message["text"], m.edits) for m in served.sink.messages] == [("resolved", 1), ("in the thread", 0)]
    served.web.chat_delete(channel=CHANNEL, ts=posted["ts"])
    assert len(served.sink.messages) == 1


@pytest.mark.parametrize(
    ("code", "post"),
    [
        ("invalid_auth", lambda s: s.stranger.chat_postMessage(channel=CHANNEL, text="x")),
        ("channel_not_found", lambda s: s.web.chat_postMessage(channel="C0NONE", text="x")),
        ("no_text", lambda s: s.web.api_call("chat.postMessage", json={"channel": CHANNEL})),
        ("invalid_blocks", lambda s: s.web.chat_postMessage(channel=CHANNEL, text="x", blocks=[SECTION] * 51)),
        ("message_not_found", lambda s: s.web.chat_update(channel=CHANNEL, ts="1.0", text="x")),
    ],
)
def test_the_web_api_refuses_with_200_and_a_code(served: Served, code: str, post: object) -> None:
    """The client raises with Slack's own code."""
    assert callable(post)
    with pytest.raises(SlackApiError, match=code) as raised:
        post(served)
    assert raised.value.response.status_code == 200 and served.sink.messages == []


def test_a_token_without_the_scope_is_told_which(served: Served) -> None:
    """missing_scope says what is needed."""
    served.sink.scopes = {"files:write"}
    with pytest.raises(SlackApiError, match="missing_scope") as raised:
        served.web.chat_postMessage(channel=CHANNEL, text="x")
    assert raised.value.response["needed"] == "chat:write"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("msg_too_long", {"text": "x" * 40_001}),
        ("too_many_attachments", {"text": "x", "attachments": [{}] * 101}),
        ("invalid_blocks_format", {"blocks": "section"}),
        ("invalid_blocks", {"blocks": [{"type": "poem"}]}),
        ("invalid_blocks", {"blocks": [{"type": "section"}]}),
        ("invalid_blocks", {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}),
        ("invalid_blocks", {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}),
        ("invalid_blocks", {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]}),
        ("invalid_blocks", {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}]}),
        ("invalid_blocks", {"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}]}),
        ("invalid_blocks", {"blocks": [{"type": "divider", "block_id": "x" * 256}]}),
        ("msg_blocks_too_long", {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5}),
    ],
)
def test_limits_of_blocks(code: str, message: dict[str, object]) -> None:
    """What is over a limit of the sheet is refused with its code; what is at it is taken."""
    found = faulty(message)
    assert found is not None and found[0] == code


def test_a_message_at_the_limits_is_taken() -> None:
    """Fifty blocks, a header of 150, ten fields."""
    field = {"type": "mrkdwn", "text": "x"}
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}
    assert (
        faulty({"blocks": [header, {"type": "section", "fields": [field] * 10}, *[{"type": "divider"}] * 48]}) is None
    )
