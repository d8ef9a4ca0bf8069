"""What the receiver says of itself, as OpenAPI 3.1: for the authors of own applications, and for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crosswalk.webhooks.doors import Door

HEADERS = {
    "shopify": ("x-shopify-topic", "x-shopify-hmac-sha256", "x-shopify-webhook-id"),
    "xero": ("x-xero-signature",),
    "standard": ("webhook-id", "webhook-timestamp", "webhook-signature"),
}
REFUSED = {
    "401": "The signature does not fit, or the timestamp is more than five minutes from now.",
    "404": "There is no such route, or the delivery is for another account.",
    "408": "The body took too long.",
    "413": "The body is too large.",
}
ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
KEPT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Asks for the event's fate."},
        "again": {"type": "boolean", "description": "It had been kept before."},
        "fate": {"type": "string", "description": "Where its fate is told."},
    },
    "required": ["id", "again", "fate"],
}
EVENT = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "The topic."},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "The record."},
    },
    "required": ["type", "data"],
}
FATE = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["waiting", "worked", "failing", "left to a person", "unused", "unknown"]},
        "received_at": {"type": "string", "format": "date-time"},
        "bindings": {"type": "object"},
    },
    "required": ["id", "state", "received_at"],
}


def document(doors: Iterable[Door]) -> dict[str, Any]:
    """The document of these doors."""
    paths: dict[str, Any] = {"/health": {"get": {"responses": {"200": _answer("It answers.", {"type": "object"})}}}}
    for door in doors:
        paths[door.path] = {"post": _post(door)}
        if door.own:
            paths[f"{door.path}/events/{{id}}"] = {"get": _fate()}
    return {"openapi": "3.1.0", "info": {"title": "Crosswalk receiver", "version": "1"}, "paths": paths}


def _post(door: Door) -> dict[str, Any]:
    good = {"202": _answer("Kept.", KEPT)} if door.own else {"200": {"description": "Kept, or kept before."}}
    refused = {
        status: _answer(words, ERROR) if door.own else {"description": words} for status, words in REFUSED.items()
    }
    if door.own:
        refused["422"] = _answer("Signed rightly, and no event.", ERROR)
    refused["503"] = _answer("It could not be kept: send it again.", ERROR)
    schema = EVENT if door.own else {"type": "object"}
    return {
        "parameters": [
            {"name": name, "in": "header", "required": door.own, "schema": {"type": "string"}}
            for name in HEADERS[door.facts.scheme]
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {**good, **refused},
    }


def _fate() -> dict[str, Any]:
    return {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
        ],
        "responses": {
            "200": _answer("What became of it.", FATE),
            "404": _answer("There is no such event.", ERROR),
            "503": _answer("The store cannot be asked now.", ERROR),
        },
    }


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
