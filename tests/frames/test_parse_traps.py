"""Each trap of reading JSON by columns, with what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from frame_samples import SALE_1, Sale, raw, sale

from crosswalk.errors import Drift
from crosswalk.frames.parse import parse
from crosswalk.frames.payload import payloads
from crosswalk.schemas.base import DATE, ID, INSTANT, TEXT, Field, Lines, Record

BEFORE, AFTER = raw(n=1), raw(n=3)


def held(bad: bytes) -> tuple[str, str]:
    """Field and reason of a record that is read between two good ones, which must both be kept."""
    parsed = parse(Sale, [BEFORE, bad, AFTER])
    assert parsed.kept.to_pylist() == [0, 2], parsed.refused
    assert parsed.frame["id"].to_pylist() == ["sale-000001", "sale-000003"]
    assert parsed.frame.lines["lines"].parent.to_pylist() == [0, 1]
    (refused,) = parsed.refused
    assert refused.index == 1
    return refused.field, refused.reason


def test_every_type_is_read_exactly() -> None:
    """A good record arrives whole: decimals, big counts, instants in UTC, dates, lists in lists."""
    parsed = parse(Sale, [BEFORE])
    assert payloads(parsed.frame) == [SALE_1]
    assert parsed.frame.table.schema == Sale.arrow
    assert parsed.unknown == set()


@pytest.mark.parametrize("records", [[b"null"], [b"null", BEFORE], [b"null", b"null"], [b" ", b"null"]], ids=len)
def test_null_first_record_does_not_crash_the_process(records: list[bytes]) -> None:
    """A null would kill the process inside Arrow; it is held before it gets there."""
    code = (
        "from frame_samples import Sale; from crosswalk.frames.parse import parse; "
        f"p = parse(Sale, {records!r}); print(len(p.kept), len(p.refused))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    good = sum(record == BEFORE for record in records)
    assert (done.returncode, done.stdout.split()) == (0, [str(good), str(len(records) - good)]), done.stderr


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"null", "is null"),
        (b"17", "is no object"),
        (b"[]", "is no object"),
        (b'"x"', "is no object"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_object_is_held(bad: bytes, reason: str) -> None:
    """GraphQL nodes may be null; nothing but objects is read."""
    assert held(bad) == ("", reason)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"id": 17}, "id", "is a whole number instead of text"),
        ({"id": None}, "id", "is missing"),
        ({"number": "17"}, "number", "is text instead of a whole number"),
        ({"number": 12.0}, "number", "is a number with decimals instead of a whole number"),
        ({"number": 2**63}, "number", "is no whole number of 64 bits"),
        ({"number": -(2**63) - 1}, "number", "is no whole number of 64 bits"),
        ({"counted": str(2**63)}, "counted", "'9223372036854775808' is no whole number of 64 bits"),
        ({"counted": "0x1F"}, "counted", "'0x1F' is no whole number of 64 bits"),
        ({"counted": ""}, "counted", "'' is no whole number of 64 bits"),
        ({"weight": "heavy"}, "weight", "is no number"),
        ({"weight": 37.456789}, "weight", "is no decimal number of at most 15 digits and 4 decimals"),
        ({"weight": 1e15}, "weight", "is no decimal number of at most 15 digits and 4 decimals"),
        ({"weight": 10**30}, "weight", "is no decimal number of at most 15 digits and 4 decimals"),
        ({"weight": 10**36}, "weight", "is no decimal number of at most 15 digits and 4 decimals"),
        ({"weight": 1e-30}, "weight", "is no decimal number of at most 15 digits and 4 decimals"),
        ({"weight": 1.5e-60}, "weight", "is a number with too many digits"),
        ({"weight": 10**80}, "weight", "is a number with too many digits"),
        ({"weight": "NaN"}, "weight", "is a number with too many digits"),
        ({"weight": ""}, "weight", "is no number"),
        ({"paid": "true"}, "paid", "is text instead of true or false"),
        ({"paid": 1}, "paid", "is a whole number instead of true or false"),
        ({"buyer": "Anna"}, "buyer", "is text instead of an object"),
        ({"buyer": {"name": 7}}, "buyer.name", "is a whole number instead of text"),
        ({"lines": {"nodes": {}}}, "lines", "is an object instead of a list"),
        ({"lines": {"nodes": [7]}}, "lines", "is a whole number instead of an object"),
        ({"lines": {"nodes": [{"sku": "A", "quantity": "2"}]}}, "lines.quantity", "is text instead of a whole number"),
        ({"lines": {"nodes": [{"sku": "A"}]}}, "lines.quantity", "is missing"),
        ({"lines": {"nodes": [{"sku": "A", "quantity": 1, "taxes": [{"rate": ""}]}]}}, "lines.taxes.rate", "no number"),
        ({"lines": {"nodes": [None]}}, "lines", "has an element that is null"),
    ],
)  # fmt: skip
def test_a_wrong_type_names_record_and_field(changes: dict[str, Any], field: str, reason: str) -> None:
    """One value of the wrong kind holds its record, by name, and no other."""
    name, said = held(raw(n=2, **changes))
    assert name == field
    assert said.endswith(reason)


def _total(amount: str) -> dict[str, Any]:
    return {"total": {"amount": amount, "currency": "EUR"}}


@pytest.mark.parametrize(
    "amount", ["", " 1", "1,50", "NaN", "Infinity", "1.23456", "1234567890123456", "1e99", "1e-43", "9e-63", "free"]
)
def test_money_that_is_no_exact_decimal_is_held(amount: str) -> None:
    """Money is never rounded, cut or guessed."""
    field, reason = held(raw(n=2, **_total(amount)))
    assert (field, reason) == (
        "total.amount",
        f"{amount!r} is no decimal number of at most 15 digits and 4 decimals",
    )


@pytest.mark.parametrize(
    "instant",
    ["2026-11-23T18:15:09", "2026-11-23", "", "0000-00-00T00:00:00Z", "0000-01-01T00:00:00Z", "2026-13-01T00:00:00Z",
     "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-05:00", "1795450001", "now"],
)  # fmt: skip
def test_zone_less_and_impossible_instants_are_held(instant: str) -> None:
    """Arrow alone would take an instant without a zone for UTC, and a year that Python does not have."""
    assert held(raw(n=2, changedAt=instant)) == ("changedAt", f"{instant!r} is no instant with its zone")


@pytest.mark.parametrize(
    "day", ["0000-00-00", "0000-01-01", "2026-02-30", "23-11-2026", "2026-11-23T18:15:09", "2026-11-23T00:00:00Z", ""]
)
def test_what_is_no_calendar_date_is_held(day: str) -> None:
    """An instant is not cut to a date: which day it is depends on a zone."""
    assert held(raw(n=2, day=day)) == ("day", f"{day!r} is no calendar date")


@pytest.mark.parametrize(
    "value", ["/Date(x)/", "/Date(1795450001000+0000)", "/Date(999999999999999)/", "2026-11-20T10:15:30"]
)
def test_xero_instants_that_are_none_are_held(value: str) -> None:
    """Nothing but whole /Date()/ values and zoned ISO instants is read."""
    assert held(raw(n=2, bookedAt=value)) == ("bookedAt", f"{value!r} is no instant with its zone")


def test_xero_dates_are_midnight() -> None:
    """A /Date()/ with a time of day is no calendar date."""
    assert held(raw(n=2, bookedOn="/Date(1795132800001+0000)/"))[0] == "bookedOn"


def test_a_local_time_that_never_was_is_held() -> None:
    """In the hour that summer time skips there are no instants."""
    assert held(raw(n=2, shippedAt="2026-03-29T02:30:00")) == ("shippedAt", "'2026-03-29T02:30:00' is no instant")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (BEFORE.replace(b"Anna", rb"\ud800"), "holds half a surrogate pair, which is no character"),
        (BEFORE.replace(b'"notes"', rb'"new":"\udc00","notes"'), "holds half a surrogate pair, which is no character"),
        (BEFORE.replace(b"Anna", b"\xff"), "is not UTF-8 at byte"),
        (BEFORE.replace(b"Anna", b"\xed\xa0\x80"), "is not UTF-8 at byte"),
        (BEFORE.replace(b"Anna", b"a\nb"), "is not JSON: Invalid control character"),
        (BEFORE.replace(b"1.25", b"NaN"), "NaN"),
        (BEFORE.replace(b"1.25", b"-Infinity"), "Infinity"),
        (BEFORE[:-1], "is not JSON"),
        (BEFORE + BEFORE, "is not JSON"),
        (BEFORE.replace(b'"Anna"', b"[" * 3000 + b"]" * 3000), "is a list instead of text"),
    ],
    ids=[
        "half",
        "half in a field not read",
        "not UTF-8",
        "encoded half",
        "control",
        "NaN",
        "Infinity",
        "cut",
        "two",
        "bomb",
    ],
)
def test_bytes_that_are_no_json_text_are_held(bad: bytes, reason: str) -> None:
    """The record is held with what is wrong in it; its neighbours go on."""
    assert reason in held(bad)[1]


def test_nul_is_held() -> None:
    """PostgreSQL takes no NUL in text, so that one record would stop a whole load."""
    assert held(BEFORE.replace(b"Anna", rb"a\u0000b")) == (
        "buyer.name",
        "holds a NUL character, which no database takes",
    )
    assert parse(Sale, [BEFORE.replace(b"Anna", rb"a\\u0000b")]).refused == []


def test_duplicate_key_of_a_declared_field_is_held() -> None:
    """Which of two values counts is not for us to say."""
    assert held(BEFORE.replace(b'"number": 1', b'"number": 1, "number": 2')) == ("number", "is there twice")


def test_five_deep_nested_bomb_in_a_field_not_read_is_harmless() -> None:
    """What is not declared is not looked into, however deep it goes."""
    bomb = b"[" * 100_000 + b"]" * 100_000
    parsed = parse(Sale, [BEFORE.replace(b'"notes"', b'"other":' + bomb + b',"notes"'), AFTER])
    assert len(parsed.kept) == 2


def test_the_same_record_is_kept_whatever_stands_beside_it() -> None:
    """What Arrow takes alone it takes beside a bad record: NaN in a field that is not read costs nothing."""
    odd = BEFORE.replace(b'"notes"', b'"other":NaN,"notes"')
    assert parse(Sale, [odd]).kept.to_pylist() == [0]
    assert parse(Sale, [odd, raw(n=2, id=17)]).kept.to_pylist() == [0]


def test_a_record_larger_than_a_block_is_read() -> None:
    """Arrow's default block of one megabyte is no limit."""
    text = "x" * 3_000_000
    parsed = parse(Sale, [raw(n=1, title=text), AFTER])
    assert parsed.frame["title"].to_pylist()[0] == text


