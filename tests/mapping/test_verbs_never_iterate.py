"""No verb looks at rows one by one: a trace of its Python work does not grow with the rows, and it beats plain Python.

Country and Phone ask their library about each distinct value, and dates about each distinct year, once: the rows here
repeat ten, which is what makes a trace at 10 and at 100,000 rows comparable.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pycountry
import pytest
from bill_kit import STATUS, TEST_SKIP, bills, thing
from mapping_kit import CONTEXT, THING, frame_of

from crosswalk.frames.frame import PARENT, Frame
from crosswalk.mapping import (
    And,
    Check,
    Choose,
    Compare,
    Concat,
    Const,
    Context,
    Copy,
    Count,
    Country,
    Custom,
    Cut,
    Divide,
    Either,
    Email,
    Equals,
    Filled,
    First,
    If,
    In,
    Instant,
    IsNull,
    LocalDate,
    Lookup,
    Marker,
    Match,
    MatchSum,
    Money,
    Not,
    Or,
    Phone,
    Round,
    Split,
    Sum,
    Term,
    Verb,
)
from crosswalk.mapping.refs import Scope
from crosswalk.mapping.tables import Tables
from crosswalk.mapping.verbs import contact
from crosswalk.schemas.base import INTEGER, TEXT

FEW, MANY = 10, 100_000
START = datetime(2026, 3, 29, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
CODES = ("NL", "DE", "BE", "FR", "US")


def row(n: int) -> dict[str, Any]:
    """Ten different rows with nothing missing, two lines each."""
    lines = [{"id": f"l{k}", "title": f"Title {k}", "amount": Decimal(n + k), "count": k + 1, "flag": k == 0,
              "taxes": [{"name": "t", "amount": Decimal(n)}]} for k in range(2)]  # fmt: skip
    return {
        "id": f"{n}", "changed": START, "name": f" First{n} Last{n} ", "other.name": CODES[n % 5],
        "amount": Decimal(n) + Decimal("0.0050"), "rate": Decimal("0.21"), "count": n + 1, "flag": n % 2 == 0,
        "at": START + timedelta(hours=5 * n), "day": date(2026, 1, n + 1), "secret": f"person{n}@Shop.Example",
        "lines": lines, "returns": [{"id": "r", "line": "l1", "count": 1}],
    }  # fmt: skip


ROWS = [row(n) for n in range(FEW)]
LOOKUPS = {"people": pa.table({"id": [f"{n}" for n in range(FEW)], "code": list(range(FEW))})}
CONTEXT_WITH = Context(CONTEXT.zone, CONTEXT.prefix, CONTEXT.currency, lookups=LOOKUPS)


def repeated(times: int) -> Scope:
    """The ten rows, ``times`` times."""
    return Scope(tiled(frame_of(THING, ROWS), FEW, times), CONTEXT_WITH, Tables())


def tiled(frame: Frame, step: int, times: int) -> Frame:
    """A frame again and again; ``step`` is how many parents one copy has."""
    table = pa.concat_tables([frame.table] * times).combine_chunks()
    if PARENT in table.column_names:
        shift = np.repeat(np.arange(times) * step, len(frame))
        table = table.set_column(0, PARENT, pc.add(table.column(PARENT), pa.array(shift)))
    return Frame(frame.record, table, {name: tiled(child, len(frame), times) for name, child in frame.lines.items()})


def doubled(counts: pa.Array) -> pa.Array:
    """Twice the count."""
    return pc.multiply(counts, 2)


def plain_phone(r: dict[str, Any]) -> Any:
    number = phonenumbers.parse(f"020123456{r['count'] % 10}", r["other.name"])
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


ADDRESS = re.compile(contact.ADDRESS)
# Each verb, the same in plain Python for one row, and how many times faster it must at least be in the same run.
VERBS: dict[str, tuple[Verb, Callable[[dict[str, Any]], Any], float]] = {
    "Copy": (Copy("name"), lambda r: r["name"], 50),
    "Const": (Const("x"), lambda r: "x", 4),
    "Either": (Either("other.name", "name"), lambda r: r["name"] if r["other.name"] is None else r["other.name"], 4),
    "If": (If(Equals("flag", True), "name", "secret"), lambda r: r["name"] if r["flag"] else r["secret"], 2),
    "Term": (Term("who", "name"), lambda r: r["name"], 40),
    "Filled": (Filled("name"), lambda r: r["name"].strip() or None, 2),
    "Concat": (Concat("name", "secret", separator="-"), lambda r: f"{r['name']}-{r['secret']}", 1.5),
    "Split": (Split("name", " ", 1), lambda r: r["name"].split(" ")[1], 0.8),
    "Cut": (Cut("name", 5), lambda r: r["name"][:5], 3),
    "LocalDate": (LocalDate("at"), lambda r: r["at"].astimezone(AMSTERDAM).date(), 4),
    "Instant": (Instant("day"), lambda r: datetime(2026, 1, r["day"].day, tzinfo=AMSTERDAM).astimezone(UTC), 6),
    "Money": (Money("amount"), lambda r: cents(r["amount"]), 0.8),
    "Round": (Round("amount", 2), lambda r: cents(r["amount"]), 0.7),
    "Arithmetic": (Copy("amount") * "rate" + "count", lambda r: r["amount"] * r["rate"] + r["count"], 0.6),
    "Divide": (Divide("amount", "count"), lambda r: (r["amount"] / r["count"]).quantize(Decimal("0.0001")), 0.6),
    "Choose": (Choose("other.name", values={c: c for c in CODES}), lambda r: r["other.name"], 0.6),
    "Lookup": (Lookup("id", "people", "id", "code", INTEGER), lambda r: int(r["id"]), 1.5),
    "Marker": (Marker("id"), lambda r: f"PS-{r['id']}", 1.2),
    "Country": (Country("other.name"), lambda r: pycountry.countries.lookup(r["other.name"]).alpha_2, 12),
    "Phone": (Phone(Concat(Const("020123456"), "id"), "other.name"), plain_phone, 60),
    "Email": (Email("secret"), lambda r: ADDRESS.match(r["secret"].strip()) and r["secret"].lower(), 0.25),
    "Sum": (Sum("lines.amount"), lambda r: sum(li["amount"] for li in r["lines"]), 1),
    "Count": (Count("lines", where=Equals("flag", True)), lambda r: sum(li["flag"] for li in r["lines"]), 5),
    "First": (First("lines.title"), lambda r: next(iter(r["lines"]))["title"], 0.8),
    "Match": (First("returns", of=Match("^.lines", "id", "line", "title")),
              lambda r: {li["id"]: li["title"] for li in r["lines"]}[r["returns"][0]["line"]], 0.5),
    "MatchSum": (Sum("lines", of=MatchSum("^.returns", "line", "id", "count", empty=0)),
                 lambda r: sum(ret["count"] for li in r["lines"] for ret in r["returns"] if ret["line"] == li["id"]),
                 0.5),
    "IsNull": (IsNull("name"), lambda r: r["name"] is None, 50),
    "Compare": (Compare("amount", ">", Copy("rate")), lambda r: r["amount"] > r["rate"], 0.5),
    "In": (In("other.name", ("NL", "DE")), lambda r: r["other.name"] in ("NL", "DE"), 4),
    "And": (And(Equals("flag", True), IsNull("name")), lambda r: r["flag"] is True and r["name"] is None, 6),
    "Or": (Or(Equals("flag", True), IsNull("name")), lambda r: r["flag"] is True or r["name"] is None, 6),
    "Not": (Not(Equals("flag", True)), lambda r: not r["flag"], 10),
    "Custom": (Custom(doubled, "count", returns=INTEGER), lambda r: r["count"] * 2, 20),
}  # fmt: skip


@pytest.fixture(scope="module")
def scopes() -> tuple[Scope, Scope]:
    return repeated(1), repeated(MANY // FEW)


@contextmanager
def traced() -> Iterator[dict[str, int]]:
    """Counts every call, of Python and of C functions, and every bytecode that is executed."""
    counts = {"calls": 0, "steps": 0}

    def profile(_frame: Any, event: str, _arg: Any) -> None:
        counts["calls"] += event in ("call", "c_call")

    def trace(frame: Any, event: str, _arg: Any) -> Any:
        frame.f_trace_opcodes = True
        counts["steps"] += event == "opcode"
        return trace

    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        yield counts
    finally:
        sys.setprofile(None)
        sys.settrace(None)


def work(verb: Verb, scope: Scope) -> dict[str, int]:
    with traced() as counts:
        verb.make(scope)
    return counts


@pytest.mark.parametrize("name", VERBS)
def test_a_verbs_work_does_not_grow_with_the_rows(name: str, scopes: tuple[Scope, Scope]) -> None:
    """The same calls and the same bytecodes for 10 rows and for 100,000."""
    verb = VERBS[name][0]
    few, many = scopes
    verb.make(few)
    verb.make(many)
    small, large = work(verb, few), work(verb, many)
    assert small["steps"] > 0
    assert large["calls"] <= small["calls"] + 5
    assert large["steps"] <= small["steps"] + 100


def test_a_whole_mapping_does_not_iterate() -> None:
    """Applying a mapping with lines, checks and skips to 10 rows and to 100,000 is the same Python work."""
    mapping = bills(TEST_SKIP, STATUS, Check("total", Sum("Lines.Amount"), "amount", why="w"))
    frame = frame_of(THING, [thing(f"{n}") for n in range(FEW)])
    counts = []
    for times in (1, MANY // FEW):
        many = tiled(frame, FEW, times)
        assert len(mapping.apply(many, CONTEXT).frame) == FEW * times
        with traced() as count:
            mapping.apply(many, CONTEXT)
        counts.append(count)
    small, large = counts
    assert large["calls"] <= small["calls"] + 20
    assert large["steps"] <= small["steps"] + 500


def looped(names: pa.Array) -> pa.Array:
    """Upper case, row by row."""
    return pa.array([str(name).upper() for name in names], pa.string())


def test_the_trace_sees_a_loop(scopes: tuple[Scope, Scope]) -> None:
    """A function that iterates over rows is caught by both counts."""
    verb = Custom(looped, "name", returns=TEXT)
    small, large = work(verb, scopes[0]), work(verb, scopes[1])
    assert large["calls"] > 1000 * small["calls"] / FEW and large["steps"] > 1000 * small["steps"] / FEW


def seconds(do: Callable[[], Any]) -> float:
    """The best CPU time of three."""
    best = []
    for _ in range(3):
        start = time.process_time()
        do()
        best.append(time.process_time() - start)
    return min(best)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_beats_plain_python(name: str, scopes: tuple[Scope, Scope]) -> None:
    """Each verb is as many times faster as its floor says than the same in plain Python, in the same run."""
    verb, plain, floor = VERBS[name]
    rows = ROWS * (MANY // FEW // 10)
    verb.make(scopes[1])
    vectorised = seconds(lambda: verb.make(scopes[1]))
    looped_ = 10 * seconds(lambda: [plain(r) for r in rows])
    ratio = looped_ / max(vectorised, 1e-6)
    print(f"{name}: {MANY / max(vectorised, 1e-6):,.0f} rows/s, {ratio:.1f} times plain Python")
    assert ratio >= floor


def test_every_verb_is_measured() -> None:
    """No verb of the language is left out of the trace."""
    import crosswalk.mapping as language

    abstract = {"Verb", "Condition", "Link"}
    names = {n for n in language.__all__ if isinstance(getattr(language, n), type)}
    verbs = {n for n in names if issubclass(getattr(language, n), Verb)} - abstract
    assert verbs == set(VERBS)
