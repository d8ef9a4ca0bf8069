"""Countries, telephone numbers and e-mail addresses in their usual written forms.

Country and Phone ask a library about each distinct value once, so their cost grows with the distinct values of a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.mapping.refs import Scope, Shape
from crosswalk.mapping.verb import Made, Operand, Verb, refuse, verb, without
from crosswalk.mapping.verbs.basic import Filled, textual
from crosswalk.schemas.base import TEXT, Type

ADDRESS = r"^[^\s@<>(),;:\"\[\]\\]+@[^\s@<>(),;:\"\[\]\\._-][^\s@<>(),;:\"\[\]\\]*\.[^\s@<>(),;:\"\[\]\\.\d]{2,}$"


@dataclass(frozen=True)
class Country(Verb):
    """A country's code or English name as another code or name (ISO 3166); blank is missing, others are refused."""

    operand: Operand
    to: Literal["alpha_2", "alpha_3", "numeric", "name"] = "alpha_2"

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        textual(self.operand, shape)
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = Filled(self.operand).make(scope)
        codes = made.values.dictionary_encode()
        names = pa.array([country(text, self.to) for text in codes.dictionary.to_pylist()], pa.string())
        result = names.take(codes.indices)
        unknown = pc.and_(pc.is_valid(made.values), pc.is_null(result))
        return made.then(result, *refuse(unknown, "no such country", made.values))

    def words(self) -> str:
        form = {"alpha_2": "two-letter code", "alpha_3": "three-letter code", "numeric": "number", "name": "name"}
        return f"the country {verb(self.operand).inside()} as its {form[self.to]}"


@lru_cache(maxsize=4096)
def country(text: str, to: str) -> str | None:
    """The country in another form, None when it is not known."""
    import pycountry

    try:
        return str(getattr(pycountry.countries.lookup(text), to))
    except LookupError:
        return None


@dataclass(frozen=True)
class Phone(Verb):
    """A telephone number in E.164 form (+31201234567); blank is missing, what is no possible number is refused.

    country: operand with the two-letter code for numbers without "+"; without one those are refused.
    """

    operand: Operand
    country: Operand | None = None

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        textual(self.operand, shape)
        if self.country is not None:
            textual(self.country, shape)
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = Filled(self.operand).make(scope)
        where = Made(pa.nulls(len(scope), pa.string())) if self.country is None else verb(self.country).make(scope)
        pairs = pc.binary_join_element_wise(pc.fill_null(where.values, ""), made.values, "\x1f").dictionary_encode()
        numbers = pa.array([e164(*pair.split("\x1f", 1)) for pair in pairs.dictionary.to_pylist()], pa.string())
        result = numbers.take(pairs.indices)
        wrong = pc.and_(pc.is_valid(made.values), pc.is_null(result))
        return made.then(result, *where.refusals, *refuse(wrong, "not a telephone number", made.values))

    def words(self) -> str:
        of = "" if self.country is None else f", in {verb(self.country).inside()} where it has no country"
        return f"the telephone number {verb(self.operand).inside()} in international form{of}"


@lru_cache(maxsize=16384)
def e164(region: str, text: str) -> str | None:
    """The number in E.164 form, None when it is none."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@dataclass(frozen=True)
class Email(Verb):
    """An e-mail address without blanks around it, its domain in lower case; blank is missing, what has not the form
    of an address is refused. The part before the @ stays as it is."""

    operand: Operand

    def type(self, shape: Shape, want: Type | None = None) -> Type:
        textual(self.operand, shape)
        return TEXT

    def make(self, scope: Scope, want: pa.DataType | None = None) -> Made:
        made = Filled(self.operand).make(scope)
        right = pc.match_substring_regex(made.values, ADDRESS)
        wrong = refuse(pc.invert(right), "not an e-mail address", made.values)
        good = without(made.values, pc.invert(right))
        pieces = pc.extract_regex(good, r"(?P<name>.*)@(?P<domain>[^@]*)")
        joined = pc.binary_join_element_wise(
            pc.struct_field(pieces, "name"), pc.utf8_lower(pc.struct_field(pieces, "domain")), "@"
        )
        return made.then(pc.if_else(pc.is_valid(good), joined, pa.scalar(None, pa.string())), *wrong)

    def words(self) -> str:
        return f"the e-mail address {verb(self.operand).inside()}"
