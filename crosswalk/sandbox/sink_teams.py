"""A practice Workflows URL of Microsoft Teams: 202 for whatever starts the flow, and cards that may fail unseen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

PATH = "/teams/workflows/4f2a9c/triggers/manual/paths/invoke"
SIG = "practice-teams-sig"
URL = f"{PATH}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIG}"

_LARGEST = 28_000
_CARD = "application/vnd.microsoft.card.adaptive"


@dataclass
class Teams:
    """The flow and its channel. gone: the flow was deleted.  throttle: so many of the next posts get 429.

    unseen: what the flow was started with and could not post, as happens when its bot was removed.
    """

    gone: bool = False
    throttle: int = 0
    retry_after: int = 5
    fail: list[int] = field(default_factory=list)
    silent: bool = False
    cards: list[dict[str, Any]] = field(default_factory=list)
    unseen: list[dict[str, Any]] = field(default_factory=list)
    _runs: int = 0

    def answer(self, request: Request, body: bytes) -> Response:
        """What the gateway of Power Automate answers."""
        if request.query_params.get("sig") != SIG:
            return _error(401, "DirectApiAuthorizationRequired", "the request is not authorised")
        if self.gone or request.url.path != PATH:
            return _error(404, "WorkflowNotFound", "the workflow could not be found")
        if self.throttle:
            self.throttle -= 1
            return _error(429, "TooManyRequests", "rate limit", {"Retry-After": str(self.retry_after)})
        if self.fail:
            return _error(self.fail.pop(0), "Practice", "as was asked for")
        if len(body) > _LARGEST:
            return _error(413, "RequestEntityTooLarge", "Request Entity Too Large")
        try:
            content = json.loads(body)
            cards = [one["content"] for one in content["attachments"] if one["contentType"] == _CARD]
        except (ValueError, KeyError, TypeError):
            return _error(400, "TriggerInputSchemaMismatch", "the body does not fit the trigger's schema")
        if content.get("type") != "message" or not cards or any(c.get("type") != "AdaptiveCard" for c in cards):
            return _error(400, "InvalidRequestContent", "no adaptive card")
        (self.unseen if self.silent else self.cards).extend(cards)
        self._runs += 1
        return Response(status_code=202, headers={"x-ms-workflow-run-id": f"0858{self._runs:08d}"})


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)
