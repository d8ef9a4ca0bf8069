"""Whether a delivery comes from who it says: signatures over the raw bytes, compared in constant time.

Several secrets may be good at once, so that they can be rotated; all of them are always compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

WINDOW = 300.0
"""Seconds by which a signed timestamp may differ from our clock."""

Verdict = Literal["good", "forged", "old"]


def digest(secret: bytes, body: bytes) -> bytes:
    """HMAC-SHA256 in base64, as Shopify and Xero send it."""
    return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())


def hmac_good(secrets: Sequence[str], given: bytes, body: bytes) -> bool:
    """Whether one of the secrets, as text and never decoded, signed these bytes."""
    good = False
    for secret in secrets:
        good |= hmac.compare_digest(digest(secret.encode(), body), given)
    return good


def standard(secrets: Sequence[str], id: bytes, timestamp: bytes, given: bytes, body: bytes, now: datetime) -> Verdict:
    """Standard Webhooks: ``v1,base64`` signatures with blanks between, over ``id.timestamp.body``.

    old: rightly signed, but sent more than five minutes from now.
    """
    wanted = [sign(secret, id, timestamp, body) for secret in secrets]
    good = False
    for one in given.split()[:16]:
        version, _, signature = one.partition(b",")
        for own in wanted:
            good |= (version == b"v1") & hmac.compare_digest(own, signature)
    if not good or not timestamp.isdigit() or len(timestamp) > 12:
        return "forged"
    return "good" if abs(int(timestamp) - now.timestamp()) <= WINDOW else "old"


def sign(secret: str, id: bytes, timestamp: bytes, body: bytes) -> bytes:
    """The signature of Standard Webhooks, in base64 and without its version."""
    return digest(key(secret), b".".join((id, timestamp, body)))


def key(secret: str) -> bytes:
    """The bytes of a secret: ``whsec_`` and base64, or any other text as it stands."""
    encoded = secret.removeprefix("whsec_")
    if encoded != secret:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()
