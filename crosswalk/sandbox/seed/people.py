"""The customers: ordinary ones, and the names that get in the way."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from .sales import Person
from .shelf import PERSON_IDS

_FIRST = (
    "Anna", "Bram", "Chaima", "Daan", "Emma", "Finn", "Güler", "Hugo", "Iris", "Jan", "Kees", "Lotte", "Mila", "Noor",
    "Otto", "Pim", "Quinty", "Ruben", "Sanne", "Tijn", "Ulrike", "Vera", "Wout", "Xander", "Yara", "Zeynep",
)  # fmt: skip
_LAST = (
    "Visser", "de Vries", "van den Berg", "Bakker", "Smit", "Meijer", "de Boer", "Mulder", "Bos", "Vos", "Peters",
    "Hendriks", "Schmidt", "Janssens", "Okafor", "Kowalska", "O'Brien", "Dubois",
)  # fmt: skip
_PLACES = (
    ("Keizersgracht", "Amsterdam", "1015 CJ", "NL"),
    ("Oudegracht", "Utrecht", "3511 AB", "NL"),
    ("Bergmannstraße", "Berlin", "10961", "DE"),
    ("Meir", "Antwerpen", "2000", "BE"),
)
STRANGERS = ("Willem van Oranje", "Boekhandel De Linde")
_ODD = (
    ("same_name", "Jansen", "Piet", 2),
    ("same_name", "de Jong", "Maria", 2),
    ("same_name", "Nguyen", "Linh", 3),
    ("same_name_other_case", "McDonald", "Fiona", 1),
    ("same_name_other_case", "MCDONALD", "FIONA", 1),
    ("name_of_a_stranger", "van Oranje", "Willem", 1),
    ("name_of_a_stranger", "De Linde", "Boekhandel", 1),
    ("unicode_name", "Þórsdóttir", "Ásta", 1),
    ("unicode_name", "田中", "さくら", 1),
    ("unicode_name", "Ελευθερίου", "Ζωή", 1),
    ("unicode_name", "بن علي", "ياسمين", 1),
    ("emoji_name", "de Boer 🚲", "Zoë", 1),
    ("emoji_name", "👩‍👩‍👧 Groen", "Familie", 1),
    ("quoted_name", 'O"Neill \\ & <Zn>, ', "Seán", 1),
    ("no_name", None, None, 2),
    ("name_255", "N" * 249, "Lange", 1),
    ("long_name", "Wolfeschlegelsteinhausenbergerdorff " * 8 + "senior", "Hubert", 1),
    ("bad_customer", "Kapot", "Karel", 1),
)


def people(rng: random.Random, count: int, start: datetime, odd: bool) -> tuple[Person, ...]:
    """So many customers with distinct ids; ``odd`` adds those of the named cases. Ordinary names are all distinct."""
    made: list[Person] = []
    for case, last, first, times in _ODD if odd else ():
        for _ in range(times):
            made.append(_person(rng, len(made), case, first, (last or "").strip() or None, start))
    for index in range(max(count - len(made), 1)):
        turn, place = divmod(index, len(_FIRST) * len(_LAST))
        first, last = _FIRST[place % len(_FIRST)], _LAST[place // len(_FIRST)]
        made.append(_person(rng, len(made), "plain", first, last + (f" {turn + 1}" if turn else ""), start))
    return tuple(made)


def _person(rng: random.Random, number: int, case: str, first: str | None, last: str | None, start: datetime) -> Person:
    street, city, postcode, country = rng.choices(_PLACES, weights=(8, 6, 2, 2))[0]
    created = start + timedelta(minutes=7 * number, seconds=rng.randrange(300))
    return Person(
        id=PERSON_IDS + 2 * number,
        case=case,
        first=first,
        last=last,
        email=f"buyer{number + 1}@example.test",
        phone=f"+316{10_000_000 + number:08d}" if rng.random() < 0.6 else None,
        street=f"{street} {rng.randrange(1, 300)}",
        city=city,
        postcode=postcode,
        country=country,
        created=created,
        updated=created,
        spoil="number_as_name" if case == "bad_customer" else None,
    )
