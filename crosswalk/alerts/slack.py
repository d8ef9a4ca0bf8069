"""Slack: an incoming webhook, or a bot token with a channel. Slack's limits are kept here, whatever a message holds."""

from __future__ import annotations

from typing import Any

from crosswalk.alerts.message import Fact, Message
from crosswalk.errors import AlertLost
from crosswalk.http import redact
from crosswalk.settings import Owner, resolve

HEADER = 150
FIELD = 400
FIELDS = 10
SECTION = 2_500
CONTEXT = 900
TEXT = 3_000
BUTTON = 75
URL = 3_000
TIMEOUT = 10
RETRIES = 3

Block = dict[str, Any]


class Slack:
    """One owner's channel. Nothing is sent or looked up before ``post``."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    @staticmethod
    def serves(owner: Owner) -> bool:
        """Whether this owner can be told through Slack."""
        return bool(owner.slack_webhook or owner.slack_token)

    def post(self, message: Message) -> None:
        """Post a message; waits as long as a rate limit asks. Raises AlertLost, SettingsError."""
        content = {"text": cut(message.plain(), TEXT), "blocks": blocks(message)}
        try:
            trouble = self._webhook(content) if self.owner.slack_webhook else self._bot(content)
        except OSError as error:
            trouble = f"{type(error).__name__}: {error}"
        if trouble:
            raise AlertLost(
                f"Slack did not take the alert for {self.owner.name!r}: {redact.text(trouble)}",
                next_command=f"check [owners.{self.owner.name}] in crosswalk.toml",
            )

    def _webhook(self, content: dict[str, Any]) -> str:
        from slack_sdk.webhook import WebhookClient

        url = resolve(self.owner.slack_webhook, f"the Slack webhook of {self.owner.name!r}")
        redact.register(url, url.rpartition("/")[2])
        client = WebhookClient(url, timeout=TIMEOUT)
        client.retry_handlers += _retry_handlers()
        answer = client.send(**content)
        return "" if answer.status_code == 200 else f"HTTP {answer.status_code} {answer.body[:200]}"

    def _bot(self, content: dict[str, Any]) -> str:
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError

        if not self.owner.slack_channel:
            return "slack_token is set, slack_channel is not"
        token = resolve(self.owner.slack_token, f"the Slack token of {self.owner.name!r}")
        redact.register(token)
        base = self.owner.slack_url.rstrip("/") + "/" if self.owner.slack_url else WebClient.BASE_URL
        client = WebClient(token, base_url=base, timeout=TIMEOUT)
        client.retry_handlers += _retry_handlers()
        try:
            client.chat_postMessage(channel=self.owner.slack_channel, unfurl_links=False, **content)
        except SlackApiError as error:
            return f"{error.response.get('error') or 'no answer'} (HTTP {error.response.status_code})"
        return ""


def _retry_handlers() -> list[Any]:
    from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

    return [RateLimitErrorRetryHandler(max_retry_count=RETRIES), ServerErrorRetryHandler(max_retry_count=RETRIES)]


def blocks(message: Message) -> list[Block]:
    """The message in Block Kit, within Slack's limits: 150 for a header, 3,000 a section, below 10,000 in all."""
    found: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(message.title, HEADER), "emoji": False}}
    ]
    if message.facts:
        found.append({"type": "section", "fields": [_field(fact) for fact in message.facts[:FIELDS]]})
    if message.cause:
        found.append(_section(f"```{escaped(message.cause.replace('```', chr(39) * 3), SECTION - 6)}```"))
    if message.then:
        found.append(_section(f"*Next by itself*\n{escaped(message.then, CONTEXT)}"))
    if message.command:
        found.append(_section(f"*To do*\n`{escaped(message.command.replace('`', chr(39)), CONTEXT)}`"))
    if message.link and message.link[1].startswith(("http://", "https://")) and len(message.link[1]) <= URL:
        words = {"type": "plain_text", "text": cut(message.link[0] or "Open the run", BUTTON), "emoji": False}
        found.append({"type": "actions", "elements": [{"type": "button", "text": words, "url": message.link[1]}]})
    found.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"crosswalk · {message.about}"}]})
    return found


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _field(fact: Fact) -> Block:
    text = escaped(fact.text, FIELD)
    if fact.at is not None:
        # Slack shows the instant in the reader's own zone; a bar would end the words that stand for it.
        text = f"<!date^{int(fact.at.timestamp())}^{{date_short_pretty}} {{time}}|{text.replace('|', '/')}>"
    return {"type": "mrkdwn", "text": f"*{escaped(fact.label, 60)}*\n{text or '-'}"}


def cut(text: str, most: int) -> str:
    """At most ``most`` characters, with a mark where something was left out; never empty."""
    text = text.strip() or "-"
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def escaped(text: str, most: int) -> str:
    """Text whose three special characters are escaped, at most ``most`` characters, never cut inside an escape."""
    escaped_whole = _escape(cut(text, most))
    while len(escaped_whole) > most:
        keep = len(text) - max(1, (len(escaped_whole) - most) // 5)
        text = cut(text, max(1, min(keep, len(text) - 1, most)))
        escaped_whole = _escape(text)
    return escaped_whole


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
