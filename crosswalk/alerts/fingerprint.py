"""What makes two troubles the same: where and of which class they are, and their message without what varies."""

from __future__ import annotations

import hashlib
import re

LONGEST = 200
READ = 2_000

_VARYING = (
    (re.compile(r"[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,200}"), "<mail>"),
    (re.compile(r"\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"), "<date>"),
    (re.compile(r"\b\d\d?:\d\d(:\d\d)?\b|\b\d\d?[/.]\d\d?[/.]\d{2,4}\b"), "<date>"),
    (re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\""), "<value>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])\w{5,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[-+]?\d[\d.,]*"), "<n>"),
)


def normalised(text: str) -> str:
    """The text without urls, addresses, ids, dates, quoted values and numbers; at most 200 characters."""
    text = text[:READ]
    for pattern, stand_in in _VARYING:
        text = pattern.sub(stand_in, text)
    return " ".join(text.lower().split())[:LONGEST]


def fingerprint(environment: str, kind: str, about: str, step: str = "", error: str = "", code: str = "") -> str:
    """12 hexadecimal digits. about: the binding or ``connection:NAME``. The run is never part of it."""
    parts = (environment, kind, about, step, error, normalised(code))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]
