"""Writing many elements at once: whole or not at all, or each with its own result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from crosswalk.sandbox.xero.call import Call
from crosswalk.sandbox.xero.dates import day_stamp, read_day
from crosswalk.sandbox.xero.errors import ZERO_ID, Invalid, validation_exception

_DAYS = {"Date", "DueDate", "ExpectedPaymentDate", "PlannedPaymentDate"}

Write = Callable[[Call, dict[str, Any]], Any]
Show = Callable[[Call, Any], dict[str, Any]]


def write_all(
    call: Call,
    elements: list[dict[str, Any]],
    write: Write,
    show: Show,
    *,
    id_name: str,
    flag_name: str,
    summarize: bool,
) -> list[dict[str, Any]]:
    """The answer's elements in the order they were sent.

    summarize: one bad element refuses the request and nothing is written; otherwise every element has its status and
    the good ones are written. flag_name: ``HasErrors`` or ``HasValidationErrors`` as the type has it, or nothing.
    """
    written: list[Any] = []
    failed: dict[int, dict[str, Any]] = {}
    with call.books.change():
        for index, element in enumerate(elements):
            try:
                with call.books.change():
                    written.append(write(call, element))
            except Invalid as invalid:
                written.append(None)
                failed[index] = refused(element, invalid, id_name, flag_name)
        if failed and summarize:
            raise validation_exception(list(failed.values()))
    answers = []
    for index, thing in enumerate(written):
        if index in failed:
            answers.append(failed[index] | {"StatusAttributeString": "ERROR"})
        else:
            answers.append(show(call, thing) | {"StatusAttributeString": "OK"})
    return answers[::-1] if call.org.reverse_answers else answers


def refused(element: dict[str, Any], invalid: Invalid, id_name: str, flag_name: str) -> dict[str, Any]:
    """The element as it was sent, its days as the API writes them, with what is wrong with it and no id of its own.

    Its errors are not flagged where ``flag_name`` is empty.
    """
    echo = {k: v for k, v in element.items() if v is not None}
    for name in _DAYS & echo.keys():
        with contextlib.suppress(ValueError, TypeError):
            echo[name] = day_stamp(read_day(echo[name]))
    flag = {flag_name: True} if flag_name else {}
    return {id_name: ZERO_ID} | echo | flag | {"ValidationErrors": [{"Message": m} for m in invalid.messages]}
