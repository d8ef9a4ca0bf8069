"""What the API refuses, and in which shape it says so."""

from __future__ import annotations

from typing import Any

NOT_FOUND = "The resource you're looking for cannot be found"
ZERO_ID = "00000000-0000-0000-0000-000000000000"


class Refusal(Exception):
    """An answer other than 200: a JSON payload, or a text where the API answers with one."""

    def __init__(self, status: int, payload: dict[str, Any] | str, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(payload))
        self.status = status
        self.payload = payload
        self.headers = headers or {}


class Invalid(Exception):
    """An element that breaks rules of the ledger; every message goes into its ValidationErrors."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def not_found() -> Refusal:
    return Refusal(404, NOT_FOUND)


def bad_post_data(message: str) -> Refusal:
    """The body cannot be read at all."""
    return Refusal(400, {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": message})


def bad_query(message: str) -> Refusal:
    """``where``, ``order`` or a page cannot be read."""
    return Refusal(400, {"ErrorNumber": 16, "Type": "QueryParseException", "Message": message})


def validation_exception(elements: list[dict[str, Any]]) -> Refusal:
    """The whole request is refused; ``elements`` are those with errors."""
    return Refusal(
        400,
        {
            "ErrorNumber": 10,
            "Type": "ValidationException",
            "Message": "A validation exception occurred",
            "Elements": elements,
        },
    )


def problem(status: int, title: str, detail: str, instance: str, headers: dict[str, str] | None = None) -> Refusal:
    """The shape of 401 and 403."""
    return Refusal(
        status,
        {"Type": None, "Title": title, "Status": status, "Detail": detail, "Instance": instance, "Extensions": {}},
        headers,
    )
