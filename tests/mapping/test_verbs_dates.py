"""Days and instants: every zone's rules, on the days when clocks change too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import PROPERTY, REFUSED, THING, agrees, flat_things, scope_of

from crosswalk.errors import MappingError
from crosswalk.mapping import Context, Instant, LocalDate
from crosswalk.mapping.refs import Shape

ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"]


@PROPERTY
@given(flat_things, st.sampled_from(ZONES))
def test_the_day_is_that_of_the_zone(rows: list[dict[str, Any]], zone: str) -> None:
    """The calendar day of an instant is what the wall calendar shows in that zone."""

    def expected(row: dict[str, Any]) -> Any:
        return None if row["at"] is None else row["at"].astimezone(ZoneInfo(zone)).date()

    agrees(LocalDate("at", zone), scope_of(rows), rows, expected)
    agrees(LocalDate("at"), scope_of(rows, Context(zone, "PS", "EUR")), rows, expected)


@PROPERTY
@given(flat_things)
def test_a_day_stays_a_day(rows: list[dict[str, Any]]) -> None:
    """A calendar day has no zone and is not moved."""
    agrees(LocalDate("day", "Pacific/Kiritimati"), scope_of(rows), rows, lambda r: r["day"])


local_times = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)) | st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes),
    st.sampled_from([datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 11, 1), datetime(2026, 3, 8)]),
    st.integers(0, 300),
)
not_times = ["2026-02-30T10:00:00", "2026-13-01", "2026-01-01T24:00:00", "2026-01-01T10:60", "today", "1/2/2026", ""]
not_times += ["2026-01-01T10:00:00Z", "2026-01-01T10:00:00+02:00", "1900-02-29", "2026-1-1", "２０２６-01-01"]


def read(text: str | None) -> Any:
    if text is None:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return REFUSED
    return REFUSED if text in not_times else local


def instant(local: Any, zone: str, twice: str) -> Any:
    if local is None or local == REFUSED:
        return local
    here = ZoneInfo(zone)
    first, second = (local.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(here).replace(tzinfo=None) != local:
        return REFUSED
    if first != second and twice == "hold":
        return REFUSED
    return second if twice == "latest" else first


@PROPERTY
@given(
    st.lists(st.none() | local_times.map(datetime.isoformat) | st.sampled_from(not_times)),
    st.sampled_from(ZONES),
    st.sampled_from(["hold", "earliest", "latest"]),
)
def test_local_text_becomes_an_instant(texts: list[str | None], zone: str, twice: Any) -> None:
    """A time that the clock never shows is refused, one it shows twice is what the rule says, a zone is not guessed."""
    rows = [{"name": text} for text in texts]
    agrees(Instant("name", zone, twice), scope_of(rows), rows, lambda r: instant(read(r["name"]), zone, twice))


@PROPERTY
@given(st.lists(st.none() | st.dates(date(1971, 1, 1), date(2100, 1, 1))), st.sampled_from(ZONES))
def test_a_day_becomes_its_midnight(days: list[date | None], zone: str) -> None:
    """A day is the instant of its midnight in the zone."""
    rows = [{"day": day} for day in days]

    def expected(row: dict[str, Any]) -> Any:
        return None if row["day"] is None else instant(datetime.combine(row["day"], datetime.min.time()), zone, "hold")

    agrees(Instant("day", zone), scope_of(rows), rows, expected)


@PROPERTY
@given(flat_things)
def test_an_instant_stays_an_instant(rows: list[dict[str, Any]]) -> None:
    """What has a zone already is not moved."""
    agrees(Instant("at", "Asia/Kathmandu"), scope_of(rows), rows, lambda r: r["at"])


@pytest.mark.parametrize(
    "verb", [LocalDate("at", "Europe/Amsterdm"), Instant("name", "CET+1"), LocalDate("at", "../x")]
)
def test_a_zone_must_exist(verb: Any) -> None:
    """A zone that does not exist is refused when the mapping is built."""
    with pytest.raises(MappingError, match="no time zone"):
        verb.type(Shape(THING))


def test_a_context_has_a_real_zone() -> None:
    """Xero's own name for a zone is none that a calendar knows."""
    with pytest.raises(MappingError, match="WESTEUROPESTANDARDTIME"):
        Context("WESTEUROPESTANDARDTIME", "PS", "EUR")


@pytest.mark.parametrize("verb", [LocalDate("name"), LocalDate("amount"), Instant("count")])
def test_a_date_is_made_of_dates(verb: Any) -> None:
    """Text and numbers are no days."""
    with pytest.raises(MappingError, match="needs"):
        verb.type(Shape(THING))
