"""Pages become raw records; a broken page is asked for again, a bad record costs only itself."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from crosswalk.errors import AnswerLost, BrokenPage
from crosswalk.frames.split import split

PAGE = json.dumps(
    {
        "data": {"orders": {"pageInfo": {"hasNextPage": True}, "nodes": [{"a": 'x]}"\\'}, {"b": [1, {"c": 2}]}, None]}},
        "extensions": {"cost": {"restoreRate": 100.5}},
    }
).encode()


def test_records_are_counted_and_the_rest_is_kept() -> None:
    """Every element comes out as its own bytes, null included, and what stands beside the list is not lost."""
    page = split(PAGE, "data.orders.nodes")
    assert [json.loads(record) for record in page.records] == [{"a": 'x]}"\\'}, {"b": [1, {"c": 2}]}, None]
    assert page.rest == {
        "data": {"orders": {"pageInfo": {"hasNextPage": True}}},
        "extensions": {"cost": {"restoreRate": Decimal("100.5")}},
    }


@pytest.mark.parametrize(
    "bad",
    [
        rb'{"a":"\ud800]}"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=["lone surrogate", "NaN", "Infinity", "invalid UTF-8", "nested bomb"],
)
def test_a_record_that_no_decoder_takes_costs_only_itself(bad: bytes) -> None:
    """The other records of the page come out, and the bad one as the bytes it had."""
    page = split(b'{"data": [ {"a": 1} , ' + bad + b' ,\n{"a": [2, "]"]} ], "next": "\\ud800", "n": 2}', "data")
    assert page.records == [b'{"a": 1}', bad, b'{"a": [2, "]"]}']
    assert page.rest["n"] == 2


@pytest.mark.parametrize("path", ["", "data"])
def test_an_empty_list_is_no_record(path: str) -> None:
    """Nothing new is an answer."""
    for body in (b"[]", b" [ ] "):
        assert split(body if not path else b'{"data":' + body + b"}", path).records == []


def test_a_page_cut_anywhere_is_broken() -> None:
    """Whatever is missing at the end, the request is repeated and nothing of the page is used."""
    strange = PAGE.replace(b"null]", b'{"a":NaN}]')
    for page in (PAGE, strange):
        for end in range(len(page)):
            with pytest.raises(BrokenPage):
                split(page[:end], "data.orders.nodes")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>busy</html>",
        b'{"data":null}',
        b'{"data":{"orders":null}}',
        b'{"data":{"orders":{"nodes":null}}}',
        b'{"data":{"orders":{"nodes":{}}}}',
        b'{"data":{"orders":{}}}',
        PAGE + b"x",
        PAGE.replace(b'{"b"', b'{"b" "c"'),
        PAGE.replace(b"[1,", b"[1 NaN,"),
        b'{"data":{"orders":{"nodes":[{"a":1}{"b":NaN}]}}}',
    ],
)
def test_a_page_without_its_list_is_broken(body: bytes) -> None:
    """A null or missing list is not an empty one, and garbled JSON is the vendor's trouble, not a record's."""
    with pytest.raises(BrokenPage) as caught:
        split(body, "data.orders.nodes")
    assert isinstance(caught.value, AnswerLost)
    assert "nothing of this page was used" in str(caught.value)
