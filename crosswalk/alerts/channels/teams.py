"""Microsoft Teams: an Adaptive Card to a Workflows URL. A card can be neither changed nor answered to.

202 says that the flow was started; whether it posted is known to Power Automate alone.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from crosswalk.alerts.channels.base import TIMEOUT, Broken, Delivery, Later, NotSent, Sent, Unfit, Unknown, cut
from crosswalk.alerts.channels.slack import wait
from crosswalk.http import redact
from crosswalk.http.library import httpx

BUDGET = 24_000
"""Bytes. Teams takes about 28 KB and refuses, or loses, what is larger."""
HOSTS = (".logic.azure.com", ".environment.api.powerplatform.com")
COLOURS = {"critical": "Attention", "error": "Attention", "warning": "Warning", "info": "Good"}
TITLE, FACT, CAUSE, COMMAND = 300, 600, 4_000, 900


def post(delivery: Delivery) -> Sent:
    """Post a card. Raises the troubles of base."""
    url = delivery.secret("url")
    _fits(url)
    for name, value in (part.partition("=")[::2] for part in urlsplit(url).query.split("&")):
        if name == "sig":
            redact.register(value)
    content = json.dumps(envelope(delivery), ensure_ascii=False).encode()
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client:
            answer = client.post(url, content=content, headers={"Content-Type": "application/json; charset=utf-8"})
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise NotSent(redact.text(f"no connection to Teams: {error}")) from error
    except httpx.HTTPError as error:
        raise Unknown(redact.text(f"no answer from Teams: {type(error).__name__} {error}")) from error
    words = redact.text(f"Teams says {' '.join(answer.text.split())[:200]} (HTTP {answer.status_code})")
    if answer.is_success:
        ref = answer.headers.get("x-ms-workflow-run-id", "")
        return Sent(ref, f"HTTP {answer.status_code}, flow run {ref or 'unnamed'}; 202 means queued, not shown")
    if answer.status_code == 429:
        raise Later(words, wait(answer.headers))
    if answer.status_code >= 500 or answer.status_code == 408:
        raise NotSent(words)
    raise Unfit(words) if answer.status_code in (400, 413, 422) else Broken(words)


def _fits(url: str) -> None:
    """Only Microsoft's own hosts, and this machine for practice: the address is a secret and the body is ours."""
    host = urlsplit(url).hostname or ""
    if host.endswith("webhook.office.com"):
        raise Broken("the url is an Office 365 connector, which Microsoft has switched off; make a Workflows URL")
    if not host.endswith(HOSTS) and host not in ("127.0.0.1", "localhost", "::1"):
        raise Broken("the url is no Workflows URL: its host ends neither with " + " nor with ".join(HOSTS))


def envelope(delivery: Delivery) -> dict[str, Any]:
    """What is posted: the card in the message that the stock template loops over, or bare, below 24,000 bytes."""
    body, actions = _body(delivery), _actions(delivery)
    while True:
        wrapped = _wrapped(delivery, body, actions)
        if len(json.dumps(wrapped, ensure_ascii=False).encode()) <= BUDGET:
            return wrapped
        if not delivery.minimal:
            return envelope(_with_less(delivery))
        body = body[:1]


def _with_less(delivery: Delivery) -> Delivery:
    from dataclasses import replace

    return replace(delivery, minimal=True)


def _wrapped(delivery: Delivery, body: list[Any], actions: list[Any]) -> dict[str, Any]:
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "msteams": {"width": "Full"}, "body": body,
    }  # fmt: skip
    if actions:
        card["actions"] = actions
    if delivery.channel.text("envelope", "message") == "card":
        return card
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _body(delivery: Delivery) -> list[dict[str, Any]]:
    message = delivery.message
    title = cut(message.title, TITLE)
    body = [_text(title, size="Large", weight="Bolder", color=COLOURS.get(message.severity, "Default"))]
    if delivery.repeat:
        body.append(_text("This may be a repetition: the answer to an earlier attempt was lost.", isSubtle=True))
    facts = [{"title": cut(f.label, 60), "value": _plain(cut(delivery.words(f), FACT))} for f in delivery.facts()[:20]]
    if facts and not delivery.minimal:
        body.append({"type": "FactSet", "facts": facts})
    if message.cause:
        body.append(_text(_plain(cut(message.cause, 300 if delivery.minimal else CAUSE)), fontType="Monospace"))
    if message.then and not delivery.minimal:
        body.append(_text("Next by itself: " + _plain(cut(message.then, COMMAND))))
    if message.command:
        body.append(_text("To do: " + _plain(cut(message.command, 200 if delivery.minimal else COMMAND))))
    return [*body, _text(f"crosswalk · {delivery.incident}", isSubtle=True, size="Small")]


def _text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": words, "wrap": True, **more}


def _plain(text: str) -> str:
    """Text whose Markdown signs mean nothing: cards read a subset of it."""
    return "".join("\\" + sign if sign in "*_[]`~" else sign for sign in text)


def _actions(delivery: Delivery) -> list[dict[str, Any]]:
    link = delivery.message.link
    if link is None or not link[1].startswith(("http://", "https://")) or len(link[1]) > 2_000:
        return []
    return [{"type": "Action.OpenUrl", "title": cut(link[0] or "Open the run", 75), "url": link[1]}]
