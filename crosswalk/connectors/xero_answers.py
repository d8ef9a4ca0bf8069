"""What Xero's answers mean: four dialects of errors, and one result for every member of a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosswalk.connectors.base import Answer, Item, Outcome, Result
from crosswalk.connectors.wire import at, decode, version
from crosswalk.errors import AccessDenied, BadCredentials, Refused, ServerFault, Throttled, VendorError
from crosswalk.http.answer import retry_after
from crosswalk.http.protocols import Told

NOBODY = "00000000-0000-0000-0000-000000000000"
REMOVED = ("VOIDED", "DELETED")
# Seconds to wait where the limit that was hit does not say so itself.
WAITS = {"minute": 60.0, "concurrent": 1.0, "appminute": 60.0, "day": 3600.0}

_NAME_TAKEN = re.compile(r"contact name .*(already|unique)", re.I | re.S)
_NUMBER_TAKEN = re.compile(r"(#|number) must be unique|another contact has this contact number|number .*already", re.I)
_NOT_THERE = re.compile(
    r"specified \w+ID could not be found|resource you.re looking for cannot be found"
    r"|contact with the specified contact details has been archived",
    re.I,
)
_KEY_MISUSED = re.compile(r"idempoten", re.I)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a resource looks at the wire.

    path and list: of the collection. id, marker: field names. only: the filter that keeps a listing to this resource.
    ids: whether the listing takes ``IDs``. read, write: parameters of every read and write.
    """

    path: str
    id: str
    marker: str = ""
    only: str = ""
    ids: bool = False
    read: tuple[tuple[str, str], ...] = ()
    write: tuple[tuple[str, str], ...] = (("summarizeErrors", "false"),)
    list: str = ""

    @property
    def rows(self) -> str:
        return self.list or self.path


def classify(answer: Answer) -> VendorError | None:
    """What an answer means before anybody reads its body. 400 and 404 are about the content and left to the caller."""
    status = answer.status
    if status < 400 or status in (400, 404):
        return None
    said, text = detail(answer.body) or f"HTTP {status}", answer.text()
    if status == 429:
        problem = answer.header("x-rate-limit-problem").lower() or "minute"
        wait = retry_after(answer)
        wait = WAITS.get(problem, 60.0) if wait is None else wait
        return Throttled(f"Xero: over the {problem} limit", wait=wait, scope=problem, code=problem, body=text)
    if status == 401:
        if "insufficient_scope" in answer.header("www-authenticate") or "insufficient_scope" in text:
            return AccessDenied(
                f"Xero: the grant lacks a scope ({said})",
                status=status,
                code="insufficient_scope",
                body=text,
                next_command="crosswalk connect NAME",
            )
        return BadCredentials(f"Xero does not accept the token: {said}", status=status, body=text)
    if status == 403:
        return AccessDenied(
            f"Xero: this organisation is not connected to the app any more, or never was ({said})",
            status=status,
            body=text,
            next_command="crosswalk connect NAME",
        )
    if status >= 500:
        return ServerFault(f"Xero answered {status}: {said}", status=status, body=text)
    return Refused(f"Xero answered {status}: {said}", status=status, body=text)


def tell(answer: Answer) -> Told | None:
    """What is left of the minute and of the day, and how long to wait."""
    wait = None
    if answer.status == 429:
        found = retry_after(answer)
        wait = WAITS.get(answer.header("x-rate-limit-problem").lower(), 60.0) if found is None else found
    minute, day = _number(answer.header("x-minlimit-remaining")), _number(answer.header("x-daylimit-remaining"))
    if wait is None and minute is None and day is None:
        return None
    return Told(wait=wait, minute=minute, day=day)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def detail(body: bytes) -> str:
    """The text of an error in any dialect: validation, other 400, problem detail, plain text."""
    try:
        payload = decode(body)
    except ValueError:
        return body[:300].decode("utf-8", "replace").strip()
    if not isinstance(payload, dict):
        return str(payload)[:300]
    parts = (payload.get("Title"), payload.get("Detail"), payload.get("Message"), payload.get("error"))
    return ": ".join(str(p) for p in parts if p)


def results(shape: Shape, op: str, items: Sequence[Item], answer: Answer) -> list[Result]:
    """One result for every item, matched by what identifies it. Whatever the answer does not say stays in doubt."""
    try:
        payload = decode(answer.body)
    except ValueError:
        payload = None
    whole = payload if isinstance(payload, dict) else {}
    if answer.status == 404:
        return _all(items, "gone", detail(answer.body))
    if answer.status == 400:
        elements = whole.get("Elements")
        if not elements:
            return _refused_whole(items, detail(answer.body))
    else:
        elements = whole.get(shape.rows)
    if not isinstance(elements, list):
        return _all(items, "doubt", "the answer cannot be read")
    matched = _match(shape, op, items, [e for e in elements if isinstance(e, dict)])
    return [
        Result(n, "doubt", message="the answer does not name this record")
        if found is None
        else _result(shape, op, n, item, found, whole_refused=answer.status == 400)
        for n, (item, found) in enumerate(zip(items, matched, strict=True))
    ]


