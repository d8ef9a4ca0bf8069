"""An answer's body becomes raw records, counted before anything is parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from crosswalk.errors import BrokenPage

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder(float_hook=Decimal)

_BLANK = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ATOM = re.compile(rb"[^\s{}\[\]:,\"]++")
# Up to the next bracket, jumping over strings, so that brackets inside them do not count.
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]|\\.)*+")*+([{}\[\]])', re.DOTALL)


@dataclass(frozen=True)
class Split:
    """records: the bytes of every element of the list, as they came.  rest: the answer without the list."""

    records: list[bytes]
    rest: dict[str, object]


def split(body: bytes, path: str) -> Split:
    """Take the list at the dotted ``path`` apart; an empty path means that the body is the list.

    A record that strict decoders refuse (half a surrogate, NaN, endless nesting) does not cost the others: it comes
    out as its bytes and the parse refuses it alone. Raises BrokenPage for a body that is cut, is not JSON even to a
    lenient reader, or has no list there; null is no list.
    """
    try:
        return _split(body, path.split(".") if path else [])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _split_by_hand(body, path)


def _split(body: bytes | msgspec.Raw, path: list[str]) -> Split:
    if not path:
        return Split([bytes(raw) for raw in _list.decode(body)], {})
    members = _object.decode(body)
    if path[0] not in members:
        raise msgspec.DecodeError(f"no {path[0]}")
    inner = _split(members.pop(path[0]), path[1:])
    rest: dict[str, object] = {name: _any.decode(raw) for name, raw in members.items()}
    if inner.rest:
        rest[path[0]] = inner.rest
    return Split(inner.records, rest)


def _split_by_hand(body: bytes, path: str) -> Split:
    """The same by counting brackets only, for pages with something in them that decoders refuse."""
    try:
        result, end = _walk(body, _blank(body, 0), path.split(".") if path else [])
    except _Cut as cut:
        raise BrokenPage(
            f"The answer is no whole JSON with a list at {path or 'its root'}: {cut}",
            safe="nothing of this page was used",
        ) from None
    if _blank(body, end) != len(body):
        raise BrokenPage(f"The answer goes on after its end (byte {end})", safe="nothing of this page was used")
    return result


class _Cut(Exception):
    pass


def _walk(body: bytes, at: int, path: list[str]) -> tuple[Split, int]:
    if not path:
        records, end = [], at
        for start, end in _elements(body, at):
            if start >= 0:
                records.append(_readable(body[start:end], start))
        return Split(records, {}), end
    rest: dict[str, object] = {}
    found: Split | None = None
    end = at
    for name, start, end in _members(body, at):
        if start < 0:
            break
        if name == path[0]:
            found, _ = _walk(body, start, path[1:])
        else:
            rest[name] = _lenient(body[start:end])
    if found is None:
        raise _Cut(f"no {path[0]}")
    if found.rest:
        rest[path[0]] = found.rest
    return Split(found.records, rest), end


def _elements(body: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of every element; the last pair is (-1, end of the list)."""
    at = _expect(body, at, b"[")
    if body[at : at + 1] == b"]":
        yield -1, at + 1
        return
    while True:
        end = _value(body, at)
        yield at, end
        at = _blank(body, end)
        if body[at : at + 1] == b"]":
            yield -1, at + 1
            return
        at = _expect(body, at, b",")


def _members(body: bytes, at: int) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of every member; the last triple is ("", -1, end of the object)."""
    at = _expect(body, at, b"{")
    if body[at : at + 1] == b"}":
        yield "", -1, at + 1
        return
    while True:
        key = _STRING.match(body, at)
        if key is None:
            raise _Cut(f"no name at byte {at}")
        start = _expect(body, _blank(body, key.end()), b":")
        end = _value(body, start)
        yield str(_lenient(key.group())), start, end
        at = _blank(body, end)
        if body[at : at + 1] == b"}":
            yield "", -1, at + 1
            return
        at = _expect(body, at, b",")


def _value(body: bytes, at: int) -> int:
    """Where the value that begins here ends."""
    first = body[at : at + 1]
    if first == b'"':
        whole = _STRING.match(body, at)
    elif first in (b"{", b"["):
        return _bracketed(body, at)
    else:
        whole = _ATOM.match(body, at)
    if whole is None:
        raise _Cut(f"no value at byte {at}")
    return whole.end()


def _bracketed(body: bytes, at: int) -> int:
    depth = 0
    while True:
        bracket = _TO_BRACKET.match(body, at)
        if bracket is None:
            raise _Cut("it is cut")
        at = bracket.end()
        depth += 1 if bracket.group(1) in b"{[" else -1
        if depth == 0:
            return at


def _readable(raw: bytes, at: int) -> bytes:
    """The record, if it is JSON to somebody; a garbled one means that the page has to be asked for again."""
    try:
        json.loads(raw.decode("utf-8", "surrogateescape"), strict=False)
    except RecursionError:
        return raw
    except ValueError as error:
        raise _Cut(f"the record at byte {at} is garbled ({error})") from None
    return raw


def _expect(body: bytes, at: int, sign: bytes) -> int:
    if body[at : at + 1] != sign:
        raise _Cut(f"{body[at : at + 1].decode('latin-1') or 'the end'} instead of {sign.decode()} at byte {at}")
    return _blank(body, at + 1)


def _blank(body: bytes, at: int) -> int:
    blank = _BLANK.match(body, at)
    return blank.end() if blank else at


def _lenient(value: bytes) -> object:
    """What stands beside the list; half a surrogate in it is no reason to lose the page."""
    try:
        return json.loads(value.decode("utf-8", "replace"), parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
