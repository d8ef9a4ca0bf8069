"""The errors of the practice shop that are not refusals of access: bad requests, bad documents, its own faults."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shopify_door import TOKEN, Door

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid


@pytest.fixture
def door(clock: SharedClock) -> Door:
    return Door(clock)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"query":""}', b'{"variables":{}}', b'{"query":5}'])
def test_a_request_without_a_document_is_400(door: Door, body: bytes) -> None:
    """No JSON or no query is HTTP 400 with errors as an object."""
    headers = {"X-Shopify-Access-Token": TOKEN, "Content-Type": "application/json"}
    answer = door.send("POST", "/admin/api/2026-10/graphql.json", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"errors": {"query": "Required parameter missing or invalid"}})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{orders(first:1){nodes{nonsense}}}", "undefinedField"),
        ("{orders(first:1,size:2){nodes{id}}}", "argumentNotAccepted"),
        ("{order{id}}", "missingRequiredArguments"),
        ('{orders(first:"one"){nodes{id}}}', "argumentLiteralsIncompatible"),
        ("{orders(first:1,sortKey:NONSENSE){nodes{id}}}", "argumentLiteralsIncompatible"),
        ("query($n:String){orders(first:$n){nodes{id}}}", "variableMismatch"),
        ("{orders(first:$n){nodes{id}}}", "variableNotDefined"),
        ("{orders(first:1)}", "selectionMismatch"),
    ],
)
def test_a_bad_document_is_refused_whole(door: Door, query: str, code: str) -> None:
    """A document that does not fit the schema is HTTP 200 with errors, no data and no cost."""
    body = door.body(query)
    assert set(body) == {"errors"}
    assert body["errors"][0]["extensions"]["code"] == code
    assert body["errors"][0]["locations"]


def test_an_unknown_field_is_named(door: Door) -> None:
    """The error of an unknown field names the field and the type in the vendor's words."""
    error = door.body("{orders(first:1){nodes{nonsense}}}")["errors"][0]
    assert error["message"] == "Field 'nonsense' doesn't exist on type 'Order'"
    assert error["extensions"] == {"code": "undefinedField", "fieldName": "nonsense", "typeName": "Order"}


def test_a_document_that_does_not_parse_is_refused(door: Door) -> None:
    """A syntax error is HTTP 200 with errors and a place."""
    error = door.body("{orders(first:1){nodes{id}}")["errors"][0]
    assert error["message"].startswith("Syntax Error")
    assert error["locations"]


@pytest.mark.parametrize("variables", [{}, {"id": None}, {"id": ["a"]}])
def test_a_bad_variable_is_refused(door: Door, variables: dict[str, Any]) -> None:
    """A required variable that is missing, null or of another type is INVALID_VARIABLE without data."""
    body = door.body("query($id:ID!){order(id:$id){id}}", **variables)
    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"


def test_an_operation_is_chosen_by_name(door: Door) -> None:
    """Of several operations the named one runs; no name or a wrong one is an error."""
    query = "query A{shop{name}} query B{shop{currencyCode}}"
    assert door.ask(query, operation="B").json()["data"] == {"shop": {"currencyCode": "EUR"}}
    assert "data" not in door.ask(query).json()
    assert "data" not in door.ask(query, operation="C").json()


def test_the_shops_own_fault_is_status_200(door: Door) -> None:
    """INTERNAL_SERVER_ERROR comes with HTTP 200, a request id and no data; the next try is answered."""
    door.shop.switches.internal_errors = 1
    body = door.body("{shop{name}}")
    error = body["errors"][0]
    assert "data" not in body
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["requestId"] in error["message"]
    assert "data" in door.body("{shop{name}}")


def test_what_does_not_exist_is_null(door: Door) -> None:
    """An unknown id, or one of another type, reads as null without an error, in a list too."""
    id_ = door.order(1)
    ids = [id_, gid("Order", 1), gid("Customer", 1)]
    query = """query($ids:[ID!]!){order(id:"gid://shopify/Order/1"){id} customer(id:"gid://shopify/Order/1"){id}
    orderByIdentifier(identifier:{id:"gid://shopify/Order/1"}){id} refund(id:"gid://shopify/Refund/1"){id}
    customerByIdentifier(identifier:{emailAddress:"no@example.test"}){id} nodes(ids:$ids){id}}"""
    assert door.data(query, ids=ids) == {
        "order": None,
        "customer": None,
        "orderByIdentifier": None,
        "refund": None,
        "customerByIdentifier": None,
        "nodes": [{"id": id_}, None, None],
    }


def test_an_id_that_is_none_is_an_error(door: Door) -> None:
    """A bare number is no id: the field is null with an error at its path."""
    body = door.body('{order(id:"123"){id}}')
    assert body["data"] == {"order": None}
    assert body["errors"][0]["message"] == "Invalid global id '123'"


def test_too_many_ids_are_refused(door: Door) -> None:
    """nodes takes 250 ids and no more."""
    ids = [gid("Order", n) for n in range(251)]
    assert "maximum allowed of 250" in door.body("query($i:[ID!]!){nodes(ids:$i){id}}", i=ids)["errors"][0]["message"]
    assert door.data("query($i:[ID!]!){nodes(ids:$i){id}}", i=ids[:250])["nodes"] == [None] * 250


def test_requests_are_counted_by_operation(door: Door) -> None:
    """Everything that comes in is counted under its operation's name, refused or not."""
    door.ask("query Orders{shop{name}}")
    door.ask("query Orders{shop{name}}", token="shpat_wrong")
    door.ask("{shop{name}}")
    door.ask("query A{shop{name}} query B{shop{name}}", operation="B")
    door.send("POST", "/admin/oauth/access_token", data={"client_id": "x"})
    assert door.shop.requests() == {"Orders": 2, "anonymous": 1, "B": 1, "token": 1}


def test_cost_is_in_the_reply_and_not_in_the_schema(door: Door) -> None:
    """extensions stands beside data; asking for it as a field is refused."""
    assert set(door.body("{shop{name}}")) == {"data", "extensions"}
    assert door.body("{extensions{cost}}")["errors"][0]["extensions"]["code"] == "undefinedField"


def test_no_date_is_set(door: Door) -> None:
    """The application leaves the Date header to the server in front of it."""
    answer = door.ask("{shop{name}}")
    assert "date" not in answer.headers
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["X-Request-Id"]
    assert json.loads(answer.content)["data"]
