"""The source record of a worked example: what is given laid over the base, as the source sends it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from crosswalk.mapping.language import Example, Mapping
from crosswalk.schemas.base import Field, Lines, Record

_STEP = re.compile(r"([^\[\]]+)((?:\[\d+\])*)")


def wire(mapping: Mapping, example: Example) -> bytes:
    """The example's source record as the source sends it."""
    tree = copy.deepcopy(dict(example.base if example.base is not None else mapping.base))
    for path, value in example.given.items():
        _lay(tree, mapping.source, path, copy.deepcopy(value))
    from crosswalk.frames.payload import render

    return render(_to_wire(mapping.source, tree))


def differences(mapping: Mapping, example: Example) -> dict[str, Any]:
    """What the example's record has that the mapping's base has not, by dotted name; None for what it lacks."""
    before, after = (json.loads(wire(mapping, one), parse_float=Decimal) for one in (_base(mapping), example))
    found: dict[str, Any] = {}
    _compare(before, after, "", found)
    return found


def usual(mapping: Mapping) -> dict[str, Any]:
    """The base record by dotted name; what is empty is left out."""
    found: dict[str, Any] = {}
    _compare(None, json.loads(wire(mapping, _base(mapping)), parse_float=Decimal), "", found)
    return found


def _base(mapping: Mapping) -> Example:
    return Example("the base record", base=mapping.base)


def _compare(before: Any, after: Any, at: str, found: dict[str, Any]) -> None:
    before, after = _whole(before), _whole(after)
    if isinstance(after, dict):
        fields = before if isinstance(before, dict) else {}
        for name in [*after, *(n for n in fields if n not in after)]:
            _compare(fields.get(name), after.get(name), f"{at}.{name}" if at else name, found)
    elif isinstance(after, list):
        elements = before if isinstance(before, list) else []
        for n, element in enumerate(after):
            _compare(elements[n] if n < len(elements) else None, element, f"{at}[{n}]", found)
        for n in range(len(after), len(elements)):
            found[f"{at}[{n}]"] = None
    elif before != after:
        found[at] = after


def _whole(value: Any) -> Any:
    """A list behind ``.nodes`` is the list, and an empty one is nothing."""
    if isinstance(value, dict) and set(value) == {"nodes"}:
        value = value["nodes"]
    return None if value in ([], {}) else value


def names(record: Record, prefix: str = "") -> Iterable[str]:
    """Every name that a field of the record, or of its lists, can be written by."""
    for f in record.fields:
        yield prefix + f.name
        yield prefix + f.at
        if isinstance(f, Lines):
            yield from names(f.record, f"{prefix}{f.name}.")
            yield from names(f.record, f"{prefix}{f.at}.")


def _lay(tree: dict[str, Any], record: Record, path: str, value: Any) -> None:
    """Set a dotted path, with list positions, in a nested record; objects that exist are kept and added to."""
    steps: list[str | int] = []
    for part in path.split("."):
        name, positions = _STEP.fullmatch(part).groups()  # type: ignore[union-attr]
        steps.append(name)
        steps += [int(p) for p in re.findall(r"\d+", positions)]
    here: Any = tree
    for step, following in pairwise(steps):
        if isinstance(step, int):
            while len(here) <= step:
                here.append({})
        elif here.get(step) is None:
            here[step] = [] if isinstance(following, int) else {}
        here = here[step]
        if isinstance(following, int) and isinstance(here, dict):
            here = here.setdefault("nodes", [])
    last = steps[-1]
    if isinstance(last, int):
        while len(here) <= last:
            here.append({})
    if isinstance(value, dict) and isinstance(here[last] if isinstance(last, int) else here.get(last), dict):
        _merge(here[last], value)
    else:
        here[last] = value


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _to_wire(record: Record, tree: dict[str, Any]) -> dict[str, Any]:
    """Lists and fields that are written by their name move to where the source has them."""
    result = copy.copy(tree)
    for f in record.fields:
        value = _get(result, f.name) if f.at != f.name and _get(result, f.at) is _NONE else _NONE
        if value is not _NONE and (isinstance(f, Field) or isinstance(value, list)):
            _put(result, f.name, None, drop=True)
            _put(result, f.at, value)
        if isinstance(f, Lines) and isinstance(value := _get(result, f.at), list):
            _put(result, f.at, [_to_wire(f.record, e) if isinstance(e, dict) else e for e in value])
        value = _get(result, f.at)
        if isinstance(f, Field) and isinstance(value, (Decimal, str)):
            _put(result, f.at, Decimal(value) if f.wire_kind == "number" else str(value))
    return result


_NONE: Any = object()


def _get(tree: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(tree, dict) or step not in tree:
            return _NONE
        tree = tree[step]
    return tree


def _put(tree: dict[str, Any], path: str, value: Any, drop: bool = False) -> None:
    *branches, leaf = path.split(".")
    for branch in branches:
        inner = tree.get(branch)
        tree[branch] = copy.copy(inner) if isinstance(inner, dict) else {}
        tree = tree[branch]
    if drop:
        tree.pop(leaf, None)
    else:
        tree[leaf] = value
