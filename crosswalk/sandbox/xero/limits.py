"""How many requests an app may send: at once, in a minute, in a day. A refused request does not count."""

from __future__ import annotations

import math

from crosswalk.sandbox.xero.errors import Refusal
from crosswalk.sandbox.xero.organisation import Organisation

_DAY = 86_400.0


def admit(org: Organisation, now: float) -> dict[str, str]:
    """Count one request at ``now`` (seconds) and return the headers that tell what is left; 429 over a limit.

    The minute is the last ``org.minute`` seconds; a day begins with its first request.
    """
    state, limits = org.state, org.limits
    while state.calls and state.calls[0] <= now - org.minute:
        state.calls.popleft()
    if now >= state.day_start + _DAY:
        state.day_start, state.day_calls = now, 0
    if org.in_flight > limits.concurrent:
        raise _refused(org, "concurrent", None)
    if len(state.calls) >= limits.app_minute:
        raise _refused(org, "appminute", state.calls[0] + org.minute - now)
    if len(state.calls) >= limits.minute:
        raise _refused(org, "minute", state.calls[0] + org.minute - now)
    if state.day_calls >= limits.day:
        raise _refused(org, "day", state.day_start + _DAY - now)
    state.calls.append(now)
    state.day_calls += 1
    return _left(org)


def _left(org: Organisation) -> dict[str, str]:
    state, limits = org.state, org.limits
    return {
        "X-MinLimit-Remaining": str(max(0, limits.minute - len(state.calls))),
        "X-DayLimit-Remaining": str(max(0, limits.day - state.day_calls)),
        "X-AppMinLimit-Remaining": str(max(0, limits.app_minute - len(state.calls))),
    }


def _refused(org: Organisation, problem: str, wait: float | None) -> Refusal:
    headers = {"X-Rate-Limit-Problem": problem, **_left(org)}
    if wait is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return Refusal(429, "", headers)
