"""Floors of reading, as ratios to the plainest way over the same bytes in the same run, in seconds of the processor."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pyarrow.json
import pytest
from frame_samples import Sale, raw, sale

from crosswalk.frames.parse import parse
from crosswalk.frames.reading import plan
from crosswalk.frames.split import split
from crosswalk.frames.validate import validate
from crosswalk.http import redact

COUNT = 4000


@pytest.fixture(scope="module")
def raws() -> list[bytes]:
    template = raw(sale(1)).split(b"sale-000001")
    return [(b"sale-%06d" % number).join(template) for number in range(COUNT)]


def best(work: Callable[[], Any]) -> float:
    """Seconds of the processor, of the best of five."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def test_a_typed_parse_costs_little_more_than_arrow_alone(raws: list[bytes]) -> None:
    """Reading, casting and refusing cost less than five times what Arrow's own reader needs for the same bytes."""
    body, schema = b"\n".join(raws), plan(Sale).schema
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(body) + 64)
    bare = best(lambda: pyarrow.json.read_json(io.BytesIO(body), read_options=reading, parse_options=options))
    ours = best(lambda: parse(Sale, raws))
    print(f"{COUNT / ours:,.0f} rows/s, {ours / bare:.1f} times Arrow alone")
    assert ours < 5 * bare


def test_a_typed_parse_is_no_dearer_than_loading_json(raws: list[bytes]) -> None:
    """Typed columns cost less than one and a half times what untyped objects cost with the standard library."""
    plain = best(lambda: [json.loads(one) for one in raws])
    ours = best(lambda: parse(Sale, raws))
    print(f"{ours / plain:.2f} of json.loads")
    assert ours < 1.5 * plain


def test_checking_a_chunk_is_a_part_of_reading_it(raws: list[bytes]) -> None:
    """Pandera's checks of a whole chunk cost less than one and a half times its parse."""
    frame = parse(Sale, raws).frame
    reading, checking = best(lambda: parse(Sale, raws)), best(lambda: validate(frame))
    print(f"{checking / reading:.2f} of the parse")
    assert checking < 1.5 * reading


def test_taking_a_page_apart_reads_nothing_twice(raws: list[bytes]) -> None:
    """Splitting a page costs less than two thirds of loading it with the standard library."""
    page = b'{"sales":[' + b",".join(raws[:500]) + b'],"next":null}'
    plain, ours = best(lambda: json.loads(page)), best(lambda: split(page, "sales"))
    print(f"{ours / plain:.2f} of json.loads")
    assert ours < 0.67 * plain


def test_the_journal_keeps_a_page_without_reading_it_all(raws: list[bytes]) -> None:
    """The beginning of a page is redacted in less than two fifths of the time that the whole page takes."""
    page = b'{"sales":[' + b",".join(raws[:500]) + b'],"next":null}'
    whole = best(lambda: redact.body(page, "application/json"))
    brief = best(lambda: redact.body(page, "application/json", 4096))
    print(f"{brief / whole:.2f} of the whole page")
    assert brief < 0.4 * whole
