"""One hundred thousand records, one in a hundred bad: only those are held, each by name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from frame_samples import Sale, raw, sale

from crosswalk.frames.dedupe import dedupe
from crosswalk.frames.parse import parse
from crosswalk.frames.split import split
from crosswalk.frames.validate import validate
from crosswalk.schemas.base import ID, INSTANT, Field, Record

Spoil = Callable[[dict[str, Any]], Any]


def _set(**changes: Any) -> Spoil:
    return lambda row: row | changes


def _line(**changes: Any) -> Spoil:
    return lambda row: row | {"lines": {"nodes": [row["lines"]["nodes"][0] | changes]}}


def _bytes(old: str, new: bytes) -> Spoil:
    return lambda row: raw(row).replace(old.encode(), new)


def _without(name: str) -> Spoil:
    return lambda row: {key: value for key, value in row.items() if key != name}


# What is done to a good record, and the field that the refusal must name.
WAYS: list[tuple[Spoil, str]] = [
    (lambda row: b"null", ""),
    (lambda row: b"17", ""),
    (lambda row: b"[]", ""),
    (_without("id"), "id"),
    (_set(id=None), "id"),
    (_set(id=4711), "id"),
    (_set(id={}), "id"),
    (_set(id=""), "id"),
    (_bytes("Anna", b"\\ud800"), "buyer.name"),
    (_bytes('"notes"', b'"new": "\\udfff", "notes"'), "new"),
    (_bytes("Anna", b"\xff\xfe"), ""),
    (_bytes("Anna", b"\xed\xa0\x80"), ""),
    (_bytes("Anna", b"A\\u0000"), "buyer.name"),
    (_bytes("1.25", b"NaN"), ""),
    (_bytes("1.25", b"Infinity"), ""),
    (_set(number=2**63), "number"),
    (_set(number=-(2**63) - 1), "number"),
    (_set(number=1.5), "number"),
    (_set(number="1"), "number"),
    (_set(weight=1.23456), "weight"),
    (_set(weight=10**30), "weight"),
    (_set(weight="heavy"), "weight"),
    (_set(total={"amount": "12,50", "currency": "EUR"}), "total.amount"),
    (_set(total={"amount": "", "currency": "EUR"}), "total.amount"),
    (_set(total={"amount": "1.00001", "currency": "EUR"}), "total.amount"),
    (_set(total={"amount": "NaN", "currency": "EUR"}), "total.amount"),
    (_set(total={"amount": "1.00", "currency": "XXX"}), "total.currency"),
    (_set(total=None), "total.amount"),
    (_set(changedAt="2026-11-23T18:15:09"), "changedAt"),
    (_set(changedAt="0000-00-00T00:00:00Z"), "changedAt"),
    (_set(changedAt=1795450001), "changedAt"),
    (_set(shippedAt="yesterday"), "shippedAt"),
    (_set(day="0000-00-00"), "day"),
    (_set(day="2026-02-30"), "day"),
    (_set(bookedOn="/Date(1)/"), "bookedOn"),
    (_set(paid="yes"), "paid"),
    (_set(buyer=["Anna"]), "buyer"),
    (_set(lines={"nodes": None}), "lines"),
    (_without("lines"), "lines"),
    (_set(lines={"nodes": [None]}), "lines"),
    (_line(quantity="two"), "lines.quantity"),
    (_line(sku=None), "lines.sku"),
    (_line(taxes=[{"rate": 0.1}] * 3), "lines.taxes"),
    (_line(taxes=[{"rate": 0.123456789}]), "lines.taxes.rate"),
    (_bytes('"number":', b'"id": "again", "number":'), "id"),
    (_set(title=json.loads("[" * 400 + "]" * 400)), "title"),
]
TOTAL, CHUNK, EVERY = 100_000, 10_000, 100


def _chunk(first: int) -> tuple[list[bytes], dict[int, str]]:
    """Raw records, and by their place the field that must be named."""
    template = raw(sale(1)).split(b"sale-000001")
    raws, expected = [], {}
    for n in range(first, first + CHUNK):
        raws.append((b"sale-%06d" % n).join(template))
        if n % EVERY == 0:
            spoil, field = WAYS[n // EVERY % len(WAYS)]
            spoilt = spoil(sale(n))
            raws[-1] = spoilt if isinstance(spoilt, bytes) else raw(spoilt)
            expected[n - first] = field
    return raws, expected


def test_one_bad_record_in_a_hundred_costs_only_itself() -> None:
    """Every bad record is held with its own field and a reason, and every good one arrives."""
    good = 0
    said: Counter[str] = Counter()
    for first in range(0, TOTAL, CHUNK):
        raws, expected = _chunk(first)
        parsed = parse(Sale, raws)
        valid = validate(parsed.frame)
        refused = {r.index: r for r in parsed.refused}
        refused |= {parsed.kept[r.index].as_py(): r for r in valid.refused}
        assert {index: r.field for index, r in refused.items()} == expected
        assert all(r.reason and r.rule for r in refused.values())
        good += len(valid.good)
        assert len(valid.good) + len(refused) == len(raws)
        ids = valid.good["id"].to_pylist()
        assert ids == [f"sale-{first + n:06d}" for n in range(CHUNK) if n not in expected]
        assert valid.good.lines["lines"].parent.to_pylist() == list(range(len(valid.good)))
        said.update(r.reason for r in refused.values())
    assert (good, sum(said.values())) == (TOTAL - TOTAL // EVERY, TOTAL // EVERY)
    assert len(WAYS) >= 40


def test_bad_records_come_through_the_pages() -> None:
    """The same records, in pages: the split gives every one of them to the parse, byte for byte."""
    raws, _ = _chunk(0)
    for at in range(0, 5_000, 250):
        page = b'{"data": [' + b",".join(raws[at : at + 250]) + b'], "next": null}'
        assert split(page, "data").records == raws[at : at + 250]


def test_a_record_read_twice_counts_once_in_its_newest_version() -> None:
    """Pages overlap; of equal versions the last read stays."""
    raws = [
        raw(n=1, changedAt="2026-11-23T10:00:00Z", title="old"),
        raw(n=2, title="only"),
        raw(n=1, changedAt="2026-11-23T12:00:00Z", title="new"),
        raw(n=3, title="first"),
        raw(n=1, changedAt="2026-11-23T11:00:00+01:00", title="older"),
        raw(n=3, title="second"),
    ]
    parsed = parse(Sale, raws)
    distinct = dedupe(parsed.frame, parsed.kept)
    assert distinct.frame["title"].to_pylist() == ["only", "new", "second"]
    assert distinct.kept.to_pylist() == [1, 2, 5]
    assert distinct.duplicates.to_pylist() == [0, 3, 4]
    assert distinct.frame.lines["lines"].parent.to_pylist() == [0, 1, 2]
    again = dedupe(distinct.frame, distinct.kept)
    assert again.frame is distinct.frame
    assert again.duplicates == pa.array([], pa.int64())


def test_an_unknown_version_is_the_oldest() -> None:
    """A record without its version gives way to one that has it, wherever it stands."""
    record = Record("test.x", "id", "at", (Field("id", ID), Field("at", INSTANT)))
    known, unknown = b'{"id": "1", "at": "1960-01-01T00:00:00Z"}', b'{"id": "1", "at": null}'
    for raws in ([known, unknown], [unknown, known]):
        parsed = parse(record, raws)
        distinct = dedupe(parsed.frame, parsed.kept)
        assert distinct.kept.to_pylist() == [raws.index(known)]
        assert distinct.duplicates.to_pylist() == [raws.index(unknown)]


def test_records_without_versions_count_once() -> None:
    """Where a resource has no version the last read stays."""
    record = Record("test.x", "id", "", (Field("id", ID),))
    parsed = parse(record, [b'{"id": "1"}', b'{"id": "2"}', b'{"id": "1"}'])
    assert dedupe(parsed.frame, parsed.kept).kept.to_pylist() == [1, 2]
