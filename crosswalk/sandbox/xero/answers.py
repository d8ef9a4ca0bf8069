"""Bytes on the wire: JSON with exact numbers, or XML, which is what Xero answers unless JSON is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from crosswalk.sandbox.xero.errors import bad_post_data

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_SINGULAR = {
    "Currencies": "Currency",
    "Addresses": "Address",
    "HistoryRecords": "HistoryRecord",
    "Elements": "DataContractBase",
    "Tracking": "TrackingCategory",
}


@dataclass(slots=True)
class Reply:
    """An answer ready to be sent."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def read_body(body: bytes, content_type: str) -> Any:
    """The posted JSON with exact numbers; anything that is not JSON is refused."""
    if "json" not in content_type.lower():
        raise bad_post_data("Data at the root level is invalid. Line 1, position 1.")
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_post_data(f"The body could not be parsed as JSON: {error}") from error


def wants_json(accept: str) -> bool:
    return "application/json" in accept.lower()


def reply(status: int, payload: Mapping[str, Any] | str, as_json: bool, headers: dict[str, str]) -> Reply:
    """A payload in the form that was asked for; texts stay texts."""
    if isinstance(payload, str):
        return Reply(status, payload.encode(), "text/plain; charset=utf-8" if payload else "", headers)
    if as_json or status in (401, 403):
        return Reply(status, _encoder.encode(payload), headers=headers)
    root = "Response" if status < 400 else "ApiException"
    return Reply(status, _xml(root, payload).encode(), "text/xml; charset=utf-8", headers)


def _xml(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_xml(k, v) for k, v in value.items() if v is not None)
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, list):
        single = _SINGULAR.get(name, name[:-1] if name.endswith("s") else name)
        return f"<{name}>{''.join(_xml(single, v) for v in value)}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"
