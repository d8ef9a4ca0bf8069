"""Forgetting a person: the data of one source record, out of the store, the journal and the log of errors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from crosswalk.errors import CrosswalkError, SettingsError
from crosswalk.integration import Integration, find
from crosswalk.runs.wiring import House
from crosswalk.schemas.base import Field, Record
from crosswalk.settings import Connection
from crosswalk.store import audit, forgetting
from crosswalk.store.forgetting import Words


@dataclass
class Forgotten:
    """erased: how many of what.  compacted: no page of the files holds it any more; else another process uses them."""

    erased: Counter[str]
    compacted: bool


def forget(house: House, connection: str, resource: str, id: str, also: Sequence[str] = (), by: str = "") -> Forgotten:
    """Erase what is kept of the person that a source record is about. May be repeated.

    resource: ``shopify.customers``, or ``customers``.  id: as the source gives it, or what follows its last slash.
    also: what else the person is known by, such as an e-mail address, where the store may no longer know it.
    Raises SettingsError for an unknown connection or resource; Busy, and erases nothing, while one of its bindings runs
    or a change of the record is on its way.
    """
    about = house.settings.connection(connection)
    resource = resource if "." in resource else f"{about.system}.{resource}"
    bound = _bound(house, about, resource)
    scopes, store = sorted(bound), house.store
    rows = forgetting.records(store, scopes, resource, id)
    holds = forgetting.held_rows(store, scopes, id)
    forgetting.may(store, scopes, rows)
    known = {*_known(house, list(bound.values()), rows, holds), *also}
    words = Words(
        {*(v for v in known if _telling(v)), *also, *{r.key for r in (*rows, *holds)}, id if _long(id) else ""}
    )
    erased = forgetting.erase(store, rows, holds, words)
    entries, bodies = house.journal.forget(words.within, words.without)
    erased.update({"requests in the journal": entries, "bodies in the journal": bodies})
    erased["lines of the log of errors"] = _log(house, words)
    with store.transaction("forgot") as open_:
        counts = {name: count for name, count in erased.items() if count}
        audit.write(
            open_, house.clock.now(), by or audit.person(), "forget", f"{connection} {resource} {id}", after=counts
        )
    compacted = forgetting.compact(store)
    return Forgotten(erased, house.journal.compact() and compacted)


def _bound(house: House, about: Connection, resource: str) -> dict[str, Integration]:
    """The integrations that read this resource of this account, by scope."""
    found = {}
    for binding in house.settings.bindings.values():
        if binding.source.key == about.key:
            integration = find(binding.integration)
            if integration.source == resource:
                found[binding.scope] = integration
    if not found:
        raise SettingsError(
            f"no binding reads {resource} of connection {about.name!r}: nothing of it is kept",
            safe="nothing was erased",
            next_command="crosswalk list",
        )
    return found


def _known(
    house: House, integrations: Sequence[Integration], rows: Sequence[Row[Any]], holds: Sequence[Row[Any]]
) -> Iterator[str]:
    """Every value of the record that a schema calls personal."""
    targets = {m.target.name: m.target for one in integrations for m in one.parts}
    for resource, text in forgetting.payloads(house.store, rows):
        if resource in targets:
            yield from forgetting.leaves(json.loads(text), _personal(targets[resource]))
    sources = {at for one in integrations for m in one.parts for at in _at_the_wire(m.source.fields)}
    for row in holds:
        raw = house.store.vault.open(row.raw) if row.raw else b""
        try:
            yield from forgetting.leaves(json.loads(raw), sources)
        except ValueError:
            continue


def _personal(record: Record) -> set[str]:
    return {name for name, field in record.walk() if field.personal}


def _at_the_wire(fields: Sequence[Any], prefix: str = "") -> Iterator[str]:
    """Where personal values stand in a raw record."""
    for one in fields:
        if isinstance(one, Field):
            if one.personal:
                yield prefix + one.at
        else:
            yield from _at_the_wire(one.fields, f"{prefix}{one.at}.")


def _telling(value: str) -> bool:
    """Whether a value points at one person: a first name or a town does not."""
    digits = sum(c.isdigit() for c in value)
    return "@" in value or digits >= 7 or (" " in value.strip() and any(c.isalpha() for c in value))


def _long(id: str) -> bool:
    """Whether an id is found in a text without finding every other number."""
    return len(id) >= 8


def _log(house: House, words: Words) -> int:
    """Take the person out of the log of errors that nobody foresaw."""
    log = house.settings.state / "errors.log"
    if not log.is_file():
        return 0
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    new = [words.without(line) for line in lines]
    changed = sum(1 for old, now in zip(lines, new, strict=True) if old != now)
    if changed:
        try:
            log.write_text("".join(new), encoding="utf-8")
        except OSError as error:
            raise CrosswalkError(f"{log} cannot be written: {error}", next_command="forget again") from error
    return changed