def test_line_breaks_inside_a_record_are_only_space() -> None:
    """A record printed over many lines is one record."""
    parsed = parse(Sale, [json.dumps(sale(1), indent=2).encode(), AFTER])
    assert parsed.frame["number"].to_pylist() == [1, 3]


def test_empty_input_gives_an_empty_frame() -> None:
    """Nothing in, all columns and no rows out."""
    parsed = parse(Sale, [])
    assert (len(parsed.frame), len(parsed.kept), parsed.refused) == (0, 0, [])
    assert parsed.frame.table.schema == Sale.arrow
    assert len(parsed.frame.lines["lines"].lines["taxes"]) == 0


def test_null_list_and_missing_list_are_not_an_empty_list() -> None:
    """Where a list is required, only [] means that there are none."""
    missing = sale(2)
    del missing["lines"]
    assert held(raw(n=2, lines={"nodes": None})) == ("lines", "is missing")
    assert held(raw(n=2, lines=None)) == ("lines", "is missing")
    assert held(raw(missing)) == ("lines", "is missing")
    assert len(parse(Sale, [raw(n=2, lines={"nodes": []})]).frame) == 1
    assert len(parse(Sale, [raw(n=2, notes=None)]).frame) == 1


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_list_as_long_as_its_limit_may_be_cut(count: int) -> None:
    """A list that cannot be paged is trusted only while it is shorter than what was asked for."""
    lines = {"nodes": [{"sku": "A", "quantity": 1, "taxes": [{"rate": 0.1}] * count}]}
    refused = parse(Sale, [raw(n=1, lines=lines)]).refused
    assert [(r.field, r.rule) for r in refused] == ([("lines.taxes", "whole list")] if count >= 3 else [])
    assert all("may be cut" in r.reason for r in refused)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s: s.pop("id"), "id"),
        (lambda s: s.update(id=None), "id"),
        (lambda s: s.update(id=s["number"]), "id"),
        (lambda s: s.pop("total"), "total.amount"),
        (lambda s: s["total"].update(amount="gone"), "total.amount"),
        (lambda s: s.pop("lines"), "lines"),
        (lambda s: s["lines"]["nodes"][0].pop("quantity"), "lines.quantity"),
        (lambda s: s["lines"]["nodes"][0].update(quantity="1"), "lines.quantity"),
    ],
)
def test_a_required_field_that_vanished_everywhere_is_drift(change: Any, field: str) -> None:
    """When no record has it, no record is to blame: the run fails before anything is written."""
    rows = [sale(n) for n in range(3)]
    for row in rows:
        change(row)
    with pytest.raises(Drift, match=f"required field {field} .*in every record"):
        parse(Sale, [raw(row) for row in rows])
    assert [r.field for r in parse(Sale, [raw(rows[0])]).refused] == [field]