def _all(items: Sequence[Item], outcome: Outcome, message: str) -> list[Result]:
    if outcome == "gone" and len(items) > 1:
        outcome = "alone"
    return [Result(n, outcome, message=message) for n in range(len(items))]


def _refused_whole(items: Sequence[Item], message: str) -> list[Result]:
    """A 400 that names nobody."""
    if _KEY_MISUSED.search(message):
        # Another request went out under this key; what became of it decides.
        return _all(items, "doubt", message)
    return _all(items, "refused" if len(items) == 1 else "alone", message)


def _match(
    shape: Shape, op: str, items: Sequence[Item], elements: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any] | None]:
    """The element of every item, by our number for a create and by the id otherwise; two that claim one are none."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for element in elements:
        for name in _names(shape, element):
            by_name.setdefault(name, []).append(element)
    found: list[Mapping[str, Any] | None] = []
    for item in items:
        if shape.rows == "Allocations":
            wanted = f"invoice:{at(item.payload, 'Invoice.InvoiceID')}"
        elif op == "create":
            wanted = f"marker:{item.marker}" if item.marker else ""
        else:
            wanted = f"id:{(item.target_id or '').lower()}"
        claims = by_name.get(wanted, [])
        if not claims and op != "create" and item.marker:
            # A refused update comes back without its id, but still with our number.
            claims = by_name.get(f"marker:{item.marker}", [])
        found.append(claims[0] if len(claims) == 1 else None)
    return found


def _names(shape: Shape, element: Mapping[str, Any]) -> list[str]:
    if shape.rows == "Allocations":
        return [f"invoice:{at(element, 'Invoice.InvoiceID')}"]
    names = []
    if element.get(shape.id) not in (None, "", NOBODY):
        names.append(f"id:{str(element[shape.id]).lower()}")
    if element.get(shape.marker):
        names.append(f"marker:{element[shape.marker]}")
    return names


def _result(shape: Shape, op: str, n: int, item: Item, element: Mapping[str, Any], *, whole_refused: bool) -> Result:
    errors = [str(e.get("Message", "")) for e in _errors(element)]
    failed = (
        bool(errors)
        or element.get("HasErrors") is True
        or element.get("HasValidationErrors") is True
        or element.get("StatusAttributeString") == "ERROR"
    )
    if failed:
        outcome, field = _meaning(shape, "; ".join(errors))
        message = "; ".join(errors) or "refused without a reason"
        return Result(n, outcome, message=message, field=field, echo=element)
    if whole_refused:
        # Another member was refused, and with it the whole request; this one may go again.
        return Result(n, "retry", message="the request was refused because of another member", echo=element)
    warnings = "; ".join(str(w.get("Message", "")) for w in element.get("Warnings") or () if isinstance(w, dict))
    target_id = _target_id(shape, item, element)
    if not target_id or (op == "remove" and element.get("Status") not in REMOVED):
        return Result(n, "doubt", message="the answer does not show the effect", echo=element)
    return Result(n, "applied", target_id, version(element.get("UpdatedDateUTC")), warnings, echo=element)


def _target_id(shape: Shape, item: Item, element: Mapping[str, Any]) -> str:
    if shape.rows == "Allocations":
        return f"{at(item.payload, 'CreditNote.CreditNoteID')}:{at(item.payload, 'Invoice.InvoiceID')}"
    found = str(element.get(shape.id) or "")
    return "" if found == NOBODY else found


def _errors(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The errors of a record and of its lines."""
    found: list[Mapping[str, Any]] = [e for e in element.get("ValidationErrors") or () if isinstance(e, dict)]
    for line in element.get("LineItems") or ():
        if isinstance(line, dict):
            found += [e for e in line.get("ValidationErrors") or () if isinstance(e, dict)]
    return found


def _meaning(shape: Shape, message: str) -> tuple[Outcome, str]:
    """A number of ours that exists is a conflict, even beside a name that is taken: the look-up decides whose it is."""
    if shape.marker and shape.path != "Payments" and _NUMBER_TAKEN.search(message):
        return "conflict", shape.marker
    if shape.path == "Contacts" and _NAME_TAKEN.search(message):
        return "taken", "Name"
    if _NOT_THERE.search(message):
        return "gone", ""
    return "refused", ""
