"""Where alerts arrive in practice: an incoming webhook and the Web API methods that alerts use, as Slack answers them.

``POST /services/...`` takes a webhook's message, ``POST /api/<method>`` the Web API's, and ``POST /teams/...`` is a
Workflows URL of Microsoft Teams (sink_teams.py). Every message taken is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crosswalk.clock import Clock
from crosswalk.sandbox.sink_teams import Teams

TOKEN = "xoxb-practice"  # noqa: S105 - the practice workspace's, good for nothing else
HOOK = "/services/T0PRACTICE/B0PRACTICE/practice"
CHANNEL = "C0PRACTICE"

_READS = ("conversations.history", "conversations.replies")
_MOST_BLOCKS, _MOST_ATTACHMENTS, _MOST_TEXT, _MOST_BLOCK_TEXT = 50, 100, 40_000, 13_200
_TEXT_LIMITS = {"section": 3000, "header": 150, "markdown": 12_000}
_LIST_LIMITS = {"fields": 10, "elements": 25}
_KNOWN = {
    "section",
    "header",
    "divider",
    "context",
    "actions",
    "image",
    "markdown",
    "rich_text",
    "input",
    "video",
    "file",
}


@dataclass
class Posted:
    """A message as it stands now. via: webhook or api. ts is Slack's text form of the instant."""

    via: str
    channel: str
    ts: str
    message: dict[str, Any]
    edits: int = 0


@dataclass
class Sink:
    """The practice workspace. ``throttle``: so many of the next posts get 429 with ``retry_after`` seconds.

    fail: the answers to the next posts, whatever they are: a status of HTTP with no body worth reading, or an error
    code of the Web API.  lose: so many of the next messages are kept, but the answer never comes.
    """

    clock: Clock
    token: str = TOKEN
    hook: str = HOOK
    channels: dict[str, str] = field(default_factory=lambda: {CHANNEL: "alerts"})
    archived: set[str] = field(default_factory=set)
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "chat:write.public"})
    throttle: int = 0
    retry_after: int = 1
    fail: list[str] = field(default_factory=list)
    lose: int = 0
    teams: Teams = field(default_factory=Teams)
    messages: list[Posted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _serial: int = 0

    def clear(self) -> None:
        """Forget every message."""
        self.messages.clear()
        self.teams.cards.clear()
        self.refused.clear()

    def plain(self) -> list[dict[str, Any]]:
        """The messages, oldest first, as plain dicts."""
        return [asdict(message) for message in self.messages]

    def next_ts(self) -> str:
        self._serial += 1
        return f"{int(self.clock.now().timestamp())}.{self._serial:06d}"

    def throttled(self) -> bool:
        if self.throttle > 0:
            self.throttle -= 1
            self.refused.append("ratelimited")
            return True
        return False

    def failure(self) -> Response | None:
        """The answer that the next post gets instead of its own."""
        if not self.fail:
            return None
        code = self.fail.pop(0)
        if code.isdigit():
            return _plain(self, int(code), f"HTTP {code}")
        return _error(self, code)


def create(sink: Sink) -> Starlette:
    """The ASGI application over this state."""

    async def webhook(request: Request) -> Response:
        return _webhook(sink, request.url.path, await request.body())

    async def api(request: Request) -> Response:
        return _api(sink, request, await request.body())

    async def teams(request: Request) -> Response:
        return sink.teams.answer(request, await request.body())

    app = Starlette(
        routes=[
            Route("/teams/{path:path}", teams, methods=["POST"]),
            Route("/services/{path:path}", webhook, methods=["POST"]),
            Route("/api/{method}", api, methods=["GET", "POST"]),
        ]
    )
    app.state.sink = sink
    return app


def _webhook(sink: Sink, path: str, body: bytes) -> Response:
    if path != sink.hook:
        return _plain(sink, 404, "no_service")
    if sink.throttled():
        return PlainTextResponse("rate_limited", 429, {"Retry-After": str(sink.retry_after)})
    if (failure := sink.failure()) is not None:
        return failure
    message = _json(body)
    if message is None:
        return _plain(sink, 400, "invalid_payload")
    problem = faulty(message)
    if problem:
        return _plain(sink, 400, problem[0])
    channel = next(iter(sink.channels))
    if channel in sink.archived:
        return _plain(sink, 410, "channel_is_archived")
    sink.messages.append(Posted("webhook", channel, sink.next_ts(), message))
    if sink.lose:
        return _lost(sink)
    return PlainTextResponse("ok", 200, media_type="text/html")


def _plain(sink: Sink, status: int, text: str) -> Response:
    sink.refused.append(text)
    return PlainTextResponse(text, status, media_type="text/html")


def _api(sink: Sink, request: Request, body: bytes) -> Response:
    method = request.path_params["method"]
    if method not in ("auth.test", "chat.postMessage", "chat.update", "chat.delete", *_READS):
        return _error(sink, "unknown_method", req_method=method)
    header = request.headers.get("authorization", "")
    form = "form" in request.headers.get("content-type", "")
    values = dict(parse_qsl(body.decode())) if form else _json(body) if body else dict(request.query_params)
    if values is None:
        return _error(sink, "invalid_json")
    token = header.removeprefix("Bearer ") or str(values.pop("token", ""))
    if token != sink.token:
        return _error(sink, "invalid_auth" if token else "not_authed")
    if method == "auth.test":
        about = {
            "ok": True,
            "url": str(request.base_url),
            "team": "Practice",
            "user": "crosswalk",
            "team_id": "T0PRACTICE",
        }
        return JSONResponse({**about, "user_id": "U0BOT", "bot_id": "B0PRACTICE"}, headers=_scopes(sink))
    if method in _READS:
        return _read(sink, method, values)
    if "chat:write" not in sink.scopes:
        return _error(sink, "missing_scope", needed="chat:write", provided=",".join(sorted(sink.scopes)))
    if sink.throttled():
        limited = {"Retry-After": str(sink.retry_after)}
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers=limited)
    if (failure := sink.failure()) is not None:
        return failure
    if form:
        values = {name: _nested(value) for name, value in values.items()}
    return _chat(sink, method, values)


