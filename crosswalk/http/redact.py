"""Takes secrets out of text: by the name they stand under, and by their value wherever it turns up.

The journal, errors, alerts and artifacts go through here. A value shorter than 6 characters is only found by name.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

import msgspec

GONE = "[redacted]"
SHORTEST = 6
KEPT = 256
"""Values that are remembered; the one that was not registered for longest is forgotten first."""

_ANYWHERE = ("token", "secret", "password", "passwd", "authorization", "cookie", "apikey", "credential", "signature")
_WHOLE = {"auth", "assertion", "codeverifier", "clientassertion", "hmac", "jwt", "pwd", "sig", "passphrase", "bearer"}
_HARMLESS = {"idempotencykey", "tokentype", "nextpagetoken", "pagetoken", "hastoken"}
_IF_RANDOM = {"code", "key", "state", "privatekey", "accesskey", "sharedkey", "webhookkey", "sessionid", "session"}
_PAIR = re.compile(r"""(["']?)([A-Za-z_][\w.-]{1,60})\1(\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}\]"']+)""")
_SCHEME = re.compile(r"\b(Bearer|Basic|Token|Digest)\s+([A-Za-z0-9+/_.~=-]{6,})", re.IGNORECASE)
_HEADER = re.compile(r"""\((b(['"])([A-Za-z0-9_-]{1,60})\2), b(['"])(.*?)\4\)""")
_WORD = re.compile(r"[a-z]{6,12}")  # "the token request": no secret is so short and so plain
_LINK = re.compile(r"""[a-z][a-z0-9+.-]{0,30}://[^\s"'<>\\]+""", re.IGNORECASE)
# Nothing but a known value can be found in a text without one of these.
_SUSPECT = re.compile(r"[=:]|(?:bearer|basic|token|digest)\s", re.IGNORECASE)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]|\\.)*+")*+([{}\[\]])', re.DOTALL)

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_lock = threading.Lock()
_values: OrderedDict[str, tuple[str, ...]] = OrderedDict()
_needles: tuple[str, ...] = ()


def register(*secrets: str) -> None:
    """Remember live secrets: from now on none of their forms comes out of this module."""
    global _needles
    with _lock:
        for secret in secrets:
            if len(secret) >= SHORTEST:
                _values[secret] = _values.get(secret) or tuple(_forms(secret))
                _values.move_to_end(secret)
        while len(_values) > KEPT:
            _values.popitem(last=False)
        _needles = tuple(sorted({form for forms in _values.values() for form in forms}, key=len, reverse=True))


def forget_all() -> None:
    """Forget every registered value; for tests, whose secrets are invented."""
    global _needles
    with _lock:
        _values.clear()
        _needles = ()


