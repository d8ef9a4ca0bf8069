"""Text and contact verbs equal plain Python, character by character."""

from __future__ import annotations

import re
from typing import Any

import phonenumbers
import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_kit import PROPERTY, REFUSED, THING, agrees, flat_things, scope_of

from crosswalk.errors import MappingError
from crosswalk.mapping import Concat, Const, Copy, Country, Cut, Email, Filled, Marker, Phone, Split
from crosswalk.mapping.refs import Shape


def strip(text: str | None) -> str | None:
    return None if text is None or not text.strip() else text.strip()


@PROPERTY
@given(flat_things)
def test_concat_joins_what_is_there(rows: list[dict[str, Any]]) -> None:
    """Missing parts make the whole missing, or are passed over when the rule says so."""
    scope = scope_of(rows)

    def whole(row: dict[str, Any]) -> Any:
        parts = [row["name"], row["other.name"], row["count"]]
        return None if None in parts else "-".join(map(str, parts))

    def some(row: dict[str, Any]) -> Any:
        parts = [p for p in (row["name"], row["day"]) if p is not None]
        return " ".join(map(str, parts)) if parts else None

    agrees(Concat("name", "other.name", "count", separator="-"), scope, rows, whole)
    agrees(Concat("name", "day", separator=" ", skip_missing=True), scope, rows, some)


@PROPERTY
@given(flat_things, st.integers(-4, 4), st.none() | st.integers(1, 3))
def test_split_takes_one_piece(rows: list[dict[str, Any]], part: int, most: int | None) -> None:
    """A piece that is not there is missing, never another one."""

    def expected(row: dict[str, Any]) -> Any:
        if row["name"] is None:
            return None
        pieces = row["name"].split(" ") if most is None else row["name"].split(" ", most - 1)
        return pieces[part] if -len(pieces) <= part < len(pieces) else None

    agrees(Split("name", " ", part, most), scope_of(rows), rows, expected)


@PROPERTY
@given(flat_things, st.integers(1, 6))
def test_cut_counts_characters(rows: list[dict[str, Any]], length: int) -> None:
    """Text is cut after characters, not bytes, and never inside one."""
    agrees(Cut("name", length), scope_of(rows), rows, lambda r: None if r["name"] is None else r["name"][:length])


BLANKS = "\t\n\r \u00a0\u2003"


@PROPERTY
@given(st.lists(st.none() | st.text(st.sampled_from(BLANKS + "ab é"), max_size=5)))
def test_filled_takes_blank_for_missing(names: list[str | None]) -> None:
    """Blanks at the ends go, and text of nothing but blanks is missing."""
    rows = [{"name": name} for name in names]
    agrees(Filled("name"), scope_of(rows), rows, lambda r: strip(r["name"]))


@PROPERTY
@given(flat_things)
def test_marker_is_prefix_and_id(rows: list[dict[str, Any]]) -> None:
    """Our mark is the connection's prefix and the source id, with a kind between where there are several."""
    scope = scope_of(rows)
    agrees(Marker("id"), scope, rows, lambda r: f"PS-{r['id']}")
    agrees(Marker("count", "R"), scope, rows, lambda r: None if r["count"] is None else f"PS-R-{r['count']}")


COUNTRIES = ["NL", "nl", " NLD ", "Germany", "Deutschland", "528", "Côte d'Ivoire", "XX", "", "  ", "Taiwan"]


@PROPERTY
@given(st.lists(st.none() | st.sampled_from(COUNTRIES)))
def test_country_knows_codes_and_names(names: list[str | None]) -> None:
    """Codes and English names become the code that is asked for, others are refused, blank is missing."""
    rows = [{"name": name} for name in names]
    for to in ("alpha_2", "alpha_3", "name"):

        def expected(row: dict[str, Any], form: str = to) -> Any:
            text = strip(row["name"])
            if text is None:
                return None
            try:
                return getattr(pycountry.countries.lookup(text), form)
            except LookupError:
                return REFUSED

        agrees(Country("name", to), scope_of(rows), rows, expected)  # type: ignore[arg-type]


