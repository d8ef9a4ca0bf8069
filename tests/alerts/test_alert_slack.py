"""Alerts arrive at a workspace through slack-sdk, as a webhook and as a bot."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from crosswalk.alerts import notify
from crosswalk.alerts.message import Failure, HeldRows
from crosswalk.clock import SystemClock
from crosswalk.sandbox.serve import in_thread
from crosswalk.sandbox.sink import CHANNEL, HOOK, TOKEN, Sink, create
from crosswalk.settings import Owner

FAILURE = Failure(
    "orders", "sandbox", "shopify_orders_to_xero_invoices", "load", "Unreachable", "no connection to Xero",
    datetime(2026, 11, 23, 9, 30, tzinfo=UTC), then="The next run goes on.", link="http://127.0.0.1:4200/runs/1",
)  # fmt: skip
WARNINGS = [
    HeldRows("orders", "sandbox", "tax type", "", "no tax type", 3, ("1", "2", "3")),
    HeldRows("orders", "sandbox", "required", "", "is missing", 1, ("4",)),
]


@pytest.fixture
def sink() -> Sink:
    return Sink(SystemClock())


@pytest.fixture
def address(sink: Sink) -> Iterator[str]:
    with in_thread(create(sink)) as url:
        yield url


def owner(address: str, way: str) -> Owner:
    if way == "webhook":
        return Owner("finance", slack_webhook=address + HOOK)
    return Owner("finance", slack_token=TOKEN, slack_channel=CHANNEL, slack_url=address + "/api")


@pytest.mark.parametrize("way", ["webhook", "api"])
def test_an_alert_arrives_after_a_429(sink: Sink, address: str, way: str) -> None:
    """A rate limit is waited for as long as it asks, and then the alert is there, once."""
    sink.throttle, sink.retry_after = 1, 1
    began = time.monotonic()
    assert notify.failed(FAILURE, owner(address, way)) == ""
    assert time.monotonic() - began >= 1
    assert sink.refused == ["ratelimited"]
    (posted,) = sink.messages
    assert posted.via == way
    assert "orders failed: Unreachable" in posted.message["text"]
    assert "no connection to Xero" in json.dumps(posted.message["blocks"])


def test_each_rule_warns_by_itself(sink: Sink, address: str) -> None:
    """Newly held rows make one message a rule."""
    assert notify.held(WARNINGS, owner(address, "api")) == ""
    texts = [m.message["text"] for m in sink.messages]
    assert ["tax type" in texts[0], "required" in texts[1], len(texts)] == [True, True, 2]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"slack_webhook": "{}/services/T0/B0/wrong-hook-998877"}, "no_service"),
        ({"slack_token": "xoxb-wrong-998877", "slack_channel": CHANNEL, "slack_url": "{}/api"}, "invalid_auth"),
        ({"slack_token": TOKEN, "slack_channel": "C0NOWHERE", "slack_url": "{}/api"}, "channel_not_found"),
        ({"slack_token": TOKEN, "slack_url": "{}/api"}, "slack_channel is not"),
        ({"slack_webhook": "http://127.0.0.1:9/services/x"}, "refused"),
        ({"slack_webhook": "env:CROSSWALK_TEST_NO_SUCH_HOOK"}, "CROSSWALK_TEST_NO_SUCH_HOOK"),
        ({}, "names no channel"),
    ],
)
def test_a_channel_that_fails_is_loud_and_hides_nothing(
    address: str, caplog: pytest.LogCaptureFixture, values: dict[str, str], word: str
) -> None:
    """What kept the alert from arriving is returned and logged with the alert itself, without the channel's secret."""
    broken = Owner("finance", **{name: value.format(address) for name, value in values.items()})
    with caplog.at_level(logging.ERROR):
        trouble = notify.failed(FAILURE, broken)
    assert "nobody was told" in trouble
    assert word.lower() in trouble.lower()
    assert "no connection to Xero" in caplog.text, "the alert itself is in the log"
    assert "998877" not in caplog.text + trouble


def test_no_owner_is_said_out_loud(caplog: pytest.LogCaptureFixture) -> None:
    """An integration whose owner the settings do not know fails no run, but does not pass in silence either."""
    assert "nobody was told" in notify.failed(FAILURE, None)
    assert "no connection to Xero" in caplog.text
