"""The ``where`` filter and the ``order`` of a list: a small expression language, compiled to a function.

``Status=="AUTHORISED" AND (AmountDue>0 OR Contact.ContactID==guid("..."))``, ``Date>=DateTime(2026,11,01)``,
``Name.StartsWith("A")``, ``EmailAddress!=null``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from crosswalk.sandbox.xero.errors import Refusal, bad_query

Kind = Literal["String", "Guid", "DateTime", "Decimal", "Boolean"]
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Property:
    """A property that may be asked for, and how to read it."""

    kind: Kind
    read: Callable[[Any], Any]


Properties = Mapping[str, Property]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<op>==|!=|<>|>=|<=|&&|\|\||[=<>(),!]|\.[A-Za-z]+))""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "Contains": lambda text, part: part in text,
}


@dataclass(slots=True)
class _Operand:
    """One side of a comparison: kind, and how to work it out for a record."""

    kind: str
    read: Callable[[Any], Any]


def compile_where(text: str, type_name: str, properties: Properties) -> Test:
    """A test for one record; raises the API's QueryParseException."""
    parser = _Parser(text, type_name, properties)
    test = parser.either()
    if parser.peek() is not None:
        raise parser.syntax()
    return test


def compile_order(text: str, type_name: str, properties: Properties) -> list[tuple[Property, bool]]:
    """(property, descending) pairs, most important first."""
    found = []
    for part in text.split(","):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].upper() not in ("ASC", "DESC")):
            raise bad_query(f"Syntax error in order '{text}' (at index 0)")
        found.append((_property(words[0], 0, type_name, properties), len(words) == 2 and words[1].upper() == "DESC"))
    return found


def _property(name: str, at: int, type_name: str, properties: Properties) -> Property:
    found = properties.get(name)
    if found is None:
        raise bad_query(f"No property or field '{name}' exists in type '{type_name}' (at index {at})")
    return found


class _Parser:
    def __init__(self, text: str, type_name: str, properties: Properties) -> None:
        self.type_name, self.properties = type_name, properties
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        position = 0
        text = text.strip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise bad_query(f"Syntax error (at index {position})")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found.group(kind), found.start(kind)))
            position = found.end()

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self) -> tuple[str, str, int]:
        if self.at >= len(self.tokens):
            raise self.syntax()
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, wanted: str) -> None:
        if self.take()[1] != wanted:
            raise self.syntax()

    def syntax(self) -> Refusal:
        last = self.tokens[min(self.at, len(self.tokens) - 1)][2] if self.tokens else 0
        return bad_query(f"Syntax error (at index {last})")

    def either(self) -> Test:
        tests = [self.both()]
        while (self.peek() or "").upper() in ("OR", "||"):
            self.take()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda record: any(t(record) for t in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while (self.peek() or "").upper() in ("AND", "&&"):
            self.take()
            tests.append(self.single())
        return tests[0] if len(tests) == 1 else lambda record: all(t(record) for t in tests)

    def single(self) -> Test:
        if self.peek() == "!":
            self.take()
            negated = self.single()
            return lambda record: not negated(record)
        if self.peek() == "(":
            self.take()
            test = self.either()
            self.expect(")")
            return test
        left = self.operand()
        if self.peek() not in _COMPARE:
            if left.kind != "Boolean":
                raise self.syntax()
            return lambda record: bool(left.read(record))
        symbol = self.take()[1]
        return _comparison(left, symbol, self.operand())

    def operand(self) -> _Operand:
        kind, token, at = self.take()
        if kind == "string":
            return _constant("String", re.sub(r"\\(.)", r"\1", token[1:-1]))
        if kind == "number":
            return _constant("Decimal", Decimal(token))
        if kind != "name":
            raise self.syntax()
        if token.lower() in ("true", "false"):
            return _constant("Boolean", token.lower() == "true")
        if token.lower() == "null":
            return _constant("Null", None)
        if self.peek() == "(":
            return self.function(token, at)
        return self.named(token, at)

    def named(self, token: str, at: int) -> _Operand:
        found = _property(token, at, self.type_name, self.properties)
        return _Operand(found.kind, found.read)

    def arguments(self) -> list[_Operand]:
        self.expect("(")
        found: list[_Operand] = []
        while self.peek() != ")":
            found.append(self.operand())
            if self.peek() == ",":
                self.take()
        self.take()
        return found

    def function(self, token: str, at: int) -> _Operand:
        values = [o.read(None) for o in self.arguments()]
        lower = token.lower()
        try:
            if lower == "guid":
                return _constant("Guid", str(values[0]).lower())
            if lower == "datetime":
                return _constant("DateTime", datetime(*(int(v) for v in values), tzinfo=UTC))  # type: ignore[misc, arg-type]
            if lower == "datetime.parse":
                parsed = datetime.fromisoformat(values[0])
                return _constant("DateTime", parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        except (ValueError, TypeError, IndexError) as error:
            raise bad_query(f"'{token}' cannot be read (at index {at})") from error
        subject_name, _, method = token.rpartition(".")
        if method in ("ToLower", "ToUpper", *_METHODS) and subject_name:
            return self.method(self.named(subject_name, at), method, values)
        raise bad_query(f"No applicable method '{token}' exists in type '{self.type_name}' (at index {at})")

    def method(self, subject: _Operand, method: str, values: list[Any]) -> _Operand:
        if subject.kind != "String":
            raise bad_query(f"No applicable method '{method}' exists in type '{subject.kind}' (at index 0)")
        if method in ("ToLower", "ToUpper"):
            change = str.lower if method == "ToLower" else str.upper
            changed = _Operand("String", lambda record: change(subject.read(record) or ""))
            return self.chained(changed)
        if len(values) != 1 or not isinstance(values[0], str):
            raise self.syntax()
        test, part = _METHODS[method], values[0]
        return _Operand("Boolean", lambda record: test(subject.read(record) or "", part))

    def chained(self, subject: _Operand) -> _Operand:
        """``Name.ToLower().Contains("x")``: the call after the call."""
        following = self.peek() or ""
        if not following.startswith("."):
            return subject
        self.take()
        return self.method(subject, following[1:], [o.read(None) for o in self.arguments()])


def _constant(kind: str, value: Any) -> _Operand:
    return _Operand(kind, lambda record: value)


def _comparison(left: _Operand, symbol: str, right: _Operand) -> Test:
    if "Null" not in (left.kind, right.kind) and left.kind != right.kind:
        raise bad_query(
            f"Operator '{symbol}' incompatible with operand types '{left.kind}' and '{right.kind}' (at index 0)"
        )
    compare = _COMPARE[symbol]
    if symbol in ("==", "=", "!=", "<>"):
        return lambda record: compare(left.read(record), right.read(record))

    def ordered(record: Any) -> bool:
        a, b = left.read(record), right.read(record)
        return a is not None and b is not None and compare(a, b)

    return ordered