def _chat(sink: Sink, method: str, values: dict[str, Any]) -> Response:
    channel = _channel(sink, str(values.get("channel", "")))
    if channel is None:
        return _error(sink, "channel_not_found")
    if channel in sink.archived:
        return _error(sink, "is_archived")
    ts = str(values.get("ts", ""))
    posted = next((m for m in sink.messages if m.channel == channel and m.ts == ts), None)
    if method != "chat.postMessage" and posted is None:
        return _error(sink, "message_not_found")
    if method == "chat.delete" and posted is not None:
        sink.messages.remove(posted)
        return JSONResponse({"ok": True, "channel": channel, "ts": ts})
    message = {name: value for name, value in values.items() if name not in ("channel", "ts")}
    problem = faulty(message)
    if problem:
        return _error(sink, problem[0], response_metadata={"messages": [f"[ERROR] {problem[1]}"]})
    if posted is None:
        posted = Posted("api", channel, sink.next_ts(), message)
        sink.messages.append(posted)
    else:
        posted.message, posted.edits = message, posted.edits + 1
    if sink.lose and method == "chat.postMessage":
        return _lost(sink)
    shown = {"type": "message", "subtype": "bot_message", "ts": posted.ts, "bot_id": "B0PRACTICE", **message}
    return JSONResponse({"ok": True, "channel": channel, "ts": posted.ts, "message": shown}, headers=_scopes(sink))


def _lost(sink: Sink) -> Response:
    """An answer that breaks off: it promises more than it holds."""
    sink.lose -= 1
    return PlainTextResponse("", 200, {"Content-Length": "99"})


