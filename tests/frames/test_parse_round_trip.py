"""What is written can be read again: any text, any decimal, any instant; and faster than record by record."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from frame_samples import Sale, raw, sale
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosswalk.frames.parse import parse
from crosswalk.frames.payload import payloads
from crosswalk.frames.validate import validate

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
money = st.integers(-(10**19) + 1, 10**19 - 1).map(lambda n: Decimal(n).scaleb(-4))
whole = st.integers(-(2**63), 2**63 - 1)
instant = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
day = st.dates(date(1, 1, 1), date(9999, 12, 31))
rate = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(n).scaleb(-8))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


tax = st.fixed_dictionaries({"rate": maybe(rate), "title": maybe(text)})
line = st.fixed_dictionaries(
    {"sku": text, "quantity": whole, "price": maybe(money), "taxes": maybe(st.lists(tax, max_size=2))}
)
row = st.fixed_dictionaries(
    {
        "id": text,
        "number": maybe(whole),
        "counted": maybe(whole),
        "total": st.fixed_dictionaries({"amount": money, "currency": maybe(text)}),
        "weight": maybe(money),
        "changedAt": instant,
        "shippedAt": maybe(instant),
        "bookedAt": maybe(instant.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))),
        "day": maybe(day),
        "bookedOn": maybe(day),
        "paid": maybe(st.booleans()),
        "title": maybe(text),
        "buyer": maybe(st.fixed_dictionaries({"name": maybe(text)})),
        "lines": st.fixed_dictionaries({"nodes": st.lists(line, max_size=3)}),
        "notes": maybe(st.lists(st.fixed_dictionaries({"text": maybe(text)}), max_size=2)),
    }
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = {"weight", "rate"}


def written(value: Any, name: str = "") -> str:
    """JSON as the sample's source writes it, by the name of the field."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v, k)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner, name) for inner in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f") if name in NUMBERS else json.dumps(format(value, "f"))
    if name == "counted" and value is not None:
        return json.dumps(str(value))
    if name == "bookedAt" and value is not None:
        return f'"/Date({(value - EPOCH) // timedelta(milliseconds=1)}+0000)/"'
    if isinstance(value, datetime):
        return json.dumps(value.isoformat().replace("+00:00", "Z" if value.second % 2 else "+00:00"))
    return json.dumps(value.isoformat()) if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def told(value: Any) -> Any:
    """The row without what says nothing, as a payload leaves it out."""
    if isinstance(value, dict):
        members = {name: told(inner) for name, inner in value.items()}
        return {name: inner for name, inner in members.items() if inner is not None and inner != {} and inner != []}
    # An element stays, even if it says nothing.
    return [told(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(row, max_size=5))
def test_what_is_written_is_read_again(rows: list[dict[str, Any]]) -> None:
    """Records come back equal in every value and in their order, with nothing refused and nothing unknown."""
    parsed = parse(Sale, [written(one).encode() for one in rows])
    assert parsed.refused == []
    assert parsed.unknown == set()
    assert parsed.kept.to_pylist() == list(range(len(rows)))
    assert payloads(parsed.frame) == [told(one) for one in rows]


anything = st.one_of(row.map(lambda one: written(one).encode()), st.binary(max_size=40), row.map(str).map(str.encode))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(anything, max_size=8))
def test_every_record_is_kept_or_refused(raws: list[bytes]) -> None:
    """Whatever the bytes are, each record is a row or is refused with a reason, never both and never neither."""
    parsed = parse(Sale, raws)
    places = parsed.kept.to_pylist() + [refused.index for refused in parsed.refused]
    assert sorted(places) == list(range(len(raws)))
    assert all(refused.reason for refused in parsed.refused)
    alone = [len(parse(Sale, [raw]).kept) for raw in raws]
    assert [int(n in parsed.kept.to_pylist()) for n in range(len(raws))] == alone


def plain(one: bytes) -> dict[str, Any]:
    """What a loop over records would do: decode and convert the same fields."""
    value = json.loads(one)
    value["counted"] = int(value["counted"])
    value["total"]["amount"] = Decimal(value["total"]["amount"])
    value["weight"] = Decimal(str(value["weight"]))
    for name in ("changedAt", "shippedAt"):
        value[name] = datetime.fromisoformat(value[name])
    value["shippedAt"] = value["shippedAt"].replace(tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
    value["bookedAt"] = EPOCH + timedelta(milliseconds=int(value["bookedAt"][6:-7]))
    value["bookedOn"] = (EPOCH + timedelta(milliseconds=int(value["bookedOn"][6:-7]))).date()
    value["day"] = date.fromisoformat(value["day"])
    for inner in value["lines"]["nodes"]:
        inner["price"] = Decimal(inner["price"])
        for levied in inner["taxes"]:
            levied["rate"] = Decimal(str(levied["rate"]))
    return value


def spent(work: Any) -> float:
    """CPU seconds, the least of three."""
    costs = []
    for _ in range(3):
        start = time.process_time()
        work()
        costs.append(time.process_time() - start)
    return min(costs)


def test_parsing_is_at_least_as_fast_as_a_loop() -> None:
    """Ten thousand records cost no more by columns, checks included, than decoded and converted one by one."""
    raws = [raw(sale(n)) for n in range(10_000)]
    validate(parse(Sale, raws[:10]).frame)
    loop = spent(lambda: [plain(one) for one in raws])
    assert spent(lambda: parse(Sale, raws)) < loop
    assert spent(lambda: validate(parse(Sale, raws).frame)) < loop * 1.5


def test_bad_records_do_not_cost_the_chunk() -> None:
    """One bad record in a hundred makes the parse dearer by a bounded factor, not by the number of records."""
    raws = [raw(sale(n)) for n in range(10_000)]
    clean = spent(lambda: parse(Sale, raws))
    raws[::100] = [raw(sale(n, id=n)) for n in range(100)]
    assert spent(lambda: parse(Sale, raws)) < clean * 8