def _forms(secret: str) -> set[str]:
    """How a value may look inside other text: quoted for URLs, JSON, HTML; in hex; in base64 at any offset."""
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret)}
    forms |= {re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), form) for form in forms}
    forms |= {quote(quote(secret, safe=""), safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    raw = secret.encode("utf-8", "surrogatepass")
    forms |= {raw.hex(), raw.hex().upper(), repr(raw)[2:-1]}
    for offset, lead in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(b"\0" * offset + raw).decode()
        core = whole[lead : len(whole.rstrip("=")) - (1 if (offset + len(raw)) % 3 else 0)]
        forms |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return {form for form in forms if len(form) >= SHORTEST}


def is_secret(name: str, value: object = None) -> bool:
    """Whether what stands under this name (header, query, form or JSON key) is a secret.

    ``code`` and ``key`` also name harmless things, so they count only with a value that looks random.
    """
    always, random = _named(name)
    return always or (random and isinstance(value, str) and _random(value))


@functools.lru_cache(maxsize=4096)
def _named(name: str) -> tuple[bool, bool]:
    """Whether what stands under this name is a secret, and whether it is one if its value looks random."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _HARMLESS:
        return False, False
    return plain in _WHOLE or any(word in plain for word in _ANYWHERE), plain in _IF_RANDOM


def _random(value: str) -> bool:
    return len(value) >= 8 and " " not in value and not re.fullmatch(r"[A-Z_]+|[a-z_. -]+|[0-9.]+", value)


def text(value: str) -> str:
    """Any text: known values, ``name=value`` pairs and ``Bearer`` phrases under secret names, user parts of URLs."""
    value = _by_value(value)
    if _SUSPECT.search(value) is None or _INSTANT.fullmatch(value):
        return value
    value = _LINK.sub(lambda m: _by_value(url(m[0])), value)
    value = _HEADER.sub(lambda m: f"({m[1]}, b'{GONE}')" if is_secret(m[3], m[5]) else m[0], value)
    value = _SCHEME.sub(lambda m: m[0] if _WORD.fullmatch(m[2]) else f"{m[1]} {GONE}", value)
    return _PAIR.sub(_pair, value)


def _pair(match: re.Match[str]) -> str:
    name, value = match[2], match[4].strip("\"'")
    if value.startswith(GONE[:-1]) or value in ("", "...", "null", "true", "false"):
        return match[0]
    if not is_secret(name, value):
        # "refused: token=..." is a harmless name before a pair of its own.
        before = match.start(4) - match.start()
        return match[0][:before] + _PAIR.sub(_pair, match[4])
    quoted = match[4][0] if match[4][0] in "\"'" else ""
    return f"{match[1]}{name}{match[1]}{match[3]}{quoted}{GONE}{quoted}"


def _by_value(value: str) -> str:
    for needle in _needles:
        if needle in value:
            value = value.replace(needle, GONE)
    return value


def url(value: str) -> str:
    """An address without user part, secret query values and fragment."""
    try:
        parts = urlsplit(value)
        netloc = parts.netloc.rpartition("@")[2]
    except ValueError:
        return GONE
    query = _form(parts.query) if parts.query else ""
    if parts.scheme and not netloc:  # a file: urlunsplit forgets two of the slashes before its path
        return _by_value(f"{parts.scheme}://{parts.path}" + (f"?{query}" if query else ""))
    return _by_value(urlunsplit((parts.scheme, netloc, parts.path, query, "")))


def _form(value: str) -> str:
    pairs = parse_qsl(value, keep_blank_values=True)
    if not pairs:
        return _by_value(value)
    safe = [(name, GONE if content and is_secret(name, content) else _by_value(content)) for name, content in pairs]
    return urlencode(safe, safe="[]:,'\"/><= ")


def headers(values: Mapping[str, str]) -> dict[str, str]:
    """Headers, secret ones blanked."""
    return {name: GONE if is_secret(name, value) else text(value) for name, value in values.items()}


def data(value: Any) -> Any:
    """A nested value as from JSON, with everything under a secret name blanked and known values taken out."""
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, int | Decimal):
        return value
    if isinstance(value, Mapping):
        return {
            _by_value(str(name)): GONE if content not in (None, "") and is_secret(str(name), content) else data(content)
            for name, content in value.items()
        }
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        return [data(item) for item in value]
    return _by_value(value.decode("utf-8", "replace")) if isinstance(value, (bytes, bytearray)) else value


def body(content: bytes, content_type: str = "", longest: int = 0) -> str:
    """A request's or answer's body as text; what does not parse as its type is treated as any text.

    longest: about so many bytes are enough, of JSON whole values from its beginning; 0 is all of it.
    """
    if "form-urlencoded" in content_type:
        return _by_value(_form(content.decode("utf-8", "replace")))
    if "json" in content_type or content[:1] in (b"{", b"["):
        if 0 < longest < len(content):
            content = _beginning(content, longest)
        try:
            return _by_value(_encode(data(_decode(content))).decode())
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
            pass
    return text(content.decode("utf-8", "replace"))


def _beginning(content: bytes, longest: int) -> bytes:
    """JSON cut behind the last object or list that ends within ``longest`` bytes, and closed; all of it if none does.

    Never cut inside a value: half a secret would be found neither by name nor by value.
    """
    closers: list[bytes] = []
    at, cut = 0, 0
    open_there: list[bytes] = []
    while (found := _TO_BRACKET.match(content, at, longest)) is not None:
        at, bracket = found.end(), found.group(1)
        if bracket in b"{[":
            closers.append(b"}" if bracket == b"{" else b"]")
            continue
        if not closers or closers.pop() != bracket:
            return content
        cut, open_there = at, list(closers)
    return content[:cut] + b"".join(reversed(open_there)) if cut else content


class LogFilter(logging.Filter):
    """Redacts every record that passes a logger or handler; tracebacks become text here, once."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = text(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = text(logging.Formatter().formatException(record.exc_info))
        return True


_filter = LogFilter()
_LOUD = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")


def guard_logs() -> None:
    """Put the filter on the loggers of the HTTP library, which write addresses and headers.

    What Slack's library tells at DEBUG is a hook's whole address, which is a secret in itself: it is not told at all.
    """
    logging.getLogger("slack_sdk").setLevel(logging.INFO)
    for name in _LOUD:
        logger = logging.getLogger(name)
        if _filter not in logger.filters:
            logger.addFilter(_filter)