def _read(sink: Sink, method: str, values: dict[str, Any]) -> Response:
    """Messages of a channel, newest first, or of a thread, oldest first, as Slack lists them."""
    if "channels:history" not in sink.scopes:
        return _error(sink, "missing_scope", needed="channels:history", provided=",".join(sorted(sink.scopes)))
    channel = _channel(sink, str(values.get("channel", "")))
    if channel is None:
        return _error(sink, "channel_not_found")
    thread = str(values.get("ts", ""))
    mine = [m for m in sink.messages if m.channel == channel and m.via == "api"]
    if method == "conversations.replies":
        found = [m for m in mine if thread in (m.ts, str(m.message.get("thread_ts", "")))]
    else:
        found = [m for m in reversed(mine) if not m.message.get("thread_ts") or m.message.get("reply_broadcast")]
    metadata = str(values.get("include_all_metadata", "")).lower() in ("true", "1")
    limit = int(values.get("limit") or 100)
    shown = [
        {"type": "message", "ts": m.ts, **{k: v for k, v in m.message.items() if metadata or k != "metadata"}}
        for m in found[:limit]
    ]
    more = {"has_more": len(found) > limit, "response_metadata": {"next_cursor": ""}}
    return JSONResponse({"ok": True, "messages": shown, **more}, headers=_scopes(sink))


def faulty(message: dict[str, Any]) -> tuple[str, str] | None:
    """Slack's error code for a message it would not take, and where it is wrong; None for a good one."""
    blocks, attachments = message.get("blocks") or [], message.get("attachments") or []
    if not message.get("text") and not blocks and not attachments:
        return "no_text", "no text, blocks or attachments"
    if len(str(message.get("text", ""))) > _MOST_TEXT:
        return "msg_too_long", "text"
    if len(attachments) > _MOST_ATTACHMENTS:
        return "too_many_attachments", "attachments"
    if not isinstance(blocks, list) or any(not isinstance(block, dict) for block in blocks):
        return "invalid_blocks_format", "blocks"
    if len(blocks) > _MOST_BLOCKS:
        return "invalid_blocks", f"no more than {_MOST_BLOCKS} items allowed [json-pointer:/blocks]"
    for index, block in enumerate(blocks):
        problem = _faulty_block(block)
        if problem:
            return "invalid_blocks", f"{problem} [json-pointer:/blocks/{index}]"
    if sum(_text_length(block) for block in blocks) > _MOST_BLOCK_TEXT:
        return "msg_blocks_too_long", "blocks"
    return None


def _faulty_block(block: dict[str, Any]) -> str | None:
    kind = block.get("type")
    if kind not in _KNOWN:
        return "unsupported type: " + str(kind)
    if kind == "section" and not block.get("text") and not block.get("fields"):
        return "missing required field: text"
    limit = _TEXT_LIMITS.get(str(kind))
    if limit and not isinstance(block.get("text", ""), (str, dict)):
        return "must provide an object: text"
    if limit and _own_text(block.get("text")) > limit:
        return f"must be less than {limit + 1} characters: text"
    for name, most in _LIST_LIMITS.items():
        items = block.get(name) or []
        if len(items) > (10 if kind == "context" else most):
            return f"no more than {most} items allowed: {name}"
        if name == "fields" and any(_own_text(item) > 2000 for item in items):
            return "must be less than 2001 characters: fields"
    return "must be less than 256 characters: block_id" if len(str(block.get("block_id", ""))) > 255 else None


def _own_text(text: Any) -> int:
    return len(str(text.get("text", ""))) if isinstance(text, dict) else len(str(text or ""))


def _text_length(value: Any) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_text_length(item) for item in value.values() if isinstance(item, (dict, list)))
    return sum(_text_length(item) for item in value) if isinstance(value, list) else 0


def _channel(sink: Sink, wanted: str) -> str | None:
    names = {f"#{name}": channel for channel, name in sink.channels.items()}
    return wanted if wanted in sink.channels else names.get(wanted)


def _scopes(sink: Sink) -> dict[str, str]:
    return {"x-oauth-scopes": ",".join(sorted(sink.scopes))}


def _error(sink: Sink, code: str, **more: Any) -> Response:
    sink.refused.append(code)
    return JSONResponse({"ok": False, "error": code, **more}, headers=_scopes(sink))


def _nested(value: str) -> Any:
    """A form's value, which is JSON text where the JSON call has a list or an object."""
    if value[:1] in "[{":
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
