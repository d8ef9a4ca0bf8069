"""What an answer of Xero's means, dialect by dialect; answers as the vendor's documents show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from book_rows import allocation, contact, with_id

from crosswalk.connectors.base import Item, Result
from crosswalk.connectors.xero import SHAPES
from crosswalk.connectors.xero_answers import classify, detail, results, tell
from crosswalk.errors import AccessDenied, BadCredentials, Refused, ServerFault, Throttled, VendorError
from crosswalk.http.answer import Answer

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NOBODY = "00000000-0000-0000-0000-000000000000"


def answer(status: int, body: Any = "", **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, raw, AT, AT)


def read(items: list[Item], found: Answer, op: str = "create", resource: str = "xero.contacts") -> list[Result]:
    return results(SHAPES[resource], op, items, found)


def element(number: int, **fields: Any) -> dict[str, Any]:
    return {"ContactID": f"id-{number}", "ContactNumber": f"S1-{number}", "StatusAttributeString": "OK", **fields}


def one(**fields: Any) -> Result:
    [found] = read([contact(1)], answer(200, {"Contacts": [element(1, **fields)]}))
    return found


def test_a_refusal_of_the_whole_names_the_bad_member() -> None:
    """Where one bad member refuses the request, the good one was not done and may go again."""
    bad = element(1, ContactID=NOBODY, ValidationErrors=[{"Message": "Email address must be valid."}])
    body = {"ErrorNumber": 10, "Type": "ValidationException", "Message": "no", "Elements": [element(2), bad]}
    found = read([contact(1), contact(2)], answer(400, body))
    assert [(r.outcome, r.message) for r in found] == [
        ("refused", "Email address must be valid."),
        ("retry", "the request was refused because of another member"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"HasErrors": True},
        {"HasValidationErrors": True},
        {"StatusAttributeString": "ERROR"},
        {"ValidationErrors": [{"Message": "x"}]},
        {"LineItems": [{"ValidationErrors": [{"Message": "x"}]}]},
    ],
)
def test_every_sign_of_failure_is_one(fields: dict[str, Any]) -> None:
    """Xero says it in five places, with status 200."""
    assert one(**fields).outcome == "refused"


def test_a_warning_is_no_failure() -> None:
    """It was done; the warning is kept."""
    found = one(StatusAttributeString="WARNING", Warnings=[{"Message": "Account code is old"}])
    assert (found.outcome, found.message, found.target_id) == ("applied", "Account code is old", "id-1")


def test_a_zero_id_is_no_success() -> None:
    """Without an error and without an id nothing is known."""
    assert one(ContactID=NOBODY).outcome == "doubt"


def test_a_removal_must_show() -> None:
    """An invoice that comes back unvoided was not voided, whatever the status says."""
    item = with_id(contact(1), "id-1")
    shown = {"Invoices": [{"InvoiceID": "id-1", "Status": "AUTHORISED"}]}
    assert [r.outcome for r in read([item], answer(200, shown), "remove", "xero.invoices")] == ["doubt"]
    shown["Invoices"][0]["Status"] = "VOIDED"
    assert [r.outcome for r in read([item], answer(200, shown), "remove", "xero.invoices")] == ["applied"]


def test_ids_are_matched_in_any_case_and_a_refused_update_by_its_number() -> None:
    """A refused update comes back with the zero id."""
    items = [with_id(contact(1), "ID-1"), with_id(contact(2), "id-2")]
    body = {"Contacts": [element(2, ContactID=NOBODY, HasValidationErrors=True), element(1)]}
    assert [r.outcome for r in read(items, answer(200, body), "update")] == ["applied", "refused"]


def test_an_allocation_is_matched_by_its_invoice() -> None:
    """It carries nothing of ours."""
    item = allocation("note", "bill", "5.00")
    body = {"Allocations": [{"Amount": 5.0, "Invoice": {"InvoiceID": "bill"}}]}
    [found] = read([item], answer(200, body), resource="xero.allocations")
    assert (found.outcome, found.target_id) == ("applied", "note:bill")
    [found] = read([item], answer(404, "The resource you're looking for cannot be found"), resource="xero.allocations")
    assert found.outcome == "gone"


def test_texts_of_every_dialect_are_read() -> None:
    """Validation, other 400, problem detail, plain text, nothing."""
    assert detail(b'{"ErrorNumber":14,"Type":"PostDataInvalidException","Message":"bad"}') == "bad"
    assert (
        detail(b'{"Type":null,"Title":"Unauthorized","Status":401,"Detail":"TokenExpired"}')
        == "Unauthorized: TokenExpired"
    )
    assert detail(b"The resource is not here\n") == "The resource is not here"
    assert detail(b"") == ""


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (answer(401, {"Detail": "TokenExpired"}), BadCredentials),
        (answer(401, "", www_authenticate='Bearer error="insufficient_scope"'), AccessDenied),
        (answer(403, {"Detail": "AuthenticationUnsuccessful"}), AccessDenied),
        (answer(412, ""), Refused),
        (answer(500, "An error occurred"), ServerFault),
        (answer(503, ""), ServerFault),
        (answer(429, "", x_rate_limit_problem="minute", retry_after="17"), Throttled),
    ],
)
def test_statuses_are_errors_of_their_kind(found: Answer, error: type[VendorError]) -> None:
    """Whatever the body is, it is never taken for JSON unseen."""
    assert type(classify(found)) is error


@pytest.mark.parametrize(
    ("problem", "header", "wait"), [("minute", "17", 17.0), ("day", "40000", 40_000.0), ("concurrent", "", 1.0)]
)
def test_each_limit_says_how_long(problem: str, header: str, wait: float) -> None:
    """The concurrent one may come without Retry-After."""
    found = answer(429, "", x_rate_limit_problem=problem, **({"retry_after": header} if header else {}))
    error, quota = classify(found), tell(found)
    assert isinstance(error, Throttled) and (error.wait, error.scope) == (wait, problem)
    assert quota is not None and quota.wait == wait


def test_what_is_left_is_told_and_the_content_is_left_to_the_caller() -> None:
    """400 and 404 say something about a record, not about the connection."""
    told = tell(answer(200, "{}", x_minlimit_remaining="59", x_daylimit_remaining="4999"))
    assert told is not None and (told.minute, told.day, told.wait) == (59, 4999, None)
    assert tell(answer(200, "{}")) is None
    assert classify(answer(400, "{}")) is None and classify(answer(404, "")) is None and classify(answer(304)) is None
