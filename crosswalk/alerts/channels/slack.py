"""Slack: a bot that keeps one thread an incident, and an incoming webhook that can only post.

The client's own retries are switched off: it would post again after a lost answer. The bot writes the notification's
id into the message's metadata, so that with the scope channels:history (groups:history for a private channel) a
message whose answer was lost is found again and not posted twice.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

from crosswalk.alerts.channels.base import TIMEOUT, Broken, Delivery, Later, NotSent, Sent, Unfit, Unknown, cut
from crosswalk.alerts.slack import blocks
from crosswalk.http import redact

EVENT = "crosswalk_alert"
TEXT = 3_000
BROADCAST = ("reminder", "escalated", "recovered")
BY_MESSAGE = (
    "msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments", "invalid_blocks", "invalid_blocks_format",
    "invalid_arguments", "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found",
    "invalid_metadata_format", "metadata_too_large",
)  # fmt: skip
PASSING = ("internal_error", "service_unavailable", "request_timeout", "team_added_to_org")
DEFAULT_WAIT = 30.0


def post(delivery: Delivery) -> Sent:
    """Post to a channel as the bot, or change the first message. Raises the troubles of base."""
    where = {"channel": delivery.channel.text("channel")}
    if delivery.kind == "edit":
        if not delivery.root:
            return Sent(answer="there is no message to edit")
        return _answered(lambda c: c.chat_update(**where, ts=delivery.root, **_content(delivery)), delivery)
    if delivery.root:
        where |= {"thread_ts": delivery.root}
        if delivery.kind in BROADCAST:
            where |= {"reply_broadcast": True}  # type: ignore[dict-item]
    mark = {"event_type": EVENT, "event_payload": {"id": delivery.id, "incident": delivery.incident}}
    return _answered(
        lambda c: c.chat_postMessage(**where, metadata=mark, unfurl_links=False, **_content(delivery)), delivery
    )


def look_up(delivery: Delivery) -> Sent | None:
    """The message, if it arrived before; None if it surely did not. Raises Unknown when that cannot be seen."""
    client = _client(delivery)
    where = {"channel": delivery.channel.text("channel"), "include_all_metadata": True, "limit": 100}

    def ask(c: Any) -> Any:
        if delivery.root:
            return c.conversations_replies(ts=delivery.root, **where)
        return c.conversations_history(**where)

    try:
        found = _call(lambda: ask(client))
    except (Broken, Unfit, NotSent) as error:
        raise Unknown(f"it cannot be looked up: {error.what}") from error
    for message in found.get("messages", ()):
        if (message.get("metadata") or {}).get("event_payload", {}).get("id") == delivery.id:
            return Sent(str(message["ts"]), "found: it had arrived")
    if found.get("has_more"):
        raise Unknown("it cannot be looked up: too much was said since")
    return None


def test(delivery: Delivery) -> Sent:
    """Ask who the bot is, then post. Raises the troubles of base."""
    client = _client(delivery)
    about = _call(client.auth_test)
    sent = post(delivery)
    return Sent(sent.ref, f"bot {about.get('user')} of {about.get('team')}; {sent.answer}")


def _content(delivery: Delivery) -> dict[str, Any]:
    text = cut(delivery.message.plain(), TEXT)
    if delivery.repeat:
        text = cut(f"(may be a repetition) {text}", TEXT)
    return {"text": text} if delivery.minimal else {"text": text, "blocks": blocks(delivery.message)}


def _client(delivery: Delivery) -> Any:
    from slack_sdk import WebClient

    url = delivery.channel.text("api_url")
    base = url.rstrip("/") + "/" if url else WebClient.BASE_URL
    return WebClient(delivery.secret("token"), base_url=base, timeout=TIMEOUT, retry_handlers=[])


def _answered(call: Callable[[Any], Any], delivery: Delivery) -> Sent:
    client = _client(delivery)
    answer = _call(lambda: call(client))
    return Sent(str(answer.get("ts", "")), f"ok, {answer.get('channel')} {answer.get('ts')}")


def _call(call: Callable[[], Any]) -> Any:
    from slack_sdk.errors import SlackApiError, SlackRequestError

    try:
        return call()
    except SlackApiError as error:
        raise _trouble(error) from error
    except (SlackRequestError, ValueError) as error:
        raise Unknown(f"Slack's answer cannot be read: {redact.text(str(error))[:300]}") from error
    except (http.client.HTTPException, OSError) as error:
        raise lost(error, "Slack") from error


def _trouble(error: Any) -> Exception:
    answer = error.response
    code = str(answer.get("error") or "") if isinstance(answer.data, dict) else ""
    needed = answer.get("needed") if code == "missing_scope" else ""
    words = f"Slack says {code or 'nothing'} (HTTP {answer.status_code})" + (f", needed: {needed}" if needed else "")
    if answer.status_code == 429 or code in ("ratelimited", "rate_limited"):
        return Later(words, wait(answer.headers))
    if code == "fatal_error":
        return Unknown(words)
    if answer.status_code >= 500 or code in PASSING:
        return NotSent(words)
    return Unfit(words) if code in BY_MESSAGE else Broken(words)


def wait(headers: Any) -> float:
    """Seconds that a Retry-After asks for, at least one; half a minute where it asks for none."""
    for name, value in dict(headers or {}).items():
        if name.lower() == "retry-after":
            try:
                return max(1.0, float(value[0] if isinstance(value, list) else value))
            except ValueError:
                break
    return DEFAULT_WAIT


def lost(error: Exception, whose: str) -> Exception:
    """What a failure of the network means: refused before anything left, or nobody knows."""
    reason = error.reason if isinstance(error, URLError) else error
    words = redact.text(f"no answer from {whose}: {type(error).__name__}: {error}")
    if isinstance(error, URLError) and not isinstance(reason, (TimeoutError, ConnectionResetError)):
        return NotSent(words)  # urllib wraps what happens while connecting, and passes on what happens after
    return NotSent(words) if isinstance(reason, ConnectionRefusedError) else Unknown(words)


def hook(delivery: Delivery) -> Sent:
    """Post to an incoming webhook. Raises the troubles of base."""
    from slack_sdk.webhook import WebhookClient

    client = WebhookClient(delivery.secret("url"), timeout=TIMEOUT, retry_handlers=[])
    try:
        answer = client.send(**_content(delivery))
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise lost(error, "Slack") from error
    words = redact.text(f"Slack says {answer.body[:200]!r} (HTTP {answer.status_code})")
    if answer.status_code == 200:
        return Sent(answer=f"{answer.body[:100]} (HTTP 200)")
    if answer.status_code == 429:
        raise Later(words, wait(answer.headers))
    if answer.status_code >= 500:
        raise NotSent(words)
    bad_message = answer.status_code == 400 and answer.body.strip() != "invalid_token"
    raise Unfit(words) if bad_message else Broken(words)
