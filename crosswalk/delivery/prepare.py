"""Preparing what may be sent: links filled in, first creates looked up, financial records compared before a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Row

from crosswalk.connectors.base import Found, Item
from crosswalk.connectors.facts import Verb
from crosswalk.delivery import repair
from crosswalk.delivery.asking import can_ask
from crosswalk.delivery.compare import foreign, shows
from crosswalk.delivery.context import Delivery, changeable
from crosswalk.errors import SettingsError
from crosswalk.frames.payload import render
from crosswalk.store import held, ledger, links
from crosswalk.store.held import Hold
from crosswalk.store.ledger import FOUND, Name

OWN_VERSION = "the target's own version"
"""The rule that holds a change of a record that the target, or somebody there, has changed or closed."""


@dataclass(frozen=True)
class Ready:
    """A ledger row and the target record to send for it."""

    row: Row[Any]
    item: Item


def operation(row: Row[Any]) -> Verb:
    """What would bring the target to what is wanted."""
    if row.wanted_remove:
        return "remove"
    return "update" if row.target_id else "create"


def name(row: Row[Any]) -> Name:
    return Name(row.key, row.part)


def hold(delivery: Delivery, rows: Sequence[Row[Any]], reason: Mapping[Name, str], rule: str) -> None:
    """Hold rows before anything is sent for them."""
    with delivery.store.transaction("hold") as connection:
        _hold(connection, delivery, rows, reason, rule)


def _hold(
    connection: Connection, delivery: Delivery, rows: Sequence[Row[Any]], reason: Mapping[Name, str], rule: str
) -> None:
    now = delivery.clock.now()
    holds = []
    for row in rows:
        why = reason[name(row)]
        ledger.mark(
            connection, delivery.scope, [name(row)],
            held=ledger.clean(why), held_because=f"refused:{row.wanted_hash}", fate="held", changed_at=now,
        )  # fmt: skip
        holds.append(Hold(row.key, row.part, "load", rule, "", why, version=row.wanted_version))
    held.put(connection, delivery.store, delivery.scope, delivery.run, holds, now)


def ready(delivery: Delivery, rows: Sequence[Row[Any]], verb: Verb) -> list[Ready]:
    """Those of ``rows`` that can be sent now; the others are parked, skipped or held, with their reason."""
    if verb == "remove":
        rows = _removable(delivery, rows)
    elif verb == "update":
        rows = repair.standing(delivery, rows)
    try:
        facts = delivery.target.operation(rows[0].resource, verb) if rows else None
    except SettingsError:
        reason = "it was delivered and has changed since; the target cannot change such a record"
        hold(delivery, rows, {name(r): reason for r in rows}, f"no {verb}")
        return []
    items = _linked(delivery, rows)
    if verb == "create":
        items = _looked_up(delivery, items)
    elif facts is not None and facts.money:
        items = _compared(delivery, items, verb)
    return items


def _removable(delivery: Delivery, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    nothing = [name(r) for r in rows if not r.target_id]
    if nothing:
        with delivery.store.transaction("skip") as connection:
            ledger.mark(
                connection, delivery.scope, nothing, skipped="nothing to remove", fate="skipped", wanted_hash=""
            )
    return [r for r in rows if r.target_id]


def _linked(delivery: Delivery, rows: Sequence[Row[Any]]) -> list[Ready]:
    """Fill in the ids of parents; a record whose parent is not there yet is parked with what it waits for."""
    wanted = {}
    for row in rows:
        extra = ledger.load(row.wanted_extra)
        wanted[name(row)] = {
            field: delivery.parent(of, id, to) for field, (to, of, id) in extra.get("links", {}).items()
        }
    with delivery.store.reading() as connection:
        there = links.find(connection, {p for parents in wanted.values() for p in parents.values()})
    mended, gone = repair.mend(delivery, {p for ps in wanted.values() for p in ps.values() if p not in there})
    there |= mended
    done, waiting, orphans = [], [], []
    for row in rows:
        parents = wanted[name(row)]
        missing = sorted(p.text for p in parents.values() if p not in there)
        broken = [p for p in parents.values() if p in gone]
        if broken:
            orphans.append((row, broken[0], gone[broken[0]]))
        elif missing:
            waiting.append((row, missing[0]))
        else:
            done.append(Ready(row, _item(row, {f: there[p] for f, p in parents.items()})))
    if waiting:
        _park(delivery, waiting)
    repair.hold(delivery, orphans)
    return done


def _park(delivery: Delivery, waiting: Sequence[tuple[Row[Any], str]]) -> None:
    now = delivery.clock.now()
    with delivery.store.transaction("park") as connection:
        for row, needs in waiting:
            ledger.mark(
                connection, delivery.scope, [name(row)],
                needs=needs, parked_at=row.parked_at or now, fate="parked", changed_at=now,
            )  # fmt: skip


def _item(row: Row[Any], ids: Mapping[str, str]) -> Item:
    extra = ledger.load(row.wanted_extra)
    payload = ledger.load(row.wanted_payload)
    if row.alternative:
        for field, value in extra.get("alternatives", {}).items():
            _put(payload, field, value)
    for field, value in ids.items():
        if not field.startswith("@"):
            _put(payload, field, value)
    if row.target_id:
        for field in extra.get("create_only", ()):
            payload.pop(field, None)
    return Item(f"{row.key}#{row.part}", row.marker, payload, row.target_id or None)


def _put(payload: dict[str, Any], dotted: str, value: Any) -> None:
    *folders, last = dotted.split(".")
    for folder in folders:
        payload = payload.setdefault(folder, {})
    payload[last] = value


def _looked_up(delivery: Delivery, items: Sequence[Ready]) -> list[Ready]:
    """What is older than the store may have been delivered without its knowledge: a first create looks up before.

    A record that hangs on one which this store had created cannot be there yet.
    """
    able = _can_look_up(delivery, items)
    unsure = _unsure(delivery, items, able=able)
    if not unsure:
        return list(items)
    if not able:
        return _unknowable(delivery, items, unsure)
    found = delivery.target.look_up(unsure[0].row.resource, "create", [r.item for r in unsure])
    adopted, foreign, absent = [], {}, []
    for one, there in zip(unsure, found, strict=True):
        if there is None or not there.applied:
            absent.append(one)
        elif there.carries_marker:
            adopted.append((one, there))
        else:
            foreign[name(one.row)] = "the target has a record where ours would be, without our reference"
    if foreign:
        hold(delivery, [r.row for r in unsure if name(r.row) in foreign], foreign, "conflict")
    adopt(delivery, [(one.row, there) for one, there in adopted])
    if absent:
        with delivery.store.transaction("absent") as connection:
            ledger.mark(connection, delivery.scope, [name(r.row) for r in absent], look_first=False)
    sure = {name(r.row) for r in unsure}
    return [r for r in items if name(r.row) not in sure] + absent


def _can_look_up(delivery: Delivery, items: Sequence[Ready]) -> bool:
    if not items:
        return True
    return can_ask(delivery.target.operation(items[0].row.resource, "create"))


def _unknowable(delivery: Delivery, items: Sequence[Ready], unsure: Sequence[Ready]) -> list[Ready]:
    """What may have been done before this store's memory began, at a target that cannot be asked."""
    if delivery.integration.in_doubt == "resend":
        return list(items)
    why = "it may have been done before this store's memory began, and the target cannot be asked whether it was"
    rows = {name(r.row): r.row for r in unsure}
    hold(delivery, list(rows.values()), dict.fromkeys(rows, why), "older than the store")
    with delivery.store.transaction("absent") as connection:
        # Whoever lets it be tried again has made sure.
        ledger.mark(connection, delivery.scope, list(rows), look_first=False)
    return [r for r in items if name(r.row) not in rows]


