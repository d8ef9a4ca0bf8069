"""A message in Slack's Block Kit. Slack's limits are kept here, whatever a message holds."""

from __future__ import annotations

import re
from typing import Any

from crosswalk.alerts.channels.base import cut
from crosswalk.alerts.message import MENTION, Fact, Message

HEADER = 150
FIELD = 400
FIELDS = 10
SECTION = 2_500
CONTEXT = 900
BUTTON = 75
URL = 3_000
LONG = 300
_CALL = re.compile(r"(<[!@][\w^|-]{1,60}>[ ,]*){1,5}")
SECTIONS = 4

Block = dict[str, Any]


def blocks(message: Message) -> list[Block]:
    """The message in Block Kit, within Slack's limits: 150 for a header, 3,000 a section, below 10,000 in all."""
    found: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(message.title, HEADER), "emoji": False}}
    ]
    short = [fact for fact in message.facts if not _long(fact)]
    if short:
        found.append({"type": "section", "fields": [_field(fact) for fact in short[:FIELDS]]})
    for fact in [fact for fact in message.facts if _long(fact)][:SECTIONS]:
        found.append(_section(f"*{escaped(fact.label, 60)}*\n{escaped(fact.text, CONTEXT)}"))
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


def _long(fact: Fact) -> bool:
    """A list, or more than fits beside another."""
    return fact.at is None and ("\n" in fact.text.strip() or len(fact.text) > LONG)


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _field(fact: Fact) -> Block:
    called = fact.label == MENTION and _CALL.fullmatch(fact.text.strip())
    text = fact.text.strip() if called else escaped(fact.text, FIELD)
    if fact.at is not None:
        # Slack shows the instant in the reader's own zone; a bar would end the words that stand for it.
        text = f"<!date^{int(fact.at.timestamp())}^{{date_short_pretty}} {{time}}|{text.replace('|', '/')}>"
    return {"type": "mrkdwn", "text": f"*{escaped(fact.label, 60)}*\n{text or '-'}"}


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