def test_unknown_fields_are_seen() -> None:
    """A field that nobody declared is reported by its path, in lists too, unless it is known to be ignored."""
    row = sale(1, extra=1, buyer={"name": "Anna", "age": 3})
    row["lines"]["nodes"][0]["colour"] = {"deep": [1]}
    row["lines"]["pageInfo"] = {}
    assert parse(Sale, [raw(row)]).unknown == {"extra", "buyer.age", "lines.nodes.colour", "lines.pageInfo"}
    ignoring = Record("test.sales", "id", "changedAt", Sale.fields, ignores=("lines", "buyer", "extra"))
    assert parse(ignoring, [raw(row)]).unknown == set()


def test_zones_and_forms_of_instants() -> None:
    """The same instant in every accepted form; digits beyond the microsecond are dropped."""
    record = Record(
        "test.times",
        "id",
        "",
        (
            Field("id", ID),
            Field("iso", INSTANT),
            Field("local", INSTANT, zone="Europe/Amsterdam"),
            Field("xero", INSTANT, format="xero"),
            Field("day", DATE, format="xero"),
        ),
    )
    rows = [
        ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00", "/Date(1792888200000)/", "2026-10-25"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "/Date(1792888200000+1300)/", "2026-10-25T00:00:00"),
        ("2026-10-24T19:30:00-0500", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", "/Date(1792886400000+0000)/"),
        (
            "2026-10-25T00:30:00.000000999Z",
            "2026-10-25 02:30:00.000",
            "/Date(1792888200000+0000)/",
            "2026-10-25 00:00:00",
        ),
    ]
    names = ("iso", "local", "xero", "day")
    parsed = parse(record, [json.dumps(dict(zip(names, row, strict=True))).encode() for row in rows])
    assert parsed.refused == []
    instants = {parsed.frame[name][row].value for name in ("iso", "local", "xero") for row in range(4)}
    assert instants == {1792888200000000}
    assert {str(day) for day in parsed.frame["day"]} == {"2026-10-25"}


@pytest.mark.parametrize("year", [2026, 2036, 2037, 2038, 2060, 9998])
@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"])
def test_local_times_know_summer_in_every_year(year: int, zone: str) -> None:
    """Every month's noon lies where Python's zone data puts it, also after 2037, where Arrow's own ends."""
    record = Record("test.times", "id", "", (Field("id", ID), Field("local", INSTANT, zone=zone)))
    noons = [datetime(year, month, 15, 12) for month in range(1, 13)]
    raw = [json.dumps({"id": str(n), "local": noon.isoformat()}).encode() for n, noon in enumerate(noons)]
    parsed = parse(record, raw)
    assert parsed.refused == []
    assert parsed.frame["local"].to_pylist() == [n.replace(tzinfo=ZoneInfo(zone)) for n in noons]


@pytest.mark.parametrize("year", [2036, 2050])
def test_an_hour_that_the_clock_leaves_out_is_refused(year: int) -> None:
    """A local time that never was is held, in far years as in near ones; of one that comes twice the first is taken."""
    record = Record("test.times", "id", "", (Field("id", ID), Field("local", INSTANT, zone="Europe/Amsterdam")))
    spring, autumn = (max(d for d in range(25, 32) if date(year, m, d).weekday() == 6) for m in (3, 10))
    raw = [
        json.dumps({"id": "a", "local": f"{year}-03-{spring}T02:30:00"}).encode(),
        json.dumps({"id": "b", "local": f"{year}-10-{autumn}T02:30:00"}).encode(),
    ]
    parsed = parse(record, raw)
    assert [one.field for one in parsed.refused] == ["local"]
    assert parsed.frame["local"].to_pylist() == [datetime(year, 10, autumn, 0, 30, tzinfo=UTC)]


def test_ids_that_come_as_numbers_stay_exact() -> None:
    """A number above 2^53 is not rounded on its way to text."""
    record = Record("test.ids", "id", "", (Field("id", ID, wire="number"),))
    assert parse(record, [b'{"id": 9007199254740993}']).frame["id"].to_pylist() == ["9007199254740993"]


@pytest.mark.parametrize(
    "fields",
    [
        (Field("a", TEXT), Field("a.b", TEXT)),
        (Field("a", TEXT, path="x"), Field("b", TEXT, path="x")),
        (Field("a", INSTANT, wire="number"),),
        (Field("a", TEXT), Lines("b", (Field("c", TEXT),), path="a.b")),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused(fields: Any) -> None:
    """A record that contradicts itself is a mistake of ours, said at once."""
    with pytest.raises(ValueError, match=r"test\.x|a: "):
        parse(Record("test.x", "a", "", fields), [])


def test_personal_values_stay_out_of_reasons() -> None:
    """A reason goes to logs and alerts; a value about a person does not."""
    record = Record("test.people", "id", "", (Field("id", ID), Field("born", DATE, personal=True)))
    (refused,) = parse(record, [b'{"id": "1", "born": "3 May 1980"}']).refused
    assert refused.reason == "the value is no calendar date"