def _unsure(delivery: Delivery, items: Sequence[Ready], *, able: bool) -> list[Ready]:
    unsure = [r for r in items if r.row.look_first]
    if not unsure:
        return []
    # One that the target has refused because its reference is taken is looked up whatever it hangs on.
    strict = {name(r.row): [] if r.row.tries and able else _hangs_on(delivery, r) for r in unsure}
    with delivery.store.reading() as connection:
        ours = links.created_here(connection, {p for ps in strict.values() for p in ps}, delivery.store.since())
    return [r for r in unsure if not ours.intersection(strict[name(r.row)])]


def _hangs_on(delivery: Delivery, one: Ready) -> list[links.Parent]:
    """The other parts of the same source record that this one refers to."""
    wanted = ledger.load(one.row.wanted_extra).get("links", {})
    return [
        delivery.parent(of, id, to)
        for to, of, id in wanted.values()
        if of == one.row.source_resource and id.partition("#")[0] == one.row.key
    ]


def adopt(delivery: Delivery, pairs: Sequence[tuple[Row[Any], Found]]) -> None:
    """Take over target records that carry our reference. One that shows other values than are wanted is updated next,
    a financial one held; one that another source record claims is held."""
    now = delivery.clock.now()
    with delivery.store.transaction("adopt") as connection:
        for row, there in pairs:
            parent = delivery.parent(row.source_resource, row.source_id, row.resource)
            owner = links.claimed(connection, parent.target, row.resource, [there.target_id]).get(there.target_id)
            if owner is not None and owner != parent:
                why = f"the target's record {there.target_id} belongs to another record of the source"
                _hold(connection, delivery, [row], {name(row): why}, "conflict")
                continue
            links.commit(connection, parent, there.target_id, delivery.binding.name, now, adopted=True)
            differs, second = _differs(row, there)
            update = bool(differs) and changeable(delivery, row.resource)
            ledger.mark(
                connection, delivery.scope, [name(row)],
                target_id=there.target_id, target_version="" if update else there.target_version or "",
                look_first=False, alternative=second, applied_hash=FOUND if update else row.wanted_hash,
                applied_payload=row.wanted_payload,
                applied_version="" if update else row.wanted_version,
                fate="planned" if update else "unchanged", tries=0, next_try_at=None, last_error="", changed_at=now,
            )  # fmt: skip
            if differs and not update:
                why = (
                    f"the target's record {there.target_id} carries our reference and shows other values: "
                    + ", ".join(differs)
                )
                _hold(connection, delivery, [row], {name(row): why}, "conflict")