NUMBERS = [
    "020 123 4567",
    "+31 20 123 4567",
    "0031201234567",
    "12",
    "call me",
    "",
    " ",
    "+1 (212) 555-0100 ext. 4",
    "٠٢٠",
]


@PROPERTY
@given(st.lists(st.tuples(st.none() | st.sampled_from(NUMBERS), st.sampled_from([None, "NL", "nl", "DE", "??"]))))
def test_phone_becomes_international(pairs: list[tuple[str | None, str | None]]) -> None:
    """A number is written internationally, by its country where it names none; no number is refused."""
    rows = [{"name": number, "other.name": region} for number, region in pairs]

    def expected(row: dict[str, Any]) -> Any:
        text = strip(row["name"])
        if text is None:
            return None
        try:
            number = phonenumbers.parse(text, (row["other.name"] or "").upper() or None)
        except phonenumbers.NumberParseException:
            return REFUSED
        valid = phonenumbers.is_valid_number(number)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else REFUSED

    agrees(Phone("name", "other.name"), scope_of(rows), rows, expected)


def test_phone_without_a_country_needs_a_plus() -> None:
    """A national number of nobody's country is refused, not guessed."""
    rows = [{"name": "020 123 4567"}, {"name": "+31201234567"}]
    agrees(Phone("name"), scope_of(rows), rows, lambda r: REFUSED if r is rows[0] else "+31201234567")
    agrees(Phone("name", Const("NL")), scope_of(rows), rows, lambda r: "+31201234567")


part = st.text(st.sampled_from("aB.@ é-_1"), max_size=6)
ADDRESS = re.compile(r'[^\s@<>(),;:"\[\]\\]+@[^\s@<>(),;:"\[\]\\._-][^\s@<>(),;:"\[\]\\]*\.[^\s@<>(),;:"\[\]\\.\d]{2,}')


@PROPERTY
@given(st.lists(st.none() | part | st.builds(lambda a, b: f"{a}@{b}.Nl", part, part) | st.just("Jan@Shop.Example ")))
def test_email_lowers_the_domain_alone(addresses: list[str | None]) -> None:
    """The domain gets small letters, the name before it stays, and what is no address is refused."""
    rows = [{"name": address} for address in addresses]

    def expected(row: dict[str, Any]) -> Any:
        text = strip(row["name"])
        if text is None:
            return None
        if not ADDRESS.fullmatch(text):
            return REFUSED
        name, _, domain = text.rpartition("@")
        return f"{name}@{domain.lower()}"

    agrees(Email("name"), scope_of(rows), rows, expected)


@pytest.mark.parametrize("bad", ["jan", "jan@", "@x.nl", "jan@x", "a b@x.nl", "jan@x..", "jan@.nl", "<jan@x.nl>"])
def test_what_is_no_address(bad: str) -> None:
    """Addresses without a name, a domain or its end are refused."""
    agrees(Email("name"), scope_of([{"name": bad}]), [{}], lambda r: REFUSED)


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Concat("name", "amount"), "Concat joins text"),
        (Split("name", ""), "separator"),
        (Split("amount", " "), "text is needed"),
        (Cut("name", 0), "at least 1"),
        (Marker("amount"), "needs an id"),
        (Country("flag"), "text is needed"),
        (Copy("nam"), "Did you mean 'name'"),
    ],
)
def test_text_that_cannot_be_meant(verb: Any, says: str) -> None:
    """A text verb over something else is refused when it is built, and says what it needs."""
    with pytest.raises(MappingError, match=says):
        verb.type(Shape(THING))


def test_a_marker_needs_a_prefix() -> None:
    """Without a prefix a mark could be anybody's, so there is none."""
    from crosswalk.mapping import Context

    with pytest.raises(MappingError, match="prefix"):
        Marker("id").make(scope_of([{"id": "1"}], Context("UTC", "", "EUR")))