def _differs(row: Row[Any], there: Found) -> tuple[list[str], bool]:
    """Which fields the target shows otherwise than is wanted, and whether it shows the values for when the first were
    taken, under which the record was written then."""
    wanted = dict(_item(row, {}).payload)
    differs = foreign(wanted, there.echo)
    second = ledger.load(row.wanted_extra).get("alternatives", {})
    if differs and second and not row.alternative:
        for field, value in second.items():
            _put(wanted, field, value)
        if not foreign(wanted, there.echo):
            return [], True
    return differs, bool(row.alternative)


def _compared(delivery: Delivery, items: Sequence[Ready], verb: Verb) -> list[Ready]:
    """Before a financial record is changed, the target's own version is looked at: nothing is overwritten unseen.

    What the target shows already, after a restore for example, is not sent.
    """
    if not items:
        return []
    resource = items[0].row.resource
    current = _current(delivery, resource, verb, items)
    guards = [g for m in delivery.integration.parts if m.target.name == resource for g in m.guards]
    reasons: dict[Name, str] = {}
    good, already, lost = [], [], []
    for one in items:
        there = current.get(cast(str, one.item.target_id))
        if there is None and verb == "update":
            lost.append(one.row)
            continue
        if there is not None and (there.applied if verb == "remove" else shows(one.item.payload, there.echo)):
            already.append((one, there))
            continue
        why = _objection(one, there, guards, verb)
        if why:
            reasons[name(one.row)] = why
        else:
            good.append(one)
    if reasons:
        hold(delivery, [r.row for r in items if name(r.row) in reasons], reasons, OWN_VERSION)
    _note(delivery, already)
    if lost:
        repair.lost(delivery, lost)
    return good


def _current(delivery: Delivery, resource: str, verb: Verb, items: Sequence[Ready]) -> dict[str, Found]:
    if verb != "remove":
        return delivery.target.current(resource, [cast(str, r.item.target_id) for r in items])
    found = delivery.target.look_up(resource, verb, [r.item for r in items])
    return {there.target_id: there for there in found if there is not None}


def _note(delivery: Delivery, already: Sequence[tuple[Ready, Found]]) -> None:
    """These need not be sent: the target shows what is wanted."""
    if not already:
        return
    with delivery.store.transaction("already") as connection:
        for one, there in already:
            row = one.row
            ledger.mark(
                connection, delivery.scope, [name(row)],
                applied_hash=row.wanted_hash,
                applied_payload="" if row.wanted_remove else render(one.item.payload).decode(),
                applied_version=row.wanted_version, applied_digest=row.wanted_digest,
                target_version=there.target_version or "", tries=0, next_try_at=None, last_error="", fate="unchanged",
                changed_at=delivery.clock.now(),
            )  # fmt: skip


def _objection(one: Ready, there: Found | None, guards: Sequence[Any], verb: Verb) -> str:
    if there is None:
        return "the target no longer has the record"
    for guard in guards:
        if guard.when(there.echo):
            return f"{guard.name}: {guard.why}"
    if verb == "update" and one.row.applied_payload and there.target_version != one.row.target_version:
        changed = foreign(ledger.load(one.row.applied_payload), there.echo)
        if changed and one.row.applied_hash == FOUND:
            return f"it was found at the target and shows other values: {', '.join(changed)}"
        if changed:
            return f"somebody changed {', '.join(changed)} at the target since we wrote it"
    return ""
